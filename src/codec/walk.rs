//! From a token's distribution to binary decisions.
//!
//! Comes in: the prefix sums of a model's frequencies and, when encoding, a token. Goes out: the
//! token, decided bit by bit on the way down the byte trie. At a node that is itself a token and
//! has longer ones below it, first "does it end here?", then the eight bits of the next byte. A
//! decision one of whose outcomes has no mass is not coded.

use crate::codec::range::Coder;
use crate::error::CodecError;
use crate::vocab::{Token, Vocabulary};

/// The probability of a part of `total`, in units of 2^-16, neither 0 nor 1.
fn ratio(part: u64, total: u64) -> u16 {
    ((part << 16) / total).clamp(1, 65535) as u16
}

/// Codes `bit`, which has mass `one` against `zero`; a forced outcome costs nothing.
fn decide<C: Coder>(coder: &mut C, bit: bool, zero: u64, one: u64) -> Result<bool, CodecError> {
    match (zero, one) {
        (_, 0) => Ok(false),
        (0, _) => Ok(true),
        _ => coder.decide(bit, ratio(one, zero + one)),
    }
}

/// The first child whose byte has a 1 at `shift`; all before it have a 0 there.
fn first_one(children: &[(u8, u32)], shift: u32) -> usize {
    let zero = |c: &(u8, u32)| (c.0 >> shift) & 1 == 0;
    // Where all bytes are children it is the middle: one look instead of a search.
    let middle = children.len() / 2;
    if middle > 0 && zero(&children[middle - 1]) && !zero(&children[middle]) {
        return middle;
    }
    children.partition_point(zero)
}

/// Codes one token. `sums` are prefix sums `[V + 1]` of the frequencies of tokens sorted by bytes,
/// the total below 2^48.
///
/// `token` is what to encode; a decoder passes anything. Returns the token coded: of tokens with
/// equal bytes the first. When encoding, the frequency of the token's bytes must not be 0.
pub fn token<C: Coder>(
    coder: &mut C,
    vocabulary: &Vocabulary,
    sums: &[u64],
    token: Token,
) -> Result<Token, CodecError> {
    let mass = |from: u32, to: u32| sums[to as usize] - sums[from as usize];
    let string = vocabulary.token(token);
    let mut node = vocabulary.root();
    for depth in 0.. {
        let mut children = vocabulary.children(node);
        if node.own > 0 {
            let ends = string.len() == depth;
            let longer = node.first + node.own;
            if decide(coder, ends, mass(longer, node.end), mass(node.first, longer))? {
                return Ok(vocabulary.sorted()[node.first as usize]);
            }
        }
        // What a decoder passes may be shorter than the walk; its bits are not looked at.
        let byte = string.get(depth).copied().unwrap_or(0);
        let start = |children: &[(u8, u32)]| {
            children.first().map_or(node.end, |c| vocabulary.node(c.1).first)
        };
        let mut end = node.end;
        for shift in (0..8).rev() {
            let half = first_one(children, shift);
            let (zeros, ones) = children.split_at(half);
            let middle = if ones.is_empty() { end } else { start(ones) };
            let from = if zeros.is_empty() { middle } else { start(zeros) };
            if decide(coder, byte >> shift & 1 == 1, mass(from, middle), mass(middle, end))? {
                children = ones;
            } else {
                children = zeros;
                end = middle;
            }
        }
        match children {
            [child] => node = vocabulary.node(child.1),
            _ => return Err(CodecError::NotACodeword), // a node without any mass
        }
    }
    unreachable!("the walk ends at a token")
}
