"""Quantisation as the engine does it (docs/ARITHMETIC.md, section 3), made differentiable.

`fake` versions return float values that lie on the integer grid; gradients pass straight through.
"""

import torch

LEVELS = 127.0
TINY = 2.0**-100  # vectors and rows with a smaller maximum quantise to zeros


def _grid(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Integers in [-127, 127] (as floats) and the scale of each row along the last dimension."""
    most = x.abs().amax(-1, keepdim=True)
    inverse = torch.where(most < TINY, 0.0, LEVELS / most)
    scale = torch.where(most < TINY, 0.0, most / LEVELS)
    # torch.round rounds half to even, as the engine does.
    return (x * inverse).round().clamp(-LEVELS, LEVELS), scale


def quantise(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """int8 values and f32 scales [..., 1], each row along the last dimension by itself."""
    q, scale = _grid(x.detach().float())
    return q.to(torch.int8), scale


def fake(x: torch.Tensor) -> torch.Tensor:
    """x on its int8 grid, row by row; the gradient is that of the identity."""
    q, scale = _grid(x.detach().float())
    return x + (q * scale - x.detach())
