"""The reference of transformers: against `transformers` in f32, and the golden vectors."""

import json
from pathlib import Path

import numpy as np
import pytest

import golden
from lmz_decoder import hub_folder, transformer

GOLDEN = Path(__file__).resolve().parents[3] / "tests" / "golden"
NAMES = ["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3"]
F = np.float32


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_about_those_of_transformers(name):
    """Weights are int8 here, so they differ by some hundredths of their spread."""
    folder = GOLDEN / "hub" / name
    held = json.loads((folder / "logits.json").read_text())
    words, config = (folder / f"{part}.json" for part in ("tokenizer", "config"))
    _, ids = hub_folder.vocabulary(json.loads(words.read_text()), json.loads(config.read_text()))
    tokens = {number: token for token, number in enumerate(ids) if number is not None}
    model, _, _ = hub_folder.load(folder)
    state, found, expected = model.start(), [], []
    for at, number in enumerate(held["ids"]):
        logits = model.step(tokens[number], state)
        for i, value in enumerate(held["rows"].get(str(at), [])):
            if i * held["every"] in tokens:
                found.append(logits[tokens[i * held["every"]]])
                expected.append(value)
    assert np.corrcoef(found, expected)[0, 1] > 0.999
    assert np.abs(np.subtract(found, expected)).mean() < 0.05 * np.std(expected)


@pytest.mark.parametrize("name", NAMES)
def test_golden_vectors_are_what_the_reference_gives(name):
    held = json.loads((GOLDEN / "transformers" / f"{name}.json").read_text())
    assert golden.transformer_vectors(GOLDEN / "hub" / name, held["context"]) == held


def test_turns_are_cosines_and_sines():
    for angle in (0.0, 1e-3, 0.7, 1.5, 2.0, 100.25, 67_108_863.5):
        assert np.allclose(transformer.cosine_and_sine(angle), [np.cos(angle), np.sin(angle)],
                           atol=6e-8)
    for theta in (1e4, 5e5, 1e6):
        assert abs(hub_folder.ln(theta) - np.log(theta)) < 1e-13
    for x in (-0.0, -0.3, -1.0, -13.8):
        assert abs(hub_folder.exp(x) / np.exp(x) - 1) < 1e-14


def test_a_group_of_inputs_has_a_scale():
    numbers = np.concatenate([np.full((2, 128), 2), np.full((2, 16), 0.5)], axis=1).astype(F)
    matrix = transformer.Matrix(numbers)
    assert matrix.scale.tolist() == [[F(2) / F(127), F(0.5) / F(127)]] * 2
    assert (matrix.weight == 127).all()
    assert np.allclose(matrix.times(np.ones(144, F)), 128 * 2 + 16 * 0.5)
    assert matrix.row(0).shape == (144,)
