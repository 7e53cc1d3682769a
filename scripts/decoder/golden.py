"""Golden vectors for engines: inputs, and the exact bits of the reference that must come out.

    python golden.py functions ../../tests/golden       exp, sigmoid, tanh, quantise, sums
    python golden.py model ../../models/nano ../../tests/golden/nano
    python golden.py model --all ../../tests/golden/tiny-model ../../tests/golden/tiny
    python golden.py int16 ../../tests/golden/tiny-model ../../tests/golden/tiny16
    python golden.py transformer ../../tests/golden/hub/llama ../../tests/golden/transformers/llama

It needs NumPy, safetensors and blake3. What each file holds is in tests/golden/README.md.
"""

import argparse
import json
from pathlib import Path

import blake3
import numpy as np
from safetensors.numpy import save_file

from lmz_decoder import hub_folder, rwkv7
from lmz_decoder.vocabulary import START, Vocabulary, read_tokens

F = np.float32

# English, code, a table, German and Japanese in UTF-8, CRLF line ends and bytes that are no text.
TEXT = (
    "It was a bright morning, and the clocks of the town had just struck nine when the ship came "
    "in.\n\n"
    "fn main() {\n    let total: u64 = (1..=10).map(|x| x * x).sum();\n"
    "    println!(\"{total}\");\n}\n"
    "year,count\r\n1998,1024\r\n1999,2048\r\n"
    "Übermut tut selten gut. 吾輩は猫である。\n"
).encode() + bytes(range(0, 256, 5))

# Steps of which the logits are stored in full, counted from the end where they are negative.
MODEL_STEPS, INT16_STEPS = (0, 1, 2, 3, 50, 100, -2, -1), (0, 1, -2, -1)


def trace(folder, ids, **changes):
    """Logits [n + 1][V] of a document that begins with START and goes on with ids [n]."""
    model = rwkv7.Reference(folder, **changes)
    state = model.start()
    return np.stack([model.step(int(t), state) for t in (START, *ids)])


def hashes(logits):
    """The first 128 bits of BLAKE3 over each step's logits (f32) and frequencies (u64).

    Numbers are hashed as little-endian."""
    def digest(row, kind):
        return blake3.blake3(row.astype(kind).tobytes()).hexdigest()[:32]

    return {"logits_blake3": [digest(row, "<f4") for row in logits],
            "frequencies_blake3": [digest(rwkv7.frequencies(row), "<u8") for row in logits]}


def write_model(folder: Path, name: Path, full_steps, **changes):
    """Writes NAME.json, the text, its ids and a hash of each step's logits and frequencies, and
    NAME.safetensors, the logits of some steps in full (None: of all)."""
    ids = Vocabulary(read_tokens(folder / "vocab.txt")).encode(TEXT)
    logits = trace(folder, ids, **changes)
    steps = range(len(logits))
    if full_steps is not None:
        steps = sorted({s % len(logits) for s in full_steps})
    held = {"identity": rwkv7.identity(folder, **changes), "text_hex": TEXT.hex(), "ids": ids}
    name.parent.mkdir(parents=True, exist_ok=True)
    name.with_suffix(".json").write_text(json.dumps(held | hashes(logits), indent=0) + "\n")
    save_file({"steps": np.array(list(steps), np.int32), "logits": logits[list(steps)]},
              name.with_suffix(".safetensors"))
    print(f"{name}: {len(logits)} steps")


# Steps of a transformer, more than its context has; and how many of them share a hash.
TRANSFORMER_STEPS, TOGETHER = 180, 10


def transformer_vectors(folder: Path, context):
    """What is written for a transformer's folder: its identity, the tokens that it reads, and of
    each ten steps in a row the hashes of their logits [10][V] and of their frequencies."""
    model, identity, _ = hub_folder.load(folder)
    model, size = model.with_context(context), len(model.tokens)
    tokens = [START] + [1 + (i * i * 31 + i * 7919) % (size - 1) for i in range(TRANSFORMER_STEPS)]
    tokens[TRANSFORMER_STEPS * 2 // 3] = START  # another document
    state = model.start()
    logits = np.stack([model.step(token, state) for token in tokens])
    rows = [logits[at : at + TOGETHER] for at in range(0, len(logits), TOGETHER)]
    frequencies = [np.stack([rwkv7.frequencies(row) for row in part]) for part in rows]

    def hashed(parts, kind):
        return [blake3.blake3(part.astype(kind).tobytes()).hexdigest()[:32] for part in parts]

    return {"identity": identity.hex(), "context": context, "together": TOGETHER, "tokens": tokens,
            "logits_blake3": hashed(rows, "<f4"), "frequencies_blake3": hashed(frequencies, "<u8")}


def write_transformer(folder: Path, name: Path, context):
    """Writes NAME.json."""
    held = transformer_vectors(folder, context)
    name.with_suffix(".json").write_text(json.dumps(held, indent=0) + "\n")
    print(f"{name}: {len(held['tokens'])} steps")


def write_functions(folder: Path):
    """Writes functions.safetensors: the elementary functions, quantisation, sums and norms."""
    g = np.random.default_rng(11)
    special = [0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007FFFFF, 0x00800000, 0x3F800000,
               0xBF800000, 0x42AC0000, 0xC2AC0000, 0x42B00000, 0xC2B00000, 0x7F7FFFFF, 0xFF7FFFFF,
               0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000, 0x3EB17218, 0xBEB17218]
    x = np.concatenate([np.array(special, np.uint32).view(F), g.uniform(-90, 90, 2000).astype(F),
                        g.normal(0, 2, 2000).astype(F),
                        g.integers(0, 2**32, 1000, np.uint32).view(F)])
    out = {"x": x.view(np.uint32)}
    with np.errstate(all="ignore"):
        for name in ("exp", "sigmoid", "tanh"):
            out[name] = getattr(rwkv7, name)(x).view(np.uint32)
    # Rows of 37 (no multiple of 16): random, with exact ties, all zero, below 2^-100, huge.
    rows = np.concatenate([g.normal(0, 1, (16, 37)), g.integers(-254, 255, (8, 37)) / 2,
                           np.zeros((1, 37)), np.full((1, 37), 2.0**-101),
                           g.normal(0, 1, (4, 37)) * 1e37,
                           g.normal(0, 1, (4, 37)) * 2.0**-99]).astype(F)
    rows[16:24, 0] = 127
    grids = [rwkv7.quantise(r) for r in rows]
    out |= {"rows": rows, "rows_int8": np.stack([q for q, _ in grids]).astype(np.int8),
            "rows_scale": np.array([s for _, s in grids], F).view(np.uint32),
            "rows_sum": np.array([rwkv7.lane_sum(r) for r in rows], F).view(np.uint32)}
    norms = [rwkv7.layer_norm(r, rows[0], rows[1]) for r in rows[:24]]
    out["rows_norm"] = np.stack(norms).view(np.uint32)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(out, folder / "functions.safetensors")
    print(f"{folder / 'functions.safetensors'}: {len(x)} values, {len(rows)} rows")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("functions", "model", "int16", "transformer"))
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--all", action="store_true", help="store the logits of all steps")
    parser.add_argument("--context", type=int, default=0, help="tokens; 0: the model's own number")
    args = parser.parse_args()
    if args.what == "functions":
        write_functions(args.paths[0])
    elif args.what == "transformer":
        write_transformer(*args.paths, args.context)
    elif args.what == "model":
        write_model(*args.paths, None if args.all else MODEL_STEPS)
    else:
        write_model(*args.paths, None if args.all else INT16_STEPS, activations="int16")


if __name__ == "__main__":
    main()
