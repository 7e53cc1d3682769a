//! What a header says of a device-bound model: all that its output depends on, and a hash by which
//! a decoder finds out whether its own output is the same.

use std::fmt;

use super::FormatError;
use super::bytes::{Input, put_varint};
use super::printable;

/// What ordinary floating-point kernels are, as far as a program can tell. The probe decides; this
/// is for the message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Numerics {
    /// The library that computes, with its version.
    pub backend: String,
    /// The kind of device, and what decides which of the kernels run there.
    pub device: String,
    /// The type of numbers that weights and activations are computed in.
    pub dtype: String,
}

impl fmt::Display for Numerics {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        // An archive says so.
        write!(
            f,
            "{}, {}, {}",
            printable(&self.backend),
            printable(&self.device),
            printable(&self.dtype)
        )
    }
}

/// A model that ordinary floating-point kernels compute.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceBoundEntry {
    /// BLAKE3 over configuration, vocabulary and tensors.
    pub identity: [u8; 32],
    /// How a hash of the frequencies begins that a fixed sequence of tokens gives in `batch` rows.
    pub probe: [u8; 16],
    /// Rows that every step computes. A block may have fewer streams.
    pub batch: u64,
    /// Tokens after which a stream begins anew with its last `keep`; 0: never.
    pub limit: u64,
    pub keep: u64,
    pub numerics: Numerics,
}

/// The most rows, and tokens of a context: far beyond what there is.
const MOST: u64 = 1 << 20;

const WHAT: &str = "entry of a device-bound model";

impl DeviceBoundEntry {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = [&self.identity[..], &self.probe].concat();
        for number in [self.batch, self.limit, self.keep] {
            put_varint(&mut out, number);
        }
        for text in [&self.numerics.backend, &self.numerics.device, &self.numerics.dtype] {
            put_varint(&mut out, text.len() as u64);
            out.extend(text.as_bytes());
        }
        out
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, FormatError> {
        let wrong = |found| FormatError::Malformed { what: WHAT, found };
        let mut input = Input::new(bytes);
        let short = |_| wrong("fewer bytes than it needs");
        let (identity, probe) = (input.array().map_err(short)?, input.array().map_err(short)?);
        let mut number = || input.varint(WHAT).map_err(short);
        let (batch, limit, keep) = (number()?, number()?, number()?);
        let mut text = || {
            let length = input.varint(WHAT).map_err(short)?;
            let bytes = input.take(usize::try_from(length).unwrap_or(usize::MAX)).map_err(short)?;
            String::from_utf8(bytes.to_vec()).map_err(|_| wrong("text that is not UTF-8"))
        };
        let numerics = Numerics { backend: text()?, device: text()?, dtype: text()? };
        if input.position() != bytes.len() {
            return Err(wrong("more bytes than it needs"));
        }
        // A stream must begin anew with something, and move on after it has; no model has more.
        let context =
            if limit == 0 { keep == 0 } else { limit <= MOST && (1..limit).contains(&keep) };
        if !context || !(1..=MOST).contains(&batch) {
            return Err(wrong("a context or batch that cannot be"));
        }
        Ok(Self { identity, probe, batch, limit, keep, numerics })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let numerics =
            Numerics { backend: "candle 0".into(), device: "cpu".into(), dtype: "f32".into() };
        let bound = DeviceBoundEntry {
            identity: [1; 32],
            probe: [2; 16],
            batch: 300,
            limit: 1024,
            keep: 512,
            numerics,
        };
        let bytes = bound.to_bytes();
        assert_eq!(DeviceBoundEntry::read(&bytes), Ok(bound.clone()));
        for end in 0..bytes.len() {
            assert!(
                matches!(DeviceBoundEntry::read(&bytes[..end]), Err(FormatError::Malformed { .. })),
                "{end}"
            );
        }
        assert!(DeviceBoundEntry::read(&[&bytes[..], &[0]].concat()).is_err());
        for (batch, limit, keep) in [(1, 0, 0), (1, 2, 1), (MOST, MOST, 1), (1, MOST, MOST - 1)] {
            let fits = DeviceBoundEntry { batch, limit, keep, ..bound.clone() };
            assert_eq!(DeviceBoundEntry::read(&fits.to_bytes()), Ok(fits));
        }
        let huge = u64::MAX;
        for (batch, limit, keep) in [
            (0, 8, 4),
            (1, 8, 8),
            (1, 8, 9),
            (1, 0, 1),
            (1, 8, 0),
            (1, 1, 0),
            (1, 1, 1),
            (MOST + 1, 8, 4),
            (huge, 8, 4),
            (1, MOST + 1, 4),
            (1, huge, 4),
            (1, huge, huge - 1),
        ] {
            let wrong = DeviceBoundEntry { batch, limit, keep, ..bound.clone() };
            assert!(DeviceBoundEntry::read(&wrong.to_bytes()).is_err(), "{batch} {limit} {keep}");
        }
    }
}
