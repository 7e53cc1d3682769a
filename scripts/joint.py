"""The decoder of codec 4 and of codec 2 with an RWKV-7 model for decode.py, after docs/MIXING.md, FORMAT.md and ARITHMETIC.md, by somebody
who knew the program. The network is scripts/train/reference.py, which needs NumPy, safetensors and blake3.

It is a test of those texts: it does what they say. Section numbers in the comments are those of MIXING.md.
"""

import functools
import sys
from array import array
from bisect import bisect_left
from itertools import accumulate
from pathlib import Path

import mixing
from mixing import BUILT_IN, STRETCH, Mix, Mixer, Start, Stream, Weighing, f32, fine, learnt, log2_within
from mixing_contexts import M32, Contexts, class_of_length, combine

HERE = Path(__file__).parent
sys.path.append(str(HERE / "train"))
FIRST = 8192  # bytes of a dictionary that the model reads


# ---- The language model


class Model:
    """A model folder: its network, and the trie of its tokens."""

    def __init__(self, folder):
        from reference import Reference, frequencies, identity

        self.network, self.frequencies = Reference(folder), frequencies
        self.identity = bytes.fromhex(identity(folder))
        mixer = folder / "mixer.bin"
        self.start = JointStart((mixer if mixer.exists() else HERE.parent / "models/nano/mixer.bin").read_bytes())
        self.tokens = self.network.vocabulary.tokens
        self.order = sorted(range(len(self.tokens)), key=lambda t: (self.tokens[t], t))
        self.sorted = [self.tokens[t] for t in self.order]
        prefixes = {t[:i] for t in self.tokens for i in range(len(t) + 1)}
        self.number = {p: i for i, p in enumerate(sorted(prefixes, key=lambda p: (len(p), p)))}

    @functools.cache
    def range(self, prefix):
        """The tokens that begin so, in the order of the walk."""
        begin = end = bisect_left(self.sorted, prefix)
        while end < len(self.sorted) and self.sorted[end].startswith(prefix):
            end += 1
        return begin, end

    @functools.cache
    def own(self, prefix):
        """How many tokens are these bytes."""
        return self.sorted[slice(*self.range(prefix))].count(prefix)

    def longest(self, text):
        return max((text[:n] for n in range(1, len(text) + 1) if text[:n] in self.number and self.own(text[:n])), key=len)

    def begin(self, dictionary):
        """A reader that has read what a stream's model reads first."""
        reader = Reader(self)
        reader.read(0)
        text = dictionary[-FIRST:]
        while text:
            token = self.longest(text[:64])
            reader.read(self.order[bisect_left(self.sorted, token)])
            text = text[len(token) :]
        return reader


# FORMAT.md, short frame: registered models; and one that has no number.
FOLDERS = {1: "models/nano", 2: "models/base", None: "tests/golden/tiny-model"}


@functools.cache
def registered(number):
    return Model(HERE.parent / FOLDERS[number])


def named(identity):
    """The model whose identity begins so."""
    for number in FOLDERS:
        if registered(number).identity.startswith(identity):
            return registered(number)
    raise ValueError(f"the model {identity.hex()} is not here")


class Reader:
    """What a stream's model has read, and what it expects: prefix sums in the order of the walk."""

    def __init__(self, model):
        self.model, self.state = model, model.network.start()

    def copy(self):
        other = Reader(self.model)
        other.state = [{name: x.copy() for name, x in layer.items()} for layer in self.state]
        other.sums = self.sums
        return other

    def read(self, token):
        frequencies = self.model.frequencies(self.model.network.step(token, self.state))
        self.sums = list(accumulate((int(frequencies[t]) for t in self.model.order), initial=0))

    def mass(self, begin, end):
        return self.sums[end] - self.sums[begin]


# ---- 14. What differs


class JointStart(Start):
    INPUTS, KNOWN, EACH_KNOWN = 26, 224, 1

    def read_rest(self):
        # 15.
        self.endmaps = [[1 << 15] + self.numbers("H", 256)[1:] for _ in range(6)]
        self.copies = self.numbers("H", 64)
        self.ends = [[self.weights(10) for _ in range(sets)] for sets in (64, 1, 65, 1)]
        self.ends_last = self.last_weights(8)


class TokenContexts(Contexts):
    one = two = token = 0

    def put_tokens(self, values):
        values[9], values[18] = self.one, self.two

    def learn(self, text, at):
        self.one, self.two = combine(self.one, text[at - 1] + 1), combine(self.two, text[at - 1] + 1)
        super().learn(text, at)

    def end(self, token, text, at):
        self.two, self.one = combine(combine(token, 0x51CB), self.token), combine(token, 0x3D4D)
        self.token = token
        self.make_prefixes(text, at)


class ApartContexts(Contexts):
    salt = 0x15BD1


def middle(g):
    return (g - 32768 >> 3) / 2048


class Guesses:
    """What guesses were worth: the input behind the two that a guess gives by itself."""

    def __init__(self):
        self.cells = [int(65535 * fine(f32(j // 3 / 2 - 7.75))) for j in range(96)]

    def opinion(self, g, sure, depth, known, bit, direction):
        s = round(STRETCH[g >> 4] * 2048)
        self.j = 3 * min(max(s + 16384 >> 10, 0), 31) + direction
        x = array("f", [STRETCH[g >> 4], middle(g), STRETCH[self.cells[self.j] >> 4]])
        return x, ((4 * sure + min(depth, 3)) * 7 + known, 8 * sure + bit)

    def learn(self, b):
        self.cells[self.j] = learnt(self.cells[self.j], b, 7)


class Nothing:
    """The guess beside a dictionary's bytes."""

    def __init__(self, guesses):
        self.guesses = guesses

    def forced(self):
        return None

    def goes(self, b):
        pass

    def learn(self, b):
        self.guesses.learn(b)

    def opinion(self, known, bit, direction):
        return self.guesses.opinion(32768, 7, 0, known, bit, direction)


class Below(Nothing):
    """The bits of the byte behind a prefix, as the model guesses them."""

    def __init__(self, guesses, model, reader, prefix, impossible):
        super().__init__(guesses)
        self.model, self.reader, self.prefix = model, reader, prefix
        self.sure, self.impossible = sure(reader.sums[-1]), impossible
        self.low, self.high = 0, 256

    def masses(self):
        def mass(low, high):
            begin = self.model.range(self.prefix + bytes([low]))[0]
            end = self.model.range(self.prefix + bytes([high - 1]))[1]
            out = [b for b in self.impossible if low <= b < high]
            return self.reader.mass(begin, end) - sum(self.reader.mass(*self.model.range(bytes([b]))) for b in out)

        half = (self.low + self.high) // 2
        return mass(self.low, half), mass(half, self.high)

    def forced(self):
        self.zero, self.one = self.masses()
        return None if self.zero and self.one else int(self.one > 0)

    def opinion(self, known, bit, direction):
        g = min(max((self.one << 16) // (self.zero + self.one), 1), 65535)
        return self.guesses.opinion(g, self.sure, len(self.prefix), known, bit, direction)

    def goes(self, b):
        half = (self.low + self.high) // 2
        self.low, self.high = (half, self.high) if b else (self.low, half)


def sure(t):
    """13."""
    e = (t >> 30).bit_length() - 1
    return min(2 * e + (t >> (23 + e) >= 181), 7)


# ---- 15. Whether a token ends


class Ends:
    def __init__(self, length, start):
        self.bits = log2_within(8 * length, 12, 22)
        self.history = bytearray(1 << self.bits)
        self.maps, self.copies = [[*m] for m in start.endmaps], [*start.copies]
        families = [family * (sets // len(family)) for family, sets in zip(start.ends, (64, 256, 65, 4096))]
        self.mixer = Mixer(families, [*start.ends_last])

    def decide(self, decide, contexts, node, depth, own, deeper, sure, copy):
        g = min(max((own << 16) // (own + deeper), 1), 65535)
        r = contexts.recent & M32
        keys = node, r & 0xFF, r & 0xFFFF, r & 0xFFFFFF, contexts.word, contexts.token
        places = [(combine(combine(key, i + 1), node) * 0x9E3779B1 & M32) >> 32 - self.bits for i, key in enumerate(keys)]
        seen = [self.history[place] for place in places]
        x = [STRETCH[g >> 4], *(STRETCH[m[s] >> 4] for m, s in zip(self.maps, seen))]
        x += [STRETCH[self.copies[copy] >> 4] if copy < 64 else 0, 819 / 2048, middle(g)]
        chosen = 8 * sure + min(depth, 7), r & 0xFF, copy, node & 4095
        z = self.mixer.mix(array("f", x + [0] * 22), chosen, sure)
        b = decide(min(max(round(fine(z) * 65536), 1), 65535))
        self.mixer.learn(b)
        for m, s, place in zip(self.maps, seen, places):
            if s:
                m[s] = learnt(m[s], b, 7)
            self.history[place] = mixing.NEXT_HISTORY[b][s]
        if copy < 64:
            self.copies[copy] = learnt(self.copies[copy], b, 6)
        return b


# ---- 12, 13. Order of things, and a token


class Joint:
    def __init__(self, coder, model, block, dictionary):
        self.decide, self.model = (lambda p: coder.decide(65536 - p, p)), model
        self.mix = Mix(len(dictionary) + block, model.start)
        self.guesses, self.ends = Guesses(), Ends(block, model.start)
        self.mix.read(dictionary, Nothing(self.guesses))

    def copy(self, stream, prefix):
        match, text = stream.match, self.mix.text
        if match.expected is None:
            return 64
        longer, at = prefix, match.start
        while at < stream.at:
            longer += text[at : at + 1]
            at += 1
            if longer not in self.model.number:
                break
            if self.model.own(longer):
                return 2 * class_of_length(match.length)
        return 2 * class_of_length(match.length) + 1

    def token(self, stream, reader, most):
        """Codes a token of a stream. Gives its id and bytes."""
        model, prefix, contexts = self.model, b"", stream.contexts
        before = model.tokens[contexts.token]
        impossible = [b for b in range(256) if contexts.token and model.own(before + bytes([b]))]
        while True:
            begin, end = model.range(prefix)
            if prefix and model.own(prefix):
                longer = begin + model.own(prefix)
                own, deeper = reader.mass(begin, longer), reader.mass(longer, end)
                if deeper == 0 or len(prefix) == most or self.ends.decide(
                        self.decide, contexts, model.number[prefix], len(prefix), own, deeper, sure(reader.sums[-1]),
                        self.copy(stream, prefix)):
                    return model.order[begin], prefix
            if len(prefix) == most:
                raise ValueError("a token is longer than its stripe")
            below = Below(self.guesses, model, reader, prefix, [] if prefix else impossible)
            prefix += bytes([self.mix.code(stream, self.decide, below)])


def decode(coder, segments, order, stripes, models, dictionary):
    """Codec 4. segments: (length, model or 0); order: streams and stripe; stripes: see decode.stripes."""
    model = models[next(m for _, m in segments if m) - 1]
    block = sum(length for length, _ in segments)
    joint = Joint(coder, model, block, dictionary)
    mix, begin = joint.mix, len(BUILT_IN.primer) + len(dictionary)
    apart, unread, waiting, at = None, [], [], begin
    for length, m in segments:
        if m:
            waiting += [(at + a, at + b) for a, b in stripes([length], order[1])]
        else:
            apart = apart or Weighing(BUILT_IN, mix.wide)
            unread.append((Stream(at, apart, ApartContexts(at)), at + length))
        at += length
    read = sum(length for length, m in segments if m)
    longest = -(-read // order[0])
    each = -(-3 * (block - read) // longest)
    first = model.begin(dictionary)
    waiting = iter(waiting)
    going = [(Stream(a, mix.weighing, TokenContexts(a)), b, first.copy()) for a, b in (next(waiting) for _ in range(order[0]))]
    while going or unread:
        after = []
        for stream, end, reader in going:
            token, _ = joint.token(stream, reader, end - stream.at)
            stream.contexts.end(token, mix.text, stream.at)
            if stream.at == end:
                stripe = next(waiting, None)
                if stripe is None:
                    continue
                stream, end = Stream(stripe[0], mix.weighing, TokenContexts(stripe[0])), stripe[1]
            reader.read(token)
            after.append((stream, end, reader))
        going = after
        for _ in range(each):
            if unread:
                stream, end = unread[0]
                mix.code(stream, joint.decide)
                if stream.at == end:
                    unread.pop(0)
    return bytes(mix.text[begin:])


def decode_alone(coder, block, order, stripes, model, dictionary):
    """Codec 2 with an RWKV-7 model. stripes: (begin, end)."""
    first, out = model.begin(dictionary), bytearray(block)
    waiting = iter(stripes)
    going = [(*next(waiting), first.copy()) for _ in range(order[0])]
    while going:
        after = []
        for at, end, reader in going:
            prefix = b""
            while True:
                begin, high = model.range(prefix)
                own = begin + (model.own(prefix) if prefix else 0)
                if own > begin and coder.decide(reader.mass(own, high), reader.mass(begin, own)):
                    break
                below = Below(None, model, reader, prefix, [])
                for _ in range(8):
                    below.goes(coder.decide(*below.masses()))
                prefix += bytes([below.low])
            if len(prefix) > end - at:
                raise ValueError("a token is longer than its stripe")
            out[at : at + len(prefix)] = prefix
            at += len(prefix)
            if at == end:
                stripe = next(waiting, None)
                if stripe is None:
                    continue
                at, end = stripe
            reader.read(model.order[begin])
            after.append((at, end, reader))
        going = after
    return bytes(out)
