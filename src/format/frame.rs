//! Frames: header, index and trailer of full frames; short and skippable frames.

use super::bytes::{Input, check32, put_varint};
use super::{FormatError, Limits, Method, VERSION, within};

/// Begins a full frame.
const MAGIC: [u8; 3] = [0xeb, b'L', b'Z'];
/// Begins a short frame, with the version in the low bits of the third byte.
const SHORT: [u8; 2] = [0xeb, b'L'];
const SHORT_VERSION: u8 = 0x80;
/// Begins the index.
const INDEX: [u8; 4] = [0xc3, b'I', b'D', b'X'];
/// Ends a full frame.
const END: [u8; 4] = [0xeb, b'E', b'N', b'D'];
/// Bytes of a trailer.
pub const TRAILER_BYTES: usize = 16;

/// What begins at a place in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Full,
    Short,
    /// A skippable frame as in zstd, with the length of its content.
    Skippable(u64),
}

/// Tells which frame begins; reads nothing but the 3 to 8 bytes needed for that.
pub fn start(bytes: &[u8]) -> Result<Start, FormatError> {
    if bytes.len() < 3 {
        // Too few to tell; but what cannot become a frame is not an archive that was cut.
        let begins =
            MAGIC.starts_with(bytes) || SHORT.starts_with(bytes) || matches!(bytes, [0x50..0x60] | [0x50..0x60, 0x2a]);
        return Err(if begins { FormatError::Incomplete } else { FormatError::NotAFrame { found: bytes.to_vec() } });
    }
    let mut input = Input::new(bytes);
    let [a, b, c] = input.array::<3>()?;
    if [a, b, c] == MAGIC {
        return Ok(Start::Full);
    }
    if [a, b] == SHORT && c & 0xc0 == SHORT_VERSION {
        return Ok(Start::Short);
    }
    if (0x50..0x60).contains(&a) && [b, c] == [0x2a, 0x4d] && input.byte()? == 0x18 {
        return Ok(Start::Skippable(u64::from(u32::from_le_bytes(input.array()?))));
    }
    Err(FormatError::NotAFrame { found: bytes[..bytes.len().min(4)].to_vec() })
}

/// An entry of a frame's table of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// PPM with contexts of up to `order` bytes in 2^`memory` bytes.
    Ppm { order: u8, memory: u8 },
}

/// Field types. A reader refuses an odd type that it does not know and skips an even one.
const FIELD_END: u64 = 0;
const FIELD_MODEL: u64 = 1;
const FIELD_RAW: u64 = 2;

const MODEL_PPM: u8 = 1;

/// The header of a full frame.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrameHeader {
    pub models: Vec<Model>,
    /// Raw bytes of the frame, where the writer knew.
    pub raw: Option<u64>,
}

impl FrameHeader {
    pub fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend(MAGIC);
        out.push(VERSION);
        for model in &self.models {
            let value = match *model {
                Model::Ppm { order, memory } => [MODEL_PPM, order, memory],
            };
            put_varint(out, FIELD_MODEL);
            put_varint(out, value.len() as u64);
            out.extend(value);
        }
        if let Some(raw) = self.raw {
            let mut value = Vec::new();
            put_varint(&mut value, raw);
            put_varint(out, FIELD_RAW);
            put_varint(out, value.len() as u64);
            out.extend(value);
        }
        put_varint(out, FIELD_END);
        let check = check32(&out[from..]);
        out.extend(check);
    }

    pub fn read(input: &mut Input, limits: &Limits) -> Result<Self, FormatError> {
        const WHAT: &str = "frame header";
        let from = input.position();
        if input.array::<3>()? != MAGIC {
            return Err(FormatError::Malformed { what: WHAT, found: "no magic bytes" });
        }
        let version = input.byte()?;
        if version != VERSION {
            return Err(FormatError::Version { found: version });
        }
        let mut out = Self::default();
        let mut unknown = None;
        loop {
            let kind = input.varint(WHAT)?;
            if kind == FIELD_END {
                break;
            }
            let length = within("bytes of a header field", input.varint(WHAT)?, limits.field)?;
            let value = input.take(length as usize)?;
            match kind {
                FIELD_MODEL => match *value {
                    [MODEL_PPM, order, memory] => out.models.push(Model::Ppm { order, memory }),
                    [kind, ..] => unknown = unknown.or(Some(("kind of model", u64::from(kind)))),
                    [] => return Err(FormatError::Malformed { what: WHAT, found: "a model without a kind" }),
                },
                FIELD_RAW => {
                    let mut value = Input::new(value);
                    out.raw = Some(value.varint(WHAT)?);
                }
                _ if kind % 2 == 1 => unknown = unknown.or(Some(("header field", kind))),
                _ => {}
            }
            within("models of a frame", out.models.len() as u64, limits.models as u64)?;
        }
        input.check32(from, WHAT)?;
        // Only once the header is known to be whole is what it holds worth a message.
        match unknown {
            Some((what, found)) => Err(FormatError::Unknown { what, found }),
            None => Ok(out),
        }
    }
}

/// A block's entry in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Bytes of the block in the archive, from its sync mark to the end of its content check.
    pub bytes: u64,
    /// Raw bytes.
    pub raw: u64,
}

/// The index of a full frame: its blocks, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index(pub Vec<Entry>);

impl Index {
    pub fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend(INDEX);
        put_varint(out, self.0.len() as u64);
        for e in &self.0 {
            put_varint(out, e.bytes);
            put_varint(out, e.raw);
        }
        let check = check32(&out[from..]);
        out.extend(check);
    }

    pub fn read(input: &mut Input) -> Result<Self, FormatError> {
        const WHAT: &str = "index";
        let from = input.position();
        if input.array::<4>()? != INDEX {
            return Err(FormatError::Malformed { what: WHAT, found: "no mark" });
        }
        let count = input.varint(WHAT)?;
        let mut entries = Vec::new(); // grows with what is there, not with what is claimed
        for _ in 0..count {
            entries.push(Entry { bytes: input.varint(WHAT)?, raw: input.varint(WHAT)? });
        }
        input.check32(from, WHAT)?;
        Ok(Self(entries))
    }
}

/// The last 16 bytes of a full frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer {
    /// Bytes of the whole frame, this trailer included.
    pub frame: u64,
}

impl Trailer {
    pub fn write(&self, out: &mut Vec<u8>) {
        let length = self.frame.to_le_bytes();
        out.extend(length);
        out.extend(check32(&length));
        out.extend(END);
    }

    pub fn read(input: &mut Input) -> Result<Self, FormatError> {
        const WHAT: &str = "trailer";
        let from = input.position();
        let frame = u64::from_le_bytes(input.array()?);
        input.check32(from, WHAT)?;
        if input.array::<4>()? != END {
            return Err(FormatError::Malformed { what: WHAT, found: "no end mark" });
        }
        Ok(Self { frame })
    }
}

/// A short frame's head: for small inputs, 10 bytes around the coded ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortFrame {
    pub method: Method,
    /// Raw bytes, below [`ShortFrame::LIMIT`].
    pub raw: u64,
    /// Coded bytes, which follow; the low 32 bits of the content check follow them.
    pub coded: u64,
}

impl ShortFrame {
    /// Short frames hold fewer raw bytes than this.
    pub const LIMIT: u64 = 1 << 16;
    /// The longest head, in bytes.
    pub const LONGEST: usize = 10;

    /// The model of method `Coded`: number 2 is PPM with these parameters.
    pub const MODEL: Model = Model::Ppm { order: crate::lm::ppm::ORDER, memory: crate::lm::ppm::MEMORY_LOG2 };

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(SHORT);
        out.push(SHORT_VERSION | VERSION);
        out.push(match self.method {
            Method::Stored => 0,
            Method::Fill => 1,
            Method::Coded => 2,
        });
        put_varint(out, self.raw);
        put_varint(out, self.coded);
    }

    pub fn read(input: &mut Input) -> Result<Self, FormatError> {
        const WHAT: &str = "short frame";
        let [a, b, version] = input.array()?;
        if [a, b] != SHORT || version & 0xc0 != SHORT_VERSION {
            return Err(FormatError::Malformed { what: WHAT, found: "no magic bytes" });
        }
        if version & 0x3f != VERSION {
            return Err(FormatError::Version { found: version & 0x3f });
        }
        let method = match input.byte()? {
            0 => Method::Stored,
            1 => Method::Fill,
            2 => Method::Coded,
            n => return Err(FormatError::Unknown { what: "model number", found: u64::from(n) }),
        };
        let (raw, coded) = (input.varint(WHAT)?, input.varint(WHAT)?);
        let fits = match method {
            Method::Stored => coded == raw,
            Method::Fill => coded == 1 && raw > 0,
            Method::Coded => coded <= raw.saturating_add(8),
        };
        if raw >= Self::LIMIT || !fits {
            return Err(FormatError::Malformed { what: WHAT, found: "lengths that cannot be" });
        }
        Ok(Self { method, raw, coded })
    }
}
