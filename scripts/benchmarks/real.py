#!/usr/bin/env python3
"""Measures a published language model on public texts: results/real.json.

    scripts/benchmarks/real.py --eval FOLDER --model FILE.gguf [--lmz PROGRAM]
    scripts/benchmarks/real.py --eval FOLDER --model FILE.gguf --result real-gemma.json \\
        --texts 'alice29, 16 KiB' 'fresh prose, 16 KiB' --sizes-only
    scripts/benchmarks/make.py          writes BENCHMARKS.md from the result

Rows of texts that are not asked for stay as they were measured. The fresh texts are documents and
sources of this project in testdata, which were written after the models' training.

FOLDER holds the public test files (scripts/fetch_data gets them), and `scripts/real_model` gets the
model. Each text is coded and decoded by processes of their own at the defaults, so that times and
memory include loading the model, which is measured by itself on a text of one byte.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from front import machine, unreleased, version

RESULTS = Path(__file__).resolve().parent / "results"
ROOT = Path(__file__).resolve().parents[2]
# A file (of testdata, or below the folder of test files), how many bytes of it, and what it is.
TEXTS = [
    ("text/canterbury/alice29.txt", None, "alice29"),
    ("text/canterbury/alice29.txt", 16_384, "alice29, 16 KiB"),
    ("text/calgary/paper1", 16_384, "paper1, 16 KiB"),
    ("text/calgary/progc", 16_384, "progc, 16 KiB"),
    ("text/enwik/enwik4", None, "enwik4"),
    ("text/short/msg_zopfli2.txt", None, "msg_zopfli2"),
    ("testdata/prose.txt", 16_384, "fresh prose, 16 KiB"),
    ("testdata/sources.txt", 16_384, "fresh code, 16 KiB"),
]


def run(command, output, kernel):
    """Wall and CPU seconds and the most memory of a process."""
    environment = {**os.environ, "LMZ_KERNEL": kernel}
    with open(output, "wb") as to:
        begin = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdout=to)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
    if status:
        raise SystemExit(f"{command}: {status}")
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss * 1024}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--eval", type=Path, required=True, help="folder of the public test files")
    parser.add_argument("--model", type=Path, required=True, help="a GGUF file or a model's folder")
    parser.add_argument("--lmz", default="lmz", help="the program lmz, with the feature hub")
    parser.add_argument("--kernels", nargs="*", default=[""], help="by default the fastest")
    parser.add_argument("--result", default="real.json", help="file in results")
    parser.add_argument("--texts", nargs="*", help="which of the texts, by default all")
    parser.add_argument("--sizes-only", action="store_true", help="decode nothing")
    args = parser.parse_args()
    result = RESULTS / args.result
    names = [what for _, _, what in TEXTS]
    if wrong := set(args.texts or []) - set(names):
        parser.error(f"--texts: expected some of {names}, found {sorted(wrong)}")
    old = json.loads(result.read_text()) if result.exists() else {"rows": []}
    if old["rows"] and old["made"]["model"] != args.model.name:
        parser.error(f"{result}: of {old['made']['model']}; name another with --result")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        text, archive, back = (Path(folder, name) for name in ("text", "archive", "back"))
        model = ["--model", str(args.model)]

        def both(raw, kernel):
            text.write_bytes(raw)
            base = run([args.lmz, "-qkc", str(text)], archive, "") and archive.stat().st_size
            there = run([args.lmz, "-qkc", *model, str(text)], archive, kernel)
            again = None
            if not args.sizes_only:
                again = run([args.lmz, "-qdc", *model, str(archive)], back, kernel)
                if back.read_bytes() != raw:
                    raise SystemExit("what came back differs")
            size = archive.stat().st_size
            return {"kernel": kernel, "raw": len(raw), "archive": size, "base": base,
                    "compress": there, "decompress": again}

        for kernel in args.kernels:
            load = both(b"x", kernel)
            for file, most, what in TEXTS:
                if args.texts is not None and what not in args.texts:
                    continue
                root = ROOT if file.startswith("testdata") else args.eval
                row = both((root / file).read_bytes()[:most], kernel)
                rows.append({"what": what, **row, "load": load["compress"]["cpu"]})
                print(rows[-1], file=sys.stderr)
    made = {
        "command": "scripts/benchmarks/real.py --eval FOLDER --model FILE.gguf",
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "lmz": version(args.lmz) + (" with what is unreleased" if unreleased() else ""),
        "model": args.model.name,
    }
    measured = {(row["what"], row["kernel"]) for row in rows}
    rows += [row for row in old["rows"] if (row["what"], row["kernel"]) not in measured]
    rows.sort(key=lambda row: names.index(row["what"]))
    lines = ",\n".join(json.dumps(row) for row in rows)
    result.write_text(f'{{"made": {json.dumps(made)},\n"rows": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
