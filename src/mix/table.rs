//! The hash table of bit histories: a cache line holds four slots, each for a context and half a
//! byte.

use super::history::State;
use super::kernel::prefetch;
use super::primer::Unread;
use crate::exact::kernel::zeros;

/// A check byte and the 15 histories that the four bits of half a byte walk through: node 1 is the
/// root, the children of node n are 2n and 2n + 1.
pub type Slot = [State; 16];

/// Bytes of a line: four slots.
pub const LINE: usize = 64;

/// Bit histories by hashed context. The four slots of a line are looked through together.
pub struct Table {
    bytes: Vec<u8>,
    /// log2 of the number of lines.
    bits: u32,
    /// Bytes left out at the beginning, so that a line is a cache line.
    skip: u32,
    /// What lines that were not looked at yet have to read first.
    pub unread: Option<Unread>,
}

/// The number of a line.
#[derive(Clone, Copy)]
pub struct Line(u32);

impl Line {
    #[cfg(test)]
    pub fn number(self) -> usize {
        self.0 as usize
    }

    /// One of the neighbours, in the same page of memory. `by`: less than 64.
    #[inline(always)]
    pub fn beside(self, by: u32) -> Self {
        Self(self.0 ^ by)
    }
}

/// Where a slot is.
pub type Place = u32;

impl Table {
    /// A table of 2^`log2` bytes, at least 64 lines, at most 2^31.
    pub fn new(log2: u32) -> Self {
        let bits = log2.clamp(12, 31) - LINE.ilog2();
        let (bytes, skip) = zeros(LINE << bits);
        Self { bytes, bits, skip: skip as u32, unread: None }
    }

    /// log2 of the number of lines.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Takes the memory, and leaves nothing.
    pub fn take(&mut self) -> Self {
        let (bytes, unread) = (std::mem::take(&mut self.bytes), self.unread.take());
        Self { bytes, unread, bits: self.bits, skip: self.skip }
    }

    /// All lines.
    pub fn lines_mut(&mut self) -> &mut [[u8; LINE]] {
        let bytes = self.lines();
        self.bytes[bytes].as_chunks_mut().0
    }

    fn lines(&self) -> std::ops::Range<usize> {
        self.skip as usize..self.skip as usize + (LINE << self.bits)
    }

    /// Prepares lines to be looked at: what is looked at for the first time has to have read the
    /// primer.
    #[inline(always)]
    pub fn prepare(&mut self, lines: impl IntoIterator<Item = Line>) {
        if let Some(unread) = &mut self.unread {
            let all = self.bytes[self.skip as usize..].as_chunks_mut().0;
            for line in lines {
                unread.read(all, line.0 as usize);
            }
        }
    }

    /// The line that a hash names: by its upper bits.
    #[inline(always)]
    pub fn line(&self, hash: u32) -> Line {
        Line(hash >> (32 - self.bits))
    }

    #[inline(always)]
    fn at(&self, line: Line) -> usize {
        line.0 as usize * LINE + self.skip as usize
    }

    /// The slot of a line that has a check, made if it is not there: the slot that has seen least
    /// gives way.
    #[inline(always)]
    pub fn find(&mut self, line: Line, check: u32) -> Place {
        let at = self.at(line);
        let check = check as u8 | 1; // never 0, which is an empty slot's
        let Some(line) = self.bytes[at..].first_chunk_mut::<LINE>() else { return 0 };
        at as u32 + find(line, check) * 16
    }

    /// Begins to load a line.
    #[inline(always)]
    pub fn prefetch(&self, line: Line) {
        prefetch(&self.bytes[self.at(line)]);
    }

    #[inline(always)]
    pub fn slot(&mut self, place: Place) -> &mut Slot {
        self.bytes[place as usize..].first_chunk_mut().expect("places are those of whole slots")
    }
}

/// The slot of a line that has a check, made if it is not there: the slot that has seen least gives
/// way.
#[inline(always)]
pub fn find(line: &mut [u8; LINE], check: u8) -> u32 {
    let slots = line.as_chunks_mut::<16>().0;
    let same = |i: usize| u32::from(slots[i][0] == check) << i;
    let found = same(0) | same(1) | same(2) | same(3);
    let seen = |i: usize| u32::from(slots[i][1]) << 2 | i as u32;
    let least = seen(0).min(seen(1)).min(seen(2).min(seen(3))) & 3;
    // Whether it is there is a toss, so no branch: what is not there is cleared by a mask.
    let there = found != 0;
    let chosen = if there { found.trailing_zeros() } else { least } & 3;
    let slot = &mut slots[chosen as usize];
    let kept = u128::from_le_bytes(*slot) & u128::from(there).wrapping_neg();
    *slot = (kept & !255 | u128::from(check)).to_le_bytes();
    chosen
}
