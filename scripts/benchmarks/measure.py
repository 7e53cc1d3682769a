#!/usr/bin/env python3
"""Measures what BENCHMARKS.md shows, and keeps it in results/.

    cargo build --release -p lmz-cli -p lmz-bench --features lmz-cli/hub
    scripts/benchmarks/measure.py --eval FOLDER [NAME...]      without names: everything (an hour and more)
    scripts/benchmarks/measure.py --list
    scripts/benchmarks/make.py                                 writes BENCHMARKS.md from the results

    scripts/benchmarks/measure.py --eval FOLDER --model FILE.gguf experiment-real

FOLDER holds the public test files (scripts/fetch_data gets them), FILE.gguf the model that scripts/real_model gets. A run that was interrupted goes on where it stopped:
what is done is in target/benchmarks. results/manifest.json says of each result which command made it, on which
machine, with which version, when, and in which time.
"""

import argparse
import datetime
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results"
MANIFEST = RESULTS / "manifest.json"
STATE = ROOT / "target" / "benchmarks"

TEXT = "text/calgary text/canterbury text/enwik text/short"
LARGE = "text/large text/silesia"
COMPARE = "lmz compare --format json --unpack-xz --resume STATE -o OUT"
# What is measured: the name of the result, and its command. OUT and STATE stand for paths; those of the test files are relative
# to their folder, so that results do not depend on where it is.
MEASURED = {
    "text.json": f"{COMPARE} {TEXT}",
    "text-chunks.json": f"{COMPARE} --chunk 2048 --codecs lmz-none,lmz-nano,lmz-base,lmz-ppm,gzip-9,xz-9e,zstd-19,brotli-11,ppmd "
                        f"text/enwik text/canterbury",
    "large.json": f"{COMPARE} --sizes-only --codecs lmz-none,lmz-nano,lmz-ppm,bzip2-9,xz-9e,zstd-19,zstd-22,brotli-11,ppmd "
                  f"{LARGE}",
    "experiment": "lmz experiment table --data . --out OUT",
    # Of 64 pieces of each set so many: the model decodes about 70 bytes of what is no text in a second.
    "experiment-real": "lmz experiment table --data . --out OUT --pieces 2 --codecs gzip-9,png-bytes,png,flac-bytes,flac,"
                       "lmz-none,lmz-base,lmz-unmixed:MODEL,lmz:MODEL,lmz-unmixed:MODEL-7bit",
    "engine-steps.md": "cargo bench -p lmz --bench engine -- steps",
    "engine-parts.md": "cargo bench -p lmz --bench engine -- parts",
    "engine-shapes.md": "cargo bench -p lmz --bench engine -- shapes",
}


def machine() -> str:
    """The processor and how many of its cores there are."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}"


def version(command: list) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


def compact(path: Path):
    """A row on a line, without what the totals say too: results are in the repository."""
    data = json.loads(path.read_text())
    rows = [json.dumps({k: v for k, v in row.items() if k not in ("version", "files", "pieces")}) for row in data["rows"]]
    totals = [json.dumps(row) for row in data["totals"]]
    listed = {name: "[\n" + ",\n".join(lines) + "\n]" for name, lines in (("rows", rows), ("totals", totals))}
    path.write_text(f'{{"lmz": {json.dumps(data["lmz"])}, "rows": {listed["rows"]}, "totals": {listed["totals"]}}}\n')


def run(name: str, command: str, folder: Path, model: Path | None):
    out = RESULTS / name
    STATE.mkdir(parents=True, exist_ok=True)
    paths = {"OUT": str(out), "STATE": str(STATE / f"{name}.jsonl")}
    words = [paths.get(word, word).replace("MODEL", str(model)) for word in shlex.split(command)]
    ours = words[0] == "lmz"
    if ours:
        words[0] = str(ROOT / "target" / "release" / "lmz")
    resumed = Path(paths["STATE"]).exists()
    began = time.monotonic()
    captured = "OUT" not in command.split()
    done = subprocess.run(words, cwd=folder if ours else ROOT, stdout=subprocess.PIPE if captured else None, text=True)
    if done.returncode:
        raise SystemExit(f"{name}: {command}: exit code {done.returncode}")
    if captured:
        out.write_text(done.stdout)
    elif out.suffix == ".json":
        compact(out)
    for path in (path for path in out.glob("*") if path.suffix in (".md", ".csv", ".svg")) if out.is_dir() else []:
        text = path.read_text().replace(str(out), f"results/{name}")
        path.write_text(text.replace(str(model), model.name) if model else text)
    manifest = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {}
    shown = command.replace("--resume STATE ", "").replace("OUT", f"results/{name}")
    shown = shown.replace("MODEL", model.name if model else "MODEL")
    manifest[name] = {
        "command": shown, "machine": machine(), "date": datetime.date.today().isoformat(),
        "lmz": version([str(ROOT / "target" / "release" / "lmz"), "--version"]),
        "rustc": version(["rustc", "--version"]), 
        # Of a run that went on where another had stopped nobody knows.
        "seconds": None if resumed else round(time.monotonic() - began),
    }
    MANIFEST.write_text(json.dumps(dict(sorted(manifest.items())), indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--eval", type=Path, help="folder of the public test files")
    parser.add_argument("--model", type=Path, help="a published model, for what has MODEL in its command")
    parser.add_argument("--list", action="store_true", help="print what there is to measure")
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in MEASURED]
    if unknown:
        parser.error(f"{', '.join(unknown)}: expected {', '.join(MEASURED)}")
    if args.list:
        for name, command in MEASURED.items():
            print(f"{name}\t{command}")
        return
    for name in args.names or [name for name in MEASURED if args.model or "MODEL" not in MEASURED[name]]:
        if MEASURED[name].startswith("lmz") and (args.eval is None or not args.eval.is_dir()):
            parser.error(f"{name}: --eval: expected the folder of the test files, found {args.eval}")
        if "MODEL" in MEASURED[name] and (args.model is None or not args.model.exists()):
            parser.error(f"{name}: --model: expected a file or a folder, found {args.model}")
        print(f"{name}: {MEASURED[name]}", file=sys.stderr)
        model = args.model.resolve() if args.model else None
        run(name, MEASURED[name], args.eval.resolve() if args.eval else HERE, model)


if __name__ == "__main__":
    main()
