//! The vector arithmetic of the mixer, over the vectors of an instruction set.

use crate::exact::fpstate::{Exact, exact};
use crate::exact::kernel::{Kernel, Lanes, MixVectors, VectorJob, Vectors};

/// Inputs of a mixer: the lanes of two vectors.
pub const INPUTS: usize = 32;
/// Weight sets that are used at once.
pub const SETS: usize = 4;

/// Two cache lines of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct Vector(pub [f32; INPUTS]);

impl Vector {
    /// Lanes 0 to 15, and 16 to 31.
    #[inline(always)]
    fn halves(&self) -> &[Lanes; 2] {
        // SAFETY: two cache lines, at the beginning of one, are what both types are.
        unsafe { &*std::ptr::from_ref(self).cast() }
    }

    #[inline(always)]
    fn halves_mut(&mut self) -> &mut [Lanes; 2] {
        // SAFETY: as above.
        unsafe { &mut *std::ptr::from_mut(self).cast() }
    }
}

/// How sums and products are computed. Products are rounded before they are added. A kernel exists
/// only in the standard floating-point state. This is a trait so that who is generic over kernels
/// names neither the vectors nor how long that state lasts.
pub trait MixKernel: Copy {
    /// The proof of it.
    fn exact(&self) -> Exact<'_>;

    /// The sum of weights times inputs for each weight set, as a tree: lane i takes lane i + 16,
    /// then i + 8, i + 4, i + 2, i + 1.
    fn dot(self, weights: [&Vector; SETS], x: &Vector) -> [f32; SETS];

    /// Adds the inputs times `step` to a weight set.
    fn train(self, weights: &mut Vector, x: &Vector, step: f32);

    /// Rows become columns.
    fn transpose(self, rows: &[[u8; 16]; 16]) -> [[u8; 16]; 16];

    /// A bit for each that is not 0.
    fn nonzero(self, x: &[u8; INPUTS]) -> u32;
}

/// Begins to load what will be needed soon, without waiting for it as a load would.
#[inline(always)]
pub fn prefetch<T>(place: &T) {
    crate::exact::kernel::prefetch(std::ptr::from_ref(place));
}

/// What a function gives for each lane: written out, so that it stays in registers.
#[rustfmt::skip]
#[inline(always)]
pub fn lanes<T>(f: impl Fn(usize) -> T) -> [T; INPUTS] {
    [
        f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7),
        f(8), f(9), f(10), f(11), f(12), f(13), f(14), f(15),
        f(16), f(17), f(18), f(19), f(20), f(21), f(22), f(23),
        f(24), f(25), f(26), f(27), f(28), f(29), f(30), f(31),
    ]
}

/// Something that is computed by a kernel. [`run`](Self::run) must be `#[inline(always)]`, so that
/// it is compiled for the processor that the kernel needs.
pub trait MixJob {
    type Output;
    fn run<K: MixKernel>(self, k: K) -> Self::Output;
}

/// Runs a job by the vectors of the instruction set that is chosen ([`Kernel::chosen`]), or by
/// arrays where `LMZ_KERNEL` names none, with the processor's floating-point arithmetic set as
/// exactness needs it. The result is the same.
pub fn run<J: MixJob>(job: J) -> J::Output {
    exact(|fp| run_by(Kernel::chosen().unwrap_or(Kernel::Plain), fp, job))
}

/// Runs a job by the vectors of a kernel that the processor has.
fn run_by<J: MixJob>(kernel: Kernel, fp: Exact, job: J) -> J::Output {
    struct By<'gate, J> {
        fp: Exact<'gate>,
        job: J,
    }
    impl<J: MixJob> VectorJob for By<'_, J> {
        type Output = J::Output;
        #[inline(always)]
        fn run<V: MixVectors>(self, vectors: V) -> J::Output {
            self.job.run(Wide { fp: self.fp, vectors })
        }
    }
    kernel.run_vectors(fp, By { fp, job })
}

/// Two vectors of 16.
#[derive(Clone, Copy)]
struct Wide<'gate, V> {
    fp: Exact<'gate>,
    vectors: V,
}

impl<V: MixVectors> MixKernel for Wide<'_, V> {
    #[inline(always)]
    fn exact(&self) -> Exact<'_> {
        self.fp
    }

    #[inline(always)]
    fn dot(self, [a, b, c, d]: [&Vector; SETS], x: &Vector) -> [f32; SETS] {
        let v = self.vectors;
        let [low, high] = x.halves();
        let (low, high) = (v.load(low), v.load(high));
        // No closures: what is not inlined is not compiled for the instruction set.
        v.sums([
            products(v, a, low, high),
            products(v, b, low, high),
            products(v, c, low, high),
            products(v, d, low, high),
        ])
    }

    #[inline(always)]
    fn train(self, weights: &mut Vector, x: &Vector, step: f32) {
        let v = self.vectors;
        let step = v.splat(step);
        for (w, x) in weights.halves_mut().iter_mut().zip(x.halves()) {
            v.store(v.add(v.load(w), v.mul(v.load(x), step)), w);
        }
    }

    #[inline(always)]
    fn transpose(self, rows: &[[u8; 16]; 16]) -> [[u8; 16]; 16] {
        self.vectors.transpose(rows)
    }

    #[inline(always)]
    fn nonzero(self, x: &[u8; INPUTS]) -> u32 {
        self.vectors.nonzero(x)
    }
}

/// Weights times inputs, summed from 32 to 16 lanes.
#[inline(always)]
fn products<V: Vectors>(v: V, weights: &Vector, low: V::V, high: V::V) -> V::V {
    let [w_low, w_high] = weights.halves();
    v.add(v.mul(v.load(w_low), low), v.mul(v.load(w_high), high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a kernel gives of all that it does, as bits.
    type All = ([u32; SETS], [u32; INPUTS], [[u8; 16]; 16], u32);

    struct Everything<'a> {
        v: &'a [Vector],
        step: f32,
        rows: [[u8; 16]; 16],
        bytes: [u8; INPUTS],
    }

    impl MixJob for Everything<'_> {
        type Output = All;
        #[inline(always)]
        fn run<K: MixKernel>(self, k: K) -> All {
            let v = self.v;
            let sums = k.dot([&v[0], &v[1], &v[2], &v[3]], &v[4]);
            let mut trained = v[0];
            k.train(&mut trained, &v[4], self.step);
            let sums = sums.map(f32::to_bits);
            (sums, trained.0.map(f32::to_bits), k.transpose(&self.rows), k.nonzero(&self.bytes))
        }
    }

    impl Everything<'_> {
        /// What it should be, number by number.
        fn expected(&self) -> All {
            let dot = |w: &Vector| {
                let mut lanes: [f32; INPUTS] = std::array::from_fn(|i| w.0[i] * self.v[4].0[i]);
                for width in [16, 8, 4, 2, 1] {
                    for i in 0..width {
                        lanes[i] += lanes[i + width];
                    }
                }
                lanes[0].to_bits()
            };
            let trained = |i: usize| (self.v[0].0[i] + self.v[4].0[i] * self.step).to_bits();
            let column = |i: usize| std::array::from_fn(|j| self.rows[j][i]);
            let bits = self.bytes.iter().rev().fold(0, |bits, x| bits << 1 | u32::from(*x != 0));
            (
                std::array::from_fn(|i| dot(&self.v[i])),
                std::array::from_fn(trained),
                std::array::from_fn(column),
                bits,
            )
        }
    }

    proptest! {
        #[test]
        fn kernels_agree_with_the_definition(
            values in prop::collection::vec(-12.0f32..12.0, 5 * INPUTS),
            step in -1.0f32..1.0,
        ) {
            exact(|fp| {
                let chunks = values.as_chunks::<INPUTS>().0;
                let v: Vec<Vector> = chunks.iter().map(|v| Vector(*v)).collect();
                let low = |i: usize| values[i].to_bits() as u8 & 3;
                let row = |i: usize| std::array::from_fn(|j| low(i + j));
                for kernel in Kernel::all_available() {
                    let (rows, bytes) = (std::array::from_fn(row), std::array::from_fn(low));
                    let all = Everything { v: &v, step, rows, bytes };
                    let expected = all.expected();
                    prop_assert_eq!(run_by(kernel, fp, all), expected, "{}", kernel.name());
                }
                Ok(())
            })?;
        }
    }
}
