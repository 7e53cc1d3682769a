//! Work on a few things at once.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;

use crate::exact::fpstate::exact;

/// How many things are done at once where so many threads are asked for: no more than the machine
/// has processors, since what waits for a processor needs as much memory as what has one.
pub fn at_once(threads: usize) -> usize {
    static PROCESSORS: OnceLock<Option<usize>> = OnceLock::new();
    let processors =
        PROCESSORS.get_or_init(|| thread::available_parallelism().ok().map(usize::from));
    threads.clamp(1, processors.unwrap_or(usize::MAX).max(1)).min(MOST)
}

/// Things are never more at once than this, where nobody knows how many processors there are.
const MOST: usize = 1024;

/// Applies `work` to each item, all at the same time: one on this thread, a thread for each other,
/// in the standard floating-point state. A single item needs no threads, so that targets without
/// them can do all but more than that. What there is no thread for, because the system gives no
/// more, is done on this one.
pub fn map<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let mut items = items.into_iter();
    let Some(first) = items.next() else { return Vec::new() };
    let work = &work;
    // Who is to do an item takes it from its place, so that it is still there if no thread could be
    // begun.
    let places: Vec<Mutex<Option<T>>> = items.map(|item| Mutex::new(Some(item))).collect();
    let take = |place: &Mutex<Option<T>>| place.lock().ok().and_then(|mut item| item.take());
    thread::scope(|scope| {
        let begin = |place| {
            thread::Builder::new()
                .spawn_scoped(scope, move || exact(|_| take(place).map(work)))
                .ok()
        };
        let running: Vec<_> = places.iter().map(begin).collect();
        let mut out = vec![work(first)];
        for (thread, place) in running.into_iter().zip(&places) {
            let done = match thread {
                Some(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                None => take(place).map(work),
            };
            out.extend(done);
        }
        out
    })
}

/// Applies `work` to each item, so many at the same time, and gives the results in order: whoever
/// is done takes the next item, so items may take unlike long. After an error no other item begins;
/// the error that comes out is the first one in order of those that there are.
pub fn each<T: Sync, R: Send, E: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let run = |()| {
        let mut done = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else { break };
            let result = work(item);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            done.push((number, result));
        }
        done
    };
    let threads = threads.clamp(1, items.len().max(1));
    let mut done: Vec<_> = map(vec![(); threads], run).into_iter().flatten().collect();
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Applies `work` to each item, as many at the same time as keep so many threads busy; it is told
/// how many it has. `uses`: how many threads an item keeps busy. Items that use equally many are at
/// work together.
pub fn share<T: Send, R: Send>(
    items: Vec<T>,
    threads: usize,
    uses: impl Fn(&T) -> usize,
    work: impl Fn(T, usize) -> R + Sync,
) -> Vec<R> {
    let mut waiting: Vec<_> =
        items.into_iter().map(|item| (uses(&item).max(1), item)).enumerate().collect();
    waiting.sort_by_key(|(_, (uses, _))| *uses);
    let mut done = Vec::new();
    while let Some((_, (uses, _))) = waiting.first() {
        let alike = waiting.iter().take_while(|(_, (others, _))| others == uses).count();
        let together = threads.div_ceil(*uses).clamp(1, alike);
        let batch = waiting.drain(..together).collect();
        done.extend(map(batch, |(number, (_, item))| {
            (number, work(item, (threads / together).max(1)))
        }));
    }
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_is_done_once_and_in_order() {
        let items: Vec<u32> = (0..100).collect();
        for threads in [0, 1, 3, 200] {
            let done = each(&items, threads, |x| Ok::<_, ()>(x * 2)).unwrap();
            assert_eq!(done, items.iter().map(|x| x * 2).collect::<Vec<_>>());
        }
        let most = |x: &u32| if *x < 40 { Ok(*x) } else { Err(*x) };
        assert_eq!(each(&items, 1, most), Err(40));
        assert!(each(&items, 4, most).is_err());
        assert_eq!(each(&[], 4, most), Ok(vec![]));
    }

    #[test]
    fn threads_are_shared() {
        let run = |items: &[usize], threads| {
            share(items.to_vec(), threads, |n| *n, |n, threads| (n, threads))
        };
        assert_eq!(run(&[2, 1, 2, 1], 2), [(2, 2), (1, 1), (2, 2), (1, 1)]);
        assert_eq!(run(&[2, 2, 2], 4), [(2, 2), (2, 2), (2, 4)]);
        assert_eq!(run(&[2, 1], 7), [(2, 7), (1, 7)]);
        assert_eq!(run(&[4, 4], 1), [(4, 1), (4, 1)]);
        assert_eq!(run(&[], 3), []);
    }
}
