"""The output of an RWKV-7 model, bit for bit (docs/ARITHMETIC.md), in NumPy: the reference.

Slow and plain on purpose: every float operation is one float32 NumPy operation (+ - * / sqrt, each
rounded by itself, nothing fused), every sum has the stated order, every product of int8 is an exact
integer sum. Section numbers below are those of docs/ARITHMETIC.md.
"""

import json
import struct
from pathlib import Path

import blake3
import numpy as np
from safetensors.numpy import load_file

from .vocabulary import START, read_tokens

F = np.float32


def bits(pattern: int) -> np.float32:
    return np.uint32(pattern).view(F)


# ---- section 2: elementary functions

EXP_LOW, EXP_HIGH = F(-86.0), F(86.0)
LOG2_E = bits(0x3FB8AA3B)
LN2_HIGH, LN2_LOW = bits(0x3F318000), bits(0xB95E8083)
EXP_C = [bits(c) for c in (0x3F000000, 0x3E2AAA47, 0x3D2AAA2F, 0x3C091DC9, 0x3AB6DA3F)]
ONE, TWO = F(1), F(2)


def clamp(x, low, high):
    """NaN becomes low."""
    x = np.where(x > low, x, low)
    return np.where(x < high, x, high)


def exp(x):
    x = clamp(x, EXP_LOW, EXP_HIGH)
    n = np.rint(x * LOG2_E)
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    p = EXP_C[4]
    for c in EXP_C[3::-1]:
        p = p * r + c
    e = ((p * r) * r + r) + ONE
    return e * ((n.astype(np.int32) + 127) << 23).view(F)


def sigmoid(x):
    return ONE / (ONE + exp(-x))


def tanh(x):
    return ONE - TWO / (exp(TWO * x) + ONE)


# ---- section 3: sums, quantisation, products, norms


def lane_sum(x):
    """Sum of a vector, [..., n]: element i in lane i mod 16, lanes summed in order from +0, then a
    tree."""
    lanes = np.zeros((*x.shape[:-1], 16), F)
    for i in range(0, x.shape[-1], 16):
        part = x[..., i : i + 16]
        n = part.shape[-1]
        lanes[..., :n] = lanes[..., :n] + part
    for half in (8, 4, 2, 1):
        lanes = lanes[..., :half] + lanes[..., half:]
    return lanes[..., 0]


LEVELS = {"int8": F(127), "int16": F(127 * 256 + 127)}
TINY = bits(0x0D800000)  # 2^-100


def quantise(x, activations="int8"):
    """Integer values (held as float64, so that a product of them sums exactly) and the scale."""
    levels = LEVELS[activations]
    most = np.fmax.reduce(np.abs(x), initial=F(0))  # passes NaN over
    if most < TINY:
        return np.zeros(len(x)), F(0)
    q = clamp(np.rint(x * (levels / most)), -levels, levels)
    return q.astype(np.float64), most / levels


def integer_sums(weight, q):
    """Sums of products [M], as f32. Integers below 2^53 add exactly in any order; these fit an
    i32."""
    total = weight @ q
    assert np.all(np.abs(total) < 2.0**31)
    return total.astype(np.int32).astype(F)


def product(weight, x, activations="int8"):
    """The product [M] of weight, (int8 values [M, K] as float64, scales [M]), and x [K], which is
    quantised first."""
    q, scale = quantise(x, activations)
    if activations == "int16":
        low = (q + 128) % 256 - 128
        high = (q - low) / 256
        total = integer_sums(weight[0], high) * F(256) + integer_sums(weight[0], low)
    else:
        total = integer_sums(weight[0], q)
    return (total * scale) * weight[1]


def layer_norm(x, weight, bias, eps=F(1e-5)):
    n = F(len(x))
    mean = lane_sum(x) / n
    d = x - mean
    inverse = ONE / np.sqrt(lane_sum(d * d) / n + eps)
    return (d * inverse) * weight + bias


GROUP_EPS, NORM_LEAST, DECAY = F(64e-5), F(1e-12), F(-0.606531)


# ---- section 4: the model


class Reference:
    """The network of a model folder: L layers of width D with heads of N channels, and V tokens.

    `start()` gives a fresh state; `step(token, state)` the logits of the next token. `changes`
    replace fields of its configuration."""

    def __init__(self, folder, **changes):
        folder = Path(folder)
        self.config = json.loads((folder / "config.json").read_text()) | changes
        tensors = load_file(folder / "model.safetensors")
        for name, t in tensors.items():
            if t.dtype == F and not np.isfinite(t).all():
                raise ValueError(f"{folder}: tensor {name} has values that are not finite")
        self.vectors = {n: t for n, t in tensors.items()
                        if t.dtype == F and not n.endswith(".scale")}
        names = [n.removesuffix(".weight") for n, t in tensors.items() if t.dtype == np.int8]
        self.matrices = {n: (tensors[n + ".weight"].astype(np.float64), tensors[n + ".scale"])
                         for n in names}
        self.embedding = tensors["emb.weight"], tensors["emb.scale"]

    def start(self):
        """A fresh state: of each layer the last inputs [D] of time mix and channel mix, and the
        state S [D / N, N, N] of the recurrence."""
        c = self.config
        D, N = c["hidden_size"], c["head_dim"]
        return [{"att": np.zeros(D, F), "S": np.zeros((D // N, N, N), F), "ffn": np.zeros(D, F)}
                for _ in range(c["num_hidden_layers"])]

    def step(self, token, state):
        """The logits [V], f32, after a token. Updates the state, which START clears first."""
        if token == START:
            state[:] = self.start()
        x = self.embedding[0][token].astype(F) * self.embedding[1][token]
        v_first = None
        for i in range(self.config["num_hidden_layers"]):
            u = self._norm(x, f"blocks.{i}.ln1")
            out, v_first = self._time_mix(f"blocks.{i}.att", u, state[i], v_first)
            x = x + out
            u = self._norm(x, f"blocks.{i}.ln2")
            x = x + self._channel_mix(f"blocks.{i}.ffn", u, state[i])
        return self._product(self.matrices["head"], self._norm(x, "ln_out"))

    def _product(self, weight, x):
        return product(weight, x, self.config["activations"])

    def _norm(self, x, name):
        return layer_norm(x, self.vectors[name + ".weight"], self.vectors[name + ".bias"])

    def _time_mix(self, name, u, state, v_first):
        p = {n[len(name) + 1 :]: t for n, t in self.vectors.items() if n.startswith(name + ".")}
        m = {n[len(name) + 1 :]: t for n, t in self.matrices.items() if n.startswith(name + ".")}
        delta = state["att"] - u
        state["att"] = u
        x = {c: u + delta * p[f"x_{c}"] for c in "rwkvag"}
        r, k, v = (self._product(m[name], x[name[0]]) for name in ("receptance", "key", "value"))
        w = self._product(m["w2"], tanh(self._product(m["w1"], x["w"])))
        w = exp(DECAY * sigmoid(p["w0"] + w))
        a = sigmoid(p["a0"] + self._product(m["a2"], self._product(m["a1"], x["a"])))
        g = self._product(m["g2"], sigmoid(self._product(m["g1"], x["g"])))
        if v_first is None:
            v_first = v
        else:
            share = self._product(m["v2"], self._product(m["v1"], x["v"]))
            v = v + (v_first - v) * sigmoid(p["v0"] + share)
        kk = k * p["k_k"]
        k = k * (ONE + (a - ONE) * p["k_a"])
        # All heads at once: rows of [H, N].
        N = self.config["head_dim"]
        vectors = r, w, k, v, kk, a, p["r_k"], p["ln_x.weight"], p["ln_x.bias"]
        r, w, k, v_heads, kk, a, r_k, weight, bias = (z.reshape(-1, N) for z in vectors)
        norm = np.sqrt(lane_sum(kk * kk))[:, None]
        unit = kk / np.where(norm > NORM_LEAST, norm, NORM_LEAST)
        y = self._state_update(state["S"], r, w, k, v_heads, -unit, unit * a)
        d = y - (lane_sum(y) / F(N))[:, None]
        inverse = (ONE / np.sqrt(lane_sum(d * d) / F(N) + GROUP_EPS))[:, None]
        bonus = lane_sum((r * k) * r_k)[:, None]
        y = ((d * inverse) * weight + bias) + bonus * v_heads
        return self._product(m["output"], y.reshape(-1) * g), v_first

    def _state_update(self, S, *vectors):
        """S [H, N rows, N columns], in place; the vectors r, w, k, v, a, b [H, N]; every sum runs
        over the columns j in order, from +0. Returns y [H, N]."""
        r, w, k, v, a, b = vectors
        sa, y = np.zeros_like(v), np.zeros_like(v)
        r, w, k, a, b = (z[:, :, None] for z in (r, w, k, a, b))
        for j in range(S.shape[-1]):
            sa = sa + S[:, :, j] * a[:, j]
        for j in range(S.shape[-1]):
            S[:, :, j] = (S[:, :, j] * w[:, j] + sa * b[:, j]) + v * k[:, j]
            y = y + S[:, :, j] * r[:, j]
        return y

    def _channel_mix(self, name, u, state):
        x = u + (state["ffn"] - u) * self.vectors[name + ".x_k"]
        state["ffn"] = u
        h = self._product(self.matrices[name + ".key"], x)
        h = np.where(h > 0, h, F(0))
        return self._product(self.matrices[name + ".value"], h * h)


# ---- section 5: from logits to integer frequencies


def frequencies(logits, no_mass=(START,)):
    """u64 frequencies [V]: floor(exp(logit - max) * 2^30) + 1, and 0 for ids without mass."""
    has = np.ones(len(logits), bool)
    has[list(no_mass)] = False
    e = exp(logits - np.fmax.reduce(logits[has], initial=F(-np.inf)))
    f = np.floor(e * F(2.0**30)).astype(np.uint64) + np.uint64(1)
    return np.where(has, f, np.uint64(0))


# ---- section 7: identity


def identity(folder, **changes):
    """The hash by which archives name a model, in hexadecimal. `changes` replace fields of its
    configuration."""
    config = json.loads((Path(folder) / "config.json").read_text()) | changes
    tokens = read_tokens(Path(folder) / "vocab.txt")
    tensors = load_file(Path(folder) / "model.safetensors")
    unused = [f"blocks.0.att.{n}" for n in ("v0", "v1.weight", "v1.scale", "v2.weight", "v2.scale")]
    tensors = {n: t for n, t in tensors.items() if n not in unused}

    def string(b):
        return struct.pack("<I", len(b)) + b

    bits = {"int8": 8, "int16": 16}[config["activations"]]
    h = blake3.blake3(b"lmz-rwkv7")
    h.update(struct.pack("<5I", config["arithmetic"], bits, config["head_dim"], START, 1))
    h.update(struct.pack("<I", len(tokens)) + b"".join(map(string, tokens)))
    h.update(struct.pack("<I", len(tensors)))
    for name in sorted(tensors, key=str.encode):
        t = tensors[name]
        if t.dtype != np.int8:
            t = t.reshape(-1)
        h.update(string(name.encode()) + bytes([1 if t.dtype == np.int8 else 2]))
        h.update(struct.pack(f"<I{t.ndim}Q", t.ndim, *t.shape))
        h.update(t.astype(t.dtype.newbyteorder("<")).tobytes())
    mixer = Path(folder) / "mixer.bin"
    h.update(struct.pack("<I", int(mixer.exists())))
    if mixer.exists():
        h.update(string(b"mixer.bin") + string(mixer.read_bytes()))
    return h.hexdigest()
