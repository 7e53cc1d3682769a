"""A small random RWKV-7 checkpoint in the layouts that are published, and what it predicts.

    python checkpoint.py ../../tests/golden/checkpoint

Writes reference/ (names of the reference code) and transformers/ (names of `transformers`, in two
parts with an index), each a folder as on the Hugging Face hub, pth/ (what PyTorch writes, which has
no config.json), and logits.safetensors: ids [T] and logits [T, V], in float32, by the formulas of
the paper ("RWKV-7 Goose", 2025), written down here once more and independent of the engine.
Matrices are whole multiples of powers of two, so that int8 with a scale a row holds them exactly:
what is left between the engine and these logits is the embedding's rounding, which is applied here
too, and that of activations.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

LAYERS, D, HEAD, INNER, V = 2, 64, 64, 128, 320
RANKS = {"w": 8, "a": 8, "v": 8, "g": 16}


def matrix(rng, outputs, inputs):
    """[outputs, inputs] of int8 times a power of two a row, with 127 in every row."""
    q = rng.integers(-127, 128, (outputs, inputs))
    q[np.arange(outputs), rng.integers(0, inputs, outputs)] = 127
    scale = 2.0 ** rng.integers(-10, -8, (outputs, 1))
    return torch.tensor(q * scale, dtype=torch.float32)


def tensors(rng):
    """By the names of the reference code."""
    def vector(mean=0.0, spread=0.5, n=D):
        # Whole 64ths, so that bfloat16 holds them.
        values = np.round((mean + spread * rng.uniform(-1, 1, n)) * 64) / 64
        return torch.tensor(values, dtype=torch.float32)

    t = {"emb.weight": matrix(rng, V, D), "head.weight": matrix(rng, V, D) * 4}
    norms = [f"blocks.{i}.{n}" for i in range(LAYERS) for n in ("ln1", "ln2", "att.ln_x")]
    for name in ("blocks.0.ln0", "ln_out", *norms):
        t[name + ".weight"], t[name + ".bias"] = vector(1.0), vector()
    for i in range(LAYERS):
        att, ffn = f"blocks.{i}.att.", f"blocks.{i}.ffn."
        for c in "rwkvag":
            t[att + "x_" + c] = vector(0.5)[None, None]
        for c in "wavg":
            if c != "v" or i > 0:
                t[att + c + "1"] = matrix(rng, RANKS[c], D).T.contiguous()
                t[att + c + "2"] = matrix(rng, D, RANKS[c]).T.contiguous()
                if c != "g":
                    t[att + c + "0"] = vector()[None, None]
        for name in ("k_k", "k_a"):
            t[att + name] = vector(1.0)[None, None]
        t[att + "r_k"] = vector(n=D).reshape(D // HEAD, HEAD)
        for name in ("receptance", "key", "value", "output"):
            t[f"{att}{name}.weight"] = matrix(rng, D, D)
        t[ffn + "x_k"] = vector(0.5)[None, None]
        t[ffn + "key.weight"] = matrix(rng, INNER, D)
        t[ffn + "value.weight"] = matrix(rng, D, INNER)
    return t


def embedding(t):
    """After its norm, rounded to int8 with a scale a row."""
    e = F.layer_norm(t["emb.weight"], (D,), t["blocks.0.ln0.weight"], t["blocks.0.ln0.bias"])
    m = e.abs().max(1, keepdim=True).values
    return (e * (127 / m)).round() * (m / 127)


def logits(t, ids):
    """[T, V]; each token is read, then the next is predicted."""
    H = D // HEAD

    def norm(x, name):
        return F.layer_norm(x, (D,), t[name + ".weight"], t[name + ".bias"])

    def layer(prefix):
        return {k.removeprefix(prefix): v.squeeze() for k, v in t.items() if k.startswith(prefix)}

    emb = embedding(t)
    before = [[torch.zeros(D), torch.zeros(D), torch.zeros(H, HEAD, HEAD)] for _ in range(LAYERS)]
    out = []
    for token in ids:
        x = emb[token]
        for i in range(LAYERS):
            p, f = layer(f"blocks.{i}.att."), layer(f"blocks.{i}.ffn.")
            u = norm(x, f"blocks.{i}.ln1")
            mixed = {c: u + (before[i][0] - u) * p["x_" + c] for c in "rwkvag"}
            before[i][0] = u
            r, k, v = (p[n + ".weight"] @ mixed[n[0]] for n in ("receptance", "key", "value"))
            w = torch.sigmoid(p["w0"] + torch.tanh(mixed["w"] @ p["w1"]) @ p["w2"])
            w = torch.exp(-0.606531 * w)
            a = torch.sigmoid(p["a0"] + (mixed["a"] @ p["a1"]) @ p["a2"])
            g = torch.sigmoid(mixed["g"] @ p["g1"]) @ p["g2"]
            if i == 0:
                first = v
            else:
                v = v + (first - v) * torch.sigmoid(p["v0"] + (mixed["v"] @ p["v1"]) @ p["v2"])
            kk = F.normalize((k * p["k_k"]).reshape(H, HEAD), dim=1, eps=1e-12)
            k = k * (1 + (a - 1) * p["k_a"])
            r, w, k, v, a = (z.reshape(H, HEAD) for z in (r, w, k, v, a))
            S = before[i][2]
            S = (S * w[:, None, :] - (S @ kk[:, :, None]) @ (kk * a)[:, None, :]
                 + v[:, :, None] @ k[:, None, :])
            before[i][2] = S
            y = (S @ r[:, :, None])[:, :, 0]
            y = F.group_norm(y.reshape(1, D), H, p["ln_x.weight"], p["ln_x.bias"], 64e-5).reshape(D)
            y = y + ((r * k * p["r_k"].reshape(H, HEAD)).sum(1, keepdim=True) * v).reshape(D)
            x = x + p["output.weight"] @ (y * g)
            u = norm(x, f"blocks.{i}.ln2")
            h = torch.relu(f["key.weight"] @ (u + (before[i][1] - u) * f["x_k"])) ** 2
            before[i][1] = u
            x = x + f["value.weight"] @ h
        out.append(t["head.weight"] @ norm(x, "ln_out"))
    return torch.stack(out)


def transformers_names(t):
    """The same tensors by the names of `transformers`."""
    projections = {"receptance": "r_proj", "key": "k_proj", "value": "v_proj", "output": "o_proj"}
    outer = {"emb": "model.embeddings", "head": "lm_head", "ln_out": "model.norm"}
    norms = {"ln0": "pre_norm", "ln1": "attn_norm", "ln2": "ffn_norm"}
    out = {}
    for name, x in t.items():
        parts = name.split(".")
        if parts[0] != "blocks":
            out[outer[parts[0]] + "." + parts[1]] = x
            continue
        prefix, part = f"model.layers.{parts[1]}.", parts[3] if len(parts) > 3 else ""
        if parts[2] in norms:
            out[prefix + norms[parts[2]] + "." + part] = x
        elif parts[2] == "ffn":
            out[prefix + ".".join(parts[2:])] = x
        elif part in projections:
            out[f"{prefix}attn.{projections[part]}.weight"] = x
        elif part == "ln_x":
            out[f"{prefix}attn.g_norm.{parts[4]}"] = x
        elif part[0] in "wavg" and part[1] in "012":
            kind = {"0": "2.bias", "1": "0.weight", "2": "2.weight"}[part[1]]
            value = x.flatten() if part[1] == "0" else x.T.contiguous()
            out[f"{prefix}attn.{part[0]}_lora.lora.{kind}"] = value
        else:
            out[f"{prefix}attn.{part}"] = x
    return out


def vocabulary():
    """Lines of the World vocabulary's file: single bytes and a few words, but not the last ids."""
    words = [b" the", b"tion", "é€".encode(), b"\xe2\x82", b"'\\\n"]
    lines = []
    for number, token in enumerate([bytes([b]) for b in range(256)] + words, 1):
        try:
            literal = repr(token.decode())
        except UnicodeDecodeError:
            literal = repr(token)
        lines.append(f"{number} {literal} {len(token)}\n")
    return "".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    rng = np.random.default_rng(7)
    t = tensors(rng)
    half = {name: x.to(torch.bfloat16) for name, x in t.items()}
    assert all((half[n].float() == t[n]).all() for n in t), "bfloat16 holds them"
    config = {
        "architectures": ["RWKV7ForCausalLM"], "model_type": "rwkv7", "hidden_size": D,
        "num_hidden_layers": LAYERS, "head_dim": HEAD, "intermediate_size": INNER, "vocab_size": V,
        "norm_eps": 1e-5, "tie_word_embeddings": False,
    }
    for name in ("reference", "transformers"):
        part = folder / name
        part.mkdir(parents=True, exist_ok=True)
        (part / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        (part / "rwkv_vocab_v20230424.txt").write_text(vocabulary())
    save_file(half, folder / "reference" / "model.safetensors")
    (folder / "pth").mkdir(exist_ok=True)
    torch.save(half, folder / "pth" / "rwkv7-tiny.pth")
    (folder / "pth" / "rwkv_vocab_v20230424.txt").write_text(vocabulary())
    renamed = transformers_names(half)
    names = sorted(renamed)
    parts = {f"model-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
    for file, members in parts.items():
        save_file({n: renamed[n] for n in members}, folder / "transformers" / file)
    places = {n: file for file, members in parts.items() for n in members}
    index = json.dumps({"metadata": {}, "weight_map": places}, indent=1) + "\n"
    (folder / "transformers" / "model.safetensors.index.json").write_text(index)
    ids = torch.tensor([0, *rng.integers(1, 262, 23)])
    save_file({"ids": ids, "logits": logits(t, ids)}, folder / "logits.safetensors")


if __name__ == "__main__":
    main()
