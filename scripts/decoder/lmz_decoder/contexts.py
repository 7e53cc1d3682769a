"""What looks back in context mixing: contexts, their table of bit histories, and the match model.

Written from docs/MIXING.md alone, whose section numbers are in the comments.
"""

M32, M64 = (1 << 32) - 1, (1 << 64) - 1
N = 20  # contexts


def combine(a, b):
    """A hash of 32 bits of two numbers of 32 bits (1)."""
    h = (a ^ b * 0x9E3779B1 & M32) * 0x85EBCA6B & M32
    return (h << 15 | h >> 17) & M32


# ---- 4. Bit histories


def histories():
    """[2][225]: the number of the history that follows each when a 0 and when a 1 comes."""
    discount = [0, 1, 2, 2, 2, 2] + [3] * 10 + [4] * 46
    most = [61, 32, 14, 14, 14]

    def after(history, bit):
        counts = [*history[:2]]
        counts[1 - bit] = discount[counts[1 - bit]]
        counts[bit] = min(counts[bit] + 1, most[counts[1 - bit]])
        return (*counts, bit if all(counts) else 0)

    found = [(0, 0, 0)]
    for history in found:  # grows
        found += [a for bit in (0, 1) if (a := after(history, bit)) not in found]
    found.sort(key=lambda h: (h[0] + h[1], h))
    number = {h: i for i, h in enumerate(found)}
    return [bytes(number[after(h, bit)] for h in found) for bit in (0, 1)]


# ---- 5. Contexts


def class_of(b):
    groups = (b"abcdefghijklmnopqrstuvwxyz", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"0123456789", b" \t",
              b"\n\r")
    for k, group in enumerate(groups):
        if b in group:
            return k
    return 5 if b >= 128 else 6 if b < 32 else 7


CLASSES = [class_of(b) for b in range(256)]
WORD = [CLASSES[b] in (0, 1, 5) for b in range(256)]
FOLDED, NOT, WITH_ABOVE = range(5, 10), range(10, 13), range(13, 15)


class Contexts:
    """The state of a stream that began at position `begin`, and the hashes of its N contexts.

    `early` [N] and `hashes` [N], of 32 bits each, are those of the next byte's high and low half.
    """

    salt = 0x5BD1

    def __init__(self, begin):
        self.begin = self.line = self.line_before = begin
        self.recent = self.word = self.previous = self.before = 0
        self.first = self.indent = self.field = self.in_field = self.kinds = self.shape = 0
        self.last, self.distance = [0] * 256, [0] * 256
        self.length = self.votes = 0
        self.make_prefixes(b"", begin)
        self.make_hashes(0)

    def learn(self, text, at):
        """Learns the byte text[at - 1]."""
        b = text[at - 1]
        self.make_hashes(b)
        self.recent = (self.recent << 8 | b) & M64
        k = CLASSES[b]
        if k != self.kinds & 7 or k not in (0, 2, 5):
            self.shape = (self.shape << 4 | (8 | b & 7 if k in (3, 4, 7) else k)) & M64
        self.kinds = (self.kinds & 31) << 3 | k
        if WORD[b]:
            self.word = combine(self.word, (b + 32 if k == 1 else b) + 1)
        elif self.word:
            self.before, self.previous, self.word = self.previous, self.word, 0
        self.learn_distance(b, at)
        if b == 10:
            self.line_before, self.line = self.line, at
            self.first = self.indent = self.field = self.in_field = 0
        else:
            column = at - 1 - self.line
            if column < 3:
                self.first = combine(self.first, b + 1)
            if b == 32 and self.indent == column:
                self.indent += 1
            if b in b',\t;|:="':
                self.field, self.in_field = self.field + 1, 0
            else:
                self.in_field = combine(self.in_field, b + 1)
        self.make_prefixes(text, at)

    def learn_distance(self, b, at):
        now = at - self.last[b]
        again = now == self.distance[b]
        self.last[b], self.distance[b] = at, now
        if again and 2 <= now <= 4096:
            if now == self.length:
                self.votes = min(self.votes + 1, 48)
            elif self.votes:
                self.votes -= 1
            else:
                self.length, self.votes = now, 1

    def make_prefixes(self, text, at):
        column = at - self.line
        if self.votes >= 24 and column > 255:
            seen = at + 1 - self.begin >= self.length
            byte = text[at + 1 - self.length] if seen else 0
            self.above = byte, byte
            column = (at - self.begin) % self.length
        else:
            place = self.line_before + column + 1
            self.above = text[self.line] if column else 10, text[place] if place < self.line else 10
            column = min(column, 255)
        r = self.recent
        values = [
            0, r & 0xFF, r & 0xFFFF, r & 0xFFFFFF, combine(r & M32, r >> 32 & 255), self.word,
            combine(self.word, self.previous), combine(self.word, self.before),
            combine(self.first, self.word), combine(self.previous, r & 0xFF),
            0, r & 0xFFFF, r & 0xFFFFFF, 0, combine(self.first, r & 0xFF),
            combine(self.kinds, column), combine(self.shape & M32, self.shape >> 32),
            combine(self.field, self.in_field), combine(self.indent, self.first), r & 0xF0F0F0F0,
        ]  # fmt: skip
        self.put_tokens(values)
        self.prefixes = [combine(v, (i + 1) << 24 | self.salt) for i, v in enumerate(values)]

    def put_tokens(self, values):
        """Puts values made of tokens in the place of others, where there are tokens."""

    def make_hashes(self, b):
        """The hashes of what follows the byte b."""
        parts, rests = [(b >> 2) + 1] * N, [(b & 3) + 1] * N
        for i in FOLDED:
            parts[i] = ((b + 32 if 64 <= b < 96 else b) >> 2) + 1
        for i in NOT:
            parts[i] = rests[i] = 0
        for i in WITH_ABOVE:
            parts[i] |= self.above[0 if b >> 2 == 2 else 1] << 8
        self.early = list(map(combine, self.prefixes, parts))
        self.hashes = list(map(combine, self.early, rests))

    def group(self, size, half, bits):
        """Where the 16 numbers of the last `size` bytes begin, of 2^bits (9)."""
        h = ((self.recent & (1 << 8 * size) - 1) << 8 | half) * 0x9E3779B1 & M32
        return ((h ^ h >> 15) * 0x85EBCA6B & M32) >> 32 - bits & ~15


# ---- 6. The table


class Table:
    """The histories of all contexts: 2^bits bytes in lines of four slots of 16 bytes."""

    def __init__(self, bits):
        self.bytes, self.shift = bytearray(1 << bits), 38 - bits

    def find(self, line, check):
        """Where the slot with this check is in a line, taking one over if there is none."""
        at, check = line * 64, check & 255 | 1
        slot = self.bytes[at : at + 64 : 16].find(check)
        if slot >= 0:
            return at + 16 * slot
        seen = self.bytes[at + 1 : at + 64 : 16]
        at += 16 * seen.index(min(seen))
        self.bytes[at : at + 16] = bytes([check] + [0] * 15)
        return at

    def slots(self, contexts, half):
        """Where the slots [N] of all contexts are. half: 0, or the high half byte behind a 1."""
        if half == 0:
            last = (contexts.recent & 3) << 1
            return [self.find(h >> self.shift, h ^ last) for h in contexts.early]
        beside, check = (half >> 2 & 3) + 1, (half & 15) << 1
        return [self.find(h >> self.shift ^ beside, h ^ check) for h in contexts.hashes]


# ---- 8. The match model


def class_of_length(n):
    """The class, 0 to 31, of a match of n bytes."""
    if n < 16:
        return n
    if n < 32:
        return 16 + (n - 16) // 4
    if n < 64:
        return 20 + (n - 32) // 8
    return min(24 + (n - 64) // 64, 31)


class Match:
    """The longest match of what a stream read last: from `start` on stands what may come next.

    `length` is that of the match in bytes; `expected` the next byte, or None.
    """

    def __init__(self, begin):
        self.begin, self.start, self.length, self.bucket = begin, 0, 0, 0
        self.expected = None

    def learn(self, places, bits, text, at, recent):
        """Learns the byte text[at - 1]. places [2^bits]: where hashed contexts came last."""
        if self.length > 0 and text[self.start] == text[at - 1]:
            self.length += 1
            self.start += 1
        else:
            self.length = 0
        if at - self.begin >= 6:
            s = self.bucket | (text[at - 1] * 0x9E3779B1 & M32) >> 28
            place = places[s]
            if self.length == 0 and place > 0:
                most, same = min(32, place, at - self.begin), 0
                while same < most and text[place - 1 - same] == text[at - 1 - same]:
                    same += 1
                if same >= 5:
                    self.start, self.length = place, same
            places[s] = at
        if self.length > 0 and self.start < at:
            self.expected = text[self.start]
        else:
            self.length, self.expected = 0, None
        self.bucket = ((recent << 24) * 0x9E3779B97F4A7C15 & M64) >> 64 - bits & ~15
