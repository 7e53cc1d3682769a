//! Codec 4: a language model and context mixing together. Streams advance in lock step, one token
//! each.
//!
//! A token is coded on its way down the byte trie, as in [`walk`](super::walk): does it end here,
//! then the bits of the next byte. The model's mass below each node is one more input of the mixer,
//! which sees the bytes as context mixing alone does. Segments that the model does not read are
//! coded in between (`unread`).

use super::cost::Metered;
use super::crew;
use super::range::{Coder, Decoder};
use super::rows::{Reading, Rows, Sums};
use super::streams::{self, Next};
use super::unread::Unread;
use crate::dictionary::{self, Dictionary};
use crate::error::CodecError;
use crate::exact::fpstate::{Exact, exact};
use crate::format::Layout;
use crate::lm::rwkv7::Ready;
use crate::mix::kernel::{self, Job, Kernel};
use crate::mix::{Ending, Guess, Lengths, Mix};
use crate::vocab::{Node, START, Token, Vocabulary};

/// A block: its parts, and what predicts it.
#[derive(Clone, Copy)]
pub struct Block<'a> {
    /// At least one segment has a model, which is this one.
    pub layout: &'a Layout,
    /// Read by the context models first; the language model reads the end of it.
    pub dictionary: Option<&'a Dictionary>,
    pub model: &'a Ready,
    /// The coder's and others that compute the model. The result does not depend on it.
    pub threads: usize,
}

impl Block<'_> {
    /// The bitstream of a block.
    pub fn encode(&self, raw: &[u8]) -> Vec<u8> {
        self.encode_by_windows(raw, raw.len()).0
    }

    /// The same, and what each window of so many bytes cost, in units of `BIT`.
    pub fn encode_by_windows(&self, raw: &[u8], window: usize) -> (Vec<u8>, Vec<u64>) {
        let mut coder = Metered::new(raw.len(), window);
        exact(|fp| self.run(&mut coder, Some(raw), self.begin(fp))).expect("encoding cannot fail");
        coder.finish()
    }

    /// Appends the raw bytes of a block to `out`.
    pub fn decode(&self, coded: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.decode_by(&mut Decoder::new(coded), out)
    }

    /// The same by a coder that reads the block.
    pub fn decode_by<C: Coder>(&self, coder: &mut C, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let mix = exact(|fp| self.run(coder, None, self.begin(fp)))?;
        out.extend_from_slice(&mix.raw()[self.read_first().len()..]);
        Ok(())
    }

    fn begin(&self, fp: Exact) -> Mix {
        let block = self.layout.segments.iter().map(|s| s.length as usize).sum();
        Mix::with_model(
            fp,
            &Lengths { dictionary: self.read_first().len(), block },
            self.model.start(),
        )
    }

    /// What the context models read first.
    fn read_first(&self) -> &[u8] {
        self.dictionary.map_or(&[], Dictionary::bytes)
    }

    fn run<C: Coder>(
        &self,
        coder: &mut C,
        raw: Option<&[u8]>,
        mix: Mix,
    ) -> Result<Mix, CodecError> {
        let network = self.model.network();
        let first = dictionary::first(self.dictionary, self.model);
        crew::work(network, &first, self.layout.streams as usize, self.threads, |crew| {
            let (layout, dictionary) = (self.layout, self.read_first());
            kernel::run(Steps {
                coder,
                rows: crew,
                reading: self.model,
                layout,
                dictionary,
                raw,
                mix,
            })
        })
    }
}

/// The step function of encoder and decoder.
pub struct Steps<'a, C, R, T> {
    pub coder: &'a mut C,
    pub rows: &'a mut R,
    pub reading: T,
    pub layout: &'a Layout,
    pub dictionary: &'a [u8],
    /// What to encode; nothing when decoding.
    pub raw: Option<&'a [u8]>,
    pub mix: Mix,
}

impl<C: Coder, R: Rows, T: Reading> Job for Steps<'_, C, R, T> {
    type Output = Result<Mix, CodecError>;

    #[inline(always)]
    fn run<K: Kernel>(self, k: K) -> Self::Output {
        let Self { coder, rows, mut reading, layout, dictionary, raw, mut mix } = self;
        mix.read(k, dictionary);
        let mut streams = streams::of(layout);
        streams.begins().for_each(|at| mix.stream(at));
        let mut unread = Unread::of(k.exact(), layout, &mut mix);
        // Groups of streams in order, step by step, until none has anything left.
        let mut open = rows.groups();
        while open > 0 || !unread.ended() {
            let mut first = None;
            for number in 0..rows.groups() {
                let Some(mut group) = rows.take(number)? else { continue };
                for row in &mut group.rows {
                    let place = streams.at(row.number);
                    coder.at(place.left.start);
                    let known = raw
                        .map_or(START, |raw| reading.next(place.stripe, &raw[place.left.clone()]));
                    let walk =
                        Walk::of(&reading, row.stream.sums(), place.before, place.left.len());
                    row.token = walk.token(k, coder, &mut mix, row.number, known)?;
                    coder.check()?;
                    coder.token(reading.vocabulary(), row.stream.sums(), row.token);
                    mix.end_token(row.number, row.token);
                    let bytes = reading.vocabulary().token(row.token).len();
                    match streams.advance(row.number, row.token, bytes) {
                        Next::Same => {}
                        Next::Stripe(at) => mix.begin_again(row.number, at),
                        Next::End => row.ended = true,
                    }
                }
                group.rows.retain(|row| !row.ended);
                if let Some(row) = group.rows.first() {
                    first = first.or(Some(streams.at(row.number).left.start));
                    rows.give(number, group);
                } else {
                    open -= 1;
                }
            }
            if let Some(at) = first {
                rows.check(coder, at)?;
            }
            unread.step(k, coder, &mut mix, raw)?; // while the model computes
        }
        Ok(mix)
    }
}

/// A token to be coded.
pub struct Walk<'a> {
    vocabulary: &'a Vocabulary,
    sums: &'a [u64],
    before: Token,
    /// The bytes that cannot come first: in greedy segmentation, those that would have made the
    /// token before longer.
    longer: &'a [u64; 4],
    /// Bytes that the stream has left.
    most: usize,
}

/// The probability of a part of `total`, in units of 2^-16, neither 0 nor 1.
#[inline(always)]
fn ratio(part: u64, total: u64) -> u16 {
    ((part << 16) / total).clamp(1, 65535) as u16
}

impl<'a> Walk<'a> {
    /// The token behind this one, with which the stream goes on, of which so many bytes are left.
    pub fn of(reading: &'a impl Reading, sums: &'a [u64], before: Token, most: usize) -> Self {
        Self {
            vocabulary: reading.vocabulary(),
            sums,
            before,
            longer: reading.impossible(before),
            most,
        }
    }

    #[inline(always)]
    pub fn token<K: Kernel, C: Coder>(
        &self,
        k: K,
        coder: &mut C,
        mix: &mut Mix,
        stream: usize,
        token: Token,
    ) -> Result<Token, CodecError> {
        let (vocabulary, sums) = (self.vocabulary, self.sums);
        let mass = |from: u32, to: u32| sums[to as usize] - sums[from as usize];
        let string = vocabulary.token(token);
        let sure = Guess::sure(sums[sums.len() - 1]);
        let mut node = vocabulary.root();
        let mut number = 0;
        for depth in 0.. {
            let guess = |one: u64, both: u64| Guess { p: ratio(one, both), depth, sure };
            let mut children = vocabulary.children(node);
            if node.own > 0 {
                let longer = node.first + node.own;
                let (own, deeper) = (mass(node.first, longer), mass(longer, node.end));
                let end = vocabulary.sorted()[node.first as usize];
                if deeper == 0 || depth == self.most {
                    return Ok(end);
                }
                if own > 0 {
                    let copy =
                        mix.copy(stream).map(|(copy, class)| (!self.goes_on(number, copy), class));
                    let guess = guess(own, own + deeper);
                    let ending = Ending { guess, node: number, before: self.before, copy };
                    let p = mix.predict_end(k, stream, &ending);
                    let ended = coder.decide(string.len() == depth, p)?;
                    mix.update_end(k, ended);
                    if ended {
                        return Ok(end);
                    }
                }
            }
            if depth == self.most {
                return Err(CodecError::NotACodeword); // longer than the stream
            }
            // What a decoder passes may be shorter than the walk; its bits are not looked at.
            let byte = string.get(depth).copied().unwrap_or(0);
            let start = |children: &[(u8, u32)], end: u32| {
                children.first().map_or(end, |c| vocabulary.node(c.1).first)
            };
            let mut end = node.end;
            let mut impossible = if depth == 0 { self.impossible(children) } else { Vec::new() };
            for shift in (0..8).rev() {
                let half = children.partition_point(|c| c.0 >> shift & 1 == 0);
                let (zeros, ones) = children.split_at(half);
                let middle = start(ones, end);
                let (mut zero, mut one) = (mass(start(zeros, middle), middle), mass(middle, end));
                for (byte, mass) in &impossible {
                    *(if byte >> shift & 1 == 1 { &mut one } else { &mut zero }) -= mass;
                }
                let bit = match (zero, one) {
                    (_, 0) | (0, _) => {
                        let bit = one > 0;
                        mix.skip(k, stream, bit);
                        bit
                    }
                    _ => {
                        let guess = guess(one, zero + one);
                        let p = mix.predict_with(k, stream, guess);
                        let bit = coder.decide(byte >> shift & 1 == 1, p)?;
                        mix.update_with(k, stream, bit, guess);
                        bit
                    }
                };
                impossible.retain(|(byte, _)| (byte >> shift & 1 == 1) == bit);
                if bit {
                    children = ones;
                } else {
                    children = zeros;
                    end = middle;
                }
            }
            match children {
                [child] => (number, node) = (child.1, vocabulary.node(child.1)),
                _ => return Err(CodecError::NotACodeword), // a node without any mass
            }
        }
        unreachable!("the walk ends at a token")
    }

    /// The first bytes that are impossible, and their mass.
    fn impossible(&self, children: &[(u8, u32)]) -> Vec<(u8, u64)> {
        let listed = |c: &&(u8, u32)| self.longer[usize::from(c.0 >> 6)] >> (c.0 & 63) & 1 == 1;
        let mass = |node: Node| self.sums[node.end as usize] - self.sums[node.first as usize];
        children.iter().filter(listed).map(|c| (c.0, mass(self.vocabulary.node(c.1)))).collect()
    }

    /// Whether a text that follows a node leads to a longer token.
    fn goes_on(&self, node: u32, text: &[u8]) -> bool {
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

/// Codes documents to learn a start state from.
#[cfg(feature = "train")]
impl crate::train::Code for Ready {
    fn code(&self, mix: Mix, text: &[u8]) -> Mix {
        let layout = Layout::whole(text.len() as u64, Some(0));
        let block = Block { layout: &layout, dictionary: None, model: self, threads: 1 };
        block
            .run(&mut Metered::new(text.len(), text.len()), Some(text), mix)
            .expect("encoding cannot fail")
    }
}
