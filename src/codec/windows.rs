//! The threads that compute a model ahead of an encoder.
//!
//! An encoder knows what its streams read. So a stream's next tokens are read in one step of the
//! engine, as a window, and no thread has to wait until the coder has coded them. The streams are
//! in groups, as in a decoder ([`pipeline`](super::pipeline)); each group has at most one window
//! that waits for the coder. The order of coding is that of the decoder.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::vec::IntoIter;

use super::scheduler::{self, BatchScheduler, Reading, Row, Sums};
use super::streams::{Next, Streams};
use crate::error::CodecError;
use crate::exact::fpstate::exact;
use crate::lm::rwkv7::{Engine, LmOutput, LmState, LmStream, Network, Window};
use crate::vocab::Token;
use std::ops::Range;

/// Tokens of a step of the engine, all streams of a group together: with fewer the model costs more
/// for each, with more their outputs leave the cache before they are coded.
const STEP: usize = 32;

/// The tokens of each stream, in the order in which [`steps`](super::steps) codes them.
pub fn tokens<I: Iterator<Item = (usize, Range<usize>)>>(
    mut reading: impl Reading,
    mut streams: Streams<I>,
    raw: &[u8],
) -> Vec<Vec<Token>> {
    let mut out = vec![Vec::new(); streams.count()];
    let mut open: Vec<usize> = (0..out.len()).collect();
    while !open.is_empty() {
        open.retain(|&number| {
            let place = streams.at(number);
            let token = reading.next(place.stripe, &raw[place.left.clone()]);
            out[number].push(token);
            let bytes = reading.vocabulary().token(token).len();
            streams.advance(number, token, bytes) != Next::End
        });
    }
    out
}

/// What the model says of the next tokens of a stream.
pub struct Ahead {
    outputs: Vec<LmOutput>,
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

struct State {
    /// The groups that nobody computes now, each at its number.
    producers: Vec<Option<Producer>>,
    /// The window that waits for the coder.
    ready: Vec<Option<Group>>,
    /// Room for outputs.
    spare: Vec<LmOutput>,
    /// The work is done, or has failed.
    over: bool,
}

impl State {
    /// A group that can be computed, the least advanced first, with room for its outputs.
    fn task(&mut self) -> Option<(usize, Producer, Vec<LmOutput>)> {
        let waits = |number: &usize| {
            self.ready[*number].is_none()
                && self.producers[*number].as_ref().is_some_and(|p| !p.sources.is_empty())
        };
        let windows = |number: &usize| self.producers[*number].as_ref().map(|p| p.windows);
        let number = (0..self.ready.len()).filter(waits).min_by_key(windows)?;
        let producer = self.producers[number].take()?;
        let room = producer.sources.len() * producer.window;
        let spare = self.spare.split_off(self.spare.len().saturating_sub(room));
        Some((number, producer, spare))
    }
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Computes the next window of a group.
    fn compute(
        &self,
        engine: &mut Engine,
        (number, mut producer, mut spare): (usize, Producer, Vec<LmOutput>),
    ) {
        let config = engine.network().config;
        let mut output = || spare.pop().unwrap_or_else(|| LmOutput::new(&config));
        let rows = producer.sources.iter().map(|source| {
            let length = producer.window.min(source.tokens.len());
            let outputs = (0..length).map(|_| output()).collect();
            Row::new(source.number, Ahead { outputs, at: 0 })
        });
        let mut group = Group { rows: rows.collect() };
        let windows = producer.sources.iter_mut().zip(&mut group.rows).map(|(source, row)| {
            let outputs = &mut row.stream.outputs[..];
            let tokens = &source.tokens.as_slice()[..outputs.len()];
            Window { state: &mut source.state, tokens, outputs }
        });
        engine.read(&mut windows.collect::<Vec<_>>());
        for (source, row) in producer.sources.iter_mut().zip(&group.rows) {
            source.tokens.by_ref().take(row.stream.outputs.len()).for_each(drop);
        }
        producer.sources.retain(|source| source.tokens.len() > 0);
        producer.windows += 1;
        let mut state = self.lock();
        state.ready[number] = Some(group);
        state.producers[number] = Some(producer);
        drop(state);
        self.changed.notify_all();
    }
}

/// The coder's side.
pub struct WindowPipeline<'a> {
    shared: &'a Shared,
    engine: Engine,
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
        if let Some(group) = self.begun[number].take() {
            return Ok(Some(group));
        }
        let mut state = self.shared.lock();
        loop {
            if let Some(group) = state.ready[number].take() {
                drop(state);
                self.shared.changed.notify_all();
                return Ok(Some(group));
            }
            assert!(!state.over, "a thread that computes the model has panicked");
            if let Some(task) = state.task() {
                drop(state);
                self.shared.compute(&mut self.engine, task);
                state = self.shared.lock();
            } else {
                state = self.shared.wait(state);
            }
        }
    }

    fn give(&mut self, number: usize, mut group: Group) {
        self.open[number] = true;
        // Rows are as long as the window, but for those that end in it.
        let mut used = true;
        for row in &mut group.rows {
            row.stream.at += 1;
            used = row.stream.at == row.stream.outputs.len();
        }
        if used {
            let outputs = group.rows.into_iter().flat_map(|row| row.stream.outputs);
            self.shared.lock().spare.extend(outputs);
        } else {
            self.begun[number] = Some(group);
        }
    }
}

/// Tells all threads to end, however the coder ends; and the coder, if one of them panics.
struct Over<'a>(&'a Shared);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.lock().over = true;
        self.0.changed.notify_all();
    }
}

fn help(shared: &Shared, network: &Arc<Network>) {
    let _over = Over(shared);
    let mut engine = Engine::new(Arc::clone(network));
    let mut state = shared.lock();
    while !state.over {
        if let Some(task) = state.task() {
            drop(state);
            shared.compute(&mut engine, task);
            state = shared.lock();
        } else {
            state = shared.wait(state);
        }
    }
}

/// Runs a coder of streams that all begin as `first` and read these tokens, with `threads - 1`
/// threads beside it.
pub fn run<R>(
    network: &Arc<Network>,
    first: &LmStream,
    tokens: Vec<Vec<Token>>,
    threads: usize,
    coder: impl FnOnce(&mut WindowPipeline) -> R,
) -> R {
    let streams = tokens.len();
    let groups = threads.clamp(1, streams.max(1));
    let mut tokens = tokens.into_iter().enumerate();
    let mut state = State {
        producers: Vec::new(),
        ready: (0..groups).map(|_| None).collect(),
        spare: Vec::new(),
        over: false,
    };
    let mut begun = Vec::new();
    for group in 0..groups {
        let rows = streams * (group + 1) / groups - streams * group / groups;
        let mut sources = Vec::new();
        let mut first_rows = Vec::new();
        for (number, mut tokens) in tokens.by_ref().take(rows) {
            // What is said of the first token is known, and nothing comes behind the last.
            tokens.pop();
            let outputs = vec![first.output.clone()];
            first_rows.push(Row::new(number, Ahead { outputs, at: 0 }));
            if !tokens.is_empty() {
                let state = first.state.clone();
                sources.push(Source { number, state, tokens: tokens.into_iter() });
            }
        }
        begun.push(Some(Group { rows: first_rows }));
        let window = STEP.div_ceil(rows.max(1));
        state.producers.push(Some(Producer { sources, window, windows: 0 }));
    }
    let shared = Shared { state: Mutex::new(state), changed: Condvar::new() };
    thread::scope(|scope| {
        let over = Over(&shared);
        for _ in 1..threads {
            // Where the system gives no more threads, those that there are do all the work.
            if thread::Builder::new()
                .spawn_scoped(scope, || exact(|_| help(&shared, network)))
                .is_err()
            {
                break;
            }
        }
        let engine = Engine::new(Arc::clone(network));
        let open = vec![true; groups];
        let mut pipeline = WindowPipeline { shared: &shared, engine, begun, open };
        let result = coder(&mut pipeline);
        drop(over);
        result
    })
}
