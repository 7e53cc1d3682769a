"""What the golden archives do not show of the second decoder: messages, dictionaries, packages."""

import subprocess
import sys
from pathlib import Path

import pytest

from lmz_decoder.frames import decode
from lmz_decoder.vocabulary import Vocabulary, read_tokens

SCRIPTS = Path(__file__).resolve().parents[2]
GOLDEN = SCRIPTS.parent / "tests" / "golden"
ARCHIVES = GOLDEN / "archives"


def run(archive, *dictionaries, command=("decoder",), cwd=SCRIPTS):
    """The decoder, in a Python that does not see installed packages (-S)."""
    paths = [ARCHIVES / name for name in (archive, *dictionaries)]
    return subprocess.run([sys.executable, "-S", *command, *paths], cwd=cwd, capture_output=True)


@pytest.mark.parametrize("command", [("decoder",), ("-m", "decoder")], ids=" ".join)
def test_an_archive_without_a_language_model_needs_no_packages(command):
    done = run("primed.txt.lmz", "message.txt", command=command)
    assert (done.stdout, done.stderr) == ((ARCHIVES / "primed.txt").read_bytes(), b"")


def test_what_a_language_model_needs_is_said():
    done = run("joint-tiny-short.txt.lmz")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"pip install numpy safetensors blake3" in done.stderr
    assert b"Traceback" not in done.stderr


def test_of_several_dictionaries_the_one_that_is_named_is_taken():
    archive = (ARCHIVES / "primed.txt.lmz").read_bytes()
    dictionary = (ARCHIVES / "message.txt").read_bytes()
    content = (ARCHIVES / "primed.txt").read_bytes()
    assert b"".join(decode(archive, [b"another", dictionary])) == content
    with pytest.raises(ValueError, match="none of the dictionaries"):
        list(decode(archive, [b"another", b"and another"]))
    with pytest.raises(ValueError, match="does not fit|not what an encoder writes|end before"):
        list(decode(archive, [b"another"]))
    with pytest.raises(ValueError, match="a dictionary is needed"):
        list(decode(archive, []))


def test_segmentation_is_greedy():
    vocabulary = Vocabulary([b"", b"a", b"ab", b"abcd", b"b", b"c", b"d"])
    tokens = [vocabulary.tokens[i] for i in vocabulary.encode(b"abcabcdab")]
    assert tokens == [b"ab", b"c", b"abcd", b"ab"]


def test_tokens_are_read_with_their_escapes(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n\\x0a\\x5c\n\\xff\\xfe\na\n")
    with pytest.raises(ValueError, match="sorted by bytes"):
        read_tokens(tmp_path / "vocab.txt")
    (tmp_path / "vocab.txt").write_text("\n\\x0a\\x5c\na\n\\xff\\xfe\n")
    assert read_tokens(tmp_path / "vocab.txt") == [b"", b"\n\\", b"a", b"\xff\xfe"]
    assert len(read_tokens(GOLDEN / "tiny-model" / "vocab.txt")) == 512
