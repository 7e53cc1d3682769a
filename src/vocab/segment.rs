//! Greedy segmentation: the trie as a double array (Aoe, 1989), one load a byte.
//!
//! A state is a slot; its successor by byte `b` is the slot `base + b`, if that slot names it as
//! the one it comes from.

use super::{Token, Vocabulary};

/// The state before the first byte.
const ROOT: u32 = 0;
/// The parent of a slot that is no state's successor.
const FREE: u32 = u32::MAX;
/// Slots looked at in vain before the search for room begins further on.
const PATIENCE: usize = 512;

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The state that it comes from.
    from: u32,
    /// Where its successors begin, times 2; plus 1 if its bytes are a token.
    base: u32,
}

/// Finds the longest token that a text begins with.
#[derive(Debug, Clone, Default)]
pub(super) struct Automaton {
    slots: Vec<Slot>,
    /// The token of each slot, if it has one.
    tokens: Vec<Token>,
}

impl Automaton {
    pub fn new(vocabulary: &Vocabulary) -> Self {
        let mut out = Self::default();
        // Slots before this are taken, or not worth looking at.
        let mut low = 1;
        // States whose successors are to be placed; those of few bytes first, so that they lie
        // together.
        let mut open = std::collections::VecDeque::from([(ROOT, vocabulary.root())]);
        out.resize(1);
        while let Some((state, node)) = open.pop_front() {
            let children = vocabulary.children(node);
            if children.is_empty() {
                continue;
            }
            let base = out.room(children, &mut low);
            out.resize(base as usize + 256);
            out.slots[state as usize].base |= base << 1;
            for (byte, child) in children {
                let (slot, child) = (base + u32::from(*byte), vocabulary.node(*child));
                out.slots[slot as usize] = Slot { from: state, base: u32::from(child.own > 0) };
                if child.own > 0 {
                    out.tokens[slot as usize] = vocabulary.sorted()[child.first as usize];
                }
                open.push_back((slot, child));
            }
        }
        out
    }

    fn resize(&mut self, length: usize) {
        let length = length.max(self.slots.len());
        self.slots.resize(length, Slot { from: FREE, base: 0 });
        self.tokens.resize(length, 0);
    }

    /// A base whose slots for these children are free. Slot 0, the root's, is never one of them.
    fn room(&self, children: &[(u8, u32)], low: &mut usize) -> u32 {
        let free = |slot: usize| self.slots.get(slot).is_none_or(|s| s.from == FREE);
        let first = usize::from(children[0].0);
        while !free(*low) {
            *low += 1;
        }
        let mut slot = (*low).max(first + 1);
        let begin = slot;
        while !children.iter().all(|(byte, _)| free(slot - first + usize::from(*byte))) {
            slot += 1;
        }
        if slot - begin > PATIENCE {
            *low = slot;
        }
        (slot - first) as u32
    }

    /// The longest token at the beginning of a text, as [`Vocabulary::longest`] finds it.
    #[inline]
    pub fn longest(&self, text: &[u8]) -> (Token, usize) {
        let mut state = ROOT;
        let mut base = self.slots[ROOT as usize].base;
        let (mut best, mut length) = (0, 0);
        for (i, byte) in text.iter().enumerate() {
            let next = (base >> 1) + u32::from(*byte);
            // Bases leave room for every byte.
            let slot = self.slots[next as usize];
            if slot.from != state {
                break;
            }
            (state, base) = (next, slot.base);
            if base & 1 == 1 {
                (best, length) = (state, i + 1);
            }
        }
        assert!(length > 0, "the text is not empty, and every byte is a token");
        (self.tokens[best as usize], length)
    }
}
