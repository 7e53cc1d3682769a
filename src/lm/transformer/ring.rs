//! Which tokens a layer sees, and where in the cache they are.
//!
//! A token's keys and values are in a *slot*. The first tokens keep theirs for ever; the others
//! share a ring, in which a token takes the place of one that nobody sees any more.

use crate::exact::kernel::BLOCK;

/// The first tokens of a stream, which every later one sees in layers that are not local: models
/// lean on them however far away they are (Xiao and others, 2023).
pub const SINKS: usize = 4;

/// Tokens of a stream that are read in one step at most: so many slots has a ring beside those that
/// are seen.
pub const STEP: usize = 64;

/// Positions count from 0 again after so many: beyond, an angle would lose its fraction.
const POSITIONS: u64 = 1 << 26;

/// Whether a token at position `p` sees the one at position `t`.
pub fn is_seen(t: u64, p: u64, window: usize, sinks: usize) -> bool {
    t <= p && (t < sinks as u64 || t + window as u64 > p)
}

/// The position by which a token is turned.
pub fn turned_at(position: u64) -> f64 {
    (position % POSITIONS) as f64
}

/// Which tokens of a layer are seen, and where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    /// Tokens that keep their slots.
    pub sinks: usize,
    /// The last tokens that are seen beside.
    pub window: usize,
    /// Slots.
    slots: usize,
}

impl Ring {
    pub fn new(window: usize, sinks: usize) -> Self {
        Self { sinks, window, slots: (window + sinks + STEP).next_multiple_of(BLOCK) }
    }

    /// The slot of a token.
    pub fn slot(&self, t: u64) -> usize {
        let sinks = self.sinks as u64;
        if t < sinks {
            t as usize
        } else {
            ((t - sinks) % (self.slots as u64 - sinks) + sinks) as usize
        }
    }

    /// Slots that have been used when so many tokens have been read, in full blocks.
    pub fn used(&self, tokens: u64) -> usize {
        ((self.slots as u64).min(tokens) as usize).next_multiple_of(BLOCK)
    }

    /// The slots that a token does not see of the first `used`, as ranges.
    pub fn unseen(&self, p: u64, used: usize) -> [(usize, usize); 4] {
        let sinks = (self.sinks as u64).min(p + 1) as usize;
        let first = (p + 1).saturating_sub(self.window as u64).max(self.sinks as u64);
        let mut gaps = [(0, 0); 4];
        if first > p {
            gaps[0] = (sinks, used);
            return gaps;
        }
        let (begin, count) = (self.slot(first), (p - first + 1) as usize);
        let end = begin + count;
        if end <= self.slots {
            gaps[0] = (sinks, begin);
            gaps[1] = (end, used);
        } else {
            // What is behind the end goes on behind the sinks.
            gaps[0] = (sinks + end - self.slots, begin);
            gaps[1] = (self.slots, used);
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the slots that are used, those that are seen hold the tokens that are, each once.
    #[test]
    fn seen_slots_are_those_of_seen_tokens() {
        for (window, sinks) in [(5, 0), (40, 4), (1, 4), (100, 4), (200, 0)] {
            let ring = Ring::new(window, sinks);
            for last in (0..40).chain(90..130).chain(150..500) {
                let used = ring.used(last + 1);
                let mut holds = vec![None; used];
                (0..=last).for_each(|t| holds[ring.slot(t)] = Some(t));
                for p in last.saturating_sub(STEP as u64 - 1)..=last {
                    let gaps = ring.unseen(p, used);
                    let seen = (0..used).filter(|s| !gaps.iter().any(|g| (g.0..g.1).contains(s)));
                    let mut found: Vec<u64> = seen.map(|slot| holds[slot].unwrap()).collect();
                    found.sort_unstable();
                    let expected: Vec<u64> =
                        (0..=p).filter(|t| is_seen(*t, p, window, sinks)).collect();
                    assert_eq!(found, expected, "{window} {sinks} {last} {p}");
                }
            }
        }
    }
}
