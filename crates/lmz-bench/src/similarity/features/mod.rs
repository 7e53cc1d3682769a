//! Texts as vectors in the feature spaces of compressors (Sculley and Brodley, DCC 2006).
//!
//! A compressor cuts a text into parts and writes a code for each. Its feature space has a
//! dimension for each part that there can be, and a text's vector has in it the bits that its codes
//! took. So the sum of a vector (its L1 norm) is the code length of the text, by a coder that is
//! defined here and written down plainly enough to be followed by hand:
//!
//! - LZW (Welch, 1984): the parts are phrases of a dictionary without a bound. The k-th code, from
//!   1 on, takes ceil(log2(255 + k)) bits.
//! - LZ77 (Ziv and Lempel, 1977): the parts are substrings that come again, and bytes. A code has a
//!   flag of 1 bit; then a byte has 8 bits, and a match of n >= 3 bytes has n - 2 in Elias' gamma
//!   code, and its distance in ceil(log2(d)) bits, where d is how far it can be.
//! - PPM (Cleary and Witten, 1984): the parts are symbols behind contexts, and escapes, and take
//!   -log2 of their probabilities. These are of method C (Moffat, 1990): of D different symbols
//!   that were seen T times behind a context, one that was seen c times has c / (T + D), and the
//!   escape to the next shorter context D / (T + D). Nothing is excluded. Behind the shortest, each
//!   byte has 1 / 256.

pub mod file;
mod lz;
mod ppm;

use std::collections::BTreeMap;

/// A dimension: something behind a context, which is empty where the space has none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dimension {
    /// Bytes before it.
    pub context: Vec<u8>,
    /// The bytes; nothing for the escape from a context.
    pub part: Option<Vec<u8>>,
}

/// Bits by dimension: all that are not 0.
pub type Vector = BTreeMap<Dimension, f64>;

/// A feature space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    Lzw,
    /// Matches begin at most so many bytes back.
    Lz77 {
        window: usize,
    },
    /// Contexts have up to so many bytes.
    Ppm {
        order: usize,
    },
}

impl Space {
    /// The vector of a text.
    pub fn vector(self, text: &[u8]) -> Vector {
        let mut vector = Vector::new();
        let mut add = |context: &[u8], part: Option<&[u8]>, bits: f64| {
            let dimension = Dimension { context: context.to_vec(), part: part.map(<[u8]>::to_vec) };
            *vector.entry(dimension).or_default() += bits;
        };
        match self {
            Self::Lzw => lz::lzw(text, |part, bits| add(b"", Some(part), f64::from(bits))),
            Self::Lz77 { window } => {
                lz::lz77(text, window, |part, _, bits| add(b"", Some(part), f64::from(bits)));
            }
            Self::Ppm { order } => ppm::ppm(text, order, add),
        }
        vector
    }
}

/// The sum of a vector: the code length of its text in bits.
pub fn norm(vector: &Vector) -> f64 {
    vector.values().sum()
}

/// The cosine of the angle between vectors: 1 in the same direction, 0 with nothing in common, or
/// if one of them is 0.
pub fn cosine(x: &Vector, y: &Vector) -> f64 {
    let square = |v: &Vector| v.values().map(|bits| bits * bits).sum::<f64>();
    let product: f64 =
        x.iter().filter_map(|(dimension, bits)| Some(bits * y.get(dimension)?)).sum();
    let length = (square(x) * square(y)).sqrt();
    if length > 0.0 { product / length } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACES: [Space; 3] =
        [Space::Lzw, Space::Lz77 { window: 1 << 15 }, Space::Ppm { order: 3 }];

    #[test]
    fn alike_texts_have_alike_vectors() {
        let of = |space: Space, text: &str| space.vector(text.repeat(3).as_bytes());
        for space in SPACES {
            let rain = of(space, "the rain in the plain falls mainly ");
            let again = of(space, "the plain has rain in the main ");
            let numbers = of(space, "0192 8374 6510 2938 4756 ");
            assert!((cosine(&rain, &rain) - 1.0).abs() < 1e-12);
            assert!(cosine(&rain, &again) > cosine(&rain, &numbers), "{space:?}");
            assert_eq!((norm(&of(space, "")), cosine(&rain, &of(space, ""))), (0.0, 0.0));
        }
    }

    #[test]
    fn what_repeats_is_short() {
        for space in SPACES {
            let once = norm(&space.vector(b"some words that nobody has said before "));
            let often = norm(&space.vector(&b"some words that nobody has said before ".repeat(9)));
            assert!(often < 6.0 * once, "{space:?}: {often} of {once}");
        }
    }
}
