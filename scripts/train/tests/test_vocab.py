import numpy as np
import pytest

import corpus
import data
from vocab import RULES, SINGLES, START, Vocabulary, escape, merges, plain, pruned, unescape

SAMPLE = (b"the cat sat on the mat, and the dog sat on the log.\n"
          b"    if x == 10:\n        return 1998\n" * 40
          + b"\0" + "Übermut tut selten gut; das Übel war übrig.\r\n".encode() * 40 + b"\0")


@pytest.fixture(scope="module", params=RULES)
def vocabulary(request):
    return pruned(SAMPLE, RULES[request.param], 320)


def test_any_bytes_survive(vocabulary):
    g = np.random.default_rng(1)
    noise = g.integers(0, 256, 5000, np.uint8).tobytes()
    for text in (b"", b"\0", bytes(range(256)), noise, SAMPLE):
        assert vocabulary.decode(vocabulary.encode(text)) == text


def test_segmentation_is_the_longest_match_at_each_place(vocabulary):
    strings = set(vocabulary.tokens) - {b""}
    text, at = SAMPLE[:2000], 0
    for i in vocabulary.encode(text):
        longest = max((text[at : at + n] for n in range(1, 25) if text[at : at + n] in strings),
                      key=len)
        assert vocabulary.tokens[i] == longest
        at += len(longest)


def test_file_round_trip(vocabulary, tmp_path):
    vocabulary.save(tmp_path / "v.txt")
    assert Vocabulary.load(tmp_path / "v.txt").tokens == vocabulary.tokens


def test_learning_is_reproducible():
    rule = next(iter(RULES.values()))
    assert pruned(SAMPLE, rule, 300).tokens == pruned(SAMPLE, rule, 300).tokens
    assert len(plain(SAMPLE, rule, 300)) == 300


def test_merges_stay_inside_pieces():
    for token in merges(b"a b " * 500, RULES["no pieces joined"], 20, 1 << 40):
        assert b" " not in token.strip(b" ")


def test_learnt_tokens_pay(vocabulary):
    assert len(vocabulary.encode(SAMPLE)) < len(SAMPLE) / 2


def test_escapes():
    for token in (b"", b" ", b"\\", b"\n\t", b"a\\x41", bytes(range(256))):
        assert unescape(escape(token)) == token


def test_incomplete_vocabularies_are_refused(tmp_path):
    with pytest.raises(ValueError, match="single bytes"):
        Vocabulary([b"a", b"b"])
    (tmp_path / "v.txt").write_text("".join(escape(t) + "\n" for t in [b"", *SINGLES, b"a"]))
    with pytest.raises(ValueError, match="two lines"):
        Vocabulary.load(tmp_path / "v.txt")


@pytest.mark.parametrize("name", ["4096", "8192", "16384"])
def test_shipped_vocabularies(name):
    vocabulary = Vocabulary.load(f"{corpus.__file__.rsplit('/', 1)[0]}/vocab/{name}.txt")
    assert len(vocabulary) == int(name)
    assert vocabulary.tokens[START] == b""
    assert vocabulary.decode(vocabulary.encode(SAMPLE)) == SAMPLE


DOCUMENTS = [(i % 5, (f"document {i}\n" + f"line of {i}\n" * (i * 40)).encode()) for i in range(60)]


def windows(seed=1, **kwargs):
    v = Vocabulary([b"", *SINGLES, b"line of ", b"document "])
    return v, data.Windows(DOCUMENTS, v, kwargs.get("weights", [1] * 5), seed, streams=4, window=64)


def test_windows_are_a_function_of_seed_and_position():
    _, first = windows()
    _, second = windows()
    x, y = first.get(1, 3)
    second.get(0, 5)
    assert np.array_equal(x, second.get(1, 3)[0])
    assert np.array_equal(x[:, 1:], y[:, :-1])
    assert not np.array_equal(x, windows(seed=2)[1].get(1, 3)[0])
    assert not np.array_equal(x, first.get(0, 3)[0])


def test_a_pass_holds_every_document_once():
    v, w = windows()
    tokens = data.epoch_tokens(DOCUMENTS, v, [1] * 5, 1, 0)
    text = v.decode(tokens).replace(b"\r\n", b"\n")
    assert len(text) == sum(len(d) for _, d in DOCUMENTS)
    assert all(text.count(b"document %d\n" % i) == 1 for i in range(60))
    # Documents begin with START, and so do the pieces of long ones.
    assert (tokens == START).sum() > len(DOCUMENTS)
    w.load(0)
    assert (w.rows[:, 0] == START).all()


def test_category_weights():
    v, _ = windows()
    text = v.decode(data.epoch_tokens(DOCUMENTS, v, [0, 2, 1, 1, 1], 1, 0))
    text = text.replace(b"\r\n", b"\n")
    assert [text.count(b"document %d\n" % i) for i in (5, 6, 7)] == [0, 2, 1]


def test_some_pieces_begin_inside_a_line():
    rng = np.random.default_rng(3)
    text = b"a line of some length\n" * 200_000
    cut = data.pieces(text, rng)
    assert b"".join(cut) == text
    inside = sum(not p.startswith(b"a line") for p in cut[1:])
    assert 0 < inside < len(cut) / 2
