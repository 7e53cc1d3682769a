//! PPM as it cuts texts: symbols behind contexts, and escapes.

use std::collections::HashMap;

/// What was seen behind a context.
#[derive(Default)]
struct Seen {
    counts: HashMap<u8, u32>,
    total: u32,
}

/// The contexts of a text so far.
struct Contexts<'a> {
    order: usize,
    seen: HashMap<&'a [u8], Seen>,
}

impl<'a> Contexts<'a> {
    /// Tells the decisions that code a symbol behind a text: each context from the longest on that
    /// was seen, with the symbol or (nothing) an escape, and the probability.
    fn decide(
        &self,
        before: &'a [u8],
        symbol: u8,
        mut each: impl FnMut(&'a [u8], Option<u8>, f64),
    ) {
        for length in (0..=self.order.min(before.len())).rev() {
            let context = &before[before.len() - length..];
            let Some(seen) = self.seen.get(context) else { continue };
            let all = f64::from(seen.total) + seen.counts.len() as f64;
            if let Some(count) = seen.counts.get(&symbol) {
                return each(context, Some(symbol), f64::from(*count) / all);
            }
            each(context, None, seen.counts.len() as f64 / all);
        }
        each(b"", Some(symbol), 1.0 / 256.0);
    }

    fn learn(&mut self, before: &'a [u8], symbol: u8) {
        for length in 0..=self.order.min(before.len()) {
            let seen = self.seen.entry(&before[before.len() - length..]).or_default();
            *seen.counts.entry(symbol).or_default() += 1;
            seen.total += 1;
        }
    }
}

/// Tells each context and what was coded behind it (nothing: the escape), with its bits.
pub fn ppm(text: &[u8], order: usize, mut each: impl FnMut(&[u8], Option<&[u8]>, f64)) {
    let mut contexts = Contexts { order, seen: HashMap::new() };
    for (at, symbol) in text.iter().enumerate() {
        let before = &text[..at];
        contexts.decide(before, *symbol, |context, coded, p| {
            each(context, coded.as_ref().map(std::slice::from_ref), -p.log2());
        });
        contexts.learn(before, *symbol);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::similarity::features::{Space, norm};

    /// At every place the code lengths of all symbols are those of a code: by Kraft's inequality,
    /// as an arithmetic coder needs it. The norm is the sum of those of the text's symbols.
    #[test]
    fn norms_are_lengths_of_codes() {
        let text = b"abracadabra, said the bar, and abracadabra again";
        for order in [0, 1, 2, 5] {
            let mut contexts = Contexts { order, seen: HashMap::new() };
            let mut sum = 0.0;
            for (at, symbol) in text.iter().enumerate() {
                let before = &text[..at];
                let p = |symbol: u8| {
                    let mut p = 1.0;
                    contexts.decide(before, symbol, |_, _, part| p *= part);
                    p
                };
                let all: f64 = (0..=255).map(p).sum();
                assert!(all <= 1.0 + 1e-9 && all > 0.2, "{order}, at {at}: {all}");
                sum -= p(*symbol).log2();
                contexts.learn(before, *symbol);
            }
            let found = norm(&Space::Ppm { order }.vector(text));
            assert!((found - sum).abs() < 1e-9, "{order}: {found} and {sum}");
        }
    }

    #[test]
    fn decisions_by_hand() {
        let mut found = Vec::new();
        ppm(b"aab", 1, |context, coded, bits| {
            found.push((context.to_vec(), coded.map(<[u8]>::to_vec), bits));
        });
        let one = |context: &[u8], coded: Option<&[u8]>, p: f64| {
            (context.to_vec(), coded.map(<[u8]>::to_vec), -p.log2())
        };
        assert_eq!(
            found,
            [
                one(b"", Some(b"a"), 1.0 / 256.0), // nothing is known
                one(b"", Some(b"a"), 1.0 / 2.0),   // a context of one byte was not seen yet
                one(b"a", None, 1.0 / 2.0),
                one(b"", None, 1.0 / 3.0),
                one(b"", Some(b"b"), 1.0 / 256.0),
            ]
        );
    }
}
