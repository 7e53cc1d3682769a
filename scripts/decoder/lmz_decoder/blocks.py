"""A block's bytes from its coded bytes, by any codec (FORMAT.md, section Block)."""

from . import cm, lm_cm, lm_only, ppm
from .layout import stripes
from .range_decoder import RangeDecoder


def decode_block(codec, length, coded, segments, order, models, dictionary):
    """The `length` bytes of a block.

    segments: (length in bytes, number of the model from 1, or 0 for none) of each; order: how many
    streams there are, and the length of a stripe in bytes or 0; models: those of the frame, each
    ppm.Parameters or a LanguageModel; dictionary: the bytes that the models read first, or b"".
    """
    if codec == 0:
        return coded
    if codec == 1:
        return coded * length
    if codec not in (2, 3, 4):
        raise ValueError(f"codec {codec} is not known")
    coder, lengths = RangeDecoder(coded), [n for n, _ in segments]
    if codec == 3:
        return cm.decode(coder, stripes(lengths, order[1]), order[0], dictionary)
    if codec == 4:
        return lm_cm.decode(coder, segments, order, models, dictionary)
    model = models[segments[0][1] - 1]
    if isinstance(model, ppm.Parameters):
        parts = [(n, models[number - 1]) for n, number in segments]
        return ppm.decode(coder, parts, dictionary)
    return lm_only.decode(coder, length, order[0], stripes(lengths, order[1]), model, dictionary)
