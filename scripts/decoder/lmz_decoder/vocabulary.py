"""The tokens of a model: reading vocab.txt, greedy segmentation, and the trie of the token walk."""

import functools
import re
from bisect import bisect_left
from pathlib import Path

START = 0  # id of the empty token, which begins a document


def read_tokens(path):
    """The tokens [V], byte strings by id, of a vocab.txt: one a line, sorted by bytes.

    A character stands for its code, and \\xNN for the byte NN.
    """
    text = Path(path).read_text(encoding="ascii")
    lines = text.split("\n")
    tokens = [re.sub(r"\\x(..)", lambda m: chr(int(m[1], 16)), line).encode("latin-1")
              for line in lines[:-1]]
    if lines[-1] or tokens != sorted(set(tokens)):
        raise ValueError(f"{path}: expected different tokens, sorted by bytes, each on a line")
    return tokens


class Vocabulary:
    """Tokens as a trie, whose nodes are the beginnings (prefixes) of tokens.

    tokens [V]: bytes by id; order [V]: ids in the order of the walk, by bytes and then by id;
    number: that of each prefix, from 0 for the empty one, shorter ones first and then by bytes.
    """

    def __init__(self, tokens):
        self.tokens = tokens
        self.order = sorted(range(len(tokens)), key=lambda t: (tokens[t], t))
        self.sorted = [tokens[t] for t in self.order]
        prefixes = {t[:i] for t in tokens for i in range(len(t) + 1)}
        self.number = {p: i for i, p in enumerate(sorted(prefixes, key=lambda p: (len(p), p)))}
        self.longest_length = max(map(len, tokens))

    @functools.cache
    def range(self, prefix):
        """The tokens that begin so, as (begin, end) in the order of the walk."""
        begin = end = bisect_left(self.sorted, prefix)
        while end < len(self.sorted) and self.sorted[end].startswith(prefix):
            end += 1
        return begin, end

    @functools.cache
    def count(self, prefix):
        """How many tokens are these bytes: the first of `range`."""
        return self.sorted[slice(*self.range(prefix))].count(prefix)

    def encode(self, text):
        """The ids of a greedy segmentation: each token is the longest that begins what is left."""
        ids, at = [], 0
        while at < len(text):
            most = min(self.longest_length, len(text) - at)
            size = next(n for n in range(most, 0, -1) if self.is_token(text[at : at + n]))
            ids.append(self.order[bisect_left(self.sorted, text[at : at + size])])
            at += size
        return ids

    def is_token(self, text):
        return text in self.number and self.count(text) > 0
