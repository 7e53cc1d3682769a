//! How alike texts are: by how much shorter they become together than each by itself.
//!
//! With a = C(x), b = C(y) and c = C(xy), the code lengths of two texts and of one behind the
//! other, a + b - c is what they share, and every [`Measure`] is d = 1 - (a + b - c) / f. They
//! differ in what they hold the shared part against, f (Sculley and Brodley, DCC 2006):
//!
//! | measure | f | is also | by |
//! |---|---|---|---|
//! | [`Ncd`](Measure::Ncd) | max(a, b) | (c - min(a, b)) / max(a, b) | Cilibrasi, Vitanyi, 2005 |
//! | [`Cdm`](Measure::Cdm) | a + b | c / (a + b) | Keogh, Lonardi and Ratanamahatana, 2004 |
//! | [`Clm`](Measure::Clm) | c | 1 - (a - C(x given y)) / c | Chen, Li and others, 2004 |
//! | [`Cosine`](Measure::Cosine) | sqrt(a b) | | Sculley and Brodley, 2006 |
//!
//! An ideal compressor gives 0 (CDM: 0.5) for a text and itself, and 1 for two that share nothing.
//! How far a real one is from that, the distance of each text to itself tells
//! ([`Distances::get`] of the same number twice): a window that is too short for both texts shows
//! there.
//!
//! ```
//! use lmz::similarity::{Measure, code_lengths};
//! use lmz::{EncoderOptions, Predictor};
//!
//! let texts = [
//!     &b"the rain in the plain, the rain in spain"[..],
//!     b"the rain in the plain, and the rain again",
//!     b"0193 4756 2093 8475 6203 9487 5620 1938",
//! ];
//! let lengths = code_lengths(&texts, &EncoderOptions::new().predictor(Predictor::None))?;
//! let distances = lengths.distances(Measure::Ncd);
//! assert_eq!(distances.nearest(0), [1]);
//! assert!(distances.get(0, 0) < distances.get(0, 1) && distances.get(0, 1) < distances.get(0, 2));
//! # Ok::<(), lmz::Error>(())
//! ```

use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::exact::fpstate::exact;
use crate::options::EncoderOptions;
use crate::parallel;
use crate::score::code_length;

/// What a shared part is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Normalised compression distance: the longer one of the code lengths.
    Ncd,
    /// Compression-based dissimilarity measure: both code lengths. It lies between 0.5 and 1.
    Cdm,
    /// Chen-Li metric: the code length of both together.
    Clm,
    /// Cosine-like distance: the geometric mean of both code lengths.
    Cosine,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ncd, Self::Cdm, Self::Clm, Self::Cosine];

    /// `ncd`, `cdm`, `clm` or `cosine`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ncd => "ncd",
            Self::Cdm => "cdm",
            Self::Clm => "clm",
            Self::Cosine => "cosine",
        }
    }

    /// The distance of texts whose code lengths are `x` and `y`, and `both` together, in any unit.
    /// Texts of no length at all are at distance 0.
    pub fn distance(self, x: f64, y: f64, both: f64) -> f64 {
        let shared = x + y - both;
        let against = match self {
            Self::Ncd => x.max(y),
            Self::Cdm => x + y,
            Self::Clm => both,
            Self::Cosine => (x * y).sqrt(),
        };
        if against > 0.0 { 1.0 - shared / against } else { 0.0 }
    }
}

/// The code lengths of some texts and of all pairs of them.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeLengths {
    own: Vec<f64>,
    /// Of the first text with itself and all behind it, then of the second, and so on.
    both: Vec<f64>,
}

impl CodeLengths {
    /// Finds out the code lengths of `count` texts, so many at once: by `own` that of a text by its
    /// number, and by `both` that of two together, the first of which has no higher number than the
    /// second. Each is asked for once, so `count` times `own` and count (count + 1) / 2 times
    /// `both`, those of a text with itself among them.
    ///
    /// # Errors
    ///
    /// The first error of `own` or `both`. What has not begun then is left out.
    pub fn measure<E: Send>(
        count: usize,
        threads: usize,
        own: impl Fn(usize) -> Result<f64, E> + Sync,
        both: impl Fn(usize, usize) -> Result<f64, E> + Sync,
    ) -> Result<Self, E> {
        let singles: Vec<usize> = (0..count).collect();
        let pairs: Vec<(usize, usize)> =
            (0..count).flat_map(|x| (x..count).map(move |y| (x, y))).collect();
        Ok(Self {
            own: parallel::each(&singles, threads, |x| own(*x))?,
            both: parallel::each(&pairs, threads, |(x, y)| both(*x, *y))?,
        })
    }

    /// How many texts there are.
    pub fn count(&self) -> usize {
        self.own.len()
    }

    /// The code length of a text, by its number.
    pub fn own(&self, x: usize) -> f64 {
        self.own[x]
    }

    /// The code length of two texts together.
    pub fn both(&self, x: usize, y: usize) -> f64 {
        let (x, y) = (x.min(y), x.max(y));
        // Before the line of x there are those of all before it, each one shorter than the last.
        self.both[x * self.count() - x * x.saturating_sub(1) / 2 + (y - x)]
    }

    /// How far all texts are from each other.
    pub fn distances(&self, measure: Measure) -> Distances {
        let count = self.count();
        let each = (0..count).flat_map(|x| (0..count).map(move |y| (x, y)));
        let distance = |(x, y)| measure.distance(self.own(x), self.own(y), self.both(x, y));
        Distances { count, values: each.map(distance).collect() }
    }
}

/// How far some texts are from each other: a symmetric matrix, on whose diagonal stands how far
/// each is from itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Distances {
    count: usize,
    /// Row by row.
    values: Vec<f64>,
}

impl Distances {
    /// A matrix of `count` rows and columns, given row by row. Nothing comes out where the number
    /// of values is another one, or where they are not symmetric.
    pub fn new(count: usize, values: Vec<f64>) -> Option<Self> {
        let whole = count.checked_mul(count) == Some(values.len());
        let same = |x: usize, y: usize| values[x * count + y] == values[y * count + x];
        let symmetric = whole && (0..count).all(|x| (0..x).all(|y| same(x, y)));
        symmetric.then_some(Self { count, values })
    }

    /// How many texts there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How far a text is from another, or from itself.
    pub fn get(&self, x: usize, y: usize) -> f64 {
        self.values[x * self.count + y]
    }

    /// The distances of a text to all, itself among them.
    pub fn row(&self, x: usize) -> &[f64] {
        &self.values[x * self.count..][..self.count]
    }

    /// The texts that are nearest to one and not itself: several where they are equally near, none
    /// where there is no other.
    pub fn nearest(&self, x: usize) -> Vec<usize> {
        let others = || self.row(x).iter().enumerate().filter(|(y, _)| *y != x);
        let least = others().map(|(_, d)| *d).fold(f64::INFINITY, f64::min);
        others().filter(|(_, d)| **d <= least).map(|(y, _)| y).collect()
    }
}

/// The code lengths of texts and of all pairs, in bits, by what `options` predict with: C(xy) is
/// that of y behind x in one text ([`code_length`]). As many are coded at once as the options have
/// threads and the machine has processors, each by one thread; memory: so many times what
/// compressing both takes.
///
/// # Errors
///
/// Where [`code_length`] gives one.
pub fn code_lengths<T: AsRef<[u8]> + Sync>(
    texts: &[T],
    options: &EncoderOptions,
) -> Result<CodeLengths> {
    let (each, threads) = prepared(options)?;
    CodeLengths::measure(
        texts.len(),
        threads,
        |x| code_length(texts[x].as_ref(), &each),
        |x, y| code_length(&[texts[x].as_ref(), texts[y].as_ref()].concat(), &each),
    )
}

/// As [`code_lengths`], by conditional code lengths: C(xy) is taken to be the mean of C(x) + C(y
/// given x) and C(y) + C(x given y), where what is given is a dictionary. A language model reads
/// the last [`Dictionary::READ`] bytes of that.
///
/// # Errors
///
/// If a text cannot be a dictionary, since it is empty or too long, and where [`code_length`] gives
/// an error.
pub fn conditional_code_lengths<T: AsRef<[u8]> + Sync>(
    texts: &[T],
    options: &EncoderOptions,
) -> Result<CodeLengths> {
    let (each, threads) = prepared(options)?;
    let text = |x: usize| texts[x].as_ref();
    let dictionaries: Vec<Dictionary> =
        (0..texts.len()).map(|x| Dictionary::new(text(x))).collect::<Result<_>>()?;
    let own = (0..texts.len()).collect::<Vec<_>>();
    let own = exact(|_| parallel::each(&own, threads, |x| code_length(text(*x), &each)))?;
    let given = |x: usize, y: usize| {
        code_length(text(x), &each.clone().dictionary(dictionaries[y].clone()))
    };
    CodeLengths::measure(
        texts.len(),
        threads,
        |x| Ok(own[x]),
        |x, y| Ok(mean(own[x] + given(y, x)?, own[y] + given(x, y)?)),
    )
}

fn mean(x: f64, y: f64) -> f64 {
    (x + y) / 2.0
}

/// Options for single codings with the model loaded, and how many are at work at once.
fn prepared(options: &EncoderOptions) -> Result<(EncoderOptions, usize), Error> {
    options.check()?;
    let threads = parallel::at_once(options.threads);
    let each = options.clone().predictor(exact(|_| options.loaded())?).threads(1);
    Ok((each.memory(options.memory / threads as u64), threads))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each measure as its authors wrote it.
    #[test]
    fn measures_are_those_of_their_papers() {
        for (a, b, c) in [(10.0, 14.0, 15.0), (7.0, 7.0, 7.0), (3.0, 9.0, 12.0), (5.0, 4.0, 9.5)] {
            let (low, high) = (f64::min(a, b), f64::max(a, b));
            let given = c - b; // C(x given y)
            for (measure, expected) in [
                (Measure::Ncd, (c - low) / high),
                (Measure::Cdm, c / (a + b)),
                (Measure::Clm, 1.0 - (a - given) / c),
                (Measure::Cosine, 1.0 - (a + b - c) / f64::sqrt(a * b)),
            ] {
                let found = measure.distance(a, b, c);
                assert!((found - expected).abs() < 1e-12, "{measure:?}: {found}, {expected}");
                assert_eq!(found, measure.distance(b, a, c));
            }
        }
        assert_eq!(Measure::ALL.map(|m| m.distance(0.0, 0.0, 0.0)), [0.0; 4]);
        // A text and itself by an ideal compressor, and two that share nothing.
        assert_eq!(Measure::ALL.map(|m| m.distance(8.0, 8.0, 8.0)), [0.0, 0.5, 0.0, 0.0]);
        assert_eq!(Measure::ALL.map(|m| m.distance(8.0, 2.0, 10.0)), [1.0; 4]);
    }

    #[test]
    fn pairs_are_where_they_belong() {
        let lengths = CodeLengths::measure(
            5,
            3,
            |x| Ok::<_, ()>(x as f64),
            |x, y| if x <= y { Ok((10 * x + y) as f64) } else { Err(()) },
        );
        let lengths = lengths.unwrap();
        for x in 0..5 {
            assert_eq!(lengths.own(x), x as f64);
            for y in 0..5 {
                assert_eq!(lengths.both(x, y), (10 * x.min(y) + x.max(y)) as f64, "{x} {y}");
            }
        }
        assert_eq!(CodeLengths::measure(3, 2, |_| Err(7), |_, _| Ok(0.0)), Err(7));
        assert_eq!(CodeLengths::measure(0, 2, |_| Err(7), |_, _| Ok(0.0)).unwrap().count(), 0);
    }

    #[test]
    fn equally_near_texts_are_all_named() {
        let values = vec![0.0, 0.2, 0.2, 0.2, 0.0, 0.1, 0.2, 0.1, 0.0];
        let distances = Distances::new(3, values.clone()).unwrap();
        let nearest: Vec<_> = (0..3).map(|x| distances.nearest(x)).collect();
        assert_eq!(nearest, [vec![1, 2], vec![2], vec![1]]);
        assert!(Distances::new(1, vec![0.1]).unwrap().nearest(0).is_empty());
        assert_eq!(Distances::new(2, values), None);
        assert_eq!(Distances::new(2, vec![0.0, 1.0, 2.0, 0.0]), None);
    }
}
