"""Training data: whole documents as token streams, mixed anew for each pass over the corpus.

A pass (epoch) is one long array of tokens: documents in random order, each begun by the token START
(vocab.START), at which the model's state is reset. The array is cut into B equal rows; row b is
what stream b reads, window after window, with its state carried along. Everything is a function of
(seed, epoch), so a run resumes exactly from two numbers.

What is done to documents, because it is what the coder will meet:
- long ones are cut into pieces of random length, mostly at line ends and else anywhere, since the
  streams of a block begin at such cuts;
- one in 16 gets CRLF line ends;
- each category can be given more or less weight.
"""

import math

import numpy as np

import corpus
from vocab import START, Vocabulary

SHORTEST, LONGEST = 8_000, 300_000  # bytes of a piece
LINE_CUTS = 0.7  # share of cuts that fall at a line end


class Corpus:
    """All training documents, in memory, as (category index, text)."""

    def __init__(self, folder):
        self.documents = [(c, d) for c, name in enumerate(corpus.CATEGORIES)
                          for d in corpus.documents(folder, name)]


def pieces(text: bytes, rng) -> list[bytes]:
    out = []
    while True:
        length = int(math.exp(rng.uniform(math.log(SHORTEST), math.log(LONGEST))))
        if length + SHORTEST // 2 >= len(text):
            return [*out, text]
        if rng.random() < LINE_CUTS:
            length = text.find(b"\n", length) + 1
            if length == 0 or length >= len(text):
                return [*out, text]
        out.append(text[:length])
        text = text[length:]


def epoch_tokens(documents, vocabulary: Vocabulary, weights, seed: int, epoch: int) -> np.ndarray:
    """One pass as uint16 ids. weights: copies of each category's documents, fractions by chance."""
    rng = np.random.default_rng([seed, epoch])
    texts = []
    for category, document in documents:
        weight = weights[category]
        for _ in range(int(weight) + (rng.random() < weight - int(weight))):
            if rng.random() < corpus.CRLF_SHARE:
                document = corpus.with_crlf(document)
            texts += pieces(document, rng)
    order = rng.permutation(len(texts))
    start = np.array([START], np.uint16)
    out = []
    for i in order:
        out += [start, vocabulary.encode(texts[i])]
    return np.concatenate(out)


class Windows:
    """Windows of one training run: (inputs, targets) of shape [streams, window], by step number."""

    def __init__(self, documents, vocabulary, weights, seed, streams, window):
        self.documents, self.vocabulary = documents, vocabulary
        self.weights, self.seed = weights, seed
        self.streams, self.window = streams, window
        self.epoch, self.rows, self.steps = -1, None, 0

    def load(self, epoch):
        tokens = epoch_tokens(self.documents, self.vocabulary, self.weights, self.seed, epoch)
        usable = len(tokens) // self.streams * self.streams
        self.rows = tokens[:usable].reshape(self.streams, -1)
        # A row begins where the cut falls; the model must still be told that it begins.
        self.rows[:, 0] = START
        self.epoch = epoch
        self.steps = (self.rows.shape[1] - 1) // self.window
        if self.steps == 0:
            raise SystemExit(f"the corpus is too small for {self.streams} streams of "
                             f"{self.window} tokens")

    def get(self, epoch: int, step: int):
        """Window `step` of `epoch`, or None past the epoch's end."""
        if epoch != self.epoch:
            self.load(epoch)
        if step >= self.steps:
            return None
        at = step * self.window
        part = self.rows[:, at : at + self.window + 1].astype(np.int64)
        return part[:, :-1], part[:, 1:]
