"""A folder with random weights in the shape of SmolLM2-135M, and a vocabulary of its size learnt on
the corpus: to measure speed.

    python -m hub.shape hub/runs/smol       (in the folder scripts)
"""

import argparse
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from train import corpus

from .train_llama import train_tokenizer


def main():
    parser = argparse.ArgumentParser(
        prog="python -m hub.shape", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--corpus", default=corpus.DEFAULT)
    parser.add_argument("--tokens", type=int, default=49152)
    parser.add_argument("--layers", type=int, default=30)
    args = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(1)
    folder = Path(args.folder)
    folder.mkdir(parents=True, exist_ok=True)
    train_tokenizer(args.corpus, args.tokens, 16).save(str(folder / "tokenizer.json"))
    config = LlamaConfig(
        vocab_size=args.tokens, hidden_size=576, intermediate_size=1536,
        num_hidden_layers=args.layers, num_attention_heads=9, num_key_value_heads=3,
        max_position_embeddings=8192, rms_norm_eps=1e-5, tie_word_embeddings=True, bos_token_id=0,
        eos_token_id=0, rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        dtype="bfloat16")
    model = LlamaForCausalLM(config).to(torch.bfloat16)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
    model.save_pretrained(folder)


if __name__ == "__main__":
    main()
