"""Where the files lie that the texts name: weights to begin with, and the registered models."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
START = ROOT / "src/mix/start.bin"  # MIXING.md, section 3
DEFAULT_MIXER = ROOT / "models/nano/mixer.bin"  # MIXING.md, section 14

TRANSFORMER_MIXER = ROOT / "src/mix/transformer.bin"

# FORMAT.md, short frame: the registered models by number.
REGISTERED = {1: ROOT / "models/nano", 2: ROOT / "models/base"}
# A model without a number, in which some golden archives are written.
UNREGISTERED = ROOT / "tests/golden/tiny-model"
