//! Layer norms with what follows them, row by row: mixing with the last input, quantisation.

use super::network::PackedNorm;
use super::stream::StreamState;
use crate::exact::EPSILON;
use crate::exact::kernel::{Isa, Job, Lanes, Quantised, Vectors};
use crate::lm::engine::Row;

/// Adds a product to the residual stream, if there is one, and gives the layer norm of the sum.
#[inline(always)]
fn norm<S: Vectors>(
    s: S,
    x: &mut [Lanes],
    add: Option<&[Lanes]>,
    norm: &PackedNorm,
    u: &mut [Lanes],
) {
    let length = (x.len() * x[0].0.len()) as f32;
    let mut total = s.splat(0.0);
    if let Some(add) = add {
        for (x, add) in x.iter_mut().zip(add) {
            let sum = s.add(s.load(x), s.load(add));
            s.store(sum, x);
            total = s.add(total, sum);
        }
    } else {
        for x in x.iter() {
            total = s.add(total, s.load(x));
        }
    }
    let mean = s.splat(s.sum(total) / length);
    let mut squares = s.splat(0.0);
    for x in x.iter() {
        let d = s.sub(s.load(x), mean);
        squares = s.add(squares, s.mul(d, d));
    }
    let h = s.splat(1.0 / (s.sum(squares) / length + EPSILON).sqrt());
    for (((x, u), weight), bias) in x.iter().zip(u).zip(&norm.weight).zip(&norm.bias) {
        let d = s.sub(s.load(x), mean);
        s.store(s.add(s.mul(s.mul(d, h), s.load(weight)), s.load(bias)), u);
    }
}

/// Residual addition, layer norm, and its mixtures with the last input of the same place,
/// quantised.
pub struct Shift<'a, 'b, const M: usize> {
    pub states: &'a mut [&'b mut StreamState],
    pub rows: &'a [Row],
    pub layer: usize,
    /// 0 for the time mix, 1 for the channel mix.
    pub which: usize,
    /// The residual stream `[rows][D]`.
    pub x: &'a mut [Lanes],
    /// What is added to it first, `[rows][D]`.
    pub add: Option<&'a [Lanes]>,
    pub norm: &'a PackedNorm,
    /// `[D]`
    pub mix: &'a [[Lanes; M]],
    /// Room for `[1 + M][D]`.
    pub room: &'a mut [Lanes],
    pub out: &'a mut [Quantised],
}

impl<const M: usize> Job for Shift<'_, '_, M> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let s = isa.vectors();
        let lines = self.mix.len();
        let (u, mixed) = self.room.split_at_mut(lines);
        for (r, row) in self.rows.iter().enumerate() {
            let add = self.add.map(|a| &a[r * lines..][..lines]);
            norm(s, &mut self.x[r * lines..][..lines], add, self.norm, u);
            let last = self.states[row.state].last(self.layer, self.which, lines);
            let mut largest = [s.splat(0.0); M];
            for (i, ((mix, u), last)) in self.mix.iter().zip(&*u).zip(last).enumerate() {
                let u = s.load(u);
                let delta = s.sub(s.load(last), u);
                s.store(u, last);
                for c in 0..M {
                    let x = s.add(u, s.mul(delta, s.load(&mix[c])));
                    s.store(x, &mut mixed[c * lines + i]);
                    largest[c] = s.max(s.abs(x), largest[c]);
                }
            }
            for c in 0..M {
                self.out[c].write(isa, r, &mixed[c * lines..][..lines], s.largest(largest[c]));
            }
        }
    }
}

/// Residual addition and layer norm, quantised, of the rows whose output is asked for.
pub struct LastNorm<'a> {
    pub rows: &'a [Row],
    /// `[rows][D]`
    pub x: &'a mut [Lanes],
    /// `[rows][D]`
    pub add: &'a [Lanes],
    pub norm: &'a PackedNorm,
    /// Room for `[D]`.
    pub room: &'a mut [Lanes],
    pub out: &'a mut Quantised,
}

impl Job for LastNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let lines = self.norm.weight.len();
        let u = &mut self.room[..lines];
        let mut to = 0;
        for (r, row) in self.rows.iter().enumerate() {
            if row.said {
                let add = &self.add[r * lines..][..lines];
                norm(isa.vectors(), &mut self.x[r * lines..][..lines], Some(add), self.norm, u);
                quantise(isa, to, u, self.out);
                to += 1;
            }
        }
    }
}

/// Quantises a row.
#[inline(always)]
pub fn quantise<I: Isa>(isa: I, row: usize, x: &[Lanes], out: &mut Quantised) {
    let s = isa.vectors();
    let mut largest = s.splat(0.0);
    for x in x {
        largest = s.max(s.abs(s.load(x)), largest);
    }
    out.write(isa, row, x, s.largest(largest));
}

/// What is done to the outputs of a product before they are quantised for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Identity,
    Tanh,
    Sigmoid,
    /// `max(x, 0)^2`
    SquaredRelu,
}

/// Applies a function to each number of some rows, and quantises them.
pub struct Activate<'a> {
    pub function: Function,
    pub rows: usize,
    /// How many numbers a row has.
    pub length: usize,
    /// `[rows][stride]`; changed.
    pub x: &'a mut [Lanes],
    pub stride: usize,
    pub out: &'a mut Quantised,
}

impl Job for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let s = isa.vectors();
        let lines = self.length.div_ceil(16);
        for r in 0..self.rows {
            let x = &mut self.x[r * self.stride..][..lines];
            match self.function {
                Function::Identity => {}
                Function::Tanh => {
                    for x in x.iter_mut() {
                        s.store(crate::exact::kernel::tanh(s, s.load(x)), x);
                    }
                }
                Function::Sigmoid => {
                    for x in x.iter_mut() {
                        s.store(crate::exact::kernel::sigmoid(s, s.load(x)), x);
                    }
                    if !self.length.is_multiple_of(16) {
                        // Sigmoid of 0 is not 0, but what a row is filled up with must be.
                        x[lines - 1].0[self.length % 16..].fill(0.0);
                    }
                }
                Function::SquaredRelu => {
                    for x in x.iter_mut() {
                        let h = s.max(s.load(x), s.splat(0.0));
                        s.store(s.mul(h, h), x);
                    }
                }
            }
            quantise(isa, r, x, self.out);
        }
    }
}
