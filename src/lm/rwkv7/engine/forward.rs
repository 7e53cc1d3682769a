//! One step of the network: the layers, for all rows of one thread.
//!
//! A thread computes whole rows, or its part of every row: some of the heads, and some of the
//! outputs of the large products. What is cheap is computed by every thread of such a group for
//! itself; four times a layer they exchange what they have.

use std::ops::Range;

use super::exchange::Member;
use super::frequencies::Frequencies;
use super::heads::{Heads, Inputs, Room};
use super::network::{INPUTS, Network, PackedLayer};
use super::norms::{Activate, Function, LastNorm, Row, Shift};
use super::timer::{Part, Timer};
use crate::exact::LANES;
use crate::exact::fpstate::Exact;
use crate::exact::kernel::{BLOCK, BLOCK_LANES, Lanes, Packed, Product, Quantised, Rows, Strided};
use crate::lm::rwkv7::Config;
use crate::vocab::START;

/// Buffers of a thread, for as many rows as it has had. `[rows][D]` where nothing else is said.
#[derive(Debug, Default)]
pub struct Scratch {
    rows: usize,
    /// The residual stream.
    x: Vec<Lanes>,
    r: Vec<Lanes>,
    k: Vec<Lanes>,
    v: Vec<Lanes>,
    w: Vec<Lanes>,
    a: Vec<Lanes>,
    g: Vec<Lanes>,
    mix: Vec<Lanes>,
    v_first: Vec<Lanes>,
    /// What the heads give, then what is to be added to `x`.
    y: Vec<Lanes>,
    added: Vec<Lanes>,
    /// `[rows][rank]` of w, a, g, v.
    low: [Vec<Lanes>; 4],
    /// `[rows][intermediate]`
    wide: Vec<Lanes>,
    /// `[rows][V]`, only where threads share rows.
    logits: Vec<Lanes>,
    /// Quantised: r, w, k, v, a, g; the first also serves others.
    q: Vec<Quantised>,
    q_low: Vec<Quantised>,
    q_wide: Vec<Quantised>,
    /// `[1 + 6][D]`
    room: Vec<Lanes>,
    heads: Room,
    pub timer: Timer,
}

/// Which of w, a, g, v a low-rank product is.
const W: usize = 0;
const A: usize = 1;
const G: usize = 2;
const V: usize = 3;

fn ranks(config: &Config) -> [usize; 4] {
    [config.decay_rank, config.a_rank, config.gate_rank, config.v_rank]
}

fn lines(length: usize) -> usize {
    length.div_ceil(LANES)
}

impl Scratch {
    fn resize(&mut self, network: &Network, rows: usize) {
        if rows <= self.rows {
            return;
        }
        self.rows = rows;
        let config = &network.config;
        let Self { x, r, k, v, w, a, g, mix, v_first, y, added, .. } = self;
        for buffer in [x, r, k, v, w, a, g, mix, v_first, y, added] {
            buffer.resize(rows * lines(config.hidden), Lanes::default());
        }
        for (buffer, rank) in self.low.iter_mut().zip(ranks(config)) {
            buffer.resize(rows * lines(rank), Lanes::default());
        }
        self.wide.resize(rows * lines(config.intermediate), Lanes::default());
        let quantised = |inputs: usize| Quantised::new(config.activations, rows, inputs);
        self.q = vec![config.hidden; INPUTS].into_iter().map(quantised).collect();
        self.q_low = ranks(config).into_iter().map(quantised).collect();
        self.q_wide = vec![quantised(config.intermediate)];
        self.room.resize((1 + INPUTS) * lines(config.hidden), Lanes::default());
        self.heads.resize(lines(config.hidden), config.heads());
    }
}

/// Which heads a member of a group computes.
pub fn heads_of(config: &Config, index: usize, of: usize) -> Range<usize> {
    // The channels of a part are whole blocks of outputs and whole heads.
    let mut unit = config.head_size;
    while !unit.is_multiple_of(BLOCK) {
        unit += config.head_size;
    }
    let units = config.hidden.div_ceil(unit);
    let head = |i: usize| (units * i / of * unit).min(config.hidden) / config.head_size;
    head(index)..head(index + 1)
}

/// Which blocks of an output of this length a member of a group computes.
fn blocks_of(outputs: usize, index: usize, of: usize) -> Range<usize> {
    let blocks = outputs.div_ceil(BLOCK);
    blocks * index / of..blocks * (index + 1) / of
}

/// The lines of blocks.
fn lines_of(blocks: Range<usize>, outputs: usize) -> Range<usize> {
    blocks.start * BLOCK_LANES..(blocks.end * BLOCK_LANES).min(lines(outputs))
}

/// A step of some rows by one thread.
pub struct Forward<'a, 'b, 'c> {
    pub fp: Exact<'a>,
    pub network: &'a Network,
    pub rows: &'a mut [Row<'b>],
    pub scratch: &'a mut Scratch,
    pub member: Member<'c>,
}

impl Forward<'_, '_, '_> {
    /// Advances every row by its token. Of a group's threads, the first one writes logits and sums.
    pub fn run(mut self) {
        self.scratch.resize(self.network, self.rows.len());
        self.embed();
        for (number, layer) in self.network.layers.iter().enumerate() {
            self.time_mix(number, layer);
            self.channel_mix(number, layer);
        }
        self.output();
    }

    fn embed(&mut self) {
        let emb = &self.network.emb;
        for ((stream, token), x) in
            self.rows.iter_mut().zip(self.scratch.x.chunks_exact_mut(self.network.lines()))
        {
            if *token == START {
                stream.clear();
            }
            let scale = emb.scale[*token as usize];
            for (x, w) in x.iter_mut().zip(emb.row(*token as usize).as_chunks::<LANES>().0) {
                x.0 = w.map(|w| f32::from(w) * scale);
            }
        }
    }

    fn time_mix(&mut self, number: usize, layer: &PackedLayer) {
        let Self { fp, network, rows, scratch, member } = self;
        let fp = *fp;
        let (config, kernel, d) = (&network.config, network.kernel, network.lines());
        let Scratch {
            x,
            r,
            k,
            v,
            w,
            a,
            g,
            mix,
            v_first,
            y,
            added,
            low,
            q,
            q_low,
            room,
            heads,
            timer,
            ..
        } = &mut **scratch;
        kernel.run(
            fp,
            Shift {
                rows,
                layer: number,
                which: 0,
                x,
                add: (number > 0).then_some(&**added),
                norm: &layer.ln1,
                mix: &layer.mix,
                room,
                out: q,
            },
        );
        timer.mark(Part::Elementwise);

        let count = rows.len();
        let mine = heads_of(config, member.index, member.of);
        let channels =
            |heads: Range<usize>| heads.start * config.head_size..heads.end * config.head_size;
        let blocks = channels(mine.clone());
        let blocks = blocks.start / BLOCK..blocks.end.div_ceil(BLOCK);
        let product = |matrix: &Packed, blocks: Range<usize>, x: &Quantised, out: &mut [Lanes]| {
            let out = Strided { x: out, stride: lines(matrix.outputs) };
            kernel.run(fp, Product { arena: &network.arena, matrix, blocks, x, rows: count, out });
        };
        let [q_r, q_w, q_k, q_v, q_a, q_g] = &q[..] else { unreachable!("six inputs") };
        product(&layer.receptance, blocks.clone(), q_r, r);
        product(&layer.key, blocks.clone(), q_k, k);
        product(&layer.value, blocks.clone(), q_v, v);
        timer.mark(Part::Products);

        product(&layer.w1, 0..layer.w1.blocks(), q_w, &mut low[W]);
        if let Some((v1, _)) = &layer.value_mix {
            product(v1, 0..v1.blocks(), q_v, &mut low[V]);
        }
        product(&layer.a1, 0..layer.a1.blocks(), q_a, &mut low[A]);
        product(&layer.g1, 0..layer.g1.blocks(), q_g, &mut low[G]);

        let functions = [Function::Tanh, Function::Identity, Function::Sigmoid, Function::Identity];
        let used = if layer.value_mix.is_some() { 4 } else { 3 };
        for i in 0..used {
            let rank = ranks(config)[i];
            let out = &mut q_low[i];
            kernel.run(
                fp,
                Activate {
                    function: functions[i],
                    rows: count,
                    length: rank,
                    x: &mut low[i],
                    stride: lines(rank),
                    out,
                },
            );
        }
        product(&layer.w2, blocks.clone(), &q_low[W], w);
        product(&layer.a2, blocks.clone(), &q_low[A], a);
        if let Some((_, v2)) = &layer.value_mix {
            product(v2, blocks.clone(), &q_low[V], mix);
        }
        product(&layer.g2, blocks.clone(), &q_low[G], g);
        timer.mark(Part::LowRank);

        kernel.run(
            fp,
            Heads {
                rows,
                layer: number,
                head_size: config.head_size,
                first: channels(mine).start / LANES,
                channels: &layer.channels,
                inputs: Inputs { r, k, v, w, a, g, mix: layer.value_mix.is_some().then_some(mix) },
                v_first,
                room: heads,
                timer,
                out: y,
            },
        );
        let of = member.of;
        let part = |i| {
            let part = channels(heads_of(config, i, of));
            part.start / LANES..part.end / LANES
        };
        member.gather(y, count, d, part);
        kernel.run(
            fp,
            Activate {
                function: Function::Identity,
                rows: count,
                length: config.hidden,
                x: y,
                stride: d,
                out: &mut q[0],
            },
        );
        timer.mark(Part::Elementwise);
        product(&layer.output, blocks, &q[0], added);
        member.gather(added, count, d, part);
        timer.mark(Part::Products);
    }

    fn channel_mix(&mut self, number: usize, layer: &PackedLayer) {
        let Self { fp, network, rows, scratch, member } = self;
        let fp = *fp;
        let (config, kernel) = (&network.config, network.kernel);
        let Scratch { x, added, wide, q, q_wide, room, timer, .. } = &mut **scratch;
        kernel.run(
            fp,
            Shift {
                rows,
                layer: number,
                which: 1,
                x,
                add: Some(&**added),
                norm: &layer.ln2,
                mix: &layer.ffn_mix,
                room,
                out: q,
            },
        );
        timer.mark(Part::Elementwise);
        let (count, of) = (rows.len(), member.of);
        let mut product = |matrix: &Packed, x: &Quantised, out: &mut [Lanes]| {
            let stride = lines(matrix.outputs);
            let blocks = blocks_of(matrix.outputs, member.index, of);
            let rows = Strided { x: &mut *out, stride };
            kernel.run(
                fp,
                Product { arena: &network.arena, matrix, blocks, x, rows: count, out: rows },
            );
            member.gather(out, count, stride, |i| {
                lines_of(blocks_of(matrix.outputs, i, of), matrix.outputs)
            });
        };
        product(&layer.ffn_key, &q[0], wide);
        timer.mark(Part::Products);
        let (length, out) = (config.intermediate, &mut q_wide[0]);
        kernel.run(
            fp,
            Activate {
                function: Function::SquaredRelu,
                rows: count,
                length,
                x: wide,
                stride: lines(length),
                out,
            },
        );
        timer.mark(Part::Elementwise);
        product(&layer.ffn_value, &q_wide[0], added);
        timer.mark(Part::Products);
    }

    fn output(&mut self) {
        let Self { fp, network, rows, scratch, member } = self;
        let (fp, kernel, count) = (*fp, network.kernel, rows.len());
        let Scratch { x, added, q, room, logits, timer, .. } = &mut **scratch;
        kernel.run(
            fp,
            LastNorm { rows: count, x, add: added, norm: &network.ln_out, room, out: &mut q[0] },
        );
        timer.mark(Part::Elementwise);
        let (arena, matrix, x) = (&network.arena, &network.head, &q[0]);
        if member.of == 1 {
            let out = Logits(rows);
            kernel.run(
                fp,
                Product { arena, matrix, blocks: 0..matrix.blocks(), x, rows: count, out },
            );
        } else {
            let (of, stride) = (member.of, lines(matrix.outputs));
            logits.resize(logits.len().max(count * stride), Lanes::default());
            let blocks = blocks_of(matrix.outputs, member.index, of);
            let out = Strided { x: &mut *logits, stride };
            kernel.run(fp, Product { arena, matrix, blocks, x, rows: count, out });
            member.gather(logits, count, stride, |i| {
                lines_of(blocks_of(matrix.outputs, i, of), matrix.outputs)
            });
            if member.index > 0 {
                return;
            }
            for ((stream, _), logits) in rows.iter_mut().zip(logits.chunks_exact(stride)) {
                stream.logits.copy_from_slice(logits);
            }
        }
        timer.mark(Part::Products);
        kernel.run(fp, Frequencies { fp, rows, massless: network.massless });
        timer.mark(Part::Softmax);
    }
}

/// The streams' own logits.
struct Logits<'a, 'b>(&'a mut [Row<'b>]);

impl Rows for Logits<'_, '_> {
    #[inline(always)]
    fn row(&mut self, row: usize) -> &mut [Lanes] {
        &mut self.0[row].0.logits
    }
}
