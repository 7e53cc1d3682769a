"""What mixes predictions: numbers, tables, weights to begin with, and the mixer itself.

Written from docs/MIXING.md alone, whose section numbers are in the comments. A list or product of
binary32 numbers is computed in binary64, where it is exact enough, and rounded once by being put
into an `array("f")`: that gives what binary32 arithmetic gives.

A probability is an integer from 0 to 65,535 in units of 2^-16, unless said otherwise.
"""

from array import array
from collections import defaultdict
from itertools import chain
from operator import add, mul

from . import repository
from .contexts import N, histories

INPUTS = 32  # lanes of the mixer's input, of which the last are 0

# ---- 1. Numbers


def f32(x, cell=array("f", [0])):
    """A number rounded to binary32."""
    cell[0] = x
    return cell[0]


def learnt(p, bit, shift):
    """A probability after a bit."""
    if bit:
        return p + (65535 - p + (1 << shift) - 1 >> shift)
    return p - (p + (1 << shift) - 1 >> shift)


def log2_within(x, low, high):
    """log2 of x, rounded down, within low and high."""
    return min(max(max(x, 1).bit_length() - 1, low), high)


def clamp(x):
    return min(max(x, -12.0), 12.0)


def probability(p):
    """A probability of 0 to 1 as the coder takes it: 1 to 65,535."""
    return min(max(round(p * 65536), 1), 65535)


# ---- 3. The beginning


class Prior:
    """Weights and probabilities to begin with, from the bytes of a start.bin.

    primer: a text that the models have read. state_maps [N][256] and match_map [32]: probabilities.
    apm_row [25]: a row of each correction. families: of each the weight sets [INPUTS]. last: the
    weight sets [4] of the last mixer.
    """

    USED_INPUTS, KNOWN, EACH_KNOWN = 23, 7, 256
    # Stored sets of the second and third family, and whether those of the second are copies.
    SECOND, THIRD, COPIED = 1, 192, True
    POINTS = 25  # of a row of each correction; 0 if there are none
    # How fast a set learns: (0.004 + 0.5 / (n + 20)), and the last mixer.
    RATES, LAST_RATE = (0.004, 0.5, 20), 0.0005

    def __init__(self, data):
        self.data, self.at = data, 0
        self.primer = self.take(self.numbers("H", 1)[0])
        self.state_maps = [[1 << 15] + self.numbers("H", 256)[1:] for _ in range(N)]
        self.match_map = self.numbers("H", 32)
        self.apm_row = self.numbers("H", self.POINTS)
        self.families = [[self.weights() for _ in range(sets)]
                         for sets in (256, self.SECOND, self.THIRD, self.KNOWN)]
        self.last = self.last_weights(64)
        self.read_rest()
        assert self.at == len(data)

    def read_rest(self):
        """Reads what a file of another kind has in addition."""

    def take(self, n):
        self.at += n
        return self.data[self.at - n : self.at]

    def numbers(self, kind, n):
        """n little-endian integers, by the letters of struct: b and h are signed, H is not."""
        size = 2 if kind in "Hh" else 1
        part = self.take(n * size)
        return [int.from_bytes(part[i : i + size], "little", signed=kind.islower())
                for i in range(0, len(part), size)]

    def weights(self, inputs=None):
        """A weight set, of which this many lanes are stored."""
        inputs = inputs or self.USED_INPUTS
        return array("f", [w / 64 for w in self.numbers("b", inputs)] + [0] * (INPUTS - inputs))

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
BUILT_IN = Prior(repository.START.read_bytes())


def stretch(p):
    """The log-odds of a probability."""
    return STRETCH[p >> 4]


def rough(x):
    """The probability, 0 to 1, of log-odds."""
    return SQUASH[round(f32(x + 12) * 32)]


def fine(z):
    """The probability, 0 to 1, of log-odds, between the entries of the table (10)."""
    place = f32(z + 12) * 32
    i = round(place)
    low, high = SQUASH[i], SQUASH[i + 1]
    return f32(low + f32(f32(high - low) * (place - i)))


# ---- 9. The mixer


class Mixer:
    """A mixer of two layers: in each of four families a chosen weight set, then one of the last."""

    def __init__(self, families, last, rates=Prior.RATES, last_rate=Prior.LAST_RATE):
        """families [4][sets] of weight sets [INPUTS]; last [sets] of weight sets [4]."""
        self.families, self.last = families, last
        self.least, self.more, self.half = map(f32, rates)
        self.last_rate = f32(last_rate)

    def mix(self, x, chosen, last):
        """The log-odds of a 1 from x [INPUTS], whose unused lanes are 0.

        chosen [4]: the number of each family's weight set; last: that of the last mixer's."""
        self.x, self.chosen, self.chosen_last = x, chosen, last
        sets = [family[i] for family, i in zip(self.families, chosen)]
        # Four sums at once: lane by lane, and of each lane the families.
        weights = chain.from_iterable(zip(*sets))
        sums = array("f", map(mul, weights, chain.from_iterable(zip(x, x, x, x))))
        for width in (64, 32, 16, 8, 4):
            sums = array("f", map(add, sums[:width], sums[width:]))
        self.y = [clamp(s) for s in sums]
        v = array("f", map(mul, self.last[last], self.y))
        self.z = clamp(f32(f32(v[0] + v[2]) + f32(v[1] + v[3])))
        return self.z

    def learn(self, b):
        """Learns the bit that came after `mix`."""
        for family, i, y in zip(self.families, self.chosen, self.y):
            w = family[i]
            rate = f32(self.least + f32(self.more / f32(w[31] + self.half)))
            step = f32(f32(b - rough(y)) * rate)
            family[i] = array("f", map(add, w, array("f", [v * step for v in self.x])))
            family[i][31] = w[31] + 1  # n[w], in a lane whose input is 0
        step = f32(f32(b - rough(self.z)) * self.last_rate)
        moved = array("f", [step * y for y in self.y])
        self.last[self.chosen_last] = array("f", map(add, self.last[self.chosen_last], moved))


class MixerStage:
    """What turns histories into a prediction, as a Prior has it at the beginning of a block.

    state_maps [N][256]: the text's history maps; apms: its three corrections (adaptive probability
    maps), each by row a list of 25 probabilities. wide: log2 of the weight sets of family 1.
    """

    def __init__(self, prior, wide):
        self.state_maps = [[*m] for m in prior.state_maps]
        known = [w for w in prior.families[3] for _ in range(prior.EACH_KNOWN)]
        first, second, third, _ = prior.families
        second = second * (1 << wide) if prior.COPIED else [*second]
        families = [[*first], second, [*third], known]
        self.mixer = Mixer(families, [*prior.last], prior.RATES, prior.LAST_RATE)
        corrections = 3 if prior.POINTS else 0
        self.apms = [defaultdict(lambda: [*prior.apm_row]) for _ in range(corrections)]


def refined(z, rows):
    """The coder's probability of log-odds z, given a row of each correction (10).

    Gives with it the point of the rows that learns the bit."""
    place = f32(z + 12)
    nearest = round(place)
    off = place - nearest
    beside = nearest - 1 if off < 0 else min(nearest + 1, 24)
    p = f32(fine(z) * f32(0.2))
    for weight, row in zip((0.1, 0.35, 0.35), rows):
        c = f32(row[nearest] + f32((row[beside] - row[nearest]) * abs(off))) / 65536
        p = f32(p + f32(c * f32(weight)))
    return probability(p), nearest
