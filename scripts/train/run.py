"""A training run: its recipe, its state with checkpoints, and one step of training.

train.py drives it, export.py and evaluate.py read its checkpoints.
"""

import contextlib
import math
import os
from pathlib import Path

import torch

import model_folder
import model as model_module
from bpb import bits_per_byte
from loss import head_loss, slice_loss
from model import RWKV7, SIZES, Config
from optim import optimisers
from vocab import START, Vocabulary

# What a run is made of; stored in its checkpoints and taken from there when it resumes.
RECIPE = {
    "seed": 1, "streams": None, "window": 256, "lr": 4e-3, "optimiser": "muon",
    "weight_decay": 0.1, "warmup": 200, "decay": 0.4, "qat_from": 0.5, "average": 0.995,
    "clip": 1.0, "weights": "1,1,1,1,1",
    "bf16": 0, "init": "", "shape": "", "tokens": None,
}


def default_device():
    return "cuda" if torch.cuda.is_available() else "cpu"


def shape(text: str) -> dict:
    """What --shape changes in a size, for runs that compare shapes: "layers=6,ffn=6"."""
    parts = (part.split("=") for part in text.split(",") if part)
    return {name: int(value) for name, value in parts}


class Run:
    """A model in training: weights, their average, optimisers, carried state and position."""

    def __init__(self, size, recipe, vocabulary_path, device):
        self.size, self.recipe, self.device = size, recipe, device
        self.vocabulary = Vocabulary.load(vocabulary_path)
        self.vocabulary_text = Path(vocabulary_path).read_text()
        self.config = Config(**{**SIZES[size].dict(), **shape(recipe.get("shape", "")),
                                "vocab": len(self.vocabulary)})
        torch.manual_seed(recipe["seed"])
        self.model = RWKV7(self.config).to(device)
        if recipe.get("init"):
            self.model.ln0 = None  # a folder's embedding is stored after its norm
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.optimisers = optimisers(self.model, recipe["optimiser"], recipe["lr"],
                                     recipe["weight_decay"])
        self.state = self.model.zero_state(recipe["streams"], device)
        self.step = self.epoch = self.step_in_epoch = self.tokens_seen = self.bytes_seen = 0
        self.history = []  # one record a log line
        self._compile()

    def _compile(self):
        self.rows = 256 if self.device == "cpu" else 8192  # a slice of logits that stays in cache
        self.slice_fn = slice_loss
        # TF32 on CUDA. On CPU it sends float32 products to oneDNN, twice as fast as MKL on AMD,
        # with the same error.
        torch.set_float32_matmul_precision("high" if self.device != "cpu" else "medium")
        if not os.environ.get("TORCH_COMPILE_DISABLE"):
            model_module.compile_pieces()
            self.slice_fn = torch.compile(slice_loss, dynamic=False)

    # ---- checkpoints

    def save(self, path):
        data = {
            "size": self.size, "config": self.config.dict(), "recipe": self.recipe,
            "vocabulary": self.vocabulary_text, "model": self.model.state_dict(),
            "average": self.average, "optimisers": [o.state_dict() for o in self.optimisers],
            "state": self.state,
            "position": (self.step, self.epoch, self.step_in_epoch, self.tokens_seen,
                         self.bytes_seen),
            "history": self.history,
        }
        temporary = Path(path).with_suffix(".tmp")
        torch.save(data, temporary)
        os.replace(temporary, path)

    @classmethod
    def load(cls, path, device):
        data = torch.load(path, map_location=device, weights_only=True)
        vocabulary = Path(path).with_name("vocab.txt")
        vocabulary.write_text(data["vocabulary"])
        run = cls(data["size"], data["recipe"], vocabulary, device)
        run.model.load_state_dict(data["model"])
        run.average = data["average"]
        for optimiser, state in zip(run.optimisers, data["optimisers"]):
            optimiser.load_state_dict(state)
        run.state = [tuple(x) for x in data["state"]]
        run.step, run.epoch, run.step_in_epoch, run.tokens_seen, run.bytes_seen = data["position"]
        run.history = data["history"]
        return run

    def begin_with(self, folder):
        """Takes the weights of a model folder; optimisers and carried state begin anew."""
        model, vocabulary = model_folder.read(Path(folder))
        if model.c != self.config or vocabulary.tokens != self.vocabulary.tokens:
            raise SystemExit(f"{folder}: its shape or vocabulary is not that of {self.size}")
        self.model.load_state_dict(model.state_dict())
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}

    # ---- schedule

    def rate(self, step, total):
        """Share of the peak learning rate at a step."""
        fall = int(total * self.recipe["decay"])
        return min(1.0, (step + 1) / self.recipe["warmup"], (total - step) / max(1, fall))

    # ---- training

    def window(self, windows):
        """The next window, over to the next epoch where one ends."""
        part = windows.get(self.epoch, self.step_in_epoch)
        if part is None:
            self.epoch, self.step_in_epoch = self.epoch + 1, 0
            part = windows.get(self.epoch, 0)
        self.step_in_epoch += 1
        self.bytes_seen += int(self.vocabulary.lengths[part[1]].sum())
        return [torch.from_numpy(p).to(self.device, non_blocking=True) for p in part]

    def train_step(self, x, y, share, quantised):
        """One update at `share` of the peak learning rate, from windows x and y [streams, window].
        Returns the summed nll in nats and the tokens in it."""
        n = x.numel()
        with torch.autocast(torch.device(self.device).type, torch.bfloat16,
                            enabled=bool(self.recipe["bf16"])):
            h, state = self.model(x, START, self.state, quantised)
            weight = self.model.head_weight(quantised)
        if self.recipe["bf16"]:
            h, weight = h.bfloat16(), weight.bfloat16()
        targets = y.reshape(-1)
        keep = (targets != START).float()
        nll = head_loss(h.reshape(n, -1), weight, targets, keep, self.rows, self.slice_fn)
        total = nll.sum()
        (total / n).backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe["clip"],
                                              foreach=True)
        # A window that overflows now and then must not end a run of hours. Its states are no use
        # either.
        usable = math.isfinite(float(norm)) and math.isfinite(float(total.detach()))
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * share
            if usable:
                optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        if not usable:
            print(f"step {self.step + 1}: gradient {float(norm)}, loss {float(total.detach())}: "
                  "left out", flush=True)
            self.state = self.model.zero_state(self.recipe["streams"], self.device)
            self.step, self.tokens_seen = self.step + 1, self.tokens_seen + n
            return torch.zeros_like(total.detach()), torch.zeros_like(keep.sum())
        self.state = [tuple(s.detach() for s in layer) for layer in state]
        # A short memory at first, so that the average is of use from the beginning.
        memory = min(self.recipe["average"], (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.average.values()), list(self.model.state_dict().values()),
                             1 - memory)
        self.step += 1
        self.tokens_seen += n
        return total.detach(), keep.sum()

    @contextlib.contextmanager
    def weights(self, which):
        """The model with its "averaged" weights instead of the "last"."""
        if which == "averaged":
            held = {k: v.clone() for k, v in self.model.state_dict().items()}
            self.model.load_state_dict(self.average)
        yield
        if which == "averaged":
            self.model.load_state_dict(held)

    def evaluate(self, documents, quantised):
        """Bits per byte of documents [(category, text)], by category and position."""
        return bits_per_byte(self.model, documents, self.vocabulary, quantised=quantised,
                             streams=self.recipe["streams"], window=self.recipe["window"],
                             device=self.device, slice_fn=self.slice_fn, rows=self.rows)
