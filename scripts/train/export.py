"""Model folders: config.json, vocab.txt, model.safetensors (int8 and scales), README.md (the card).

    python export.py runs/nano/last.pt ../../models/nano

Exports the averaged weights, reads the folder back, and evaluates it on the validation split beside
the float weights that it was made from.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

import corpus
import train
from evaluate import table
from model import RWKV7, Config
from quant import quantise
from vocab import START, Vocabulary

ARITHMETIC = 1  # version of docs/ARITHMETIC.md


def config_json(c: Config) -> dict:
    return {
        "model_type": "lmz-rwkv7", "arithmetic": ARITHMETIC, "activations": "int8",
        "hidden_size": c.width, "num_hidden_layers": c.layers, "head_dim": c.head, "vocab_size": c.vocab,
        "intermediate_size": c.ffn * c.width, "decay_low_rank_dim": c.rank_w, "a_low_rank_dim": c.rank_a,
        "v_low_rank_dim": c.rank_v, "gate_low_rank_dim": c.rank_g, "norm_eps": 1e-5, "group_norm_eps": 64e-5,
        "start_token_id": START, "segmentation": "greedy",
    }


def config_from_json(j: dict) -> Config:
    if j["model_type"] != "lmz-rwkv7" or j["arithmetic"] != ARITHMETIC:
        raise ValueError(f"expected model_type lmz-rwkv7 with arithmetic {ARITHMETIC}, found "
                         f"{j['model_type']} with {j['arithmetic']}")
    return Config(layers=j["num_hidden_layers"], width=j["hidden_size"], vocab=j["vocab_size"], head=j["head_dim"],
                  rank_w=j["decay_low_rank_dim"], rank_a=j["a_low_rank_dim"], rank_v=j["v_low_rank_dim"],
                  rank_g=j["gate_low_rank_dim"], ffn=j["intermediate_size"] // j["hidden_size"])


# PyTorch parameter name -> tensor name in the folder, where they differ.
RENAMED = {"att.ln_w": "att.ln_x.weight", "att.ln_b": "att.ln_x.bias"}


def _folder_name(name: str) -> str:
    for ours, theirs in RENAMED.items():
        if name.endswith(ours):
            return name[: -len(ours)] + theirs
    return name


def tensors(model: RWKV7) -> dict[str, np.ndarray]:
    """int8 matrices [out, in] as NAME.weight with NAME.scale [out]; everything else f32. ln0 is
    applied to the embedding before it is quantised and is not stored."""
    out = {}

    def matrix(name, value):
        q, scale = quantise(value)
        out[f"{name}.weight"], out[f"{name}.scale"] = q.cpu().numpy(), scale[:, 0].cpu().numpy()

    with torch.no_grad():
        matrix("emb", model.emb if model.ln0 is None else model.ln0(model.emb))
        matrix("head", model.head)
        for name, p in model.named_parameters():
            if name in ("emb", "head") or name.startswith("ln0."):
                continue
            if p.ndim == 2:
                matrix(name, p)
            else:
                out[_folder_name(name)] = p.detach().float().cpu().numpy().copy()
    for name, value in out.items():
        if value.dtype == np.float32 and not np.isfinite(value).all():
            raise SystemExit(f"{name} has values that are not finite: the model cannot be exported")
    return out


def write(model: RWKV7, vocabulary: Vocabulary, folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config_json(model.c), indent=2) + "\n")
    vocabulary.save(folder / "vocab.txt")
    save_file(tensors(model), folder / "model.safetensors")


def read(folder: Path) -> tuple[RWKV7, Vocabulary]:
    """The folder as a PyTorch model whose weights are what int8 and scales stand for."""
    model = RWKV7(config_from_json(json.loads((folder / "config.json").read_text())))
    stored = load_file(folder / "model.safetensors")
    model.ln0 = None
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim == 2:
                value = stored.pop(f"{name}.weight").astype(np.float32) * stored.pop(f"{name}.scale")[:, None]
            else:
                value = stored.pop(_folder_name(name))
            p.copy_(torch.from_numpy(value))
    if stored:
        raise ValueError(f"{folder}: tensors that this model does not have: {', '.join(sorted(stored))}")
    return model, Vocabulary.load(folder / "vocab.txt")


# ---- the model card


def sources(folder) -> str:
    """The training data by category: documents, bytes, and bytes by licence, from the manifest."""
    rows = [r for r in csv.DictReader(open(Path(folder) / "MANIFEST.tsv"), delimiter="\t")
            if not r["category"].startswith("valid:")]
    lines = ["| category | sources | documents | bytes | licences, by bytes |", "|---|---:|---:|---:|---|"]
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
        lines.append(f"| {category} | {len(part)} | {sum(int(r['documents']) for r in part):,} | {size:,} | {named} |")
    return "\n".join(lines)


def curve(history) -> str:
    rows = [(r["tokens"], r.get("valid") or r["valid_end"]) for r in history if "valid" in r or "valid_end" in r]
    if not rows:
        return "The run has not come to its first check."
    lines = ["| tokens | " + " | ".join(rows[0][1]) + " |", "|---:|" + "---:|" * len(rows[0][1])]
    return "\n".join(lines + [f"| {n:,} | " + " | ".join(f"{v:.3f}" for v in found.values()) + " |"
                              for n, found in rows])


def card(run, folder, results, args) -> str:
    c, recipe = run.config, run.recipe
    size = (folder / "model.safetensors").stat().st_size
    parameters = sum(p.numel() for n, p in run.model.named_parameters() if not n.startswith("ln0"))
    gap = results["exported int8"]["all"] / results["float"]["all"] - 1
    speeds = sorted(r["tokens_s"] for r in run.history if "tokens_s" in r) or [0]
    flags = " ".join(f"--{k.replace('_', '-')} {v}" for k, v in recipe.items() if v != train.RECIPE[k])
    return f"""# {folder.name}

RWKV-7, {c.layers} layers, width {c.width}, head size {c.head}, {c.vocab:,} tokens, low ranks {c.rank_w} (decay),
{c.rank_a} (in-context rate), {c.rank_v} (value), {c.rank_g} (gate): {parameters:,} parameters, stored in {size:,} bytes
(int8 matrices with one f32 scale a row; vectors in f32). Arithmetic version {ARITHMETIC} (`docs/ARITHMETIC.md`).

Trained from nothing by `scripts/train` on {run.tokens_seen:,} tokens, {run.bytes_seen:,} bytes of text,
{args.where}:

    python train.py --size {run.size} {flags}
    python export.py {args.checkpoint} {args.folder}

Median speed in training {speeds[len(speeds) // 2]:,} tokens a second.

## Bits per byte on the validation split

{table(results)}

Each document by itself from the start of a document. `float`: the averaged weights before quantisation.
`exported int8`: this folder, with weights and activations quantised; {100 * gap:+.2f}% against float.

## In training

The first {args.valid_bytes:,} bytes of each validation document, averaged weights; int8 from
{100 * recipe['qat_from']:.0f}% of the tokens on, learning rate falling from {100 * (1 - recipe['decay']):.0f}%.

{curve(run.history)}

## Data and licences

{sources(args.corpus)}

The corpus leaves out the texts of the Canterbury, Calgary, Silesia and enwik sets and documents that share passages
with them; a few sentences in common with enwik remain possible. The weights are released under MIT OR Apache-2.0, as
the rest of the project.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("folder")
    parser.add_argument("--corpus", default=corpus.DEFAULT)
    parser.add_argument("--device", default=train.default_device())
    parser.add_argument("--where", default="on a CPU", help="for the card: what machine it was trained on")
    parser.add_argument("--valid-bytes", type=int, default=2048, help="for the card: what train.py was given")
    parser.add_argument("--head-bytes", type=int, help="evaluate on the first bytes of each document only")
    args = parser.parse_args()
    folder = Path(args.folder)
    run = train.Run.load(args.checkpoint, args.device)
    documents = [(c, text[: args.head_bytes]) for c, text in corpus.valid(args.corpus)]
    run.model.load_state_dict(run.average)
    results = {"float": run.evaluate(documents, False)}
    write(run.model, run.vocabulary, folder)
    run.model, run.vocabulary = read(folder)
    run.model.to(args.device)
    results["exported int8"] = run.evaluate(documents, True)
    (folder / "README.md").write_text(card(run, folder, results, args))
    print(table(results))


if __name__ == "__main__":
    main()
