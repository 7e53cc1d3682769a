//! Products of all rows of a step, whose outputs the threads of a team share: then each weight is
//! read once, by one of them.

use std::ops::Range;

use super::network::PackedLinear;
use crate::exact::fpstate::Exact;
use crate::exact::kernel::{Arena, BLOCK_LANES, Kernel, Lanes, Packed16, Product16, Quantised16};
use crate::lm::engine::Team;

/// Blocks of outputs of a piece of work, at least: fewer take less time than handing them over.
const LEAST: usize = 3;

/// A product that is asked for.
pub struct Wanted<'a> {
    pub matrix: &'a Packed16,
    /// What is added, `[outputs]`.
    pub bias: Option<&'a [Lanes]>,
    pub x: &'a Quantised16,
    /// Each row of all outputs.
    pub out: Vec<&'a mut [Lanes]>,
}

impl<'a> Wanted<'a> {
    /// The product of a matrix without a bias, its rows `[rows][outputs]` one after the other.
    pub fn plain(
        matrix: &'a Packed16,
        x: &'a Quantised16,
        rows: usize,
        out: &'a mut [Lanes],
    ) -> Self {
        let lines = matrix.lines();
        Self { matrix, bias: None, x, out: out.chunks_exact_mut(lines).take(rows).collect() }
    }

    /// The same of a matrix that may have a bias.
    pub fn linear(
        linear: &'a PackedLinear,
        x: &'a Quantised16,
        rows: usize,
        out: &'a mut [Lanes],
    ) -> Self {
        Self { bias: linear.bias.as_deref(), ..Self::plain(&linear.matrix, x, rows, out) }
    }

    /// The part of it that some blocks are, which are the first that are left.
    fn part(&mut self, arena: &'a Arena, blocks: Range<usize>) -> Product16<'a> {
        let lines = blocks.len() * BLOCK_LANES;
        let out = self.out.iter_mut().map(|row| {
            let lines = lines.min(row.len());
            let (part, left) = std::mem::take(row).split_at_mut(lines);
            *row = left;
            part
        });
        let out = out.collect::<Vec<_>>();
        let Self { matrix, bias, x, .. } = *self;
        Product16 { arena, matrix, blocks, x, rows: out.len(), bias, out }
    }
}

/// Computes products that do not depend on each other.
pub fn products(team: &Team, fp: Exact, kernel: Kernel, arena: &Arena, wanted: Vec<Wanted>) {
    let blocks: usize = wanted.iter().map(|wanted| wanted.matrix.blocks()).sum();
    let each = blocks.div_ceil(team.pieces()).max(LEAST);
    let mut pieces = Vec::new();
    for mut wanted in wanted {
        let blocks = wanted.matrix.blocks();
        for begin in (0..blocks).step_by(each) {
            pieces.push(wanted.part(arena, begin..blocks.min(begin + each)));
        }
    }
    team.each(fp, pieces, |fp, piece| kernel.run(fp, piece));
}
