"""The range decoder of all codecs: binary decisions from a bitstream (FORMAT.md, codec 2)."""

MASK = (1 << 64) - 1


class RangeDecoder:
    """Decisions from coded bytes, which are read as big-endian words of 32 bits.

    `lower` and `range` are the current interval and `point` the number coded, of 64 bits each.
    """

    def __init__(self, coded):
        self.words = iter([int.from_bytes(coded[i : i + 4].ljust(4, b"\0"), "big")
                           for i in range(0, len(coded), 4)])
        self.past_end = 0
        self.lower, self.range = 0, MASK
        self.point = self.word() << 32 | self.word()

    def word(self):
        """The next word. The encoder leaves out at most two words of zeros at the end."""
        word = next(self.words, None)
        if word is None:
            self.past_end += 1
            if self.past_end > 2:
                raise ValueError("the coded bytes end before the block does")
        return word or 0

    def decide(self, zero, one):
        """A bit, given the masses of a 0 and of a 1; nothing is coded where one of them is 0."""
        if one == 0 or zero == 0:
            return int(zero == 0 and one != 0)
        p = min(max((one << 16) // (zero + one), 1), 65535)
        scale = self.range >> 16
        offset = (self.point - self.lower) & MASK
        if offset >= scale << 16:
            raise ValueError("the coded bytes are not what an encoder writes")
        bit = int(offset < scale * p)
        if bit:
            self.range = scale * p
        else:
            self.lower = (self.lower + scale * p) & MASK
            self.range = scale * (65536 - p)
        if self.range < 1 << 32:
            self.lower = self.lower << 32 & MASK
            self.range <<= 32
            self.point = (self.point << 32 & MASK) | self.word()
        return bit

    def bit(self, p):
        """A bit that is 1 with the probability p / 2^16, p from 1 to 65,535."""
        return self.decide(65536 - p, p)
