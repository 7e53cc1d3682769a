//! What an ordinary codec would write: the continuation that it compresses best.
//!
//! A codec has no probabilities to draw from, but its lengths stand for some: 2^-C(text) is what a
//! text has of it. "Language Modeling Is Compression" (Deletang and others, 2024) draws bytes so,
//! one after the other: the next byte b has the probability 2^-C(text b), divided by the sum of
//! all. One byte more or less is mostly not to be seen in a length that is whole bytes, so here
//! several beginnings are followed at once (beam search), and those that compress best go on.

use lmz::parallel;

use super::{Ruler, RulerError};

/// How a continuation is looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// Beginnings that are followed at once; with 1 and temperature 1 bytes are drawn one after the
    /// other, as in the paper.
    pub beam: usize,
    /// How much chance decides: what Gumbel noise is multiplied by, in the units of -ln 2^-C. With
    /// 0 it decides only between what is equally long.
    pub temperature: f64,
    pub seed: u64,
    /// Bytes of the text before that the codec sees, at most.
    pub window: usize,
}

/// A beginning: what it adds, and how good it is.
#[derive(Clone)]
struct Beginning {
    added: Vec<u8>,
    score: f64,
}

/// Goes on with a text for so many bytes, which all occur in it. `done` is called after each byte.
pub fn continuation(
    ruler: &Ruler,
    text: &[u8],
    bytes: usize,
    search: &Search,
    done: impl Fn(),
) -> Result<Vec<u8>, RulerError> {
    let seen = &text[text.len().saturating_sub(search.window)..];
    let mut alphabet: Vec<u8> = seen.to_vec();
    alphabet.sort_unstable();
    alphabet.dedup();
    if alphabet.is_empty() {
        return Ok(Vec::new());
    }
    let mut random = Noise(search.seed);
    let mut beam = vec![Beginning { added: Vec::new(), score: 0.0 }];
    for _ in 0..bytes {
        let candidates: Vec<Vec<u8>> = beam
            .iter()
            .flat_map(|beginning| {
                alphabet.iter().map(|byte| [&beginning.added[..], &[*byte]].concat())
            })
            .collect();
        let lengths = parallel::each(&candidates, ruler.threads(), |added| {
            let all = [seen, added].concat();
            ruler.length(&all[all.len().saturating_sub(search.window)..])
        })?;
        let mut next: Vec<Beginning> = candidates
            .into_iter()
            .zip(lengths)
            .map(|(added, length)| {
                // Chance between equal ones is far less than a byte's difference.
                let noise = random.gumbel() * search.temperature.max(1e-6);
                Beginning { added, score: noise - length * std::f64::consts::LN_2 }
            })
            .collect();
        next.sort_by(|a, b| b.score.total_cmp(&a.score));
        next.truncate(search.beam.max(1));
        beam = next;
        done();
    }
    Ok(beam.into_iter().next().map_or_else(Vec::new, |best| best.added))
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Of Gumbel's distribution: the largest of scores with such noise is drawn with the
    /// probabilities whose logarithms the scores are.
    fn gumbel(&mut self) -> f64 {
        let uniform = ((self.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        -(-uniform.ln()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_is_gone_on_with() {
        let text = b"one two three four five six seven. ".repeat(6);
        let cut = text.len() - 20;
        let search = Search { beam: 8, temperature: 0.0, seed: 1, window: 4096 };
        for codec in ["gzip-9", "xz-9e"] {
            let ruler = Ruler::new(codec, 2, None).unwrap();
            let found = continuation(&ruler, &text[..cut], 12, &search, || ()).unwrap();
            assert_eq!(found.len(), 12);
            assert_eq!(&found[..10], &text[cut..cut + 10], "{codec}");
            let again = continuation(&ruler, &text[..cut], 12, &search, || ()).unwrap();
            assert_eq!(found, again);
        }
        let ruler = Ruler::new("gzip-9", 1, None).unwrap();
        assert_eq!(continuation(&ruler, b"", 5, &search, || ()).unwrap(), b"");
        assert_eq!(continuation(&ruler, b"x", 3, &search, || ()).unwrap(), b"xxx");
    }

    #[test]
    fn noise_draws_by_scores() {
        let mut random = Noise(3);
        let scores = [0.5f64, 0.3, 0.2].map(f64::ln);
        let mut counts = [0; 3];
        for _ in 0..20_000 {
            let noisy = scores.map(|score| score + random.gumbel());
            let best = (0..3).max_by(|a, b| noisy[*a].total_cmp(&noisy[*b])).unwrap();
            counts[best] += 1;
        }
        for (count, expected) in counts.iter().zip([10_000, 6000, 4000]) {
            assert!(i32::abs(count - expected) < 300, "{counts:?}");
        }
    }
}
