#!/usr/bin/env python3
"""Measures the table and the picture of README.md, and keeps the figures in results/front.json.

    scripts/benchmarks/front.py --eval FOLDER [--lmz PROGRAM]
    scripts/benchmarks/make.py          writes README.md's table and docs/sizes.svg from the result

FOLDER holds the public test files (scripts/fetch_data gets them). Programs are run as a user runs
them: one process for each file, reading a file and writing to standard output. A time is the CPU
time (user and system) of that process, the median of three runs, so that other work on the machine
changes it little. Every result is decompressed and compared.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RESULT = Path(__file__).resolve().parent / "results" / "front.json"
RUNS = 3

FILES = {
    "text": "text/canterbury/alice29.txt",
    "code": "text/calgary/progc",
    "log": "text/short/dpkg_excerpt.log",
    "message": "text/short/msg_zopfli1.txt",
}
# What compresses FILE to standard output, and what decompresses standard input to it.
PROGRAMS = {
    "lmz": (["lmz", "-T1", "-c"], ["lmz", "-T1", "-dc"]),
    "lmz -2": (["lmz", "-T1", "-2", "-c"], ["lmz", "-T1", "-dc"]),
    "lmz -1": (["lmz", "-T1", "-1", "-c"], ["lmz", "-T1", "-dc"]),
    "brotli -q 11": (["brotli", "-q", "11", "-c"], ["brotli", "-dc"]),
    "xz -9": (["xz", "-T1", "-9", "-c"], ["xz", "-T1", "-dc"]),
    "zstd -19": (["zstd", "-q", "--single-thread", "-19", "-c"], ["zstd", "-q", "-dc"]),
}


def run(command: list, path: Path, out: Path) -> float:
    """CPU seconds of one process that reads `path` and writes to `out`."""
    with open(out, "wb") as stdout:
        process = subprocess.Popen([*command, str(path)], stdout=stdout)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} {path}: exit status {status}")
    return usage.ru_utime + usage.ru_stime


def machine() -> str:
    """What of the processor decides the speed: kind, widest vectors and cores."""
    try:
        flags = next(
            line
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("flags")
        )
    except (OSError, StopIteration):
        flags = ""
    kinds = {"avx512_vnni": "AVX-512 VNNI", "avx512f": "AVX-512", "avx2": "AVX2"}
    widest = next((f" with {name}" for flag, name in kinds.items() if flag in flags.split()), "")
    kind = platform.machine().replace("_", "-")
    return f"{kind}{widest}, {os.cpu_count()} cores, {platform.system()}"


def version(program: str) -> str:
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    words = text.replace(",", " ").split()
    return next(
        word.lstrip("v") for word in words if word.lstrip("v")[:1].isdigit() and "." in word
    )


def unreleased() -> bool:
    """Whether the program, built here, is not that of the release whose number it has."""
    return "\n## Unreleased\n" in (RESULT.parents[3] / "CHANGELOG.md").read_text()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--eval", type=Path, required=True, help="folder of the public test files")
    parser.add_argument("--lmz", default="lmz", help="the program lmz")
    args = parser.parse_args()
    found = {
        name: args.lmz if name == "lmz" else name for name in {c[0][0] for c in PROGRAMS.values()}
    }
    for name, path in found.items():
        if shutil.which(path) is None:
            parser.error(f"{name}: expected a program, found nothing at {path}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        coded, back = Path(folder, "coded"), Path(folder, "back")
        for kind, name in FILES.items():
            path = args.eval / name
            for program, (compress, decompress) in PROGRAMS.items():
                there = statistics.median(
                    run([found[compress[0]], *compress[1:]], path, coded) for _ in range(RUNS)
                )
                again = statistics.median(
                    run([found[decompress[0]], *decompress[1:]], coded, back) for _ in range(RUNS)
                )
                if back.read_bytes() != path.read_bytes():
                    raise SystemExit(
                        f"{program}: {name}: what came back is not what was compressed"
                    )
                rows.append(
                    {
                        "kind": kind,
                        "file": name,
                        "program": program,
                        "command": " ".join([*compress, name]),
                        "raw_bytes": path.stat().st_size,
                        "coded_bytes": coded.stat().st_size,
                        "compress_s": round(there, 3),
                        "decompress_s": round(again, 3),
                    }
                )
                print(rows[-1], file=sys.stderr)
    made = {
        "command": "scripts/benchmarks/front.py --eval FOLDER",
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "runs": RUNS,
        "versions": {name: version(path) for name, path in sorted(found.items())}
        | ({"lmz": version(found["lmz"]) + " with what is unreleased"} if unreleased() else {}),
    }
    lines = ",\n".join(json.dumps(row) for row in rows)
    RESULT.write_text(f'{{"made": {json.dumps(made)},\n"rows": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
