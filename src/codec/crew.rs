//! Threads that compute a model for a coder.
//!
//! What there is to do is a [`Tasks`]: a decoder's groups that wait to be computed
//! ([`pipeline`](super::pipeline)), or windows of an encoder ([`windows`](super::windows)). Who
//! waits for something does the next task meanwhile, the coder too, so that none rests while there
//! is something to compute.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::exact::fpstate::exact;
use crate::lm::engine::{Engine, Network};

/// What is to be computed, and what has been.
pub trait Tasks: Send {
    type Task;

    /// The next thing that can be computed now.
    fn next(&mut self) -> Option<Self::Task>;

    /// Computes it; others work meanwhile.
    fn compute(engine: &mut Engine, task: &mut Self::Task);

    /// Takes back what was computed.
    fn done(&mut self, task: Self::Task);
}

struct State<T> {
    tasks: T,
    /// The work is done, or has failed.
    over: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

impl<T: Tasks> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works until `get` finds something, or all is over.
    fn work<R>(&self, engine: &mut Engine, get: impl Fn(&mut T) -> Option<R>) -> Option<R> {
        let mut state = self.lock();
        loop {
            if let Some(got) = get(&mut state.tasks) {
                return Some(got);
            }
            if state.over {
                return None;
            }
            if let Some(mut task) = state.tasks.next() {
                drop(state);
                T::compute(engine, &mut task);
                state = self.lock();
                state.tasks.done(task);
                self.changed.notify_all();
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// Tells all threads to end, however the coder ends; and the coder, if one of them panics.
struct Over<'a, T: Tasks>(&'a Shared<T>);

impl<T: Tasks> Drop for Over<'_, T> {
    fn drop(&mut self) {
        self.0.lock().over = true;
        self.0.changed.notify_all();
    }
}

/// The coder's side.
pub struct Crew<'a, T> {
    shared: &'a Shared<T>,
    engine: Engine,
}

impl<T: Tasks> Crew<'_, T> {
    /// What `get` finds among what has been computed, as soon as it does; computes meanwhile.
    ///
    /// # Panics
    ///
    /// If a thread that computes has panicked.
    pub fn wait<R>(&mut self, get: impl Fn(&mut T) -> Option<R>) -> R {
        let got = self.shared.work(&mut self.engine, get);
        self.shared.changed.notify_all(); // what was taken may make room
        got.expect("no thread that computes the model has panicked")
    }

    /// Gives something to be computed.
    pub fn give(&self, give: impl FnOnce(&mut T)) {
        give(&mut self.shared.lock().tasks);
        self.shared.changed.notify_all();
    }
}

/// Threads of a crew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threads {
    /// Who takes tasks: the coder and others beside it.
    pub workers: usize,
    /// How many threads each of them has for a task.
    pub each: usize,
}

impl Threads {
    /// Some threads for so many tasks at once, at most as many workers as there are tasks. Those
    /// that are more share the tasks' steps, where the model's can be shared.
    pub fn of(network: &Network, threads: usize, tasks: usize) -> Self {
        let workers = threads.clamp(1, tasks.max(1));
        Self { workers, each: if network.is_shared() { (threads / workers).max(1) } else { 1 } }
    }
}

/// Runs a coder with others beside it.
pub fn run<T: Tasks, R>(
    network: &Arc<Network>,
    threads: Threads,
    tasks: T,
    coder: impl FnOnce(Crew<T>) -> R,
) -> R {
    let engine = || Engine::with_threads(Arc::clone(network), threads.each);
    let state = Mutex::new(State { tasks, over: false });
    let shared = Shared { state, changed: Condvar::new() };
    let help = || {
        let _over = Over(&shared);
        exact(|_| shared.work(&mut engine(), |_| None::<()>));
    };
    thread::scope(|scope| {
        let over = Over(&shared);
        for _ in 1..threads.workers {
            // Where the system gives no more threads, those that there are do all the work.
            if thread::Builder::new().spawn_scoped(scope, help).is_err() {
                break;
            }
        }
        let result = coder(Crew { shared: &shared, engine: engine() });
        drop(over);
        result
    })
}
