"""The fast recurrences against the step-by-step oracle, forward and backward, resets included."""

import os
import subprocess
import sys

import pytest
import torch

from wkv import CHUNK, wkv, wkv_oracle


def inputs(B, T, H, N, *, seed, resets, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=g, dtype=dtype)

    kk = torch.nn.functional.normalize(normal(B, T, H, N), dim=-1)
    rate = torch.sigmoid(normal(B, T, H, N))
    w = torch.exp(-0.606531 * torch.sigmoid(normal(B, T, H, N) * 3))
    reset = torch.zeros(B, T, dtype=torch.bool)
    for b, t in resets:
        reset[b, t] = True
    r, k, v = (normal(B, T, H, N) for _ in range(3))
    return [r, w, k, v, -kk, kk * rate], reset, normal(B, H, N, N)


def gradients(function, vectors, reset, s0, weights):
    leaves = [x.clone().requires_grad_() for x in (*vectors, s0)]
    y, s = function(*leaves[:6], reset, leaves[6])
    loss = (y * weights[0]).sum() + (s * weights[1]).sum()
    return [y.detach(), s.detach(), *torch.autograd.grad(loss, leaves)]


NAMES = ("y", "s", "dr", "dw", "dk", "dv", "da", "db", "ds0")
# Resets at the first step, inside a chunk, on a chunk's edge, twice in a row, and at the last step:
# a kernel can be right everywhere else and wrong there.
CASES = [
    (2, 40, 2, 32, [(0, 0), (0, 7), (0, 16), (1, 20), (1, 21), (1, 39)]),
    (1, 1, 1, 32, []),
    (3, 33, 1, 16, [(2, 32)]),
    (1, 17, 2, 64, [(0, 5)]),
]


DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_fast_version_agrees_with_oracle(case, device):
    B, T, H, N, resets = case
    vectors, reset, s0 = inputs(B, T, H, N, seed=1, resets=resets)
    g = torch.Generator().manual_seed(2)
    weights = [torch.randn(B, T, H, N, generator=g, dtype=torch.float64),
               torch.randn(B, H, N, N, generator=g, dtype=torch.float64)]
    expected = gradients(wkv_oracle, vectors, reset, s0, weights)
    moved = [x.float().to(device) for x in (*vectors, s0, *weights)]
    found = gradients(wkv, moved[:6], reset.to(device), moved[6], moved[7:])
    for name, e, f in zip(NAMES, expected, found):
        error = (f.cpu().double() - e).norm() / e.norm().clamp_min(1e-9)
        assert error < 1e-5, f"{name}: relative error {error:.2e}"


def test_triton_version_agrees_with_oracle_without_a_gpu():
    """The CUDA kernels in Triton's interpreter, which is chosen when Triton is imported: hence a
    process."""
    test = f"{__file__}::test_fast_version_agrees_with_oracle"
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-k", "cpu", test], check=True,
                   env={**os.environ, "TRITON_INTERPRET": "1"})


@pytest.mark.parametrize("N", [16, 32, 64])
@pytest.mark.parametrize("kernel", ["_forward", "_backward"])
def test_triton_kernels_compile_for_hopper(kernel, N):
    """The interpreter accepts more than the compiler does; compiling needs no GPU."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    import wkv_triton

    function = getattr(wkv_triton, kernel)
    kinds = {"T": "i32", "H": "i32", "n_chunks": "i32", "reset": "*i1", "N": "constexpr",
             "CHUNK": "constexpr"}
    signature = {name: kinds.get(name, "*fp32") for name in function.arg_names}
    source = ASTSource(fn=function, signature=signature, constexprs={"N": N, "CHUNK": CHUNK})
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32),
                              options={"num_warps": 4 if N == 64 else 1})
    assert len(compiled.asm["cubin"]) > 0


def test_oracle_gradients_by_finite_differences():
    vectors, reset, s0 = inputs(1, 5, 1, 4, seed=3, resets=[(0, 3)])
    leaves = [x.clone().requires_grad_() for x in (*vectors, s0)]
    assert torch.autograd.gradcheck(lambda *x: wkv_oracle(*x[:6], reset, x[6]), leaves)


def test_split_sequence_gives_the_same_as_one_piece():
    resets = [(0, 30), (1, 24)]
    vectors, reset, s0 = inputs(2, 48, 2, 32, seed=4, resets=resets, dtype=torch.float32)
    y, s = wkv(*vectors, reset, s0)
    first, middle = wkv(*[x[:, :24] for x in vectors], reset[:, :24], s0)
    second, last = wkv(*[x[:, 24:] for x in vectors], reset[:, 24:], middle)
    assert torch.equal(torch.cat([first, second], 1), y)
    assert torch.equal(last, s)
