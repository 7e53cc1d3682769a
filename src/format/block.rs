//! Block heads: what stands before a block's coded bytes.

use super::bytes::{Input, check32, put_varint};
use super::{FormatError, Layout, Limits, within};

/// Begins every block, so that a damaged archive can be searched for the next one.
pub const SYNC: [u8; 4] = [0xc3, b'B', b'L', b'K'];

/// How a block's bytes are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// As they are.
    Stored,
    /// All bytes are the same; the coded bytes are that one byte.
    Rle,
    /// Range-coded decisions of the models that the segments name (codec number 2).
    Modelled,
    /// Range-coded bits of bytes, predicted by context mixing (codec number 3).
    Cm,
    /// Range-coded decisions of tokens, predicted by a language model and context mixing together
    /// (codec number 4).
    LmCm,
    /// As `LmCm` with a device-bound model: segmented by its own tokenizer, with bits that check
    /// its frequencies (codec number 5).
    DeviceLmCm,
    /// What a device-bound model alone makes of a block, with such bits too (codec number 6).
    DeviceLm,
}

impl Method {
    fn number(self) -> u64 {
        match self {
            Method::Stored => 0,
            Method::Rle => 1,
            Method::Modelled => 2,
            Method::Cm => 3,
            Method::LmCm => 4,
            Method::DeviceLmCm => 5,
            Method::DeviceLm => 6,
        }
    }

    fn from_number(found: u64) -> Result<Self, FormatError> {
        match found {
            0 => Ok(Method::Stored),
            1 => Ok(Method::Rle),
            2 => Ok(Method::Modelled),
            3 => Ok(Method::Cm),
            4 => Ok(Method::LmCm),
            5 => Ok(Method::DeviceLmCm),
            6 => Ok(Method::DeviceLm),
            _ => Err(FormatError::Unknown { what: "codec number", found }),
        }
    }

    /// All methods, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Stored,
        Self::Rle,
        Self::Modelled,
        Self::Cm,
        Self::LmCm,
        Self::DeviceLmCm,
        Self::DeviceLm,
    ];

    /// What the method is called, in one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Rle => "fill",
            Self::Modelled => "coded",
            Self::Cm => "mixed",
            Self::LmCm => "joint",
            Self::DeviceLmCm => "bound",
            Self::DeviceLm => "boundalone",
        }
    }

    /// Whether a device-bound model predicts.
    pub fn is_device_bound(self) -> bool {
        matches!(self, Self::DeviceLmCm | Self::DeviceLm)
    }

    /// The most raw bytes that a block of so many coded bytes may claim. A few bytes must not be
    /// able to ask for minutes of work, and what shrinks by so much needs no language model: an
    /// encoder then uses another method.
    pub(crate) fn most_raw(self, coded: u64) -> u64 {
        let each = match self {
            Method::Stored | Method::Rle => return u64::MAX,
            // A byte costs eight decisions, each at least 2.2e-5 bits.
            Method::Modelled | Method::Cm => 1 << 16,
            Method::LmCm | Method::DeviceLmCm | Method::DeviceLm => 1 << 12,
        };
        // The range coder leaves bytes out at the end.
        coded.saturating_add(8).saturating_mul(each)
    }
}

/// What a block says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockHead {
    pub last: bool,
    pub method: Method,
    /// Raw bytes.
    pub raw: u64,
    /// Coded bytes, which follow the head; the content check of 8 bytes follows them.
    pub coded: u64,
    /// Segments whose lengths sum to `raw`, and streams; empty where the method is `Stored` or
    /// `Rle`.
    pub layout: Layout,
}

impl BlockHead {
    /// The most that a head of these limits can be, in bytes.
    pub fn longest(limits: &Limits) -> u64 {
        limits.segments.saturating_mul(15).saturating_add(64)
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend(SYNC);
        out.push(u8::from(self.last));
        put_varint(out, self.method.number());
        put_varint(out, 0); // transform
        put_varint(out, 0); // dependency
        put_varint(out, self.raw);
        put_varint(out, self.coded);
        self.layout.write(out);
        let check = check32(&out[from..]);
        out.extend(check);
    }

    /// Reads a head. `models`: how many the frame's table has.
    pub fn read(input: &mut Input, models: usize, limits: &Limits) -> Result<Self, FormatError> {
        const WHAT: &str = "block head";
        let from = input.position();
        if input.array::<4>()? != SYNC {
            return Err(FormatError::Malformed { what: WHAT, found: "no sync mark" });
        }
        let flags = input.byte()?;
        let method = input.varint(WHAT)?;
        let transform = input.varint(WHAT)?;
        let dependency = input.varint(WHAT)?;
        let raw = input.varint(WHAT)?;
        let coded = input.varint(WHAT)?;
        let layout = Layout::parse(input, limits)?;
        // Nothing is believed before the check: a damaged length must not be an allocation.
        input.check32(from, WHAT)?;
        for (what, found) in [
            ("transform", transform),
            ("dependency", dependency),
            ("block flag", u64::from(flags >> 1)),
        ] {
            if found != 0 {
                return Err(FormatError::Unknown { what, found });
            }
        }
        let head =
            Self { last: flags & 1 == 1, method: Method::from_number(method)?, raw, coded, layout };
        head.validate(models, limits)?;
        Ok(head)
    }

    /// Whether some segment has a model, and all that do the same.
    fn one_model(&self) -> bool {
        let mut models = self.layout.segments.iter().filter_map(|s| s.model);
        models.next().is_some_and(|first| models.all(|m| m == first))
    }

    /// How many streams of a language model a block of so many bytes may have: each has a state of
    /// some hundred kilobytes, which a block of a few bytes must not be able to ask for a thousand
    /// times.
    pub(crate) fn most_streams(raw: u64) -> u64 {
        64 + raw / 4096
    }

    fn validate(&self, models: usize, limits: &Limits) -> Result<(), FormatError> {
        let wrong = |found| Err(FormatError::Malformed { what: "block head", found });
        within("bytes of a block", self.raw, limits.block)?;
        match self.method {
            Method::Stored if self.coded != self.raw => {
                return wrong("a stored block whose lengths differ");
            }
            Method::Rle if self.coded != 1 || self.raw == 0 => {
                return wrong("a fill block without its one byte");
            }
            Method::Stored | Method::Rle if self.layout != Layout::default() => {
                return wrong("segments where none belong");
            }
            Method::Stored | Method::Rle => return Ok(()),
            _ => self.layout.validate(self.raw, models, limits)?,
        }
        let segments = &self.layout.segments;
        match self.method {
            Method::Cm if segments.iter().any(|s| s.model.is_some()) => {
                wrong("a model where context models work alone")
            }
            Method::LmCm | Method::DeviceLmCm | Method::DeviceLm
                if segments.iter().any(|s| s.length == 0) =>
            {
                wrong("a segment without bytes")
            }
            Method::LmCm | Method::DeviceLmCm | Method::DeviceLm if !self.one_model() => {
                wrong("segments that do not have one model in common")
            }
            Method::DeviceLm if segments.iter().any(|s| s.model.is_none()) => {
                wrong("a segment without a model where nothing else predicts")
            }
            Method::LmCm | Method::DeviceLmCm | Method::DeviceLm
                if self.layout.streams > Self::most_streams(self.raw) =>
            {
                wrong("too many streams for so few bytes")
            }
            _ if self.coded > self.raw.saturating_add(1024) => {
                wrong("coded bytes that are longer than the raw ones")
            }
            _ if self.raw > self.method.most_raw(self.coded) => {
                wrong("more bytes than its coded length can stand for")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Segment;
    use super::*;

    /// Lengths near 2^64 with a good check once overflowed in the plausibility tests.
    #[test]
    fn absurd_lengths_are_refused() {
        for method in [Method::Stored, Method::Rle, Method::Modelled, Method::LmCm] {
            for (raw, coded) in [(10, u64::MAX), (u64::MAX, u64::MAX), (u64::MAX, 1), (1 << 30, 20)]
            {
                let coded_by_models = matches!(method, Method::Modelled | Method::LmCm);
                let layout =
                    if coded_by_models { Layout::whole(raw, Some(0)) } else { Layout::default() };
                let mut bytes = Vec::new();
                BlockHead { last: true, method, raw, coded, layout }.write(&mut bytes);
                let limits = Limits { block: u64::MAX, ..Limits::default() };
                let found = BlockHead::read(&mut Input::new(&bytes), 1, &limits);
                let fits = method == Method::Rle && coded == 1
                    || method == Method::Stored && raw == coded
                    || coded_by_models && (raw, coded) == (u64::MAX, u64::MAX);
                assert!(found.is_err() != fits, "{method:?} {raw} {coded}: {found:?}");
                assert!(BlockHead::read(&mut Input::new(&bytes), 1, &Limits::default()).is_err());
            }
        }
    }

    #[test]
    fn streams_of_a_language_model() {
        let of = |segments: &[(u64, Option<usize>)], streams, coded| {
            let segments: Vec<_> = segments
                .iter()
                .map(|(length, model)| Segment { length: *length, model: *model })
                .collect();
            let raw = segments.iter().map(|s| s.length).sum();
            let layout = Layout { segments, streams, stripe: 1 };
            let mut bytes = Vec::new();
            BlockHead { last: true, method: Method::LmCm, raw, coded, layout }.write(&mut bytes);
            BlockHead::read(&mut Input::new(&bytes), 2, &Limits::default())
        };
        let read = |segments: &[(u64, Option<usize>)], coded| of(segments, 1, coded);
        assert!(read(&[(10, Some(0)), (5, Some(0))], 9).is_ok());
        assert!(read(&[(10, Some(1))], 9).is_ok());
        assert!(read(&[(10, None), (5, Some(1)), (1, None), (1, None), (2, Some(1))], 9).is_ok());
        for wrong in [
            &[(10, Some(0)), (5, Some(1))][..],
            &[(10, None)],
            &[(10, None), (5, None)],
            &[(10, Some(0)), (5, None), (3, Some(1))],
            &[(10, Some(0)), (0, Some(0))],
            &[(10, Some(0)), (0, None)],
        ] {
            assert!(read(wrong, 9).is_err(), "{wrong:?}");
        }
        assert!(
            of(&[(6500, Some(0))], 65, 5000).is_ok() && of(&[(6500, Some(0))], 66, 5000).is_err()
        );
        assert!(read(&[(100, None); 1000], 5000).is_err());
        // 16 coded bytes, and the 8 that may have been left out.
        assert!(read(&[(24 << 12, Some(0))], 16).is_ok());
        assert!(read(&[((24 << 12) + 1, Some(0))], 16).is_err());
    }
}
