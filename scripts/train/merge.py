"""Averages the weights at the ends of several runs of one shape, to be exported.

    python merge.py runs/base2/last.pt runs/base3/last.pt runs/both/last.pt

Runs that go on from each other, each ending in a fall of the learning rate, end in places that
noise has chosen; their middle can be better than each of them (Izmailov et al., "Averaging Weights
Leads to Wider Optima and Better Generalization", 2018). What comes out is the last of them with the
mean of all averaged weights.
"""

import argparse
from pathlib import Path

import torch


def merged(checkpoints: list) -> dict:
    """The last of the checkpoints, with the mean of the averaged weights of all."""
    *others, out = checkpoints
    for other in others:
        if other["config"] != out["config"] or other["vocabulary"] != out["vocabulary"]:
            raise SystemExit("runs of different shapes or vocabularies: "
                             f"{other['config']} and {out['config']}")
    weights = [checkpoint["average"] for checkpoint in checkpoints]
    mean = {name: sum(w[name].double() for w in weights).div(len(weights)).float()
            for name in out["average"]}
    return {**out, "model": mean, "average": mean}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+",
                        help="two or more, and last of all the one to be written")
    args = parser.parse_args()
    *read, out = args.checkpoints
    if len(read) < 2:
        raise SystemExit("expected two checkpoints or more, and the one to be written")
    if Path(out).exists():
        raise SystemExit(f"{out} exists: give another name")
    found = merged([torch.load(path, map_location="cpu", weights_only=True) for path in read])
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    torch.save(found, out)


if __name__ == "__main__":
    main()
