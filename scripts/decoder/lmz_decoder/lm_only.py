"""Codec 2 with a language model alone, after docs/FORMAT.md, by somebody who knew the program."""

from .language_model import ByteWalk


def decode(coder, length, streams, stripes, model, dictionary):
    """The `length` bytes of a block. stripes: (begin, end) of each; streams: how many advance in
    lock step."""
    first, out = model.begin(dictionary), bytearray(length)
    waiting = iter(stripes)
    going = [(*next(waiting), first.copy()) for _ in range(streams)]
    while going:
        after = []
        for at, end, state in going:
            token, text = decode_token(coder, model.vocabulary, state)
            if len(text) > end - at:
                raise ValueError("a token is longer than its stripe")
            out[at : at + len(text)] = text
            at += len(text)
            if at == end:
                stripe = next(waiting, None)
                if stripe is None:
                    continue
                at, end = stripe
            state.read(token)
            after.append((at, end, state))
        going = after
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
