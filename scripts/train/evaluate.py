"""Bits per byte of a training run on the validation split.

    python evaluate.py runs/nano/last.pt                 float, quantised, and averaged weights
"""

import argparse

import corpus
from bpb import table
from run import Run, default_device


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--corpus", default=corpus.DEFAULT)
    parser.add_argument("--head-bytes", type=int, help="only the first bytes of each document")
    parser.add_argument("--device", default=default_device())
    args = parser.parse_args()
    run = Run.load(args.checkpoint, args.device)
    documents = [(c, text[: args.head_bytes]) for c, text in corpus.valid(args.corpus)]
    columns = {}
    for weights in ("last", "averaged"):
        for quantised in (False, True):
            with run.weights(weights):
                name = f"{weights}, {'int8' if quantised else 'float'}"
                columns[name] = run.evaluate(documents, quantised)
    print(f"{args.checkpoint}: {run.tokens_seen:,} tokens, {run.bytes_seen:,} bytes of text")
    print(table(columns))


if __name__ == "__main__":
    main()
