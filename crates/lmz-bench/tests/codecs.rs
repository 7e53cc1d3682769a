//! Every codec that is compared, and what is measured of it.

use lmz_bench::codecs::{self, LIBRARIES};
use lmz_bench::{Codec, CodecFailure, Failure, Form, Job, Sample, Settings, Worker, measure};

#[path = "common/bytes.rs"]
mod bytes;

use bytes::{TEXT, random};

fn sample(form: Form, bytes: Vec<u8>) -> Sample {
    Sample { name: format!("{} bytes", bytes.len()), form, bytes }
}

/// Waves, as samples of a byte.
fn waves(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| (128.0 + 100.0 * (i as f64 / 9.0).sin() + 20.0 * (i as f64 / 2.3).sin()) as u8)
        .collect()
}

fn samples() -> Vec<Sample> {
    let stereo = waves(6_000).iter().flat_map(|b| [0, *b ^ 128]).collect();
    let mut all = vec![
        sample(Form::Gray { width: 31, height: 17 }, waves(31 * 17)),
        sample(Form::Gray { width: 1, height: 1 }, vec![7]),
        sample(Form::Rgb { width: 20, height: 30 }, waves(3 * 600)),
        sample(Form::Rgb { width: 13, height: 11 }, random(3 * 143)),
        sample(Form::Pcm { rate: 16_000, channels: 1, bits: 8 }, waves(9_000)),
        sample(Form::Pcm { rate: 16_000, channels: 1, bits: 8 }, vec![0]),
        sample(Form::Pcm { rate: 16_000, channels: 1, bits: 8 }, Vec::new()),
        sample(Form::Pcm { rate: 44_100, channels: 2, bits: 16 }, stereo),
        sample(Form::Pcm { rate: 8_000, channels: 1, bits: 16 }, random(4_100)),
    ];
    for length in [0, 1, 2, 5, 17, 31, 63, 64, 257] {
        all.push(sample(Form::Bytes, TEXT.as_bytes()[..length].to_vec()));
    }
    for bytes in [TEXT.repeat(3).into_bytes(), random(3_001), vec![0; 9_000], (0..=255).collect()] {
        all.push(sample(Form::Bytes, bytes));
    }
    all
}

#[test]
fn every_codec_is_lossless() {
    for name in codecs::names() {
        let codec = codecs::find(&name, 1).unwrap();
        assert_eq!(codec.name(), name);
        let mut taken: Vec<Sample> =
            samples().into_iter().filter(|sample| codec.takes(&sample.form)).collect();
        if name.starts_with("lmz") {
            // It has tests of its own, and is slow on many small ones.
            taken.drain(2..taken.len() - 4);
        }
        assert!(taken.len() >= 2, "{name}");
        let measured = measure(&*codec, &taken, Settings { repeat: 1, header: true }).unwrap();
        assert_eq!(measured.pieces, taken.len() as u64);
    }
}

#[test]
fn many_pieces_are_coded_as_each_alone() {
    for name in codecs::names() {
        let codec = codecs::find(&name, 2).unwrap();
        let Some(form) =
            samples().iter().map(|s| s.form).find(|form| codec.takes(form) && form.fits(100))
        else {
            continue;
        };
        let pieces: Vec<Vec<u8>> = TEXT.as_bytes().chunks_exact(100).map(<[u8]>::to_vec).collect();
        let many = codec
            .compress_each(&pieces.iter().map(|p| (&p[..], &form)).collect::<Vec<_>>())
            .unwrap();
        let alone: Vec<_> =
            pieces.iter().map(|piece| codec.compress(piece, &form).unwrap()).collect();
        assert!(many == alone, "{name}");
    }
}

#[test]
fn damage_is_an_error_or_other_bytes_but_no_panic() {
    let data = TEXT.repeat(4).into_bytes();
    for name in codecs::names().into_iter().filter(|name| !name.starts_with("lmz")) {
        let codec = codecs::find(&name, 1).unwrap();
        if codec.takes(&Form::Bytes) {
            let coded = codec.compress(&data, &Form::Bytes).unwrap();
            for cut in [1, coded.len() / 2, coded.len() - 1] {
                let back = codec.decompress(&coded[..cut], &Form::Bytes);
                // What ends a PNG file holds nothing of the picture.
                let spared = name == "png-bytes" && cut == coded.len() - 1;
                assert!(
                    spared || back.is_err() || back.is_ok_and(|back| back != data),
                    "{name} of {cut} bytes"
                );
            }
        }
    }
}

#[test]
fn what_does_not_fit_its_form_is_an_error() {
    for (name, form) in [
        ("png", Form::Gray { width: 3, height: 3 }),
        ("webp", Form::Rgb { width: 3, height: 3 }),
        ("flac", Form::Pcm { rate: 8_000, channels: 1, bits: 16 }),
    ] {
        assert!(codecs::find(name, 1).unwrap().compress(b"seven b", &form).is_err(), "{name}");
    }
}

#[test]
fn versions_are_those_of_the_lock_file() {
    let lock = include_str!("../../../Cargo.lock");
    let others = codecs::names().into_iter().filter(|name| !name.starts_with("lmz"));
    let users: Vec<_> = others.map(|name| codecs::find(&name, 1).unwrap().version()).collect();
    for (name, version) in LIBRARIES {
        assert!(
            lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")),
            "{name} {version}"
        );
        assert!(
            users.iter().any(|user| user.contains(&format!("{name} {version}"))),
            "{name} is not named"
        );
    }
}

/// A codec that does what it is told to, which is not what a codec should.
struct Wrong(fn(&[u8]) -> Result<Vec<u8>, CodecFailure>);

impl Codec for Wrong {
    fn name(&self) -> &str {
        "wrong"
    }

    fn version(&self) -> String {
        "none".to_owned()
    }

    fn compress(&self, bytes: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        Ok(bytes.to_vec())
    }

    fn decompress(&self, coded: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        (self.0)(coded)
    }
}

#[test]
fn a_codec_that_lies_is_caught() {
    let data = [sample(Form::Bytes, b"some text".to_vec())];
    let result = |back| measure(&Wrong(back), &data, Settings::default());
    assert!(matches!(result(|_| Ok(b"some tExt".to_vec())), Err(Failure::Mismatch { at: 6, .. })));
    assert!(matches!(
        result(|_| Ok(b"some".to_vec())),
        Err(Failure::Mismatch { at: 4, found: 4, .. })
    ));
    assert!(matches!(result(|_| Err(CodecFailure("no".into()))), Err(Failure::Decompress { .. })));
    let honest = result(|coded| Ok(coded.to_vec())).unwrap();
    assert_eq!((honest.raw, honest.coded, honest.header_once), (9, 9, 9));
}

#[test]
fn a_header_is_counted_once() {
    let pieces = sample(Form::Bytes, TEXT.as_bytes().to_vec()).chunks(100);
    let gzip = codecs::find("gzip-9", 1).unwrap();
    let measured = measure(&*gzip, &pieces, Settings { repeat: 2, header: true }).unwrap();
    let alone = |bytes: &[u8]| gzip.compress(bytes, &Form::Bytes).unwrap().len() as u64;
    let sum: u64 = pieces.iter().map(|piece| alone(&piece.bytes)).sum();
    assert_eq!((measured.coded, measured.header), (sum, Some(alone(&[0]))));
    assert_eq!(measured.header_once, sum - (pieces.len() as u64 - 1) * alone(&[0]));
}

#[test]
fn a_process_of_its_own_measures_the_same_and_its_memory() {
    let worker = Worker::new(env!("CARGO_BIN_EXE_lmz-bench").into(), vec!["--bench-worker".into()]);
    let settings = Settings { repeat: 1, header: true };
    let job = |codec: &str| Job { codec: codec.to_owned(), threads: 1, settings };
    let pieces =
        sample(Form::Pcm { rate: 16_000, channels: 1, bits: 8 }, waves(5_000)).chunks(2_048);
    for name in ["flac", "gzip-9"] {
        let there = worker.measure(&job(name), &pieces).unwrap();
        let here = measure(&*codecs::find(name, 1).unwrap(), &pieces, settings).unwrap();
        assert_eq!(
            (there.coded, there.header_once, there.pieces),
            (here.coded, here.header_once, here.pieces)
        );
        if cfg!(target_os = "linux") {
            assert!(there.memory.is_some_and(|bytes| bytes > 1 << 20), "{:?}", there.memory);
        }
    }
    let error = worker.measure(&job("no-such"), &pieces).unwrap_err().to_string();
    assert!(error.contains("no codec no-such"), "{error}");
    let ended = Worker::new(env!("CARGO_BIN_EXE_lmz-bench").into(), vec!["--no-such-flag".into()]);
    assert!(matches!(ended.measure(&job("gzip-9"), &pieces), Err(Failure::Process { .. })));
}
