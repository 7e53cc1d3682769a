//! The threads that compute a model while the coder codes.
//!
//! A block's streams are in groups. The coder takes the groups in order; a group whose tokens are coded goes back
//! to be computed. Who waits for a group computes one meanwhile. So the order of coding never depends on the
//! threads, and none of them rests while there is something to compute.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::lm::rwkv7::{Engine, Network, Stream};
use crate::vocab::{START, Token};

/// Rows a group has at least, if there are enough: with fewer the model costs more for each.
const ROWS: usize = 16;

/// A stream of the block and the token that it read last, or reads next; what it begins with counts as [`START`].
pub struct Row {
    pub number: usize,
    pub stream: Stream,
    pub token: Token,
}

/// Streams that are computed together.
pub struct Group {
    pub rows: Vec<Row>,
}

#[derive(Default)]
struct State {
    todo: VecDeque<(usize, Group)>,
    /// Of each group: what it is, when it is not to be computed.
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
pub struct Crew<'a> {
    shared: &'a Shared,
    engine: Engine,
    /// Groups that have streams left.
    open: Vec<bool>,
}

impl Crew<'_> {
    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.open.len()
    }

    /// A group whose streams have been computed; nothing if they have all ended.
    pub fn take(&mut self, number: usize) -> Option<Group> {
        if !std::mem::take(&mut self.open[number]) {
            return None;
        }
        let mut state = self.shared.lock();
        loop {
            if let Some(group) = state.done[number].take() {
                return Some(group);
            }
            assert!(!state.over, "a thread that computes the model has panicked");
            match state.todo.pop_front() {
                Some((number, mut group)) => {
                    drop(state);
                    compute(&mut self.engine, &mut group);
                    state = self.shared.lock();
                    state.done[number] = Some(group);
                }
                None => state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Gives a group back, to be computed.
    pub fn give(&mut self, number: usize, group: Group) {
        self.open[number] = true;
        self.shared.lock().todo.push_back((number, group));
        self.shared.changed.notify_all();
    }
}

impl Crew<'_> {
    /// Streams in order, step by step, until all have ended: `code` codes a row's next token, and tells whether more of its
    /// stream follows.
    pub fn steps<E>(&mut self, mut code: impl FnMut(&mut Row) -> Result<bool, E>) -> Result<(), E> {
        while self.open.contains(&true) {
            for number in 0..self.groups() {
                let Some(mut group) = self.take(number) else { continue };
                let mut result = Ok(());
                group.rows.retain_mut(|row| match result.as_ref().map_or(Ok(false), |()| code(row)) {
                    Ok(goes_on) => goes_on,
                    Err(error) => {
                        result = Err(error);
                        false
                    }
                });
                result?;
                if !group.rows.is_empty() {
                    self.give(number, group);
                }
            }
        }
        Ok(())
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
    let mut engine = Engine::new(Arc::clone(network), 1);
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

/// Runs a coder of so many streams that all begin as `first`, with `threads - 1` threads beside it.
pub fn work<R>(
    network: &Arc<Network>,
    first: &Stream,
    streams: usize,
    threads: usize,
    coder: impl FnOnce(&mut Crew) -> R,
) -> R {
    let threads = threads.clamp(1, streams.max(1));
    let groups = match threads {
        1 => 1,
        _ if streams >= 2 * threads * ROWS => streams / ROWS,
        _ => threads,
    };
    let engine = Engine::new(Arc::clone(network), 1);
    let mut state = State::default();
    for group in 0..groups {
        let numbers = streams * group / groups..streams * (group + 1) / groups;
        let rows = numbers.map(|number| Row { number, stream: first.clone(), token: START }).collect();
        state.done.push(Some(Group { rows }));
    }
    let shared = Shared { state: Mutex::new(state), changed: Condvar::new() };
    thread::scope(|scope| {
        let over = Over(&shared);
        for _ in 1..threads {
            scope.spawn(|| help(&shared, network));
        }
        let mut crew = Crew { shared: &shared, engine, open: vec![true; groups] };
        let result = coder(&mut crew);
        drop(over);
        result
    })
}
