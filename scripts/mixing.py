"""The decoder of codec 3 for decode.py, written from docs/MIXING.md alone: slow, short, no dependencies.

It is a test of that text. Section numbers in the comments are those of the text. A list or product of binary32 numbers is
computed in binary64, where it is exact enough, and rounded once by being put into an `array("f")`: that gives what
binary32 arithmetic gives.
"""

from array import array
from collections import defaultdict
from itertools import chain
from operator import add, mul
from pathlib import Path

from mixing_contexts import CLASSES_OF_LENGTHS, N, Contexts, Match, Table, histories

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
    def __init__(self, data):
        self.data, self.at = data, 0
        self.primer = self.take(self.numbers("H", 1)[0])
        self.maps = [[1 << 15] + self.numbers("H", 256)[1:] for _ in range(N)]
        self.right = self.numbers("H", 32)
        self.row = self.numbers("H", 25)
        self.families = [[self.weights() for _ in range(sets)] for sets in (256, 1, 192, 7)]
        self.last = [array("f", [w / 4096 for w in self.numbers("h", 4)]) for _ in range(64)]
        assert self.at == len(data)

    def take(self, n):
        self.at += n
        return self.data[self.at - n : self.at]

    def numbers(self, kind, n):
        size = 2 if kind in "Hh" else 1
        part = self.take(n * size)
        return [int.from_bytes(part[i : i + size], "little", signed=kind.islower()) for i in range(0, len(part), size)]

    def weights(self):
        return array("f", [w / 64 for w in self.numbers("b", 23)] + [0])


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


# ---- 2. Order of things


class Stream:
    def __init__(self, at):
        self.at, self.contexts, self.match = at, Contexts(at), Match(at)


class Mix:
    start = next_history = stretch = squash = None
    primed = {}

    def __init__(self, length):
        """length: bytes of the dictionary and the block."""
        if not Mix.start:
            Mix.start = Start((Path(__file__).parent.parent / "src/mix/start.bin").read_bytes())
            Mix.next_history = histories()
            Mix.stretch = [stretched(i) for i in range(4096)]
            Mix.squash = array("f", [1 / (1 + exp(-(i / 32 - 12))) for i in range(770)])
        start = self.start
        self.table = Table(log2_within(1024 * length, 23, 27))
        self.place_bits = 1 + log2_within(length + len(start.primer), 8, 21)
        self.wide = log2_within(4 * length, 10, 16)
        self.places = array("I", bytes(4 << self.place_bits))
        self.right, self.bytes = [*start.right], [32767] * 65536
        self.maps = [[*m] for m in start.maps]
        known = [w for w in start.families[3] for _ in range(256)]
        self.families = [[*start.families[0]], start.families[1] * (1 << self.wide), [*start.families[2]], known]
        self.last = [*start.last]
        self.corrections = [defaultdict(lambda: [*start.row]) for _ in range(3)]
        self.age, self.rate = 0, f32(0.02)
        self.text = bytearray(start.primer + bytes(length))
        self.read_primer()

    def read_primer(self):
        """Section 6. What it leaves is kept for blocks of the same size."""
        key = self.table.shift, self.place_bits
        if key not in self.primed:
            stream, table, (zero, one) = Stream(0), self.table.bytes, self.next_history
            for byte in self.start.primer:
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

    def code(self, stream, decide):
        """Codes a byte: `decide` gives each bit, told the probability that it is 1."""
        partial, contexts, table = 1, stream.contexts, self.table.bytes
        for half in range(2):
            m = partial if half else 0
            groups = contexts.group(1, m, self.wide), contexts.group(2, m, self.wide)
            places = self.table.slots(contexts, m)
            slots = [table[p : p + 16] for p in places]
            node = 1
            for bit in range(4 * half, 4 * half + 4):
                partial, node = self.code_bit(stream, decide, partial, bit, node, slots, groups)
            for p, slot in zip(places, slots):
                table[p : p + 16] = slot
        self.text[stream.at] = partial - 256
        self.age = min(self.age + 1, 65536)
        self.rate = f32(f32(0.008) + f32(f32(0.075) / (self.age + 5)))
        self.learn_byte(stream)

    def code_bit(self, stream, decide, partial, bit, node, slots, groups):
        # 7. Log-odds and histories
        stretch = self.stretch
        states = [slot[node] for slot in slots]
        x = [stretch[m[s] >> 4] for m, s in zip(self.maps, states)]
        # 8. The match model
        match, select = stream.match, 0
        if match.expected is not None and (match.expected | 256) >> 8 - bit != partial:
            match.expected = None
        if match.expected is None:
            x += [0, 0, 819 / 2048, 0]
        else:
            e = match.expected >> 7 - bit & 1
            length = CLASSES_OF_LENGTHS[match.length] if match.length < 512 else 31
            j = 256 * match.expected + partial
            s = stretch[self.right[length] >> 4]
            x += [s if e else -s, stretch[self.bytes[j] >> 4], 819 / 2048, 0]
            select = 1 + min(length, 22)
        # 9. The mixer
        known = 6 - states[:6].count(0)
        chosen = partial, groups[0] + node, 8 * select + bit, 256 * known + stream.contexts.kinds
        sets = [family[i] for family, i in zip(self.families, chosen)]
        # Four sums at once: lane by lane, and of each lane the families. Lanes from 24 on are 0.
        sums = array("f", map(mul, chain.from_iterable(zip(*sets)), chain.from_iterable(zip(x, x, x, x))))
        sums = array("f", map(add, sums[:32], sums[64:])) + sums[32:64]
        for width in (32, 16, 8, 4):
            sums = array("f", map(add, sums[:width], sums[width:]))
        y = [clamp(s) for s in sums]
        q = [self.rough(v) for v in y]
        last = 8 * (stream.contexts.kinds & 7) + bit
        v = array("f", map(mul, self.last[last], y))
        z = clamp(f32(f32(v[0] + v[2]) + f32(v[1] + v[3])))
        # 10. The last word
        place = f32(z + 12)
        nearest = round(place)
        off = place - nearest
        beside = nearest - 1 if off < 0 else min(nearest + 1, 24)
        rows = [c[i] for c, i in zip(self.corrections, (partial, groups[0] + node, groups[1] + node))]
        corrected = [f32(r[nearest] + f32((r[beside] - r[nearest]) * abs(off))) / 65536 for r in rows]
        place = f32(z + 12) * 32
        i = round(place)
        low, high = self.squash[i], self.squash[i + 1]
        p = f32(f32(low + f32(f32(high - low) * (place - i))) * f32(0.2))
        for weight, c in zip((0.1, 0.35, 0.35), corrected):
            p = f32(p + f32(c * f32(weight)))
        b = decide(min(max(round(p * 65536), 1), 65535))
        # Everything learns the bit.
        following = self.next_history[b]
        for m, s, slot in zip(self.maps, states, slots):
            if s:
                m[s] = learnt(m[s], b, 8)
            slot[node] = following[s]
        if match.expected is not None:
            self.right[length] = learnt(self.right[length], b == e, 7)
            self.bytes[j] = learnt(self.bytes[j], b, 6)
        for family, i, w, probability in zip(self.families, chosen, sets, q):
            step = f32(f32(b - probability) * self.rate)
            family[i] = array("f", map(add, w, array("f", [v * step for v in x])))
        step = f32(f32(b - self.rough(z)) * f32(0.001))
        self.last[last] = array("f", map(add, self.last[last], array("f", [step * v for v in y])))
        for row in rows:
            row[nearest] = learnt(row[nearest], b, 6)
        return 2 * partial + b, 2 * node + b

    def rough(self, x):
        return self.squash[round(f32(x + 12) * 32)]


def decode(coder, stripes, streams, dictionary):
    """stripes: (begin, end) of each in the block, in order; streams: how many advance in lock step."""
    mix = Mix(len(dictionary) + stripes[-1][1] if stripes else len(dictionary))
    at = len(mix.start.primer)
    reader = Stream(at)
    for byte in dictionary:
        bits = iter(f"{byte:08b}")
        mix.code(reader, lambda p: int(next(bits)))
    begin = at + len(dictionary)
    waiting = iter([(begin + a, begin + b) for a, b in stripes])
    going = [(Stream(a), b) for a, b in (next(waiting) for _ in range(streams))]
    while going:
        after = []
        for stream, end in going:
            mix.code(stream, lambda p: coder.decide(65536 - p, p))
            if stream.at == end:
                stripe = next(waiting, None)
                if stripe is None:
                    continue
                stream, end = Stream(stripe[0]), stripe[1]
            after.append((stream, end))
        going = after
    return bytes(mix.text[begin:])
