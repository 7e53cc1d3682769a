//! Work on a few things at once.

use std::panic::resume_unwind;
use std::thread;

/// Applies `work` to each item, all at the same time: one on this thread, a thread for each other. A
/// single item needs no threads, so that targets without them can do all but more than that.
pub fn map<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let mut items = items.into_iter();
    let Some(first) = items.next() else { return Vec::new() };
    let work = &work;
    thread::scope(|scope| {
        let running: Vec<_> = items.map(|item| scope.spawn(move || work(item))).collect();
        let mut out = vec![work(first)];
        out.extend(running.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))));
        out
    })
}
