//! Section 5: from logits to integer frequencies.

use super::fpstate::Exact;
use super::functions::{exp, max};

/// 2^30: what the most probable token gets, less 1.
const ONE: f32 = (1 << 30) as f32;

/// The frequencies `[V]` of logits `[V]`: 1 to 2^30 + 1 where `has_mass`, 0 elsewhere.
///
/// NaNs are passed over in search of the largest logit, and count as far below it.
pub fn frequencies(fp: Exact, logits: &[f32], has_mass: impl Fn(usize) -> bool) -> Vec<u64> {
    let with_mass = logits.iter().enumerate().filter(|(id, _)| has_mass(*id));
    let m = with_mass.fold(f32::NEG_INFINITY, |m, (_, x)| max(fp, *x, m));
    // The product is exact and not negative, so the conversion is its floor.
    let frequency =
        |(id, x): (usize, &f32)| if has_mass(id) { (exp(fp, x - m) * ONE) as u64 + 1 } else { 0 };
    logits.iter().enumerate().map(frequency).collect()
}

/// Prefix sums `[V + 1]` of frequencies `[V]`: from 0 to their total.
pub fn prefix_sums(frequencies: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut total = 0;
    let mut sums = vec![0];
    sums.extend(frequencies.into_iter().map(|f| {
        total += f;
        total
    }));
    sums
}

#[cfg(test)]
mod tests {
    use super::super::fpstate::exact;
    use super::*;

    #[test]
    fn extremes() {
        let inf = f32::INFINITY;
        exact(|fp| {
            let least = (exp(fp, -86.0) * ONE) as u64 + 1;
            assert_eq!(least, 1);
            assert_eq!(
                frequencies(fp, &[9.0, 0.0, -inf, f32::NAN], |id| id != 0),
                [0, (1 << 30) + 1, 1, 1]
            );
            assert_eq!(frequencies(fp, &[0.0, inf, 1.0], |_| true), [1, 1, 1]);
            assert_eq!(frequencies(fp, &[f32::NAN, -inf], |_| true), [1, 1]);
        });
        assert_eq!(prefix_sums([3, 0, 4]), [0, 3, 3, 7]);
    }
}
