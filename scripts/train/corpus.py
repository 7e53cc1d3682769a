"""Reads the training corpus: a folder of .xz files of documents, each followed by one NUL byte.

    python corpus.py FOLDER SAMPLE 2

makes a corpus of about 2 MB, with the whole validation split, to try things on.
"""

import lzma
import sys
from pathlib import Path

DEFAULT = str(Path(__file__).resolve().parents[3] / "shared" / "corpus")
CATEGORIES = ("prose-en", "docs", "code", "data", "multilingual")


def raw(folder, name: str) -> bytes:
    path = Path(folder) / f"{name}.xz"
    if not path.exists():
        raise SystemExit(f"{path}: not found. --corpus names the folder that holds "
                         f"{', '.join(c + '.xz' for c in CATEGORIES)} and valid.xz")
    return lzma.open(path).read()


def documents(folder, name: str) -> list[bytes]:
    return raw(folder, name).split(b"\0")[:-1]


def _prefixes(folder, megabytes: float) -> list[list[bytes]]:
    """The first documents of each category, in the proportions of the corpus, `megabytes` in all.
    The files are shuffled, so a prefix is a fair sample."""
    parts = [raw(folder, c) for c in CATEGORIES]
    share = min(1.0, megabytes * 1e6 / sum(map(len, parts)))
    ends = [part.find(b"\0", max(0, int(len(part) * share) - 1)) + 1 for part in parts]
    return [part[: end or len(part)].split(b"\0")[:-1] for part, end in zip(parts, ends)]


def sample(folder, megabytes: float) -> bytes:
    """NUL-separated text to learn a vocabulary from: one document of 16 with CRLF line ends."""
    every = round(1 / CRLF_SHARE)
    return b"".join((with_crlf(d) if i % every == 0 else d) + b"\0"
                    for part in _prefixes(folder, megabytes) for i, d in enumerate(part))


def write_sample(folder, to, megabytes: float):
    """A corpus folder of the same form, small."""
    Path(to).mkdir(parents=True, exist_ok=True)
    for name, part in zip(CATEGORIES, _prefixes(folder, megabytes)):
        text = b"".join(d + b"\0" for d in part)
        (Path(to) / f"{name}.xz").write_bytes(lzma.compress(text, preset=1))
    for name in ("valid.xz", "MANIFEST.tsv"):
        (Path(to) / name).write_bytes((Path(folder) / name).read_bytes())


def valid(folder) -> list[tuple[str, bytes]]:
    """The validation split as (category, document).

    valid.xz does not say which document is of which category; valid-categories.txt does, with one
    letter a document. Its counts and bytes by category are those of the corpus's manifest.
    """
    letters = "".join((Path(__file__).parent / "valid-categories.txt").read_text().split())
    names = {"p": "prose-en", "d": "docs", "c": "code", "t": "data", "m": "multilingual"}
    found = documents(folder, "valid")
    if len(found) != len(letters):
        raise SystemExit(f"{folder}/valid.xz: expected {len(letters)} documents, "
                         f"found {len(found)}; valid-categories.txt belongs to another version of "
                         "the corpus")
    return [(names[letter], text) for letter, text in zip(letters, found)]


def with_crlf(text: bytes) -> bytes:
    """The same document with CRLF line ends, which the corpus lacks and many files have."""
    return text.replace(b"\n", b"\r\n")


CRLF_SHARE = 1 / 16  # of the documents, for the vocabulary and for training


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    write_sample(sys.argv[1], sys.argv[2], float(sys.argv[3]))
