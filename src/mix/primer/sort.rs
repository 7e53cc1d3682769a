//! The updates of the table by a primer, sorted by lines: first into buckets of lines, then each
//! bucket by its lines.

use std::sync::OnceLock;

use super::super::contexts::{CONTEXTS, Contexts};
use super::super::kernel::{MixJob, MixKernel};
use super::{CHECK, LONG, NIBBLE, PrimerLog};
use crate::exact::kernel::zeros;

/// log2 of the number of buckets that updates are sorted into first. A bucket's updates and counts
/// then stay in the nearest cache; more buckets would not.
const BUCKETS: u32 = 8;
/// Updates of a bucket that lie together.
const CHUNK: usize = 256;
/// Where the number of its line in the bucket begins, in an update that is in one.
const LINE_OF: u32 = 12;

/// What makes a log. Run by a kernel, because it makes 1.7 million hashes.
pub struct Sort<'a> {
    pub primer: &'a [u8],
    /// log2 of the lines of the table.
    pub bits: u32,
}

impl MixJob for Sort<'_> {
    type Output = PrimerLog;

    #[inline(always)]
    fn run<K: MixKernel>(self, _: K) -> PrimerLog {
        let Self { primer, bits } = self;
        let mut buckets = Buckets::new(primer.len() * 2 * CONTEXTS, bits);
        let mut contexts = Contexts::new(0, false);
        for (i, byte) in primer.iter().enumerate() {
            let (high, low) = (u32::from(byte >> 4), u32::from(byte & 15));
            let last = contexts.recent() as u32 & 3;
            let (early, hashes) = (*contexts.early(), *contexts.hashes());
            let line = |h: u32| h >> (32 - bits);
            buckets.put(early.map(line), early.map(|h| h ^ last << 1), high);
            let beside = (high >> 2) + 1;
            buckets.put(hashes.map(|h| line(h) ^ beside), hashes.map(|h| h ^ high << 1), low);
            contexts.look_ahead(u32::from(byte >> 2));
            contexts.push(primer, i + 1);
        }
        buckets.sort(bits)
    }
}

/// Updates sorted by ranges of lines. Bit 0 of an update is that of the update before it in the
/// bucket.
struct Buckets {
    /// log2 of the lines of a bucket.
    within: u32,
    /// Chunks of [`CHUNK`]; the first of a bucket is that of its number.
    updates: Vec<u32>,
    /// Where the first begins.
    begin: usize,
    /// The number of the chunk that a chunk goes on in.
    next: Vec<u32>,
    /// Chunks so far.
    chunks: u32,
    ends: [End; 1 << BUCKETS],
    /// Half bytes so far.
    half: u32,
}

/// Where a bucket's next update goes.
#[derive(Clone, Copy)]
struct End {
    at: u32,
    /// The half byte of its last update.
    half: u32,
}

impl Buckets {
    fn new(updates: usize, bits: u32) -> Self {
        // The last chunk of each bucket is not full.
        let most = (1 << BUCKETS) + updates / CHUNK;
        let (updates, begin) = zeros(most * CHUNK);
        let end = |bucket| End { at: (bucket * CHUNK) as u32, half: u32::MAX };
        Self {
            within: bits - BUCKETS,
            updates,
            begin,
            next: vec![0; most],
            chunks: 1 << BUCKETS,
            ends: std::array::from_fn(end),
            half: 0,
        }
    }

    /// The updates of a half byte, in the order of contexts.
    #[inline(always)]
    fn put(&mut self, lines: [u32; CONTEXTS], checks: [u32; CONTEXTS], nibble: u32) {
        let mask = (1 << self.within) - 1;
        let updates: [u32; CONTEXTS] = std::array::from_fn(|i| {
            (lines[i] & mask) << LINE_OF | (checks[i] & 254) >> 1 << CHECK | nibble << NIBBLE
        });
        for (line, update) in lines.into_iter().zip(updates) {
            let end = &mut self.ends[(line >> self.within) as usize % (1 << BUCKETS)];
            self.updates[self.begin + end.at as usize] = update | u32::from(end.half == self.half);
            *end = End { at: end.at + 1, half: self.half };
            if end.at.is_multiple_of(CHUNK as u32) {
                self.next[end.at as usize / CHUNK - 1] = self.chunks;
                end.at = self.chunks * CHUNK as u32;
                self.chunks += 1;
            }
        }
        self.half += 1;
    }

    /// The updates of a bucket, in parts.
    fn bucket(&self, bucket: usize) -> impl Iterator<Item = &[u32]> {
        let end = self.ends[bucket].at as usize;
        let mut chunk = Some(bucket);
        std::iter::from_fn(move || {
            let number = chunk?;
            let last = number == end / CHUNK;
            chunk = (!last).then(|| self.next[number] as usize);
            let to = if last { end } else { (number + 1) * CHUNK };
            Some(&self.updates[self.begin + number * CHUNK..self.begin + to])
        })
    }

    /// Sorts each bucket by its lines.
    fn sort(&self, bits: u32) -> PrimerLog {
        let mut updates = vec![0; self.half as usize * CONTEXTS];
        let mut starts = Vec::with_capacity((1 << bits) + 1);
        // Where the next update of a line goes, and the half byte of its last.
        let mut ends = vec![(0, 0); 1 << self.within];
        let mask = (1 << self.within) - 1;
        let (mut at, mut half) = (0, 0);
        for bucket in 0..1 << BUCKETS {
            ends.fill((0, 0));
            for part in self.bucket(bucket) {
                part.iter().for_each(|update| ends[(update >> LINE_OF) as usize & mask].0 += 1);
            }
            for (end, _) in &mut ends {
                starts.push(at);
                (*end, at) = (at, at + *end);
            }
            for part in self.bucket(bucket) {
                for update in part {
                    half += 1 - (update & 1);
                    let (end, last) = &mut ends[(update >> LINE_OF) as usize & mask];
                    let same = u32::from(*last == half);
                    updates[*end as usize] = (update & !1 | same) as u16 & ((1 << LINE_OF) - 1);
                    (*end, *last) = (*end + 1, half);
                }
            }
        }
        starts.push(at);
        let long = |line: usize| (starts[line + 1] - starts[line]) as usize >= LONG;
        let long = (0..1 << bits).filter(|line| long(*line));
        let long = long.map(|line| (line as u32, OnceLock::new())).collect();
        PrimerLog { bits, starts, updates, long, all: OnceLock::new() }
    }
}
