#!/usr/bin/env python3
"""Writes what documents show of the results: BENCHMARKS.md, README.md's table, docs/sizes.svg.

    scripts/benchmarks/make.py             writes them
    scripts/benchmarks/make.py --check     exit code 1 if one is not what the results say

README.md's table stands between two marks, and the picture has the same figures; both are made from
results/front.json, which front.py measures. BENCHMARKS.md is made from page.md, in which a line
{{...}} stands for

    {{totals RESULT}}              codecs by size: bytes, rate, bpb, speeds, memory
    {{files RESULT CODEC,...}}     files: bytes and bits per byte by these codecs, and totals
    {{include RESULT}}             the result as it is, but for headings and links
    {{command RESULT}}             the command that made it, when, where, and how long it took
    {{versions RESULT}}            the libraries behind the codecs
    {{programs RESULT}}            programs run as a user runs them (front.py): bytes and CPU times
    {{speeds RESULT}}              lmz by size of file, instruction set and level (speed.py)
    {{real RESULT}}                a published language model on public texts (real.py)
    {{pieces RESULT}}              codecs on pieces of each set (lmz experiment table --pieces)

Results are files in results/, made by measure.py. A result that is not there is an error.
Paragraphs are wrapped at 100 columns.
"""

import argparse
import csv
import json
import re
import textwrap
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
ROOT = HERE.parents[1]
PAGE = ROOT / "BENCHMARKS.md"
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "sizes.svg"
FRONT_BEGINS = "<!-- from here to the next mark: scripts/benchmarks/make.py -->\n"
FRONT_ENDS = "<!-- to here -->\n"


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
        rows.append(
            [
                row["codec"] + some,
                number(row["coded_bytes"]),
                number(row["rate_percent"], 2),
                number(row["bits_per_byte"], 3),
                speed(row.get("compress_kB_per_s")),
                speed(row.get("decompress_kB_per_s")),
                number(row.get("peak_memory_MB")),
            ]
        )
    heads = ["codec", "bytes", "rate, %", "bpb", "compress, kB/s", "decompress, kB/s", "memory, MB"]
    return (
        f"{whole} files, {number(max(row['raw_bytes'] for row in data['totals']))} bytes:\n\n"
        + table(heads, rows)
    )


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
        cells = [
            c for codec in codecs for c in (number(sums[codec]), number(8 * sums[codec] / raw, 3))
        ]
        out.append([f"**{group}, {len(members)} files**", number(raw), *cells])
    heads = ["file", "bytes"] + [c for codec in codecs for c in (codec, "bpb")]
    return table(heads, out)


def command(name: str) -> str:
    made = load("manifest.json").get(name)
    if made is None:
        raise SystemExit(
            f"{name}: not in manifest.json; scripts/benchmarks/measure.py {name} makes it"
        )
    took = "" if made["seconds"] is None else f", {made['seconds'] / 60:.0f} minutes"
    rustc = made["rustc"].split(" (")[0]
    measured = f"{made['machine']}; {made['lmz']}, {rustc}; {made['date']}{took}."
    return f"    {made['command']}\n\n{measured}"


def versions(name: str) -> str:
    known = {row["codec"]: row["version"] for row in load(name)["totals"]}
    return wrapped("\n".join(f"- {codec}: {version}" for codec, version in known.items()))


def include(name: str) -> str:
    """Without a first heading, with others a level lower, and with links from the page."""
    text = re.sub(r"\A# .*\n", "", (RESULTS / name).read_text())
    folder = (RESULTS / name).parent.relative_to(PAGE.parent).as_posix()
    text = re.sub(r"\]\(([\w.-]+)\)", rf"]({folder}/\1)", text)
    return wrapped(re.sub(r"^(#+ )", r"#\1", text, flags=re.MULTILINE).strip())


def wrapped(text: str) -> str:
    """Paragraphs and list items at 100 columns; tables, pictures, code and headings as is."""
    lines = []
    for line in text.splitlines():
        if len(line) <= 100 or re.match(r"[|#!]|    ", line):
            lines.append(line)
        else:
            indent = "  " if line.startswith("- ") else ""
            lines += textwrap.wrap(
                line, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
            )
    return "\n".join(lines)


def cpu(x: float) -> str:
    """Seconds with the digits that mean something."""
    return "<0.01" if x < 0.01 else number(x, 2 if x < 1 else 1 if x < 10 else 0)


def front_rows() -> tuple[dict, dict, list]:
    """Result by program and kind; kinds with their rows; programs in order."""
    rows = load("front.json")["rows"]
    found = {(row["program"], row["kind"]): row for row in rows}
    return (
        found,
        {row["kind"]: row for row in rows},
        list(dict.fromkeys(row["program"] for row in rows)),
    )


def front() -> str:
    """README.md's table and how it was measured."""
    found, kinds, programs = front_rows()
    first, last = list(kinds)[0], list(kinds)[-1]
    heads = ["bytes"] + [f"{kind}: {row['file'].rpartition('/')[2]}" for kind, row in kinds.items()]
    heads += [f"{first}, CPU s", "back", f"{last}, CPU s", "back"]
    out = [["(as it is)"] + [number(row["raw_bytes"]) for row in kinds.values()] + [""] * 4]
    for program in programs:
        cells = [f"`{program}`"] + [number(found[program, kind]["coded_bytes"]) for kind in kinds]
        for kind in (first, last):
            cells += [
                cpu(found[program, kind]["compress_s"]),
                cpu(found[program, kind]["decompress_s"]),
            ]
        out.append(cells)
    made = load("front.json")["made"]
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    note = (
        f"Measured by `{made['command']}` with {versions}; {made['machine']}; {made['date']}. "
        "Each file is coded by a process of its own on one thread; a time is its CPU time (user "
        f"and system), the median of {made['runs']} runs on a machine that other programs used "
        "too. Starting lmz and loading its model is much of the time for the message. The "
        "decoder is not counted: the program lmz holds 16 MB of models. "
        "[BENCHMARKS.md](BENCHMARKS.md) has 39 files, more codecs, and the throughput on a "
        "machine that is about twice as fast."
    )
    return table(heads, out) + "\n\n" + wrapped(note) + "\n"


def programs(name: str) -> str:
    """Every file and program of front.json."""
    rows, last = [], None
    for row in load(name)["rows"]:
        new, last = row["file"] != last, row["file"]
        rows.append(
            [
                f"{row['kind']}: {row['file'].rpartition('/')[2]}" if new else "",
                f"`{row['program']}`",
                number(row["coded_bytes"]),
                number(8 * row["coded_bytes"] / row["raw_bytes"], 3),
                cpu(row["compress_s"]),
                cpu(row["decompress_s"]),
            ]
        )
    return table(
        ["file", "program", "bytes", "bpb", "compress, CPU s", "back, CPU s"], rows, left=2
    )


def speeds(name: str) -> str:
    """How it was measured, and a row for each size, kernel and level."""
    data = load(name)
    made = data["made"]
    rows, last = [], None
    for row in data["rows"]:
        new, last = row["bytes_in"] != last, row["bytes_in"]
        rows.append(
            [
                number(row["bytes_in"]) if new else "",
                row["kernel"],
                f"`-{row['level']}`",
                number(row["bytes_out"]),
                speed(row["compress_rate"] / 1000),
                cpu(row["compress_seconds"]),
                cpu(row["compress_cpu_seconds"]),
                speed(row["decompress_rate"] / 1000),
                cpu(row["decompress_seconds"]),
                cpu(row["decompress_cpu_seconds"]),
            ]
        )
    heads = ["bytes", "kernel", "level", "archive", "kB/s", "s", "CPU s"]
    heads += ["back, kB/s", "s", "CPU s"]
    note = f"{made['machine']}; lmz {made['lmz']}; {made['date']}."
    return f"    {made['command']}\n\n{wrapped(note)}\n\n{table(heads, rows, left=3)}"


def real(name: str) -> str:
    """How it was measured, and a row for each text and kernel."""
    data = load(name)
    made, rows = data["made"], []
    for row in data["rows"]:
        there, back = row["compress"], row["decompress"]
        rows.append(
            [
                row["what"],
                row["kernel"] or "fastest",
                number(row["raw"]),
                number(row["archive"]),
                number(8 * row["archive"] / row["raw"], 3),
                number(row["base"]),
                cpu(there["wall"]),
                cpu(there["cpu"]),
                cpu(back["wall"]) if back else "-",
                cpu(back["cpu"]) if back else "-",
                number(max(run["memory"] for run in (there, back) if run) / 1e6),
            ]
        )
    heads = ["text", "kernel", "bytes", "archive", "bpb", "`base`", "s", "CPU s", "back, s", "CPU s"]
    note = (
        f"{made['model']}; {made['machine']}; lmz {made['lmz']}; {made['date']}. Of the CPU time "
        f"{cpu(data['rows'][0]['load'])} s is loading the model."
    )
    body = table([*heads, "MB"], rows, left=2)
    return f"    {made['command']}\n\n{wrapped(note)}\n\n{body}"


def pieces(name: str) -> str:
    """A row for each codec, with its rate on each set; and what is lost and bounded by 7 bits."""
    with open(RESULTS / name / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    sets = list(dict.fromkeys(row["set"] for row in rows))
    codecs = list(dict.fromkeys(row["codec"] for row in rows))
    found = {(row["codec"], row["set"]): row for row in rows}

    def rate(codec, kind, field="rate_percent"):
        text = found.get((codec, kind), {}).get(field)
        return f"{float(text):.1f}" if text else "-"

    out = [[codec, *(rate(codec, kind) for kind in sets)] for codec in codecs]
    for codec in codecs:
        bounds = [rate(codec, kind, "upper_bound_percent") for kind in sets]
        if any(bound != "-" for bound in bounds):
            out.append([f"{codec}, with the lost bit", *bounds])
    count = max(int(row["pieces"] or 0) for row in rows)
    return f"{count} pieces of each set, % of their bytes:\n\n" + table(["codec", *sets], out)


def readme() -> str:
    """README.md with the table of front.json between its marks."""
    text = README.read_text()
    before, begins, rest = text.partition(FRONT_BEGINS)
    _, ends, after = rest.partition(FRONT_ENDS)
    if not begins or not ends:
        raise SystemExit(
            f"README.md: expected the marks {FRONT_BEGINS.strip()} and {FRONT_ENDS.strip()}"
        )
    return before + begins + "\n" + front() + "\n" + ends + after


def picture() -> str:
    """Bits per byte as bars: a column for each kind of content, a row for each program."""
    found, kinds, programs = front_rows()
    left, column, gap, top, line = 104, 150, 18, 62, 24
    width, height = left + len(kinds) * (column + gap), top + len(programs) * line + 14
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="13" role="img">',
        "<title>Bits per byte of lmz, brotli, xz and zstd; shorter bars are smaller files</title>",
        f'<rect width="{width}" height="{height}" rx="6" fill="#ffffff"/>',
        '<text x="12" y="22" fill="#222222" font-weight="bold">'
        "Bits per byte (less is smaller)</text>",
    ]
    for i, (kind, row) in enumerate(kinds.items()):
        x = left + i * (column + gap)
        rates = [8 * found[program, kind]["coded_bytes"] / row["raw_bytes"] for program in programs]
        out.append(
            f'<text x="{x}" y="{top - 14}" fill="#222222">'
            f"{kind}, {number(row['raw_bytes'])} bytes</text>"
        )
        for j, (program, rate) in enumerate(zip(programs, rates)):
            y = top + j * line
            bar = rate / max(rates) * (column - 40)
            colour = "#2f6fb5" if program.startswith("lmz") else "#b4b9c0"
            if i == 0:
                out.append(
                    f'<text x="{left - 8}" y="{y + 13}" fill="#222222" text-anchor="end">'
                    f"{program}</text>"
                )
            out.append(
                f'<rect x="{x}" y="{y}" width="{bar:.1f}" height="{line - 7}" fill="{colour}"/>'
            )
            out.append(f'<text x="{x + bar + 4:.1f}" y="{y + 13}" fill="#222222">{rate:.2f}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


PARTS = (totals, files, command, versions, include, programs, speeds, real, pieces)
VERBS = {f.__name__: f for f in PARTS}


def page() -> str:
    def filled(match):
        verb, *arguments = match[1].split()
        if verb not in VERBS:
            raise SystemExit(f"page.md: {match[0]}: expected one of {', '.join(VERBS)}")
        try:
            return VERBS[verb](*arguments)
        except FileNotFoundError as error:
            raise SystemExit(
                f"page.md: {match[0]}: {error.filename} is not there; measure.py makes it"
            ) from None

    return re.sub(r"^\{\{(.*)\}\}$", filled, (HERE / "page.md").read_text(), flags=re.MULTILINE)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing, say whether the documents are up to date",
    )
    args = parser.parse_args()
    wrong = []
    for path, make in {PAGE: page, README: readme, PICTURE: picture}.items():
        text = make()
        if not args.check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            wrong.append(path.relative_to(ROOT).as_posix())
    if wrong:
        raise SystemExit(
            f"{', '.join(wrong)}: not what the results say; scripts/benchmarks/make.py writes it"
        )


if __name__ == "__main__":
    main()
