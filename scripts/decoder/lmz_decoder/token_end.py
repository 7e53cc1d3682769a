"""Whether a token ends, in codec 4 (MIXING.md, section 15), by a mixer of its own."""

from array import array

from .contexts import M32, combine
from .mixer import INPUTS, NEXT_HISTORY, Mixer, fine, learnt, log2_within, probability, stretch

NO_COPY = 64  # the match model expects nothing


def middle(g):
    """A probability's distance from one half, as an input of the mixer."""
    return (g - 32768 >> 3) / 2048


class TokenEndModel:
    """The models of a block of `length` bytes. history [2^bits]: hashed histories of ends."""

    def __init__(self, length, prior):
        self.bits = log2_within(8 * length, 12, 22)
        self.history = bytearray(1 << self.bits)
        self.state_maps, self.copy_map = [[*m] for m in prior.end_maps], [*prior.copy_map]
        families = [family * (sets // len(family))
                    for family, sets in zip(prior.end_families, (64, 256, 65, 4096))]
        self.mixer = Mixer(families, [*prior.end_last])

    def decide(self, decide, contexts, node, depth, masses, sure, copy):
        """Whether the token ends at trie node number `node`, after `depth` bytes.

        decide: gives the bit, told the probability that it is 1; masses: of the token that may end
        here, and of longer ones; sure: how sure the model is; copy: what the match model says."""
        own, deeper = masses
        g = min(max((own << 16) // (own + deeper), 1), 65535)
        r = contexts.recent & M32
        keys = node, r & 0xFF, r & 0xFFFF, r & 0xFFFFFF, contexts.word, contexts.token
        places = [self.place(combine(combine(key, i + 1), node)) for i, key in enumerate(keys)]
        seen = [self.history[place] for place in places]
        x = [stretch(g), *(stretch(m[s]) for m, s in zip(self.state_maps, seen))]
        x += [stretch(self.copy_map[copy]) if copy < NO_COPY else 0, 819 / 2048, middle(g)]
        chosen = 8 * sure + min(depth, 7), r & 0xFF, copy, node & 4095
        z = self.mixer.mix(array("f", x + [0] * (INPUTS - len(x))), chosen, sure)
        b = decide(probability(fine(z)))
        self.mixer.learn(b)
        for m, s, place in zip(self.state_maps, seen, places):
            if s:
                m[s] = learnt(m[s], b, 7)
            self.history[place] = NEXT_HISTORY[b][s]
        if copy < NO_COPY:
            self.copy_map[copy] = learnt(self.copy_map[copy], b, 6)
        return b

    def place(self, key):
        return (key * 0x9E3779B1 & M32) >> 32 - self.bits
