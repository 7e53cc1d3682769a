"""Bits per byte (bpb) of a model on documents, by category and by position in the document."""

import math

import numpy as np
import torch

import corpus
from loss import head_loss
from vocab import START

POSITIONS = (256, 1024, 4096, 16384, 65536)  # bytes; ends of the ranges that are told apart


def plan(documents, vocabulary, streams):
    """Documents [(category, text)] shared out to streams, longest first, to the shortest stream.
    Returns ids [streams, n] padded with START, and for each token its document and end offset."""
    parts = [[] for _ in range(streams)]
    lengths = [0] * streams
    encoded = [vocabulary.encode(text) for _, text in documents]
    for d in sorted(range(len(documents)), key=lambda d: -len(encoded[d])):
        s = lengths.index(min(lengths))
        parts[s].append(d)
        lengths[s] += len(encoded[d]) + 1
    n = max(lengths) + 1
    ids = np.full((streams, n), START, np.int64)
    document = np.zeros((streams, n), np.int64)
    offset = np.zeros((streams, n), np.int64)
    for s, part in enumerate(parts):
        at = 0
        for d in part:
            end = at + 1 + len(encoded[d])
            ids[s, at + 1 : end] = encoded[d]
            document[s, at:end] = d
            offset[s, at + 1 : end] = np.cumsum(vocabulary.lengths[encoded[d]])
            at = end
    return ids, document, offset


@torch.no_grad()
def bits_per_byte(model, documents, vocabulary, *, quantised, streams, window, device,
                  slice_fn=None, rows=256):
    """{"all": bpb, category: bpb, "at 0": bpb of the first 256 bytes, ...}

    documents: [(category, text)], each read by itself; streams and window (in tokens): how many are
    read at a time; slice_fn, rows: those of loss.head_loss."""
    ids, document, offset = plan(documents, vocabulary, streams)
    categories = [c for c, _ in documents]
    bits = np.zeros(len(documents))
    by_position = np.zeros((2, len(POSITIONS) + 1))
    state = model.zero_state(streams, device)
    weight = model.head_weight(quantised)
    more = {} if slice_fn is None else {"slice_fn": slice_fn}
    for at in range(0, ids.shape[1] - 1, window):
        part = np.full((streams, window + 1), START, np.int64)
        piece = ids[:, at : at + window + 1]
        part[:, : piece.shape[1]] = piece
        x = torch.from_numpy(part).to(device)
        h, state = model(x[:, :-1], START, state, quantised)
        targets = x[:, 1:].reshape(-1)
        keep = (targets != START).float()
        nll = head_loss(h.reshape(-1, h.shape[-1]), weight, targets, keep, rows, **more)
        nll = nll.double().cpu().numpy().reshape(streams, window) / math.log(2)
        n = piece.shape[1] - 1
        where = slice(at + 1, at + 1 + n)
        bits += np.bincount(document[:, where].ravel(), nll[:, :n].ravel(), len(documents))
        bucket = np.searchsorted(POSITIONS, offset[:, where] - 1, side="right").ravel()
        length = vocabulary.lengths[ids[:, where]].ravel()
        by_position[0] += np.bincount(bucket, nll[:, :n].ravel(), len(POSITIONS) + 1)
        by_position[1] += np.bincount(bucket, length, len(POSITIONS) + 1)
    sizes = np.array([len(text) for _, text in documents])
    out = {"all": bits.sum() / sizes.sum()}
    for name in corpus.CATEGORIES:
        mask = np.array([c == name for c in categories])
        if mask.any():
            out[name] = bits[mask].sum() / sizes[mask].sum()
    for i, begin in enumerate((0, *POSITIONS)):
        if by_position[1, i]:
            out[f"at {begin}"] = by_position[0, i] / by_position[1, i]
    return {k: float(v) for k, v in out.items()}


def table(columns: dict) -> str:
    """Markdown, one row a category or position, one column a result of bits_per_byte()."""
    names = list(next(iter(columns.values())))
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name in names:
        label = name if not name.startswith("at ") else f"from byte {int(name[3:]):,}"
        costs = " | ".join(f"{c[name]:.4f}" for c in columns.values())
        lines.append(f"| {label} | {costs} |")
    return "\n".join(lines)
