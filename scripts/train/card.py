"""The card of a model folder, its README.md: the run, its results, and what it was trained on."""

import csv
from pathlib import Path

import corpus
from bpb import table
from model_folder import ARITHMETIC
from run import RECIPE


def sources(folder) -> str:
    """The training data by category: documents, bytes, and bytes by licence, from the manifest."""
    with open(Path(folder) / "MANIFEST.tsv") as manifest:
        rows = [r for r in csv.DictReader(manifest, delimiter="\t")
                if not r["category"].startswith("valid:")]
    lines = ["| category | sources | documents | bytes | licences, by bytes |",
             "|---|---:|---:|---:|---|"]
    for category in corpus.CATEGORIES:
        part = [r for r in rows if r["category"] == category]
        by_licence = {}
        for r in part:
            by_licence[r["licence"]] = by_licence.get(r["licence"], 0) + int(r["raw_bytes"])
        size = sum(by_licence.values())
        top = sorted(by_licence.items(), key=lambda kv: -kv[1])
        named = "; ".join(f"{name} {100 * n / size:.0f}%" for name, n in top[:6])
        if len(top) > 6:
            named += f"; {len(top) - 6} others {100 * sum(n for _, n in top[6:]) / size:.0f}%"
        documents = sum(int(r["documents"]) for r in part)
        lines.append(f"| {category} | {len(part)} | {documents:,} | {size:,} | {named} |")
    return "\n".join(lines)


def curve(history) -> str:
    """The bits per byte of the checks on the way."""
    rows = [(r["tokens"], r.get("valid") or r["valid_end"])
            for r in history if "valid" in r or "valid_end" in r]
    if not rows:
        return "The run has not come to its first check."
    lines = ["| tokens | " + " | ".join(rows[0][1]) + " |", "|---:|" + "---:|" * len(rows[0][1])]
    return "\n".join(lines + [f"| {n:,} | " + " | ".join(f"{v:.3f}" for v in found.values()) + " |"
                              for n, found in rows])


def card(run, folder, results, args) -> str:
    """The card as Markdown. results: of bpb.bits_per_byte, by column; args: those of export.py."""
    c, recipe = run.config, run.recipe
    size = (folder / "model.safetensors").stat().st_size
    parameters = sum(p.numel() for n, p in run.model.named_parameters() if not n.startswith("ln0"))
    gap = results["exported int8"]["all"] / results["float"]["all"] - 1
    speeds = sorted(r["tokens_s"] for r in run.history if "tokens_s" in r) or [0]
    flags = " ".join(f"--{k.replace('_', '-')} {v}" for k, v in recipe.items() if v != RECIPE[k])
    return f"""# {folder.name}

RWKV-7, {c.layers} layers, width {c.width}, head size {c.head}, {c.vocab:,} tokens, low ranks
{c.rank_w} (decay), {c.rank_a} (in-context rate), {c.rank_v} (value), {c.rank_g} (gate):
{parameters:,} parameters, stored in {size:,} bytes (int8 matrices with one f32 scale a row; vectors
in f32). Arithmetic version {ARITHMETIC} (`docs/ARITHMETIC.md`).

Trained from nothing by `scripts/train` on {run.tokens_seen:,} tokens, {run.bytes_seen:,} bytes of
text, {args.where}:

    python train.py --size {run.size} {flags}
    python export.py {args.checkpoint} {args.folder}

Median speed in training {speeds[len(speeds) // 2]:,} tokens a second.

## Bits per byte on the validation split

{table(results)}

Each document by itself from the start of a document. `float`: the averaged weights before
quantisation. `exported int8`: this folder, with weights and activations quantised;
{100 * gap:+.2f}% against float.

## In training

The first {args.valid_bytes:,} bytes of each validation document, averaged weights; int8 from
{100 * recipe['qat_from']:.0f}% of the tokens on, learning rate falling from
{100 * (1 - recipe['decay']):.0f}%.

{curve(run.history)}

## Data and licences

{sources(args.corpus)}

The corpus leaves out the texts of the Canterbury, Calgary, Silesia and enwik sets and documents
that share passages with them; a few sentences in common with enwik remain possible. The weights are
released under MIT OR Apache-2.0, as the rest of the project.
"""
