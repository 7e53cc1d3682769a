"""Vocabularies: byte strings, learnt from the corpus, used by greedy longest match.

    python vocab.py learn --size 4096 --out vocab/4096.txt     learn one and write it
    python vocab.py compare --size 4096                        the table of rules in README.md

A vocabulary file has one token a line, sorted by bytes. Bytes 0x21..0x7e stand for themselves,
except the backslash; every other byte is written \\xNN. The first line is empty: token 0 is the
empty string. It begins a document, never occurs in text and gets no probability mass.
"""

import argparse
import ctypes
import functools
import math
import time
from pathlib import Path

import numpy as np

import corpus
from native import load

LEAD_SPACE, INDENT, DIGIT_RUNS, PUNCT_SINGLE, LEAD_PUNCT, WORD_PAIRS = (1 << i for i in range(6))
MAX_TOKEN_BYTES = 24
WINDOW, MOST = 32768, 64  # a piece counts at most 64 times in 32 KiB of a document
START = 0  # id of the empty token

# The rules that the table compares; the first is the one in use.
RULES = {
    "space+indent+digits": LEAD_SPACE | INDENT | DIGIT_RUNS,
    "no pieces joined": 0,
    "space": LEAD_SPACE,
    "space+indent": LEAD_SPACE | INDENT,
    "space+indent, single punctuation": LEAD_SPACE | INDENT | PUNCT_SINGLE,
    "space+indent+punctuation": LEAD_SPACE | INDENT | LEAD_PUNCT,
    "space+indent+word pairs": LEAD_SPACE | INDENT | WORD_PAIRS,
}

_lib = load("vocab")
_P, _I64 = ctypes.c_void_p, ctypes.c_int64
_lib.segmenter_new.restype = _P
_lib.segmenter_new.argtypes = [ctypes.c_char_p, _P, ctypes.c_int32]
_lib.segmenter_free.argtypes = [_P]
_lib.segment.restype = _I64
_lib.segment.argtypes = [_P, ctypes.c_char_p, _I64, _P]
_lib.pieces_new.restype = _P
_lib.pieces_new.argtypes = [ctypes.c_char_p, _I64, ctypes.c_uint32, _I64, _I64]
_lib.count_ids.argtypes = [_P, ctypes.c_char_p, _I64, _I64, _I64, ctypes.c_int32, _P]
_lib.pieces_free.argtypes = [_P]
_lib.bpe.restype = _I64
_lib.bpe.argtypes = [_P, _I64, _I64, _P, _P]
_lib.ngram_bits.restype = ctypes.c_double
_lib.ngram_bits.argtypes = [_P, _I64, _P, _I64, ctypes.c_int32, ctypes.c_int32, ctypes.c_uint16]


class Vocabulary:
    """Tokens sorted by bytes, and greedy segmentation over their trie."""

    def __init__(self, tokens):
        self.tokens = sorted(set(tokens))
        missing = [b for b in range(256) if bytes([b]) not in set(self.tokens)]
        if missing:
            raise ValueError(f"a vocabulary needs all 256 single bytes; missing: {missing}")
        if not 256 <= len(self.tokens) <= 65536:
            raise ValueError(f"expected 256 to 65,536 tokens, found {len(self.tokens)}")
        blob = b"".join(self.tokens)
        offsets = np.cumsum([0] + [len(t) for t in self.tokens], dtype=np.int64)
        self.lengths = np.diff(offsets)
        self._handle = _lib.segmenter_new(blob, offsets.ctypes.data, len(self.tokens))

    def __len__(self):
        return len(self.tokens)

    def __del__(self):
        if getattr(self, "_handle", None):
            _lib.segmenter_free(self._handle)

    def encode(self, text: bytes) -> np.ndarray:
        """Greedy longest match, as uint16 ids; their strings concatenated are the text."""
        out = np.empty(len(text), np.uint16)
        n = _lib.segment(self._handle, text, len(text), out.ctypes.data)
        return out[:n].copy()

    def decode(self, ids) -> bytes:
        return b"".join(self.tokens[int(i)] for i in ids)

    def counts(self, text: bytes, most: int) -> np.ndarray:
        """How often each token occurs in NUL-separated documents, at most `most` times a window."""
        out = np.zeros(len(self), np.int64)
        _lib.count_ids(self._handle, text, len(text), WINDOW, most, len(self), out.ctypes.data)
        return out

    def save(self, path):
        Path(path).write_text("".join(escape(t) + "\n" for t in self.tokens), encoding="ascii")

    @classmethod
    def load(cls, path):
        lines = Path(path).read_text(encoding="ascii").split("\n")
        if lines[-1] != "":
            raise ValueError(f"{path}: expected a line end after the last token")
        vocabulary = cls([unescape(line) for line in lines[:-1]])
        if len(vocabulary) != len(lines) - 1:
            raise ValueError(f"{path}: the same token stands on two lines")
        return vocabulary


def escape(token: bytes) -> str:
    return "".join(chr(b) if 0x21 <= b <= 0x7E and b != 0x5C else f"\\x{b:02x}" for b in token)


def unescape(line: str) -> bytes:
    return bytes.fromhex("".join(line[i + 2 : i + 4] if line[i] == "\\" else f"{ord(line[i]):02x}"
                                 for i in _starts(line)))


def _starts(line):
    i = 0
    while i < len(line):
        yield i
        i += 4 if line[i] == "\\" else 1


def merges(text: bytes, rule: int, n: int, most: int) -> list[bytes]:
    """The first n byte-pair merges over the pieces of text."""
    pieces = _lib.pieces_new(text, len(text), rule, WINDOW, most)
    blob = np.empty(n * MAX_TOKEN_BYTES, np.uint8)
    ends = np.empty(n, np.int64)
    done = _lib.bpe(pieces, n, MAX_TOKEN_BYTES, blob.ctypes.data, ends.ctypes.data)
    _lib.pieces_free(pieces)
    raw = blob.tobytes()
    return [raw[(ends[i - 1] if i else 0) : ends[i]] for i in range(done)]


SINGLES = [bytes([b]) for b in range(256)]


def plain(text: bytes, rule: int, size: int, *, most=MOST) -> Vocabulary:
    """Byte-pair merges as learnt. They can repeat a string, so more are learnt than are needed."""
    learnt = merges(text, rule, size + 512, most)
    distinct = list(dict.fromkeys(learnt))[: size - 257]
    return Vocabulary([b"", *SINGLES, *distinct])


def pruned(text: bytes, rule: int, size: int, *, surplus=4.0, step=0.15, by="tokens",
           most=MOST) -> Vocabulary:
    """Learns `surplus` times as many merges, then drops those that greedy segmentation of the raw
    text misses least, a share `step` at a time. A token's worth is what its occurrences would cost
    more if its own greedy split took its place: in bits under unigram frequencies, or in tokens.
    """
    most_tokens = min(int(size * surplus), 65536 - 257)  # ids are u16
    tokens = list(dict.fromkeys(merges(text, rule, most_tokens, most)))
    while True:
        vocabulary = Vocabulary([b"", *SINGLES, *tokens])
        if len(vocabulary) <= size:
            return vocabulary
        counts = vocabulary.counts(text, most)
        total = counts.sum()
        bits = [math.log2(total / max(c, 0.5)) for c in counts]
        ids = {t: i for i, t in enumerate(vocabulary.tokens)}
        worth = {}
        for token in tokens:
            parts = split_without(token, ids)
            i = ids[token]
            saved = sum(bits[ids[p]] for p in parts) - bits[i] if by == "bits" else len(parts) - 1
            worth[token] = counts[i] * saved
        keep = max(size - 257, int(len(tokens) * (1 - step)))
        tokens = sorted(tokens, key=lambda t: (-worth[t], t))[:keep]


def split_without(token: bytes, ids) -> list[bytes]:
    """Greedy split of a token into shorter ones."""
    parts, at = [], 0
    while at < len(token):
        for end in range(len(token), at, -1):
            if end - at < len(token) and token[at:end] in ids:
                parts.append(token[at:end])
                at = end
                break
    return parts


def proxy(vocabulary: Vocabulary, train: bytes, test: bytes, order: int) -> float:
    """Bits per byte of test under an n-gram model of tokens that has read train."""

    def ids(text):
        parts = []
        for document in text.split(b"\0"):
            parts += [np.array([START], np.uint16), vocabulary.encode(document)]
        return np.concatenate(parts)

    a, b = ids(train), ids(test)
    bits = _lib.ngram_bits(a.ctypes.data, len(a), b.ctypes.data, len(b), order, len(vocabulary),
                           START)
    return bits / len(test)


METHODS = {
    "merges": plain,
    "pruned by tokens": pruned,
    "pruned by bits": functools.partial(pruned, by="bits"),
    "pruned by tokens, all counted": functools.partial(pruned, most=1 << 40),
}


def compare(args):
    """Prints the table of README.md."""
    learn_from, test = corpus.sample(args.corpus, args.megabytes), corpus.raw(args.corpus, "valid")
    print(f"{args.size:,} tokens learnt from {len(learn_from):,} bytes; "
          "n-gram trained on the same, coding valid")
    print("| rule | method | bytes a token | order 0, bpb | order 1 | order 2 | order 3 |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for name, rule in RULES.items():
        for method, learn in METHODS.items():
            if name != next(iter(RULES)) and method not in ("merges", "pruned by tokens"):
                continue
            v = learn(learn_from, rule, args.size)
            density = len(test.replace(b"\0", b"")) / len(v.encode(test.replace(b"\0", b"")))
            costs = " | ".join(f"{proxy(v, learn_from, test, order):.3f}" for order in range(4))
            print(f"| {name} | {method} | {density:.3f} | {costs} |", flush=True)


def learn(args):
    began = time.time()
    text = corpus.sample(args.corpus, args.megabytes)
    vocabulary = pruned(text, RULES[args.rule], args.size)
    vocabulary.save(args.out)
    print(f"{args.out}: {len(vocabulary)} tokens, longest {max(vocabulary.lengths)} bytes, "
          f"from {len(text):,} bytes in {time.time() - began:.0f} s")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, run in (("learn", learn), ("compare", compare)):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        command.add_argument("--corpus", default=corpus.DEFAULT)
        command.add_argument("--size", type=int, default=4096)
        command.add_argument("--megabytes", type=float, default=60,
                             help="size of the sample to learn from")
        if name == "learn":
            command.add_argument("--rule", choices=RULES, default=next(iter(RULES)))
            command.add_argument("--out", required=True)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
