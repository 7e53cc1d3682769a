//! Recovering damaged archives: every block that is whole comes out, and nothing wrong does.

#[path = "common/support.rs"]
mod support;

use std::io::{Cursor, Write};

use lmz::recover::{Recovered, recover};
use lmz::write::Encoder;
use lmz::{DecoderOptions, EncoderOptions, compress_with, decompress};
use support::none;

const BLOCK: usize = 500;

fn content() -> Vec<u8> {
    (0..80)
        .flat_map(|i| format!("record {i} of many; {}\n", i * 7919 % 1000).into_bytes())
        .collect()
}

fn options() -> EncoderOptions {
    none().block_size(BLOCK)
}

fn recovered(archive: &[u8]) -> (Vec<u8>, Recovered) {
    let mut out = Vec::new();
    let found =
        recover(Cursor::new(archive), &DecoderOptions::default(), |bytes| out.write_all(bytes))
            .unwrap();
    (out, found)
}

#[test]
fn a_whole_archive_has_no_holes() {
    let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0][..], b"other"].concat();
    let archive = [
        &compress_with(&content(), &options()).unwrap()[..],
        &skippable,
        &compress_with(b"short", &options()).unwrap(),
    ]
    .concat();
    let (out, found) = recovered(&archive);
    assert_eq!(out, decompress(&archive).unwrap());
    assert_eq!(found.holes, []);
}

/// Nothing vouches for the length of a skippable frame, so it hides nothing that is whole.
#[test]
fn what_a_skippable_frame_claims_hides_nothing() {
    let (first, second) = (
        compress_with(b"first", &options()).unwrap(),
        compress_with(b"second", &options()).unwrap(),
    );
    let skippable = |claims: u32| [&[0x50, 0x2a, 0x4d, 0x18][..], &claims.to_le_bytes()].concat();
    // It claims more than there is.
    let (out, found) = recovered(&[&first[..], &skippable(u32::MAX >> 1), &second].concat());
    assert_eq!((&out[..], found.holes.len()), (&b"firstsecond"[..], 1));
    // It is cut.
    let (out, found) = recovered(&[&first[..], &skippable(9), b"x"].concat());
    assert_eq!((&out[..], found.holes.len()), (&b"first"[..], 1));
    // It is the content of a damaged block that is stored.
    let noise = (0..20_000u32)
        .flat_map(|i| i.wrapping_mul(2_654_435_761).wrapping_mul(i | 1).to_be_bytes());
    let raw: Vec<u8> = skippable(30_000).into_iter().chain(noise).take(20_000).collect();
    let mut archive = compress_with(&raw, &none().block_size(4096)).unwrap();
    archive[100] ^= 1;
    let (out, found) = recovered(&archive);
    assert!(out == raw[4096..] && found.holes.len() == 1, "{} bytes, {found:?}", out.len());
}

#[test]
fn any_damaged_byte_costs_one_block_at_most() {
    let raw = content();
    let blocks: Vec<&[u8]> = raw.chunks(BLOCK).collect();
    let archive = compress_with(&raw, &options()).unwrap();
    for at in 0..archive.len() {
        let mut damaged = archive.clone();
        damaged[at] = !damaged[at];
        let (out, found) = recovered(&damaged);
        let missing = (0..=blocks.len()).find(|&i| {
            let rest: Vec<&[u8]> =
                blocks.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, b)| *b).collect();
            out == rest.concat()
        });
        assert!(missing.is_some(), "byte {at}: not the content less one block");
        assert_eq!(found.holes.len(), 1, "byte {at}");
        assert!(
            (found.holes[0].at..found.holes[0].at + found.holes[0].bytes).contains(&(at as u64)),
            "byte {at}"
        );
    }
}

#[test]
fn bytes_put_in_or_lost_cost_one_block_at_most() {
    let raw = content();
    let archive = compress_with(&raw, &options()).unwrap();
    for at in (20..archive.len() - 100).step_by(53) {
        let lost = [&archive[..at], &archive[at + 10..]].concat();
        let more = [&archive[..at], b"0123456789", &archive[at..]].concat();
        for damaged in [lost, more] {
            let (out, found) = recovered(&damaged);
            assert!(
                out.len() + 2 * BLOCK >= raw.len() && !found.holes.is_empty(),
                "at {at}: {} bytes",
                out.len()
            );
        }
    }
}

#[test]
fn an_unfinished_archive_gives_what_was_flushed() {
    let mut archive = Vec::new();
    let mut encoder = Encoder::with_options(&mut archive, options()).unwrap();
    encoder.write_all(b"first").unwrap();
    encoder.flush().unwrap();
    encoder.write_all(b"second").unwrap();
    drop(encoder);
    assert_eq!(recovered(&archive).0, b"first");
}
