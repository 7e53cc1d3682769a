//! Probabilities and log-odds.
//!
//! The tables are made from additions, multiplications and divisions of binary64 alone, which give
//! the same bits everywhere in the standard state, and in the compiler; no mathematical library is
//! asked.

use super::kernel::{INPUTS, Vector};
use crate::exact::fpstate::Exact;

/// Log-odds are kept within plus and minus this.
pub const LIMIT: f32 = 12.0;

/// Entries of the tables for one unit of log-odds.
const STEPS: usize = 32;

/// What stands for one unit of log-odds in 16 bits.
pub const UNIT: f32 = 2048.0;

/// Log-odds in units of 1 / UNIT as numbers.
#[inline(always)]
pub fn inputs(x: [i16; INPUTS]) -> Vector {
    Vector(x.map(|x| f32::from(x) * (1.0 / UNIT)))
}

/// e^x for |x| <= 16, by its series at x / 2^10 and ten squarings.
const fn exp(x: f64) -> f64 {
    let small = x / 1024.0;
    let (mut term, mut sum) = (1.0, 1.0);
    let mut i = 1;
    while i < 12 {
        term = term * small / i as f64;
        sum += term;
        i += 1;
    }
    i = 0;
    while i < 10 {
        sum *= sum;
        i += 1;
    }
    sum
}

/// ln(p / (1 - p)), by Halley's method on e^y = p / (1 - p). Of the 40 steps of its definition those
/// are left out that would begin where one before them began.
const fn logit(p: f64) -> f64 {
    let odds = p / (1.0 - p);
    let (mut y, mut i) = (0.0, 0);
    while i < 40 {
        let e = exp(y);
        let next = y + 2.0 * (odds - e) / (odds + e);
        if next == y {
            break;
        }
        y = next;
        i += 1;
    }
    y
}

/// The two tables; fetched once by who uses them often.
pub struct Tables {
    /// Log-odds of the middle of each 4,096th of the unit interval, in units of 1 / UNIT.
    stretch: [i16; 4096],
    /// 1 / (1 + e^-x) at every 32nd from -LIMIT to LIMIT; the rest is never looked at.
    squash: [f32; 1024],
}

/// Made by the compiler, whose numbers are those of the standard state: making them takes longer
/// than coding a message.
#[allow(long_running_const_eval, reason = "4,096 logarithms: about a second")]
static TABLES: Tables = Tables::new();

impl Tables {
    /// The tables, for who has the standard state, in which alone they are of use.
    pub fn get(_: Exact) -> &'static Self {
        &TABLES
    }

    const fn new() -> Self {
        let mut t = Self { stretch: [0; 4096], squash: [0.0; 1024] };
        let mut i = 0;
        while i < t.stretch.len() {
            let x = logit((i as f64 + 0.5) / 4096.0) * UNIT as f64;
            t.stretch[i] = (x + if x < 0.0 { -0.5 } else { 0.5 }) as i16;
            i += 1;
        }
        i = 0;
        while i < 2 * LIMIT as usize * STEPS + 2 {
            let x = i as f64 / STEPS as f64 - LIMIT as f64;
            t.squash[i] = (1.0 / (1.0 + exp(-x))) as f32;
            i += 1;
        }
        t
    }

    /// Log-odds of a probability in units of 2^-16, in units of 1 / UNIT.
    #[inline(always)]
    pub fn stretch(&self, p: u16) -> i16 {
        self.stretch[usize::from(p >> 4)]
    }

    /// The probability of log-odds within the limit, at the nearest entry: good enough to learn
    /// from.
    #[inline(always)]
    pub fn squash_roughly(&self, x: f32) -> f32 {
        self.squash[nearest((x + LIMIT) * STEPS as f32) as usize % 1024]
    }

    /// The probability of log-odds within the limit, on the line through the nearest entry and the
    /// one behind it.
    #[inline(always)]
    pub fn squash(&self, x: f32) -> f32 {
        let place = (x + LIMIT) * STEPS as f32;
        let at = nearest(place);
        let (low, high) = (self.squash[at as usize % 1024], self.squash[(at as usize + 1) % 1024]);
        low + (high - low) * (place - at as i32 as f32)
    }
}

/// A number from 0 to 2^22, to the nearest integer, even ones first. Adding 2^23 leaves no room for
/// a fraction; a conversion with `as` would spend more on checking for what cannot be.
#[inline(always)]
pub fn nearest(x: f32) -> u32 {
    (x + 8_388_608.0).to_bits() & 0x7f_ffff
}

/// Within the limit; what is no number becomes the lower limit.
#[inline(always)]
pub fn clamp(x: f32) -> f32 {
    let x = if x > -LIMIT { x } else { -LIMIT };
    if x < LIMIT { x } else { LIMIT }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::fpstate::exact;

    /// By the letter of docs/MIXING.md, at run time.
    #[test]
    fn tables_are_those_of_the_definition() {
        exact(|fp| {
            for (i, s) in Tables::get(fp).stretch.iter().enumerate() {
                let p = std::hint::black_box((i as f64 + 0.5) / 4096.0);
                let (odds, mut y) = (p / (1.0 - p), 0.0);
                for _ in 0..40 {
                    let e = exp(y);
                    y += 2.0 * (odds - e) / (odds + e);
                }
                let x = y * 2048.0;
                assert_eq!(*s, (x + if x < 0.0 { -0.5 } else { 0.5 }) as i16, "{i}");
            }
            for (i, s) in Tables::get(fp).squash[..770].iter().enumerate() {
                let x = std::hint::black_box(i as f64 / 32.0 - 12.0);
                assert_eq!(s.to_bits(), ((1.0 / (1.0 + exp(-x))) as f32).to_bits(), "{i}");
            }
        });
    }

    #[test]
    fn tables_are_what_they_say() {
        let t = exact(Tables::get);
        for i in 0..4096u16 {
            let p = (f64::from(i) + 0.5) / 4096.0;
            let x = f64::from(t.stretch(i << 4)) / f64::from(UNIT);
            assert!((x - (p / (1.0 - p)).ln()).abs() < 2.6e-4);
        }
        for i in -1200..=1200 {
            let x = i as f32 / 100.0;
            assert!((t.squash(x) - 1.0 / (1.0 + (-x).exp())).abs() < 2e-4, "{x}");
        }
        assert_eq!((clamp(99.0), clamp(-99.0), clamp(f32::NAN)), (LIMIT, -LIMIT, -LIMIT));
    }
}
