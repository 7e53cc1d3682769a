//! Data to compress, and what it is.

/// What the bytes of a sample mean. Codecs for bytes take any form; specialists take their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// Text, or anything else without a shape.
    Bytes,
    /// A gray picture, one byte a pixel, row by row.
    Gray { width: u32, height: u32 },
    /// A colour picture, three bytes (red, green, blue) a pixel, row by row.
    Rgb { width: u32, height: u32 },
    /// Sound: `channels` interleaved samples of `bits` (8: unsigned, 16: signed, little-endian) each.
    Pcm { rate: u32, channels: u16, bits: u16 },
}

/// A piece of data with a name for tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    pub name: String,
    pub form: Form,
    pub bytes: Vec<u8>,
}
