"""The stripes of a block, which the codecs with several streams share out (FORMAT.md)."""

LEAD = 4096  # bytes that the first of several streams codes before the others begin


def lead_end(begin, end):
    """Where the lead ends of a stream that begins with the stripe from begin to end."""
    return begin + min(LEAD, (end - begin) // 2)


def stripes(lengths, stripe):
    """The stripes [(begin, end), ...] in bytes of segments that follow each other.

    lengths: of each segment in bytes; stripe: the length of a stripe in bytes, or 0 for one stripe
    a segment. A segment's last stripe may be shorter.
    """
    begin, out = 0, []
    for length in lengths:
        step = stripe or length or 1
        out += [(begin + at, begin + min(at + step, length)) for at in range(0, length, step)]
        begin += length
    return out
