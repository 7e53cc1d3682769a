//! Data to compress, and what it is.

use serde::{Deserialize, Serialize};

/// What the bytes of a sample mean. Codecs for bytes take any form; specialists take their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Text, or anything else without a shape.
    Bytes,
    /// A gray picture, one byte a pixel, row by row.
    Gray { width: u32, height: u32 },
    /// A colour picture, three bytes (red, green, blue) a pixel, row by row.
    Rgb { width: u32, height: u32 },
    /// Sound: `channels` interleaved samples of `bits` (8: unsigned, 16: signed, little-endian)
    /// each.
    Pcm { rate: u32, channels: u16, bits: u16 },
}

impl Form {
    /// How many bytes data of this form has; none if that is not fixed.
    pub fn bytes(&self) -> Option<u64> {
        match *self {
            Self::Bytes | Self::Pcm { .. } => None,
            Self::Gray { width, height } => Some(u64::from(width) * u64::from(height)),
            Self::Rgb { width, height } => Some(3 * u64::from(width) * u64::from(height)),
        }
    }

    /// A sample's bytes of every channel at one moment; 1 for what is no sound.
    pub fn frame(&self) -> usize {
        match *self {
            Self::Pcm { channels, bits, .. } => {
                (usize::from(channels) * usize::from(bits.div_ceil(8))).max(1)
            }
            _ => 1,
        }
    }

    /// Whether a number of bytes can have this form.
    pub fn fits(&self, length: usize) -> bool {
        self.bytes().is_none_or(|bytes| bytes == length as u64)
            && length.is_multiple_of(self.frame())
    }

    /// The least data of this kind, all zero: a byte, a pixel, one moment of sound.
    pub fn least(&self) -> (Self, Vec<u8>) {
        match *self {
            Self::Gray { .. } => (Self::Gray { width: 1, height: 1 }, vec![0]),
            Self::Rgb { .. } => (Self::Rgb { width: 1, height: 1 }, vec![0; 3]),
            _ => (*self, vec![0; self.frame()]),
        }
    }
}

/// A piece of data with a name for tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    pub name: String,
    pub form: Form,
    pub bytes: Vec<u8>,
}

impl Sample {
    /// Pieces of `length` bytes and a last one with the rest. Pieces of sound are sound if they
    /// hold whole moments of it; pieces of pictures are bytes, for they have no shape.
    pub fn chunks(&self, length: usize) -> Vec<Self> {
        let sound =
            matches!(self.form, Form::Pcm { .. }) && length.is_multiple_of(self.form.frame());
        let form = if sound { self.form } else { Form::Bytes };
        let piece = |(number, bytes): (usize, &[u8])| Self {
            name: format!("{}[{number}]", self.name),
            form,
            bytes: bytes.to_vec(),
        };
        self.bytes.chunks(length.max(1)).enumerate().map(piece).collect()
    }
}
