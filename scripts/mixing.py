"""The decoder of codec 3 for decode.py, written from docs/MIXING.md alone: slow, short, no dependencies. joint.py adds codec 4.

It is a test of that text. Section numbers in the comments are those of the text. A list or product of binary32 numbers is
computed in binary64, where it is exact enough, and rounded once by being put into an `array("f")`: that gives what
binary32 arithmetic gives.
"""

from array import array
from collections import defaultdict
from itertools import chain
from operator import add, mul
from pathlib import Path

from mixing_contexts import N, Contexts, Match, Table, class_of_length, histories

# ---- 1. Numbers


def f32(x, cell=array("f", [0])):
    cell[0] = x
    return cell[0]


def learnt(p, bit, shift):
    """A probability after a bit."""
    return p + (65535 - p + (1 << shift) - 1 >> shift) if bit else p - (p + (1 << shift) - 1 >> shift)


def log2_within(x, low, high):
    return min(max(max(x, 1).bit_length() - 1, low), high)


def clamp(x):
    return min(max(x, -12.0), 12.0)


# ---- 3. The beginning


class Start:
    INPUTS, KNOWN, EACH_KNOWN = 23, 7, 256

    def __init__(self, data):
        self.data, self.at = data, 0
        self.primer = self.take(self.numbers("H", 1)[0])
        self.maps = [[1 << 15] + self.numbers("H", 256)[1:] for _ in range(N)]
        self.right = self.numbers("H", 32)
        self.row = self.numbers("H", 25)
        self.families = [[self.weights() for _ in range(sets)] for sets in (256, 1, 192, self.KNOWN)]
        self.last = self.last_weights(64)
        self.read_rest()
        assert self.at == len(data)

    def read_rest(self):
        pass

    def take(self, n):
        self.at += n
        return self.data[self.at - n : self.at]

    def numbers(self, kind, n):
        size = 2 if kind in "Hh" else 1
        part = self.take(n * size)
        return [int.from_bytes(part[i : i + size], "little", signed=kind.islower()) for i in range(0, len(part), size)]

    def weights(self, inputs=None):
        inputs = inputs or self.INPUTS
        return array("f", [w / 64 for w in self.numbers("b", inputs)] + [0] * (32 - inputs))

    def last_weights(self, sets):
        return [array("f", [w / 4096 for w in self.numbers("h", 4)]) for _ in range(sets)]


# ---- 7. Log-odds


def exp(x):
    small = x / 1024
    term = total = 1.0
    for i in range(1, 12):
        term = term * small / i
        total += term
    for _ in range(10):
        total *= total
    return total


def stretched(i):
    p = (i + 0.5) / 4096
    odds, y = p / (1 - p), 0.0
    for _ in range(40):
        e = exp(y)
        before, y = y, y + 2 * (odds - e) / (odds + e)
        if y == before:
            break  # it would not change any more
    y *= 2048
    return int(y + (0.5 if y >= 0 else -0.5)) / 2048


STRETCH = [stretched(i) for i in range(4096)]
SQUASH = array("f", [1 / (1 + exp(-(i / 32 - 12))) for i in range(770)])
NEXT_HISTORY = histories()
BUILT_IN = Start((Path(__file__).parent.parent / "src/mix/start.bin").read_bytes())


def rough(x):
    return SQUASH[round(f32(x + 12) * 32)]


# ---- 9. The mixer


class Mixer:
    RATE, LAST_RATE = f32(0.004), f32(0.0005)

    def __init__(self, families, last):
        self.families, self.last = families, last

    def mix(self, x, chosen, last):
        """Log-odds by the weight sets of these numbers. x: lanes from 23 or 26 on are 0."""
        self.x, self.chosen, self.chosen_last = x, chosen, last
        sets = [family[i] for family, i in zip(self.families, chosen)]
        # Four sums at once: lane by lane, and of each lane the families.
        sums = array("f", map(mul, chain.from_iterable(zip(*sets)), chain.from_iterable(zip(x, x, x, x))))
        for width in (64, 32, 16, 8, 4):
            sums = array("f", map(add, sums[:width], sums[width:]))
        self.y = [clamp(s) for s in sums]
        v = array("f", map(mul, self.last[last], self.y))
        self.z = clamp(f32(f32(v[0] + v[2]) + f32(v[1] + v[3])))
        return self.z

    def learn(self, b):
        for family, i, y in zip(self.families, self.chosen, self.y):
            w = family[i]
            rate = f32(self.RATE + f32(0.5 / f32(w[31] + 20)))
            step = f32(f32(b - rough(y)) * rate)
            family[i] = array("f", map(add, w, array("f", [v * step for v in self.x])))
            family[i][31] = w[31] + 1  # n[w], in a lane whose input is 0
        step = f32(f32(b - rough(self.z)) * self.LAST_RATE)
        moved = array("f", [step * y for y in self.y])
        self.last[self.chosen_last] = array("f", map(add, self.last[self.chosen_last], moved))


def fine(z):
    """The probability of log-odds, between the entries of the table."""
    place = f32(z + 12) * 32
    i = round(place)
    low, high = SQUASH[i], SQUASH[i + 1]
    return f32(low + f32(f32(high - low) * (place - i)))


class Weighing:
    """History maps, mixer and corrections, as a start has them."""

    def __init__(self, start, wide):
        self.maps = [[*m] for m in start.maps]
        known = [w for w in start.families[3] for _ in range(start.EACH_KNOWN)]
        families = [[*start.families[0]], start.families[1] * (1 << wide), [*start.families[2]], known]
        self.mixer = Mixer(families, [*start.last])
        self.corrections = [defaultdict(lambda: [*start.row]) for _ in range(3)]


# ---- 2. Order of things


class Stream:
    def __init__(self, at, weighing, contexts=None):
        self.at, self.weighing = at, weighing
        self.contexts, self.match = contexts or Contexts(at), Match(at)


class Mix:
    primed = {}

    def __init__(self, length, start):
        """length: bytes of the dictionary and the block; start: weights and probabilities to begin with."""
        self.table = Table(log2_within(1024 * length, 23, 27))
        self.place_bits = 1 + log2_within(length + len(BUILT_IN.primer), 8, 21)
        self.wide = log2_within(4 * length, 10, 16)
        self.places = array("I", bytes(4 << self.place_bits))
        self.right, self.bytes = [*start.right], [32767] * 65536
        self.weighing = Weighing(start, self.wide)
        self.text = bytearray(BUILT_IN.primer + bytes(length))
        self.read_primer()

    def read_primer(self):
        """Section 6. What it leaves is kept for blocks of the same size."""
        key = self.table.shift, self.place_bits
        if key not in self.primed:
            stream, table, (zero, one) = Stream(0, None), self.table.bytes, NEXT_HISTORY
            for byte in BUILT_IN.primer:
                for half, bits in ((0, byte >> 4), (16 | byte >> 4, byte & 15)):
                    for slot in self.table.slots(stream.contexts, half):
                        node = 1
                        for shift in (3, 2, 1, 0):
                            bit = bits >> shift & 1
                            table[slot + node] = (one if bit else zero)[table[slot + node]]
                            node = 2 * node + bit
                self.learn_byte(stream)
            self.primed[key] = self.table.bytes, self.places
        table, places = self.primed[key]
        self.table.bytes, self.places = table[:], places[:]

    def learn_byte(self, stream):
        stream.at += 1
        stream.contexts.learn(self.text, stream.at)
        stream.match.learn(self.places, self.place_bits, self.text, stream.at, stream.contexts.recent)

    def read(self, dictionary, model=None):
        """Codes a dictionary's bytes as if they had been decoded."""
        reader = Stream(len(BUILT_IN.primer), self.weighing)
        for byte in dictionary:
            bits = iter(f"{byte:08b}")
            self.code(reader, lambda p: int(next(bits)), model)

    def code(self, stream, decide, model=None):
        """Codes a byte: `decide` gives each bit, told the probability that it is 1. `model`: what a language model says of each
        (joint.py)."""
        partial, contexts, table = 1, stream.contexts, self.table.bytes
        for half in range(2):
            m = partial if half else 0
            groups = contexts.group(1, m, self.wide), contexts.group(2, m, self.wide)
            places = self.table.slots(contexts, m)
            slots = [table[p : p + 16] for p in places]
            node = 1
            for bit in range(4 * half, 4 * half + 4):
                states = [slot[node] for slot in slots]
                forced = model and model.forced()
                b = forced if model and forced is not None else self.code_bit(stream, decide, partial, bit, node, states, groups, model)
                if model:
                    model.goes(b)
                for s, slot in zip(states, slots):
                    slot[node] = NEXT_HISTORY[b][s]
                partial, node = 2 * partial + b, 2 * node + b
            for p, slot in zip(places, slots):
                table[p : p + 16] = slot
        self.text[stream.at] = partial - 256
        self.learn_byte(stream)
        return partial - 256

    def code_bit(self, stream, decide, partial, bit, node, states, groups, model):
        # 7. Log-odds and histories
        weighing = stream.weighing
        x = array("f", [STRETCH[m[s] >> 4] for m, s in zip(weighing.maps, states)] + [0] * (32 - N))
        # 8. The match model
        match, select, e = stream.match, 0, 2
        if match.expected is not None and (match.expected | 256) >> 8 - bit != partial:
            match.expected = None
        if match.expected is not None:
            e = match.expected >> 7 - bit & 1
            length = class_of_length(match.length)
            j = 256 * match.expected + partial
            s = STRETCH[self.right[length] >> 4]
            x[N], x[N + 1] = s if e else -s, STRETCH[self.bytes[j] >> 4]
            select = 1 + min(length, 22)
        x[N + 2] = 819 / 2048
        # 9. The mixer
        known, kinds = 6 - states[:6].count(0), stream.contexts.kinds
        sets = 256 * known + kinds, 8 * (kinds & 7) + bit
        if model:
            x[N + 3 : N + 6], sets = model.opinion(known, bit, e)
        chosen = partial, groups[0] + node, 8 * select + bit, sets[0]
        z = weighing.mixer.mix(x, chosen, sets[1])
        # 10. The last word
        place = f32(z + 12)
        nearest = round(place)
        off = place - nearest
        beside = nearest - 1 if off < 0 else min(nearest + 1, 24)
        rows = [c[i] for c, i in zip(weighing.corrections, (partial, groups[0] + node, groups[1] + node))]
        corrected = [f32(r[nearest] + f32((r[beside] - r[nearest]) * abs(off))) / 65536 for r in rows]
        p = f32(fine(z) * f32(0.2))
        for weight, c in zip((0.1, 0.35, 0.35), corrected):
            p = f32(p + f32(c * f32(weight)))
        b = decide(min(max(round(p * 65536), 1), 65535))
        # Everything learns the bit.
        if model:
            model.learn(b)
        for m, s in zip(weighing.maps, states):
            if s:
                m[s] = learnt(m[s], b, 8)
        if match.expected is not None:
            self.right[length] = learnt(self.right[length], b == e, 7)
            self.bytes[j] = learnt(self.bytes[j], b, 6)
        weighing.mixer.learn(b)
        for row in rows:
            row[nearest] = learnt(row[nearest], b, 6)
        return b


def decode(coder, stripes, streams, dictionary):
    """stripes: (begin, end) of each in the block, in order; streams: how many advance in lock step."""
    mix = Mix(len(dictionary) + stripes[-1][1] if stripes else len(dictionary), BUILT_IN)
    mix.read(dictionary)
    begin = len(BUILT_IN.primer) + len(dictionary)
    waiting = iter([(begin + a, begin + b) for a, b in stripes])
    going = [(Stream(a, mix.weighing), b) for a, b in (next(waiting) for _ in range(streams))]
    while going:
        after = []
        for stream, end in going:
            mix.code(stream, lambda p: coder.decide(65536 - p, p))
            if stream.at == end:
                stripe = next(waiting, None)
                if stripe is None:
                    continue
                stream, end = Stream(stripe[0], mix.weighing), stripe[1]
            after.append((stream, end))
        going = after
    return bytes(mix.text[begin:])
