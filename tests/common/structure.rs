//! A fuzz target that knows the format: real archives are taken apart, changed where it hurts, put
//! together again with checks that fit, and read in every way there is. What the ways say must
//! agree, within bounds on memory and time.

use std::io::{Cursor, Read};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use lmz::Archive;
use lmz::codec::context::{self, BlockContext};
use lmz::codec::decode;
use lmz::format::{
    BlockHead, Entry, FrameHeader, FrameKind, Index, Input, Layout, Limits, Method, ModelRef,
    Segment, ShortFrame, Trailer, content_check, start,
};
use lmz::read::Decoder;
use lmz::recover::recover;
use lmz::{DecoderOptions, Dictionary, EncoderOptions, Predictor, compress_with};

use super::counting::peak;
use super::tiny;

/// What a reading may take, and beside it.
const MEMORY: u64 = 300 << 20;
const BESIDE: usize = 32 << 20;
/// Seconds, on a machine that is busy.
const LONGEST: Duration = Duration::from_secs(60);

const BLOCK: u64 = 1 << 15;
const CONTENT: u64 = 1 << 17;

fn dictionary() -> Dictionary {
    static DICTIONARY: LazyLock<Dictionary> = LazyLock::new(|| {
        Dictionary::new(b"what a reader knows before: words, words, words")
            .expect("it is not empty")
    });
    DICTIONARY.clone()
}

fn options(threads: usize) -> DecoderOptions {
    let limits = Limits::default().block(BLOCK).content(CONTENT).memory(MEMORY);
    DecoderOptions::new()
        .limits(limits)
        .dictionary(dictionary())
        .model(tiny::tiny())
        .threads(threads)
}

/// Archives to begin with: frames of every kind.
fn seeds() -> &'static [Vec<u8>] {
    static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let text =
            b"a text of some words, and of some more words that follow, as words do. ".repeat(12);
        let none = |block| EncoderOptions::new().predictor(Predictor::None).block_size(block);
        let ppm = none(200).predictor(Predictor::Ppm);
        let primed = none(300).dictionary(dictionary());
        let segments = [tiny::read(60), tiny::unread(30), tiny::read(40)];
        let (full, short) = (
            compress_with(&text, &none(300)).unwrap(),
            compress_with(b"a short text", &none(300)).unwrap(),
        );
        vec![
            [&full[..], &short, &compress_with(b"", &none(9)).unwrap()].concat(),
            [
                &compress_with(&text[..500], &ppm).unwrap()[..],
                &compress_with(&[b'a'; 700], &none(300)).unwrap(),
            ]
            .concat(),
            compress_with(&text[..700], &primed.clone().streams(3)).unwrap(),
            [
                &compress_with(b"some words", &primed).unwrap()[..],
                &compress_with(b"words", &ppm.dictionary(None)).unwrap(),
            ]
            .concat(),
            tiny::full(&[
                (&text[..130], tiny::layout(&segments, 2, 30)),
                (&text[..50], Layout::whole(50, Some(0))),
            ]),
            [&tiny::short(b"words")[..], &full].concat(),
        ]
    });
    &SEEDS
}

/// The bytes that decide; zeros at their end.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// One of `n`.
    fn of(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n.max(1)
    }

    /// A number near another, or one that hurts.
    fn number(&mut self, near: u64) -> u64 {
        match self.byte() {
            n @ 0..128 => near.wrapping_add(u64::from(n)).wrapping_sub(64),
            n @ 128..192 => 1 << (n - 128),
            n @ 192..248 => u64::from(n - 192),
            248 => u64::MAX,
            249 => BLOCK,
            250 => CONTENT,
            _ => near.wrapping_mul(u64::from(self.byte())),
        }
    }
}

#[derive(Clone)]
struct Block {
    head: BlockHead,
    coded: Vec<u8>,
    /// What is to be wrong with the check.
    wrong: u64,
}

#[derive(Clone)]
enum Frame {
    Full {
        header: FrameHeader,
        blocks: Vec<Block>,
        index: Vec<(usize, Entry)>,
        trailer: (u64, u64),
    },
    Short(ShortFrame, Vec<u8>, u64),
    Bytes(Vec<u8>),
}

/// Takes an archive apart that is sound.
fn parse(archive: &[u8]) -> Vec<Frame> {
    let (mut input, limits, mut frames) = (Input::new(archive), Limits::default(), Vec::new());
    while input.position() < archive.len() {
        match start(&archive[input.position()..]).expect("a seed is sound") {
            FrameKind::Full => {
                let header = FrameHeader::read(&mut input, &limits).expect("a seed is sound");
                let mut blocks: Vec<Block> = Vec::new();
                while blocks.last().is_none_or(|b| !b.head.last) {
                    let head = BlockHead::read(&mut input, header.models.len(), &limits)
                        .expect("a seed is sound");
                    let coded = input.take(head.coded as usize).expect("a seed is sound").to_vec();
                    input.take(8).expect("a seed is sound");
                    blocks.push(Block { head, coded, wrong: 0 });
                }
                Index::read(&mut input).expect("a seed is sound");
                Trailer::read(&mut input).expect("a seed is sound");
                frames.push(Frame::Full { header, blocks, index: Vec::new(), trailer: (0, 0) });
            }
            FrameKind::Short => {
                let head = ShortFrame::read(&mut input).expect("a seed is sound");
                let coded = input.take(head.coded as usize).expect("a seed is sound").to_vec();
                input.take(4).expect("a seed is sound");
                frames.push(Frame::Short(head, coded, 0));
            }
            FrameKind::Skippable(_) => unreachable!("no seed has one"),
        }
    }
    frames
}

/// The check that fits what coded bytes decode to, if they do.
fn check(head: &BlockHead, coded: &[u8], models: &[ModelRef], primed: bool) -> u64 {
    let mut written = Vec::new();
    head.write(&mut written);
    if BlockHead::read(&mut Input::new(&written), models.len(), options(1).get_limits()).is_err() {
        return 0; // it is refused before the check is looked at
    }
    let ready = models.iter().map(|model| match model {
        ModelRef::Ppm { order, memory } => context::Model::Ppm { order: *order, memory: *memory },
        _ => context::Model::Exact(tiny::tiny()),
    });
    let (table, dictionary) = (ready.collect::<Vec<_>>(), dictionary());
    let context = BlockContext::to_decode(&table, primed.then_some(&dictionary), 1);
    let mut raw = Vec::new();
    let decoded = decode::decode(head, &context, coded, &mut raw);
    decoded.map_or(0, |()| content_check(&raw, coded))
}

/// Puts an archive together. Whatever was changed, the checks fit.
fn write(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        match frame {
            Frame::Full { header, blocks, index, trailer } => {
                let begin = out.len();
                header.write(&mut out);
                let mut entries = Vec::new();
                for Block { head, coded, wrong } in blocks {
                    let at = out.len();
                    head.write(&mut out);
                    out.extend(coded);
                    let check =
                        check(head, coded, &header.models, header.dictionary.is_some()) ^ wrong;
                    out.extend(check.to_le_bytes());
                    entries.push(Entry { bytes: (out.len() - at) as u64, raw: head.raw });
                }
                for (at, entry) in index {
                    match entries.get_mut(*at) {
                        Some(found) => *found = *entry,
                        None if at.is_multiple_of(2) => entries.push(*entry),
                        None => drop(entries.pop()),
                    }
                }
                let at = out.len();
                Index(entries).write(&mut out);
                let index = (out.len() - at) as u64;
                let frame = (out.len() + 24 - begin) as u64;
                let (frame, index) = (frame.wrapping_add(trailer.0), index.wrapping_add(trailer.1));
                Trailer { frame, index }.write(&mut out);
            }
            Frame::Short(head, coded, wrong) => {
                head.write(&mut out);
                out.extend(coded);
                let check =
                    check(&head.into_head(), coded, &head.models(), head.dictionary.is_some())
                        ^ wrong;
                out.extend((check as u32).to_le_bytes());
            }
            Frame::Bytes(bytes) => out.extend(bytes),
        }
    }
    out
}

const METHODS: [Method; 5] =
    [Method::Stored, Method::Rle, Method::Modelled, Method::Cm, Method::LmCm];

fn change_head(head: &mut BlockHead, coded: &mut Vec<u8>, c: &mut Choices) {
    let segments = &mut head.layout.segments;
    match c.of(10) {
        0 => head.raw = c.number(head.raw),
        1 => head.coded = c.number(head.coded),
        2 => head.method = METHODS[c.of(5)],
        3 => head.layout.streams = c.number(head.layout.streams),
        4 => head.layout.stripe = c.number(head.layout.stripe),
        5 if !segments.is_empty() => {
            let at = c.of(segments.len());
            segments[at] =
                Segment { length: c.number(segments[at].length), model: c.of(3).checked_sub(1) };
        }
        6 => segments.push(Segment { length: u64::from(c.byte()), model: c.of(3).checked_sub(1) }),
        7 => head.last = !head.last,
        8 => {
            // One that holds something else and is sound.
            let (byte, n) = (c.byte(), c.number(100) % BLOCK + 1);
            *coded = vec![byte];
            *head = BlockHead {
                last: head.last,
                method: Method::Rle,
                raw: n,
                coded: 1,
                layout: Layout::default(),
            };
        }
        _ => {
            *coded = (0..c.of(40)).map(|_| c.byte()).collect();
            head.coded = coded.len() as u64;
        }
    }
}

/// Makes a change.
fn change(frames: &mut Vec<Frame>, c: &mut Choices) {
    let at = c.of(frames.len());
    match c.of(16) {
        0 if frames.len() < 8 && !frames.is_empty() => frames.push(frames[at].clone()),
        1 if !frames.is_empty() => drop(frames.remove(at)),
        2 if !frames.is_empty() => {
            let other = c.of(frames.len());
            frames.swap(at, other);
        }
        3 => {
            let length = c.of(40);
            let mut bytes =
                [&[0x50 + c.byte() % 16, 0x2a, 0x4d, 0x18][..], &(length as u32).to_le_bytes()]
                    .concat();
            bytes.extend((0..length).map(|_| c.byte()));
            frames.insert(at, Frame::Bytes(bytes));
        }
        4 => frames.push(Frame::Bytes(vec![0; c.number(9) as usize % 5000])),
        5 => {
            let bytes = (0..c.of(30)).map(|_| c.byte()).collect();
            frames.insert(at.min(frames.len()), Frame::Bytes(bytes));
        }
        6 if !frames.is_empty() => {
            // One frame within another that is passed over.
            let inner = write(&frames[at..=at]);
            let head =
                [&[0x5a, 0x2a, 0x4d, 0x18][..], &(inner.len() as u32).to_le_bytes()].concat();
            frames[at] = Frame::Bytes([head, inner].concat());
        }
        _ => match frames.get_mut(at) {
            Some(Frame::Full { header, blocks, index, trailer }) => {
                let n = c.of(blocks.len());
                match c.of(12) {
                    0 if blocks.len() < 8 && !blocks.is_empty() => {
                        blocks.insert(n, blocks[n].clone())
                    }
                    1 if !blocks.is_empty() => drop(blocks.remove(n)),
                    2 if !blocks.is_empty() => {
                        let other = c.of(blocks.len());
                        blocks.swap(n, other);
                    }
                    3 => {
                        let entry = Entry { bytes: c.number(40), raw: c.number(100) };
                        index.push((c.of(blocks.len() + 2), entry));
                    }
                    4 => *trailer = (c.number(0), c.number(0)),
                    5 if header.models.len() < 4 => {
                        header
                            .models
                            .push(ModelRef::Ppm { order: c.byte(), memory: 16 + c.byte() % 9 });
                    }
                    6 => drop(header.models.pop()),
                    7 => {
                        header.dictionary = if c.byte().is_multiple_of(2) {
                            None
                        } else {
                            Some(*dictionary().hash())
                        }
                    }
                    8 if !blocks.is_empty() => blocks[n].wrong = u64::from(c.byte()),
                    9 if blocks.len() < 8 => {
                        let head = BlockHead {
                            last: c.byte().is_multiple_of(4),
                            method: Method::Stored,
                            raw: 0,
                            coded: 0,
                            layout: Layout::default(),
                        };
                        blocks.insert(
                            n.min(blocks.len()),
                            Block { head, coded: Vec::new(), wrong: 0 },
                        );
                    }
                    _ => {
                        if let Some(Block { head, coded, .. }) = blocks.get_mut(n) {
                            change_head(head, coded, c);
                        }
                    }
                }
            }
            Some(Frame::Short(head, coded, wrong)) => match c.of(6) {
                0 => head.raw = c.number(head.raw),
                1 => head.coded = c.number(head.coded),
                2 => *wrong = u64::from(c.byte()),
                3 => {
                    head.dictionary =
                        head.dictionary.xor(Some(ShortFrame::name(dictionary().hash())))
                }
                4 => head.method = METHODS[c.of(4)],
                _ => {
                    *coded = (0..c.of(30)).map(|_| c.byte()).collect();
                    head.coded = coded.len() as u64;
                }
            },
            Some(Frame::Bytes(bytes)) if !bytes.is_empty() => {
                let at = c.of(bytes.len());
                bytes[at] = c.byte();
            }
            _ => {}
        },
    }
}

/// Makes an archive of a seed and changes.
pub fn archive(bytes: &[u8]) -> Vec<u8> {
    let mut c = Choices(bytes);
    let mut frames = parse(&seeds()[c.of(seeds().len())]);
    for _ in 0..c.of(8) {
        change(&mut frames, &mut c);
    }
    let mut out = write(&frames);
    match c.byte() {
        0..32 => out.truncate(c.number(out.len() as u64 / 2) as usize % (out.len() + 1)),
        32..48 if !out.is_empty() => {
            let at = usize::from(c.byte()) * out.len() / 256;
            out[at] ^= 1 << c.of(8);
        }
        _ => {}
    }
    out
}

/// One byte at a time, and every other time an interruption.
struct OneByte<'a>(&'a [u8], bool);

impl Read for OneByte<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let n = out.len().min(1);
        self.0.read(&mut out[..n])
    }
}

/// What came out, whether all did, and where foreign bytes begin.
type Outcome = (Vec<u8>, bool, Option<u64>);

fn streamed(from: impl Read, threads: usize) -> Outcome {
    let (mut decoder, mut out) = (Decoder::with_options(from, options(threads)), Vec::new());
    let well = decoder.read_to_end(&mut out).is_ok();
    (out, well, decoder.trailing_data())
}

fn seeked(
    archive: &[u8],
    threads: usize,
    read: impl FnOnce(&mut Archive<Cursor<&[u8]>>, &mut Vec<u8>) -> bool,
) -> Outcome {
    let mut out = Vec::new();
    let Ok(mut opened) = Archive::open(Cursor::new(archive), options(threads)) else {
        return (out, false, None);
    };
    let well = read(&mut opened, &mut out);
    (out, well, opened.trailing_data())
}

fn range(
    archive: &mut Archive<Cursor<&[u8]>>,
    range: std::ops::Range<u64>,
    out: &mut Vec<u8>,
) -> bool {
    let mut write = |bytes: &[u8]| {
        out.extend_from_slice(bytes);
        Ok(())
    };
    archive.read_range(range, &mut write).is_ok()
}

/// Reads an archive in every way and holds the ways against each other.
fn compare(archive: &[u8]) {
    let stream = streamed(archive, 1);
    assert_eq!(
        stream,
        streamed(OneByte(archive, false), 2),
        "the stream and one that comes byte by byte"
    );
    let middle = stream.0.len() as u64 / 2;
    let ways = [
        seeked(archive, 1, |a, out| a.read_to_end(out).is_ok()),
        seeked(archive, 2, |a, out| range(a, 0..u64::MAX, out)),
        seeked(archive, 1, |a, out| range(a, 0..middle, out) && range(a, middle..u64::MAX, out)),
    ];
    for (out, well, trailing) in &ways {
        assert_eq!(*well, stream.1, "seeking refuses what the stream refuses");
        assert!(out.starts_with(&stream.0) || stream.0.starts_with(out), "other content");
        if stream.1 {
            assert_eq!((out, trailing), (&stream.0, &stream.2));
        }
    }
    let mut recovered = Vec::new();
    let found = recover(Cursor::new(archive), &options(1), |bytes| {
        recovered.extend_from_slice(bytes);
        Ok(())
    });
    if stream.1 {
        assert_eq!(recovered, stream.0);
        assert!(found.expect("what decodes can be recovered").holes.is_empty());
    } else if found.is_ok() {
        assert!(recovered.starts_with(&stream.0), "recovering finds less than the stream");
    }
}

/// An archive that was changed as the bytes say, read in every way.
pub fn structure(bytes: &[u8]) {
    let archive = archive(bytes);
    let started = Instant::now();
    let ((), most) = peak(|| compare(&archive));
    assert!(
        most < MEMORY as usize + BESIDE,
        "{most} bytes of memory for an archive of {}",
        archive.len()
    );
    let time = started.elapsed();
    assert!(time < LONGEST, "{time:?} for an archive of {} bytes", archive.len());
}
