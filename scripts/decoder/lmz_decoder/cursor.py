"""A place in an archive's bytes, and the numbers and checks that are read there."""

from .xxh64 import xxh64


class Cursor:
    """Reads on from byte `at` of `data`. What is not there or does not fit is a ValueError."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        """The next n bytes."""
        if self.at + n > len(self.data):
            raise ValueError(f"the archive ends at byte {len(self.data)}, in the middle of a part")
        self.at += n
        return self.data[self.at - n : self.at]

    def byte(self):
        return self.take(1)[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def expect(self, expected, what):
        """Passes over bytes that must be these; `what` names them."""
        if self.take(len(expected)) != expected:
            raise ValueError(f"at byte {self.at - len(expected)}: {what} does not fit")

    def expect_check(self, begin):
        """Passes over the check, 4 bytes, of everything from byte `begin` to here."""
        check = xxh64(self.data[begin : self.at]) & 0xFFFFFFFF
        self.expect(check.to_bytes(4, "little"), "a check")
