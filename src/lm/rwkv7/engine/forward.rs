//! One step of the network: the layers, for all rows.

use super::heads::{Heads, Inputs, Room};
use super::network::{INPUTS, Network, PackedLayer};
use super::norms::{Activate, Function, LastNorm, Shift};
use super::stream::StreamState;
use crate::exact::LANES;
use crate::exact::fpstate::Exact;
use crate::exact::kernel::{Lanes, Packed, Product, Quantised, Rows, Strided};
use crate::lm::engine::{Frequencies, LmOutput, Part, Row, Timer};
use crate::lm::rwkv7::Config;
use crate::vocab::START;

/// Buffers of an engine, for as many rows as it has had. `[rows][D]` where nothing else is said.
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

/// A step of some rows.
pub struct Forward<'a, 'b, 'c> {
    pub fp: Exact<'a>,
    pub network: &'a Network,
    pub states: &'a mut [&'b mut StreamState],
    pub rows: &'a [Row],
    /// What the model says behind each row of which it is asked.
    pub outputs: &'a mut [&'c mut LmOutput],
    pub scratch: &'a mut Scratch,
}

impl Forward<'_, '_, '_> {
    /// Advances every row by its token.
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
        for (row, x) in self.rows.iter().zip(self.scratch.x.chunks_exact_mut(self.network.lines()))
        {
            if row.token == START {
                self.states[row.state].clear();
            }
            let token = row.token as usize;
            let scale = emb.scale[token];
            for (x, w) in x.iter_mut().zip(emb.row(token).as_chunks::<LANES>().0) {
                x.0 = w.map(|w| f32::from(w) * scale);
            }
        }
    }

    fn time_mix(&mut self, number: usize, layer: &PackedLayer) {
        let Self { fp, network, states, rows, scratch, .. } = self;
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
                states,
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
        let product = |matrix: &Packed, x: &Quantised, out: &mut [Lanes]| {
            let out = Strided { x: out, stride: lines(matrix.outputs) };
            kernel.run(fp, Product { arena: &network.arena, matrix, x, rows: count, out });
        };
        let [q_r, q_w, q_k, q_v, q_a, q_g] = &q[..] else { unreachable!("six inputs") };
        product(&layer.receptance, q_r, r);
        product(&layer.key, q_k, k);
        product(&layer.value, q_v, v);
        timer.mark(Part::Products);

        product(&layer.w1, q_w, &mut low[W]);
        if let Some((v1, _)) = &layer.value_mix {
            product(v1, q_v, &mut low[V]);
        }
        product(&layer.a1, q_a, &mut low[A]);
        product(&layer.g1, q_g, &mut low[G]);

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
        product(&layer.w2, &q_low[W], w);
        product(&layer.a2, &q_low[A], a);
        if let Some((_, v2)) = &layer.value_mix {
            product(v2, &q_low[V], mix);
        }
        product(&layer.g2, &q_low[G], g);
        timer.mark(Part::LowRank);

        kernel.run(
            fp,
            Heads {
                states,
                rows,
                layer: number,
                head_size: config.head_size,
                channels: &layer.channels,
                inputs: Inputs { r, k, v, w, a, g, mix: layer.value_mix.is_some().then_some(mix) },
                v_first,
                room: heads,
                timer,
                out: y,
            },
        );
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
        product(&layer.output, &q[0], added);
        timer.mark(Part::Products);
    }

    fn channel_mix(&mut self, number: usize, layer: &PackedLayer) {
        let Self { fp, network, states, rows, scratch, .. } = self;
        let fp = *fp;
        let (config, kernel) = (&network.config, network.kernel);
        let Scratch { x, added, wide, q, q_wide, room, timer, .. } = &mut **scratch;
        kernel.run(
            fp,
            Shift {
                states,
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
        let count = rows.len();
        let product = |matrix: &Packed, x: &Quantised, out: &mut [Lanes]| {
            let out = Strided { x: out, stride: lines(matrix.outputs) };
            kernel.run(fp, Product { arena: &network.arena, matrix, x, rows: count, out });
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
        let Self { fp, network, rows, outputs, scratch, .. } = self;
        let (fp, kernel, count) = (*fp, network.kernel, outputs.len());
        let Scratch { x, added, q, room, timer, .. } = &mut **scratch;
        kernel
            .run(fp, LastNorm { rows, x, add: added, norm: &network.ln_out, room, out: &mut q[0] });
        timer.mark(Part::Elementwise);
        let (arena, matrix, x) = (&network.arena, &network.head, &q[0]);
        let out = Logits(outputs);
        kernel.run(fp, Product { arena, matrix, x, rows: count, out });
        timer.mark(Part::Products);
        kernel.run(fp, Frequencies { fp, outputs, massless: network.massless });
        timer.mark(Part::Softmax);
    }
}

/// The outputs' own logits.
struct Logits<'a, 'b>(&'a mut [&'b mut LmOutput]);

impl Rows for Logits<'_, '_> {
    #[inline(always)]
    fn row(&mut self, row: usize) -> &mut [Lanes] {
        &mut self.0[row].logits
    }
}
