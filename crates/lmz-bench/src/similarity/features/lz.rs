//! LZW and LZ77 as they cut texts.

use std::collections::{HashMap, HashSet};

/// Bits of a code of so many.
fn bits_of(codes: usize) -> u32 {
    codes.max(1).next_power_of_two().ilog2()
}

/// Tells each phrase of a text, and the bits of its code.
pub fn lzw<'a>(text: &'a [u8], mut each: impl FnMut(&'a [u8], u32)) {
    // Phrases of two bytes and more; single bytes are there from the beginning.
    let mut phrases: HashSet<&[u8]> = HashSet::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let mut length = 1;
        while length < rest.len() && phrases.contains(&rest[..=length]) {
            length += 1;
        }
        each(&rest[..length], bits_of(256 + phrases.len()));
        if length < rest.len() {
            phrases.insert(&rest[..=length]);
        }
        at += length;
    }
}

/// The shortest match.
pub const LEAST: usize = 3;
/// Places that are tried for each match, the last ones.
const TRIED: usize = 1 << 12;

/// Tells each part of a text, how far back it is found (0: a byte by itself), and the bits of its
/// code. Of the matches the longest is taken, and of equally long ones the nearest.
pub fn lz77<'a>(text: &'a [u8], window: usize, mut each: impl FnMut(&'a [u8], usize, u32)) {
    let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let far = at.min(window);
        let (mut length, mut distance) = (0, 0);
        let known = rest.get(..LEAST).and_then(|begin| places.get(begin));
        for place in known.into_iter().flatten().rev().take(TRIED) {
            if at - place > far {
                break;
            }
            let same = text[*place..].iter().zip(rest).take_while(|(a, b)| a == b).count();
            if same > length {
                (length, distance) = (same, at - place);
            }
        }
        if length < LEAST {
            (length, distance) = (1, 0);
        }
        let bits = match distance {
            0 => 1 + 8,
            _ => 1 + gamma(length - LEAST + 1) + bits_of(far),
        };
        each(&rest[..length], distance, bits);
        for place in at..at + length {
            if let Some(begin) = text.get(place..place + LEAST) {
                places.entry(begin).or_default().push(place);
            }
        }
        at += length;
    }
}

/// Bits of Elias' gamma code of a number from 1 on.
fn gamma(n: usize) -> u32 {
    2 * n.ilog2() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::similarity::features::{Space, norm};
    use proptest::prelude::*;

    /// Bits as they are written.
    #[derive(Default)]
    struct Bits(Vec<bool>);

    impl Bits {
        fn put(&mut self, n: usize, bits: u32) {
            (0..bits).rev().for_each(|shift| self.0.push(n >> shift & 1 == 1));
        }

        fn take(&mut self, bits: u32) -> usize {
            let rest = self.0.split_off(bits as usize);
            let taken = std::mem::replace(&mut self.0, rest);
            taken.iter().fold(0, |n, bit| n << 1 | usize::from(*bit))
        }
    }

    /// The codes of LZW, from parts alone.
    fn write_lzw(text: &[u8]) -> Bits {
        let mut numbers: HashMap<Vec<u8>, usize> =
            (0..=255u8).map(|b| (vec![b], b.into())).collect();
        let (mut out, mut parts) = (Bits::default(), Vec::new());
        lzw(text, |part, _| parts.push(part.to_vec()));
        for (number, part) in parts.iter().enumerate() {
            out.put(numbers[part], bits_of(256 + number));
            if let Some(next) = parts.get(number + 1) {
                let phrase = [&part[..], &next[..1]].concat();
                assert_eq!(numbers.insert(phrase, 256 + number), None, "a phrase is new");
            }
        }
        out
    }

    fn read_lzw(mut bits: Bits) -> Vec<u8> {
        let mut phrases: Vec<Vec<u8>> = (0..=255u8).map(|b| vec![b]).collect();
        let (mut out, mut codes) = (Vec::new(), 0);
        while !bits.0.is_empty() {
            let code = bits.take(bits_of(256 + codes));
            codes += 1;
            // The last phrase lacks its last byte, which is the first one of this.
            if codes > 1 {
                let first = phrases[code][0];
                phrases.last_mut().unwrap().push(first);
            }
            let part = phrases[code].clone();
            out.extend(&part);
            phrases.push(part);
        }
        out
    }

    /// The codes of LZ77.
    fn write_lz77(text: &[u8], window: usize) -> Bits {
        let (mut out, mut at) = (Bits::default(), 0);
        lz77(text, window, |part, distance, _| {
            out.put(usize::from(distance > 0), 1);
            if distance == 0 {
                out.put(part[0].into(), 8);
            } else {
                let n = part.len() - LEAST + 1;
                out.put(0, n.ilog2());
                out.put(n, n.ilog2() + 1);
                out.put(distance - 1, bits_of(at.min(window)));
            }
            at += part.len();
        });
        out
    }

    fn read_lz77(mut bits: Bits, window: usize) -> Vec<u8> {
        let mut out: Vec<u8> = Vec::new();
        while !bits.0.is_empty() {
            if bits.take(1) == 0 {
                out.push(bits.take(8) as u8);
                continue;
            }
            let mut more = 0;
            while bits.take(1) == 0 {
                more += 1;
            }
            let n = 1 << more | bits.take(more);
            let distance = bits.take(bits_of(out.len().min(window))) + 1;
            for _ in 0..n + LEAST - 1 {
                out.push(out[out.len() - distance]);
            }
        }
        out
    }

    proptest! {
        /// A vector's norm is the number of bits that such a coder writes, and these decode.
        #[test]
        fn norms_are_lengths_of_codes(
            text in prop::collection::vec(prop::sample::select(&b"abac "[..]), 0..600),
            window in 1usize..300,
        ) {
            let bits = write_lzw(&text);
            prop_assert_eq!(norm(&Space::Lzw.vector(&text)), bits.0.len() as f64);
            prop_assert_eq!(read_lzw(bits), text.clone());
            let bits = write_lz77(&text, window);
            prop_assert_eq!(norm(&Space::Lz77 { window }.vector(&text)), bits.0.len() as f64);
            prop_assert_eq!(read_lz77(bits, window), text);
        }
    }

    #[test]
    fn parts_by_hand() {
        let mut parts = Vec::new();
        lzw(b"ababab", |part, bits| parts.push((part.to_vec(), bits)));
        let expected = [(&b"a"[..], 8), (b"b", 9), (b"ab", 9), (b"ab", 9)];
        assert_eq!(parts, expected.map(|(part, bits)| (part.to_vec(), bits)));
        let mut parts = Vec::new();
        lz77(b"abcabcab", 100, |part, distance, bits| parts.push((part.to_vec(), distance, bits)));
        // Five bytes from three bytes back: 1, gamma of 3 (3 bits), and 2 bits for 3 distances.
        let expected = [(&b"a"[..], 0, 9), (b"b", 0, 9), (b"c", 0, 9), (b"abcab", 3, 1 + 3 + 2)];
        assert_eq!(parts, expected.map(|(part, d, bits)| (part.to_vec(), d, bits)));
    }
}
