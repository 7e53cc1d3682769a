//! From a token's distribution to binary decisions.
//!
//! Comes in: the prefix sums of a model's frequencies and, when encoding, a token. Goes out: the
//! token, decided bit by bit on the way down the byte trie. At a node that is itself a token and
//! has longer ones below it, first "does it end here?", then the eight bits of the next byte.
//!
//! How a decision is coded is another's business ([`Decide`]): by the model's own masses, as in
//! codec 2 ([`token`]), or mixed with what context models say, as in codec 4.

use super::range::Coder;
use super::scheduler::Reading;
use crate::error::CodecError;
use crate::vocab::{Node, START, Token, Vocabulary};

/// The probability of a part of `total`, in units of 2^-16, neither 0 nor 1.
#[inline(always)]
pub fn ratio(part: u64, total: u64) -> u16 {
    ((part << 16) / total).clamp(1, 65535) as u16
}

/// Where in the trie a decision is.
pub struct At {
    /// The number of the node; 0 is the root.
    pub number: u32,
    /// Bytes of the token that are known.
    pub depth: usize,
}

/// Codes the decisions of a token. When encoding, `known` is the outcome; a decoder ignores it.
pub trait Decide {
    /// Whether the token ends at a node: the mass of the tokens that do, and that of longer ones.
    fn end(&mut self, known: bool, at: &At, own: u64, deeper: u64) -> Result<bool, CodecError>;

    /// A bit of the byte behind a node: the masses of both outcomes.
    fn bit(&mut self, known: bool, at: &At, zero: u64, one: u64) -> Result<bool, CodecError>;
}

/// The first child whose byte has a 1 at `shift`; all before it have a 0 there.
#[inline(always)]
fn first_one(children: &[(u8, u32)], shift: u32) -> usize {
    let zero = |c: &(u8, u32)| (c.0 >> shift) & 1 == 0;
    // Where all bytes are children it is the middle: one look instead of a search.
    let middle = children.len() / 2;
    if middle > 0 && zero(&children[middle - 1]) && !zero(&children[middle]) {
        return middle;
    }
    children.partition_point(zero)
}

/// A token to be coded.
pub struct Walk<'a> {
    vocabulary: &'a Vocabulary,
    /// Prefix sums `[V + 1]` of the frequencies of tokens sorted by bytes, the total below 2^48.
    sums: &'a [u64],
    /// The token before.
    pub before: Token,
    /// The bytes that cannot come first, a bit for each: in greedy segmentation, those that would
    /// have made the token before longer.
    impossible: &'a [u64; 4],
    /// Bytes that the stream has left.
    most: usize,
}

impl<'a> Walk<'a> {
    /// Any token may come, of any length.
    pub fn free(vocabulary: &'a Vocabulary, sums: &'a [u64]) -> Self {
        Self { vocabulary, sums, before: START, impossible: &[0; 4], most: usize::MAX }
    }

    /// The token behind `before`, with which a stream goes on that has `most` bytes left.
    pub fn of(reading: &'a impl Reading, sums: &'a [u64], before: Token, most: usize) -> Self {
        let (vocabulary, impossible) = (reading.vocabulary(), reading.impossible(before));
        Self { vocabulary, sums, before, impossible, most }
    }

    /// The sum of all frequencies.
    #[inline(always)]
    pub fn total(&self) -> u64 {
        self.sums[self.sums.len() - 1]
    }

    /// Codes one token. `known` is what to encode; a decoder passes anything. Returns the token
    /// coded: of tokens with equal bytes the first. When encoding, the frequency of the token's
    /// bytes must not be 0.
    #[inline(always)]
    pub fn token<D: Decide>(&self, decide: &mut D, known: Token) -> Result<Token, CodecError> {
        let (vocabulary, sums) = (self.vocabulary, self.sums);
        let mass = |from: u32, to: u32| sums[to as usize] - sums[from as usize];
        let string = vocabulary.token(known);
        let mut node = vocabulary.root();
        let mut at = At { number: 0, depth: 0 };
        loop {
            let mut children = vocabulary.children(node);
            if node.own > 0 {
                let longer = node.first + node.own;
                let (own, deeper) = (mass(node.first, longer), mass(longer, node.end));
                let ends = string.len() == at.depth;
                if at.depth == self.most || decide.end(ends, &at, own, deeper)? {
                    return Ok(vocabulary.sorted()[node.first as usize]);
                }
            }
            if at.depth == self.most {
                return Err(CodecError::NotACodeword); // longer than the stream
            }
            // What a decoder passes may be shorter than the walk; its bits are not looked at.
            let byte = string.get(at.depth).copied().unwrap_or(0);
            let start = |children: &[(u8, u32)], end: u32| {
                children.first().map_or(end, |c| vocabulary.node(c.1).first)
            };
            let mut end = node.end;
            let mut impossible = if at.depth == 0 { self.impossible(children) } else { Vec::new() };
            for shift in (0..8).rev() {
                let (zeros, ones) = children.split_at(first_one(children, shift));
                let middle = start(ones, end);
                let (mut zero, mut one) = (mass(start(zeros, middle), middle), mass(middle, end));
                for (byte, mass) in &impossible {
                    *(if byte >> shift & 1 == 1 { &mut one } else { &mut zero }) -= mass;
                }
                let bit = decide.bit(byte >> shift & 1 == 1, &at, zero, one)?;
                impossible.retain(|(byte, _)| (byte >> shift & 1 == 1) == bit);
                if bit {
                    children = ones;
                } else {
                    children = zeros;
                    end = middle;
                }
            }
            match children {
                [child] => (at.number, node) = (child.1, vocabulary.node(child.1)),
                _ => return Err(CodecError::NotACodeword), // a node without any mass
            }
            at.depth += 1;
        }
    }

    /// Codes one token by the model alone, for which nothing is impossible.
    pub fn alone<C: Coder>(&self, coder: &mut C, known: Token) -> Result<Token, CodecError> {
        token(coder, self.vocabulary, self.sums, known)
    }

    /// The first bytes that are impossible, and their mass.
    fn impossible(&self, children: &[(u8, u32)]) -> Vec<(u8, u64)> {
        if *self.impossible == [0; 4] {
            return Vec::new();
        }
        let listed = |c: &&(u8, u32)| self.impossible[usize::from(c.0 >> 6)] >> (c.0 & 63) & 1 == 1;
        let mass = |node: Node| self.sums[node.end as usize] - self.sums[node.first as usize];
        children.iter().filter(listed).map(|c| (c.0, mass(self.vocabulary.node(c.1)))).collect()
    }

    /// Whether a text that follows a node leads to a longer token.
    pub fn goes_on(&self, node: u32, text: &[u8]) -> bool {
        let mut node = if node == 0 { self.vocabulary.root() } else { self.vocabulary.node(node) };
        for byte in text {
            let children = self.vocabulary.children(node);
            let Ok(at) = children.binary_search_by_key(byte, |c| c.0) else { return false };
            node = self.vocabulary.node(children[at].1);
            if node.own > 0 {
                return true;
            }
        }
        false
    }
}

/// Decisions with the model's own masses. One of whose outcomes has no mass is not coded.
struct ByMass<'a, C>(&'a mut C);

impl<C: Coder> ByMass<'_, C> {
    #[inline(always)]
    fn decide(&mut self, known: bool, zero: u64, one: u64) -> Result<bool, CodecError> {
        match (zero, one) {
            (_, 0) => Ok(false),
            (0, _) => Ok(true),
            _ => self.0.decide(known, ratio(one, zero + one)),
        }
    }
}

impl<C: Coder> Decide for ByMass<'_, C> {
    #[inline(always)]
    fn end(&mut self, known: bool, at: &At, own: u64, deeper: u64) -> Result<bool, CodecError> {
        self.0.depth(at.depth);
        self.decide(known, deeper, own)
    }

    #[inline(always)]
    fn bit(&mut self, known: bool, at: &At, zero: u64, one: u64) -> Result<bool, CodecError> {
        self.0.depth(at.depth);
        self.decide(known, zero, one)
    }
}

/// Codes one token by a model alone, as [`Walk::token`] does. `sums` are the prefix sums `[V + 1]`
/// of the frequencies of tokens sorted by bytes, the total below 2^48.
pub fn token<C: Coder>(
    coder: &mut C,
    vocabulary: &Vocabulary,
    sums: &[u64],
    known: Token,
) -> Result<Token, CodecError> {
    Walk::free(vocabulary, sums).token(&mut ByMass(coder), known)
}
