"""Optimisers: Muon for the layers' square and tall matrices and AdamW for the rest, or for all."""

import functools

import torch


@functools.cache
def fast_bf16(cuda: bool) -> bool:
    """Whether products in bfloat16 are faster than in float32 there."""
    return cuda or torch.cpu._is_avx512_bf16_supported()


def orthogonalised(g: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Newton-Schulz iteration (Jordan et al., "Muon", 2024): each matrix of the batch g [n, r, c]
    with its singular values brought near 1."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = g.shape[1] > g.shape[2]
    x = g.bfloat16() if fast_bf16(g.is_cuda) else g
    x = x.transpose(1, 2) if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        s = x @ x.transpose(1, 2)
        x = a * x + (b * s + c * s @ s) @ x
    return (x.transpose(1, 2) if tall else x).to(g.dtype)


class Muon(torch.optim.Optimizer):
    """Matrices of one shape are stacked and orthogonalised together. The step is scaled to the size
    that AdamW's steps have (0.2 * sqrt(longer side)), so one learning rate serves both."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = {}
            for p in group["params"]:
                shapes.setdefault(p.shape, []).append(p)
            for shape, params in shapes.items():
                grads = torch.stack([p.grad for p in params])
                held = self.state[params[0]]
                if "momentum" not in held:
                    held["momentum"] = torch.zeros_like(grads)
                held["momentum"].lerp_(grads, 1 - group["momentum"])
                update = orthogonalised(grads.lerp(held["momentum"], group["momentum"]))
                scale = group["lr"] * 0.2 * max(shape) ** 0.5
                torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(params, list(update.unbind()), alpha=-scale)


MUON_MATRICES = ("receptance", "key", "value", "output")


def optimisers(model, kind: str, lr: float, weight_decay: float):
    """The optimisers of a model; each one's param_groups hold "peak", the learning rate to
    schedule."""
    muon, decayed, plain, fast = [], [], [], []
    for name, p in model.named_parameters():
        last = name.split(".")[-1]
        if kind == "muon" and last in MUON_MATRICES and p.ndim == 2:
            muon.append(p)
        elif last == "w0":
            fast.append(p)
        elif p.ndim == 2:
            decayed.append(p)
        else:
            plain.append(p)
    adam = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": weight_decay, "lr": lr}, {"params": plain, "lr": lr},
         {"params": fast, "lr": 2 * lr}],
        betas=(0.9, 0.99), eps=1e-18, weight_decay=0.0, fused=True)
    out = [adam] + ([Muon(muon, lr, weight_decay=weight_decay)] if muon else [])
    for optimiser in out:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return out
