"""Language models: their folders, and what one expects next as masses over its sorted tokens.

Written from docs/FORMAT.md, sections Codec 2 and Short frame.
"""

import functools
from itertools import accumulate

from . import optional, repository
from .vocabulary import START, Vocabulary, read_tokens

FIRST = 8192  # bytes of a dictionary that the model reads


class LanguageModel:
    """A model: its identity, its network, its tokens, the bytes of its mixer.bin, and whether texts
    are cut greedily for it."""

    def __init__(self, network, identity, tokens, mixer, is_greedy):
        """mixer: the bytes of the model's own mixer.bin, or None."""
        self.network, self.frequencies = network, optional.rwkv7().frequencies
        self.identity, self.vocabulary = identity, Vocabulary(tokens)
        default = repository.DEFAULT_MIXER if is_greedy else repository.TRANSFORMER_MIXER
        self.mixer_bin = mixer or default.read_bytes()
        self.is_greedy = is_greedy
        self.has_lead = not is_greedy  # whether the first of several streams begins alone

    def begin(self, dictionary):
        """The state of a stream whose model has read what it reads first."""
        state = LmState(self)
        for token in (START, *self.vocabulary.encode(dictionary[-FIRST:])):
            state.read(token)
        return state


@functools.cache
def load(folder):
    """An RWKV-7 model."""
    rwkv7, mixer = optional.rwkv7(), folder / "mixer.bin"
    return LanguageModel(rwkv7.Reference(folder), bytes.fromhex(rwkv7.identity(folder)),
                         read_tokens(folder / "vocab.txt"),
                         mixer.read_bytes() if mixer.exists() else None, is_greedy=True)


@functools.cache
def load_transformer(folder, context=0):
    """A transformer with so many tokens of context; 0 stands for its own number."""
    if context:
        other = load_transformer(folder)
        network = other.network.with_context(context)
        return LanguageModel(network, other.identity, network.tokens, other.mixer_bin, False)
    network, identity, mixer = optional.hub_folder().load(folder)
    return LanguageModel(network, identity, network.tokens, mixer, is_greedy=False)


def registered(number):
    """The registered model of this number."""
    if number not in repository.REGISTERED:
        raise ValueError(f"the registered model {number} is not known")
    return load(repository.REGISTERED[number])


def named(identity):
    """The model whose identity begins so."""
    for folder in (*repository.REGISTERED.values(), repository.UNREGISTERED):
        if load(folder).identity.startswith(identity):
            return load(folder)
    raise ValueError(f"the model {identity.hex()} is not here")


def transformer(identity, folders, context=0):
    """The transformer of these folders whose identity begins so."""
    for folder in folders:
        if load_transformer(folder).identity.startswith(identity):
            return load_transformer(folder, context)
    raise ValueError(f"the transformer {identity.hex()} is not in a folder that was given")


class LmState:
    """What a stream's model has read, and what it expects next.

    sums [V + 1]: prefix sums of the tokens' frequencies in the order of the walk.
    """

    def __init__(self, model):
        self.model, self.state = model, model.network.start()

    def copy(self):
        other = LmState(self.model)
        other.state = [{name: x.copy() for name, x in layer.items()} for layer in self.state]
        other.sums = self.sums
        return other

    def read(self, token):
        frequencies = self.model.frequencies(self.model.network.step(token, self.state))
        order = self.model.vocabulary.order
        self.sums = list(accumulate((int(frequencies[t]) for t in order), initial=0))

    def mass(self, begin, end):
        """The frequencies of the tokens begin to end, in the order of the walk, together."""
        return self.sums[end] - self.sums[begin]


class ByteWalk:
    """The bits of the byte behind a prefix: low and high are the bounds of what it can still be."""

    def __init__(self, state, prefix, impossible=()):
        """impossible: bytes whose tokens count as having no mass."""
        self.state, self.prefix, self.impossible = state, prefix, impossible
        self.low, self.high = 0, 256

    def masses(self):
        """The masses of a 0 and of a 1."""
        half = (self.low + self.high) // 2
        return self._mass(self.low, half), self._mass(half, self.high)

    def _mass(self, low, high):
        tokens, state = self.state.model.vocabulary, self.state
        begin = tokens.range(self.prefix + bytes([low]))[0]
        end = tokens.range(self.prefix + bytes([high - 1]))[1]
        out = [bytes([b]) for b in self.impossible if low <= b < high]
        return state.mass(begin, end) - sum(state.mass(*tokens.range(b)) for b in out)

    def advance(self, b):
        half = (self.low + self.high) // 2
        self.low, self.high = (half, self.high) if b else (self.low, half)
