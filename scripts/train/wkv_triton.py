"""The RWKV-7 recurrence on CUDA: one program for each stream and head, its state in registers.

The same algorithm as csrc/wkv.cpp. Backward writes the states of a chunk of 16 steps to scratch
memory (it stays in the L2 cache) and reads them in reverse, so a reset inside a chunk needs no
special case. Runs without a GPU, slowly, under TRITON_INTERPRET=1. The shapes are those of wkv.py,
which also says how many steps a chunk has.
"""

import torch
import triton
import triton.language as tl

@triton.jit
def _forward(r, w, k, v, a, b, reset, s0, y, s_out, s_a, chunks, T, H, n_chunks,
             N: tl.constexpr, CHUNK: tl.constexpr):
    head = tl.program_id(0).to(tl.int64)  # stream * H + head
    stream, h = head // H, head % H
    n = tl.arange(0, N)
    tile = n[:, None] * N + n[None, :]
    S = tl.load(s0 + head * N * N + tile)
    for t in range(T):
        at = ((stream * T + t) * H + h) * N + n
        if t % CHUNK == 0:
            tl.store(chunks + (head * n_chunks + t // CHUNK) * N * N + tile, S)
        keep = 1.0 - tl.load(reset + stream * T + t).to(tl.float32)
        S = S * keep
        sa = tl.sum(S * tl.load(a + at)[None, :], 1)
        S = (S * tl.load(w + at)[None, :] + sa[:, None] * tl.load(b + at)[None, :]
             + tl.load(v + at)[:, None] * tl.load(k + at)[None, :])
        tl.store(y + at, tl.sum(S * tl.load(r + at)[None, :], 1))
        tl.store(s_a + at, sa)
    tl.store(s_out + head * N * N + tile, S)


@triton.jit
def _backward(r, w, k, v, a, b, reset, s_a, chunks, dy, ds_out, dr, dw, dk, dv, da, db, ds0,
              scratch, T, H, n_chunks, N: tl.constexpr, CHUNK: tl.constexpr):
    head = tl.program_id(0).to(tl.int64)
    stream, h = head // H, head % H
    n = tl.arange(0, N)
    tile = n[:, None] * N + n[None, :]
    mine = scratch + head * (CHUNK + 1) * N * N
    G = tl.load(ds_out + head * N * N + tile)
    for back in range(n_chunks):
        c = n_chunks - 1 - back
        first = c * CHUNK
        steps = tl.minimum(CHUNK, T - first)
        # scratch[x]: the state before step first + x, ahead of its reset.
        S = tl.load(chunks + (head * n_chunks + c) * N * N + tile)
        tl.store(mine + tile, S)
        for x in range(steps):
            t = first + x
            at = ((stream * T + t) * H + h) * N + n
            keep = 1.0 - tl.load(reset + stream * T + t).to(tl.float32)
            S = (S * (tl.load(w + at) * keep)[None, :]
                 + tl.load(s_a + at)[:, None] * tl.load(b + at)[None, :]
                 + tl.load(v + at)[:, None] * tl.load(k + at)[None, :])
            tl.store(mine + (x + 1) * N * N + tile, S)
        tl.debug_barrier()
        for y in range(steps):
            x = steps - 1 - y
            t = first + x
            at = ((stream * T + t) * H + h) * N + n
            keep = 1.0 - tl.load(reset + stream * T + t).to(tl.float32)
            before = tl.load(mine + x * N * N + tile) * keep
            after = tl.load(mine + (x + 1) * N * N + tile)
            dy_ = tl.load(dy + at)
            G += dy_[:, None] * tl.load(r + at)[None, :]
            tl.store(dr + at, tl.sum(after * dy_[:, None], 0))
            tl.store(dv + at, tl.sum(G * tl.load(k + at)[None, :], 1))
            tl.store(dk + at, tl.sum(G * tl.load(v + at)[:, None], 0))
            tl.store(db + at, tl.sum(G * tl.load(s_a + at)[:, None], 0))
            tl.store(dw + at, tl.sum(G * before, 0))
            dsa = tl.sum(G * tl.load(b + at)[None, :], 1)
            tl.store(da + at, tl.sum(before * dsa[:, None], 0))
            G = (G * tl.load(w + at)[None, :] + dsa[:, None] * tl.load(a + at)[None, :]) * keep
        tl.debug_barrier()
    tl.store(ds0 + head * N * N + tile, G)


def _launch(kernel, tensors, shape, chunk):
    B, T, H, N = shape
    assert N in (16, 32, 64), f"head size {N}: expected 16, 32 or 64"
    warps = {16: 1, 32: 1, 64: 4}[N]
    kernel[(B * H,)](*tensors, T, H, -(-T // chunk), N=N, CHUNK=chunk, num_warps=warps)


def forward(r, w, k, v, a, b, reset, s0, y, s_out, s_a, chunks, chunk):
    """Writes y, s_out, s_a and the state before each `chunk` steps, chunks."""
    inputs = [x.contiguous() for x in (r, w, k, v, a, b, reset, s0)]
    _launch(_forward, [*inputs, y, s_out, s_a, chunks], r.shape, chunk)


def backward(r, w, k, v, a, b, reset, s_a, chunks, dy, ds_out, dr, dw, dk, dv, da, db, ds0, chunk):
    """Writes the gradients dr to ds0, from what `forward` wrote with the same `chunk`."""
    B, _, H, N = r.shape
    inputs = [x.contiguous() for x in (r, w, k, v, a, b, reset, s_a, chunks, dy, ds_out)]
    scratch = torch.empty(B, H, chunk + 1, N, N, device=r.device)
    _launch(_backward, [*inputs, dr, dw, dk, dv, da, db, ds0, scratch], r.shape, chunk)
