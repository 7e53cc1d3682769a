"""Codec 4, a language model (LM) and context mixing (CM), after docs/MIXING.md, sections 12 to 15.

By somebody who knew the program. Section numbers in the comments are those of MIXING.md.
"""

from array import array

from .cm import ContextMixer, Stream
from .contexts import Contexts, class_of_length, combine
from .language_model import ByteWalk
from .layout import lead_end, stripes
from .mixer import BUILT_IN, MixerStage, Prior, f32, fine, learnt, stretch
from .token_end import NO_COPY, TokenEndModel, middle

# ---- 14. What differs


class LmPrior(Prior):
    """What a mixer.bin holds: a Prior, and what the models of token ends begin with."""

    USED_INPUTS, KNOWN, EACH_KNOWN = 26, 224, 1

    def read_rest(self):
        # 15.
        self.end_maps = [[1 << 15] + self.numbers("H", 256)[1:] for _ in range(6)]
        self.copy_map = self.numbers("H", 64)
        self.end_families = [[self.weights(10) for _ in range(sets)] for sets in (64, 1, 65, 1)]
        self.end_last = self.last_weights(8)


class TransformerPrior(LmPrior):
    """What it holds beside a transformer (16)."""

    SECOND, THIRD, COPIED, POINTS = 256, 48, False, 0
    RATES, LAST_RATE = (0.002, 0.3, 30), 0.0002


class TokenContexts(Contexts):
    """The contexts of a stream of tokens: two of them are made of tokens."""

    one = two = token = 0

    def put_tokens(self, values):
        values[9], values[18] = self.one, self.two

    def learn(self, text, at):
        b = text[at - 1]
        self.one, self.two = combine(self.one, b + 1), combine(self.two, b + 1)
        super().learn(text, at)

    def end(self, token, text, at):
        """The token with this id has ended at position `at`."""
        self.two, self.one = combine(combine(token, 0x51CB), self.token), combine(token, 0x3D4D)
        self.token = token
        self.make_prefixes(text, at)


class ByteContexts(Contexts):
    """The contexts of a stream of bytes beside streams of tokens."""

    salt = 0x15BD1


class LmInputs:
    """The mixer's three inputs from a guess, one of them from what such guesses were worth."""

    def __init__(self):
        self.cells = [int(65535 * fine(f32(j // 3 / 2 - 7.75))) for j in range(96)]

    def inputs(self, g, sure, depth, known, bit, direction):
        """The inputs [3], and the weight sets of family 3 and of the last mixer.

        g: the guess, a probability; depth: bytes of the token before; known, direction: as in
        ContextMixer.code_bit."""
        s = round(stretch(g) * 2048)
        self.j = 3 * min(max(s + 16384 >> 10, 0), 31) + direction
        x = array("f", [stretch(g), middle(g), stretch(self.cells[self.j])])
        return x, ((4 * sure + min(depth, 3)) * 7 + known, 8 * sure + bit)

    def learn(self, b):
        self.cells[self.j] = learnt(self.cells[self.j], b, 7)


class DictionaryHint:
    """What is said beside a dictionary's bytes, which the model does not guess."""

    def __init__(self, lm_inputs):
        self.lm_inputs = lm_inputs

    def forced(self):
        """The bit that is certain, or None."""
        return None

    def inputs(self, known, bit, direction):
        return self.lm_inputs.inputs(32768, 7, 0, known, bit, direction)

    def learn(self, b):
        """Learns a bit that was coded."""
        self.lm_inputs.learn(b)

    def advance(self, b):
        """A bit has come, coded or not."""


class LmHint(DictionaryHint):
    """What a language model guesses of the bits of the byte behind a prefix."""

    def __init__(self, lm_inputs, state, prefix, impossible):
        super().__init__(lm_inputs)
        self.walk = ByteWalk(state, prefix, impossible)
        self.sure, self.depth = how_sure(state.sums[-1]), len(prefix)

    def forced(self):
        self.zero, self.one = self.walk.masses()
        return None if self.zero and self.one else int(self.one > 0)

    def inputs(self, known, bit, direction):
        g = min(max((self.one << 16) // (self.zero + self.one), 1), 65535)
        return self.lm_inputs.inputs(g, self.sure, self.depth, known, bit, direction)

    def advance(self, b):
        self.walk.advance(b)


def how_sure(total):
    """How sure the model is, 0 to 7, by the sum of all frequencies (13)."""
    e = (total >> 30).bit_length() - 1
    return min(2 * e + (total >> (23 + e) >= 181), 7)


# ---- 12, 13. Order of things, and a token


class TokenDecoder:
    """Decodes the tokens of a block of `length` bytes, by models that all its streams share."""

    def __init__(self, coder, model, length, dictionary):
        self.coder, self.vocabulary, self.is_greedy = coder, model.vocabulary, model.is_greedy
        # Of exact models transformers alone are not cut greedily.
        if model.is_greedy:
            prior, primer = LmPrior(model.mixer_bin), BUILT_IN.primer
        else:
            prior, primer = TransformerPrior(model.mixer_bin), b""
        self.mixer = ContextMixer(len(dictionary) + length, prior, primer)
        self.lm_inputs, self.ends = LmInputs(), TokenEndModel(length, prior)
        self.mixer.read_dictionary(dictionary, DictionaryHint(self.lm_inputs))

    def stream(self, at):
        return Stream(at, self.mixer.stage, TokenContexts(at))

    def copy(self, stream, prefix):
        """What the match model says of a token that begins so: whether it goes on (15)."""
        match, text = stream.match, self.mixer.text
        if match.expected is None:
            return NO_COPY
        longer, at = prefix, match.start
        while at < stream.at:
            longer += text[at : at + 1]
            at += 1
            if longer not in self.vocabulary.number:
                break
            if self.vocabulary.count(longer):
                return 2 * class_of_length(match.length)
        return 2 * class_of_length(match.length) + 1

    def token(self, stream, state, most):
        """Decodes a token of a stream, of at most `most` bytes, and gives its id."""
        vocabulary, prefix, contexts = self.vocabulary, b"", stream.contexts
        before = vocabulary.tokens[contexts.token]
        impossible = [b for b in range(256) if self.is_greedy
                      and contexts.token and vocabulary.count(before + bytes([b]))]
        while not self.token_ends(stream, state, prefix, most):
            if len(prefix) == most:
                raise ValueError("a token is longer than its stripe")
            hint = LmHint(self.lm_inputs, state, prefix, () if prefix else impossible)
            prefix += bytes([self.mixer.code(stream, self.coder.bit, hint)])
        return vocabulary.order[vocabulary.range(prefix)[0]]

    def token_ends(self, stream, state, prefix, most):
        count = self.vocabulary.count(prefix)
        if not prefix or not count:
            return False
        begin, end = self.vocabulary.range(prefix)
        own, deeper = state.mass(begin, begin + count), state.mass(begin + count, end)
        if deeper == 0 or len(prefix) == most:
            return True
        node, sure = self.vocabulary.number[prefix], how_sure(state.sums[-1])
        return self.ends.decide(self.coder.bit, stream.contexts, node, len(prefix), (own, deeper),
                                sure, self.copy(stream, prefix))


def decode(coder, segments, order, models, dictionary):
    """The bytes of a block of codec 4. segments: (length, number of the model, or 0 for a stream of
    bytes) of each; order: how many streams of tokens there are, and the length of a stripe."""
    model = models[next(number for _, number in segments if number) - 1]
    length = sum(n for n, _ in segments)
    decoder = TokenDecoder(coder, model, length, dictionary)
    mixer, begin = decoder.mixer, len(decoder.mixer.primer) + len(dictionary)
    waiting, byte_streams, byte_stage, at = [], [], None, begin
    for n, number in segments:
        if number:
            waiting += [(at + a, at + b) for a, b in stripes([n], order[1])]
        else:
            byte_stage = byte_stage or MixerStage(BUILT_IN, mixer.wide)
            byte_streams.append((Stream(at, byte_stage, ByteContexts(at)), at + n))
        at += n
    read = sum(n for n, number in segments if number)
    longest = -(-read // order[0])
    each = -(-3 * (length - read) // longest)  # bytes of byte streams after a token of each stream
    first = model.begin(dictionary)
    waiting = iter(waiting)
    begun = [next(waiting) for _ in range(order[0])]
    going = [(decoder.stream(a), b, first.copy()) for a, b in begun]

    def step(stream, end, state):
        """Decodes a token of a stream, and gives how the stream goes on, or nothing."""
        token = decoder.token(stream, state, end - stream.at)
        stream.contexts.end(token, mixer.text, stream.at)
        state.read(token)
        if stream.at < end:
            return stream, end, state
        stripe = next(waiting, None)
        return stripe and (decoder.stream(stripe[0]), stripe[1], state)

    if model.has_lead and order[0] > 1:
        (stream, end, state), *others = going
        limit = lead_end(stream.at, end)
        goes_on = step(stream, end, state)
        while goes_on and goes_on[0] is stream and stream.at < limit:
            goes_on = step(stream, end, state)
        going = [goes_on] * bool(goes_on) + [(s, e, state.copy()) for s, e, _ in others]
    while going or byte_streams:
        going = [after for after in (step(*stream) for stream in going) if after]
        for _ in range(each):
            if byte_streams:
                stream, end = byte_streams[0]
                mixer.code(stream, coder.bit)
                if stream.at == end:
                    byte_streams.pop(0)
    return bytes(mixer.text[begin:])
