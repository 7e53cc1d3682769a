//! From logits to prefix sums of frequencies: section 5 of docs/ARITHMETIC.md. Tokens without mass
//! come first.

use super::stream::LmOutput;
use crate::exact;
use crate::exact::LANES;
use crate::exact::fpstate::Exact;
use crate::exact::kernel::{Isa, Job, Lanes, Vectors, exp};

/// 2^30
const ONE: f32 = (1 << 30) as f32;

/// The sums of every row, from its logits.
pub struct Frequencies<'a, 'b> {
    pub fp: Exact<'a>,
    pub outputs: &'a mut [&'b mut LmOutput],
    /// How many tokens have no mass.
    pub massless: usize,
}

impl Job for Frequencies<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        for LmOutput { logits, sums } in self.outputs.iter_mut().map(|output| &mut **output) {
            prefix_sums(self.fp, isa.vectors(), logits, self.massless, &mut sums[..]);
        }
    }
}

/// The sums of one row, from its logits `[V]`.
pub struct RowSums<'a> {
    pub fp: Exact<'a>,
    pub logits: &'a [Lanes],
    /// How many tokens have no mass.
    pub massless: usize,
    /// `[V + 1]`
    pub sums: &'a mut [u64],
}

impl Job for RowSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        prefix_sums(self.fp, isa.vectors(), self.logits, self.massless, self.sums);
    }
}

/// Logits `[V]` to sums `[V + 1]`.
#[inline(always)]
fn prefix_sums<S: Vectors>(fp: Exact, s: S, logits: &[Lanes], massless: usize, sums: &mut [u64]) {
    let vocab = sums.len() - 1;
    // Full lines of tokens with mass; what is before and after them is computed singly.
    let first = massless.div_ceil(LANES).min(vocab / LANES);
    let middle = first..vocab / LANES;
    let (head, tail) = (0..first * LANES, middle.end * LANES..vocab);
    let logit = |id: usize| logits[id / LANES].0[id % LANES];
    let mut m = f32::NEG_INFINITY;
    for id in head.clone().chain(tail.clone()) {
        if id >= massless {
            m = exact::max(fp, logit(id), m);
        }
    }
    let mut largest = [s.splat(f32::NEG_INFINITY); 4];
    let (fours, rest) = logits[middle.clone()].as_chunks::<4>();
    for lines in fours {
        for i in 0..4 {
            largest[i] = s.max(s.load(&lines[i]), largest[i]);
        }
    }
    for line in rest {
        largest[0] = s.max(s.load(line), largest[0]);
    }
    let largest = s.max(s.max(largest[0], largest[1]), s.max(largest[2], largest[3]));
    let m = exact::max(fp, s.largest(largest), m);

    let mut total = 0;
    let frequency = |id: usize| {
        if id < massless { 0 } else { (exact::exp(fp, logit(id) - m) * ONE) as u64 + 1 }
    };
    for id in head {
        sums[id] = total;
        total += frequency(id);
    }
    let lines =
        logits[middle.clone()].iter().zip(sums[middle.start * LANES..].as_chunks_mut::<LANES>().0);
    for (line, to) in lines {
        let e = exp(s, s.sub(s.load(line), s.splat(m)));
        let mut frequencies = [0; LANES];
        s.frequencies(s.mul(e, s.splat(ONE)), &mut frequencies);
        // Not by vectors: sums wait for each other anyway, and so run beside the next line's
        // exponentials.
        for (to, f) in to.iter_mut().zip(frequencies) {
            *to = total;
            total += u64::from(f);
        }
    }
    for id in tail {
        sums[id] = total;
        total += frequency(id);
    }
    sums[vocab] = total;
}
