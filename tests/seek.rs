//! Archives as content that can be seeked in.

#[path = "common/support.rs"]
mod support;

use std::io::{Cursor, Read, Seek, SeekFrom};

use lmz::Archive;
use lmz::{DecoderOptions, Error, Limits, compress_with};
use proptest::prelude::*;
use support::none;

fn text(n: usize) -> Vec<u8> {
    (0..)
        .flat_map(|i: u64| format!("{i} is followed by {}, ", i + 1).into_bytes())
        .take(n)
        .collect()
}

fn skippable(content: &[u8]) -> Vec<u8> {
    [&[0x50, 0x2a, 0x4d, 0x18][..], &(content.len() as u32).to_le_bytes(), content].concat()
}

fn open(archive: &[u8]) -> Result<Archive<Cursor<Vec<u8>>>, Error> {
    Archive::open(Cursor::new(archive.to_vec()), DecoderOptions::default())
}

/// Frames of every kind in all orders of three, with their content.
fn archives() -> Vec<(Vec<u8>, Vec<u8>, usize)> {
    let full = none().block_size(700);
    let parts = [
        (compress_with(&text(3000), &full).unwrap(), text(3000)),
        (compress_with(&text(100), &none()).unwrap(), text(100)),
        (compress_with(b"", &full).unwrap(), Vec::new()),
        (skippable(b"nothing"), Vec::new()),
        (skippable(&compress_with(&text(2000), &full).unwrap()), Vec::new()), // ends like a full frame
    ];
    let mut out = Vec::new();
    for a in &parts {
        for b in &parts {
            for c in &parts {
                out.push(([&a.0[..], &b.0, &c.0].concat(), [&a.1[..], &b.1, &c.1].concat(), 3));
            }
        }
    }
    out
}

#[test]
fn frames_in_any_order() {
    for (archive, raw, frames) in archives() {
        let mut found = open(&archive).unwrap();
        assert_eq!((found.frames().len(), found.uncompressed_len()), (frames, raw.len() as u64));
        assert_eq!(
            found.frames().iter().map(|f| f.compressed_len).sum::<u64>(),
            archive.len() as u64
        );
        let mut all = Vec::new();
        found.read_to_end(&mut all).unwrap();
        assert!(all == raw);
    }
}

#[test]
fn ranges_with_threads() {
    let options = none().block_size(700);
    let raw = text(20_000);
    let archive = compress_with(&raw, &options).unwrap();
    for threads in [1, 3] {
        let decoding = DecoderOptions::new().threads(threads);
        let mut archive = Archive::open(Cursor::new(&archive), decoding).unwrap();
        for range in [0..1, 699..701, 1400..1400, 5000..19_999, 0..20_000] {
            let mut found = Vec::new();
            archive
                .read_range(range.start as u64..range.end as u64, |b| {
                    found.extend_from_slice(b);
                    Ok(())
                })
                .unwrap();
            assert!(found == raw[range]);
        }
    }
}

#[test]
fn damage_is_an_error_and_never_wrong_content() {
    let options = none().block_size(300);
    let raw = text(1000);
    let archive = compress_with(&raw, &options).unwrap();
    for bit in 0..archive.len() * 8 {
        let mut damaged = archive.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let Ok(mut opened) = open(&damaged) else { continue };
        let mut found = Vec::new();
        assert!(opened.read_to_end(&mut found).is_err(), "bit {bit} of {}", archive.len());
        assert!(raw.starts_with(&found));
    }
    for n in 0..archive.len() {
        assert!(open(&archive[..n]).is_err(), "{n} of {} bytes", archive.len());
    }
}

#[test]
fn content_beyond_the_limit_is_refused() {
    let archive = compress_with(&text(5000), &none().block_size(700)).unwrap();
    for (content, fits) in [(4999, false), (5000, true)] {
        let limits = Limits::default().content(content);
        let decoding = DecoderOptions::new().limits(limits);
        assert_eq!(Archive::open(Cursor::new(&archive), decoding.clone()).is_ok(), fits);
        assert_eq!(lmz::decompress_with(&archive, &decoding).is_ok(), fits);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Reading after seeking gives what reading the content would.
    #[test]
    fn seeks(moves in prop::collection::vec((0u8..3, -400i64..6000, 0usize..1500), 1..20)) {
        let raw = text(4000);
        let archive = compress_with(&raw, &none().block_size(700)).unwrap();
        let (mut content, mut expected) = (open(&archive).unwrap(), Cursor::new(&raw));
        for (from, by, n) in moves {
            let to = match from {
                0 => SeekFrom::Start(by.unsigned_abs()),
                1 => SeekFrom::End(by - 4000),
                _ => SeekFrom::Current(by - 3000),
            };
            prop_assert_eq!(content.seek(to).ok(), expected.seek(to).ok());
            let (mut a, mut b) = (Vec::new(), Vec::new());
            content.by_ref().take(n as u64).read_to_end(&mut a).unwrap();
            expected.by_ref().take(n as u64).read_to_end(&mut b).unwrap();
            prop_assert_eq!(a, b);
        }
    }
}
