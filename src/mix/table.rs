//! The hash table of bit histories: one cache line for a context and half a byte.

use super::history::State;
use super::kernel::prefetch;

/// A check byte and the 15 histories that the four bits of half a byte walk through: node 1 is the
/// root, the children of node n are 2n and 2n + 1.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Slot([State; 16]);

/// Bit histories by hashed context. Four neighbouring slots, one cache line, are looked through together.
#[derive(Clone)]
pub struct Table {
    slots: Vec<Slot>,
    /// log2 of the number of lines.
    bits: u32,
    /// Slots left out at the beginning, so that a line is a cache line.
    skip: u32,
}

/// A slot's place.
pub type Place = u32;

impl Table {
    /// A table of 2^`log2` bytes, at least 64 lines.
    pub fn new(log2: u32) -> Self {
        let bits = log2.max(12) - 6;
        let mut slots = vec![Slot([0; 16]); (4 << bits) + 3];
        huge_pages(&mut slots);
        let skip = (slots.as_ptr().addr() / 16).wrapping_neg() % 4;
        Self { slots, bits, skip: skip as u32 }
    }

    /// Where the upper half of the hash says, give or take up to 64 lines, as the lower half says: the two
    /// half bytes of a context are in one page of memory.
    #[inline(always)]
    fn line(&self, hash: u64) -> usize {
        let line = hash >> (64 - self.bits) ^ (hash >> 26 & 63);
        line as usize * 4 + self.skip as usize
    }

    /// The slot of a hash, made if it is not there: the slot of its line that has seen least gives way.
    #[inline(always)]
    pub fn find(&mut self, hash: u64) -> Place {
        let line = self.line(hash);
        let check = (hash >> 16) as u8 | 1; // never 0, which is an empty slot's
        let Some(slots) = self.slots[line..].first_chunk_mut::<4>() else { return 0 };
        let mut found = 0;
        let mut least = u32::MAX;
        for (i, slot) in (0u32..).zip(slots.iter()) {
            found |= u32::from(slot.0[0] == check) << i;
            least = least.min(u32::from(slot.0[1]) << 2 | i);
        }
        // Whether it is there is a toss, so no branch: what is not there is cleared by a mask.
        let there = found != 0;
        let chosen = if there { found.trailing_zeros() } else { least } & 3;
        let slot = &mut slots[chosen as usize];
        let kept = u128::from_le_bytes(slot.0) & (u128::from(there)).wrapping_neg();
        slot.0 = (kept & !255 | u128::from(check)).to_le_bytes();
        line as u32 + chosen
    }

    /// Begins to load the line of a hash.
    #[inline(always)]
    pub fn prefetch(&self, hash: u64) {
        prefetch(&self.slots[self.line(hash)]);
    }

    #[inline(always)]
    pub fn state(&mut self, place: Place, node: usize) -> &mut State {
        &mut self.slots[place as usize].0[node & 15]
    }
}

/// Asks the system for large pages, because places are looked up all over the table.
#[cfg(target_os = "linux")]
fn huge_pages(slots: &mut [Slot]) {
    const PAGE: usize = 2 << 20;
    let begin = slots.as_mut_ptr().addr().next_multiple_of(PAGE);
    let length = (slots.as_mut_ptr_range().end.addr().saturating_sub(begin)) / PAGE * PAGE;
    if length > 0 {
        let begin = slots.as_mut_ptr().with_addr(begin);
        // SAFETY: the range is whole pages inside of memory that is ours; the advice does not change it.
        // Whether the system follows it does not matter.
        unsafe { libc::madvise(begin.cast(), length, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn huge_pages(_: &mut [Slot]) {}
