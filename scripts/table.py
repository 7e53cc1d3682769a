#!/usr/bin/env python3
"""Sizes and speeds of lmz over files, as a Markdown table.

    cargo build --release
    scripts/table.py [--options "--ppm-order 4" --options ...] [--repeat 3] FILE|FOLDER...

Each --options is a column group (none: the defaults). Folders are searched for files; NAME.xz stands for
what it holds. Every archive is decoded and compared. Speeds are medians over --repeat runs of whole
processes with one thread, in kB of raw bytes a second of wall time; the total's are those of all files.
"""

import argparse
import lzma
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LMZ = Path(__file__).resolve().parents[1] / "target" / "release" / "lmz"


def inputs(paths):
    for path in map(Path, paths):
        if not path.exists():
            raise SystemExit(f"{path}: not found")
        yield from [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())


def timed(command, repeat):
    """Output and median seconds of a command."""
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=False)
        seconds.append(time.perf_counter() - began)
        if done.returncode:
            raise SystemExit(f"{' '.join(map(str, command))}: {done.stderr.decode()}")
    return done.stdout, statistics.median(seconds)


def measure(raw, options, repeat, folder):
    """Bytes, seconds to compress, seconds to decompress."""
    source, archive = folder / "raw", folder / "archive"
    source.write_bytes(raw)
    coded, encode = timed([LMZ, "-c", "-T1", *options, source], repeat)
    archive.write_bytes(coded)
    back, decode = timed([LMZ, "-dc", "-T1", archive], repeat)
    if back != raw:
        raise SystemExit("does not decode to the same bytes")
    return len(coded), encode, decode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--options", action="append", help="options of lmz for one column group")
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    if not LMZ.exists():
        raise SystemExit(f"{LMZ} is missing: cargo build --release")
    groups = args.options or [""]
    print("| file | bytes |" + "".join(f" lmz {g} | bpb | kB/s | back, kB/s |".replace("  ", " ") for g in groups))
    print("|---|---:|" + "---:|---:|---:|---:|" * len(groups))
    totals, all_raw = [[0, 0.0, 0.0] for _ in groups], 0

    def row(name, size, results):
        cells = [f"{coded:,} | {8 * coded / max(1, size):.3f} | {size / encode / 1e3:,.0f} | {size / decode / 1e3:,.0f}"
                 for coded, encode, decode in results]
        print(f"| {name} | {size:,} | " + " | ".join(cells) + " |", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        for path in inputs(args.paths):
            raw = lzma.open(path).read() if path.suffix == ".xz" else path.read_bytes()
            results = [measure(raw, g.split(), args.repeat, Path(folder)) for g in groups]
            for total, result in zip(totals, results):
                total[:] = [a + b for a, b in zip(total, result)]
            all_raw += len(raw)
            row("/".join(path.parts[-2:]).removesuffix(".xz"), len(raw), results)
    row("total", all_raw, totals)


if __name__ == "__main__":
    sys.exit(main())
