//! Threads that stay, and get their work by handing it over: a task owns what it works on and comes
//! back.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};

use super::exchange::{Exchange, Member, PATIENCE};
use super::forward::{Forward, Scratch};
use super::network::Network;
use super::stream::Stream;
use crate::exact::fpstate;
use crate::vocab::Token;

/// How often a waiting thread lets others run before it sleeps: some tens of microseconds, which
/// waking takes too.
const SLEEP: usize = PATIENCE + 128;

/// What a worker does in a step.
pub struct Task {
    pub network: Arc<Network>,
    pub rows: Vec<(Stream, Token)>,
    /// The others of the group, if rows are shared, this worker's number among them, and theirs.
    pub group: Option<(Arc<Exchange>, usize, usize)>,
    /// Who waits for the result.
    pub caller: Thread,
}

const IDLE: u32 = 0;
const READY: u32 = 1;
const DONE: u32 = 2;
const QUIT: u32 = 3;

/// What a caller and a worker share.
struct Desk {
    state: AtomicU32,
    task: Mutex<Option<Task>>,
    result: Mutex<Option<thread::Result<Task>>>,
}

impl Desk {
    /// Waits for one of two states.
    fn wait(&self, one: u32, other: u32) -> u32 {
        let mut looks = 0;
        loop {
            let state = self.state.load(Ordering::Acquire);
            if state == one || state == other {
                return state;
            }
            looks += 1;
            match looks {
                ..PATIENCE => std::hint::spin_loop(),
                PATIENCE..SLEEP => thread::yield_now(),
                _ => thread::park(),
            }
        }
    }
}

/// A thread and its desk.
pub struct Worker {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub fn new() -> std::io::Result<Self> {
        let desk = Arc::new(Desk {
            state: AtomicU32::new(IDLE),
            task: Mutex::default(),
            result: Mutex::default(),
        });
        let its = Arc::clone(&desk);
        let thread = thread::Builder::new().name("lmz-engine".into()).spawn(move || work(&its))?;
        Ok(Self { desk, thread: Some(thread) })
    }

    /// Begins a task.
    pub fn begin(&self, task: Task) {
        *self.desk.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        self.desk.state.store(READY, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// Waits for its end.
    pub fn end(&self) -> thread::Result<Task> {
        self.desk.wait(DONE, DONE);
        self.desk.state.store(IDLE, Ordering::Release);
        let mut result = self.desk.result.lock().unwrap_or_else(PoisonError::into_inner);
        result.take().expect("a result lies there when the state says so")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.desk.state.store(QUIT, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // Panics of tasks have been handed to their callers.
            let _ = thread.join();
        }
    }
}

fn work(desk: &Desk) {
    let mut scratch = Scratch::default();
    while desk.wait(READY, QUIT) == READY {
        let task = desk.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(task) = task else { return };
        let caller = task.caller.clone();
        let group = task.group.clone();
        let result = catch_unwind(AssertUnwindSafe(|| run(task, &mut scratch)));
        if let (Err(_), Some((exchange, ..))) = (&result, &group) {
            exchange.break_off();
        }
        *desk.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        desk.state.store(DONE, Ordering::Release);
        caller.unpark();
    }
}

fn run(mut task: Task, scratch: &mut Scratch) -> Task {
    let mut rows: Vec<(&mut Stream, Token)> = task.rows.iter_mut().map(|(s, t)| (s, *t)).collect();
    let member = task
        .group
        .as_ref()
        .map_or(Member::ALONE, |(exchange, index, of)| Member::new(exchange, *index, *of));
    fpstate::exact(|fp| {
        Forward { fp, network: &task.network, rows: &mut rows, scratch, member }.run()
    });
    task
}

/// Runs the caller's own part while workers do theirs. A panic of any of them goes on here.
pub fn together(
    workers: &[Worker],
    tasks: Vec<Task>,
    own: impl FnOnce(),
    broken: impl FnOnce(),
) -> Vec<Task> {
    let count = tasks.len();
    for (worker, task) in workers.iter().zip(tasks) {
        worker.begin(task);
    }
    let own = catch_unwind(AssertUnwindSafe(own));
    if own.is_err() {
        broken();
    }
    // All have to end before anything goes on.
    let results: Vec<_> = workers[..count].iter().map(Worker::end).collect();
    if let Err(panic) = own {
        resume_unwind(panic);
    }
    results.into_iter().map(|result| result.unwrap_or_else(|panic| resume_unwind(panic))).collect()
}
