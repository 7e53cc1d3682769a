//! Frames: header, index and trailer of full frames; short and skippable frames.

use super::bytes::{Input, check32, put_varint};
use super::{BlockHead, FormatError, Limits, Method, Segment, VERSION, within};

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
pub const TRAILER_BYTES: usize = 24;

/// A dictionary's BLAKE3 hash, by which an archive names it.
pub type DictionaryHash = [u8; 32];

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
const FIELD_DICTIONARY: u64 = 3;

const MODEL_PPM: u8 = 1;

/// The header of a full frame.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrameHeader {
    pub models: Vec<Model>,
    /// What the models read before each block.
    pub dictionary: Option<DictionaryHash>,
    /// Raw bytes of the frame, where the writer knew.
    pub raw: Option<u64>,
}

impl FrameHeader {
    /// The most that a header of these limits can be, in bytes: all models, and as many other fields.
    pub fn longest(limits: &Limits) -> u64 {
        64 + (limits.models as u64 + 64) * limits.field
    }

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
        if let Some(hash) = self.dictionary {
            put_varint(out, FIELD_DICTIONARY);
            put_varint(out, hash.len() as u64);
            out.extend(hash);
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
                FIELD_DICTIONARY => match value.try_into() {
                    Ok(hash) if out.dictionary.is_none() => out.dictionary = Some(hash),
                    Ok(_) => return Err(FormatError::Malformed { what: WHAT, found: "more than one dictionary" }),
                    Err(_) => {
                        return Err(FormatError::Malformed { what: WHAT, found: "a dictionary hash not of 32 bytes" });
                    }
                },
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
    /// The most that an index of so many blocks can be, in bytes.
    pub fn longest(blocks: u64) -> u64 {
        32 + 20 * blocks
    }

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

/// The last bytes of a full frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer {
    /// Bytes of the whole frame, this trailer included.
    pub frame: u64,
    /// Bytes of the index, which ends where this trailer begins.
    pub index: u64,
}

impl Trailer {
    pub fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend(self.frame.to_le_bytes());
        out.extend(self.index.to_le_bytes());
        let check = check32(&out[from..]);
        out.extend(check);
        out.extend(END);
    }

    pub fn read(input: &mut Input) -> Result<Self, FormatError> {
        const WHAT: &str = "trailer";
        let from = input.position();
        let frame = u64::from_le_bytes(input.array()?);
        let index = u64::from_le_bytes(input.array()?);
        input.check32(from, WHAT)?;
        if input.array::<4>()? != END {
            return Err(FormatError::Malformed { what: WHAT, found: "no end mark" });
        }
        Ok(Self { frame, index })
    }
}

/// A short frame's head: for small inputs, 10 bytes around the coded ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortFrame {
    pub method: Method,
    /// Of methods `Coded` and `Mixed`: the first four bytes of the hash of a dictionary that came before.
    pub dictionary: Option<[u8; 4]>,
    /// Raw bytes, below [`ShortFrame::LIMIT`].
    pub raw: u64,
    /// Coded bytes, which follow; the low 32 bits of the content check follow them.
    pub coded: u64,
}

impl ShortFrame {
    /// Short frames hold fewer raw bytes than this.
    pub const LIMIT: u64 = 1 << 16;
    /// The longest head, in bytes.
    pub const LONGEST: usize = 14;

    /// The model of method `Coded`: numbers 2 and 3 are PPM with these parameters.
    pub const MODEL: Model = Model::Ppm { order: crate::lm::ppm::ORDER, memory: crate::lm::ppm::MEMORY_LOG2 };

    /// How a short frame names a dictionary. Its content check tells whether it was the right one.
    pub fn name(hash: &DictionaryHash) -> [u8; 4] {
        [hash[0], hash[1], hash[2], hash[3]]
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(SHORT);
        out.push(SHORT_VERSION | VERSION);
        out.push(match (self.method, self.dictionary) {
            (Method::Stored, _) => 0,
            (Method::Fill, _) => 1,
            (Method::Coded, None) => 2,
            (Method::Coded, Some(_)) => 3,
            (Method::Mixed, None) => 4,
            (Method::Mixed, Some(_)) => 5,
        });
        if matches!(self.method, Method::Coded | Method::Mixed) {
            out.extend(self.dictionary.iter().flatten());
        }
        put_varint(out, self.raw);
        put_varint(out, self.coded);
    }

    /// The same as the head of a block: the one of its frame.
    pub fn into_head(self) -> BlockHead {
        let Self { method, raw, coded, .. } = self;
        let segments = match method {
            Method::Coded => vec![Segment { length: raw, model: Some(0) }],
            Method::Mixed => vec![Segment { length: raw, model: None }],
            Method::Stored | Method::Fill => Vec::new(),
        };
        BlockHead { last: true, method, raw, coded, segments }
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
        let (method, dictionary) = match input.byte()? {
            0 => (Method::Stored, None),
            1 => (Method::Fill, None),
            2 => (Method::Coded, None),
            3 => (Method::Coded, Some(input.array()?)),
            4 => (Method::Mixed, None),
            5 => (Method::Mixed, Some(input.array()?)),
            n => return Err(FormatError::Unknown { what: "model number", found: u64::from(n) }),
        };
        let (raw, coded) = (input.varint(WHAT)?, input.varint(WHAT)?);
        let fits = match method {
            Method::Stored => coded == raw,
            Method::Fill => coded == 1 && raw > 0,
            Method::Coded | Method::Mixed => coded <= raw.saturating_add(8),
        };
        if raw >= Self::LIMIT || !fits {
            return Err(FormatError::Malformed { what: WHAT, found: "lengths that cannot be" });
        }
        Ok(Self { method, dictionary, raw, coded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_frames_with_absurd_lengths_are_refused() {
        for (method, raw, coded) in [
            (Method::Stored, 10, 11),
            (Method::Stored, ShortFrame::LIMIT, ShortFrame::LIMIT),
            (Method::Fill, 0, 1),
            (Method::Fill, 5, 2),
            (Method::Coded, 10, 19),
            (Method::Coded, u64::MAX, u64::MAX),
            (Method::Coded, 10, u64::MAX),
        ] {
            let mut bytes = Vec::new();
            ShortFrame { method, dictionary: None, raw, coded }.write(&mut bytes);
            let found = ShortFrame::read(&mut Input::new(&bytes));
            assert!(matches!(found, Err(FormatError::Malformed { .. })), "{method:?} {raw} {coded}: {found:?}");
        }
    }

    #[test]
    fn fields_that_are_not_known() {
        let header = |kind: u64| {
            let mut bytes = [&MAGIC[..], &[VERSION]].concat();
            put_varint(&mut bytes, kind);
            bytes.extend([2, 7, 7, 0]);
            let check = check32(&bytes);
            bytes.extend(check);
            bytes
        };
        let read = |bytes: &[u8]| FrameHeader::read(&mut Input::new(bytes), &Limits::default());
        assert_eq!(read(&header(1000)), Ok(FrameHeader::default()), "an even type is skipped");
        assert!(matches!(read(&header(1001)), Err(FormatError::Unknown { found: 1001, .. })), "an odd one is refused");
        assert!(matches!(read(&header(FIELD_DICTIONARY)), Err(FormatError::Malformed { .. })), "not a hash");
    }
}
