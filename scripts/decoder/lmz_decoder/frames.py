"""An archive's content from its frames (FORMAT.md)."""

from . import language_model, optional, ppm
from .blocks import decode_block
from .cursor import Cursor
from .xxh64 import xxh64


def decode(data, dictionaries, folders=()):
    """Yields the content of an archive, block by block.

    data: the archive; dictionaries: the files that its frames may name; folders: those of the
    transformers that they may name. Raises ValueError where the archive is damaged or needs what is
    not here.
    """
    x = Cursor(data)
    if not data:
        raise ValueError("an empty file is not an archive")
    while x.at < len(data):
        start = data[x.at : x.at + 4]
        if start[:3] == b"\xebLZ":
            yield from full_frame(x, dictionaries, folders)
        elif start[:3] == b"\xebL\x90":
            yield from short_frame(x, dictionaries, folders)
        elif 0x50 <= start[0] < 0x60 and start[1:] == b"\x2a\x4d\x18":
            x.take(4)
            x.take(int.from_bytes(x.take(4), "little"))
        elif x.at and not any(data[x.at :]):
            return  # zeros behind the last frame
        else:
            raise ValueError(f"no frame of version 1.0 begins at byte {x.at}")


def full_frame(x, dictionaries, folders):
    begin = x.at
    models, dictionary = header(x, dictionaries, folders)
    last, blocks = False, []  # blocks: (bytes in the archive, bytes of content)
    while not last:
        at = x.at
        last, raw = block(x, models, dictionary)
        blocks.append((x.at - at, len(raw)))
        yield raw
    index_and_trailer(x, begin, blocks)


def header(x, dictionaries, folders):
    """The models and the dictionary that a full frame names."""
    begin, models, dictionary = x.at, [], b""
    x.take(3)
    if x.byte() != 0x10:
        raise ValueError("not version 1.0")
    while field := x.varint():
        value = x.take(x.varint())
        if field == 1:
            models.append(model(value, folders))
        elif field == 3:
            dictionary = named_dictionary(dictionaries, value)
        elif field % 2:
            raise ValueError(f"header field {field} is not known")
    x.expect_check(begin)
    return models, dictionary


def model(value, folders):
    """The model of a header field: one byte for its kind, then what tells it from others."""
    if value[0] == 1:
        return ppm.Parameters(order=value[1], memory=value[2])
    if value[0] == 2:
        return language_model.named(value[1:])
    if value[0] == 4:
        rest = Cursor(value[1:])
        return language_model.transformer(rest.take(32), folders, rest.varint())
    raise ValueError(f"kind of model {value[0]} is not known")


def named_dictionary(dictionaries, identity):
    """The dictionary whose hash begins so. The content checks tell whether a single one is it."""
    if not dictionaries:
        raise ValueError("a dictionary is needed")
    if len(dictionaries) == 1:
        return dictionaries[0]
    blake3 = optional.blake3()
    for dictionary in dictionaries:
        if blake3.blake3(dictionary).digest().startswith(identity):
            return dictionary
    raise ValueError(f"none of the dictionaries has the hash {identity.hex()}")


def block(x, models, dictionary):
    """Whether this block is the last, and its bytes."""
    at = x.at
    x.expect(b"\xc3BLK", "a sync mark")
    last = bool(x.byte())
    codec, _, _, raw_length, coded_length = (x.varint() for _ in range(5))
    segments = [(x.varint(), x.varint()) for _ in range(x.varint())]
    order = (x.varint(), x.varint())
    x.expect_check(at)
    coded = x.take(coded_length)
    raw = decode_block(codec, raw_length, coded, segments, order, models, dictionary)
    x.expect(content_check(raw, coded, 8), "a content check")
    return last, raw


def index_and_trailer(x, begin, blocks):
    """Passes over the end of the frame that began at byte `begin`, and checks it."""
    at = x.at
    x.expect(b"\xc3IDX", "the index")
    if [(x.varint(), x.varint()) for _ in range(x.varint())] != blocks:
        raise ValueError("the index does not fit the blocks")
    x.expect_check(at)
    index, at = x.at - at, x.at
    x.expect((x.at + 24 - begin).to_bytes(8, "little"), "the frame length")
    x.expect(index.to_bytes(8, "little"), "the length of the index")
    x.expect_check(at)
    x.expect(b"\xebEND", "the end mark")


def short_frame(x, dictionaries, folders):
    x.take(3)
    number, dictionary, models = x.byte(), b"", [ppm.Parameters(order=6, memory=26)]
    if number >= 254:
        models = [language_model.transformer(x.take(4), folders)]
    elif number >= 8:
        models = [language_model.registered(number // 2 - 3)]
    elif number >= 6:
        models = [language_model.named(x.take(8))]
    if number >= 3 and number % 2:
        dictionary = named_dictionary(dictionaries, x.take(4))
    codec = number if number < 2 else min(number // 2 + 1, 4)
    length, coded = x.varint(), x.take(x.varint())
    raw = decode_block(codec, length, coded, [(length, 1)], (1, 0), models, dictionary)
    x.expect(content_check(raw, coded, 4), "the check")
    yield raw


def content_check(raw, coded, size):
    """The check, of `size` bytes, of a block's bytes and its coded bytes."""
    return (xxh64(raw, xxh64(coded)) & ((1 << 8 * size) - 1)).to_bytes(size, "little")
