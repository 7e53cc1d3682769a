//! What has failed stays failed: encoders, decoders and archives whose reader or writer fails or
//! panics give that error again, and never an archive that looks complete, nor other content.

#[path = "common/support.rs"]
mod support;

use std::cell::RefCell;
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use lmz::Archive;
use lmz::read::Decoder;
use lmz::write::Encoder;
use lmz::{DecoderOptions, EncoderOptions, Predictor};
use support::numbers;

fn options(threads: usize) -> EncoderOptions {
    EncoderOptions::new().predictor(Predictor::None).block_size(4096).threads(threads)
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Error(ErrorKind),
    Panic,
}

/// Fails at chosen calls, having taken nothing, and takes a few bytes at others.
struct Flaky {
    out: Rc<RefCell<Vec<u8>>>,
    calls: usize,
    fail_at: Vec<usize>,
    fault: Fault,
    most: usize,
}

impl Flaky {
    fn new(fail_at: &[usize], fault: Fault, most: usize) -> (Self, Rc<RefCell<Vec<u8>>>) {
        let out = Rc::new(RefCell::new(Vec::new()));
        (Self { out: Rc::clone(&out), calls: 0, fail_at: fail_at.to_vec(), fault, most }, out)
    }

    fn call(&mut self) -> io::Result<()> {
        self.calls += 1;
        match self.fault {
            _ if !self.fail_at.contains(&self.calls) => Ok(()),
            Fault::Error(kind) => Err(kind.into()),
            Fault::Panic => panic!("the user's writer"),
        }
    }
}

impl Write for Flaky {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.call()?;
        let n = bytes.len().min(self.most);
        self.out.borrow_mut().extend(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.call()
    }
}

/// The encoder's result is an error, and what was written is no archive that looks complete.
fn must_have_failed(result: Result<Flaky, lmz::Error>, out: &Rc<RefCell<Vec<u8>>>, what: &str) {
    assert!(result.is_err(), "{what}: finish says that all went well");
    assert!(lmz::decompress(&out.borrow()).is_err(), "{what}: what was written looks complete");
}

#[test]
fn an_encoder_that_failed_stays_failed() {
    let text = numbers(40_000);
    let kinds =
        [ErrorKind::WouldBlock, ErrorKind::StorageFull, ErrorKind::TimedOut, ErrorKind::BrokenPipe];
    let faults = kinds.map(Fault::Error).into_iter().chain([Fault::Panic]);
    for (fault, threads, most) in faults.flat_map(|f| [(f, 1, 7000), (f, 3, 100), (f, 1, 1 << 20)])
    {
        for fail_at in 1..=6 {
            let (writer, out) = Flaky::new(&[fail_at], fault, most);
            let mut encoder = Encoder::with_options(writer, options(threads)).unwrap();
            let mut failed = false;
            for piece in text.chunks(1000) {
                let written = catch_unwind(AssertUnwindSafe(|| encoder.write_all(piece)));
                let well = matches!(written, Ok(Ok(())));
                assert!(
                    !failed || matches!(written, Ok(Err(_))),
                    "a write after a failure must give an error"
                );
                failed |= !well;
            }
            if failed {
                assert!(encoder.flush().is_err() && encoder.write(b"more").is_err());
                must_have_failed(
                    encoder.finish(),
                    &out,
                    &format!("call {fail_at}, {threads} threads"),
                );
            }
        }
    }
}

#[test]
fn a_flush_that_failed_is_not_forgotten() {
    for fault in
        [Fault::Error(ErrorKind::WouldBlock), Fault::Error(ErrorKind::Interrupted), Fault::Panic]
    {
        // Header, block, flush; header, block, flush.
        for fail_at in 1..=5 {
            let (writer, out) = Flaky::new(&[fail_at], fault, usize::MAX);
            let mut encoder = Encoder::with_options(writer, options(1)).unwrap();
            let mut failed = false;
            for part in [&b"first "[..], b"second"] {
                let step = catch_unwind(AssertUnwindSafe(|| {
                    encoder.write_all(part)?;
                    encoder.flush()
                }));
                failed |= !matches!(step, Ok(Ok(())));
            }
            let result = catch_unwind(AssertUnwindSafe(|| encoder.finish()));
            match result {
                Ok(Ok(_)) => {
                    assert!(!failed && lmz::decompress(&out.borrow()).unwrap() == b"first second")
                }
                _ => assert!(
                    lmz::decompress(&out.borrow()).ok().is_none_or(|d| d == b"first second")
                ),
            }
        }
    }
}

#[test]
fn an_encoder_whose_callback_panics_stays_failed() {
    let (writer, out) = Flaky::new(&[], Fault::Panic, usize::MAX);
    let mut encoder = Encoder::with_options(writer, options(1)).unwrap();
    let mut blocks = 0;
    encoder.on_block(move |_| {
        blocks += 1;
        assert!(blocks != 2, "the user's callback");
    });
    let text = numbers(20_000);
    assert!(catch_unwind(AssertUnwindSafe(|| encoder.write_all(&text))).is_err());
    assert!(encoder.write(b"x").is_err() && encoder.flush().is_err());
    must_have_failed(encoder.finish(), &out, "a callback");
}

#[test]
fn short_writes_and_interruptions_are_no_failure() {
    let text = numbers(60_000);
    let often: Vec<usize> = (1..2000).step_by(2).collect();
    for (fail_at, most) in [(vec![], 1), (often, 100)] {
        let (writer, out) = Flaky::new(&fail_at, Fault::Error(ErrorKind::Interrupted), most);
        let mut encoder = Encoder::with_options(writer, options(3)).unwrap();
        encoder.write_all(&text).unwrap();
        // An interrupted flush is the caller's to repeat, as with any writer.
        if encoder.finish().is_ok() {
            assert!(lmz::decompress(&out.borrow()).unwrap() == text);
        }
    }
}

/// Gives a few bytes at a time, and something else at every other call.
struct OddRead<'a> {
    data: &'a [u8],
    step: usize,
    fault: Option<Fault>,
    from: usize,
    calls: usize,
}

impl Read for OddRead<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls >= self.from && self.calls.is_multiple_of(2) {
            match self.fault {
                Some(Fault::Error(kind)) => return Err(kind.into()),
                Some(Fault::Panic) => panic!("the user's reader"),
                None => {}
            }
        }
        let n = self.data.len().min(out.len()).min(self.step);
        out[..n].copy_from_slice(&self.data[..n]);
        self.data = &self.data[n..];
        Ok(n)
    }
}

/// Reads on whatever happens; what came out, and how many errors and panics there were.
fn read_on(reader: &mut impl Read, most: usize) -> (Vec<u8>, usize, usize) {
    let (mut out, mut errors, mut panics, mut buffer) = (Vec::new(), 0, 0, [0; 333]);
    while errors + panics < most {
        match catch_unwind(AssertUnwindSafe(|| reader.read(&mut buffer))) {
            Ok(Ok(0)) => break,
            Ok(Ok(n)) => out.extend(&buffer[..n]),
            Ok(Err(_)) => errors += 1,
            Err(_) => panics += 1,
        }
    }
    (out, errors, panics)
}

/// Full frames, short ones and skippable ones, with zeros at the end.
fn archive(text: &[u8]) -> Vec<u8> {
    let skippable = [&[0x51, 0x2a, 0x4d, 0x18, 200, 0, 0, 0][..], &[7; 200]].concat();
    let full = lmz::compress_with(text, &options(1)).unwrap();
    [&full[..], &skippable, &lmz::compress_with(b"short", &options(1)).unwrap(), &full, &[0; 100]]
        .concat()
}

#[test]
fn a_decoder_goes_on_where_nothing_was_lost() {
    let text = numbers(20_000);
    let (archive, content) = (archive(&text), [&text[..], b"short", &text].concat());
    for step in [1, 7, 700] {
        for fault in [None, Some(ErrorKind::Interrupted), Some(ErrorKind::WouldBlock)] {
            for threads in [1, 2] {
                let fault = fault.map(Fault::Error);
                let reader = OddRead { data: &archive, step, fault, from: 0, calls: 0 };
                let decoding = DecoderOptions::new().threads(threads);
                let mut decoder = Decoder::with_options(reader, decoding);
                let (out, errors, _) = read_on(&mut decoder, usize::MAX);
                assert!(out == content, "{} bytes by {step}", out.len());
                assert_eq!(errors > 0, fault == Some(Fault::Error(ErrorKind::WouldBlock)));
            }
        }
    }
}

#[test]
fn a_decoder_that_failed_stays_failed() {
    let text = numbers(20_000);
    let archive = archive(&text);
    for fault in [Fault::Error(ErrorKind::ConnectionReset), Fault::Panic] {
        for from in (2..archive.len() / 100).step_by(3) {
            let reader = OddRead { data: &archive, step: 100, fault: Some(fault), from, calls: 0 };
            let mut decoder = Decoder::new(reader);
            let (out, errors, panics) = read_on(&mut decoder, 5);
            assert!(text.starts_with(&out[..out.len().min(text.len())]), "other content");
            assert_eq!((errors, panics), if fault == Fault::Panic { (4, 1) } else { (5, 0) });
        }
    }
    for damage in [10, archive.len() / 3, archive.len() - 110] {
        let mut archive = archive.clone();
        archive[damage] ^= 1;
        let mut decoder = Decoder::new(&archive[..]);
        let mut out = Vec::new();
        let first = decoder.read_to_end(&mut out).unwrap_err();
        let again = decoder.read(&mut [0; 9]).unwrap_err();
        let [first, again] = [first, again].map(|error| (error.kind(), lmz::error::told(&error)));
        assert_eq!(first, again);
    }
}

#[test]
fn a_decoder_whose_callback_panics_stays_failed() {
    let text = numbers(20_000);
    let archive = archive(&text);
    let mut decoder = Decoder::new(&archive[..]);
    let mut blocks = 0;
    decoder.on_block(move |_| {
        blocks += 1;
        assert!(blocks != 3, "the user's callback");
    });
    let (out, errors, panics) = read_on(&mut decoder, 5);
    assert!(text.starts_with(&out) && out.len() == 2 * 4096);
    assert_eq!((errors, panics), (4, 1));
}

/// Fails at a chosen call.
struct OddFile(Cursor<Vec<u8>>, usize, Fault);

impl OddFile {
    fn call(&mut self) -> io::Result<()> {
        self.1 = self.1.saturating_sub(1);
        match self.2 {
            _ if self.1 != 1 => Ok(()),
            Fault::Error(kind) => Err(kind.into()),
            Fault::Panic => panic!("the user's reader"),
        }
    }
}

impl Read for OddFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.call()?;
        self.0.read(out)
    }
}

impl Seek for OddFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.call()?;
        self.0.seek(to)
    }
}

#[test]
fn an_archive_that_failed_stays_failed() {
    let text = numbers(20_000);
    let archive = archive(&text);
    for fault in [Fault::Error(ErrorKind::Other), Fault::Panic] {
        for call in 2..60 {
            let file = OddFile(Cursor::new(archive.clone()), call, fault);
            let opened =
                catch_unwind(AssertUnwindSafe(|| Archive::open(file, DecoderOptions::default())));
            let Ok(Ok(mut opened)) = opened else { continue };
            let (out, errors, panics) = read_on(&mut opened, 5);
            if errors + panics == 0 {
                assert!(out == [&text[..], b"short", &text].concat());
                continue;
            }
            assert!(text.starts_with(&out[..out.len().min(text.len())]), "other content");
            assert!(
                opened.seek(SeekFrom::Start(0)).is_err()
                    && opened.read_range(0..1, |_| Ok(())).is_err()
            );
        }
    }
    let mut opened = Archive::open(Cursor::new(&archive), DecoderOptions::default()).unwrap();
    assert!(opened.read_range(0..9000, |_| Err(ErrorKind::StorageFull.into())).is_err());
    assert!(opened.read(&mut [0; 5]).is_err());
    // A seek to before the beginning says so and changes nothing.
    let mut opened = Archive::open(Cursor::new(&archive), DecoderOptions::default()).unwrap();
    assert!(opened.seek(SeekFrom::Current(-1)).is_err());
    let mut begin = [0; 5];
    opened.read_exact(&mut begin).unwrap();
    assert_eq!(begin, text[..5]);
}

#[test]
fn recovering_ends_when_its_writer_fails() {
    let archive = archive(&numbers(20_000));
    for fail_at in 1..4 {
        let mut calls = 0;
        let result =
            lmz::recover::recover(Cursor::new(&archive), &DecoderOptions::default(), |_| {
                calls += 1;
                if calls == fail_at { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
            });
        assert!(matches!(result, Err(lmz::Error::Io(_))) && calls == fail_at);
    }
}

/// The writer may have taken bytes before it panicked: going on could write them twice.
#[test]
fn a_decoder_whose_writer_panics_writes_no_more() {
    let archive = lmz::compress_with(&numbers(20_000), &options(1)).unwrap();
    let (writer, out) = Flaky::new(&[3], Fault::Panic, 1000);
    let mut decoder = lmz::write::Decoder::new(writer);
    let first = catch_unwind(AssertUnwindSafe(|| decoder.write_all(&archive)));
    assert!(first.is_err());
    let before = out.borrow().clone();
    assert!(numbers(20_000).starts_with(&before) && before.len() < 20_000);
    assert!(decoder.write_all(&archive).is_err());
    assert!(decoder.flush().is_err());
    assert!(decoder.finish().is_err());
    assert!(*out.borrow() == before);
}
