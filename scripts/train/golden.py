"""Golden vectors for the engine: inputs and the exact bits that must come out.

    python golden.py tiny ../../tests/golden            a tiny random model and its vectors
    python golden.py functions ../../tests/golden       exp, sigmoid, tanh, quantise, sums
    python golden.py model ../../models/nano ../../tests/golden/nano
    python golden.py int16 ../../tests/golden/tiny-model ../../tests/golden/tiny16

What each file holds is in tests/golden/README.md.
"""

import argparse
import json
from pathlib import Path

import blake3
import numpy as np
from safetensors.numpy import save_file

import reference
from vocab import START, Vocabulary

F = np.float32

# English, code, a table, German and Japanese in UTF-8, CRLF line ends and bytes that are no text.
TEXT = (
    "It was a bright morning, and the clocks of the town had just struck nine when the ship came in.\n\n"
    "fn main() {\n    let total: u64 = (1..=10).map(|x| x * x).sum();\n    println!(\"{total}\");\n}\n"
    "year,count\r\n1998,1024\r\n1999,2048\r\n"
    "Übermut tut selten gut. 吾輩は猫である。\n"
).encode() + bytes(range(0, 256, 5))


def trace(folder, ids, **changes):
    """Logits [n][V] of a document that begins with START and goes on with ids."""
    model = reference.Reference(folder, **changes)
    state = model.start()
    return np.stack([model.step(int(t), state) for t in (START, *ids)])


def hashes(logits):
    """The first 128 bits of BLAKE3 over each step's logits (f32) and frequencies (u64), little-endian."""
    def digest(row, kind):
        return blake3.blake3(row.astype(kind).tobytes()).hexdigest()[:32]

    return {"logits_blake3": [digest(row, "<f4") for row in logits],
            "frequencies_blake3": [digest(reference.frequencies(row), "<u8") for row in logits]}


def write_model(folder: Path, name: Path, full_steps, **changes):
    """NAME.json: text, ids, a hash of each step's logits and frequencies; NAME.safetensors: the logits
    of some steps in full."""
    vocabulary = Vocabulary.load(folder / "vocab.txt")
    ids = vocabulary.encode(TEXT)
    logits = trace(folder, ids, **changes)
    steps = range(len(logits)) if full_steps is None else sorted({s % len(logits) for s in full_steps})
    name.parent.mkdir(parents=True, exist_ok=True)
    name.with_suffix(".json").write_text(json.dumps(
        {"identity": reference.identity(folder, **changes), "text_hex": TEXT.hex(), "ids": [int(i) for i in ids], **hashes(logits)}, indent=0) + "\n")
    save_file({"steps": np.array(list(steps), np.int32), "logits": logits[list(steps)]},
              name.with_suffix(".safetensors"))
    print(f"{name}: {len(logits)} steps")


def random_tiny(folder: Path):
    """A model with every tensor random, so that no term of the definition is zero by chance."""
    # Only this needs the training kit's models; the rest runs with NumPy alone.
    import torch

    import model_folder
    from model import RWKV7, SIZES

    torch.manual_seed(7)
    strings = [b"", *(bytes([b]) for b in range(256))]
    g = np.random.default_rng(7)
    words = [TEXT[i : i + n] for i, n in zip(g.integers(0, len(TEXT) - 8, 2000), g.integers(2, 9, 2000))]
    strings = list(dict.fromkeys(strings + words))[: SIZES["tiny"].vocab]
    vocabulary = Vocabulary(strings)
    model = RWKV7(SIZES["tiny"])
    with torch.no_grad():
        for name, p in model.named_parameters():
            last = name.split(".")[-1]
            if p.ndim == 2 and not name.startswith("emb"):
                p.normal_(std=1.5 / p.shape[1] ** 0.5)
            elif last.startswith("x_"):
                p.uniform_(0, 1)
            else:
                p.add_(torch.randn_like(p) * 0.3)
    model_folder.write(model, vocabulary, folder)


def functions(folder: Path):
    g = np.random.default_rng(11)
    special = [0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007FFFFF, 0x00800000, 0x3F800000, 0xBF800000,
               0x42AC0000, 0xC2AC0000, 0x42B00000, 0xC2B00000, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000,
               0x7FC00000, 0xFFC00000, 0x3EB17218, 0xBEB17218]
    x = np.concatenate([np.array(special, np.uint32).view(F), g.uniform(-90, 90, 2000).astype(F),
                        g.normal(0, 2, 2000).astype(F), g.integers(0, 2**32, 1000, np.uint32).view(F)])
    out = {"x": x.view(np.uint32)}
    with np.errstate(all="ignore"):
        for name in ("exp", "sigmoid", "tanh"):
            out[name] = getattr(reference, name)(x).view(np.uint32)
    # Rows of 37 (no multiple of 16): random, with exact ties, all zero, below 2^-100, huge.
    rows = np.concatenate([g.normal(0, 1, (16, 37)), g.integers(-254, 255, (8, 37)) / 2,
                           np.zeros((1, 37)), np.full((1, 37), 2.0**-101), g.normal(0, 1, (4, 37)) * 1e37,
                           g.normal(0, 1, (4, 37)) * 2.0**-99]).astype(F)
    rows[16:24, 0] = 127
    grids = [reference.quantise(r) for r in rows]
    out |= {"rows": rows, "rows_int8": np.stack([q for q, _ in grids]).astype(np.int8),
            "rows_scale": np.array([s for _, s in grids], F).view(np.uint32),
            "rows_sum": np.array([reference.lane_sum(r) for r in rows], F).view(np.uint32)}
    norms = [reference.layer_norm(r, rows[0], rows[1]) for r in rows[:24]]
    out["rows_norm"] = np.stack(norms).view(np.uint32)
    save_file(out, folder / "functions.safetensors")
    print(f"{folder / 'functions.safetensors'}: {len(x)} values, {len(rows)} rows")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("tiny", "functions", "model", "int16"))
    parser.add_argument("paths", nargs="+", type=Path)
    args = parser.parse_args()
    args.paths[0].mkdir(parents=True, exist_ok=True)
    if args.what == "tiny":
        random_tiny(args.paths[0] / "tiny-model")
        write_model(args.paths[0] / "tiny-model", args.paths[0] / "tiny", None)
    elif args.what == "functions":
        functions(args.paths[0])
    elif args.what == "model":
        write_model(args.paths[0], args.paths[1], (0, 1, 2, 3, 50, 100, -2, -1))
    else:
        write_model(args.paths[0], args.paths[1], (0, 1, -2, -1), activations="int16")


if __name__ == "__main__":
    main()
