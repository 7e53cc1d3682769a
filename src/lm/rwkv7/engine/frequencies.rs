//! From logits to prefix sums of frequencies: section 5 of docs/ARITHMETIC.md. Token 0 has no mass.

use super::norms::Row;
use crate::exact;
use crate::exact::LANES;
use crate::exact::kernel::{Isa, Job, Lanes, Vectors, exp};

/// 2^30
const ONE: f32 = (1 << 30) as f32;

/// The sums of every row, from its logits.
pub struct Frequencies<'a, 'b> {
    pub rows: &'a mut [Row<'b>],
}

impl Job for Frequencies<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        for (stream, _) in self.rows {
            prefix_sums(isa.vectors(), &stream.logits, stream.sums.get_mut());
        }
    }
}

/// Logits `[V]` to sums `[V + 1]`.
#[inline(always)]
fn prefix_sums<S: Vectors>(s: S, logits: &[Lanes], sums: &mut [u64]) {
    let vocab = sums.len() - 1;
    let full = vocab / LANES;
    // The first line has token 0, the last one is not full: both are computed singly.
    let single = |id: &usize| *id < vocab && (*id < LANES || *id >= full * LANES);
    let logit = |id: usize| logits[id / LANES].0[id % LANES];
    let singles = |from: usize| (from..from + LANES).filter(single);
    let m = singles(0)
        .skip(1)
        .chain(singles(full.max(1) * LANES))
        .fold(f32::NEG_INFINITY, |m, id| exact::max(logit(id), m));

    let least = s.splat(f32::NEG_INFINITY);
    let mut largest = [least; 4];
    let mut middle = logits[..full].get(1..).unwrap_or_default();
    while let Some((lines, rest)) = middle.split_first_chunk::<4>() {
        for i in 0..4 {
            largest[i] = s.max(s.load(&lines[i]), largest[i]);
        }
        middle = rest;
    }
    for line in middle {
        largest[0] = s.max(s.load(line), largest[0]);
    }
    let largest = s.max(s.max(largest[0], largest[1]), s.max(largest[2], largest[3]));
    let m = exact::max(s.largest(largest), m);

    let frequency = |id: usize| (exact::exp(logit(id) - m) * ONE) as u64 + 1;
    let mut total = 0;
    for id in singles(0) {
        sums[id] = total;
        total += if id == 0 { 0 } else { frequency(id) };
    }
    let (whole, _) = sums.as_chunks_mut::<LANES>();
    for (line, to) in logits[..full].iter().zip(whole).skip(1) {
        let e = exp(s, s.sub(s.load(line), s.splat(m)));
        total = s.prefix_sums(s.mul(e, s.splat(ONE)), total, to);
    }
    for id in singles(full.max(1) * LANES) {
        sums[id] = total;
        total += frequency(id);
    }
    sums[vocab] = total;
}
