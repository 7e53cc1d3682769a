//! Small messages in bulk: each is a block of codec 4 by itself, of one stream, with a coder and
//! context models of its own. Their streams are rows of one batch, so that the model's weights are
//! read once for all of them.

use super::choice::Precoded;
use super::cost::Metered;
use super::lm_cm;
use super::memory;
use super::range::Coder;
use super::walk::Walk;
use crate::dictionary::{self, Dictionary};
use crate::lm::rwkv7::{Engine, LmStream, LoadedModel};
use crate::mix::kernel::{self, MixJob, MixKernel};
use crate::mix::{Lengths, Mix};
use crate::vocab::{START, Token};
use std::sync::Arc;

/// Most rows of a batch. More are not faster, and each has tables of its own.
const ROWS: usize = 16;
/// Bytes that the messages of a batch may need together, unless one alone needs more.
const MEMORY: u64 = 512 << 20;

/// What messages are coded with.
pub struct Batch<'a> {
    pub model: &'a LoadedModel,
    pub dictionary: Option<&'a Dictionary>,
    /// Rows, as far as `ROWS` and memory allow.
    pub rows: usize,
    /// Bytes of memory that they may need.
    pub memory: u64,
}

impl Batch<'_> {
    /// Codes the messages that `next` gives with their numbers, none of them empty, until it gives
    /// none; `done` gets the bitstream of each, in the order in which they end.
    pub fn encode<'m>(
        &self,
        next: impl FnMut() -> Option<(usize, &'m [u8])>,
        done: impl FnMut(usize, Precoded),
    ) {
        kernel::run(Work { batch: self, next, done });
    }

    /// Bytes of memory that a message needs.
    fn needed(&self, raw: &[u8]) -> u64 {
        let dictionary = self.dictionary.map_or(0, |d| d.bytes().len() as u64);
        memory::one_stream(dictionary, raw.len() as u64, self.model)
    }

    fn lengths(&self, raw: &[u8]) -> Lengths {
        Lengths { dictionary: self.dictionary.map_or(0, |d| d.bytes().len()), block: raw.len() }
    }
}

/// A message that is being coded.
struct Message<'m> {
    number: usize,
    /// What is left of it.
    rest: &'m [u8],
    /// Bytes that are coded already.
    at: usize,
    coder: Metered<'static>,
    mix: Mix,
    stream: LmStream,
    token: Token,
    needed: u64,
}

struct Work<'a, N, D> {
    batch: &'a Batch<'a>,
    next: N,
    done: D,
}

impl<'m, N: FnMut() -> Option<(usize, &'m [u8])>, D: FnMut(usize, Precoded)> MixJob
    for Work<'_, N, D>
{
    type Output = ();

    #[inline(always)]
    fn run<K: MixKernel>(self, k: K) {
        let Self { batch, mut next, mut done } = self;
        let first = dictionary::first(batch.dictionary, batch.model);
        let mut engine = Engine::new(Arc::clone(batch.model.network()));
        let mut messages: Vec<Message> = Vec::new();
        let (mut memory, mut waiting) = (0, next());
        let most = batch.memory.min(MEMORY);
        loop {
            // Rows that have become free are taken by the next messages.
            while let Some((number, raw)) = waiting {
                let needed = batch.needed(raw);
                if messages.len() >= batch.rows.clamp(1, ROWS)
                    || memory > 0 && memory + needed > most
                {
                    break;
                }
                memory += needed;
                waiting = next();
                let mut mix = Mix::with_model(k.exact(), &batch.lengths(raw), batch.model.start());
                mix.read(k, batch.dictionary.map_or(&[], Dictionary::bytes));
                mix.stream(0);
                let (coder, stream) = (Metered::new(raw.len(), raw.len()), LmStream::clone(&first));
                messages.push(Message {
                    number,
                    rest: raw,
                    at: 0,
                    coder,
                    mix,
                    stream,
                    token: START,
                    needed,
                });
            }
            if messages.is_empty() {
                return;
            }
            for message in &mut messages {
                message.code(k, batch.model);
            }
            let ended = messages.extract_if(.., |message| message.rest.is_empty());
            for Message { number, coder, needed, .. } in ended {
                memory -= needed;
                done(number, coder.finish().0);
            }
            let mut rows: Vec<_> = messages.iter_mut().map(|m| (&mut m.stream, m.token)).collect();
            engine.step(&mut rows);
        }
    }
}

impl Message<'_> {
    /// Codes its next token.
    #[inline(always)]
    fn code<K: MixKernel>(&mut self, k: K, model: &LoadedModel) {
        let known = model.vocabulary().longest(self.rest).0;
        self.coder.at(self.at);
        let walk = Walk::of(&model, self.stream.sums(), self.token, self.rest.len());
        let coded = lm_cm::token(k, &mut self.coder, &mut self.mix, 0, &walk, known);
        self.token = coded.expect("encoding cannot fail");
        self.mix.end_token(0, self.token);
        let length = model.vocabulary().token(self.token).len();
        (self.rest, self.at) = (&self.rest[length..], self.at + length);
    }
}
