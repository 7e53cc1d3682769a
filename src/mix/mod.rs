//! Context mixing: what the file itself teaches, bit by bit.
//!
//! Comes in: the bits of bytes, one after the other. Goes out: before each bit the probability that
//! it is 1, learnt from what followed in the same contexts before. See `contexts` for which
//! contexts; each has a bit history for every bit, which an adaptive map turns into a probability;
//! a match model looks for the longest repeat; mixers weigh them all, and APMs have the last
//! word.
//!
//! All arithmetic is in integers or in binary32 without fused operations, in a fixed order and in
//! the standard floating-point state ([`fpstate`](crate::exact::fpstate)), so that every machine
//! gets the same bits: what begins asks for the proof of that state, and what predicts and learns
//! asks for a [`MixKernel`], which exists in it alone. docs/MIXING.md defines all of it; what
//! changes here changes there, and the format's version.

mod contexts;
mod history;
pub mod kernel;
mod lm_hint;
pub(crate) mod logistic;
mod maps;
mod matching;
mod mixer;
#[doc(hidden)]
pub mod observe;
pub mod pair;
mod primer;
mod prior;
mod stage;
mod stream;
mod table;
mod token_end;

use crate::exact::fpstate::Exact;
use contexts::{CONTEXTS, Contexts};
use history::Histories;
use kernel::{MixKernel, Vector, lanes};
pub use lm_hint::LmHint;
use lm_hint::{HintMap, LmInput, NoHint};
use logistic::Tables;
use matching::Matches;
use observe::{Bit, Learnt, Observer, TokenEnd};
use prior::Kind;
pub use prior::Prior;
use stage::MixerStage;
use stream::CmStream;
use table::Table;
pub use token_end::Ending;
use token_end::TokenEndModel;

/// What all streams share.
struct Shared {
    tables: &'static Tables,
    histories: &'static Histories,
    table: Table,
    matches: Matches,
    /// One for all streams; in a block with a language model another for the streams that it does
    /// not read.
    stages: Vec<MixerStage>,
    /// What a language model's hints were worth, where there is one.
    hints: HintMap,
    ends: Option<Box<TokenEndModel>>,
    /// log2 of the contexts of what is chosen by order 1 and 2: fewer in small blocks, where making
    /// them would take longer than coding.
    wide: u32,
}

/// How many contexts tell how much is known.
const KNOWN: usize = contexts::TELLING.count_ones() as usize;

/// How slowly a history's probability follows.
const MAP_SHIFT: u32 = 8;

/// The context models of a block, which an observer may watch.
pub struct Mix<O: Observer = ()> {
    shared: Shared,
    streams: Vec<CmStream>,
    /// Whether streams are cut into tokens.
    tokens: bool,
    /// The primer, the dictionary and the block.
    raw: Vec<u8>,
    /// Where the primer ends, and where the block begins.
    primer: usize,
    block: usize,
    /// The inputs of the mixer for the current bit.
    x: Vector,
    observer: O,
}

/// Bytes that a block reads.
pub struct Lengths {
    /// The bytes that come before the block's own and are not coded.
    pub dictionary: usize,
    pub block: usize,
}

impl Lengths {
    fn both(&self) -> usize {
        self.dictionary + self.block
    }

    /// log2 of the bytes of the table, the largest part of what a block needs.
    pub fn table(&self) -> u32 {
        log2_within(self.both().saturating_mul(1024), 23..=27)
    }
}

/// The whole part of the binary logarithm, within bounds; of 0 the lower bound.
fn log2_within(x: usize, bounds: std::ops::RangeInclusive<u32>) -> u32 {
    x.checked_ilog2().unwrap_or(0).clamp(*bounds.start(), *bounds.end())
}

impl Mix {
    /// Begins a block. Memory: the block's bytes, 1,024 times as much for the table but 8 to 128
    /// MiB, and up to 35 MiB for the rest.
    pub fn new(fp: Exact, lengths: &Lengths) -> Self {
        Self::with_model(fp, lengths, Prior::get(fp))
    }

    /// Begins a block that a language model predicts too, as `start` says.
    pub fn with_model(fp: Exact, lengths: &Lengths, start: &Prior) -> Self {
        Self::observed(fp, lengths, start, ())
    }
}

impl<O: Observer> Mix<O> {
    /// [`with_model`](Mix::with_model), watched by an observer.
    #[doc(hidden)]
    pub fn observed(fp: Exact, lengths: &Lengths, start: &Prior, observer: O) -> Self {
        let primer = start.primer.len();
        let both = lengths.both();
        let wide = log2_within(both.saturating_mul(4), 10..=16);
        let size = (lengths.table(), Matches::bits_for(primer + both));
        let (table, mut matches) = primer::primed(fp, size, &start.primer);
        matches.trust(&start.right);
        let shared = Shared {
            tables: Tables::get(fp),
            histories: Histories::get(),
            table,
            matches,
            stages: vec![MixerStage::new(start, wide)],
            hints: HintMap::new(fp),
            ends: start.ends.as_ref().map(|start| Box::new(TokenEndModel::new(lengths, start))),
            wide,
        };
        let mut raw = vec![0; primer + both];
        raw[..primer].copy_from_slice(&start.primer);
        Self {
            shared,
            streams: Vec::new(),
            tokens: start.kind != Kind::Alone,
            raw,
            primer,
            block: primer + lengths.dictionary,
            x: Vector([0.0; _]),
            observer,
        }
    }

    /// Ends the block: what the weights became, and the observer.
    #[doc(hidden)]
    pub fn end(self) -> (Learnt, O) {
        let Shared { stages, ends, .. } = self.shared;
        let mixer = stages.into_iter().next().expect("a block has one").mixer;
        (Learnt { mixer, ends: ends.map(|ends| ends.mixer) }, self.observer)
    }

    /// Begins another stream at a place of the block. They are numbered in order, from 0.
    pub fn stream(&mut self, at: usize) {
        self.streams.push(CmStream::new(self.block + at, self.tokens));
    }

    /// Lets a stream go on at another place of the block, knowing nothing of what is before it.
    pub fn begin_again(&mut self, stream: usize, at: usize) {
        self.streams[stream] = CmStream::new(self.block + at, self.tokens);
    }

    /// Begins a stream of bytes, in a block with a language model: it is predicted as without one,
    /// and shares with the others what the text itself has shown. Its number comes out.
    pub fn stream_without_model(&mut self, fp: Exact, at: usize) -> usize {
        let stages = &mut self.shared.stages;
        if stages.len() == 1 {
            stages.push(MixerStage::new(Prior::get(fp), self.shared.wide));
        }
        let at = self.block + at;
        let contexts = Contexts::without_model(at);
        self.streams.push(CmStream { stage: 1, contexts, ..CmStream::new(at, false) });
        self.streams.len() - 1
    }

    /// Learns the dictionary, before there is any stream.
    #[inline(always)]
    pub fn read<K: MixKernel>(&mut self, k: K, dictionary: &[u8]) {
        if dictionary.is_empty() {
            return;
        }
        self.streams.push(CmStream::new(self.primer, false));
        let last = self.streams.len() - 1;
        for byte in dictionary {
            for shift in (0..8).rev() {
                let bit = byte >> shift & 1 == 1;
                if self.shared.ends.is_some() {
                    // Weight sets are chosen by hints there, and the language model has not read
                    // the dictionary.
                    self.predict_with(k, last, LmHint::NONE);
                    self.update_with(k, last, bit, LmHint::NONE);
                } else {
                    self.predict(k, last);
                    self.update(k, last, bit);
                }
            }
        }
        self.streams.pop();
    }

    /// The dictionary and the streams, as far as they have been coded.
    pub fn raw(&self) -> &[u8] {
        &self.raw[self.primer..]
    }

    /// The probability that a stream's next bit is 1, in units of 2^-16, neither 0 nor 1.
    #[inline(always)]
    pub fn predict<K: MixKernel>(&mut self, k: K, stream: usize) -> u16 {
        self.predict_with(k, stream, NoHint)
    }

    /// The probability that a stream's next bit is 1, with what a language model says of it.
    #[inline(always)]
    pub fn predict_with<K: MixKernel, S: LmInput>(&mut self, k: K, stream: usize, said: S) -> u16 {
        let (stream, shared) = (&mut self.streams[stream], &mut self.shared);
        if stream.bit == 0 {
            // Not at the end of the last byte: other streams have changed the table since.
            stream.load(k, shared);
        }
        let t = shared.tables;
        let stage = &mut shared.stages[stream.stage];
        let x = &mut self.x;
        let node = stream.node;
        let (order1, order2) = (stream.order1 + node, stream.order2 + node);
        let states = stream.states[node & 15];
        let known = (k.nonzero(&states) & contexts::TELLING).count_ones() as usize;
        stream.ps =
            lanes(|i| if i < CONTEXTS { stage.maps[i].0[usize::from(states[i])] } else { 0 });
        let ps = &stream.ps;
        let c = &stream.contexts;
        let partial = stream.partial;
        let found = stream.matcher.predict(&mut shared.matches, t, partial, stream.bit);
        const ALWAYS: i16 = (0.4 * logistic::UNIT) as i16;
        let guessed = said.inputs(&mut shared.hints, t, found.direction);
        let input = |i: usize| {
            if i < CONTEXTS {
                t.stretch(ps[i])
            } else if i < CONTEXTS + matching::INPUTS {
                found.x[i - CONTEXTS]
            } else if i == CONTEXTS + matching::INPUTS {
                ALWAYS
            } else {
                guessed.get(i - CONTEXTS - matching::INPUTS - 1).copied().unwrap_or(0)
            }
        };
        *x = logistic::inputs(lanes(input));
        let bit = stream.bit;
        let (last_but, last) = said.sets(known, c.kind(), bit);
        // What chooses by order 1, by bits of the byte, or by a copy's bit.
        let (second, third) = match stage.apms {
            Some(_) => (order1, found.select * 8 + bit),
            None => (c.kind(), found.select * 2 + (found.direction & 1)),
        };
        let mixed = stage.mixer.mix(k, t, [partial, second, third, last_but], last, x);
        let p = stage.last_word(t, [partial, order1, order2], mixed);
        let p = logistic::nearest(p * 65536.0).clamp(1, 65535) as u16;
        self.observer.predicted(p);
        p
    }

    /// Learns the bit that [`predict`](Self::predict) was for.
    #[inline(always)]
    pub fn update<K: MixKernel>(&mut self, k: K, stream: usize, bit: bool) {
        self.update_with(k, stream, bit, NoHint);
    }

    /// Learns the bit that [`predict_with`](Self::predict_with) was for.
    #[inline(always)]
    pub fn update_with<K: MixKernel, S: LmInput>(
        &mut self,
        k: K,
        stream_number: usize,
        bit: bool,
        said: S,
    ) {
        let seen = Bit { stream: &self.streams[stream_number], shared: &self.shared };
        self.observer.bit(&seen, bit);
        said.learn(&mut self.shared.hints, bit);
        let (stream, shared) = (&mut self.streams[stream_number], &mut self.shared);
        let stage = &mut shared.stages[stream.stage];
        let target = f32::from(u8::from(bit));
        stage.mixer.learn(k, target, &self.x);
        for apm in stage.apms.iter_mut().flatten() {
            apm.learn(bit);
        }
        let states = &mut stream.states[stream.node & 15];
        let learnt = maps::learnt::<MAP_SHIFT, _>(stream.ps, bit);
        let next = shared.histories.after(bit);
        for i in 0..CONTEXTS {
            let map = &mut stage.maps[i].0;
            map[usize::from(states[i])] = learnt[i];
            map[0] = maps::NOTHING; // what was never seen says nothing
            states[i] = next[usize::from(states[i])];
        }
        stream.matcher.learn(&mut shared.matches, stream.bit, bit);
        self.advance(k, stream_number, bit);
    }

    /// The probability that a token ends, in units of 2^-16; before a byte, in a block with a
    /// language model.
    #[inline(always)]
    pub fn predict_end<K: MixKernel>(&mut self, k: K, stream: usize, ending: &Ending) -> u16 {
        let (contexts, t) = (&self.streams[stream].contexts, self.shared.tables);
        // No closure: what is not inlined is not compiled for the instruction set.
        let p = match &mut self.shared.ends {
            Some(ends) => ends.predict(k, t, contexts, ending),
            None => 1 << 15,
        };
        self.observer.predicted(p);
        p
    }

    /// Learns that a stream's token has ended.
    pub fn end_token(&mut self, stream: usize, token: u32) {
        self.streams[stream].contexts.end_token(token);
    }

    /// Learns whether the token ended that [`predict_end`](Self::predict_end) was for.
    #[inline(always)]
    pub fn update_end<K: MixKernel>(&mut self, k: K, ended: bool) {
        if let Some(ends) = &mut self.shared.ends {
            self.observer.token_end(&TokenEnd(ends), ended);
            ends.update(k, self.shared.histories, ended);
        }
    }

    /// What the match model's copy of a stream goes on with, as far as it is known, and the class
    /// of its length.
    pub fn copy(&self, stream: usize) -> Option<(&[u8], usize)> {
        let stream = &self.streams[stream];
        let (from, class) = stream.matcher.copy()?;
        Some((self.raw.get(from..stream.at)?, class))
    }

    /// Learns a bit that was certain beforehand: only the histories do.
    #[inline(always)]
    pub fn skip<K: MixKernel>(&mut self, k: K, stream_number: usize, bit: bool) {
        let (stream, shared) = (&mut self.streams[stream_number], &mut self.shared);
        if stream.bit == 0 {
            stream.load(k, shared);
        }
        let next = shared.histories.after(bit);
        for state in &mut stream.states[stream.node & 15] {
            *state = next[usize::from(*state)];
        }
        self.advance(k, stream_number, bit);
    }

    /// Goes on behind a bit.
    #[inline(always)]
    fn advance<K: MixKernel>(&mut self, k: K, stream: usize, bit: bool) {
        let (stream, shared) = (&mut self.streams[stream], &mut self.shared);
        stream.partial = stream.partial * 2 + usize::from(bit);
        stream.node = stream.node * 2 + usize::from(bit);
        stream.bit += 1;
        match stream.bit {
            2 => stream.fetch_low(&shared.table, stream.partial & 3),
            4 => {
                stream.store(k, shared);
                stream.node = 1;
                stream.load(k, shared);
            }
            6 => stream.fetch_high(&shared.table, stream.partial & 63),
            8 => {
                stream.store(k, shared);
                self.raw[stream.at] = stream.partial as u8;
                stream.at += 1;
                (stream.partial, stream.node, stream.bit) = (1, 1, 0);
                stream.push(&mut shared.matches, &self.raw);
            }
            _ => {}
        }
        stream.prefetch(shared);
    }
}
