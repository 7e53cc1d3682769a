#!/usr/bin/env python3
"""Writes BENCHMARKS.md from page.md and the results.

    scripts/benchmarks/make.py             writes it
    scripts/benchmarks/make.py --check     exit code 1 if it is not what the results say

In page.md a line {{...}} stands for

    {{totals RESULT}}              codecs by size: bytes, rate, bpb, speeds, memory
    {{files RESULT CODEC,...}}     files: bytes and bits per byte by these codecs, with a total for each folder
    {{include RESULT}}             the result as it is, but for headings and links
    {{command RESULT}}             the command that made it, when, where, and how long it took
    {{versions RESULT}}            the libraries behind the codecs

Results are files in results/, made by measure.py. A result that is not there is an error.
"""

import argparse
import json
import re
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PAGE = HERE.parents[1] / "BENCHMARKS.md"


def load(name: str) -> dict:
    return json.loads((RESULTS / name).read_text())


def table(heads: list, rows: list, left=1) -> str:
    """Markdown; the first columns are text, the others numbers."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * left + "---:|" * (len(heads) - left)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def number(x, digits=0) -> str:
    return "-" if x is None else f"{x:,.{digits}f}"


def speed(x) -> str:
    """kB/s with two digits that mean something."""
    return "-" if x is None else f"{float(f'{x:.2g}'):,.0f}"


def totals(name: str) -> str:
    data = load(name)
    whole = max(row["files"] for row in data["totals"])
    rows = []
    for row in sorted(data["totals"], key=lambda row: (-row["files"], row["coded_bytes"] or 0)):
        some = "" if row["files"] == whole else f" ({row['files']} of {whole} files)"
        rows.append([row["codec"] + some, number(row["coded_bytes"]), number(row["rate_percent"], 2), number(row["bits_per_byte"], 3),
                     speed(row.get("compress_kB_per_s")), speed(row.get("decompress_kB_per_s")), number(row.get("peak_memory_MB"))])
    heads = ["codec", "bytes", "rate, %", "bpb", "compress, kB/s", "decompress, kB/s", "memory, MB"]
    return f"{whole} files, {number(max(row['raw_bytes'] for row in data['totals']))} bytes:\n\n" + table(heads, rows)


def files(name: str, codecs: str) -> str:
    codecs = codecs.split(",")
    found = defaultdict(dict)
    for row in load(name)["rows"]:
        found[row["file"]][row["codec"]] = row
    groups = defaultdict(list)
    for file, row in sorted(found.items()):
        groups[file.rpartition("/")[0].rpartition("/")[2]].append((file, row))
    out = []
    for group, members in groups.items():
        sums = dict.fromkeys(codecs, 0)
        raw = 0
        for file, row in members:
            cells = []
            for codec in codecs:
                if codec not in row:
                    raise SystemExit(f"{name}: no {codec} of {file}")
                sums[codec] += row[codec]["coded_bytes"]
                cells += [number(row[codec]["coded_bytes"]), number(row[codec]["bits_per_byte"], 3)]
            size = next(iter(row.values()))["raw_bytes"]
            raw += size
            out.append(["/".join(file.split("/")[-2:]), number(size), *cells])
        cells = [c for codec in codecs for c in (number(sums[codec]), number(8 * sums[codec] / raw, 3))]
        out.append([f"**{group}, {len(members)} files**", number(raw), *cells])
    heads = ["file", "bytes"] + [c for codec in codecs for c in (codec, "bpb")]
    return table(heads, out)


def command(name: str) -> str:
    made = load("manifest.json").get(name)
    if made is None:
        raise SystemExit(f"{name}: not in manifest.json; scripts/benchmarks/measure.py {name} makes it")
    took = "" if made["seconds"] is None else f", {made['seconds'] / 60:.0f} minutes"
    return f"    {made['command']}\n\n{made['machine']}; {made['lmz']}, {made['rustc'].split(' (')[0]}; {made['date']}{took}."


def versions(name: str) -> str:
    known = {row["codec"]: row["version"] for row in load(name)["totals"]}
    return "\n".join(f"- {codec}: {version}" for codec, version in known.items())


def include(name: str) -> str:
    """Without a first heading, with others a level lower, and with links that work from the page."""
    text = re.sub(r"\A# .*\n", "", (RESULTS / name).read_text())
    folder = (RESULTS / name).parent.relative_to(PAGE.parent).as_posix()
    text = re.sub(r"\]\(([\w.-]+)\)", rf"]({folder}/\1)", text)
    return re.sub(r"^(#+ )", r"#\1", text, flags=re.MULTILINE).strip()


VERBS = {f.__name__: f for f in (totals, files, command, versions, include)}


def page() -> str:
    def filled(match):
        verb, *arguments = match[1].split()
        if verb not in VERBS:
            raise SystemExit(f"page.md: {match[0]}: expected one of {', '.join(VERBS)}")
        try:
            return VERBS[verb](*arguments)
        except FileNotFoundError as error:
            raise SystemExit(f"page.md: {match[0]}: {error.filename} is not there; measure.py makes it") from None

    return re.sub(r"^\{\{(.*)\}\}$", filled, (HERE / "page.md").read_text(), flags=re.MULTILINE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, say whether BENCHMARKS.md is up to date")
    args = parser.parse_args()
    text = page()
    if not args.check:
        PAGE.write_text(text)
    elif PAGE.read_text() != text:
        print("BENCHMARKS.md is not what the results say: scripts/benchmarks/make.py writes it", file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
