"""The output of a transformer with rotary positions, bit for bit (docs/ARITHMETIC.md, version 2),
in NumPy: the reference, for one stream.

Slow and plain on purpose: every float operation is one float32 NumPy operation, each rounded by
itself, or one of Python's float64 where the text says f64; every sum of integers is exact in int64.
Section numbers below are those of docs/ARITHMETIC.md. `hub_folder` reads the files.
"""

import struct

import blake3
import numpy as np

from .rwkv7 import F, ONE, bits, exp, lane_sum, quantise, sigmoid, tanh
from .vocabulary import START

GROUP = 128  # inputs of an output that share a scale
SINKS = 4  # the first tokens, which are seen however far away they are
POSITIONS = 1 << 26  # positions count from 0 again after so many
CONTEXT = 2048  # tokens of context unless the archive says another number
LEVELS = F(32639)
GELU, CUBE, HALF = bits(0x3F4C422A), bits(0x3D372713), F(0.5)


# ---- section 2.1: products


class Matrix:
    """A stored matrix: weight [outputs, inputs] in [-127, 127], scale [outputs, groups]."""

    def __init__(self, numbers):
        groups = [[quantise(group) for group in np.split(row, range(GROUP, len(row), GROUP))]
                  for row in numbers]
        self.weight = np.array([np.concatenate([q for q, _ in row]) for row in groups], np.int64)
        self.scale = np.array([[s for _, s in row] for row in groups], F)

    def times(self, x):
        """The product [outputs] with x [inputs], which is quantised first."""
        q, scale = quantise16(x)
        y = np.zeros(len(self.weight), F)
        for group, at in enumerate(range(0, len(x), GROUP)):
            total = self.weight[:, at : at + GROUP] @ q[at : at + GROUP]
            y = y + total.astype(F) * self.scale[:, group]
        return y * scale

    def row(self, output):
        """The numbers [inputs] of an output's weights."""
        scales = np.repeat(self.scale[output], GROUP)[: self.weight.shape[1]]
        return self.weight[output].astype(F) * scales


class Linear:
    """A matrix, and what is added to its outputs or None."""

    def __init__(self, matrix, bias=None):
        self.matrix, self.bias = matrix, bias

    def times(self, x):
        y = self.matrix.times(x)
        return y if self.bias is None else y + self.bias


def quantise16(x):
    """Integer values and the scale."""
    q, scale = quantise(x, "int16")
    return q.astype(np.int64), scale


def quantise8(x):
    q, scale = quantise(x)
    return q.astype(np.int64), scale


def rms_norm(x, weight, epsilon):
    inverse = ONE / np.sqrt(lane_sum(x * x) / F(len(x)) + epsilon)
    return (x * inverse) * weight


# ---- section 2.2: positions, in f64 (Python's float)


def double(pattern):
    return struct.unpack("<d", struct.pack("<Q", pattern))[0]


QUARTER_HIGH, QUARTER_LOW = double(0x3FF921FB50000000), double(0x3E5110B4611A6263)
QUARTERS = double(0x3FE45F306DC9C883)


def cosine_and_sine(a):
    """Of an angle from 0 to 2^26, as f32."""
    n = int(a * QUARTERS + 0.5)
    r = (a - n * QUARTER_HIGH) - n * QUARTER_LOW
    square = r * r
    c = z = 1.0
    for k in range(16, 0, -2):
        c = 1.0 - c * square / (k * (k - 1))
        z = 1.0 - z * square / ((k + 1) * k)
    z = z * r
    cosine, sine = ((c, z), (-z, c), (-c, -z), (z, -c))[n % 4]
    return F(cosine), F(sine)


def turn(x, position, frequencies):
    """x [N], turned to a position; frequencies [N / 2]."""
    angles = [float(position % POSITIONS) * f for f in frequencies]
    cosine, sine = np.array([cosine_and_sine(a) for a in angles], F).T
    a, b = np.split(x, 2)
    return np.concatenate([a * cosine - b * sine, b * cosine + a * sine])


# ---- section 2.4: the model


class Reference:
    """A model: V tokens, of which `absent` are those that it lacks. `shape` has what section 2.7
    hashes before the tensors, by the names of a Shape; `tensors` [name] the tensors by their names
    without `model.` in front and `.weight` behind, each a Matrix or a vector.

    `start()` gives a fresh state; `step(token, state)` the logits of the next token.
    """

    def __init__(self, shape, tokens, absent, tensors, context=0):
        self.shape, self.tokens, self.absent, self.tensors = shape, tokens, absent, tensors
        self.context = context or min(CONTEXT, shape.longest)

    def with_context(self, context):
        """The model with another number of tokens of context; 0 for its own."""
        return Reference(self.shape, self.tokens, self.absent, self.tensors, context)

    def start(self):
        """Of each layer, lists with an element for each token that was read: of keys and values
        the integers [heads of keys, N], and their scales [heads of keys]."""
        names = "keys", "key_scales", "values", "value_scales"
        return [{name: [] for name in names} for _ in self.shape.local]

    def step(self, token, state):
        """The logits [V] of the token behind this one, with which the state goes on."""
        shape, get = self.shape, self.tensors.get
        if token == START:
            for layer in state:
                for kept in layer.values():
                    kept.clear()
        x = get("embed_tokens").row(token) * shape.embedding_scale
        for number, kept in enumerate(state):
            x = self._layer(number, f"layers.{number}.", x, kept)
        u = self._norm(x, "norm")
        logits = (get("lm_head") or get("embed_tokens")).times(u)
        logits = capped(logits, shape.logit_cap)
        logits[self.absent] = F(-np.inf)
        return logits

    def _norm(self, x, name):
        """The norm of this name; x itself where the model has none."""
        weight = self.tensors.get(name)
        return x if weight is None else rms_norm(x, weight, self.shape.epsilon)

    def _linear(self, name):
        return Linear(self.tensors[name], self.tensors.get(name + ".bias"))

    def _layer(self, number, name, x, kept):
        before, behind, inner, behind_inner = self.shape.norms
        u = self._norm(x, name + before)
        y = self._attention(self.shape.local[number], name + "self_attn.", u, kept)
        x = x + self._norm(y, name + behind)
        u = self._norm(x, name + inner)
        gate, up, down = (self.tensors[f"{name}mlp.{n}_proj"] for n in ("gate", "up", "down"))
        y = down.times(self._act(gate.times(u)) * up.times(u))
        return x + self._norm(y, name + behind_inner)

    def _act(self, g):
        if self.shape.activation == "silu":
            return g * sigmoid(g)
        return (HALF * g) * (ONE + tanh(GELU * (g + CUBE * ((g * g) * g))))

    def _attention(self, local, name, u, kept):
        shape = self.shape
        size, position = shape.head_size, len(kept["keys"])
        frequencies = shape.frequencies[local]
        queries, keys, values = (self._linear(f"{name}{n}_proj").times(u).reshape(-1, size)
                                 for n in "qkv")
        keys = [turn(self._norm(k, name + "k_norm"), position, frequencies) for k in keys]
        for what, heads in (("key", keys), ("value", values)):
            numbers, scales = zip(*map(quantise8, heads))
            kept[what + "s"].append(np.stack(numbers))
            kept[what + "_scales"].append(np.array(scales, F))
        # Section 2.3.
        local = local and shape.window < self.context
        window, sinks = (shape.window, 0) if local else (self.context - SINKS, SINKS)
        first = max(position + 1 - window, 0)
        seen = [t for t in range(position + 1) if t < sinks or t >= first]
        far = sum(t < sinks for t in seen)
        keys, key_scales, values, value_scales = (
            np.stack([kept[n][t] for t in seen])
            for n in ("keys", "key_scales", "values", "value_scales"))
        group = shape.heads // shape.key_heads
        out = []
        for number, q in enumerate(queries):
            head = number // group
            q = self._norm(q, name + "q_norm")
            at = min(position, window), position
            score = [self._scores(turn(q, p, frequencies), k, s) for p, k, s in
                     zip(at, np.split(keys[:, head], [far]), np.split(key_scales[:, head], [far]))]
            out.append(shares(np.concatenate(score), values[:, head], value_scales[:, head]))
        return self._linear(name + "o_proj").times(np.concatenate(out))

    def _scores(self, query, keys, scales):
        """Scores [tokens] of keys [tokens, N] for a query [N] that is turned."""
        q, scale = quantise16(query)
        score = ((keys @ q).astype(F) * (scale * self.shape.query_scale)) * scales
        return capped(score, self.shape.score_cap)


def shares(score, values, scales):
    """The values [tokens, N], each with its share, together."""
    e = exp(score - np.fmax.reduce(score, initial=F(-np.inf)))
    total = int(np.rint(e * LEVELS).astype(np.int64).sum())
    w, scale = quantise16(e * scales)
    return ((w @ values).astype(F) * scale) * (LEVELS / F(total))


def capped(x, cap):
    return x if cap is None else cap * tanh(x / cap)


# ---- section 2.7: identity


def identity(model, mixer=None):
    """The hash [32 bytes] by which archives name a model; mixer: the bytes of its mixer.bin."""
    shape, h = model.shape, blake3.blake3(b"lmz-transformer")

    def numbers(*values):
        h.update(struct.pack(f"<{len(values)}I", *values))

    def floats(values, kind):
        h.update(np.asarray(values).astype(kind).tobytes())

    def string(b):
        numbers(len(b))
        h.update(b)

    def tensor(name):
        t = model.tensors.get(name)
        if t is None:
            numbers(0)
        elif isinstance(t, Matrix):
            numbers(1, *t.weight.shape)
            h.update(t.weight.astype(np.int8).tobytes())
            floats(t.scale, "<f4")
        else:
            numbers(2, len(t))
            floats(t, "<f4")

    activation = {"silu": 1, "gelu": 2}[shape.activation]
    numbers(2, shape.heads, shape.key_heads, shape.head_size, activation, shape.window,
            shape.longest)
    caps = [F(0) if cap is None else cap for cap in (shape.score_cap, shape.logit_cap)]
    floats([shape.epsilon, shape.embedding_scale, shape.query_scale, *caps], "<f4")
    numbers(len(shape.local), *map(int, shape.local))
    floats([*shape.frequencies[False], *shape.frequencies[True]], "<f8")
    numbers(len(model.absent), *model.absent)
    numbers(len(model.tokens))
    for token in model.tokens:
        string(token)
    tensor("embed_tokens")
    before, behind, inner, behind_inner = shape.norms
    for number in range(len(shape.local)):
        attention = [f"self_attn.{n}_proj{part}" for n in "qkvo" for part in ("", ".bias")]
        inside = [f"mlp.{n}_proj" for n in ("gate", "up", "down")]
        for name in (before, *attention, "self_attn.q_norm", "self_attn.k_norm", behind, inner,
                     *inside, behind_inner):
            tensor(f"layers.{number}.{name}")
    tensor("norm")
    if "lm_head" in model.tensors:
        tensor("lm_head")
    numbers(int(mixer is not None))
    if mixer is not None:
        string(mixer)
    return h.digest()
