//! What a language model would gain, from small pieces of a block.
//!
//! Comes in: pieces of a block. The model reads each of them alone, after a few words that it is
//! not judged by; the context models code the block, or a region of it, and what they say of the
//! pieces is kept. What both would make of a piece together is then estimated by a mixer of two
//! inputs. So the context models know all that they have learnt of the block before a piece, and
//! the model has read no more than the pieces.

use std::ops::Range;
use std::sync::Arc;

use super::cost::cost;
use super::scheduler::Cut;
use super::segmentation::Costs;
use super::walk::{At, Decide, Walk, ratio};
use crate::error::CodecError;
use crate::exact::fpstate::exact;
use crate::format::Layout;
use crate::lm::LoadedModel;
use crate::lm::engine::{Engine, LmOutput, LmStream, Window};
use crate::mix::pair::Pair;
use crate::parallel;
use crate::vocab::{START, Token};

/// Bytes of a piece that the model reads first and that are not judged.
const BEFORE: usize = 128;
/// Bytes of a piece that are judged.
const JUDGED: usize = 512;
/// Bytes of a piece, at most: its last token may be longer than is asked for.
pub const LONGEST: usize = BEFORE + JUDGED + TOKEN;
const TOKEN: usize = 64;
/// Tokens that are read and judged in one step.
const STEP: usize = 32;

/// A decision of a token and the probability that the model gives it.
enum Said {
    /// A token begins.
    Begin,
    /// Whether it ends.
    End(bool, u16),
    /// A bit, and whether it is one of a token's first byte.
    Bit(bool, u16, bool),
    /// A bit that can be no other.
    Sure(bool),
}

/// What a model says of a piece.
pub struct Piece {
    /// Where it is in the block; longer than what was asked for by less than a token.
    pub range: Range<usize>,
    /// The bytes that are not judged.
    before: usize,
    said: Vec<Said>,
}

impl Piece {
    /// The bytes that are judged.
    pub fn judged(&self) -> usize {
        self.range.len() - self.before
    }
}

/// Lets a model read pieces of `raw` that begin at these places, in order and apart.
pub fn listen(
    raw: &[u8],
    places: &[usize],
    model: &LoadedModel,
    first: &LmStream,
    threads: usize,
) -> Vec<Piece> {
    let share = places.len().div_ceil(parallel::at_once(threads)).max(1);
    let read = |places: &[usize]| {
        let mut engine = Engine::new(Arc::clone(model.network()));
        let mut outputs = vec![first.output.clone(); STEP];
        let read = |&at| piece(raw, at, model, first, &mut engine, &mut outputs);
        places.iter().map(read).collect::<Vec<_>>()
    };
    parallel::map(places.chunks(share).collect(), read).into_iter().flatten().collect()
}

/// Outputs of the model that there are at once, at most.
pub fn most_outputs(threads: usize) -> usize {
    STEP * parallel::at_once(threads)
}

fn piece(
    raw: &[u8],
    at: usize,
    model: &LoadedModel,
    first: &LmStream,
    engine: &mut Engine,
    outputs: &mut [LmOutput],
) -> Piece {
    let vocabulary = model.vocabulary();
    let text = &raw[at..raw.len().min(at + LONGEST)];
    let (mut tokens, mut ends, mut end) = (model.segment(text), Vec::new(), at);
    for token in &tokens {
        if end >= at + BEFORE + JUDGED {
            break;
        }
        end += vocabulary.token(*token).len();
        ends.push(end);
    }
    tokens.truncate(ends.len());
    let reading = Cut::new(model, &Layout::default(), None);
    let mut listen = Listen(Vec::new());
    let mut judge = |number: usize, before: Token, said: &LmOutput, from: usize| {
        let walk = Walk::of(&reading, said.sums(), before, raw.len() - from);
        listen.0.push(Said::Begin);
        walk.token(&mut listen, tokens[number]).expect("encoding cannot fail");
    };
    // The last token of which nothing is judged but what comes behind it. A piece at the beginning
    // of a block is judged from its first token on, as it will be coded.
    let known = ends.iter().take_while(|end| **end < at + BEFORE).count().min(tokens.len() - 1);
    let known = if at == 0 { 0 } else { known };
    let mut state = first.state.clone();
    if at == 0 {
        judge(0, START, &first.output, 0);
    }
    // In one step, however many they are: without outputs they do not fill the cache.
    engine.read(&mut [Window { state: &mut state, tokens: &tokens[..known], outputs: &mut [] }]);
    let mut number = known;
    for tokens in tokens[known..tokens.len() - 1].chunks(STEP) {
        let outputs = &mut outputs[..tokens.len()];
        engine.read(&mut [Window { state: &mut state, tokens, outputs }]);
        for (before, output) in tokens.iter().zip(outputs) {
            judge(number + 1, *before, output, ends[number]);
            number += 1;
        }
    }
    let before = if at == 0 { 0 } else { ends[known] - at };
    Piece { range: at..end, before, said: listen.0 }
}

/// Writes down what is said of a token, and codes nothing.
struct Listen(Vec<Said>);

impl Decide for Listen {
    fn end(&mut self, known: bool, _: &At, own: u64, deeper: u64) -> Result<bool, CodecError> {
        if own > 0 && deeper > 0 {
            self.0.push(Said::End(known, ratio(own, own + deeper)));
        }
        Ok(known)
    }

    fn bit(&mut self, known: bool, at: &At, zero: u64, one: u64) -> Result<bool, CodecError> {
        self.0.push(match zero == 0 || one == 0 {
            true => Said::Sure(known),
            false => Said::Bit(known, ratio(one, zero + one), at.depth == 0),
        });
        Ok(known)
    }
}

/// What the judged parts of pieces cost with the model and without. Each comes with the
/// probabilities that context models alone give its bits, and what else follows it.
pub fn estimate<'a>(pieces: impl Iterator<Item = (&'a Piece, &'a [u16])>) -> Vec<Costs> {
    exact(|fp| {
        let mut pair = Pair::<2>::new(fp);
        let costs = |(piece, kept): (&Piece, &[u16])| {
            let mut bits = kept.iter().copied().take(piece.range.len() * 8).skip(piece.before * 8);
            let mut costs = [0; 2];
            // What the ends of a token cost, its bits by the model and by both.
            let [mut ends, mut by_model, mut by_both] = [0; 3];
            for said in piece.said.iter().chain(std::iter::once(&Said::Begin)) {
                match *said {
                    Said::Begin => {
                        // Where the bytes are known, it is known where tokens end.
                        costs[0] += by_both + ends * by_both.min(by_model) / by_model.max(1);
                        [ends, by_model, by_both] = [0; 3];
                    }
                    Said::End(ended, p) => ends += cost(ended, p),
                    Said::Bit(bit, p, first) => {
                        let Some(alone) = bits.next() else { break };
                        costs[1] += cost(bit, alone);
                        by_model += cost(bit, p);
                        let mixed = pair.mix(fp, usize::from(first), [alone, p], bit);
                        by_both += cost(bit, mixed);
                    }
                    Said::Sure(bit) => {
                        let Some(alone) = bits.next() else { break };
                        costs[1] += cost(bit, alone);
                    }
                }
            }
            costs
        };
        pieces.map(costs).collect()
    })
}
