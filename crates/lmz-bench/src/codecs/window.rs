//! Zstandard and Brotli, whose windows are as long as the content asks for.

use super::{library, read_all};
use crate::codec::{Codec, CodecFailure};
use crate::sample::Form;

/// The codec of a name.
pub fn find(name: &str) -> Option<Box<dyn Codec>> {
    match name {
        "zstd-3" => Some(Box::new(Zstd { name: "zstd-3", level: 3, long: false })),
        "zstd-19" => Some(Box::new(Zstd { name: "zstd-19", level: 19, long: false })),
        "zstd-22" => Some(Box::new(Zstd { name: "zstd-22", level: 22, long: true })),
        "brotli-5" => Some(Box::new(Brotli { name: "brotli-5", quality: 5, largest: 24 })),
        "brotli-11" => Some(Box::new(Brotli { name: "brotli-11", quality: 11, largest: 30 })),
        _ => None,
    }
}

/// The logarithm of a window that holds `length` bytes.
fn window_log(length: usize, least: u32, most: u32) -> u32 {
    (length.max(1).next_power_of_two().ilog2()).clamp(least, most)
}

struct Zstd {
    name: &'static str,
    level: i32,
    /// Whether the window reaches over the whole content, even past the level's 128 MiB.
    long: bool,
}

impl Codec for Zstd {
    fn name(&self) -> &str {
        self.name
    }

    fn version(&self) -> String {
        let long = if self.long {
            " ultra, window up to the content's length (2 GiB at most)"
        } else {
            ""
        };
        format!(
            "{} ({}), level {}{long}",
            library("zstd"),
            zstd::zstd_safe::version_string(),
            self.level
        )
    }

    fn compress(&self, bytes: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        let mut encoder = zstd::bulk::Compressor::new(self.level).map_err(CodecFailure::of)?;
        // The command does this too; it takes 4 bytes.
        encoder.include_checksum(true).map_err(CodecFailure::of)?;
        if self.long {
            encoder.window_log(window_log(bytes.len(), 27, 31)).map_err(CodecFailure::of)?;
        }
        encoder.compress(bytes).map_err(CodecFailure::of)
    }

    fn decompress(&self, coded: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        let mut decoder = zstd::stream::read::Decoder::new(coded).map_err(CodecFailure::of)?;
        decoder.window_log_max(31).map_err(CodecFailure::of)?;
        read_all(decoder)
    }
}

struct Brotli {
    name: &'static str,
    quality: i32,
    /// The logarithm of the longest window; above 24 a flag of the command and of the stream
    /// ("large window").
    largest: u32,
}

impl Codec for Brotli {
    fn name(&self) -> &str {
        self.name
    }

    fn version(&self) -> String {
        let Self { quality, largest, .. } = self;
        format!(
            "{}, quality {quality}, window up to the content's length (2^{largest} at most)",
            library("brotli")
        )
    }

    fn compress(&self, bytes: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        // The window ends 16 bytes before its power of two.
        let window = window_log(bytes.len() + 16, 10, self.largest);
        let params = brotli::enc::BrotliEncoderParams {
            quality: self.quality,
            lgwin: window as i32,
            large_window: window > 24,
            size_hint: bytes.len(),
            ..Default::default()
        };
        let mut out = Vec::new();
        brotli::BrotliCompress(&mut &bytes[..], &mut out, &params).map_err(CodecFailure::of)?;
        Ok(out)
    }

    fn decompress(&self, coded: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        let mut out = Vec::new();
        brotli::BrotliDecompress(&mut &coded[..], &mut out).map_err(CodecFailure::of)?;
        Ok(out)
    }
}
