//! Computes a model while a decoder decodes. (For encoders: [`windows`](super::windows).)
//!
//! A block's streams are in groups ([`scheduler`](super::scheduler)). The coder takes the groups in
//! order; a group whose tokens are coded goes back to be computed. So the order of coding never
//! depends on the threads.

use std::collections::VecDeque;
use std::sync::Arc;

use super::crew::{self, Crew, Tasks, Threads};
use super::scheduler::{self, BatchScheduler, Row};
use crate::error::CodecError;
use crate::lm::engine::{Engine, LmStream, Network};

type Group = scheduler::Group<LmStream>;

/// Rows that a group has at least, if there are enough: with fewer the model costs more for each.
const ROWS: usize = 8;
/// Rows that a group has at least for a model whose weights do not stay in cache.
const ROWS_LARGE: usize = 16;
/// Rows of a group whose step one thread computes as fast as if it shared it with others, and their
/// steps with them: with fewer, reading the weights takes longer than multiplying by them.
const ROWS_APART: usize = 8;

/// Groups whose tokens are coded, and those that are computed.
struct Groups {
    todo: VecDeque<(usize, Group)>,
    /// Each at its number.
    done: Vec<Option<Group>>,
}

impl Tasks for Groups {
    type Task = (usize, Group);

    fn next(&mut self) -> Option<Self::Task> {
        self.todo.pop_front()
    }

    fn compute(engine: &mut Engine, (_, group): &mut Self::Task) {
        let rows = group.rows.iter_mut().map(|row| (&mut row.stream, row.token));
        engine.step(&mut rows.collect::<Vec<_>>());
    }

    fn done(&mut self, (number, group): Self::Task) {
        self.done[number] = Some(group);
    }
}

/// The coder's side.
pub struct ModelPipeline<'a> {
    crew: Crew<'a, Groups>,
    /// Groups that have streams left.
    open: Vec<bool>,
}

impl BatchScheduler for ModelPipeline<'_> {
    type State = LmStream;

    fn groups(&self) -> usize {
        self.open.len()
    }

    fn take(&mut self, number: usize) -> Result<Option<Group>, CodecError> {
        let open = std::mem::take(&mut self.open[number]);
        Ok(open.then(|| self.crew.wait(|groups| groups.done[number].take())))
    }

    fn give(&mut self, number: usize, group: Group) {
        self.open[number] = true;
        self.crew.give(|groups| groups.todo.push_back((number, group)));
    }
}

/// Runs a coder of the streams of these numbers, which all begin as `first`, with `threads - 1` threads beside
/// it.
pub fn run<R>(
    network: &Arc<Network>,
    first: &LmStream,
    numbers: &[usize],
    threads: usize,
    coder: impl FnOnce(&mut ModelPipeline) -> R,
) -> R {
    let streams = numbers.len();
    let rows = if network.is_large() { ROWS_LARGE } else { ROWS };
    let threads = if network.is_shared() {
        Threads::of(network, threads, streams / ROWS_APART)
    } else {
        Threads::of(network, threads, streams)
    };
    let groups = match threads.workers {
        1 => 1,
        workers if streams >= 2 * workers * rows => streams / rows,
        workers => workers,
    };
    let group = |group: usize| {
        let numbers = &numbers[streams * group / groups..streams * (group + 1) / groups];
        let rows = numbers.iter().map(|number| Row::new(*number, first.clone())).collect();
        Some(Group { rows })
    };
    let tasks = Groups { todo: VecDeque::new(), done: (0..groups).map(group).collect() };
    crew::run(network, threads, tasks, |crew| {
        coder(&mut ModelPipeline { crew, open: vec![true; groups] })
    })
}
