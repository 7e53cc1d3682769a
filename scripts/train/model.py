"""RWKV-7 ("Goose") in PyTorch, with the engine's quantisation in the forward pass.

The names of the parameters are those of the official checkpoints. The step-by-step definition that
the Rust engine follows is docs/ARITHMETIC.md; the second decoder has it bit for bit. This module
computes the same thing in windows of T tokens, for training.

Shapes: B streams, T tokens a window, D channels, H heads of N channels, V tokens.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

from quant import fake
from wkv import wkv

DECAY = -0.606531  # -e^(-1/2); w = exp(DECAY * sigmoid(...)) lies in (0.545, 1)


@dataclass
class Config:
    layers: int
    width: int
    vocab: int
    head: int = 32
    rank_w: int = 32
    rank_a: int = 32
    rank_v: int = 32
    rank_g: int = 64
    ffn: int = 4  # width of the channel mix in multiples of D

    def dict(self):
        return asdict(self)


SIZES = {
    "nano": Config(layers=6, width=192, vocab=4096),
    "base": Config(layers=8, width=256, vocab=8192),
    "large": Config(layers=12, width=512, vocab=16384, rank_w=64, rank_a=64, rank_g=128),
    # For tests.
    "tiny": Config(layers=2, width=64, vocab=512, rank_w=16, rank_a=16, rank_v=16, rank_g=32),
}


# The element-wise work between the products, in pieces that torch.compile fuses. Each is compiled
# once and serves all layers, which takes seconds; compiling the whole model takes minutes, and on
# CPU torch 2.11 fails at it (its fusion of the per-head sums).


def _grid(x, quantised: bool):
    return fake(x) if quantised else x


def _shifted(u, before, keep):
    """The vectors one step earlier: before [B, D] comes ahead of u [B, T, D]; 0 where a document
    begins."""
    return torch.cat([before[:, None], u[:, :-1]], 1) * keep


def _norm(x, weight, bias):
    return F.layer_norm(x, x.shape[-1:], weight, bias, 1e-5)


def _mixed(u, before, keep, shares, q: bool):
    delta = _shifted(u, before, keep) - u
    return tuple(_grid(u + delta * m, q) for m in shares)


def _tanh(x, q: bool):
    return _grid(torch.tanh(x), q)


def _sigmoid(x, q: bool):
    return _grid(torch.sigmoid(x), q)


def _relu_squared(x, q: bool):
    return _grid(torch.relu(x).square(), q)


def _gates(w, a, k, w0, a0, k_k, k_a, heads):
    """Decay w, key k, a and b of the recurrence, per head, from the products' results [B, T, D]."""
    w = torch.exp(DECAY * torch.sigmoid(w0 + w))
    a = torch.sigmoid(a0 + a)
    kk = (k * k_k).view(heads)
    kk = kk / kk.square().sum(-1, keepdim=True).sqrt().clamp_min(1e-12)
    k = k * (1 + (a - 1) * k_a)
    return w, k, -kk, kk * a.view(heads)


def _blend(v, v_first, gate, v0):
    return v + (v_first - v) * torch.sigmoid(v0 + gate)


def _readout(y, r, k, v, g, r_k, ln_w, ln_b, q: bool):
    """Group norm over each head of y, the bonus of the current token, the gate: [B, T, H, N] to
    [B, T, D]."""
    mean = y.mean(-1, keepdim=True)
    var = (y - mean).square().mean(-1, keepdim=True)
    y = ((y - mean) * torch.rsqrt(var + 64e-5)).flatten(-2) * ln_w + ln_b
    bonus = (r * k * r_k.view(y.shape[-1] // r.shape[-1], -1)).sum(-1, keepdim=True) * v
    return _grid((y + bonus.flatten(-2)) * g, q)


def _grids(weights: list, quantised: bool):
    return [_grid(w, quantised) for w in weights]


def compile_pieces():
    """Compiles the element-wise pieces; without it they run as they stand. A second call does
    nothing."""
    if hasattr(_grids, "_torchdynamo_orig_callable"):
        return
    for name in ("_mixed", "_norm", "_tanh", "_sigmoid", "_relu_squared", "_gates", "_blend",
                 "_readout", "_grids"):
        globals()[name] = torch.compile(globals()[name], dynamic=False)


class TimeMix(nn.Module):
    def __init__(self, c: Config, depth: float, first: bool):
        """depth is 0 at the first layer and 1 at the last; first: no v_first to mix in."""
        super().__init__()
        D, self.c, self.first = c.width, c, first
        # Initial values after the authors' reference code.
        up = torch.arange(D) / D
        fall = 1 - depth * (c.layers - 1) / c.layers
        for name, power in (("r", 0.2), ("w", 0.9), ("k", 0.7), ("v", 0.7), ("a", 0.9), ("g", 0.2)):
            self.register_parameter(f"x_{name}", nn.Parameter(1 - up ** (power * fall)))
        n = torch.arange(D) / (D - 1)
        self.w0 = nn.Parameter(-6.5 + 5 * n ** (0.85 + depth**0.5))
        self.a0 = nn.Parameter(torch.zeros(D))
        self.v0 = nn.Parameter(torch.ones(D))
        self.k_k = nn.Parameter(torch.full((D,), 0.85))
        self.k_a = nn.Parameter(torch.ones(D))
        self.r_k = nn.Parameter(torch.zeros(D))
        for name, rank in (("w", c.rank_w), ("a", c.rank_a), ("v", c.rank_v), ("g", c.rank_g)):
            if name == "v" and first:
                continue
            outer = torch.empty(D, rank)
            nn.init.orthogonal_(outer, gain=0.1)
            inner = torch.zeros(rank, D)
            if name == "g":
                nn.init.orthogonal_(inner, gain=0.1)
                outer = outer * 10
            self.register_parameter(f"{name}1", nn.Parameter(inner))
            self.register_parameter(f"{name}2", nn.Parameter(outer))
        bound = 0.5 / D**0.5
        self.receptance = nn.Parameter(torch.empty(D, D).uniform_(-bound, bound))
        self.key = nn.Parameter(torch.empty(D, D).uniform_(-bound / 10, bound / 10))
        self.value = nn.Parameter(torch.empty(D, D).uniform_(-bound, bound))
        self.output = nn.Parameter(torch.zeros(D, D))
        self.ln_w = nn.Parameter(torch.full((D,), ((1 + depth * (c.layers - 1)) / c.layers) ** 0.7))
        self.ln_b = nn.Parameter(torch.zeros(D))

    def forward(self, u, before, S, keep, reset, v_first, W, q: bool):
        """W: this layer's matrices by name, on their grids if quantised."""
        B, T, D = u.shape
        heads = (B, T, D // self.c.head, self.c.head)
        shares = (self.x_r, self.x_w, self.x_k, self.x_v, self.x_a, self.x_g)
        x_r, x_w, x_k, x_v, x_a, x_g = _mixed(u, before, keep, shares, q)
        r, k, v = F.linear(x_r, W["receptance"]), F.linear(x_k, W["key"]), F.linear(x_v, W["value"])
        w = F.linear(_tanh(F.linear(x_w, W["w1"]), q), W["w2"])
        a = F.linear(_grid(F.linear(x_a, W["a1"]), q), W["a2"])
        g = F.linear(_sigmoid(F.linear(x_g, W["g1"]), q), W["g2"])
        if self.first:
            v_first = v
        else:
            v = _blend(v, v_first, F.linear(_grid(F.linear(x_v, W["v1"]), q), W["v2"]), self.v0)
        w, k, minus_kk, kk_a = _gates(w, a, k, self.w0, self.a0, self.k_k, self.k_a, heads)
        r, w, k, v = (x.view(heads) for x in (r, w, k, v))
        y, S = wkv(r, w, k, v, minus_kk, kk_a, reset, S)
        y = _readout(y, r, k, v, g, self.r_k, self.ln_w, self.ln_b, q)
        return F.linear(y, W["output"]), S, v_first


class ChannelMix(nn.Module):
    def __init__(self, c: Config, depth: float):
        super().__init__()
        D = c.width
        fall = 1 - depth * (c.layers - 1) / c.layers
        self.x_k = nn.Parameter(1 - (torch.arange(D) / D) ** (fall**4))
        bound = 0.5 / D**0.5
        self.key = nn.Parameter(torch.empty(c.ffn * D, D).uniform_(-bound, bound))
        self.value = nn.Parameter(torch.zeros(D, c.ffn * D))

    def forward(self, u, before, keep, W, q: bool):
        (x,) = _mixed(u, before, keep, (self.x_k,), q)
        return F.linear(_relu_squared(F.linear(x, W["key"]), q), W["value"])


class Block(nn.Module):
    def __init__(self, c: Config, layer: int):
        super().__init__()
        depth = layer / max(1, c.layers - 1)
        self.ln1, self.ln2 = nn.LayerNorm(c.width), nn.LayerNorm(c.width)
        self.att = TimeMix(c, depth, layer == 0)
        self.ffn = ChannelMix(c, depth)

    def forward(self, x, state, keep, reset, v_first, W, q: bool):
        att_before, S, ffn_before = state
        u = _norm(x, self.ln1.weight, self.ln1.bias)
        out, S, v_first = self.att(u, att_before, S, keep, reset, v_first, W["att"], q)
        x = x + out
        u2 = _norm(x, self.ln2.weight, self.ln2.bias)
        x = x + self.ffn(u2, ffn_before, keep, W["ffn"], q)
        return x, (u[:, -1], S, u2[:, -1]), v_first


class RWKV7(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.emb = nn.Parameter(torch.empty(c.vocab, c.width).uniform_(-1e-4, 1e-4))
        self.ln0, self.ln_out = nn.LayerNorm(c.width), nn.LayerNorm(c.width)
        self.blocks = nn.ModuleList(Block(c, i) for i in range(c.layers))
        head = torch.empty(c.vocab, c.width)
        nn.init.orthogonal_(head, gain=0.5 * (c.vocab / c.width) ** 0.5)
        self.head = nn.Parameter(head)

    def zero_state(self, B, device="cpu"):
        """Per layer: the last input of the time mix [B, D], S [B, H, N, N], and the last input of
        the channel mix [B, D]."""
        D, N = self.c.width, self.c.head
        return [(torch.zeros(B, D, device=device), torch.zeros(B, D // N, N, N, device=device),
                 torch.zeros(B, D, device=device)) for _ in range(self.c.layers)]

    def forward(self, tokens, start: int, state, quantised: bool):
        """tokens [B, T] with `start` at the beginning of each document. Returns the vectors that
        the head multiplies [B, T, D] (on the int8 grid if quantised) and the state after the
        window."""
        reset = tokens == start
        keep = (~reset).float()[:, :, None]
        x = F.embedding(tokens, self.emb)
        # The engine's table is quantised after ln0, row by row: the same thing token by token.
        x = _grid(x if self.ln0 is None else self.ln0(x), quantised)
        out, v_first = [], None
        for block, before, W in zip(self.blocks, state, self._matrices(quantised)):
            x, after, v_first = block(x, before, keep, reset, v_first, W, quantised)
            out.append(after)
        return _grid(self.ln_out(x), quantised), out

    def _matrices(self, quantised: bool):
        """Per layer: {"att": {name: matrix}, "ffn": ...}, all put on their grids in one go."""
        places = [(i, part, name) for i, block in enumerate(self.blocks) for part in ("att", "ffn")
                  for name, p in getattr(block, part).named_parameters() if p.ndim == 2]
        weights = [getattr(getattr(self.blocks[i], part), name) for i, part, name in places]
        out = [{"att": {}, "ffn": {}} for _ in self.blocks]
        for (i, part, name), weight in zip(places, _grids(weights, quantised)):
            out[i][part][name] = weight
        return out

    def head_weight(self, quantised: bool):
        return fake(self.head) if quantised else self.head
