"""Model folders: the PyTorch model agrees with the reference, and nothing broken is written."""

from pathlib import Path

import pytest
import torch

import golden
import model_folder
from vocab import START

ROOT = Path(__file__).resolve().parents[3]
TINY = ROOT / "tests" / "golden" / "tiny-model"


def folders():
    return [TINY] + [p.parent for p in sorted((ROOT / "models").glob("*/model.safetensors"))]


@pytest.mark.parametrize("folder", folders(), ids=lambda p: p.name)
def test_pytorch_model_agrees(folder):
    """The two differ in the order of their float sums, which now and then moves a value by an int8
    step: their distributions are close, and a wrong term anywhere would be far."""
    model, vocabulary = model_folder.read(folder)
    ids = vocabulary.encode(golden.TEXT)[:60]
    exact = golden.trace(folder, ids)
    tokens = torch.tensor([[START, *ids.tolist()]])
    with torch.no_grad():
        h, _ = model(tokens, START, model.zero_state(1), True)
        found = torch.log_softmax(h[0] @ model.head_weight(True).t(), -1)
        expected = torch.log_softmax(torch.from_numpy(exact), -1)
    divergence = (expected.exp() * (expected - found)).sum(-1)
    assert divergence.mean() < 2e-3 and divergence.max() < 2e-2


def test_tensors_that_are_not_finite_are_refused(tmp_path):
    model, vocabulary = model_folder.read(TINY)
    with torch.no_grad():
        model.ln_out.weight[3] = float("nan")
    with pytest.raises(SystemExit, match="ln_out.weight"):
        model_folder.write(model, vocabulary, tmp_path)
