"""Cross-entropy of the head, without holding [tokens, V] logits or their gradient in memory.

The gradient is computed in the forward pass, a slice of tokens at a time, so a slice's logits stay
in cache and each is read once.
"""

import torch


def slice_loss(h, weight, targets, keep):
    """nll [n] in nats of one slice, and the gradient of their sum by h and by weight."""
    logits = (h @ weight.t()).float()
    most = logits.amax(-1, keepdim=True)
    e = torch.exp(logits - most)
    total = e.sum(-1, keepdim=True)
    at = torch.gather(logits, 1, targets[:, None])
    nll = (most + torch.log(total) - at)[:, 0] * keep
    p = e * (keep[:, None] / total)
    columns = torch.arange(logits.shape[1], device=h.device)
    p = torch.where(columns == targets[:, None], p - keep[:, None], p).to(h.dtype)
    return nll, p


class HeadLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, weight, targets, keep, rows, slice_fn):
        nll = torch.empty(h.shape[0], device=h.device)
        need = h.requires_grad or weight.requires_grad
        dh, dweight = torch.empty_like(h), torch.zeros_like(weight, dtype=torch.float32)
        for i in range(0, h.shape[0], rows):
            part = slice(i, i + rows)
            nll[part], p = slice_fn(h[part], weight, targets[part], keep[part])
            if need:
                torch.mm(p, weight, out=dh[part])
                if dweight.dtype == p.dtype:
                    dweight.addmm_(p.t(), h[part])
                else:
                    dweight += p.t() @ h[part]
        ctx.save_for_backward(dh, dweight)
        return nll

    @staticmethod
    def backward(ctx, dnll):
        # Callers take a weighted sum with one weight for all tokens: the gradients above are sums.
        dh, dweight = ctx.saved_tensors
        scale = dnll[0]
        return dh * scale, (dweight * scale).to(dh.dtype), None, None, None, None


def head_loss(h, weight, targets, keep, rows=256, slice_fn=slice_loss):
    """nll [n] in nats of targets [n] given h [n, D] and weight [V, D]; 0 where keep is 0.

    Only a uniform multiple of the result's sum may be differentiated."""
    return HeadLoss.apply(h, weight, targets, keep, rows, slice_fn)
