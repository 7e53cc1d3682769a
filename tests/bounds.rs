//! Memory, work and threads are bounded, whatever an archive claims and however the limits are set.
//! The allocator of this program counts, and its tests run one after the other.

#[path = "common/counting.rs"]
mod counting;
#[path = "common/support.rs"]
mod support;

use std::io::{Cursor, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use counting::peak;
use lmz::Archive;
use lmz::format::{
    BlockHead, FrameHeader, Index, Layout, Limits, Method, ModelRef, Segment, content_check,
};
use lmz::read::Decoder;
use lmz::recover::recover;
use lmz::write::Encoder;
use lmz::{
    CancellationToken, CodecError, DecoderOptions, Dictionary, EncoderOptions, Error, Predictor,
    compress_with,
};
use support::numbers;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// What a run may take beside its limit.
const BESIDE: usize = 32 << 20;
const MIB: u64 = 1 << 20;

/// Memory is counted of all threads.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn none(block: usize, threads: usize) -> EncoderOptions {
    EncoderOptions::new().predictor(Predictor::None).block_size(block).threads(threads)
}

fn limited(memory: u64, threads: usize) -> DecoderOptions {
    DecoderOptions::new().limits(Limits::default().memory(memory)).threads(threads)
}

/// Blocks of which each repeats a byte a gibibyte long.
fn fill_bomb(blocks: usize) -> Vec<u8> {
    let mut out = Vec::new();
    FrameHeader::default().write(&mut out);
    for _ in 0..blocks {
        BlockHead {
            last: false,
            method: Method::Rle,
            raw: 1 << 30,
            coded: 1,
            layout: Layout::default(),
        }
        .write(&mut out);
        out.extend([0; 9]); // a wrong check: it costs time to find out
    }
    out
}

#[test]
fn what_repeats_a_byte_is_not_held() {
    let _alone = alone();
    let raw = vec![7; 100 << 20];
    let archive = compress_with(&raw, &none(50 << 20, 1)).unwrap();
    for threads in [1, 8] {
        let (n, most) = peak(|| {
            let mut decoder = Decoder::with_options(&archive[..], limited(MIB, threads));
            std::io::copy(&mut decoder, &mut std::io::sink()).unwrap()
        });
        assert!(n == raw.len() as u64 && most < BESIDE, "{most} bytes for {n}");
        let (_, most) = peak(|| {
            let mut opened = Archive::open(Cursor::new(&archive), limited(MIB, threads)).unwrap();
            opened.read_range(5..99 << 20, |_| Ok(())).unwrap();
            std::io::copy(&mut opened, &mut std::io::sink()).unwrap();
        });
        assert!(most < BESIDE, "{most} bytes when seeking");
        let (_, most) =
            peak(|| recover(Cursor::new(&archive), &limited(MIB, threads), |_| Ok(())).unwrap());
        assert!(most < BESIDE, "{most} bytes to recover");
    }
    let (_, most) = peak(|| {
        Decoder::with_options(&fill_bomb(20)[..], limited(MIB, 8)).read(&mut [0]).unwrap_err()
    });
    assert!(most < BESIDE, "{most} bytes");
    // All content at once is memory too.
    let (result, most) = peak(|| lmz::decompress_with(&archive, &limited(60 * MIB, 1)));
    assert!(
        matches!(result, Err(Error::Memory { limit, .. }) if limit == 60 * MIB)
            && most < (60 << 20) + BESIDE
    );
}

#[test]
fn blocks_at_once_fit_into_memory() {
    let _alone = alone();
    let raw = numbers(1 << 20);
    for (predictor, memory) in [(Predictor::None, 250 * MIB), (Predictor::Ppm, 120 * MIB)] {
        let options = none(64 << 10, 8).predictor(predictor).memory(memory);
        let (archive, most) = peak(|| {
            let mut encoder = Encoder::with_options(Vec::new(), options.clone()).unwrap();
            encoder.write_all(&raw).unwrap();
            encoder.finish().unwrap()
        });
        assert!(most < memory as usize + BESIDE, "{most} bytes to compress, {memory} allowed");
        assert!(
            archive == compress_with(&raw, &options.clone().memory(u64::MAX).threads(1)).unwrap(),
            "another archive"
        );
        let decoding = limited(memory, 8);
        let (n, most) = peak(|| {
            let mut decoder = Decoder::with_options(&archive[..], decoding.clone());
            std::io::copy(&mut decoder, &mut std::io::sink()).unwrap()
        });
        assert!(
            n == 1 << 20 && most < memory as usize + BESIDE,
            "{most} bytes to decompress, {memory} allowed"
        );
        let (_, most) = peak(|| {
            let mut opened = Archive::open(Cursor::new(&archive), decoding.clone()).unwrap();
            opened.read_range(0..u64::MAX, |_| Ok(())).unwrap();
        });
        assert!(most < memory as usize + BESIDE, "{most} bytes for a range, {memory} allowed");
        // What one block needs is said.
        let few = options.clone().memory(9 * MIB);
        let mut encoder = Encoder::with_options(Vec::new(), few).unwrap();
        let error = encoder.write_all(&raw).unwrap_err().to_string();
        assert!(
            error.contains("over the limit of 9437184") && encoder.finish().is_err(),
            "{error}"
        );
        let error = lmz::decompress_with(&archive, &limited(9 * MIB, 2)).unwrap_err();
        let Error::Memory { needed, limit, .. } = error else { panic!("{error}") };
        assert_eq!(limit, 9 * MIB);
        let mut out = Vec::new();
        Decoder::with_options(&archive[..], limited(needed + MIB, 2))
            .read_to_end(&mut out)
            .unwrap();
        assert!(
            out == raw,
            "what is said to be needed for the first block is about enough for all"
        );
        assert!(recover(Cursor::new(&archive), &limited(9 * MIB, 2), |_| Ok(())).is_err());
        let opened = Archive::open(Cursor::new(&archive), limited(9 * MIB, 2));
        assert!(opened.unwrap().read(&mut [0]).is_err());
    }
}

#[test]
fn many_small_blocks_at_once_take_little() {
    let _alone = alone();
    let raw = numbers(256 << 10);
    let work = |threads| peak(|| compress_with(&raw, &none(16 << 10, threads)).unwrap()).1;
    let (one, sixteen) = (work(1), work(16));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    assert!(
        sixteen < one * 3 || processors > 2,
        "{one} bytes with one thread, {sixteen} with sixteen"
    );
}

#[test]
fn limits_at_their_extremes() {
    let _alone = alone();
    let raw = numbers(20_000);
    let archive = compress_with(&raw, &none(4096, 2)).unwrap();
    let full = Limits::default();
    let max = [
        full.clone().field(u64::MAX),
        full.clone().models(usize::MAX),
        full.clone().segments(u64::MAX),
        full.clone().block(u64::MAX),
        full.clone().memory(u64::MAX),
        full.clone()
            .field(u64::MAX)
            .models(usize::MAX)
            .segments(u64::MAX)
            .block(u64::MAX)
            .memory(u64::MAX),
    ];
    let zero = [
        full.clone().content(0),
        full.clone().block(0),
        full.clone().memory(0),
        full.clone().segments(0),
    ];
    // Which need nothing here.
    let needless = [full.clone().field(0).models(0), full.expansion(100)];
    for (limits, well) in
        max.into_iter().chain(needless).map(|l| (l, true)).chain(zero.map(|l| (l, false)))
    {
        for threads in [0, usize::MAX] {
            let options = DecoderOptions::new().limits(limits.clone()).threads(threads);
            let decoded = lmz::decompress_with(&archive, &options);
            assert_eq!(decoded.is_ok_and(|d| d == raw), well, "{limits:?}");
            let seeked = Archive::open(Cursor::new(&archive), options.clone());
            let seeked = seeked.and_then(|mut a| a.read_range(0..u64::MAX, |_| Ok(())));
            assert_eq!(seeked.is_ok(), well, "{limits:?}");
            let found = recover(Cursor::new(&archive), &options, |_| Ok(()));
            assert!(!well || found.is_ok_and(|found| found.raw == 20_000), "{limits:?}");
            assert!(Decoder::with_options(&b"\xebLZ\x10\x02"[..], options).read(&mut [0]).is_err());
        }
    }
    for threads in [1, 100_000, usize::MAX / 2, usize::MAX] {
        for memory in [100 * MIB, u64::MAX] {
            let options = none(4096, threads).memory(memory);
            assert!(compress_with(&raw, &options).unwrap() == archive);
            assert_eq!(lmz::compress_many(&[&raw[..], b"x"], &options).unwrap()[0], archive);
            assert!(lmz::compress_bare(b"some words", &options).unwrap().len() > 2);
        }
    }
    let mut encoder =
        Encoder::with_options(Vec::new(), none(1 << 30, usize::MAX).memory(0)).unwrap();
    assert!(encoder.write_all(&raw).and_then(|()| encoder.flush()).is_err());
}

#[test]
fn bare_messages_of_absurd_lengths() {
    let _alone = alone();
    let started = Instant::now();
    for predictor in [Predictor::None, Predictor::Ppm] {
        let options = none(4096, 1).predictor(predictor);
        for n in [1 << 20, 1 << 30, 1 << 33, usize::MAX / 2, usize::MAX] {
            let (result, most) = peak(|| lmz::decompress_bare(b"abc", n, &options));
            assert!(result.is_err() && most < BESIDE, "{n}: {most} bytes");
        }
        let small = options.clone().memory(5 * MIB);
        let bytes = lmz::compress_bare(&numbers(60_000), &options).unwrap();
        assert!(matches!(lmz::decompress_bare(&bytes, 60_000, &small), Err(Error::Memory { .. })));
    }
    #[cfg(feature = "nano")]
    for n in [1 << 33, usize::MAX] {
        let options = none(4096, 1).predictor(Predictor::find("nano").unwrap());
        let (result, most) = peak(|| lmz::decompress_bare(b"abc", n, &options));
        assert!(matches!(result, Err(Error::Memory { .. })) && most < BESIDE, "{n}: {most} bytes");
    }
    assert!(started.elapsed() < Duration::from_secs(60));
}

/// A frame of one block of codec 3 that claims as much as it may.
fn work_bomb(coded: usize) -> Vec<u8> {
    let raw = (coded as u64 + 8) << 16;
    let mut out = Vec::new();
    FrameHeader::default().write(&mut out);
    let layout = Layout::whole(raw, None);
    BlockHead { last: true, method: Method::Cm, raw, coded: coded as u64, layout }.write(&mut out);
    out.extend(vec![0; coded + 8]);
    out
}

#[test]
fn work_can_be_limited_and_cancelled() {
    let _alone = alone();
    let bomb = work_bomb(900);
    let started = Instant::now();
    let limits = Limits::default().expansion(1000);
    let options = DecoderOptions::new().limits(limits);
    let refused = |error: &Error| lmz::error::told(error).contains("to be predicted for each byte");
    assert!(lmz::decompress_with(&bomb, &options).is_err_and(|e| refused(&e)));
    assert!(recover(Cursor::new(&bomb), &options, |_| Ok(())).is_err_and(|e| refused(&e)));
    assert!(started.elapsed() < Duration::from_secs(5));
    // What people compress is far below.
    let raw = numbers(1 << 20);
    let options = options.limits(Limits::default().expansion(30));
    assert!(
        lmz::decompress_with(&compress_with(&raw, &none(1 << 20, 1)).unwrap(), &options).unwrap()
            == raw
    );
    for at_once in [true, false] {
        let cancel = CancellationToken::default();
        let options = DecoderOptions::new().cancel(cancel.clone());
        if at_once {
            cancel.cancel();
        }
        let results = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(500));
                cancel.cancel();
            });
            [
                lmz::decompress_with(&bomb, &options).map(drop),
                recover(Cursor::new(&bomb), &options, |_| Ok(())).map(drop),
                lmz::decompress_with(&fill_bomb(1 << 10), &options).map(drop),
            ]
        });
        assert!(
            results.iter().all(|r| matches!(r, Err(Error::Cancelled | Error::Block { .. }))),
            "{results:?}"
        );
        assert!(
            matches!(results[0], Err(Error::Cancelled))
                && matches!(results[1], Err(Error::Cancelled))
        );
    }
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

/// The time of work on `n` things, and on four times as many: in proportion, not by the square.
fn linear(what: &str, n: usize, mut work: impl FnMut(usize)) {
    let mut time = |n| {
        let started = Instant::now();
        work(n);
        started.elapsed().as_secs_f64()
    };
    time(n / 4);
    let (small, large) = (time(n), time(4 * n));
    assert!(
        large < 9.0 * small + 0.5,
        "{what}: {n} took {small:.2} s, four times as many {large:.2} s"
    );
}

#[test]
fn time_in_proportion() {
    let _alone = alone();
    let one = compress_with(b"ab", &none(4096, 1)).unwrap();
    let open = |archive: &[u8]| {
        Archive::open(Cursor::new(archive.to_vec()), DecoderOptions::default()).unwrap()
    };
    linear("reading small frames", 5000, |n| {
        let mut out = Vec::new();
        open(&one.repeat(n)).read_to_end(&mut out).unwrap();
        assert_eq!(out.len(), 2 * n);
    });
    linear("a range of small frames", 5000, |n| {
        open(&one.repeat(n)).read_range(0..u64::MAX, |_| Ok(())).unwrap()
    });
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
    linear("skippable frames", 20_000, |n| {
        let archive = [&skippable.repeat(n)[..], &one].concat();
        open(&archive).read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(lmz::decompress(&archive).unwrap(), b"ab");
        assert!(
            recover(Cursor::new(&archive), &DecoderOptions::default(), |_| Ok(()))
                .unwrap()
                .holes
                .is_empty()
        );
    });
    linear("empty blocks", 5000, |n| {
        let mut archive = Vec::new();
        let mut encoder = Encoder::with_options(&mut archive, none(1, 1)).unwrap();
        encoder.write_all(b"a").unwrap();
        encoder.flush().unwrap();
        drop(encoder);
        let head = archive.len();
        for _ in 0..n {
            BlockHead {
                last: false,
                method: Method::Stored,
                raw: 0,
                coded: 0,
                layout: Layout::default(),
            }
            .write(&mut archive);
            archive.extend(content_check(b"", b"").to_le_bytes());
        }
        assert!(
            archive.len() > head
                && Decoder::new(&archive[..]).read_to_end(&mut Vec::new()).is_err()
        );
        assert!(
            recover(Cursor::new(&archive), &DecoderOptions::default(), |_| Ok(())).unwrap().blocks
                > n as u64
        );
    });
    let recovered = |what: &str, n: usize, part: &dyn Fn(usize) -> Vec<u8>| {
        linear(what, n, |n| {
            drop(recover(Cursor::new(part(n)), &DecoderOptions::default(), |_| Ok(())).unwrap())
        });
    };
    recovered("headers without an end", 20_000, &|n| b"\xebLZ\x10\x06\x04".repeat(n));
    recovered("indexes without an end", 20_000, &|n| b"\xc3IDX\xff\xff\xff\xff\x7f".repeat(n));
    recovered("heads inside of blocks", 2000, &|n| {
        let mut out = Vec::new();
        for i in 0..n {
            let (raw, layout) = (40 * (n - i) as u64, Layout::default());
            BlockHead { last: false, method: Method::Stored, raw, coded: raw, layout }
                .write(&mut out);
        }
        out.extend(vec![1; 40 * n]);
        out
    });
    let padded = [&one[..], &vec![0; 1 << 26]].concat();
    let (_, most) = peak(|| {
        std::io::copy(&mut Decoder::new(&padded[..]), &mut std::io::sink()).unwrap();
        Archive::open(Cursor::new(&padded), DecoderOptions::default())
            .unwrap()
            .read_to_end(&mut Vec::new())
            .unwrap();
        recover(Cursor::new(&padded), &DecoderOptions::default(), |_| Ok(())).unwrap();
    });
    assert!(most < BESIDE, "{most} bytes for zeros");
}

/// The time of decoding, with a dictionary, a block of so many segments, each with a model of PPM
/// of its own whose parameters are out of range: all are one model by another name.
fn primed(count: usize) -> f64 {
    let dictionary = Dictionary::new(&numbers(1 << 20)).unwrap();
    let models: Vec<ModelRef> =
        (0..count as u8).map(|i| ModelRef::Ppm { order: 40 + i, memory: 40 + i }).collect();
    let mut archive = Vec::new();
    FrameHeader { models, dictionary: Some(*dictionary.hash()), ..FrameHeader::default() }
        .write(&mut archive);
    let segments = (0..count).map(|i| Segment { length: 1, model: Some(i) }).collect();
    let (raw, layout) = (count as u64, Layout::of(segments));
    BlockHead { last: true, method: Method::Modelled, raw, coded: 500, layout }.write(&mut archive);
    archive.extend([1; 508]);
    let options = DecoderOptions::new().dictionary(dictionary);
    let started = Instant::now();
    let error = lmz::decompress_with(&archive, &options).unwrap_err();
    assert!(matches!(error, Error::Block { source: CodecError::BadCheck, .. }), "{error}");
    started.elapsed().as_secs_f64()
}

#[test]
fn a_dictionary_is_read_once_for_equal_models() {
    let _alone = alone();
    let (one, all) = (primed(1), primed(16));
    assert!(all < 6.0 * one, "{one:.2} s for one model, {all:.2} s for sixteen names of it");
}

#[test]
fn an_index_of_claims_is_not_an_allocation() {
    let _alone = alone();
    let mut bytes = b"\xc3IDX".to_vec();
    lmz::format::put_varint(&mut bytes, u64::MAX);
    let (result, most) = peak(|| Index::read(&mut lmz::format::Input::new(&bytes)));
    assert!(result.is_err() && most < 1000);
}
