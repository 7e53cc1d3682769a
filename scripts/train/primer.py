"""What the context models' start state is learnt from.

    python primer.py --primer /tmp/primer --documents /tmp/documents
    cargo run --release -p lmz-train -- \\
        none /tmp/documents src/mix/start.bin --primer /tmp/primer --rounds 4

The primer is a text of phrases that many documents share; every block's context models read it
before they code. It is chosen greedily: the phrase that brings most for its length comes next,
where a phrase is up to seven words or signs found in at least 8 documents. What it brings is the
share of documents that hold each of its strings of 5 bytes, as far as no phrase chosen before has
it. The best come last, nearest to what is coded.

The documents are a sample of the corpus, whole or cut, each followed by a NUL byte.
"""

import argparse
import collections
import heapq
import random
import re

import corpus

STRING = 5  # bytes; 6 was 0.2% and 8 was 1.4% worse in the length of 409 sampled documents
# Whole numbers, so that sums have no order.
SHARES = {"prose-en": 130, "docs": 120, "code": 120, "data": 80, "multilingual": 35}
PIECE = re.compile(rb"\r?\n[ \t]*| ?[A-Za-z]+| ?[0-9]+| ?[^A-Za-z0-9\s]+|[ \t]+|[\x80-\xff]+")


def cut(text: bytes, most: int, whole: float, rng: random.Random) -> bytes:
    """At most so many bytes of a document: its beginning, or from another line on."""
    if rng.random() < whole or len(text) <= most:
        return text[:most]
    at = text.find(b"\n", rng.randrange(len(text) - most)) + 1
    return text[at : at + most]


def strings(text: bytes) -> set:
    return {text[i : i + STRING] for i in range(len(text) - STRING + 1)}


def phrases(text: bytes) -> set:
    ends = [0] + [m.end() for m in PIECE.finditer(text)]
    out = set()
    for i in range(len(ends) - 1):
        for j in range(i + 1, min(i + 8, len(ends))):
            length = ends[j] - ends[i]
            if length > 40:
                break
            if length >= STRING:
                out.add(text[ends[i] : ends[j]])
    return out


def choose(documents, size: int) -> bytes:
    """The primer of `size` bytes or a little more; documents are (weight, text)."""
    share = collections.Counter()
    count = collections.Counter()
    for weight, text in documents:
        for s in strings(text):
            share[s] += weight
        count.update(phrases(text))
    share = {s: w for s, w in share.items() if w >= 600}
    covered = set()

    def gain(phrase):
        return sum(share.get(s, 0) for s in strings(phrase) if s not in covered) / len(phrase)

    heap = [(-gain(p), p) for p, n in count.items() if n >= 8]
    heapq.heapify(heap)
    chosen, length = [], 0
    while heap and length < size:
        _, phrase = heapq.heappop(heap)
        now = gain(phrase)  # what was chosen since may have covered some of it
        if now <= 0:
            continue
        if heap and now < -heap[0][0]:
            heapq.heappush(heap, (-now, phrase))
            continue
        chosen.append((now, phrase))
        length += len(phrase)
        covered |= strings(phrase)
    return b"".join(phrase for _, phrase in sorted(chosen))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default=corpus.DEFAULT)
    parser.add_argument("--size", type=int, default=42_000, help="bytes of the primer")
    parser.add_argument("--primer", required=True)
    parser.add_argument("--documents", required=True)
    parser.add_argument("--sample", type=int, default=3, help="documents sampled, in 485")
    args = parser.parse_args()
    rng = random.Random(5)
    for_primer, sample = [], []
    for category, texts in ((c, corpus.documents(args.corpus, c)) for c in corpus.CATEGORIES):
        rng.shuffle(texts)
        half = len(texts) // 2
        for_primer += [(SHARES[category], cut(t, 12_000, 0, rng)) for t in texts[: min(half, 700)]]
        for text in texts[half : half + args.sample * SHARES[category]]:
            text = cut(text, rng.choice([1500, 6000, 16000, 16000, 40000]), 0.6, rng)
            sample.append(corpus.with_crlf(text) if len(sample) % 16 == 0 else text)
    rng.shuffle(sample)
    primer = choose(for_primer, args.size)
    with open(args.primer, "wb") as f:
        f.write(primer)
    with open(args.documents, "wb") as f:
        f.write(b"".join(text + b"\0" for text in sample))
    print(f"primer: {len(primer):,} bytes from {len(for_primer):,} documents; "
          f"sample: {len(sample):,} documents, {sum(map(len, sample)):,} bytes")


if __name__ == "__main__":
    main()
