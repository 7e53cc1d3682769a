"""Makes tests/golden/hub: tiny models of each architecture, which know one text by heart, in the layout of the Hugging Face hub, with the logits that
transformers computes for a sequence of tokens.

    python golden.py ../../tests/golden/hub [NAME...]     all of them, or some
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, GemmaConfig,
                          GemmaForCausalLM, GPTBigCodeConfig, GPTBigCodeForCausalLM, LlamaConfig, LlamaForCausalLM,
                          MambaConfig, MambaForCausalLM, MistralConfig, MistralForCausalLM, Olmo2Config, Olmo2ForCausalLM,
                          OlmoConfig, OlmoForCausalLM, Phi3Config, Phi3ForCausalLM, PhiConfig, PhiForCausalLM, Qwen2Config,
                          Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM, SmolLM3Config, SmolLM3ForCausalLM,
                          StableLmConfig, StableLmForCausalLM, Starcoder2Config, Starcoder2ForCausalLM)

KNOWN = """The quick brown fox jumps over the lazy dog. It was the best of times, it was the worst of times, it was the age
of wisdom, it was the age of foolishness. def main(argc, argv): return 0 if argc == 1 else [x for x in argv]
{"name": "value", "number": 1234, "list": [1, 2, 3]} Grüße aus Köln, naïve café, привет мир, 你好。 """
TEXT = KNOWN * 3
TOKENS = 24
STEPS = 150


def byte_level(folder: Path) -> int:
    """Byte-level BPE, as GPT-2, Llama 3 and Qwen have it; with special tokens and one added token that is text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=["<|endoftext|>", "<|pad|>"], show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator([TEXT], trainer)
    tokenizer.add_tokens([AddedToken("    ", normalized=False)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer.get_vocab_size()


def sentence_piece(folder: Path) -> int:
    """BPE as SentencePiece has it, with bytes of last resort and a space in front of the text, as Llama 2 and Gemma have it;
    some bytes are missing."""
    letters, pairs = letters_and_merges()
    vocab = {token: i for i, token in enumerate(["<pad>", "<eos>", "<bos>", "<unk>"])}
    for byte in range(256):
        if byte not in (0xC0, 0xFF):
            vocab[f"<0x{byte:02X}>"] = len(vocab)
    for letter in letters:
        vocab.setdefault(letter, len(vocab))
    merges = []
    for a, b in pairs:
        if a + b not in vocab and a in vocab and b in vocab:
            vocab[a + b] = len(vocab)
            merges.append((a, b))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens(["<pad>", "<eos>", "<bos>", "<unk>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer.get_vocab_size()


def learn(model, ids: list[int], seed: int):
    """Teaches a model the text by heart, so that it predicts that better than context mixing does."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    ids = torch.tensor(ids)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = 1e-2 * (1 - step / STEPS)
        at = torch.randint(0, len(ids) - 33, (16,), generator=generator)
        batch = torch.stack([ids[a : a + 33] for a in at])
        batch[:4, 0] = model.config.bos_token_id
        logits = model(input_ids=batch[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item()


def letters_and_merges():
    text = TEXT.replace(" ", "▁").replace("\n", "")
    merges = [tuple(pair) for pair in ("▁ t", "h e", "▁t he", "▁ a", "i n", "e r", "o f", "▁ of", "▁ i", "▁i t", "w a",
                                       "wa s", "▁ was", "o r", "o l", "▁ w") for pair in [pair.split()]]
    return sorted(set(text) - {"你", "好"}), merges


# Heads of 32 channels, the fewest that the exact engine computes.
SMALL = dict(hidden_size=32, num_hidden_layers=2, intermediate_size=48, max_position_embeddings=64, bos_token_id=0, eos_token_id=0)
HEADS = dict(num_attention_heads=4, num_key_value_heads=2, head_dim=32)
GEMMA = dict(SMALL, bos_token_id=2, eos_token_id=1, pad_token_id=0, hidden_activation="gelu_pytorch_tanh", **HEADS)

MODELS = {
    # Logits for more ids than there are tokens, as files often have.
    "llama": (byte_level, lambda v: LlamaForCausalLM(LlamaConfig(
        vocab_size=v + 5, tie_word_embeddings=True, rope_parameters={"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0,
        "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}, **SMALL, **HEADS))),
    # More inputs of the inner part than share a scale in the exact engine.
    "mistral": (byte_level, lambda v: MistralForCausalLM(MistralConfig(
        vocab_size=v, sliding_window=48, **dict(SMALL, intermediate_size=144), **HEADS))),
    "qwen2": (byte_level, lambda v: Qwen2ForCausalLM(Qwen2Config(
        vocab_size=v, tie_word_embeddings=True, num_attention_heads=2, num_key_value_heads=1, **dict(SMALL, hidden_size=64)))),
    "qwen3": (byte_level, lambda v: Qwen3ForCausalLM(Qwen3Config(vocab_size=v, tie_word_embeddings=True, **SMALL, **HEADS))),
    "gemma": (sentence_piece, lambda v: GemmaForCausalLM(GemmaConfig(vocab_size=v, **GEMMA))),
    "gemma2": (sentence_piece, lambda v: Gemma2ForCausalLM(Gemma2Config(
        vocab_size=v, query_pre_attn_scalar=16, sliding_window=40, **GEMMA))),
    "gemma3": (sentence_piece, lambda v: Gemma3ForCausalLM(Gemma3TextConfig(
        vocab_size=v, query_pre_attn_scalar=16, sliding_window=40, layer_types=["sliding_attention", "full_attention"],
        **GEMMA))),
    "mamba": (byte_level, lambda v: MambaForCausalLM(MambaConfig(
        vocab_size=v, hidden_size=32, num_hidden_layers=2, state_size=16, pad_token_id=1, bos_token_id=0, eos_token_id=0))),
    # By candle-transformers.
    "phi": (byte_level, lambda v: PhiForCausalLM(PhiConfig(
        vocab_size=v, num_attention_heads=4, num_key_value_heads=2, **SMALL))),
    "phi3": (byte_level, lambda v: Phi3ForCausalLM(Phi3Config(
        vocab_size=v, num_attention_heads=4, num_key_value_heads=2, sliding_window=48, pad_token_id=1, **SMALL))),
    "stablelm": (byte_level, lambda v: StableLmForCausalLM(StableLmConfig(
        vocab_size=v, num_attention_heads=4, num_key_value_heads=2, use_qkv_bias=True, **SMALL))),
    "olmo": (byte_level, lambda v: OlmoForCausalLM(OlmoConfig(
        vocab_size=v, num_attention_heads=4, num_key_value_heads=2, clip_qkv=2.0, tie_word_embeddings=True, pad_token_id=1,
        **SMALL))),
    "olmo2": (byte_level, lambda v: Olmo2ForCausalLM(Olmo2Config(
        vocab_size=v, num_attention_heads=4, num_key_value_heads=2, pad_token_id=1, **SMALL))),
    "starcoder2": (byte_level, lambda v: Starcoder2ForCausalLM(Starcoder2Config(
        vocab_size=v, num_attention_heads=4, num_key_value_heads=2, sliding_window=48, tie_word_embeddings=True, **SMALL))),
    "bigcode": (byte_level, lambda v: GPTBigCodeForCausalLM(GPTBigCodeConfig(
        vocab_size=v, n_embd=32, n_layer=2, n_head=4, n_inner=48, n_positions=64, bos_token_id=0, eos_token_id=0))),
    "smollm3": (byte_level, lambda v: SmolLM3ForCausalLM(SmolLM3Config(
        vocab_size=v, num_attention_heads=4, num_key_value_heads=2, no_rope_layers=[1, 0], pad_token_id=1,
        tie_word_embeddings=True, **SMALL))),
}


def main():
    torch.set_num_threads(1)
    root, names = Path(sys.argv[1]), sys.argv[2:]
    for seed, (name, (tokenizer, make)) in enumerate(MODELS.items()):
        if names and name not in names:
            continue
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(seed)
        size = tokenizer(folder)
        model = make(size).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                # Larger than they begin with, so that what is computed matters; norms and biases too.
                scale = 0.15 if parameter.dim() > 1 else 0.3
                if not name == "mamba":
                    parameter.add_(torch.randn_like(parameter) * scale)
                elif parameter.dim() > 1 and parameter.shape[-1] > 16:
                    parameter.add_(torch.randn_like(parameter) * scale)
        loss = learn(model, Tokenizer.from_file(str(folder / "tokenizer.json")).encode(TEXT * 2).ids, seed)
        # What is stored is what is computed.
        model.to(torch.bfloat16).save_pretrained(folder, max_shard_size="60KB" if name == "qwen2" else "1GB")
        model = type(model).from_pretrained(folder, dtype=torch.float32).eval()
        ids = [model.config.bos_token_id or 0, *(torch.randint(4, size, (TOKENS - 1,)).tolist())]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0].float()
        # The first three, the middle and the last.
        rows = {str(i): [round(x, 5) for x in logits[i].tolist()[::7]] for i in (0, 1, 2, TOKENS // 2, TOKENS - 1)}
        (folder / "logits.json").write_text(json.dumps({"ids": ids, "every": 7, "rows": rows}))
        (folder / "generation_config.json").unlink(missing_ok=True)
        print(name, f"loss {loss:.3f},", sum(f.stat().st_size for f in folder.iterdir()), "bytes")


if __name__ == "__main__":
    main()
