"""Model folders, written and read: config.json, vocab.txt, model.safetensors (int8 and scales).

export.py makes one of a training run, with a card (card.py); an engine needs no more than these.
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from model import RWKV7, Config
from quant import quantise
from vocab import START, Vocabulary

ARITHMETIC = 1  # version of docs/ARITHMETIC.md


def config_json(c: Config) -> dict:
    return {
        "model_type": "lmz-rwkv7", "arithmetic": ARITHMETIC, "activations": "int8",
        "hidden_size": c.width, "num_hidden_layers": c.layers, "head_dim": c.head,
        "vocab_size": c.vocab, "intermediate_size": c.ffn * c.width,
        "decay_low_rank_dim": c.rank_w, "a_low_rank_dim": c.rank_a,
        "v_low_rank_dim": c.rank_v, "gate_low_rank_dim": c.rank_g,
        "norm_eps": 1e-5, "group_norm_eps": 64e-5,
        "start_token_id": START, "segmentation": "greedy",
    }


def config_from_json(j: dict) -> Config:
    if j["model_type"] != "lmz-rwkv7" or j["arithmetic"] != ARITHMETIC:
        raise ValueError(f"expected model_type lmz-rwkv7 with arithmetic {ARITHMETIC}, found "
                         f"{j['model_type']} with {j['arithmetic']}")
    return Config(layers=j["num_hidden_layers"], width=j["hidden_size"], vocab=j["vocab_size"],
                  head=j["head_dim"], rank_w=j["decay_low_rank_dim"], rank_a=j["a_low_rank_dim"],
                  rank_v=j["v_low_rank_dim"], rank_g=j["gate_low_rank_dim"],
                  ffn=j["intermediate_size"] // j["hidden_size"])


# PyTorch parameter name -> tensor name in the folder, where they differ.
RENAMED = {"att.ln_w": "att.ln_x.weight", "att.ln_b": "att.ln_x.bias"}


def _folder_name(name: str) -> str:
    for ours, theirs in RENAMED.items():
        if name.endswith(ours):
            return name[: -len(ours)] + theirs
    return name


def tensors(model: RWKV7) -> dict[str, np.ndarray]:
    """int8 matrices [out, in] as NAME.weight with NAME.scale [out]; everything else f32. ln0 is
    applied to the embedding before it is quantised and is not stored."""
    out = {}

    def matrix(name, value):
        q, scale = quantise(value)
        out[f"{name}.weight"], out[f"{name}.scale"] = q.cpu().numpy(), scale[:, 0].cpu().numpy()

    with torch.no_grad():
        matrix("emb", model.emb if model.ln0 is None else model.ln0(model.emb))
        matrix("head", model.head)
        for name, p in model.named_parameters():
            if name in ("emb", "head") or name.startswith("ln0."):
                continue
            if p.ndim == 2:
                matrix(name, p)
            else:
                out[_folder_name(name)] = p.detach().float().cpu().numpy().copy()
    for name, value in out.items():
        if value.dtype == np.float32 and not np.isfinite(value).all():
            raise SystemExit(f"{name} has values that are not finite: the model cannot be exported")
    return out


def write(model: RWKV7, vocabulary: Vocabulary, folder: Path):
    """Writes the three files, and makes the folder if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config_json(model.c), indent=2) + "\n")
    vocabulary.save(folder / "vocab.txt")
    save_file(tensors(model), folder / "model.safetensors")


def read(folder: Path) -> tuple[RWKV7, Vocabulary]:
    """The folder as a PyTorch model whose weights are what int8 and scales stand for."""
    model = RWKV7(config_from_json(json.loads((folder / "config.json").read_text())))
    stored = load_file(folder / "model.safetensors")
    model.ln0 = None
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim == 2:
                value = stored.pop(f"{name}.weight").astype(np.float32)
                value *= stored.pop(f"{name}.scale")[:, None]
            else:
                value = stored.pop(_folder_name(name))
            p.copy_(torch.from_numpy(value))
    if stored:
        raise ValueError(f"{folder}: tensors that this model does not have: "
                         f"{', '.join(sorted(stored))}")
    return model, Vocabulary.load(folder / "vocab.txt")
