//! Computes a model ahead of an encoder.
//!
//! An encoder knows what its streams read. So a stream's next tokens are read in one step of the
//! engine, as a window, and no thread has to wait until the coder has coded them. The streams are
//! in groups, as in a decoder ([`pipeline`](super::pipeline)); each group has at most one window
//! that waits for the coder. The order of coding is that of the decoder.

use std::sync::Arc;
use std::vec::IntoIter;

use super::crew::{self, Crew, Tasks, Threads};
use super::scheduler::{self, BatchScheduler, Reading, Row, Sums};
use super::streams::{self, Streams};
use crate::error::CodecError;
use crate::lm::engine::{Engine, LmOutput, LmState, LmStream, Network, Window};
use crate::vocab::Token;

/// Tokens of a step of the engine, all streams of a group together: with fewer the model costs more
/// for each, with more their outputs leave the cache before they are coded.
const STEP: usize = 32;

/// The tokens of each stream, in the order in which [`steps`](super::steps) codes them; and before
/// them those of the first stream's lead, if there is one.
pub fn tokens(
    mut reading: impl Reading,
    mut streams: Streams,
    raw: &[u8],
    has_lead: bool,
) -> (Vec<Token>, Vec<Vec<Token>>) {
    let (mut lead, mut out) = (Vec::new(), vec![Vec::new(); streams.count()]);
    let mut next = |streams: &mut Streams, number: usize| {
        let place = streams.at(number);
        let token = reading.next(place.stripe, &raw[place.left.clone()]);
        let bytes = reading.vocabulary().token(token).len();
        (token, streams.advance(number, token, bytes))
    };
    if has_lead {
        let end = streams.lead();
        loop {
            let (token, way) = next(&mut streams, 0);
            lead.push(token);
            if way != streams::Next::Same || streams.at(0).left.start >= end {
                break;
            }
        }
    }
    let mut open = streams.open();
    while !open.is_empty() {
        open.retain(|&number| {
            let (token, way) = next(&mut streams, number);
            out[number].push(token);
            way != streams::Next::End
        });
    }
    (lead, out)
}

/// What the model says of the next tokens of a stream.
pub struct Ahead {
    outputs: Vec<LmOutput>,
    /// How many outputs there are when they are computed.
    length: usize,
    /// The one whose token is coded next.
    at: usize,
}

impl Sums for Ahead {
    fn sums(&self) -> &[u64] {
        self.outputs[self.at].sums()
    }
}

type Group = scheduler::Group<Ahead>;

/// A stream that the model reads.
struct Source {
    number: usize,
    state: LmState,
    /// What it has not read.
    tokens: IntoIter<Token>,
}

/// The streams of a group.
struct Producer {
    sources: Vec<Source>,
    /// Tokens of a window.
    window: usize,
    /// Windows that have been computed.
    windows: usize,
}

/// The groups of streams, and their windows.
struct Producers {
    /// The groups that nobody computes now, each at its number.
    waiting: Vec<Option<Producer>>,
    /// The window that waits for the coder.
    ready: Vec<Option<Group>>,
    /// Room for outputs.
    spare: Vec<LmOutput>,
}

/// A window to be computed.
struct Next {
    /// Of the group.
    number: usize,
    producer: Producer,
    group: Group,
}

impl Tasks for Producers {
    type Task = Next;

    /// The next window of a group that has none ready, the least advanced first.
    fn next(&mut self) -> Option<Next> {
        let waits = |number: &usize| {
            self.ready[*number].is_none()
                && self.waiting[*number].as_ref().is_some_and(|p| !p.sources.is_empty())
        };
        let windows = |number: &usize| self.waiting[*number].as_ref().map(|p| p.windows);
        let number = (0..self.ready.len()).filter(waits).min_by_key(windows)?;
        let producer = self.waiting[number].take()?;
        let rows = producer.sources.iter().map(|source| {
            let length = producer.window.min(source.tokens.len());
            let outputs = self.spare.split_off(self.spare.len().saturating_sub(length));
            Row::new(source.number, Ahead { outputs, length, at: 0 })
        });
        let group = Group { rows: rows.collect() };
        Some(Next { number, producer, group })
    }

    fn compute(engine: &mut Engine, Next { producer, group, .. }: &mut Next) {
        let vocab = engine.network().vocab();
        let windows = producer.sources.iter_mut().zip(&mut group.rows).map(|(source, row)| {
            let Ahead { outputs, length, .. } = &mut row.stream;
            outputs.resize_with(*length, || LmOutput::new(vocab));
            let tokens = &source.tokens.as_slice()[..*length];
            Window { state: &mut source.state, tokens, outputs }
        });
        engine.read(&mut windows.collect::<Vec<_>>());
        for (source, row) in producer.sources.iter_mut().zip(&group.rows) {
            source.tokens.by_ref().take(row.stream.length).for_each(drop);
        }
        producer.sources.retain(|source| source.tokens.len() > 0);
        producer.windows += 1;
    }

    fn done(&mut self, Next { number, producer, group }: Next) {
        self.ready[number] = Some(group);
        self.waiting[number] = Some(producer);
    }
}

/// The coder's side.
pub struct WindowPipeline<'a> {
    crew: Crew<'a, Producers>,
    /// What is left of the windows that the coder has begun.
    begun: Vec<Option<Group>>,
    /// Groups that have streams left.
    open: Vec<bool>,
}

impl BatchScheduler for WindowPipeline<'_> {
    type State = Ahead;

    fn groups(&self) -> usize {
        self.open.len()
    }

    fn take(&mut self, number: usize) -> Result<Option<Group>, CodecError> {
        if !std::mem::take(&mut self.open[number]) {
            return Ok(None);
        }
        let begun = self.begun[number].take();
        Ok(Some(begun.unwrap_or_else(|| self.crew.wait(|all| all.ready[number].take()))))
    }

    fn give(&mut self, number: usize, mut group: Group) {
        self.open[number] = true;
        group.rows.iter_mut().for_each(|row| row.stream.at += 1);
        // Rows that have not ended are all as long as the window.
        if group.rows.iter().all(|row| row.stream.at == row.stream.length) {
            let outputs = group.rows.into_iter().flat_map(|row| row.stream.outputs);
            self.crew.give(|all| all.spare.extend(outputs));
        } else {
            self.begun[number] = Some(group);
        }
    }
}

/// Groups for a number of threads: each is computed by one at a time.
fn groups(streams: usize, threads: usize) -> usize {
    threads.clamp(1, streams.max(1))
}

/// Outputs of the model that there are at once, at most: of each group a window that is computed,
/// one that waits and one that is coded.
pub fn most_outputs(streams: usize, threads: usize) -> usize {
    3 * (STEP * groups(streams, threads) + streams)
}

/// Runs a coder of streams that all begin as `first` and read these tokens, if any, with `threads - 1`
/// threads beside it.
pub fn run<R>(
    network: &Arc<Network>,
    first: &LmStream,
    tokens: Vec<Vec<Token>>,
    threads: usize,
    coder: impl FnOnce(&mut WindowPipeline) -> R,
) -> R {
    let tokens: Vec<_> =
        tokens.into_iter().enumerate().filter(|(_, tokens)| !tokens.is_empty()).collect();
    let streams = tokens.len();
    let groups = groups(streams, threads);
    let mut tokens = tokens.into_iter();
    let (mut waiting, mut begun) = (Vec::new(), Vec::new());
    for group in 0..groups {
        let rows = streams * (group + 1) / groups - streams * group / groups;
        let (mut sources, mut first_rows) = (Vec::new(), Vec::new());
        for (number, mut tokens) in tokens.by_ref().take(rows) {
            // What is said of the first token is known, and nothing comes behind the last.
            tokens.pop();
            let outputs = vec![first.output.clone()];
            first_rows.push(Row::new(number, Ahead { outputs, length: 1, at: 0 }));
            if !tokens.is_empty() {
                let state = first.state.clone();
                sources.push(Source { number, state, tokens: tokens.into_iter() });
            }
        }
        begun.push(Some(Group { rows: first_rows }));
        waiting.push(Some(Producer { sources, window: STEP.div_ceil(rows.max(1)), windows: 0 }));
    }
    let tasks =
        Producers { waiting, ready: (0..groups).map(|_| None).collect(), spare: Vec::new() };
    crew::run(network, Threads::of(network, threads, groups), tasks, |crew| {
        coder(&mut WindowPipeline { crew, begun, open: vec![true; groups] })
    })
}
