#!/usr/bin/env python3
"""A second decoder of lmz archives, written from docs/FORMAT.md (ppm.py too) and, for codec 3 (mixing.py), docs/MIXING.md
alone; joint.py adds codec 4 and language models. Slow, short, no dependencies but those of joint.py.

    scripts/decode.py ARCHIVE [DICTIONARY] > CONTENT

It is a test of those texts. Section names in the comments are those of the texts. That the dictionary is the one named is
left to the content checks: there is no BLAKE3 here.
"""

import sys

import mixing
from ppm import Ppm

MASK = (1 << 64) - 1


def xxh64(data, seed=0):
    p1, p2, p3, p4, p5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
                          0x27D4EB2F165667C5)

    def rotate(x, r):
        return (x << r | x >> (64 - r)) & MASK

    def turn(acc, lane):
        return rotate((acc + lane * p2) & MASK, 31) * p1 & MASK

    def word(at, n):
        return int.from_bytes(data[at : at + n], "little")

    at, n = 0, len(data)
    if n >= 32:
        v = [(seed + p1 + p2) & MASK, (seed + p2) & MASK, seed, (seed - p1) & MASK]
        while at + 32 <= n:
            v = [turn(acc, word(at + 8 * i, 8)) for i, acc in enumerate(v)]
            at += 32
        h = sum(rotate(acc, r) for acc, r in zip(v, (1, 7, 12, 18))) & MASK
        for acc in v:
            h = ((h ^ turn(0, acc)) * p1 + p4) & MASK
    else:
        h = (seed + p5) & MASK
    h = (h + n) & MASK
    while at + 8 <= n:
        h = (rotate(h ^ turn(0, word(at, 8)), 27) * p1 + p4) & MASK
        at += 8
    if at + 4 <= n:
        h = (rotate(h ^ word(at, 4) * p1 & MASK, 23) * p2 + p3) & MASK
        at += 4
    for byte in data[at:]:
        h = rotate(h ^ byte * p5 & MASK, 11) * p1 & MASK
    for shift, factor in ((33, p2), (29, p3), (32, 1)):
        h = (h ^ h >> shift) * factor & MASK
    return h


class Input:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise ValueError(f"the archive ends at byte {len(self.data)}, in the middle of a part")
        self.at += n
        return self.data[self.at - n : self.at]

    def byte(self):
        return self.take(1)[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def expect(self, found, what):
        expected = self.take(len(found))
        if expected != found:
            raise ValueError(f"at byte {self.at - len(found)}: {what} does not fit")

    def check32(self, begin):
        self.expect((xxh64(self.data[begin : self.at]) & 0xFFFFFFFF).to_bytes(4, "little"), "a check")


# ---- Codec 2


class RangeDecoder:
    def __init__(self, coded):
        self.words = iter([int.from_bytes(coded[i : i + 4].ljust(4, b"\0"), "big") for i in range(0, len(coded), 4)])
        self.past_end = 0
        self.lower, self.range = 0, MASK
        self.point = self.word() << 32 | self.word()

    def word(self):
        word = next(self.words, None)
        if word is None:
            self.past_end += 1
            if self.past_end > 2:
                raise ValueError("the coded bytes end before the block does")
        return word or 0

    def decide(self, zero, one):
        if one == 0 or zero == 0:
            return int(zero == 0 and one != 0)
        p = min(max((one << 16) // (zero + one), 1), 65535)
        scale = self.range >> 16
        offset = (self.point - self.lower) & MASK
        if offset >= scale << 16:
            raise ValueError("the coded bytes are not what an encoder writes")
        bit = int(offset < scale * p)
        if bit:
            self.range = scale * p
        else:
            self.lower = (self.lower + scale * p) & MASK
            self.range = scale * (65536 - p)
        if self.range < 1 << 32:
            self.lower = self.lower << 32 & MASK
            self.range <<= 32
            self.point = (self.point << 32 & MASK) | self.word()
        return bit


def walk(coder, frequencies):
    """Token walk over the single bytes: no byte is the beginning of another token."""
    low, high = 0, 256
    while high - low > 1:
        middle = (low + high) // 2
        if coder.decide(sum(frequencies[low:middle]), sum(frequencies[middle:high])):
            low = middle
        else:
            high = middle
    return low


# ---- Frames


def begin(model, dictionary):
    ppm = Ppm(*model)
    for byte in dictionary:
        ppm.predict()
        ppm.update(byte)
    return ppm


def stripes(lengths, stripe):
    """The stripes of segments, as (begin, end)."""
    begin, out = 0, []
    for length in lengths:
        out += [(begin + at, begin + min(at + (stripe or length), length)) for at in range(0, length, stripe or length or 1)]
        begin += length
    return out


def decode_block(codec, raw_length, coded, segments, order, models, dictionary):
    if codec == 0:
        return coded
    if codec == 1:
        return coded * raw_length
    if codec == 3:
        streams, stripe = order
        return mixing.decode(RangeDecoder(coded), stripes([n for n, _ in segments], stripe), streams, dictionary)
    if codec == 4:
        import joint

        return joint.decode(RangeDecoder(coded), segments, order, stripes, models, dictionary)
    if codec != 2:
        raise ValueError(f"codec {codec} is not known")
    if not isinstance(models[segments[0][1] - 1], tuple):
        import joint

        lengths, model = [n for n, _ in segments], models[segments[0][1] - 1]
        return joint.decode_alone(RangeDecoder(coded), raw_length, order, stripes(lengths, order[1]), model, dictionary)
    coder, out = RangeDecoder(coded), bytearray()
    for length, model in segments:
        ppm = begin(models[model - 1], dictionary)
        for _ in range(length):
            byte = walk(coder, ppm.predict())
            ppm.update(byte)
            out.append(byte)
    return bytes(out)


def content_check(raw, coded, size):
    return (xxh64(raw, xxh64(coded)) & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def needed(dictionary):
    if dictionary is None:
        raise ValueError("a dictionary is needed")
    return dictionary


def neural(identity):
    import joint

    return joint.named(identity)


def full_frame(x, given):
    begin, models, dictionary, blocks = x.at, [], b"", []
    x.take(3)
    if x.byte() != 0x10:
        raise ValueError("not version 1.0")
    while kind := x.varint():
        value = x.take(x.varint())
        if kind == 1:
            if value[0] not in (1, 2):
                raise ValueError(f"kind of model {value[0]} is not known")
            models.append((value[1], value[2]) if value[0] == 1 else neural(value[1:]))
        elif kind == 3:
            dictionary = needed(given)
        elif kind % 2:
            raise ValueError(f"header field {kind} is not known")
    x.check32(begin)
    last = False
    while not last:
        at = x.at
        x.expect(b"\xc3BLK", "a sync mark")
        last = bool(x.byte())
        codec, _, _, raw_length, coded_length = (x.varint() for _ in range(5))
        segments = [(x.varint(), x.varint()) for _ in range(x.varint())]
        order = (x.varint(), x.varint())
        x.check32(at)
        coded = x.take(coded_length)
        raw = decode_block(codec, raw_length, coded, segments, order, models, dictionary)
        x.expect(content_check(raw, coded, 8), "a content check")
        blocks.append((x.at - at, len(raw)))
        yield raw
    at = x.at
    x.expect(b"\xc3IDX", "the index")
    if [(x.varint(), x.varint()) for _ in range(x.varint())] != blocks:
        raise ValueError("the index does not fit the blocks")
    x.check32(at)
    index, at = x.at - at, x.at
    x.expect((x.at + 24 - begin).to_bytes(8, "little"), "the frame length")
    x.expect(index.to_bytes(8, "little"), "the length of the index")
    x.check32(at)
    x.expect(b"\xebEND", "the end mark")


def short_frame(x, given):
    x.take(3)
    number, dictionary, models = x.byte(), b"", [(6, 26)]
    if number >= 6:
        import joint

        models = [joint.registered(number // 2 - 3) if number >= 8 else joint.named(x.take(8))]
    if number >= 3 and number % 2:
        dictionary = needed(given)
        x.take(4)
    codec = number if number < 2 else min(number // 2 + 1, 4)
    raw_length, coded = x.varint(), x.take(x.varint())
    raw = decode_block(codec, raw_length, coded, [(raw_length, 1)], (1, 0), models, dictionary)
    x.expect(content_check(raw, coded, 4), "the check")
    yield raw


def decode(data, dictionary):
    x = Input(data)
    if not data:
        raise ValueError("an empty file is not an archive")
    while x.at < len(data):
        start = data[x.at : x.at + 4]
        if start[:3] == b"\xebLZ":
            yield from full_frame(x, dictionary)
        elif start[:3] == b"\xebL\x90":
            yield from short_frame(x, dictionary)
        elif 0x50 <= start[0] < 0x60 and start[1:] == b"\x2a\x4d\x18":
            x.take(4)
            x.take(int.from_bytes(x.take(4), "little"))
        elif x.at and not any(data[x.at :]):
            return  # zeros behind the last frame
        else:
            raise ValueError(f"no frame of version 1.0 begins at byte {x.at}")


def main():
    archive, dictionary = (open(p, "rb").read() if p else None for p in (sys.argv[1:] + [None])[:2])
    try:
        for raw in decode(archive, dictionary):
            sys.stdout.buffer.write(raw)
    except ValueError as error:
        raise SystemExit(f"{sys.argv[1]}: {error}")


if __name__ == "__main__":
    main()
