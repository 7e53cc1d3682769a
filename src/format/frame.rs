//! Frames: which kind begins; header, index and trailer of full frames.

use super::bytes::{Input, check32, put_varint};
use super::short::{SHORT, SHORT_VERSION};
use super::{DeviceBoundEntry, FormatError, HubName, Limits, VERSION, within};
use std::collections::BTreeMap;

/// Begins a full frame.
const MAGIC: [u8; 3] = [0xeb, b'L', b'Z'];
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
pub enum FrameKind {
    Full,
    Short,
    /// A skippable frame as in zstd, with the length of its content.
    Skippable(u64),
}

/// Tells which frame begins; reads nothing but the 3 to 8 bytes needed for that.
pub fn start(bytes: &[u8]) -> Result<FrameKind, FormatError> {
    if bytes.len() < 3 {
        // Too few to tell; but what cannot become a frame is not an archive that was cut.
        let begins = MAGIC.starts_with(bytes)
            || SHORT.starts_with(bytes)
            || matches!(bytes, [0x50..0x60] | [0x50..0x60, 0x2a]);
        return Err(if begins {
            FormatError::Incomplete
        } else {
            FormatError::NotAFrame { found: bytes.to_vec() }
        });
    }
    let mut input = Input::new(bytes);
    let [a, b, c] = input.array::<3>()?;
    if [a, b, c] == MAGIC {
        return Ok(FrameKind::Full);
    }
    if [a, b] == SHORT && c & 0xc0 == SHORT_VERSION {
        return Ok(FrameKind::Short);
    }
    if (0x50..0x60).contains(&a) && [b, c] == [0x2a, 0x4d] && input.byte()? == 0x18 {
        return Ok(FrameKind::Skippable(u64::from(u32::from_le_bytes(input.array()?))));
    }
    Err(FormatError::NotAFrame { found: bytes[..bytes.len().min(4)].to_vec() })
}

/// An entry of a frame's table of models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelRef {
    /// PPM with contexts of up to `order` bytes in 2^`memory` bytes.
    Ppm { order: u8, memory: u8 },
    /// An RWKV-7 model by the 32 bytes of its identity (docs/ARITHMETIC.md, section 7). A short
    /// frame may name it by the first 8 only.
    Rwkv7 { identity: Vec<u8> },
    /// A transformer that the exact engine computes, by the 32 bytes of its identity
    /// (docs/ARITHMETIC.md, section 2.7), and tokens of context; 0 stands for as many as
    /// it has by itself. A short frame names it by the first 4.
    Transformer { identity: Vec<u8>, context: u64 },
    /// A model that ordinary floating-point kernels compute.
    DeviceBound(DeviceBoundEntry),
}

/// Where models of a table were got, by their number.
pub type Origins = BTreeMap<usize, HubName>;

/// Field types. A reader refuses an odd type that it does not know and skips an even one.
const FIELD_END: u64 = 0;
const FIELD_MODEL: u64 = 1;
const FIELD_RAW: u64 = 2;
const FIELD_DICTIONARY: u64 = 3;
const FIELD_ORIGIN: u64 = 4;

const MODEL_PPM: u8 = 1;
const MODEL_RWKV7: u8 = 2;
const MODEL_BOUND: u8 = 3;
const MODEL_TRANSFORMER: u8 = 4;
/// Bytes of a model's identity.
const IDENTITY: usize = 32;

/// The header of a full frame.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrameHeader {
    pub models: Vec<ModelRef>,
    /// Where models of the table were got, by their number: a repository at a commit. A help to
    /// find them, nothing more; what a model is is its identity.
    pub origins: Origins,
    /// What the models read before each block.
    pub dictionary: Option<DictionaryHash>,
    /// Raw bytes of the frame, where the writer knew.
    pub raw: Option<u64>,
}

impl FrameHeader {
    /// The most that a header of these limits can be, in bytes: all models, and as many other
    /// fields.
    pub fn longest(limits: &Limits) -> u64 {
        (limits.models as u64).saturating_add(64).saturating_mul(limits.field).saturating_add(64)
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend(MAGIC);
        out.push(VERSION);
        for model in &self.models {
            let value = match model {
                ModelRef::Ppm { order, memory } => vec![MODEL_PPM, *order, *memory],
                ModelRef::Rwkv7 { identity } => [&[MODEL_RWKV7], &identity[..]].concat(),
                ModelRef::Transformer { identity, context } => {
                    let mut value = [&[MODEL_TRANSFORMER], &identity[..]].concat();
                    put_varint(&mut value, *context);
                    value
                }
                ModelRef::DeviceBound(bound) => [vec![MODEL_BOUND], bound.to_bytes()].concat(),
            };
            put_varint(out, FIELD_MODEL);
            put_varint(out, value.len() as u64);
            out.extend(value);
        }
        for (number, origin) in &self.origins {
            let mut value = Vec::new();
            put_varint(&mut value, *number as u64);
            value.extend(origin.to_string().bytes());
            put_varint(out, FIELD_ORIGIN);
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
                FIELD_MODEL => match value {
                    [MODEL_PPM, order, memory] => {
                        out.models.push(ModelRef::Ppm { order: *order, memory: *memory })
                    }
                    [MODEL_RWKV7, identity @ ..] if identity.len() == IDENTITY => {
                        out.models.push(ModelRef::Rwkv7 { identity: identity.to_vec() });
                    }
                    [MODEL_TRANSFORMER, rest @ ..] if rest.len() > IDENTITY => {
                        let mut input = Input::new(rest);
                        let identity = input.take(IDENTITY)?.to_vec();
                        let context = input.varint(WHAT)?;
                        if input.position() < rest.len() {
                            return Err(FormatError::Malformed {
                                what: WHAT,
                                found: "a model named by too many bytes",
                            });
                        }
                        out.models.push(ModelRef::Transformer { identity, context });
                    }
                    [MODEL_PPM | MODEL_RWKV7 | MODEL_TRANSFORMER, ..] => {
                        return Err(FormatError::Malformed {
                            what: WHAT,
                            found: "a model named by too few or many bytes",
                        });
                    }
                    [MODEL_BOUND, bound @ ..] => {
                        out.models.push(ModelRef::DeviceBound(DeviceBoundEntry::read(bound)?))
                    }
                    [kind, ..] => unknown = unknown.or(Some(("kind of model", u64::from(*kind)))),
                    [] => {
                        return Err(FormatError::Malformed {
                            what: WHAT,
                            found: "a model without a kind",
                        });
                    }
                },
                FIELD_RAW => {
                    let mut value = Input::new(value);
                    out.raw = Some(value.varint(WHAT)?);
                }
                FIELD_DICTIONARY => match value.try_into() {
                    Ok(hash) if out.dictionary.is_none() => out.dictionary = Some(hash),
                    Ok(_) => {
                        return Err(FormatError::Malformed {
                            what: WHAT,
                            found: "more than one dictionary",
                        });
                    }
                    Err(_) => {
                        return Err(FormatError::Malformed {
                            what: WHAT,
                            found: "a dictionary hash not of 32 bytes",
                        });
                    }
                },
                // What is no name of this kind is passed over, as all that is not known in a field
                // that may be.
                FIELD_ORIGIN => {
                    if let Some((number, origin)) = origin(value) {
                        out.origins.entry(number).or_insert(origin);
                    }
                }
                _ if kind % 2 == 1 => unknown = unknown.or(Some(("header field", kind))),
                _ => {}
            }
            within("models of a frame", out.models.len() as u64, limits.models as u64)?;
        }
        input.check32(from, WHAT)?;
        let models = out.models.len();
        out.origins.retain(|number, _| *number < models);
        // Only once the header is known to be whole is what it holds worth a message.
        match unknown {
            Some((what, found)) => Err(FormatError::Unknown { what, found }),
            None => Ok(out),
        }
    }
}

/// The number of a model and where it was got.
fn origin(value: &[u8]) -> Option<(usize, HubName)> {
    let mut input = Input::new(value);
    let number = usize::try_from(input.varint("origin").ok()?).ok()?;
    let text = std::str::from_utf8(&value[input.position()..]).ok()?;
    Some((number, HubName::parse(text).filter(|name| name.commit().is_some())?))
}

/// A block's entry in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Bytes of the block in the archive, from its sync mark to the end of its content check.
    pub bytes: u64,
    /// Raw bytes.
    pub raw: u64,
}

impl Entry {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, self.bytes);
        put_varint(out, self.raw);
    }
}

/// The index of a full frame: its blocks, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index(pub Vec<Entry>);

impl Index {
    /// The most that an index of so many blocks can be, in bytes.
    pub fn longest(blocks: u64) -> u64 {
        blocks.saturating_mul(20).saturating_add(32)
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        let mut entries = Vec::new();
        self.0.iter().for_each(|entry| entry.write(&mut entries));
        Self::write_entries(self.0.len() as u64, &entries, out);
    }

    /// Writes an index of so many entries, which have been [written](Entry::write) already.
    pub(crate) fn write_entries(count: u64, entries: &[u8], out: &mut Vec<u8>) {
        let from = out.len();
        out.extend(INDEX);
        put_varint(out, count);
        out.extend_from_slice(entries);
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
        for left in (0..count).rev() {
            input.followed_by(left.saturating_mul(2).saturating_add(4));
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(
            matches!(read(&header(1001)), Err(FormatError::Unknown { found: 1001, .. })),
            "an odd one is refused"
        );
        assert!(
            matches!(read(&header(FIELD_DICTIONARY)), Err(FormatError::Malformed { .. })),
            "not a hash"
        );
    }

    #[test]
    fn origins() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let name = |text: &str| HubName::parse(text).unwrap();
        let header = FrameHeader {
            models: vec![ModelRef::Rwkv7 { identity: vec![7; 32] }; 2],
            origins: BTreeMap::from([(1, name(&format!("hf:o/n@{commit}")))]),
            ..FrameHeader::default()
        };
        let read =
            |bytes: &[u8]| FrameHeader::read(&mut Input::new(bytes), &Limits::default()).unwrap();
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        assert_eq!(read(&bytes), header);
        // Not at a commit, of a model that is not there, no text, nothing: passed over. Of several
        // the first stays.
        let known = format!("hf:o/n@{commit}");
        for (value, origins) in [
            (vec![&b"\x01hf:o/n"[..]], 0),
            (vec![b"\x02", known.as_bytes()], 0),
            (vec![b"\x00hf:\xff"], 0),
            (vec![], 0),
            (vec![b"\x81\x00", known.as_bytes()], 0),
            (vec![b"\x00", known.as_bytes()], 1),
        ] {
            let value = value.concat();
            let model = [&[FIELD_MODEL as u8, 33, MODEL_RWKV7][..], &[7; 32]].concat();
            let field = [&[FIELD_ORIGIN as u8, value.len() as u8], &value[..]].concat();
            let mut bytes = [&MAGIC[..], &[VERSION], &field, &model, &field, &model, &[0]].concat();
            bytes.extend(check32(&bytes));
            assert_eq!(read(&bytes).origins.len(), origins, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn models() {
        let read = |value: &[u8]| {
            let mut bytes =
                [&MAGIC[..], &[VERSION, FIELD_MODEL as u8, value.len() as u8], value, &[0]]
                    .concat();
            let check = check32(&bytes);
            bytes.extend(check);
            FrameHeader::read(&mut Input::new(&bytes), &Limits::default())
                .map(|header| header.models)
        };
        let identity: Vec<u8> = (0..32).collect();
        let neural = [&[MODEL_RWKV7][..], &identity].concat();
        assert_eq!(read(&neural), Ok(vec![ModelRef::Rwkv7 { identity }]));
        assert_eq!(read(&[MODEL_PPM, 6, 26]), Ok(vec![ModelRef::Ppm { order: 6, memory: 26 }]));
        for wrong in [&[][..], &[MODEL_PPM, 6], &neural[..32], &[&neural[..], &[0]].concat()] {
            assert!(matches!(read(wrong), Err(FormatError::Malformed { .. })), "{wrong:?}");
        }
        let identity: Vec<u8> = (0..32).collect();
        let other = [&[MODEL_TRANSFORMER][..], &identity, &[0x80, 0x08]].concat();
        assert_eq!(read(&other), Ok(vec![ModelRef::Transformer { identity, context: 1024 }]));
        for wrong in [&other[..33], &[&other[..], &[0]].concat()] {
            assert!(matches!(read(wrong), Err(FormatError::Malformed { .. })), "{wrong:?}");
        }
        assert!(matches!(read(&[9, 1]), Err(FormatError::Unknown { found: 9, .. })));
    }
}
