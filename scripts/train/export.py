"""Makes a model folder, with its card, of a training run.

    python export.py runs/nano/last.pt ../../models/nano

Exports the averaged weights, reads the folder back, and evaluates it on the validation split beside
the float weights that it was made from.
"""

import argparse
from pathlib import Path

import corpus
import model_folder
from bpb import table
from card import card
from run import Run, default_device


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("folder")
    parser.add_argument("--corpus", default=corpus.DEFAULT)
    parser.add_argument("--device", default=default_device())
    parser.add_argument("--where", default="on a CPU",
                        help="for the card: what machine it was trained on")
    parser.add_argument("--valid-bytes", type=int, default=2048,
                        help="for the card: what train.py was given")
    parser.add_argument("--head-bytes", type=int,
                        help="evaluate on the first bytes of each document only")
    args = parser.parse_args()
    folder = Path(args.folder)
    run = Run.load(args.checkpoint, args.device)
    documents = [(c, text[: args.head_bytes]) for c, text in corpus.valid(args.corpus)]
    run.model.load_state_dict(run.average)
    results = {"float": run.evaluate(documents, False)}
    model_folder.write(run.model, run.vocabulary, folder)
    run.model, run.vocabulary = model_folder.read(folder)
    run.model.to(args.device)
    results["exported int8"] = run.evaluate(documents, True)
    (folder / "README.md").write_text(card(run, folder, results, args))
    print(table(results))


if __name__ == "__main__":
    main()
