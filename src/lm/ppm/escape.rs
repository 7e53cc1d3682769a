//! How probable it is that a context does not know the next byte, learnt for classes of situations.

/// Streaks of correct contexts are told apart up to this length.
pub const STREAK: u8 = 3;

/// What an escape probability may depend on.
pub struct Situation {
    /// Symbols of the context that no longer context has.
    pub fresh: u32,
    /// Sum of their frequencies.
    pub sum: u32,
    /// Whether longer contexts have already been tried.
    pub excluded: bool,
    /// How many more symbols the next shorter context has.
    pub shorter: u32,
    pub order: u8,
    pub streak: u8,
}

/// Index of a class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot(u16);

/// Counts after which a class changes no faster than by 1 / 2^SLOWEST.
const SLOWEST: u32 = 7;

#[derive(Clone, Copy)]
struct Estimate {
    /// Probability of escape in units of 2^-16.
    p: u16,
    /// Times learnt, up to 2^SLOWEST.
    seen: u16,
}

/// All classes.
#[derive(Clone)]
pub struct Escapes {
    table: Vec<Estimate>,
}

/// 0, 1, 2, 3, 4 for 1, 2, 3-4, 5-8, 9-16, ...
fn log2_up(x: u32) -> u32 {
    32 - x.max(1).saturating_sub(1).leading_zeros()
}

/// 0, 2, 3, 4, 4, 5, 5, 6, ... for 1, 2, 3, 4, 5, 6, 7, 8, ...
fn half_octave(x: u32) -> u32 {
    let octave = x.max(1).ilog2();
    octave * 2 + if octave > 0 { (x >> (octave - 1)) & 1 } else { 0 }
}

impl Escapes {
    pub fn new() -> Self {
        Self { table: vec![Estimate { p: 0, seen: 0 }; 1 << 13] }
    }

    /// The class of a situation; a class that has never been met starts from what the numbers
    /// suggest.
    pub fn slot(&mut self, s: &Situation) -> Slot {
        let order = u32::from(s.order).min(7) / 2;
        let index = if s.fresh == 1 && !s.excluded {
            // Deterministic: how sure the one symbol is matters most.
            let sure = half_octave(s.sum).min(31);
            let shorter = log2_up(s.shorter + 1).min(3);
            1 << 12 | sure << 6 | shorter << 4 | u32::from(s.streak.min(STREAK)) << 2 | order
        } else {
            // How strong the symbols are on average; how many more the shorter context offers.
            let per_symbol = log2_up(s.sum / s.fresh).min(5);
            let offer = match s.shorter {
                x if x * 2 < s.fresh => 0,
                x if x < s.fresh => 1,
                x if x < s.fresh * 3 => 2,
                _ => 3,
            };
            log2_up(s.fresh).min(7) << 8
                | per_symbol << 5
                | offer << 3
                | u32::from(s.excluded) << 2
                | order
        };
        let slot = &mut self.table[index as usize];
        if slot.seen == 0 {
            let (fresh, sum) = (u64::from(s.fresh), u64::from(s.sum));
            let guess = (fresh << 17) / (fresh * 2 + sum + 1);
            *slot = Estimate { p: guess.clamp(64, 65000) as u16, seen: 1 };
        }
        Slot(index as u16)
    }

    /// Probability of escape, in units of 2^-16, neither 0 nor 1.
    pub fn probability(&self, slot: Slot) -> u16 {
        self.table[usize::from(slot.0)].p.max(16)
    }

    /// Learns an outcome.
    pub fn learn(&mut self, slot: Slot, escaped: bool) {
        let e = &mut self.table[usize::from(slot.0)];
        let target = if escaped { 65535i32 } else { 0 };
        e.seen = (e.seen + 1).min(1 << SLOWEST);
        e.p = (i32::from(e.p) + (target - i32::from(e.p)) / (i32::from(e.seen) + 1)) as u16;
    }
}
