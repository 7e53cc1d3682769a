//! Bit histories: what has come in a context, in one byte.
//!
//! A history holds how many zeros and ones were seen, up to bounds that are the smaller the more
//! the other bit was seen, and the last bit. When a bit comes after a run of the other, most of
//! that run is forgotten: what was seen last counts most. The states are numbered by how much has
//! been seen, so that a greater number is more worth keeping.

use std::sync::LazyLock;

/// A history; 0 is the empty one.
pub type State = u8;

/// Zeros, ones, last bit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Counts {
    zeros: u8,
    ones: u8,
    last: bool,
}

/// The most that is counted of a bit, by how many of the other are left.
const MOST: [u8; 5] = [61, 32, 14, 14, 14];

/// What is left of a count when the other bit comes.
fn discount(n: u8) -> u8 {
    match n {
        0..=2 => n,
        3..=5 => 2,
        6..=15 => 3,
        _ => 4,
    }
}

impl Counts {
    fn after(self, bit: bool) -> Self {
        let (same, other) = if bit { (self.ones, self.zeros) } else { (self.zeros, self.ones) };
        let other = discount(other);
        let same = (same + 1).min(MOST[usize::from(other)]);
        let (zeros, ones) = if bit { (other, same) } else { (same, other) };
        Self { zeros, ones, last: bit && zeros > 0 }.normal()
    }

    /// The last bit matters only where both were seen.
    fn normal(self) -> Self {
        Self { last: self.last && self.zeros > 0 && self.ones > 0, ..self }
    }
}

/// All states.
pub struct Histories {
    /// After a zero, and after a one.
    next: [[State; 256]; 2],
    /// The zeros and ones of each history.
    counts: [(u8, u8); 256],
    #[cfg(test)]
    len: usize,
}

impl Histories {
    pub fn get() -> &'static Self {
        static HISTORIES: LazyLock<Histories> = LazyLock::new(Histories::new);
        &HISTORIES
    }

    fn new() -> Self {
        let mut all = vec![Counts { zeros: 0, ones: 0, last: false }];
        let mut done = 0;
        while done < all.len() {
            for bit in [false, true] {
                let after = all[done].after(bit);
                if !all.contains(&after) {
                    all.push(after);
                }
            }
            done += 1;
        }
        all.sort_by_key(|c| (c.zeros + c.ones, *c));
        assert!(all.len() <= 256, "{} states", all.len());
        let mut out = Self {
            next: [[0; 256]; 2],
            counts: [(0, 0); 256],
            #[cfg(test)]
            len: all.len(),
        };
        for (i, c) in all.iter().enumerate() {
            out.counts[i] = (c.zeros, c.ones);
            for bit in [false, true] {
                let after = c.after(bit);
                out.next[usize::from(bit)][i] =
                    all.iter().position(|x| *x == after).unwrap_or(0) as State;
            }
        }
        out
    }

    /// The history that each becomes by one more bit.
    #[inline(always)]
    pub fn after(&self, bit: bool) -> &[State; 256] {
        &self.next[usize::from(bit)]
    }

    /// How many zeros and ones a history counts.
    pub fn counts(&self, state: State) -> (u8, u8) {
        self.counts[usize::from(state)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_fit_and_are_ordered() {
        let h = Histories::get();
        assert!((150..=256).contains(&h.len), "{} states", h.len);
        for s in 1..h.len {
            let (a, b) = (h.counts((s - 1) as State), h.counts(s as State));
            assert!(a.0 + a.1 <= b.0 + b.1);
        }
    }

    #[test]
    fn runs_are_counted_and_forgotten() {
        let h = Histories::get();
        let mut s = 0;
        for n in 1..=60u8 {
            s = h.after(true)[usize::from(s)];
            assert_eq!(h.counts(s), (0, n.min(61)));
        }
        s = h.after(false)[usize::from(s)];
        assert!(h.counts(s).0 == 1 && h.counts(s).1 <= 8, "{:?}", h.counts(s));
    }
}
