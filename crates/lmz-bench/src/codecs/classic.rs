//! gzip, bzip2, xz, LZ4, LZW and PPMd.

use std::io::Write;

use super::{library, read_all};
use crate::codec::{Codec, CodecFailure};
use crate::sample::Form;

/// A codec that one function each way makes up.
struct Classic {
    name: &'static str,
    /// The crate behind it.
    library: &'static str,
    /// What is set, in words.
    settings: &'static str,
    compress: fn(&[u8]) -> Result<Vec<u8>, CodecFailure>,
    decompress: fn(&[u8]) -> Result<Vec<u8>, CodecFailure>,
}

const CODECS: [Classic; 6] = [
    Classic {
        name: "gzip-9",
        library: "flate2",
        settings: "zlib, level 9, .gz without a name",
        compress: |bytes| {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(CodecFailure::of)
        },
        decompress: |coded| read_all(flate2::read::GzDecoder::new(coded)),
    },
    Classic {
        name: "bzip2-9",
        library: "bzip2",
        settings: "blocks of 900 kB",
        compress: |bytes| read_all(bzip2::read::BzEncoder::new(bytes, bzip2::Compression::best())),
        decompress: |coded| read_all(bzip2::read::BzDecoder::new(coded)),
    },
    Classic {
        name: "xz-9e",
        library: "liblzma",
        settings: "preset 9 extreme, CRC-64",
        compress: |bytes| {
            read_all(liblzma::bufread::XzEncoder::new(bytes, 9 | liblzma::stream::PRESET_EXTREME))
        },
        decompress: |coded| read_all(liblzma::bufread::XzDecoder::new(coded)),
    },
    Classic {
        name: "lz4",
        library: "lz4_flex",
        settings: "fast, frame format, blocks as long as the content, at most 4 MiB, content check",
        compress: |bytes| {
            // A decoder clears a block's memory even for a few bytes.
            let info = lz4_flex::frame::FrameInfo::new()
                .block_size(lz4_flex::frame::BlockSize::Auto)
                .content_checksum(true);
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(bytes).map_err(CodecFailure::of)?;
            encoder.finish().map_err(CodecFailure::of)
        },
        decompress: |coded| read_all(lz4_flex::frame::FrameDecoder::new(coded)),
    },
    Classic {
        name: "lzw",
        library: "weezl",
        settings: "8-bit symbols, codes up to 12 bits, no head",
        compress: |bytes| lzw_encoder().encode(bytes).map_err(CodecFailure::of),
        decompress: |coded| lzw_decoder().decode(coded).map_err(CodecFailure::of),
    },
    Classic {
        name: "ppmd",
        library: "ppmd-rust",
        settings: "variant H (PPMd7, 7z range coder), order 16, 192 MiB (less if the content \
            cannot fill it), behind 1 to 10 bytes of length",
        compress: ppmd_compress,
        decompress: ppmd_decompress,
    },
];

/// The codec of a name.
pub fn find(name: &str) -> Option<Box<dyn Codec>> {
    CODECS.into_iter().find(|codec| codec.name == name).map(|codec| Box::new(codec) as _)
}

impl Codec for Classic {
    fn name(&self) -> &str {
        self.name
    }

    fn version(&self) -> String {
        let zlib = if self.library == "flate2" {
            format!(" ({})", library("libz-sys"))
        } else {
            String::new()
        };
        format!("{}{zlib}, {}", library(self.library), self.settings)
    }

    fn compress(&self, bytes: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        (self.compress)(bytes)
    }

    fn decompress(&self, coded: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        (self.decompress)(coded)
    }
}

fn lzw_encoder() -> weezl::encode::Encoder {
    weezl::encode::Encoder::new(weezl::BitOrder::Msb, 8)
}

fn lzw_decoder() -> weezl::decode::Decoder {
    weezl::decode::Decoder::new(weezl::BitOrder::Msb, 8)
}

/// Longest context, in bytes.
const PPMD_ORDER: u32 = 16;

/// Bytes of memory for content so long: 7-Zip's at its highest level, or what content that is not
/// noise stays well below (prose takes 30 bytes for each of its own), since all of it is cleared
/// first.
fn ppmd_memory(length: u64) -> u32 {
    (length.saturating_mul(64)).clamp(1 << 20, 192 << 20) as u32
}

/// The stream has no end: 7z keeps the length in its directory, here it stands in front, seven bits
/// in a byte, the last byte below 128.
fn ppmd_compress(bytes: &[u8]) -> Result<Vec<u8>, CodecFailure> {
    let mut out = Vec::new();
    let mut length = bytes.len() as u64;
    while length >= 1 << 7 {
        out.push(length as u8 | 1 << 7);
        length >>= 7;
    }
    out.push(length as u8);
    let mut encoder =
        ppmd_rust::Ppmd7Encoder::new(out, PPMD_ORDER, ppmd_memory(bytes.len() as u64))
            .map_err(CodecFailure::of)?;
    encoder.write_all(bytes).and_then(|()| encoder.finish(false)).map_err(CodecFailure::of)
}

fn ppmd_decompress(coded: &[u8]) -> Result<Vec<u8>, CodecFailure> {
    let bytes = coded.iter().take(10).position(|b| *b < 1 << 7);
    let (length, stream) = bytes
        .and_then(|last| coded.split_at_checked(last + 1))
        .ok_or_else(|| CodecFailure("expected a length in front, found none".into()))?;
    let length = length.iter().rev().fold(0_u64, |length, b| length << 7 | u64::from(b & 127));
    let decoder = ppmd_rust::Ppmd7Decoder::new(stream, PPMD_ORDER, ppmd_memory(length))
        .map_err(CodecFailure::of)?;
    read_all(std::io::Read::take(decoder, length))
}
