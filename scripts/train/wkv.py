"""The RWKV-7 recurrence, three ways: plain PyTorch (the oracle), C++ on CPU, Triton on CUDA.

For each stream and head, with state S [N value rows][N key columns]:

    S = S diag(w) + (S a) b^T + v k^T,     y = S r

r, w, k, v, a, b are [B, T, H, N]; S is [B, H, N, N]; reset [B, T] clears S before the update of
that step (a document begins there).
"""

import ctypes
import functools
import importlib
import os
from pathlib import Path

import torch

from native import load

CHUNK = 16  # steps between stored states in the fast versions; csrc/wkv.cpp has the same number


def wkv_oracle(r, w, k, v, a, b, reset, s0):
    """Step by step, in any floating type, differentiable by autograd. Returns y and the last S."""
    S, ys = s0, []
    for t in range(r.shape[1]):
        S = S * (~reset[:, t]).to(S.dtype)[:, None, None, None]
        sa = (S * a[:, t, :, None, :]).sum(-1)
        S = (S * w[:, t, :, None, :] + sa[..., None] * b[:, t, :, None, :]
             + v[:, t, :, :, None] * k[:, t, :, None, :])
        ys.append((S * r[:, t, :, None, :]).sum(-1))
    return torch.stack(ys, 1), S


@functools.cache
def _cpu():
    """The compiled csrc/wkv.cpp."""
    # torch brings its own copy of the OpenMP runtime. A second copy would mean a second pool of
    # threads spinning on the same cores, so link against torch's where there is one.
    package = Path(torch.__file__).parent
    openmp = [*sorted((package / "lib").glob("libgomp*.so*")),
              *sorted((package.parent / "torch.libs").glob("libgomp*.so*"))]
    library = load("wkv", flags=["-fopenmp"], libraries=openmp[:1])
    for f in (library.wkv_forward, library.wkv_backward):
        f.argtypes = [ctypes.c_int64] * 4 + [ctypes.c_void_p] * 3
    return library


@functools.cache
def _triton():
    """The module wkv_triton. Triton is there where PyTorch comes with CUDA, so it is imported when
    it is first used, and here alone."""
    return importlib.import_module("wkv_triton")


def _call(name, shape, inputs, reset, outputs):
    for x in inputs:
        assert x.is_contiguous() and x.dtype == torch.float32 and x.device.type == "cpu"
    assert reset.is_contiguous() and reset.dtype == torch.bool
    pointers = [(ctypes.c_void_p * len(xs))(*[x.data_ptr() for x in xs])
                for xs in (inputs, outputs)]
    if getattr(_cpu(), name)(*shape, pointers[0], reset.data_ptr(), pointers[1]):
        raise ValueError(f"head size {shape[3]} is not compiled into csrc/wkv.cpp "
                         "(16, 32 and 64 are)")


def _use_triton(x):
    return x.is_cuda or os.environ.get("TRITON_INTERPRET") == "1"


def _shapes(r):
    B, T, H, N = r.shape
    return (B, T, H, N), (B, H, N, N), (B, H, -(-T // CHUNK), N, N)


@torch.library.custom_op("lmz::wkv_forward", mutates_args=())
def _forward(r: torch.Tensor, w: torch.Tensor, k: torch.Tensor, v: torch.Tensor, a: torch.Tensor,
             b: torch.Tensor, reset: torch.Tensor, s0: torch.Tensor,
             ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    vector, state, chunk = _shapes(r)
    y, s_a = r.new_empty(vector), r.new_empty(vector)
    s_out, chunks = r.new_empty(state), r.new_empty(chunk)
    if _use_triton(r):
        _triton().forward(r, w, k, v, a, b, reset, s0, y, s_out, s_a, chunks, CHUNK)
    else:
        inputs = [x.contiguous() for x in (r, w, k, v, a, b, s0)]
        _call("wkv_forward", vector, inputs, reset.contiguous(), (y, s_out, s_a, chunks))
    return y, s_out, s_a, chunks


@_forward.register_fake
def _(r, w, k, v, a, b, reset, s0):
    vector, state, chunk = _shapes(r)
    return r.new_empty(vector), r.new_empty(state), r.new_empty(vector), r.new_empty(chunk)


@torch.library.custom_op("lmz::wkv_backward", mutates_args=())
def _backward(r: torch.Tensor, w: torch.Tensor, k: torch.Tensor, v: torch.Tensor, a: torch.Tensor,
              b: torch.Tensor, reset: torch.Tensor, s_a: torch.Tensor, chunks: torch.Tensor,
              dy: torch.Tensor, ds_out: torch.Tensor,
              ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor,
                         torch.Tensor, torch.Tensor]:
    vector, state, _ = _shapes(r)
    grads = [r.new_empty(vector) for _ in range(6)]
    ds0 = r.new_empty(state)
    if _use_triton(r):
        _triton().backward(r, w, k, v, a, b, reset, s_a, chunks, dy, ds_out, *grads, ds0, CHUNK)
    else:
        inputs = [x.contiguous() for x in (r, w, k, v, a, b, s_a, chunks, dy, ds_out)]
        _call("wkv_backward", vector, inputs, reset.contiguous(), (*grads, ds0))
    return (*grads, ds0)


@_backward.register_fake
def _(r, w, k, v, a, b, reset, s_a, chunks, dy, ds_out):
    vector, state, _ = _shapes(r)
    return (*[r.new_empty(vector) for _ in range(6)], r.new_empty(state))


def _save(ctx, inputs, output):
    r, w, k, v, a, b, reset, s0 = inputs
    _, _, s_a, chunks = output
    ctx.save_for_backward(r, w, k, v, a, b, reset, s_a, chunks)
    ctx.set_materialize_grads(True)


def _grad(ctx, dy, ds_out, _ds_a, _dchunks):
    dr, dw, dk, dv, da, db, ds0 = _backward(*ctx.saved_tensors, dy, ds_out)
    return dr, dw, dk, dv, da, db, None, ds0


_forward.register_autograd(_grad, setup_context=_save)


def wkv(r, w, k, v, a, b, reset, s0):
    """The fast version for the device of its inputs, in float32 whatever they are in. Returns y and
    the last S."""
    y, s_out, _, _ = _forward(*(x.float() for x in (r, w, k, v, a, b)), reset, s0)
    return y, s_out
