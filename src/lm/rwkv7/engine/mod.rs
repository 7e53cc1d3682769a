//! The model at full speed: many streams in lock step, with the bits of [`Oracle`](super::Oracle).
//!
//! Streams and the token that each reads come in ([`Engine::step`]); each stream then has the
//! prefix sums of its next token's frequencies. Weights are read once for all streams of a step.
//! What a stream gives depends on its own tokens alone: not on the other streams, their number,
//! threads, or the kernel.
//!
//! A stream is a value ([`Stream`]): begin one at any step, drop it at any step, and step any
//! subset. So while one half of the streams is in the engine, the other can be in the coder.

mod exchange;
mod forward;
mod frequencies;
mod heads;
mod lock_step;
mod network;
mod norms;
mod stream;
mod team;
mod timer;

use std::sync::Arc;

use exchange::{Exchange, Member};
use forward::{Forward, Scratch, heads_of};
pub use frequencies::RowSums;
pub use lock_step::LockStep;
pub use network::Network;
pub use norms::Row;
pub use stream::Stream;
use team::{Task, Worker, together};
pub use timer::{Part, Timer};

use super::{ModelError, Weights};
use crate::exact::fpstate;
use crate::exact::kernel::Kernel;

/// Threads share rows of a large model ([`Config::is_large`](super::Config::is_large)) if there are
/// fewer than this for each. They meet four times a layer, which costs more than it gains where a
/// step takes 0.1 ms, as base's does (BENCHMARKS.md).
const SHARED: usize = 5;

/// Computes a model on some threads.
pub struct Engine {
    network: Arc<Network>,
    workers: Vec<Worker>,
    scratch: Scratch,
    exchange: Arc<Exchange>,
    /// With fewer rows for each thread than this, threads share all rows.
    alone: usize,
}

impl Engine {
    /// Of a model that others may use too, on `threads` threads (at least 1): the caller's and new
    /// ones, as far as the system gives them.
    pub fn new(network: Arc<Network>, threads: usize) -> Self {
        let workers: Vec<Worker> = (1..threads).map_while(|_| Worker::new().ok()).collect();
        let exchange = Arc::new(Exchange::new(workers.len() + 1));
        let alone = if network.config.is_large() { SHARED } else { 0 };
        Self { network, workers, scratch: Scratch::default(), exchange, alone }
    }

    /// Packs a model for the kernel that is chosen ([`Kernel::chosen`]).
    pub fn from_weights(weights: &Weights, threads: usize) -> Result<Self, ModelError> {
        Ok(Self::new(Arc::new(Network::new(weights, Kernel::chosen()?)?), threads))
    }

    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// A new stream. Its first token is [`START`](crate::vocab::START).
    pub fn stream(&self) -> Stream {
        Stream::new(&self.network.config)
    }

    /// Rows a thread must have before threads work on rows of their own instead of sharing all: for
    /// measurements.
    #[doc(hidden)]
    pub fn set_alone(&mut self, rows: usize) {
        self.alone = rows;
    }

    /// Measures the parts of the work that the caller's thread does.
    #[doc(hidden)]
    pub fn timer(&mut self) -> &mut Timer {
        &mut self.scratch.timer
    }

    /// Each stream reads its token, a number below V.
    ///
    /// # Panics
    ///
    /// If a token is not below V, or a stream is of another model's shape.
    pub fn step(&mut self, rows: &mut [Row]) {
        if rows.is_empty() {
            return;
        }
        let threads = self.workers.len() + 1;
        if threads > 1 && rows.len() < self.alone * threads {
            self.share(rows);
        } else {
            self.split(rows);
        }
    }

    /// Each thread takes some rows.
    fn split(&mut self, rows: &mut [Row]) {
        let threads = (self.workers.len() + 1).min(rows.len());
        let per_thread = |i: usize| rows.len() * (i + 1) / threads - rows.len() * i / threads;
        let lengths: Vec<usize> = (0..threads).map(per_thread).collect();
        let (own, mut others) = rows.split_at_mut(lengths[0]);
        let mut lent = Vec::with_capacity(threads - 1);
        let mut tasks = Vec::with_capacity(threads - 1);
        for length in &lengths[1..] {
            let (part, rest) = others.split_at_mut(*length);
            tasks.push(
                self.task(part.iter_mut().map(|(s, t)| (std::mem::take(*s), *t)).collect(), None),
            );
            lent.push(part);
            others = rest;
        }
        let (network, scratch) = (&*self.network, &mut self.scratch);
        let run = || {
            fpstate::exact(|fp| {
                Forward { fp, network, rows: own, scratch, member: Member::ALONE }.run()
            })
        };
        for (part, task) in lent.into_iter().zip(together(&self.workers, tasks, run, || ())) {
            for (row, (stream, _)) in part.iter_mut().zip(task.rows) {
                *row.0 = stream;
            }
        }
    }

    /// Each thread takes a part of every row: some heads, some outputs.
    fn share(&mut self, rows: &mut [Row]) {
        let of = self.workers.len() + 1;
        let heads = |i| heads_of(&self.network.config, i, of);
        let part = |stream: &mut Stream, i: usize| {
            let first = stream.heads.len() - heads(i).len();
            Stream {
                last: stream.last.clone(),
                heads: stream.heads.split_off(first),
                ..Stream::default()
            }
        };
        let mut tasks = Vec::with_capacity(of - 1);
        // From the last to the first, because heads are taken from the end.
        for i in (1..of).rev() {
            let parts = rows.iter_mut().map(|(stream, token)| (part(stream, i), *token)).collect();
            tasks.push(self.task(parts, Some((Arc::clone(&self.exchange), i, of))));
        }
        let (network, scratch) = (&*self.network, &mut self.scratch);
        let member = Member::new(&self.exchange, 0, of);
        let run = || fpstate::exact(|fp| Forward { fp, network, rows, scratch, member }.run());
        let done = together(&self.workers, tasks, run, || self.exchange.break_off());
        for task in done.into_iter().rev() {
            for (row, (mut part, _)) in rows.iter_mut().zip(task.rows) {
                row.0.heads.append(&mut part.heads);
            }
        }
    }

    fn task(
        &self,
        rows: Vec<(Stream, crate::vocab::Token)>,
        group: Option<(Arc<Exchange>, usize, usize)>,
    ) -> Task {
        Task { network: Arc::clone(&self.network), rows, group, caller: std::thread::current() }
    }
}
