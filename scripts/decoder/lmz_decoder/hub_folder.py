"""A transformer's folder in the layout of the Hugging Face hub, as docs/ARITHMETIC.md reads it
(sections 2.6 and 2.8): config.json, tokenizer.json and the tensors in safetensors."""

import json
import math
from dataclasses import dataclass

import numpy as np

from .rwkv7 import F
from .transformer import Matrix, Reference, double, identity

LONGEST_TOKEN = 1024  # bytes
BETWEEN = "<|endoftext|>"  # what a document begins with, where it is a special token


def load(folder):
    """The model of a folder, its identity, and the bytes of its mixer.bin or None."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    words = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    shape = Shape.of(config)
    tokens, ids = vocabulary(words, config)
    absent = [token for token, found in enumerate(ids) if found is None]
    model = Reference(shape, tokens, absent, tensors(folder, config, ids))
    mixer = folder / "mixer.bin"
    mixer = mixer.read_bytes() if mixer.exists() else None
    return model, identity(model, mixer), mixer


# ---- config.json


@dataclass
class Shape:
    """What a transformer is made of, beside its tensors."""

    heads: int
    key_heads: int
    head_size: int
    activation: str  # "silu" or "gelu"
    window: int  # tokens that a local layer sees
    longest: int  # the most tokens of context
    epsilon: np.float32
    embedding_scale: np.float32
    query_scale: np.float32
    score_cap: np.float32 | None
    logit_cap: np.float32 | None
    local: list[bool]  # of each layer
    frequencies: list[list[float]]  # [N / 2] of layers that are not local, and of those that are
    norms: tuple[str, str, str, str]  # names: before and behind attention, and the inner part

    @classmethod
    def of(cls, config):
        def field(name, default=None):
            value = config.get(name)
            return default if value is None else value

        architecture, hidden = config["architectures"][0], config["hidden_size"]
        is_gemma, has_norms_behind = architecture.startswith("Gemma"), norms_behind(architecture)
        heads, longest = config["num_attention_heads"], field("max_position_embeddings", 2048)
        size = field("head_dim", hidden // heads)
        # A window that is switched off is none.
        window = field("sliding_window", longest) if field("use_sliding_window", True) else longest
        layers = range(field("num_hidden_layers", 32))
        local = [window < longest and is_local(field, architecture, n) for n in layers]
        caps = (field(name) for name in ("attn_logit_softcapping", "final_logit_softcapping"))
        score_cap, logit_cap = (None if cap is None else F(cap) for cap in caps)
        scale = field("query_pre_attn_scalar", 256) if has_norms_behind else size
        # Layers of one kind turn alike; a kind that does not occur turns as the first layer does.
        first = [local.index(kind) if kind in local else 0 for kind in (False, True)]
        after = "post_attention_layernorm"
        return cls(
            heads=heads, key_heads=field("num_key_value_heads", heads), head_size=size,
            activation=activation(field, is_gemma), window=window, longest=longest,
            epsilon=F(field("rms_norm_eps", 1e-6)),
            embedding_scale=np.sqrt(F(hidden)) if is_gemma else F(1),
            query_scale=F(1 / math.sqrt(scale)), score_cap=score_cap, logit_cap=logit_cap,
            local=local, frequencies=[turns(field, n, size) for n in first],
            norms=("input_layernorm", after, "pre_feedforward_layernorm",
                   "post_feedforward_layernorm") if has_norms_behind
            else ("input_layernorm", "none", after, "none"))


def norms_behind(architecture):
    return architecture in ("Gemma2ForCausalLM", "Gemma3ForCausalLM")


def activation(field, is_gemma):
    named = field("hidden_activation", field("hidden_act", "silu"))
    if named in ("silu", "swish") and not is_gemma:
        return "silu"
    if named in ("gelu_pytorch_tanh", "gelu_new") or is_gemma and named == "gelu":
        return "gelu"
    raise ValueError(f"the activation {named} is not known")


def is_local(field, architecture, layer):
    """Whether a layer of a model that has a window sees no more than that."""
    types, number = field("layer_types"), layer + 1
    if types:
        return types[layer] == "sliding_attention"
    if architecture == "Gemma2ForCausalLM":
        return number % 2 == 1
    if architecture == "Gemma3ForCausalLM":
        return number % field("sliding_window_pattern", 6) != 0
    if architecture in ("Qwen2ForCausalLM", "Qwen3ForCausalLM"):
        return field("use_sliding_window", False) and number > field("max_window_layers", 28)
    return architecture == "MistralForCausalLM"


def turns(field, layer, size):
    """The frequencies [N / 2] of a layer's positions."""
    types, parameters = field("layer_types"), field("rope_parameters")
    is_full = (layer + 1) % field("sliding_window_pattern", 6) == 0
    kind = types[layer] if types else "full_attention" if is_full else "sliding_attention"
    local_base = field("rope_local_base_freq")
    if parameters:
        stretch = parameters.get(kind) or parameters
        theta = stretch.get("rope_theta") or 1e4
    elif kind == "sliding_attention" and local_base:
        stretch, theta = {}, local_base
    else:
        stretch, theta = field("rope_scaling", {}), field("rope_theta", 1e4)
    frequencies = [exp(-(2 * i / size * ln(float(theta)))) for i in range(size // 2)]
    how = stretch.get("rope_type") or stretch.get("type") or "default"
    if how == "default":
        return frequencies
    if how == "linear":
        return [f / stretch["factor"] for f in frequencies]
    if how == "llama3":
        return [stretched(f, stretch) for f in frequencies]
    raise ValueError(f"rotary positions of the type {how} are not known")


# ---- section 2.6: frequencies, in f64

LN2_HIGH, LN2_LOW = double(0x3FE62E42FEE00000), double(0x3DEA39EF35793C76)
CIRCLE = double(0x401921FB54442D18)


def ln(x):
    m, e = math.frexp(x)  # x = m 2^e, 0.5 <= m < 1
    m, e = 2.0 * m, e - 1
    if m > 1.5:
        m, e = 0.5 * m, e + 1
    z = (m - 1.0) / (m + 1.0)
    square, series = z * z, 0.0
    for k in range(25, 0, -2):
        series = series * square + 1.0 / k
    return e * LN2_HIGH + (e * LN2_LOW + 2.0 * z * series)


def exp(x):
    n = int(x / (LN2_HIGH + LN2_LOW) - 0.5)
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    series = 1.0
    for k in range(16, 0, -1):
        series = series * r / k + 1.0
    return series * 2.0**n


def stretched(f, how):
    original, length = float(how["original_max_position_embeddings"]), CIRCLE / f
    factor, low, high = (float(how[n]) for n in ("factor", "low_freq_factor", "high_freq_factor"))
    if length < original / high:
        return f
    if length > original / low:
        return f / factor
    share = (original / length - low) / (high - low)
    return (1.0 - share) * f / factor + share * f


# ---- section 2.8: tokenizer.json


def vocabulary(words, config):
    """The tokens [V], bytes by number, and of each the model's id, or None for bytes that it lacks;
    of token 0 the id that a document begins with."""
    specials = []
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        named = config.get(name)
        specials += named if isinstance(named, list) else [] if named is None else [named]
    logits, stated = config["vocab_size"], words["model"]["vocab"]
    known = stated if isinstance(stated, dict) else {s: i for i, (s, _) in enumerate(stated)}
    added = {token["id"]: token for token in words["added_tokens"]}
    ids = known | {token["content"]: token["id"] for token in added.values()}
    spelling = Spelling(words)
    found = []
    for string, number in ids.items():
        token = added.get(number)
        if number >= logits or number in specials or token and token["special"]:
            continue
        if token:
            text = spelling.added(string, token["normalized"] or string in known)
            last_resort = False
        else:
            last_resort, text = spelling.bytes(string)
        if text and len(text) <= LONGEST_TOKEN:
            found.append((last_resort, number, text))
    found.sort()
    texts = [text for _, _, text in found]
    lacking = [bytes([b]) for b in range(256) if bytes([b]) not in set(texts)]
    between = ids.get(BETWEEN, logits)
    is_special = between < logits and between not in [number for _, number, _ in found]
    start = between if is_special else (specials or [0])[0]
    numbers = [start, *(number for _, number, _ in found), *[None] * len(lacking)]
    return [b"", *texts, *lacking], numbers


class Spelling:
    """How strings of tokenizer.json spell bytes: by a letter for each, or as UTF-8."""

    def __init__(self, words):
        kinds = types_in(words.get("decoder"))
        self.letters = None
        if "ByteLevel" in kinds | types_in(words.get("pre_tokenizer")):
            self.letters = letters()
        elif not (kinds & {"Replace", "Metaspace", "ByteFallback"}
                  or words["model"].get("byte_fallback")):
            raise ValueError("tokenizer.json is neither byte-level BPE nor of SentencePiece")

    def bytes(self, string):
        """Whether it is a byte of last resort, and the bytes of a string or None."""
        if self.letters:
            spelt = [self.letters.get(letter) for letter in string]
            return False, None if None in spelt else bytes(spelt)
        if len(string) == 6 and string[:3] == "<0x" and string[-1] == ">":
            return True, bytes.fromhex(string[3:5])
        return False, string.replace("\u2581", " ").encode()

    def added(self, content, is_normalized):
        if is_normalized and not self.letters:
            content = content.replace("\u2581", " ")
        return content.encode()


def types_in(part):
    """The types of a part of the file and of all that is in it."""
    if isinstance(part, dict):
        own = {part["type"]} if isinstance(part.get("type"), str) else set()
        return own.union(*map(types_in, part.values()))
    return set().union(*map(types_in, part)) if isinstance(part, list) else set()


def letters():
    """The bytes of the letters of byte-level BPE."""
    def is_printable(b):
        return 0x21 <= b <= 0x7E or 0xA1 <= b <= 0xAC or 0xAE <= b
    others = [b for b in range(256) if not is_printable(b)]
    out = {chr(b): b for b in range(256) if is_printable(b)}
    return out | {chr(0x100 + i): b for i, b in enumerate(others)}


# ---- tensors


def tensors(folder, config, ids):
    """The model's tensors by the names of `transformer.Reference`; ids: the model's of each
    token."""
    is_gemma = config["architectures"][0].startswith("Gemma")
    tied = config.get("tie_word_embeddings")
    tied = is_gemma if tied is None else tied
    out = {}
    for full, t in read_files(folder).items():
        name = full.removeprefix("model.").removesuffix(".weight")
        if not np.isfinite(t).all():
            raise ValueError(f"{folder}: tensor {full} has values that are not finite")
        if name in ("embed_tokens", "lm_head"):
            t = np.stack([np.zeros(t.shape[1], F) if i is None else t[i] for i in ids])
        elif is_gemma and t.ndim == 1 and not name.endswith(".bias"):
            t = t + F(1)
        if not (name == "lm_head" and tied):
            out[name] = t if t.ndim == 1 else Matrix(t)
    return {name: t for name, t in out.items() if is_used(name, config)}


def is_used(name, config):
    """Whether a model has a tensor: files may have others."""
    architecture, part = config["architectures"][0], name.rsplit(".", 2)[-2:]
    is_qwen2 = architecture == "Qwen2ForCausalLM"
    bias = config.get("attention_bias") or False
    if part[-1] == "bias":
        return bias and not is_qwen2 if part[0] == "o_proj" else bias or is_qwen2
    if part[-1] in ("q_norm", "k_norm"):
        return architecture in ("Qwen3ForCausalLM", "Gemma3ForCausalLM")
    return True


def read_files(folder):
    """The tensors of a folder as f32, of one file or of those that an index names."""
    index, out = folder / "model.safetensors.index.json", {}
    files = ["model.safetensors"]
    if index.exists():
        files = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    for file in files:
        data = (folder / file).read_bytes()
        begin = 8 + int.from_bytes(data[:8], "little")
        for name, stated in json.loads(data[8:begin]).items():
            if name != "__metadata__":
                a, b = stated["data_offsets"]
                out[name] = floats(stated["dtype"], data[begin + a : begin + b]).reshape(
                    stated["shape"])
    return out


def floats(kind, data):
    """f32 of a tensor's bytes."""
    if kind == "BF16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(F)
    if kind in ("F16", "F32"):
        return np.frombuffer(data, {"F16": "<f2", "F32": "<f4"}[kind]).astype(F)
    raise ValueError(f"expected numbers of the type F32, BF16 or F16, found {kind}")
