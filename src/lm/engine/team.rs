//! Threads that compute one step together.

use crate::exact::fpstate::{Exact, exact};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Pieces of work for each thread: more than one, so that a thread that the system keeps waiting
/// does not keep the others waiting.
const PIECES: usize = 2;

/// Threads that share the work of a step. What is computed does not depend on how many there are.
#[derive(Debug, Default)]
pub struct Team {
    /// None where one thread does everything.
    pool: Option<ThreadPool>,
}

impl Team {
    /// So many threads; one where the system gives no more.
    pub fn new(threads: usize) -> Self {
        let pool = || ThreadPoolBuilder::new().num_threads(threads).build().ok();
        Self { pool: if threads > 1 { pool() } else { None } }
    }

    /// Into how many pieces work is best cut.
    pub fn pieces(&self) -> usize {
        self.pool.as_ref().map_or(1, |pool| PIECES * pool.current_num_threads())
    }

    /// Runs what calls [`each`](Self::each), on a thread of the team.
    pub fn run<R: Send>(&self, f: impl FnOnce(Exact) -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(|| exact(f)),
            None => exact(f),
        }
    }

    /// Does something with each piece, in no particular order.
    pub fn each<T: Send>(&self, fp: Exact, pieces: Vec<T>, f: impl Fn(Exact, T) + Sync) {
        if self.pool.is_none() || pieces.len() < 2 {
            pieces.into_iter().for_each(|piece| f(fp, piece));
        } else {
            let pieces = pieces.into_par_iter().with_max_len(1);
            pieces.for_each(|piece| exact(|fp| f(fp, piece)));
        }
    }
}
