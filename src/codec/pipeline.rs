//! The threads that compute a model while a decoder decodes. (For encoders: `windows`.)
//!
//! A block's streams are in groups ([`scheduler`](super::scheduler)). The coder takes the groups in
//! order; a group whose tokens are coded goes back to be computed. Who waits for a group computes
//! one meanwhile. So the order of coding never depends on the threads, and none of them rests while
//! there is something to compute.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::scheduler::{self, BatchScheduler, Row};
use crate::error::CodecError;
use crate::exact::fpstate::exact;
use crate::lm::rwkv7::{Engine, LmStream, Network};

type Group = scheduler::Group<LmStream>;

/// Rows that a group has at least, if there are enough: with fewer the model costs more for each.
const ROWS: usize = 4;
/// Rows that a group has at least for a model whose weights do not stay in cache.
const ROWS_LARGE: usize = 16;

#[derive(Default)]
struct State {
    todo: VecDeque<(usize, Group)>,
    /// The groups that are computed, each at its number.
    done: Vec<Option<Group>>,
    /// The work is done, or has failed.
    over: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The coder's side.
pub struct ModelPipeline<'a> {
    shared: &'a Shared,
    engine: Engine,
    /// Groups that have streams left.
    open: Vec<bool>,
}

impl BatchScheduler for ModelPipeline<'_> {
    type State = LmStream;

    fn groups(&self) -> usize {
        self.open.len()
    }

    fn take(&mut self, number: usize) -> Result<Option<Group>, CodecError> {
        if !std::mem::take(&mut self.open[number]) {
            return Ok(None);
        }
        let mut state = self.shared.lock();
        loop {
            if let Some(group) = state.done[number].take() {
                return Ok(Some(group));
            }
            assert!(!state.over, "a thread that computes the model has panicked");
            match state.todo.pop_front() {
                Some((number, mut group)) => {
                    drop(state);
                    compute(&mut self.engine, &mut group);
                    state = self.shared.lock();
                    state.done[number] = Some(group);
                }
                None => {
                    state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
                }
            }
        }
    }

    fn give(&mut self, number: usize, group: Group) {
        self.open[number] = true;
        self.shared.lock().todo.push_back((number, group));
        self.shared.changed.notify_all();
    }
}

fn compute(engine: &mut Engine, group: &mut Group) {
    let mut rows: Vec<_> = group.rows.iter_mut().map(|row| (&mut row.stream, row.token)).collect();
    engine.step(&mut rows);
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
    loop {
        let mut state = shared.lock();
        let (number, mut group) = loop {
            if state.over {
                return;
            }
            match state.todo.pop_front() {
                Some(task) => break task,
                None => state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(state);
        compute(&mut engine, &mut group);
        shared.lock().done[number] = Some(group);
        shared.changed.notify_all();
    }
}

/// Runs a coder of `streams` streams that all begin as `first`, with `threads - 1` threads beside
/// it.
pub fn run<R>(
    network: &Arc<Network>,
    first: &LmStream,
    streams: usize,
    threads: usize,
    coder: impl FnOnce(&mut ModelPipeline) -> R,
) -> R {
    let threads = threads.clamp(1, streams.max(1));
    let rows = if network.config.is_large() { ROWS_LARGE } else { ROWS };
    let groups = match threads {
        1 => 1,
        _ if streams >= 2 * threads * rows => streams / rows,
        _ => threads,
    };
    let engine = Engine::new(Arc::clone(network));
    let mut state = State::default();
    for group in 0..groups {
        let numbers = streams * group / groups..streams * (group + 1) / groups;
        let rows = numbers.map(|number| Row::new(number, first.clone())).collect();
        state.done.push(Some(Group { rows }));
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
        let mut pipeline = ModelPipeline { shared: &shared, engine, open: vec![true; groups] };
        let result = coder(&mut pipeline);
        drop(over);
        result
    })
}
