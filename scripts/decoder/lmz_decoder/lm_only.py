"""Codec 2 with a language model alone, after docs/FORMAT.md, by somebody who knew the program."""

from .language_model import ByteWalk
from .layout import lead_end


def decode(coder, length, streams, stripes, model, dictionary):
    """The `length` bytes of a block. stripes: (begin, end) of each; streams: how many advance in
    lock step."""
    first, out = model.begin(dictionary), bytearray(length)
    waiting = iter(stripes)
    going = [(*next(waiting), first.copy()) for _ in range(streams)]

    def step(at, end, state):
        """Decodes a token of a stream, and gives how the stream goes on, or nothing."""
        token, text = decode_token(coder, model.vocabulary, state)
        if len(text) > end - at:
            raise ValueError("a token is longer than its stripe")
        out[at : at + len(text)] = text
        state.read(token)
        if at + len(text) < end:
            return at + len(text), end, state
        stripe = next(waiting, None)
        return stripe and (*stripe, state)

    if model.has_lead and streams > 1:
        (at, end, state), *others = going
        limit = lead_end(at, end)
        goes_on = step(at, end, state)
        while goes_on and goes_on[1] == end and goes_on[0] < limit:
            goes_on = step(*goes_on)
        going = [goes_on] * bool(goes_on) + [(a, b, state.copy()) for a, b, _ in others]
    while going:
        going = [after for after in (step(*stream) for stream in going) if after]
    return bytes(out)


def decode_token(coder, vocabulary, state):
    """The next token of a stream: its id and its bytes."""
    prefix = b""
    while True:
        begin, end = vocabulary.range(prefix)
        longer = begin + (vocabulary.count(prefix) if prefix else 0)
        if longer > begin and coder.decide(state.mass(longer, end), state.mass(begin, longer)):
            return vocabulary.order[begin], prefix
        walk = ByteWalk(state, prefix)
        for _ in range(8):
            walk.advance(coder.decide(*walk.masses()))
        prefix += bytes([walk.low])
