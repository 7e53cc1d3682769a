//! What goes in comes out; what was damaged is noticed.

#[path = "common/support.rs"]
mod support;

use std::io::{self, Read, Write};

use lmz::read::Decoder;
use lmz::write::Encoder;
use lmz::{DecoderOptions, EncoderOptions, Error, Predictor, compress_with, decompress};
use proptest::prelude::*;
use support::{any_damage_is_an_error, noise, none, words};

fn small_blocks() -> EncoderOptions {
    none().block_size(1000)
}

fn ppm() -> EncoderOptions {
    EncoderOptions::new().predictor(Predictor::Ppm)
}

#[test]
fn sizes_around_every_boundary() {
    for n in [0, 1, 2, 127, 128, 999, 1000, 1001, 1999, 2000, 2001, 65535, 65536, 65537] {
        for raw in [words(n), noise(n), vec![b'a'; n]] {
            for options in [none(), small_blocks(), ppm()] {
                let archive = compress_with(&raw, &options).unwrap();
                assert_eq!(decompress(&archive).unwrap(), raw, "{n} bytes");
            }
        }
    }
}

#[test]
fn a_message_costs_ten_bytes_around_it() {
    for n in [1, 50, 100, 127] {
        assert!(compress_with(&noise(n), &none()).unwrap().len() <= n + 10);
    }
    assert_eq!(compress_with(b"", &none()).unwrap().len(), 10);
}

#[test]
fn noise_grows_by_a_thousandth_and_32_bytes_at_most() {
    for n in [100, 10_000, 65_536, 300_000, 5_000_000] {
        let size = compress_with(&noise(n), &none()).unwrap().len();
        assert!(size <= n + n / 1000 + 32, "{n} became {size}");
    }
}

#[test]
fn noise_that_repeats_is_found() {
    let mut raw = noise(200_000);
    raw.extend_from_within(..);
    assert!(compress_with(&raw, &none()).unwrap().len() < 250_000);
}

#[test]
fn the_archive_does_not_depend_on_threads_or_on_how_it_is_written() {
    for n in [900, 1500, 2000, 3500, 10_500] {
        let raw = words(n);
        let expected = compress_with(&raw, &small_blocks()).unwrap();
        for threads in 1..4 {
            for piece in [1, 999, 1000, 1001, 5000] {
                let mut encoder =
                    Encoder::with_options(Vec::new(), small_blocks().threads(threads)).unwrap();
                raw.chunks(piece).for_each(|p| encoder.write_all(p).unwrap());
                assert!(
                    encoder.finish().unwrap() == expected,
                    "{n} bytes, {threads} threads, pieces of {piece}"
                );
            }
        }
    }
}

#[test]
fn blocks_are_decoded_at_once() {
    let raw = [words(4500), vec![0; 3000], noise(2500)].concat();
    let archive = compress_with(&raw, &small_blocks()).unwrap();
    let damaged_at = archive.len() / 3;
    let mut damaged = archive.clone();
    damaged[damaged_at] ^= 1;
    let read = |archive: &[u8], threads| {
        let mut found = Vec::new();
        let options = DecoderOptions::new().threads(threads);
        let result = Decoder::with_options(archive, options).read_to_end(&mut found);
        (found, result.map_err(|e| e.to_string()))
    };
    for threads in [2, 3, 50] {
        assert!(read(&archive, threads) == (raw.clone(), Ok(raw.len())));
        // Threads change neither what comes before an error nor which error it is.
        for broken in [&damaged[..], &archive[..damaged_at], &archive[..archive.len() - 1]] {
            assert!(read(broken, threads) == read(broken, 1), "{threads} threads");
        }
    }
}

#[test]
fn decoders_tell_of_blocks() {
    use std::sync::{Arc, Mutex};
    let raw = [words(1000), vec![0; 1000], noise(700)].concat();
    let reports = [Arc::new(Mutex::new(Vec::new())), Arc::default()];
    let note = |reports: &Arc<Mutex<Vec<_>>>| {
        let reports = reports.clone();
        move |b: lmz::BlockReport| {
            let block = (b.uncompressed_len, b.compressed_len, b.method, b.streams);
            reports.lock().unwrap().push(block);
        }
    };
    let mut encoder = Encoder::with_options(Vec::new(), small_blocks()).unwrap();
    encoder.on_block(note(&reports[0]));
    encoder.write_all(&raw).unwrap();
    let archive = encoder.finish().unwrap();
    let mut decoder = Decoder::new(&archive[..]);
    decoder.on_block(note(&reports[1]));
    io::copy(&mut decoder, &mut io::sink()).unwrap();
    assert_eq!(reports[0].lock().unwrap().len(), 3);
    assert_eq!(*reports[0].lock().unwrap(), *reports[1].lock().unwrap());
}

#[test]
fn memory_of_ppm_runs_full() {
    let raw = [words(30_000), noise(5000), words(30_000)].concat();
    let sizes = [16, 18, 26].map(|ppm_memory| {
        let archive = compress_with(&raw, &ppm().ppm_memory(ppm_memory)).unwrap();
        assert_eq!(decompress(&archive).unwrap(), raw);
        archive.len()
    });
    assert!(
        sizes[0] > sizes[1] && sizes[1] > sizes[2],
        "less memory makes it no larger: {sizes:?}"
    );
}

#[test]
fn streams_share_what_they_learn() {
    let raw = words(40_000);
    let sizes = [1, 2, 16, 64, 1024].map(|streams| {
        let archive = compress_with(&raw, &none().streams(streams)).unwrap();
        assert_eq!(decompress(&archive).unwrap(), raw);
        archive.len()
    });
    // Each stream on its own would learn the same words again.
    let alone: usize =
        raw.chunks(40_000 / 16).map(|part| compress_with(part, &none()).unwrap().len()).sum();
    assert!(sizes[0] < sizes[2] && sizes[2] * 10 < alone * 9, "{sizes:?}, apart {alone}");
    // There cannot be more streams than bytes.
    assert_eq!(decompress(&compress_with(b"aab", &none().streams(64)).unwrap()).unwrap(), b"aab");
}

#[test]
fn flush_ends_a_block_that_can_be_read() {
    let mut encoder = Encoder::with_options(Vec::new(), none()).unwrap();
    encoder.write_all(b"first").unwrap();
    encoder.flush().unwrap();
    encoder.write_all(b" second").unwrap();
    let archive = encoder.finish().unwrap();
    assert_eq!(decompress(&archive).unwrap(), b"first second");
    // What was flushed arrives even where the rest is missing.
    let mut found = Vec::new();
    let error = Decoder::new(&archive[..archive.len() / 2]).read_to_end(&mut found).unwrap_err();
    assert_eq!((found.as_slice(), error.kind()), (&b"first"[..], io::ErrorKind::UnexpectedEof));
}

#[test]
fn frames_can_be_concatenated_and_skipped_over() {
    let (a, b) = (
        compress_with(b"one ", &none()).unwrap(),
        compress_with(&words(3000), &small_blocks()).unwrap(),
    );
    let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0][..], b"other"].concat();
    let all = [&a[..], &skippable, &b, &a].concat();
    assert_eq!(decompress(&all).unwrap(), [b"one ", &words(3000)[..], b"one "].concat());
}

#[test]
fn what_is_no_archive_is_refused() {
    assert!(matches!(decompress(b""), Err(Error::Empty)));
    for bytes in [
        &b"x"[..],
        b"hello world",
        &[0x1f, 0x8b, 8, 0],
        &[0xeb],
        &[0xeb, b'L', b'Z', 99, 0, 0, 0, 0, 0],
    ] {
        assert!(matches!(decompress(bytes), Err(Error::Format { at: 0, .. })), "{bytes:?}");
    }
    let mut archive = compress_with(b"content", &none()).unwrap();
    archive.extend(b"garbage");
    let mut found = Vec::new();
    assert!(Decoder::new(&archive[..]).read_to_end(&mut found).is_err());
    assert_eq!(found, b"content", "the content before trailing garbage is delivered");
    assert!(
        matches!(decompress(&archive), Err(Error::TrailingData { at }) if at as usize == archive.len() - 7)
    );
}

#[test]
fn errors_stay() {
    let mut archive = compress_with(&words(3000), &small_blocks()).unwrap();
    let middle = archive.len() / 2;
    archive[middle] ^= 1;
    let mut decoder = Decoder::new(&archive[..]);
    let mut found = Vec::new();
    let first = decoder.read_to_end(&mut found).unwrap_err();
    let again = decoder.read(&mut [0; 10]).unwrap_err();
    assert_eq!(lmz::error::told(&again), lmz::error::told(&first));
    assert!(words(3000).starts_with(&found));
}

/// Small archives of each method: short and full frames, stored, fill, PPM, context mixing.
fn archives() -> Vec<(Vec<u8>, Vec<u8>)> {
    let various = [words(300), noise(300), vec![7; 300], words(100)].concat();
    let full = |options: EncoderOptions| {
        let mut full = Encoder::with_options(Vec::new(), options.block_size(300)).unwrap();
        full.write_all(&various).unwrap();
        full.flush().unwrap();
        full.finish().unwrap()
    };
    let mut out: Vec<_> = [words(200), noise(60), vec![7; 60]]
        .into_iter()
        .flat_map(|raw| {
            [
                (compress_with(&raw, &none()).unwrap(), raw.clone()),
                (compress_with(&raw, &ppm()).unwrap(), raw),
            ]
        })
        .collect();
    out.push((full(ppm()), various.clone()));
    out.push((full(none().streams(3)), various.clone()));
    out
}

#[test]
fn damage() {
    for (archive, raw) in archives() {
        any_damage_is_an_error(&archive, &raw, &DecoderOptions::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_survive(raw in prop::collection::vec(any::<u8>(), 0..5000), streams in 1usize..9) {
        let options = small_blocks().streams(streams);
        prop_assert_eq!(decompress(&compress_with(&raw, &options).unwrap()).unwrap(), raw.clone());
        prop_assert_eq!(decompress(&compress_with(&raw, &ppm().block_size(1000)).unwrap()).unwrap(), raw);
    }

    /// Few letters in long repeats: everything collides and every match is long, and then breaks.
    #[test]
    fn repeats_survive(part in prop::collection::vec(0u8..3, 1..60), times in 1usize..200, streams in 1usize..4) {
        let raw: Vec<u8> = part.iter().copied().cycle().take(part.len() * times).chain([9]).chain(part.iter().copied()).collect();
        let options = none().streams(streams);
        prop_assert_eq!(decompress(&compress_with(&raw, &options).unwrap()).unwrap(), raw);
    }

    #[test]
    fn any_few_letters_survive(raw in prop::collection::vec(0u8..3, 0..5000), order in 1u8..12) {
        let options = ppm().ppm_order(order).block_size(1000);
        prop_assert_eq!(decompress(&compress_with(&raw, &options).unwrap()).unwrap(), raw);
    }

    #[test]
    fn any_input_to_the_decoder_ends(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decompress(&bytes);
        let _ = decompress(&[&[0xeb, b'L', 0x82][..], &bytes].concat());
    }
}
