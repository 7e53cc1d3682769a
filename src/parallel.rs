//! Work on a few things at once.

use std::panic::resume_unwind;
use std::thread;

use crate::exact::fpstate::exact;

/// Applies `work` to each item, all at the same time: one on this thread, a thread for each other, in the
/// standard floating-point state. A
/// single item needs no threads, so that targets without them can do all but more than that.
pub fn map<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let mut items = items.into_iter();
    let Some(first) = items.next() else { return Vec::new() };
    let work = &work;
    thread::scope(|scope| {
        let running: Vec<_> = items.map(|item| scope.spawn(move || exact(|_| work(item)))).collect();
        let mut out = vec![work(first)];
        out.extend(running.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))));
        out
    })
}

/// Applies `work` to each item, as many at the same time as keep so many threads busy; it is told how many it has. `uses`: how
/// many threads an item keeps busy. Items that use equally many are at work together.
pub fn share<T: Send, R: Send>(
    items: Vec<T>,
    threads: usize,
    uses: impl Fn(&T) -> usize,
    work: impl Fn(T, usize) -> R + Sync,
) -> Vec<R> {
    let mut waiting: Vec<_> = items.into_iter().map(|item| (uses(&item).max(1), item)).enumerate().collect();
    waiting.sort_by_key(|(_, (uses, _))| *uses);
    let mut done = Vec::new();
    while let Some((_, (uses, _))) = waiting.first() {
        let alike = waiting.iter().take_while(|(_, (others, _))| others == uses).count();
        let together = threads.div_ceil(*uses).clamp(1, alike);
        let batch = waiting.drain(..together).collect();
        done.extend(map(batch, |(number, (_, item))| (number, work(item, (threads / together).max(1)))));
    }
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_shared() {
        let run = |items: &[usize], threads| share(items.to_vec(), threads, |n| *n, |n, threads| (n, threads));
        assert_eq!(run(&[2, 1, 2, 1], 2), [(2, 2), (1, 1), (2, 2), (1, 1)]);
        assert_eq!(run(&[2, 2, 2], 4), [(2, 2), (2, 2), (2, 4)]);
        assert_eq!(run(&[2, 1], 7), [(2, 7), (1, 7)]);
        assert_eq!(run(&[4, 4], 1), [(4, 1), (4, 1)]);
        assert_eq!(run(&[], 3), []);
    }
}
