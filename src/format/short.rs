//! Short frames: small content in ten bytes around the coded ones.

use super::bytes::{Input, put_varint};
use super::frame::{DictionaryHash, ModelRef};
use super::{BlockHead, FormatError, Layout, Method, Registered, VERSION};

/// Begins a short frame, with the version in the low bits of the third byte.
pub(super) const SHORT: [u8; 2] = [0xeb, b'L'];
pub(super) const SHORT_VERSION: u8 = 0x80;

/// From here on numbers stand for language models, two for each: without a dictionary and with one.
/// The first two are for models of RWKV-7 that have no number of their own.
const NUMBERED: u8 = 6;
/// The last two numbers are for transformers.
const TRANSFORMER: u8 = 254;

/// The longest context of PPM in short frames, in bytes.
pub const PPM_ORDER: u8 = 6;
/// The memory of PPM for contexts in short frames: 2^26 bytes.
pub const PPM_MEMORY: u8 = 26;

/// How a short frame names a language model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShortModel {
    /// By its number.
    Number(&'static Registered),
    /// By the first eight bytes of its identity.
    Begins([u8; 8]),
    /// A transformer by the first four bytes of its identity. (The content check tells whether it
    /// was the right one.)
    Transformer([u8; 4]),
}

impl ShortModel {
    /// The shortest name of a model.
    pub fn of(identity: &[u8; 32]) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = *identity;
        Registered::by_identity(identity)
            .map_or(Self::Begins([a, b, c, d, e, f, g, h]), Self::Number)
    }

    /// The name of a transformer.
    pub fn of_transformer(identity: &[u8; 32]) -> Self {
        Self::Transformer([identity[0], identity[1], identity[2], identity[3]])
    }

    /// The identity, or how it begins.
    pub fn identity(&self) -> &[u8] {
        match self {
            Self::Transformer(identity) => identity,
            Self::Number(registered) => &registered.identity,
            Self::Begins(identity) => identity,
        }
    }
}

/// A short frame's head: for small inputs, 10 bytes around the coded ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortFrame {
    pub method: Method,
    /// The model, where the method is `LmCm`.
    pub model: Option<ShortModel>,
    /// The first four bytes of the hash of a dictionary that came before, where the method is
    /// `Modelled`, `Cm` or `LmCm`.
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
    pub const LONGEST: usize = 22;
    /// Bytes, about, that it is shorter than a full frame of one block, whose header names a model.
    pub const SAVES: usize = 100;

    /// The model of method `Modelled`: numbers 2 and 3 are PPM with these parameters.
    pub const MODEL: ModelRef = ModelRef::Ppm { order: PPM_ORDER, memory: PPM_MEMORY };

    /// How a short frame names a dictionary. Its content check tells whether it was the right one.
    pub fn name(hash: &DictionaryHash) -> [u8; 4] {
        [hash[0], hash[1], hash[2], hash[3]]
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(SHORT);
        out.push(SHORT_VERSION | VERSION);
        let primed = u8::from(self.dictionary.is_some());
        match (self.method, self.model) {
            (Method::Stored, _) => out.push(0),
            (Method::Rle, _) => out.push(1),
            (Method::Modelled, _) => out.push(2 + primed),
            (Method::Cm, _) => out.push(4 + primed),
            (Method::LmCm, Some(ShortModel::Number(model))) => {
                out.push(NUMBERED + 2 * model.number + primed)
            }
            (Method::LmCm, Some(ShortModel::Begins(identity))) => {
                out.push(NUMBERED + primed);
                out.extend(identity);
            }
            (Method::LmCm, Some(ShortModel::Transformer(identity))) => {
                out.push(TRANSFORMER + primed);
                out.extend(identity);
            }
            (Method::LmCm, None) => unreachable!("an encoder names the model that it used"),
            (Method::DeviceLmCm | Method::DeviceLm, _) => {
                unreachable!("an encoder puts these into full frames")
            }
        }
        if !matches!(self.method, Method::Stored | Method::Rle) {
            out.extend(self.dictionary.iter().flatten());
        }
        put_varint(out, self.raw);
        put_varint(out, self.coded);
    }

    /// The models of the frame, as if it had a table of them.
    pub fn models(&self) -> Vec<ModelRef> {
        match (self.method, &self.model) {
            (Method::Modelled, _) => vec![Self::MODEL],
            (Method::LmCm, Some(model @ ShortModel::Transformer(_))) => {
                let identity = model.identity().to_vec();
                vec![ModelRef::Transformer { identity, context: 0 }]
            }
            (Method::LmCm, Some(model)) => {
                vec![ModelRef::Rwkv7 { identity: model.identity().to_vec() }]
            }
            _ => Vec::new(),
        }
    }

    /// The head as that of a block: the only one of its frame.
    pub fn into_head(self) -> BlockHead {
        let Self { method, raw, coded, .. } = self;
        let layout = match method {
            Method::Modelled | Method::LmCm => Layout::whole(raw, Some(0)),
            Method::Cm => Layout::whole(raw, None),
            Method::Stored | Method::Rle | Method::DeviceLmCm | Method::DeviceLm => {
                Layout::default()
            }
        };
        BlockHead { last: true, method, raw, coded, layout }
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
        let number = input.byte()?;
        let mut model = None;
        let method = match number {
            0 => Method::Stored,
            1 => Method::Rle,
            2 | 3 => Method::Modelled,
            4 | 5 => Method::Cm,
            TRANSFORMER.. => {
                model = Some(ShortModel::Transformer(input.array()?));
                Method::LmCm
            }
            _ => {
                model = Some(match (number - NUMBERED) / 2 {
                    0 => ShortModel::Begins(input.array()?),
                    found => match Registered::by_number(found) {
                        Some(registered) => ShortModel::Number(registered),
                        None => {
                            return Err(FormatError::Unknown {
                                what: "model number",
                                found: u64::from(found),
                            });
                        }
                    },
                });
                Method::LmCm
            }
        };
        let dictionary = if number > 1 && number % 2 == 1 { Some(input.array()?) } else { None };
        let (raw, coded) = (input.varint(WHAT)?, input.varint(WHAT)?);
        let fits = match method {
            Method::Stored => coded == raw,
            Method::Rle => coded == 1 && raw > 0,
            _ => coded <= raw.saturating_add(8),
        };
        let fits = fits && (method != Method::LmCm || (1..=method.most_raw(coded)).contains(&raw));
        if raw >= Self::LIMIT || !fits {
            return Err(FormatError::Malformed { what: WHAT, found: "lengths that cannot be" });
        }
        Ok(Self { method, model, dictionary, raw, coded })
    }
}

#[cfg(test)]
mod tests {
    use super::super::REGISTERED;
    use super::*;

    #[test]
    fn short_frames_with_absurd_lengths_are_refused() {
        for (method, raw, coded) in [
            (Method::Stored, 10, 11),
            (Method::Stored, ShortFrame::LIMIT, ShortFrame::LIMIT),
            (Method::Rle, 0, 1),
            (Method::Rle, 5, 2),
            (Method::Modelled, 10, 19),
            (Method::Modelled, u64::MAX, u64::MAX),
            (Method::Modelled, 10, u64::MAX),
            (Method::LmCm, 0, 0),
            (Method::LmCm, 10, 19),
            (Method::LmCm, 50_000, 1),
        ] {
            let model = (method == Method::LmCm).then(|| ShortModel::of(&REGISTERED[0].identity));
            let mut bytes = Vec::new();
            ShortFrame { method, model, dictionary: None, raw, coded }.write(&mut bytes);
            let found = ShortFrame::read(&mut Input::new(&bytes));
            assert!(
                matches!(found, Err(FormatError::Malformed { .. })),
                "{method:?} {raw} {coded}: {found:?}"
            );
        }
    }

    #[test]
    fn names_of_models() {
        let registered = REGISTERED[0].identity;
        let unknown = [7; 32];
        for dictionary in [None, Some([1, 2, 3, 4])] {
            let name = |identity: &[u8; 32]| {
                let model = Some(ShortModel::of(identity));
                let frame =
                    ShortFrame { method: Method::LmCm, model, dictionary, raw: 90, coded: 30 };
                let mut bytes = Vec::new();
                frame.write(&mut bytes);
                assert_eq!(ShortFrame::read(&mut Input::new(&bytes)), Ok(frame));
                assert!(bytes.len() <= ShortFrame::LONGEST);
                bytes.len()
            };
            let mut mixed = Vec::new();
            ShortFrame { method: Method::Cm, model: None, dictionary, raw: 90, coded: 30 }
                .write(&mut mixed);
            assert_eq!((name(&registered), name(&unknown)), (mixed.len(), mixed.len() + 8));
        }
        assert_eq!(ShortModel::of(&registered).identity(), registered);
        assert_eq!(ShortModel::of(&unknown).identity(), [7; 8]);
        let transformer = ShortModel::of_transformer(&unknown);
        for dictionary in [None, Some([1, 2, 3, 4])] {
            let (method, model) = (Method::LmCm, Some(transformer));
            let frame = ShortFrame { method, model, dictionary, raw: 90, coded: 30 };
            let mut bytes = Vec::new();
            frame.write(&mut bytes);
            assert_eq!(ShortFrame::read(&mut Input::new(&bytes)), Ok(frame));
        }
        // Numbers that are not given out yet.
        let bytes =
            [SHORT[0], SHORT[1], SHORT_VERSION | VERSION, NUMBERED + 2 * Registered::MOST, 1, 1, 0];
        assert!(matches!(
            ShortFrame::read(&mut Input::new(&bytes)),
            Err(FormatError::Unknown { found: 123, .. })
        ));
    }
}
