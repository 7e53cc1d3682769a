//! Each adapter gives what the others do, whatever pieces the bytes come in.

#[path = "common/support.rs"]
mod support;

use std::fmt::Debug;
use std::io::{self, BufReader, Cursor, ErrorKind, Read, Write};

use lmz::{
    Archive, DecoderOptions, EncoderOptions, Error, Predictor, bufread, compress_with, copy_decode,
    copy_encode, read, write,
};
use support::numbers;

fn options() -> EncoderOptions {
    EncoderOptions::new().predictor(Predictor::None).block_size(3000)
}

/// Gives at most so many bytes at a time, and an interruption before each.
struct Slow<R>(R, usize, bool);

impl<R: Read> Read for Slow<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.2 = !self.2;
        if self.2 {
            return Err(ErrorKind::Interrupted.into());
        }
        let n = out.len().min(self.1);
        self.0.read(&mut out[..n])
    }
}

fn all(mut reader: impl Read) -> Vec<u8> {
    let mut out = Vec::new();
    reader.read_to_end(&mut out).unwrap();
    out
}

#[test]
fn every_encoder_writes_the_same() {
    for n in [0, 1, 2999, 3000, 3001, 10_000] {
        let raw = numbers(n);
        let expected = compress_with(&raw, &options()).unwrap();
        for piece in [1, 700, 100_000] {
            let slow = || Slow(&raw[..], piece, false);
            let mut encoder = read::Encoder::with_options(slow(), options()).unwrap();
            assert!(all(&mut encoder) == expected, "read {n} {piece}");
            assert_eq!(encoder.get_ref().0.len(), 0);
            let buffered = BufReader::with_capacity(piece, &raw[..]);
            let encoder = bufread::Encoder::with_options(buffered, options()).unwrap();
            assert!(all(encoder) == expected, "bufread {n} {piece}");
            let mut out = Vec::new();
            assert_eq!(copy_encode(slow(), &mut out, &options()).unwrap(), n as u64);
            assert!(out == expected, "copy {n} {piece}");
            let mut encoder = write::Encoder::with_options(Vec::new(), options()).unwrap();
            raw.chunks(piece).for_each(|piece| encoder.write_all(piece).unwrap());
            assert!(encoder.finish().unwrap() == expected, "write {n} {piece}");
        }
    }
}

#[test]
fn every_decoder_gives_the_same() {
    for n in [0, 1, 3000, 10_000] {
        let raw = numbers(n);
        let mut archive = compress_with(&raw, &options()).unwrap();
        archive.extend(compress_with(b"another frame", &options()).unwrap());
        let expected = [&raw[..], b"another frame"].concat();
        for piece in [1, 700, 100_000] {
            let slow = || Slow(&archive[..], piece, false);
            assert!(all(read::Decoder::new(slow())) == expected, "read {n} {piece}");
            let buffered = BufReader::with_capacity(piece, &archive[..]);
            assert!(all(bufread::Decoder::new(buffered)) == expected, "bufread {n} {piece}");
            let mut out = Vec::new();
            let options = DecoderOptions::new();
            assert_eq!(copy_decode(slow(), &mut out, &options).unwrap(), expected.len() as u64);
            assert!(out == expected, "copy {n} {piece}");
            let mut decoder = write::Decoder::new(Vec::new());
            archive.chunks(piece).for_each(|piece| decoder.write_all(piece).unwrap());
            assert!(decoder.finish().unwrap() == expected, "write {n} {piece}");
        }
    }
}

#[test]
fn a_decoder_that_is_written_to_gives_blocks_as_they_arrive() {
    let mut encoder = write::Encoder::with_options(Vec::new(), options()).unwrap();
    let mut decoder = write::Decoder::new(Vec::new());
    for i in 0..5 {
        encoder.write_all(format!("message {i}").as_bytes()).unwrap();
        encoder.flush().unwrap();
        decoder.write_all(&std::mem::take(encoder.get_mut())).unwrap();
        assert!(decoder.get_ref().ends_with(format!("message {i}").as_bytes()));
    }
    encoder.try_finish().unwrap();
    encoder.try_finish().unwrap();
    assert!(encoder.write(b"more").is_err());
    assert!(matches!(decoder.try_finish(), Err(Error::Format { .. })), "its end is missing");
}

#[test]
fn a_decoder_that_is_written_to_finds_damage_and_keeps_what_precedes_it() {
    let raw = numbers(10_000);
    let archive = compress_with(&raw, &options()).unwrap();
    for n in (0..archive.len()).step_by(97) {
        let mut decoder = write::Decoder::new(Vec::new());
        decoder.write_all(&archive[..n]).unwrap();
        assert!(decoder.try_finish().is_err(), "{n} bytes of {}", archive.len());
        assert!(decoder.try_finish().is_err(), "an error stays");
        assert!(raw.starts_with(decoder.get_ref()));
    }
    let mut damaged = archive.clone();
    damaged[archive.len() / 2] ^= 1;
    let mut decoder = write::Decoder::new(Vec::new());
    // The damage may be found by this call or by the next.
    let _ = decoder.write_all(&damaged);
    assert!(decoder.write(b"more").is_err() || decoder.write(b"more").is_err());
    assert!(decoder.try_finish().is_err());
    assert!(raw.starts_with(decoder.get_ref()) && decoder.get_ref().len() >= 3000);
    let mut decoder = write::Decoder::new(Vec::new());
    decoder.write_all(&[&archive[..], b"something else"].concat()).unwrap();
    assert!(matches!(decoder.try_finish(), Err(Error::TrailingData { .. })));
    assert!(decoder.into_inner() == raw);
}

/// Takes a few bytes at a time, and says in between that it cannot.
struct Reluctant(Vec<u8>, bool);

impl Write for Reluctant {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.0.extend(&bytes[..bytes.len().min(100)]);
        Ok(bytes.len().min(100))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_an_inner_writer_does_not_take_is_not_lost() {
    let raw = numbers(10_000);
    let archive = compress_with(&raw, &options()).unwrap();
    let mut decoder = write::Decoder::new(Reluctant(Vec::new(), false));
    let mut rest = &archive[..];
    while !rest.is_empty() {
        match decoder.write(&rest[..rest.len().min(500)]) {
            Ok(n) => rest = &rest[n..],
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    while let Err(error) = decoder.try_finish() {
        assert!(matches!(error, Error::Io(error) if error.kind() == ErrorKind::WouldBlock));
    }
    assert!(decoder.into_inner().0 == raw);
}

#[test]
fn a_length_that_is_said_is_told_and_held_to() {
    let raw = numbers(10_000);
    let said = options().content_length(10_000);
    let archive = compress_with(&raw, &said).unwrap();
    let mut decoder = read::Decoder::new(&archive[..]);
    assert_eq!(decoder.content_length(), None);
    decoder.read_exact(&mut [0]).unwrap();
    assert_eq!(decoder.content_length(), Some(10_000));
    assert!(lmz::decompress(&archive).unwrap() == raw);
    // Nothing else in the archive depends on it: the field of four bytes and the lengths around it.
    let without = compress_with(&raw, &options()).unwrap();
    assert_eq!(archive.len(), without.len() + 4);
    let mut decoder = read::Decoder::new(&without[..]);
    decoder.read_exact(&mut [0]).unwrap();
    assert_eq!(decoder.content_length(), None);
    for wrong in [0, 9_999, 10_001] {
        let result = compress_with(&raw, &options().content_length(wrong));
        assert!(matches!(result, Err(Error::ContentLength { expected, .. }) if expected == wrong));
    }
    // Short content says it anyway.
    let short = compress_with(b"short", &options().content_length(5)).unwrap();
    assert_eq!(short, compress_with(b"short", &options()).unwrap());
    let mut decoder = read::Decoder::new(&short[..]);
    decoder.read_exact(&mut [0]).unwrap();
    assert_eq!(decoder.content_length(), Some(5));
}

#[test]
fn options_that_cannot_be_are_errors() {
    for (wrong, name) in [
        (options().block_size(0), "block size"),
        (options().block_size((1 << 30) + 1), "block size"),
        (options().threads(0), "threads"),
        (options().streams(0), "streams"),
        (options().streams(1025), "streams"),
        (options().ppm_order(0), "PPM"),
        (options().ppm_order(33), "PPM"),
        (options().ppm_memory(15), "PPM"),
        (options().ppm_memory(31), "PPM"),
    ] {
        let error = write::Encoder::with_options(Vec::new(), wrong.clone()).unwrap_err();
        assert!(matches!(error, Error::Option { .. }) && error.to_string().contains(name));
        assert!(read::Encoder::with_options(io::empty(), wrong.clone()).is_err());
        assert!(bufread::Encoder::with_options(io::empty(), wrong.clone()).is_err());
        assert!(compress_with(b"", &wrong).is_err());
        assert!(lmz::compress_many(&[b"a", b"b"], &wrong).is_err());
        assert!(lmz::compress_bare(b"a", &wrong).is_err());
        assert!(lmz::decompress_bare(b"a", 1, &wrong).is_err());
    }
}

/// Adapters can be handed to another thread and printed.
#[test]
fn adapters_are_send_and_debug() {
    fn check<T: Send + Debug>(value: T) {
        assert!(!format!("{value:?}").is_empty());
    }
    let archive = compress_with(b"content", &options()).unwrap();
    let mut encoder = write::Encoder::new(Vec::new());
    encoder.on_block(|_| ());
    check(encoder);
    check(write::Decoder::new(Vec::new()));
    check(read::Encoder::new(io::empty()));
    check(read::Decoder::new(io::empty()));
    check(bufread::Encoder::new(io::empty()));
    check(bufread::Decoder::new(io::empty()));
    check(Archive::open(Cursor::new(archive), DecoderOptions::new()).unwrap());
    check((EncoderOptions::new(), DecoderOptions::new(), lmz::Limits::default()));
}
