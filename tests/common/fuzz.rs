//! What the fuzz targets do with an input; tests/fuzz_corpus.rs does it with the inputs kept in
//! fuzz/corpus.

use std::io::{Cursor, Read, Write};

use lmz::Archive;
use lmz::format::{
    BlockHead, FrameHeader, Index, Input, Limits, ShortFrame, Trailer, check32, start,
};
use lmz::read::Decoder;
use lmz::write::Encoder;
use lmz::{DecoderOptions, Dictionary, EncoderOptions, Predictor, compress_bare, decompress_bare};

use super::tiny;

/// Claims of gigabytes are allowed by the format; here they would only cost time.
fn options() -> DecoderOptions {
    let limits = Limits::default().block(1 << 16).content(1 << 20);
    DecoderOptions::new().limits(limits).model(tiny::tiny())
}

/// Any bytes as an archive: read as a stream, seeked in, recovered. All that comes out well must
/// agree.
pub fn decode(bytes: &[u8]) {
    let mut streamed = Vec::new();
    let complete = Decoder::with_options(bytes, options()).read_to_end(&mut streamed).is_ok();
    if let Ok(mut archive) = Archive::open(Cursor::new(bytes), options()) {
        let mut seeked = Vec::new();
        if archive.read_to_end(&mut seeked).is_ok() && complete {
            assert_eq!(streamed, seeked);
            assert_eq!(archive.uncompressed_len(), seeked.len() as u64);
        }
    } else {
        assert!(!complete, "a stream that decodes can be opened");
    }
    let mut recovered = Vec::new();
    let found = lmz::recover::recover(Cursor::new(bytes), &options(), |b| {
        recovered.extend_from_slice(b);
        Ok(())
    });
    if complete {
        assert!(found.expect("what decodes can be recovered").holes.is_empty());
        assert_eq!(streamed, recovered);
    }
}

/// Checks would keep most inputs out: the four bytes that a part's check should be are put in.
fn with_check(bytes: &[u8]) -> Vec<u8> {
    [bytes, &check32(bytes)].concat()
}

/// Any bytes as each of the small parts of the format. What parses must be written back as it was.
pub fn header(bytes: &[u8]) {
    let limits = Limits::default();
    let _ = start(bytes);
    for bytes in [bytes.to_vec(), with_check(bytes)] {
        let used = |input: &Input| bytes[..input.position()].to_vec();
        let mut out = Vec::new();
        let mut input = Input::new(&bytes);
        if let Ok(header) = FrameHeader::read(&mut input, &limits) {
            // Fields that are not known are skipped, so only what is known comes again.
            header.write(&mut out);
            assert_eq!(FrameHeader::read(&mut Input::new(&out), &limits), Ok(header));
        }
        let mut input = Input::new(&bytes);
        if let Ok(head) = BlockHead::read(&mut input, 3, &limits) {
            out.clear();
            head.write(&mut out);
            assert_eq!(out, used(&input));
        }
        let mut input = Input::new(&bytes);
        if let Ok(head) = ShortFrame::read(&mut input) {
            out.clear();
            head.write(&mut out);
            assert_eq!(out, used(&input));
        }
        let mut input = Input::new(&bytes);
        if let Ok(index) = Index::read(&mut input) {
            out.clear();
            index.write(&mut out);
            assert_eq!(out, used(&input));
        }
        let mut input = Input::new(&bytes);
        if let Ok(trailer) = Trailer::read(&mut input) {
            out.clear();
            trailer.write(&mut out);
            assert_eq!(out, used(&input));
        }
    }
}

/// Any bytes with any options come back, written in pieces, with flushes, decoded with threads or
/// not.
pub fn round_trip(bytes: &[u8]) {
    let [order, memory, block, piece, flags, raw @ ..] = bytes else { return };
    let (dictionary, raw) =
        if flags & 1 == 1 { raw.split_at(raw.len() / 4) } else { (&[][..], raw) };
    let dictionary = Dictionary::new(dictionary).ok();
    let options = EncoderOptions::new()
        .block_size(1 + usize::from(*block) * 8)
        .threads(1 + usize::from(flags >> 6))
        .predictor(match (flags >> 5 & 1, order >> 7) {
            (1, _) => Predictor::Ppm,
            (_, 1) => Predictor::Model(tiny::tiny()),
            _ => Predictor::None,
        })
        .mix(memory >> 7 == 0)
        .streams(1 + usize::from(order % 5))
        .ppm_order((order % 40).clamp(1, 32))
        .ppm_memory((memory % 20).max(16))
        .dictionary(dictionary.clone());
    let mut encoder = Encoder::with_options(Vec::new(), options.clone()).unwrap();
    for (i, part) in raw.chunks(1 + usize::from(*piece) * 4).enumerate() {
        encoder.write_all(part).unwrap();
        if flags >> 1 & 3 == 1 && i % 3 == 0 {
            encoder.flush().unwrap();
        }
    }
    let archive = encoder.finish().unwrap();
    let threads = 1 + usize::from(flags >> 3 & 3);
    let decoding = dictionary
        .into_iter()
        .fold(DecoderOptions::new(), DecoderOptions::dictionary)
        .threads(threads)
        .model(tiny::tiny());
    let mut found = Vec::new();
    Decoder::with_options(&archive[..], decoding).read_to_end(&mut found).unwrap();
    assert_eq!(found, raw);
    assert_eq!(
        decompress_bare(&compress_bare(raw, &options).unwrap(), raw.len(), &options).unwrap(),
        raw
    );
}
