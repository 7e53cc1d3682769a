//! Reading and writing the small parts of the format: integers, marks, checks.

use xxhash_rust::xxh64::xxh64;

use super::FormatError;

/// Appends an unsigned integer, seven bits a byte, low bits first, the top bit set on all but the
/// last.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The low 32 bits of XXH64, little-endian: the check of headers and indexes.
pub fn check32(bytes: &[u8]) -> [u8; 4] {
    (xxh64(bytes, 0) as u32).to_le_bytes()
}

/// The check of a block or short frame: XXH64 of the raw bytes, seeded with that of the coded ones,
/// so that it covers bits of the coded bytes that do not matter to the decoder as well.
pub fn content_check(raw: &[u8], coded: &[u8]) -> u64 {
    xxh64(raw, xxh64(coded, 0))
}

/// A place in bytes that are being read. Running past the end is [`FormatError::Incomplete`].
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    all: &'a [u8],
    at: usize,
    /// Bytes that must follow what is read next: what a part's own counts say.
    follows: usize,
    lacks: usize,
}

impl<'a> Input<'a> {
    pub fn new(all: &'a [u8]) -> Self {
        Self { all, at: 0, follows: 0, lacks: 0 }
    }

    /// How much has been read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// What has been read since a position.
    pub fn since(&self, position: usize) -> &'a [u8] {
        &self.all[position..self.at]
    }

    /// How many bytes more are needed at least, after something was [`FormatError::Incomplete`]. A
    /// reader that waits for as many, and no more, never waits for what is not part of the archive.
    pub fn lacks(&self) -> usize {
        self.lacks
    }

    /// Says that so many bytes at least follow what is read next.
    pub(super) fn followed_by(&mut self, n: u64) {
        self.follows = usize::try_from(n).unwrap_or(usize::MAX);
    }

    pub fn take(&mut self, n: usize) -> Result<&'a [u8], FormatError> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.all.len());
        let Some(end) = end else {
            self.lacks = (n - (self.all.len() - self.at)).saturating_add(self.follows);
            return Err(FormatError::Incomplete);
        };
        let out = &self.all[self.at..end];
        self.at = end;
        Ok(out)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        Ok(self.take(N)?.try_into().expect("take gives as many bytes as asked for"))
    }

    pub fn byte(&mut self) -> Result<u8, FormatError> {
        Ok(self.array::<1>()?[0])
    }

    /// An integer written by [`put_varint`]; a longer spelling of the same number is refused.
    pub fn varint(&mut self, what: &'static str) -> Result<u64, FormatError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(FormatError::Malformed {
            what,
            found: "an integer of more than 64 bits or in a longer form than needed",
        })
    }

    /// Four bytes that must be the check of everything since `from`.
    pub fn check32(&mut self, from: usize, what: &'static str) -> Result<(), FormatError> {
        self.follows = 0;
        let expected = check32(self.since(from));
        if self.array::<4>()? == expected { Ok(()) } else { Err(FormatError::BadCheck { what }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_survive(value: u64) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            prop_assert!(bytes.len() <= 10);
            prop_assert_eq!(Input::new(&bytes).varint("test").unwrap(), value);
            prop_assert!(matches!(Input::new(&bytes[..bytes.len() - 1]).varint("test"), Err(FormatError::Incomplete)));
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for bytes in [
            &[0x80, 0x00][..],
            &[0xff, 0x80, 0x00],
            &[0xff; 11],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
        ] {
            assert!(
                matches!(Input::new(bytes).varint("test"), Err(FormatError::Malformed { .. })),
                "{bytes:?}"
            );
        }
    }
}
