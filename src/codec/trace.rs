//! A decoder that takes notes: what each token or byte cost, and what the language model said of
//! it. It watches the step function that decodes; nothing is computed twice.

use super::range::{Coder, Decoder};
use super::surprisal::surprisal;
use crate::cancel::CancellationToken;
use crate::error::CodecError;
use crate::exact::fpstate::Exact;
use crate::vocab::{Token, Vocabulary};

/// How many of the model's best guesses are kept for each token.
pub const GUESSES: usize = 5;

/// A token or, where no language model reads, a byte.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenTrace {
    /// Where it begins in the block.
    pub at: usize,
    /// Its length in bytes.
    pub length: usize,
    /// The ideal code length of its decisions: the sum of -log2 of their probabilities.
    pub bits: f64,
    /// Nothing where no language model reads.
    pub said: Option<Prediction>,
}

/// What a language model said of a token before it was coded.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// -log2 of the probability that it gave the token.
    pub bits: f64,
    /// The tokens that it held most likely, at most [`GUESSES`], the likeliest first, with their
    /// probabilities.
    pub guesses: Vec<(Token, f32)>,
}

/// Notes of the first `limit` bytes of a block of `raw` bytes in which nothing is decided, and its
/// bits: the bytes share the cost of the `coded` ones.
pub fn share(_: Exact, coded: usize, raw: u64, limit: usize) -> (Vec<TokenTrace>, f64) {
    let bits = coded as f64 * 8.0;
    let each = bits / raw as f64;
    ((0..limit).map(|at| TokenTrace { at, length: 1, bits: each, said: None }).collect(), bits)
}

/// Decodes a block and takes notes of its first bytes.
pub struct TracingDecoder<'a> {
    fp: Exact<'a>,
    decoder: Decoder<'a>,
    limit: usize,
    /// In the order of coding.
    notes: Vec<TokenTrace>,
    /// Whether what is coded now is within the limit.
    noting: bool,
    bits: f64,
}

impl<'a> TracingDecoder<'a> {
    /// A decoder of these coded bytes that notes what begins before place `limit` of the block.
    pub fn new(
        fp: Exact<'a>,
        coded: &'a [u8],
        limit: usize,
        cancel: Option<&'a CancellationToken>,
    ) -> Self {
        let decoder = Decoder::new(coded).cancelled_by(cancel);
        Self { fp, decoder, limit, notes: Vec::new(), noting: false, bits: 0.0 }
    }

    /// The notes, sorted by place, and the bits of the whole block.
    pub fn finish(mut self) -> (Vec<TokenTrace>, f64) {
        self.notes.sort_unstable_by_key(|note| note.at);
        (self.notes, self.bits)
    }
}

impl Coder for TracingDecoder<'_> {
    #[inline]
    fn decide(&mut self, bit: bool, p_one: u16) -> Result<bool, CodecError> {
        let bit = self.decoder.decide(bit, p_one)?;
        let cost = surprisal(self.fp, bit, p_one);
        self.bits += cost;
        if let Some(note) = self.notes.last_mut().filter(|_| self.noting) {
            note.bits += cost;
        }
        Ok(bit)
    }

    fn at(&mut self, place: usize) {
        self.noting = place < self.limit;
        if self.noting {
            self.notes.push(TokenTrace { at: place, length: 1, bits: 0.0, said: None });
        }
    }

    fn token(&mut self, vocabulary: &Vocabulary, sums: &[u64], token: Token) {
        if let Some(note) = self.notes.last_mut().filter(|_| self.noting) {
            note.length = vocabulary.token(token).len();
            note.said = Some(said(vocabulary, sums, token));
        }
    }

    fn check(&self) -> Result<(), CodecError> {
        self.decoder.check()
    }
}

/// What the frequencies with these prefix sums `[V + 1]` say of a token.
fn said(vocabulary: &Vocabulary, sums: &[u64], token: Token) -> Prediction {
    let total = sums[sums.len() - 1] as f64;
    // A token's bytes have one node; tokens with equal bytes share it.
    let mut node = vocabulary.root();
    for byte in vocabulary.token(token) {
        let children = vocabulary.children(node);
        if let Ok(at) = children.binary_search_by_key(byte, |c| c.0) {
            node = vocabulary.node(children[at].1);
        }
    }
    let own = sums[(node.first + node.own) as usize] - sums[node.first as usize];
    let mut best: Vec<(u64, usize)> = Vec::with_capacity(GUESSES + 1);
    for (rank, pair) in sums.windows(2).enumerate() {
        let mass = pair[1] - pair[0];
        if mass > 0 && (best.len() < GUESSES || best.last().is_some_and(|least| mass > least.0)) {
            best.insert(best.partition_point(|other| other.0 >= mass), (mass, rank));
            best.truncate(GUESSES);
        }
    }
    let guess =
        |(mass, rank): (u64, usize)| (vocabulary.sorted()[rank], (mass as f64 / total) as f32);
    Prediction {
        bits: total.log2() - (own.max(1) as f64).log2(),
        guesses: best.into_iter().map(guess).collect(),
    }
}
