#!/usr/bin/env python3
"""Measures how fast lmz is, by size of file, level and instruction set: results/speed.json.

    scripts/benchmarks/speed.py --eval FOLDER [--lmz PROGRAM]
    scripts/benchmarks/make.py          writes BENCHMARKS.md from the result

FOLDER holds the public test files (scripts/fetch_data gets them). The files are the first bytes of
dickens. Each is measured by `lmz -b`, which codes in memory, repeats what is short, and takes the
fastest run; a kernel is forced by LMZ_KERNEL. With other kernels than the fastest of the machine
the longest file is left out.
"""

import argparse
import datetime
import json
import lzma
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from front import machine, unreleased, version

RESULT = Path(__file__).resolve().parent / "results" / "speed.json"
FILE = "text/silesia/dickens"
SIZES = [1_000, 10_000, 100_000, 1_000_000, 10_000_000]
LEVELS = [1, 2, 3]
KERNELS = ["", "avx2"]


def content(folder: Path) -> bytes:
    """The file, which may be packed."""
    path = folder / FILE
    if path.exists():
        return path.read_bytes()
    return lzma.decompress(path.with_name(path.name + ".xz").read_bytes())


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--eval", type=Path, required=True, help="folder of the public test files")
    parser.add_argument("--lmz", default="lmz", help="the program lmz")
    args = parser.parse_args()
    raw = content(args.eval)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            path = Path(folder, f"dickens-{size}")
            path.write_bytes(raw[:size])
            for kernel in KERNELS if size < SIZES[-1] else KERNELS[:1]:
                for level in LEVELS:
                    command = [args.lmz, f"-b{level}", f"-e{level}", "--json", str(path)]
                    environment = {**os.environ, "LMZ_KERNEL": kernel}
                    done = subprocess.run(
                        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
                    )
                    rows.append(json.loads(done.stdout))
                    print(rows[-1], file=sys.stderr)
    number = version(args.lmz) + (" with what is unreleased" if unreleased() else "")
    made = {
        "command": "scripts/benchmarks/speed.py --eval FOLDER",
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "lmz": number,
    }
    lines = ",\n".join(json.dumps(row) for row in rows)
    RESULT.write_text(f'{{"made": {json.dumps(made)},\n"rows": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
