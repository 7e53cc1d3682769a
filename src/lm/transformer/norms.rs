//! Norms, turns and gates, row by row, with the quantisation that follows them.

use super::config::Gate;
use super::oracle::{CUBE, GELU};
use crate::exact::LANES;
use crate::exact::kernel::{Isa, Job, Lanes, Quantised16, Vectors, sigmoid, tanh};

/// What an RMS norm multiplies by, beside the weight.
#[inline(always)]
fn inverse<S: Vectors>(s: S, x: &[Lanes], epsilon: f32) -> f32 {
    let mut squares = s.splat(0.0);
    for x in x {
        let x = s.load(x);
        squares = s.add(squares, s.mul(x, x));
    }
    1.0 / (s.sum(squares) / (x.len() * LANES) as f32 + epsilon).sqrt()
}

/// The RMS norm of a vector, in its place.
#[inline(always)]
pub fn norm<S: Vectors>(s: S, x: &mut [Lanes], weight: &[Lanes], epsilon: f32) {
    let h = s.splat(inverse(s, x, epsilon));
    for (x, weight) in x.iter_mut().zip(weight) {
        s.store(s.mul(s.mul(s.load(x), h), s.load(weight)), x);
    }
}

/// The end of one part of a layer and the beginning of the next: adds what the one has made to the
/// residual stream, and gives the norm of the sum, quantised.
pub struct AddNorm<'a> {
    /// The rows whose norm is asked for, in order; all if there are none.
    pub said: Option<&'a [usize]>,
    /// `[rows][D]`
    pub x: &'a mut [Lanes],
    /// `[rows][D]`; changed by the norm behind.
    pub added: Option<&'a mut [Lanes]>,
    /// What `added` goes through first.
    pub behind: Option<&'a [Lanes]>,
    /// `[D]`
    pub weight: &'a [Lanes],
    pub epsilon: f32,
    /// Room for `[D]`.
    pub room: &'a mut [Lanes],
    pub out: &'a mut Quantised16,
}

impl Job for AddNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let s = isa.vectors();
        let lines = self.weight.len();
        let rows = self.x.len() / lines;
        if let Some(added) = self.added {
            for (x, added) in self.x.chunks_exact_mut(lines).zip(added.chunks_exact_mut(lines)) {
                if let Some(behind) = self.behind {
                    norm(s, added, behind, self.epsilon);
                }
                for (x, added) in x.iter_mut().zip(added) {
                    s.store(s.add(s.load(x), s.load(added)), x);
                }
            }
        }
        let count = match self.said {
            Some(said) => said.len(),
            None => rows,
        };
        for to in 0..count {
            let row = match self.said {
                Some(said) => said[to],
                None => to,
            };
            let room = &mut self.room[..lines];
            room.copy_from_slice(&self.x[row * lines..][..lines]);
            norm(s, room, self.weight, self.epsilon);
            self.out.write(s, to, room);
        }
    }
}

/// Norms the heads of queries or keys, if they are, and turns them.
#[inline(always)]
pub fn turn<S: Vectors>(
    s: S,
    x: &mut [Lanes],
    weight: Option<(&[Lanes], f32)>,
    [cosine, sine]: [&[Lanes]; 2],
) {
    if let Some((weight, epsilon)) = weight {
        norm(s, x, weight, epsilon);
    }
    let (first, second) = x.split_at_mut(cosine.len());
    for (i, (a, b)) in first.iter_mut().zip(second).enumerate() {
        let (x, y) = (s.load(a), s.load(b));
        let (cosine, sine) = (s.load(&cosine[i]), s.load(&sine[i]));
        s.store(s.sub(s.mul(x, cosine), s.mul(y, sine)), a);
        s.store(s.add(s.mul(y, cosine), s.mul(x, sine)), b);
    }
}

/// The product of the gate and what it lets through, quantised.
pub struct Gated<'a> {
    pub gate: Gate,
    /// `[rows][intermediate]`; changed.
    pub x: &'a mut [Lanes],
    /// `[rows][intermediate]`
    pub up: &'a [Lanes],
    /// Lines of a row.
    pub lines: usize,
    pub rows: usize,
    pub out: &'a mut Quantised16,
}

impl Job for Gated<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let s = isa.vectors();
        let rows = self.x.chunks_exact_mut(self.lines).zip(self.up.chunks_exact(self.lines));
        for (row, (x, up)) in rows.take(self.rows).enumerate() {
            let mut largest = s.splat(0.0);
            for (x, up) in x.iter_mut().zip(up) {
                let g = s.load(x);
                let g = match self.gate {
                    Gate::Silu => s.mul(g, sigmoid(s, g)),
                    Gate::Gelu => {
                        let cube = s.mul(s.mul(g, g), g);
                        let inner = s.add(g, s.mul(s.splat(CUBE), cube));
                        let inner = s.mul(s.splat(GELU), inner);
                        let share = s.add(s.splat(1.0), tanh(s, inner));
                        s.mul(s.mul(s.splat(0.5), g), share)
                    }
                };
                let y = s.mul(g, s.load(up));
                largest = s.max(s.abs(y), largest);
                s.store(y, x);
            }
            self.out.write_known(s, row, x, s.largest(largest));
        }
    }
}

/// Caps numbers softly: `cap tanh(x / cap)`.
#[inline(always)]
pub fn cap<S: Vectors>(s: S, x: &mut [Lanes], cap: f32) {
    let cap = s.splat(cap);
    for x in x {
        s.store(s.mul(cap, tanh(s, s.div(s.load(x), cap))), x);
    }
}
