"""Trains a model of the built-in family.

    python train.py --size nano --tokens 40e6                 new run in runs/nano
    python train.py --size nano --tokens 80e6 --resume        goes on, exactly where it stopped
    python train.py --size nano --tokens 40e6 --init FOLDER   new run from a model folder's weights

The learning rate warms up, stays, and falls to zero over the last part (--decay) of --tokens. A
resumed run may be given more tokens, as long as the fall has not begun. --minutes stops a run early
with a checkpoint, for machines that are lent by the hour.
"""

import argparse
import json
import math
import time
from pathlib import Path

import corpus
from data import Corpus, Windows
from model import SIZES
from run import RECIPE, Run, default_device

HERE = Path(__file__).resolve().parent
# Parts of a recipe that are whole numbers.
INTEGERS = ("seed", "streams", "window", "warmup", "bf16")


def train(run, args):
    """Trains until the run has seen its tokens, with a log, checks and checkpoints in args.out."""
    recipe, folder = run.recipe, Path(args.out)
    per_step = recipe["streams"] * recipe["window"]
    total = int(recipe["tokens"] / per_step)
    windows = Windows(Corpus(args.corpus).documents, run.vocabulary,
                      [float(w) for w in recipe["weights"].split(",")], recipe["seed"],
                      recipe["streams"], recipe["window"])
    held_out = [(c, text[: args.valid_bytes]) for c, text in corpus.valid(args.corpus)]
    log = open(folder / "log.jsonl", "a", buffering=1)
    began, saved = time.time(), time.time()
    nll = count = None
    quantised = False

    def say(record):
        run.history.append(record)
        log.write(json.dumps(record) + "\n")
        print(" ".join(f"{k}={v}" for k, v in record.items()), flush=True)

    def check(name):
        with run.weights("averaged"):
            found = run.evaluate(held_out, quantised)
        costs = {k: round(v, 4) for k, v in found.items()}
        say({"step": run.step, "tokens": run.tokens_seen, name: costs})

    parameters = sum(p.numel() for p in run.model.parameters())
    print(f"{run.size}: {parameters:,} parameters, {total:,} steps of {per_step:,} tokens, "
          f"from step {run.step:,}; recipe {recipe}", flush=True)
    tick, ticked, bytes_before = time.time(), run.step, run.bytes_seen
    while run.step < total:
        quantised = run.step >= recipe["qat_from"] * total
        x, y = run.window(windows)
        a, b = run.train_step(x, y, run.rate(run.step, total), quantised)
        nll, count = (a, b) if nll is None else (nll + a, count + b)
        if run.step % args.log_every == 0 or run.step == total:
            seconds = time.time() - tick
            say({"step": run.step, "tokens": run.tokens_seen, "bytes": run.bytes_seen,
                 "epoch": run.epoch, "nats": round(float(nll / count), 4),
                 "bpb": round(float(nll) / math.log(2) / (run.bytes_seen - bytes_before), 4),
                 "lr": round(recipe["lr"] * run.rate(run.step - 1, total), 6), "int8": quantised,
                 "tokens_s": round((run.step - ticked) * per_step / seconds)})
            if not math.isfinite(float(nll)):
                raise SystemExit("the loss is not finite: stopped before the next checkpoint")
            tick, ticked, bytes_before = time.time(), run.step, run.bytes_seen
            nll = count = None
        if run.step % args.valid_every == 0 and run.step < total:
            check("valid")
            tick = time.time()
        over = args.minutes and time.time() - began > args.minutes * 60
        if over or time.time() - saved > args.save_minutes * 60:
            run.save(folder / "last.pt")
            saved = time.time()
        if over:
            print(f"stopped after {args.minutes} minutes at step {run.step:,}; go on with --resume")
            return
    check("valid_end")
    run.save(folder / "last.pt")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, required=True)
    parser.add_argument("--corpus", default=corpus.DEFAULT)
    parser.add_argument("--vocab",
                        help="vocabulary file (default: vocab/SIZE.txt by the model's size)")
    parser.add_argument("--out", help="folder of the run (default: runs/SIZE)")
    parser.add_argument("--device", default=default_device())
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--minutes", type=float, help="stop with a checkpoint after so long")
    parser.add_argument("--log-every", type=int, default=50)
    parser.add_argument("--valid-every", type=int, default=1000)
    parser.add_argument("--valid-bytes", type=int, default=4096,
                        help="of each document, in checks on the way")
    parser.add_argument("--save-minutes", type=float, default=5)
    for name, value in RECIPE.items():
        kind = str if isinstance(value, str) else int if name in INTEGERS else float
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=f"(default: {value})")
    args = parser.parse_args()
    args.out = args.out or str(HERE / "runs" / args.size)
    args.vocab = args.vocab or str(HERE / "vocab" / f"{SIZES[args.size].vocab}.txt")
    Path(args.out).mkdir(parents=True, exist_ok=True)
    given = {name: getattr(args, name) for name in RECIPE if getattr(args, name) is not None}
    if args.resume:
        run = Run.load(Path(args.out) / "last.pt", args.device)
        run.recipe.update(given)
    else:
        if (Path(args.out) / "last.pt").exists():
            raise SystemExit(f"{args.out}/last.pt exists: --resume goes on with it; "
                             "or give another --out")
        recipe = {**RECIPE, "streams": 16 if args.device == "cpu" else 128, **given}
        if recipe["tokens"] is None:
            raise SystemExit("--tokens: how many tokens to train for")
        run = Run(args.size, recipe, args.vocab, args.device)
        if recipe["init"]:
            run.begin_with(recipe["init"])
    train(run, args)


if __name__ == "__main__":
    main()
