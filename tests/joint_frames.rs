//! Archives of codec 4 as a decoder meets them: whole, damaged, and without their model.

#[path = "common/golden_archive.rs"]
mod golden_archive;
#[path = "common/support.rs"]
mod support;
#[path = "common/tiny.rs"]
mod tiny;

use std::io::{Cursor, Write};

use lmz::Archive;
use lmz::recover::recover;
use lmz::{
    DecoderOptions, EncoderOptions, Error, Predictor, compress_with, decompress, decompress_with,
};
use support::{any_damage_is_an_error, read};
use tiny::{full, layout, read as by_model, short, tiny, unread};

const FIRST: &[u8] = b"one text, and another text\n";
const SECOND: &[u8] = b"a text of more than two streams, one of which is short";
const THIRD: &[u8] = b"\x80\x81 parts that the model does not read \xff\xff and some that it does";

fn archives() -> Vec<(Vec<u8>, Vec<u8>)> {
    let third =
        [unread(3), by_model(10), unread(1), unread(29), by_model(5), by_model(12), unread(2)];
    let blocks = [
        (FIRST, layout(&[by_model(9), by_model(18)], 2, 0)),
        (SECOND, layout(&[by_model(30), by_model(1), by_model(23)], 3, 7)),
        (THIRD, layout(&third, 2, 4)),
    ];
    vec![(short(FIRST), FIRST.to_vec()), (full(&blocks), [FIRST, SECOND, THIRD].concat())]
}

fn given() -> DecoderOptions {
    DecoderOptions::new().model(tiny())
}

/// What a model folder has made stays readable too (tests/golden/archives has the rest).
#[test]
fn golden() {
    for (name, (archive, raw)) in
        ["joint-tiny-short.txt", "joint-tiny-full.bin"].into_iter().zip(archives())
    {
        golden_archive::check(&format!("archives/{name}"), &raw, &archive, &given());
    }
}

#[test]
fn read_and_sought_and_recovered() {
    for (archive, raw) in archives() {
        for threads in [1, 2, 3, 40] {
            let options = given().threads(threads);
            assert_eq!(decompress_with(&archive, &options).unwrap(), raw);
            let mut content = Archive::open(Cursor::new(&archive), options.clone()).unwrap();
            let mut part = Vec::new();
            content.read_range(5..20, |bytes| part.write_all(bytes)).unwrap();
            assert_eq!(part, &raw[5..20]);
        }
        let mut found = Vec::new();
        let recovered =
            recover(Cursor::new(&archive), &given(), |bytes| found.write_all(bytes)).unwrap();
        assert_eq!((found, recovered.holes.len()), (raw, 0));
    }
}

#[test]
fn a_lost_header_does_not_cost_the_blocks() {
    let (mut archive, raw) = archives().remove(1);
    archive[3] ^= 1;
    let mut found = Vec::new();
    let recovered =
        recover(Cursor::new(&archive), &given(), |bytes| found.write_all(bytes)).unwrap();
    assert_eq!((found, recovered.holes.len()), (raw, 1));
}

#[test]
fn without_their_model() {
    let identity = tiny().identity();
    for ((archive, raw), named) in archives().into_iter().zip([8, 32]) {
        let Err(error @ Error::NoModel { at: 0, .. }) = decompress(&archive) else {
            panic!("decoded without a model")
        };
        let message = error.to_string();
        assert!(message.contains(&identity.to_string()[..2 * named]), "{message}");
        let (found, result) = read(&archive, DecoderOptions::default());
        assert!(found.is_empty() && result.is_err(), "nothing is decoded before");
        let mut content = Archive::open(Cursor::new(&archive), DecoderOptions::default())
            .expect("it can be listed");
        assert_eq!(content.uncompressed_len(), raw.len() as u64);
        assert!(matches!(content.read_range(0..1, |_| Ok(())), Err(Error::NoModel { .. })));
    }
    let full = &archives()[1].0;
    assert!(matches!(
        recover(Cursor::new(full), &DecoderOptions::default(), |_| Ok(())),
        Err(Error::NoModel { .. })
    ));
}

#[test]
fn a_model_of_another_kind() {
    // The block says codec 4, the table PPM.
    let options = EncoderOptions::new().predictor(Predictor::Ppm);
    let mut encoder = lmz::write::Encoder::with_options(Vec::new(), options).unwrap();
    encoder.write_all(FIRST).unwrap();
    encoder.flush().unwrap();
    let ppm = encoder.finish().unwrap();
    let mark = |bytes: &[u8]| bytes.windows(4).position(|w| w == [0xc3, b'B', b'L', b'K']).unwrap();
    let neural = full(&[(FIRST, layout(&[by_model(27)], 1, 0))]);
    let error = |header: &[u8], blocks: &[u8]| {
        let archive = [&header[..mark(header)], &blocks[mark(blocks)..]].concat();
        match decompress_with(&archive, &given()) {
            Err(Error::Block { block: 0, source, .. }) => source,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(error(&ppm, &neural), lmz::CodecError::WrongModel);
    // Codec 2 takes models of both kinds, but this one says something else.
    assert_ne!(error(&neural, &ppm), lmz::CodecError::WrongModel);
}

#[test]
fn damage() {
    for (archive, raw) in archives() {
        any_damage_is_an_error(&archive, &raw, &given());
    }
}

/// Coded bytes that no encoder wrote, with a head that fits: they end, with an error or with any
/// bytes.
#[test]
fn any_coded_bytes_end() {
    let dictionary = lmz::Dictionary::new(b"text").unwrap();
    let (model, dictionary) = (tiny(), Some(&dictionary));
    let mixed = layout(&[unread(90), by_model(400), unread(10), by_model(200)], 3, 50);
    let joint = lmz::codec::lm_cm::LmBlock {
        layout: &mixed,
        dictionary,
        model: &model,
        threads: 2,
        progress: None,
    };
    let read = layout(&[by_model(400), by_model(300)], 2, 0);
    let pure = lmz::codec::lm_cm::LmBlock { layout: &read, ..joint };
    let decode = |coded: &[u8]| {
        let out = &mut Vec::new();
        [
            joint.decode(coded, out).is_ok(),
            lmz::codec::lm_only::decode(
                &pure,
                &mut lmz::codec::range::Decoder::new(coded),
                coded.len(),
                out,
            )
            .is_ok(),
        ]
    };
    let mut state = 1u32;
    for length in 0..40 {
        let coded: Vec<u8> = (0..length * 5)
            .map(|_| {
                state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                (state >> 24) as u8
            })
            .collect();
        let _ = decode(&coded);
        assert_eq!(
            decode(&coded[..coded.len().min(10)]),
            [false; 2],
            "ten random bytes are not 700"
        );
    }
}

#[test]
fn a_tiny_model_never_wins_but_does_no_harm() {
    let options = EncoderOptions::new().predictor(Predictor::Model(tiny()));
    for raw in [&b""[..], b"x", FIRST, &[5; 100], &SECOND.repeat(30)] {
        let archive = compress_with(raw, &options).unwrap();
        assert_eq!(decompress_with(&archive, &given()).unwrap(), raw);
        assert!(archive.len() <= compress_with(raw, &EncoderOptions::default()).unwrap().len() + 8);
        // Bare messages are always coded with the model.
        let coded = lmz::compress_bare(raw, &options).unwrap();
        assert_eq!(lmz::decompress_bare(&coded, raw.len(), &options).unwrap(), raw);
    }
}
