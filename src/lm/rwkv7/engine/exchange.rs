//! What threads that share the rows of a step tell each other.

use std::ops::Range;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::exact::kernel::Lanes;

/// How often a waiting thread looks before it lets others run: a few microseconds. Where another
/// program has the other core, the thread that is waited for may be behind this one on the same
/// core.
pub const PATIENCE: usize = 1 << 8;

/// Meeting point of a group of threads.
#[derive(Debug)]
pub struct Exchange {
    /// By turns, one for each thread: what it has to tell. Two, so that nobody overwrites what
    /// another still reads.
    slots: [Vec<RwLock<Vec<Lanes>>>; 2],
    /// How many threads have arrived, ever.
    arrived: AtomicUsize,
    /// A thread has panicked: the others must not wait for it.
    broken: AtomicBool,
}

impl Exchange {
    pub fn new(threads: usize) -> Self {
        let slots = || (0..threads).map(|_| RwLock::default()).collect();
        Self {
            slots: [slots(), slots()],
            arrived: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// Says that a thread will not arrive.
    pub fn break_off(&self) {
        self.broken.store(true, Ordering::Release);
    }

    /// Waits until every thread is here.
    fn meet(&self, threads: usize) {
        let before = self.arrived.fetch_add(1, Ordering::AcqRel);
        let all = (before / threads + 1) * threads;
        let mut looks = 0;
        while self.arrived.load(Ordering::Acquire) < all {
            assert!(
                !self.broken.load(Ordering::Acquire),
                "another thread of the engine has panicked"
            );
            looks += 1;
            if looks < PATIENCE { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

/// A thread of a group that shares rows, or one that works alone.
#[derive(Debug)]
pub struct Member<'a> {
    exchange: Option<&'a Exchange>,
    pub index: usize,
    pub of: usize,
    turn: usize,
}

impl<'a> Member<'a> {
    pub const ALONE: Self = Self { exchange: None, index: 0, of: 1, turn: 0 };

    pub fn new(exchange: &'a Exchange, index: usize, of: usize) -> Self {
        Self { exchange: Some(exchange), index, of, turn: 0 }
    }

    /// Each thread has computed its part of the rows of `x`, `[rows][stride]`: `parts` says which
    /// lines. Afterwards all have all.
    pub fn gather(
        &mut self,
        x: &mut [Lanes],
        rows: usize,
        stride: usize,
        parts: impl Fn(usize) -> Range<usize>,
    ) {
        let Some(exchange) = self.exchange else { return };
        let slots = &exchange.slots[self.turn];
        self.turn ^= 1;
        {
            let mut mine = slots[self.index].write().expect("no thread panics while it writes");
            mine.clear();
            for row in x.chunks_exact(stride).take(rows) {
                mine.extend_from_slice(&row[parts(self.index)]);
            }
        }
        exchange.meet(self.of);
        for (i, slot) in slots[..self.of].iter().enumerate().filter(|(i, _)| *i != self.index) {
            let theirs = slot.read().expect("no thread panics while it writes");
            let part = parts(i);
            if part.is_empty() {
                continue;
            }
            for (row, from) in x.chunks_exact_mut(stride).zip(theirs.chunks_exact(part.len())) {
                row[part.clone()].copy_from_slice(from);
            }
        }
    }
}
