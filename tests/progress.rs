//! What tells how far work is: it never goes backwards, moves inside of blocks, and comes to the
//! length of the content when all is done, not before.

#[path = "common/support.rs"]
mod support;

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use lmz::{
    Archive, DecoderOptions, EncoderOptions, Predictor, Progress, compress_bare, compress_many,
    compress_with, decompress_bare, decompress_with, read, write,
};
use support::none;

const TEXT: &[u8] = include_bytes!("../testdata/technical.md");

/// Text, then what is stored, then what one byte says.
fn mixed() -> Vec<u8> {
    let mut state = 1u64;
    let noise = (0..5000).map(|_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    });
    TEXT[..7000].iter().copied().chain(noise).chain([b'x'; 4000]).collect()
}

/// What a counter says, all the time while work is done.
fn seen<T>(progress: &Progress, work: impl FnOnce() -> T) -> (T, Vec<u64>) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut seen = Vec::new();
            while !over.load(Ordering::Relaxed) {
                seen.push(progress.done());
                thread::sleep(Duration::from_micros(100));
            }
            seen.push(progress.done());
            seen
        });
        let out = work();
        over.store(true, Ordering::Relaxed);
        (out, looking.join().unwrap())
    })
}

/// Holds what was seen of the work on content of so many bytes against what progress is.
fn check(seen: &[u64], length: usize, what: &str) {
    assert!(seen.is_sorted(), "{what}: {seen:?}");
    assert_eq!(seen.last(), Some(&(length as u64)), "{what}");
}

#[test]
fn several_blocks_there_and_back() {
    let raw = mixed();
    for threads in [1, 2] {
        let models = [Predictor::None, Predictor::Ppm];
        for predictor in models.into_iter().chain(Predictor::find("nano").ok()) {
            let what = format!("{threads} threads, {predictor:?}");
            let progress = Progress::default();
            let options = EncoderOptions::new().predictor(predictor).threads(threads);
            let options = options.block_size(3000).progress(progress.clone());
            let (archive, coded) = seen(&progress, || compress_with(&raw, &options).unwrap());
            check(&coded, raw.len(), &what);
            let progress = Progress::default();
            let options = DecoderOptions::new().threads(threads).progress(progress.clone());
            let (back, decoded) = seen(&progress, || decompress_with(&archive, &options).unwrap());
            assert!(back == raw, "{what}");
            check(&decoded, raw.len(), &what);
        }
    }
}

/// A whole test of what happens inside: one block is all that there is.
#[test]
fn inside_of_a_block() {
    let raw = TEXT.repeat(8);
    let progress = Progress::default();
    let options = none().progress(progress.clone());
    let (archive, coded) = seen(&progress, || compress_with(&raw, &options).unwrap());
    let progress = Progress::default();
    let options = DecoderOptions::new().progress(progress.clone());
    let (_, decoded) = seen(&progress, || decompress_with(&archive, &options).unwrap());
    for mut seen in [coded, decoded] {
        check(&seen, raw.len(), "one block");
        seen.dedup();
        assert!(seen.len() > 3, "{seen:?}");
    }
}

/// With a model, a message is coded in more than one way.
#[cfg(feature = "nano")]
#[test]
fn trials_do_not_count_twice() {
    for length in [1, 100, 6000] {
        let raw = &TEXT[..length];
        let progress = Progress::default();
        let options = EncoderOptions::new().predictor(Predictor::find("nano").unwrap());
        for (mix, streams) in [(true, 1), (true, 2), (false, 1)] {
            let before = progress.done();
            let options = options.clone().mix(mix).streams(streams).progress(progress.clone());
            let (_, seen) = seen(&progress, || compress_with(raw, &options).unwrap());
            assert!(seen.is_sorted(), "{seen:?}");
            assert_eq!(progress.done() - before, length as u64);
        }
    }
}

/// A writer that notes what was done when it was given something.
struct Noting(Vec<u64>, Progress);

impl Write for Noting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(self.1.done());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn not_all_is_done_before_it_is_written() {
    for (length, block) in [(7000, 1000), (7000, 100_000)] {
        let progress = Progress::default();
        let options = none().block_size(block).progress(progress.clone());
        let noting = Noting(Vec::new(), progress.clone());
        let mut encoder = write::Encoder::with_options(noting, options).unwrap();
        encoder.write_all(&TEXT[..length]).unwrap();
        let Noting(seen, _) = encoder.finish().unwrap();
        let last_block = seen.len() - if length > block { 2 } else { 1 };
        assert!(seen[last_block] < length as u64, "{seen:?}");
        assert_eq!(progress.done(), length as u64);
    }
}

#[test]
fn what_fails_is_not_all_done() {
    let mut archive = compress_with(TEXT, &none()).unwrap();
    let at = archive.len() - 40;
    archive[at] ^= 1;
    let progress = Progress::default();
    let options = DecoderOptions::new().progress(progress.clone());
    decompress_with(&archive, &options).unwrap_err();
    assert!(progress.done() < TEXT.len() as u64);
}

#[test]
fn every_way_counts() {
    let text = &TEXT[..4000];
    let progress = Progress::default();
    let all = none().progress(progress.clone());
    let mut expected = 0;
    let mut counts = |length: usize, what: &str| {
        expected += length as u64;
        assert_eq!(progress.done(), expected, "{what}");
    };
    let bare = compress_bare(text, &all).unwrap();
    counts(text.len(), "compress_bare");
    decompress_bare(&bare, text.len(), &all).unwrap();
    counts(text.len(), "decompress_bare");
    compress_many(&[text, b"", b"more"], &all).unwrap();
    counts(text.len() + 4, "compress_many");
    let archive = compress_with(text, &all.clone().block_size(1000)).unwrap();
    counts(text.len(), "compress_with");
    let decoding = DecoderOptions::new().progress(progress.clone());
    let mut decoder = read::Decoder::with_options(&archive[..], decoding.clone());
    decoder.read_to_end(&mut Vec::new()).unwrap();
    counts(text.len(), "read::Decoder");
    let mut archive = Archive::open(io::Cursor::new(&archive), decoding).unwrap();
    archive.read_range(1500..2500, |_| Ok(())).unwrap();
    counts(2000, "the two blocks of a range");
}
