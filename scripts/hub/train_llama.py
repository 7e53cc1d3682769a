"""Trains a small model in a standard architecture (llama layout, byte-level BPE, tied embeddings)
on the corpus, with nothing but PyTorch and transformers: to see what lmz makes of real text through
candle, and to measure it.

    python -m hub.train_llama hub/runs/llama --minutes 40       (in the folder scripts)
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

from train import corpus

BEGIN = "<|endoftext|>"  # id 0: before every document


def train_tokenizer(folder, size: int, megabytes: float) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[BEGIN], show_progress=False,
                                  initial_alphabet=alphabet)
    texts = corpus.sample(folder, megabytes).decode().split("\0")
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def tokens(folder, tokenizer: Tokenizer, megabytes: float, seed: int) -> np.ndarray:
    """Documents in random order, each behind BEGIN."""
    texts = [d for d in corpus.sample(folder, megabytes).decode().split("\0") if d]
    order = np.random.default_rng(seed).permutation(len(texts))
    out = []
    for batch in np.array_split(order, max(1, len(order) // 256)):
        batch = [texts[i] for i in batch]
        for encoded in tokenizer.encode_batch(batch, add_special_tokens=False):
            out += [np.zeros(1, np.uint16), np.array(encoded.ids, np.uint16)]
    return np.concatenate(out)


@torch.no_grad()
def validate(model, tokenizer, folder, window: int) -> float:
    """Bits per byte of the validation split's document openings, of up to `window` tokens."""
    model.eval()
    bits = size = 0
    for _, text in corpus.valid(folder):
        opening = text[: 4 * window].decode(errors="ignore")
        ids = tokenizer.encode(opening, add_special_tokens=False).ids[: window - 1]
        x = torch.tensor([[0, *ids]])
        logits = model(input_ids=x[:, :-1]).logits[0]
        loss = torch.nn.functional.cross_entropy(logits, x[0, 1:], reduction="sum")
        bits += loss.item() / math.log(2)
        size += len(tokenizer.decode(ids).encode())
    model.train()
    return bits / size


def main():
    parser = argparse.ArgumentParser(
        prog="python -m hub.train_llama", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--corpus", default=corpus.DEFAULT)
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--megabytes", type=float, default=40)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--batch", type=int, default=3)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", type=int, default=1,
                        help="products in bfloat16; 2.5 times as fast on a CPU with AVX-512 BF16")
    args = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    folder = Path(args.folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(args.corpus, args.tokens, min(args.megabytes, 12))
    tokenizer.save(str(folder / "tokenizer.json"))
    data = tokens(args.corpus, tokenizer, args.megabytes, 1)
    print(f"{len(data):,} tokens of {args.megabytes:.0f} MB", flush=True)
    config = LlamaConfig(
        vocab_size=args.tokens, hidden_size=192, intermediate_size=512, num_hidden_layers=6,
        num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=2 * args.window,
        rms_norm_eps=1e-5, tie_word_embeddings=True, bos_token_id=0, eos_token_id=0,
        initializer_range=0.02, attn_implementation="sdpa")
    model = LlamaForCausalLM(config)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=args.rate, betas=(0.9, 0.98), eps=1e-9)
    rng = np.random.default_rng(2)
    begin, last, step, mean = time.time(), 0.0, 0, None
    starts = rng.permutation((len(data) - 1) // args.window) * args.window
    while (spent := (time.time() - begin) / 60 / args.minutes) < 1:
        # Up for the first twentieth, then level, then down to nothing over the second half: by the
        # clock, so that the run ends when it should.
        rate = args.rate * min(1, spent * 20 + 0.01, 2 * (1 - spent) + 0.001)
        for group in optimiser.param_groups:
            group["lr"] = rate
        at = starts[np.arange(step * args.batch, (step + 1) * args.batch) % len(starts)]
        x = torch.from_numpy(np.stack([data[a : a + args.window + 1] for a in at]).astype(np.int64))
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16 > 0):
            logits = model(input_ids=x[:, :-1]).logits.float()
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        mean = loss.item() if mean is None else 0.95 * mean + 0.05 * loss.item()
        if time.time() - last > 60:
            last = time.time()
            seen = step * args.batch * args.window
            pace = seen / (last - begin + 1e-9)
            print(f"{spent:5.1%} step {step} {seen:,} tokens {pace:.0f}/s loss {mean:.4f}",
                  flush=True)
    bpb = validate(model, tokenizer, args.corpus, args.window)
    seen = step * args.batch * args.window
    print(f"{seen:,} tokens seen; {bpb:.4f} bits per byte on the openings of the validation "
          "documents", flush=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    training = {"tokens": seen, "minutes": args.minutes, "valid_bpb": bpb}
    (folder / "training.json").write_text(json.dumps(training))


if __name__ == "__main__":
    main()
