"""The bit-exact reference: its functions' error, its agreement with the PyTorch model, the golden files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import golden
import model_folder
import reference
from vocab import START

GOLDEN = Path(__file__).resolve().parents[3] / "tests" / "golden"
MODELS = Path(__file__).resolve().parents[3] / "models"
F = np.float32


def dense(low, high, n=1_000_001):
    return np.unique(np.linspace(low, high, n).astype(F))


@pytest.mark.parametrize("name,exact,low,high,bound", [
    ("exp", np.exp, -86, 86, ("relative", 1.3e-7)),
    ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), -80, 80, ("relative", 2.5e-7)),
    ("tanh", np.tanh, -20, 20, ("absolute", 2e-7)),
])
def test_error_bounds_of_docs_arithmetic(name, exact, low, high, bound):
    x = np.concatenate([dense(low, high), dense(-1, 1), dense(-1e-3, 1e-3)])
    expected = exact(x.astype(np.float64))
    error = np.abs(getattr(reference, name)(x) - expected)
    if bound[0] == "relative":
        error = error / expected
    assert error.max() <= bound[1]


def test_functions_at_the_edges():
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45], F)
    assert reference.exp(x)[3:].tolist() == [1, 1, 1]
    for name in ("exp", "sigmoid", "tanh"):
        found = getattr(reference, name)(x)
        assert np.isfinite(found).all(), name
        assert np.abs(found[np.nonzero(found)]).min() >= np.finfo(F).tiny, f"{name} gives subnormal numbers"
    assert reference.exp(x)[0] == reference.exp(x)[2]  # NaN counts as the low end
    assert reference.tanh(x)[1:5].tolist() == [1, -1, 0, 0]


def test_lane_sum_has_the_stated_order():
    x = np.random.default_rng(1).normal(0, 1, 45).astype(F)
    lanes = [F(0)] * 16
    for i, value in enumerate(x):
        lanes[i % 16] = F(lanes[i % 16] + value)
    a = [F(lanes[i] + lanes[i + 8]) for i in range(8)]
    b = [F(a[i] + a[i + 4]) for i in range(4)]
    assert reference.lane_sum(x) == F(F(b[0] + b[2]) + F(b[1] + b[3]))


def test_frequencies():
    logits = np.array([50, 1, 3, -100], F)
    f = reference.frequencies(logits)
    assert f[START] == 0 and f[2] == 2**30 + 1 and f[3] == 1
    assert f[1] == int(np.floor(float(reference.exp(F(-2))) * 2**30)) + 1


def folders():
    return [GOLDEN / "tiny-model"] + [p.parent for p in sorted(MODELS.glob("*/model.safetensors"))]


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


@pytest.mark.parametrize("name", ["tiny", "tiny16", "nano", "base"])
def test_golden_vectors_are_what_the_reference_gives(name):
    path = GOLDEN / f"{name}.json"
    if not path.exists():
        pytest.fail(f"{path} is missing: golden.py makes it")
    held = json.loads(path.read_text())
    folder = MODELS / name if name in ("nano", "base") else GOLDEN / "tiny-model"
    changes = {"activations": "int16"} if name == "tiny16" else {}
    logits = golden.trace(folder, held["ids"], **changes)
    hashes = golden.hashes(logits)
    assert {k: held[k] for k in hashes} == hashes
    assert held["identity"] == reference.identity(folder, **changes)
    stored = load_file(path.with_suffix(".safetensors"))
    assert logits[stored["steps"]].tobytes() == stored["logits"].tobytes()


def test_golden_functions(tmp_path):
    golden.functions(tmp_path)
    expected = load_file(GOLDEN / "functions.safetensors")
    for name, value in load_file(tmp_path / "functions.safetensors").items():
        assert value.tobytes() == expected[name].tobytes(), name


def test_tensors_that_are_not_finite_are_refused(tmp_path):
    model, vocabulary = model_folder.read(GOLDEN / "tiny-model")
    with torch.no_grad():
        model.ln_out.weight[3] = float("nan")
    with pytest.raises(SystemExit, match="ln_out.weight"):
        model_folder.write(model, vocabulary, tmp_path)
