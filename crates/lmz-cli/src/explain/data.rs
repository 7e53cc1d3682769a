//! The numbers of a page, packed for its script: a string of base64 that holds LEB128 numbers and
//! length-prefixed UTF-8.
//!
//! In order: how many strings there are, and each (tokens that are guessed); how many escapes, and
//! the distance of each from the one before; how many cells, and of each what [`pack`] writes.
//! `page.js` reads the same.

use std::collections::HashMap;

use lmz::vocab::{Token, Vocabulary};

use super::cells::{Cell, Shown, visible};

/// Costs are in hundredths of a bit.
fn hundredths(bits: f64) -> u64 {
    (bits * 100.0).round() as u64
}

#[derive(Default)]
struct Numbers(Vec<u8>);

impl Numbers {
    fn put(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    fn string(&mut self, text: &str) {
        self.put(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// Packs what is shown. Guesses are numbered by how often they are made, so that most take one
/// byte.
pub fn pack(shown: &Shown, vocabulary: &Vocabulary) -> String {
    let mut counts: HashMap<Token, u64> = HashMap::new();
    for (token, _) in shown.cells.iter().flat_map(told) {
        *counts.entry(token).or_default() += 1;
    }
    let mut tokens: Vec<(Token, u64)> = counts.into_iter().collect();
    tokens.sort_unstable_by_key(|(token, count)| (u64::MAX - count, *token));
    let numbers: HashMap<Token, u64> =
        tokens.iter().zip(0..).map(|((token, _), number)| (*token, number)).collect();

    let mut out = Numbers::default();
    out.put(tokens.len() as u64);
    for (token, _) in &tokens {
        out.string(&visible(vocabulary.token(*token)));
    }
    out.put(shown.escapes.len() as u64);
    let mut before = 0;
    for escape in &shown.escapes {
        out.put((escape - before) as u64);
        before = *escape;
    }
    out.put(shown.cells.len() as u64);
    for cell in &shown.cells {
        out.put(cell.units as u64);
        out.put(cell.range.len() as u64);
        out.put(cell.tokens as u64);
        out.put(hundredths(cell.bits));
        // 0 stands for nothing.
        out.put(cell.model.map_or(0, |bits| hundredths(bits) + 1));
        out.put(cell.contexts.map_or(0, |bits| hundredths(bits) + 1));
        if cell.model.is_some() {
            out.put(told(cell).count() as u64);
            for (token, permille) in told(cell) {
                out.put(numbers[&token]);
                out.put(permille);
            }
        }
    }
    base64(&out.0)
}

/// The guesses that are shown, with their probabilities in thousandths: those of 1% and more.
fn told(cell: &Cell) -> impl Iterator<Item = (Token, u64)> {
    cell.guesses
        .iter()
        .map(|(token, p)| (*token, (f64::from(*p) * 1000.0).round() as u64))
        .filter(|(_, p)| *p >= 10)
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word = three
            .iter()
            .zip([16, 8, 0])
            .fold(0, |word, (byte, shift)| word | usize::from(*byte) << shift);
        for (i, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let digit = if i <= three.len() { DIGITS[word >> shift & 63] } else { b'=' };
            out.push(char::from(digit));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
        ];
        for (text, expected) in cases {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    #[test]
    fn cells_are_packed() {
        let cell = Cell {
            range: 0..3,
            units: 3,
            tokens: 1,
            bits: 1.5,
            model: Some(2.0),
            contexts: None,
            guesses: vec![(65, 0.5), (60, 0.25), (66, 0.001)],
        };
        let shown = Shown { rows: Vec::new(), cells: vec![cell], escapes: vec![1, 2] };
        let expected = [
            2, 1, b'<', 1, b'A', // strings
            2, 1, 1, // escapes
            1, 3, 3, 1, 0x96, 1, 0xc9, 1, 0, // cell: 150 and 201 hundredths
            2, 1, 0xf4, 3, 0, 0xfa, 1, // guesses: 500 and 250 thousandths
        ];
        assert_eq!(pack(&shown, Vocabulary::bytes()), base64(&expected));
    }
}
