"""The bit-exact reference: the error of its functions, its order of sums, the golden vectors."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import golden
from lmz_decoder import rwkv7
from lmz_decoder.vocabulary import START

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
    error = np.abs(getattr(rwkv7, name)(x) - expected)
    if bound[0] == "relative":
        error = error / expected
    assert error.max() <= bound[1]


def test_functions_at_the_edges():
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45], F)
    assert rwkv7.exp(x)[3:].tolist() == [1, 1, 1]
    for name in ("exp", "sigmoid", "tanh"):
        found = getattr(rwkv7, name)(x)
        assert np.isfinite(found).all(), name
        least = np.abs(found[np.nonzero(found)]).min()
        assert least >= np.finfo(F).tiny, f"{name} gives subnormal numbers"
    assert rwkv7.exp(x)[0] == rwkv7.exp(x)[2]  # NaN counts as the low end
    assert rwkv7.tanh(x)[1:5].tolist() == [1, -1, 0, 0]


def test_lane_sum_has_the_stated_order():
    x = np.random.default_rng(1).normal(0, 1, 45).astype(F)
    lanes = [F(0)] * 16
    for i, value in enumerate(x):
        lanes[i % 16] = F(lanes[i % 16] + value)
    a = [F(lanes[i] + lanes[i + 8]) for i in range(8)]
    b = [F(a[i] + a[i + 4]) for i in range(4)]
    assert rwkv7.lane_sum(x) == F(F(b[0] + b[2]) + F(b[1] + b[3]))


def test_frequencies():
    logits = np.array([50, 1, 3, -100], F)
    f = rwkv7.frequencies(logits)
    assert f[START] == 0 and f[2] == 2**30 + 1 and f[3] == 1
    assert f[1] == int(np.floor(float(rwkv7.exp(F(-2))) * 2**30)) + 1


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
    assert held["identity"] == rwkv7.identity(folder, **changes)
    stored = load_file(path.with_suffix(".safetensors"))
    assert logits[stored["steps"]].tobytes() == stored["logits"].tobytes()


def test_golden_functions(tmp_path):
    golden.write_functions(tmp_path)
    expected = load_file(GOLDEN / "functions.safetensors")
    for name, value in load_file(tmp_path / "functions.safetensors").items():
        assert value.tobytes() == expected[name].tobytes(), name
