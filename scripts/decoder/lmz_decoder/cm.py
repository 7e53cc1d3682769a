"""Codec 3, context mixing (CM), written from docs/MIXING.md alone.

Section numbers in the comments are those of that text.
"""

from array import array

from .contexts import N, Contexts, Match, Table, class_of_length
from .mixer import (
    BUILT_IN, INPUTS, NEXT_HISTORY, MixerStage, fine, learnt, log2_within, probability, refined,
    stretch,
)

# ---- 2. Order of things


class Stream:
    """What a stream has for itself: its position `at` in the text, its contexts and its match.

    stage: the MixerStage that it shares with others; None for one that only reads the primer.
    """

    def __init__(self, at, stage, contexts=None):
        self.at, self.stage = at, stage
        self.contexts, self.match = contexts or Contexts(at), Match(at)


class ContextMixer:
    """The models that all streams of a block share, and its text: primer, dictionary, block."""

    primed = {}  # table and places after the primer, by their sizes

    def __init__(self, length, prior, primer=BUILT_IN.primer):
        """length: bytes of the dictionary and the block together."""
        self.primer = primer
        self.table = Table(log2_within(1024 * length, 23, 27))
        self.place_bits = 1 + log2_within(length + len(primer), 8, 21)
        self.wide = log2_within(4 * length, 10, 16)
        self.places = array("I", bytes(4 << self.place_bits))
        self.match_map, self.byte_map = [*prior.match_map], [32767] * 65536
        self.stage = MixerStage(prior, self.wide)
        self.text = bytearray(primer + bytes(length))
        self.read_primer()

    def read_primer(self):
        """Reads the primer (6). What it leaves is kept for blocks of the same size."""
        key = self.table.shift, self.place_bits, self.primer
        if key not in self.primed:
            stream, table, (zero, one) = Stream(0, None), self.table.bytes, NEXT_HISTORY
            for byte in self.primer:
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

    def read_dictionary(self, dictionary, hint=None):
        """Codes a dictionary's bytes as if they had been decoded."""
        stream = Stream(len(self.primer), self.stage)
        for byte in dictionary:
            bits = iter(f"{byte:08b}")
            self.code(stream, lambda p: int(next(bits)), hint)

    def learn_byte(self, stream):
        """A byte has come at the stream's position."""
        stream.at += 1
        contexts = stream.contexts
        contexts.learn(self.text, stream.at)
        stream.match.learn(self.places, self.place_bits, self.text, stream.at, contexts.recent)

    def code(self, stream, decide, hint=None):
        """Decodes a byte of a stream. `decide` gives each bit, told the probability that it is 1;
        hint: what a language model says of each, or None (lm_cm.DictionaryHint)."""
        partial, contexts, table = 1, stream.contexts, self.table.bytes
        for half in range(2):
            m = partial if half else 0
            groups = contexts.group(1, m, self.wide), contexts.group(2, m, self.wide)
            places = self.table.slots(contexts, m)
            slots = [table[p : p + 16] for p in places]
            node = 1
            for bit in range(4 * half, 4 * half + 4):
                states = [slot[node] for slot in slots]
                b = hint.forced() if hint else None
                if b is None:
                    b = self.code_bit(stream, decide, partial, bit, node, states, groups, hint)
                if hint:
                    hint.advance(b)
                for s, slot in zip(states, slots):
                    slot[node] = NEXT_HISTORY[b][s]
                partial, node = 2 * partial + b, 2 * node + b
            for p, slot in zip(places, slots):
                table[p : p + 16] = slot
        self.text[stream.at] = partial - 256
        self.learn_byte(stream)
        return partial - 256

    def code_bit(self, stream, decide, partial, bit, node, states, groups, hint):
        """Decodes bit `bit` of a byte, of which `partial` has the bits so far behind a 1.

        node: that of the half byte; states [N]: its histories; groups: those of order 1 and 2."""
        # 7. Log-odds and histories
        stage = stream.stage
        inputs = [stretch(m[s]) for m, s in zip(stage.state_maps, states)]
        x = array("f", inputs + [0] * (INPUTS - N))
        # 8. The match model
        match, select, direction = stream.match, 0, 2
        if match.expected is not None and (match.expected | 256) >> 8 - bit != partial:
            match.expected = None
        if match.expected is not None:
            direction = match.expected >> 7 - bit & 1
            length = class_of_length(match.length)
            j = 256 * match.expected + partial
            s = stretch(self.match_map[length])
            x[N], x[N + 1] = s if direction else -s, stretch(self.byte_map[j])
            select = 1 + min(length, 22)
        x[N + 2] = 819 / 2048
        # 9. The mixer
        known, kinds = 6 - states[:6].count(0), stream.contexts.kinds
        sets = 256 * known + kinds, 8 * (kinds & 7) + bit
        if hint:
            x[N + 3 : N + 6], sets = hint.inputs(known, bit, direction)
        second, third = groups[0] + node, 8 * select + bit
        if not stage.apms:  # 16
            second, third = kinds, 2 * select + (direction == 1)
        z = stage.mixer.mix(x, (partial, second, third, sets[0]), sets[1])
        # 10. The last word
        chosen = partial, groups[0] + node, groups[1] + node
        rows = [apm[i] for apm, i in zip(stage.apms, chosen)]
        p, point = refined(z, rows) if rows else (probability(fine(z)), None)
        b = decide(p)
        # Everything learns the bit.
        if hint:
            hint.learn(b)
        for m, s in zip(stage.state_maps, states):
            if s:
                m[s] = learnt(m[s], b, 8)
        if match.expected is not None:
            self.match_map[length] = learnt(self.match_map[length], b == direction, 7)
            self.byte_map[j] = learnt(self.byte_map[j], b, 6)
        stage.mixer.learn(b)
        for row in rows:
            row[point] = learnt(row[point], b, 6)
        return b


def decode(coder, stripes, streams, dictionary):
    """The bytes of a block of codec 3. stripes: (begin, end) of each in the block, in order;
    streams: how many advance in lock step."""
    mixer = ContextMixer(len(dictionary) + (stripes[-1][1] if stripes else 0), BUILT_IN)
    mixer.read_dictionary(dictionary)
    begin = len(BUILT_IN.primer) + len(dictionary)
    waiting = iter([(begin + a, begin + b) for a, b in stripes])
    going = [(Stream(a, mixer.stage), b) for a, b in (next(waiting) for _ in range(streams))]
    while going:
        after = []
        for stream, end in going:
            mixer.code(stream, coder.bit)
            if stream.at == end:
                stripe = next(waiting, None)
                if stripe is None:
                    continue
                stream, end = Stream(stripe[0], mixer.stage), stripe[1]
            after.append((stream, end))
        going = after
    return bytes(mixer.text[begin:])
