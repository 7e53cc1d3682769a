//! The beginning of a block of several streams that a transformer reads: the first stream codes a
//! few thousand bytes alone, and the others begin with what the model has read by then. A model
//! that knows a text from what it has read of it would be cold in each of them.

use super::range::Coder;
use super::scheduler::Reading;
use super::steps::{Predict, token};
use super::streams::{Next, Streams};
use crate::error::CodecError;
use crate::lm::engine::{Engine, LmOutput, LmStream};
use crate::vocab::Token;

/// Tokens that an encoder's model reads in one step.
const STEP: usize = 32;

/// A model that reads for one stream.
pub struct Reader {
    engine: Engine,
    stream: LmStream,
    /// Tokens that are known and that the model has yet to read, the next one last.
    known: Vec<Token>,
    /// What it says behind the last of them that it has read, and how many of these have been coded.
    outputs: Vec<LmOutput>,
    at: usize,
}

impl Reader {
    /// A model that goes on behind what a stream has read. `known`: the tokens that it is to read,
    /// where they are known.
    pub fn new(engine: Engine, stream: LmStream, mut known: Vec<Token>) -> Self {
        known.reverse();
        Self { engine, stream, known, outputs: Vec::new(), at: 0 }
    }

    /// Prefix sums of the frequencies of the next token.
    fn sums(&self) -> &[u64] {
        self.stream.sums()
    }

    fn read(&mut self, token: Token) {
        if self.at == self.outputs.len() && !self.known.is_empty() {
            let from = self.known.len().saturating_sub(STEP);
            let tokens: Vec<Token> = self.known.drain(from..).rev().collect();
            let vocab = self.sums().len() - 1;
            self.outputs = tokens.iter().map(|_| LmOutput::new(vocab)).collect();
            self.at = 0;
            self.engine.read(&mut [self.stream.window(&tokens, &mut self.outputs)]);
        }
        match self.outputs.get_mut(self.at) {
            Some(output) => std::mem::swap(&mut self.stream.output, output),
            None => self.engine.step(&mut [(&mut self.stream, token)]),
        }
        self.at += 1;
    }
}

/// Codes the lead, and gives what has read it. `raw`: what to encode; nothing when decoding.
#[inline(always)]
pub fn run<C: Coder>(
    coder: &mut C,
    mut reader: Reader,
    reading: &mut impl Reading,
    streams: &mut Streams,
    raw: Option<&[u8]>,
    predict: &mut impl Predict,
) -> Result<LmStream, CodecError> {
    let end = streams.lead();
    loop {
        let (token, next) = token(coder, reader.sums(), reading, streams, 0, raw, predict)?;
        reader.read(token);
        if next != Next::Same || streams.at(0).left.start >= end {
            return Ok(reader.stream);
        }
    }
}
