"""A tiny model with every tensor random, so that no term of the definition is zero by chance.

    python random_model.py ../../tests/golden/tiny.json ../../tests/golden/tiny-model

Its tokens are pieces of the text that its golden vectors (scripts/decoder/golden.py) read.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

import model_folder
from model import RWKV7, SIZES
from vocab import SINGLES, Vocabulary


def random_model(text: bytes) -> tuple[RWKV7, Vocabulary]:
    """The model, and a vocabulary of the single bytes and pieces of `text`."""
    torch.manual_seed(7)
    g = np.random.default_rng(7)
    places = zip(g.integers(0, len(text) - 8, 2000), g.integers(2, 9, 2000))
    words = [text[i : i + n] for i, n in places]
    vocabulary = Vocabulary(list(dict.fromkeys([b"", *SINGLES, *words]))[: SIZES["tiny"].vocab])
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
    return model, vocabulary


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectors", type=Path, help="golden vectors that hold the text")
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    text = bytes.fromhex(json.loads(args.vectors.read_text())["text_hex"])
    model_folder.write(*random_model(text), args.folder)


if __name__ == "__main__":
    main()
