//! One step of the network: the layers, for all rows.

use super::attention::{Attend, Part as AttentionPart, Room, Turns};
use super::cache::Cache;
use super::config::Config;
use super::network::{Network, PackedLayer};
use super::norms::{self, AddNorm, Gated};
use super::products::{Wanted, products};
use super::ring::{STEP, turned_at};
use crate::exact::LANES;
use crate::exact::fpstate::Exact;
use crate::exact::kernel::{Isa, Job, Lanes, Quantised16};
use crate::exact::rotary::turn;
use crate::exact::wide::GROUP;
use crate::lm::engine::{self, LmOutput, Part, RowSums, Team, Timer};
use crate::vocab::{START, Token};

/// Buffers of an engine, for as many rows as it has had. `[rows][D]` where nothing else is said.
#[derive(Debug, Default)]
pub struct Scratch {
    rows: usize,
    /// The residual stream.
    x: Vec<Lanes>,
    added: Vec<Lanes>,
    /// `[rows][H N]`
    queries: Vec<Lanes>,
    heads: Vec<Lanes>,
    /// `[rows][key heads * N]`
    keys: Vec<Lanes>,
    values: Vec<Lanes>,
    /// `[rows][intermediate]`
    gate: Vec<Lanes>,
    up: Vec<Lanes>,
    q: Quantised16,
    q_heads: Quantised16,
    q_wide: Quantised16,
    /// Of layers that are not local and of those that are, each near and far.
    turns: [[Turns; 2]; 2],
    /// Of each piece of the attention's work.
    attention: Vec<Room>,
    /// `[D]`
    room: Vec<Lanes>,
    team: Team,
    pub timer: Timer,
}

impl Scratch {
    pub fn new(team: Team) -> Self {
        Self { team, ..Self::default() }
    }

    fn resize(&mut self, network: &Network, rows: usize) {
        if rows <= self.rows {
            return;
        }
        self.rows = rows;
        let config = &network.config;
        let (d, inner) = (config.hidden, config.intermediate);
        let (queries, keys) = (config.heads * config.head_size, config.kv_heads * config.head_size);
        let Self { x, added, queries: q, heads, keys: k, values, gate, up, .. } = self;
        let buffers = [
            (x, d),
            (added, d),
            (q, queries),
            (heads, queries),
            (k, keys),
            (values, keys),
            (gate, inner),
            (up, inner),
        ];
        for (buffer, length) in buffers {
            buffer.resize(rows * length / LANES, Lanes::default());
        }
        self.q = Quantised16::new(rows, d);
        self.q_heads = Quantised16::new(rows, queries);
        self.q_wide = Quantised16::new(rows, inner);
        self.room.resize(d / LANES, Lanes::default());
    }
}

/// A row of a pass.
#[derive(Debug, Clone, Copy)]
struct Row {
    state: usize,
    token: Token,
    /// The number of the output that it has, if it has one.
    output: Option<usize>,
}

/// Rows of a pass that follow each other and belong to one state.
struct Run {
    state: usize,
    first: usize,
    rows: usize,
}

/// Advances every state by its tokens.
pub fn run(
    network: &Network,
    states: &mut [&mut Cache],
    rows: &[engine::Row],
    outputs: &mut [&mut LmOutput],
    scratch: &mut Scratch,
) {
    let team = std::mem::take(&mut scratch.team);
    team.run(|fp| passes(network, fp, &team, states, rows, outputs, scratch));
    scratch.team = team;
}

fn passes(
    network: &Network,
    fp: Exact,
    team: &Team,
    states: &mut [&mut Cache],
    rows: &[engine::Row],
    outputs: &mut [&mut LmOutput],
    scratch: &mut Scratch,
) {
    let mut said = 0;
    let mut all: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        let output = row.said.then_some(said);
        said += usize::from(row.said);
        all.push(Row { state: row.state, token: row.token, output });
    }
    // A ring has room for so many tokens of a state in one pass.
    let mut runs: Vec<&[Row]> = all.chunk_by(|a, b| a.state == b.state).collect();
    while !runs.is_empty() {
        let mut pass = Vec::new();
        for run in &mut runs {
            let (now, later) = run.split_at(run.len().min(STEP));
            pass.extend_from_slice(now);
            *run = later;
        }
        runs.retain(|run| !run.is_empty());
        Pass { fp, network, team, states, rows: &pass, outputs, scratch }.run();
    }
}

/// Some rows, computed together.
struct Pass<'a, 'b, 'c> {
    fp: Exact<'a>,
    network: &'a Network,
    team: &'a Team,
    states: &'a mut [&'b mut Cache],
    rows: &'a [Row],
    outputs: &'a mut [&'c mut LmOutput],
    scratch: &'a mut Scratch,
}

impl Pass<'_, '_, '_> {
    fn run(mut self) {
        let (network, count) = (self.network, self.rows.len());
        self.scratch.resize(network, count);
        self.embed();
        let mut first = 0;
        let runs = self.rows.chunk_by(|a, b| a.state == b.state).map(|rows| {
            let run = Run { state: rows[0].state, first, rows: rows.len() };
            first += rows.len();
            run
        });
        let runs: Vec<Run> = runs.collect();
        for run in &runs {
            self.states[run.state].reserve(run.rows);
        }
        self.turn(&runs);
        self.scratch.timer.mark(Part::Elementwise);
        for (number, layer) in network.layers.iter().enumerate() {
            self.attention(number, layer, &runs);
            self.inner(layer);
        }
        for run in &runs {
            self.states[run.state].length += run.rows as u64;
        }
        self.output();
    }

    fn embed(&mut self) {
        let Self { network, states, rows, scratch, .. } = self;
        let config = &network.config;
        let mut weights = vec![0.0; config.hidden];
        for (row, x) in rows.iter().zip(scratch.x.chunks_exact_mut(config.hidden / LANES)) {
            if row.token == START {
                states[row.state].clear();
            }
            let token = row.token as usize;
            match &network.embedding {
                Some(embedding) => {
                    let groups = embedding.row(token).chunks(GROUP).zip(embedding.scales(token));
                    let values = groups.flat_map(|(group, scale)| {
                        group.iter().map(move |w| f32::from(*w) * scale)
                    });
                    weights.iter_mut().zip(values).for_each(|(to, value)| *to = value);
                }
                None => {
                    let rank = network.ranks[token] as usize;
                    network.head.output(&network.arena, rank, &mut weights);
                }
            }
            for (x, w) in x.iter_mut().zip(weights.as_chunks::<LANES>().0) {
                x.0 = w.map(|w| w * config.embedding_scale);
            }
        }
    }

    /// The turns of all rows.
    fn turn(&mut self, runs: &[Run]) {
        let Self { fp, network, states, scratch, .. } = self;
        let (fp, config) = (*fp, &network.config);
        let (mut positions, mut nearer) = (Vec::new(), Vec::new());
        for run in runs {
            let state = &states[run.state];
            let window = config.ring(state.context, false).window as u64;
            let from = state.length;
            positions.extend(from..from + run.rows as u64);
            nearer.extend((from..from + run.rows as u64).map(|position| position.min(window)));
        }
        let pairs = config.head_size / 2;
        for (kind, turns) in scratch.turns.iter_mut().enumerate() {
            if kind == 1 && !config.local.contains(&true) {
                continue;
            }
            let frequencies = &config.rotary[kind];
            let [near, far] = turns;
            let turn =
                |position: u64, pair: usize| turn(fp, turned_at(position) * frequencies[pair]);
            near.fill(pairs, &positions, turn);
            if positions != nearer {
                far.fill(pairs, &nearer, turn);
            }
        }
    }

    fn attention(&mut self, number: usize, layer: &PackedLayer, runs: &[Run]) {
        let Self { fp, network, team, states, scratch, .. } = self;
        let (fp, rows) = (*fp, self.rows.len());
        let (kernel, arena, config) = (network.kernel, &network.arena, &network.config);
        let Scratch {
            x,
            added,
            queries,
            heads,
            keys,
            values,
            q,
            q_heads,
            turns,
            attention,
            room,
            timer,
            ..
        } = &mut **scratch;
        let behind =
            number.checked_sub(1).and_then(|last| network.layers[last].outer_norm.as_deref());
        let lines = rows * config.hidden / LANES;
        kernel.run(
            fp,
            AddNorm {
                said: None,
                x: &mut x[..lines],
                added: (number > 0).then_some(&mut added[..lines]),
                behind,
                weight: &layer.input_norm,
                epsilon: config.epsilon,
                room,
                out: q,
            },
        );
        timer.mark(Part::Elementwise);
        let wanted = [(&layer.query, &mut *queries), (&layer.key, keys), (&layer.value, values)]
            .map(|(linear, out)| Wanted::linear(linear, q, rows, out));
        products(team, fp, kernel, arena, wanted.into());
        timer.mark(Part::Products);
        let local = config.local[number];
        let [near, far] = &turns[usize::from(local)];
        let head_norms =
            layer.head_norms.as_ref().map(|norms| norms.each_ref().map(|norm| &norm[..]));
        let mut parts = heads_of(config, states, runs, number);
        let pieces = parts.len().min(team.pieces());
        attention.resize_with(attention.len().max(pieces), Room::default);
        let each = parts.len().div_ceil(pieces);
        let work = parts.chunks_mut(each).zip(&mut *attention).map(|(parts, room)| {
            let turns = [near, far];
            Attend { config, head_norms, parts, queries, keys, values, turns, room }
        });
        team.each(fp, work.collect(), |fp, attend| kernel.run(fp, attend));
        let wide = config.group() * config.head_size / LANES;
        for (parts, room) in parts.chunks(each).zip(attention) {
            let rows = parts.iter().flat_map(|part| {
                let first = part.first * config.kv_heads + part.head;
                (0..part.rows).map(move |row| first + row * config.kv_heads)
            });
            for (row, from) in rows.zip(room.out.chunks_exact(wide)) {
                heads[row * wide..][..wide].copy_from_slice(from);
            }
        }
        timer.mark(Part::State);
        kernel.run(fp, Quantise { x: heads, rows, out: q_heads });
        timer.mark(Part::Elementwise);
        products(
            team,
            fp,
            kernel,
            arena,
            vec![Wanted::linear(&layer.output, q_heads, rows, added)],
        );
        timer.mark(Part::Products);
    }

    fn inner(&mut self, layer: &PackedLayer) {
        let Self { fp, network, team, scratch, .. } = self;
        let (fp, rows) = (*fp, self.rows.len());
        let (kernel, arena, config) = (network.kernel, &network.arena, &network.config);
        let Scratch { x, added, gate, up, q, q_wide, room, timer, .. } = &mut **scratch;
        let lines = rows * config.hidden / LANES;
        kernel.run(
            fp,
            AddNorm {
                said: None,
                x: &mut x[..lines],
                added: Some(&mut added[..lines]),
                behind: layer.attention_norm.as_deref(),
                weight: &layer.inner_norm,
                epsilon: config.epsilon,
                room,
                out: q,
            },
        );
        timer.mark(Part::Elementwise);
        let wanted = [(&layer.gate, &mut *gate), (&layer.up, &mut *up)]
            .map(|(matrix, out)| Wanted::plain(matrix, q, rows, out));
        products(team, fp, kernel, arena, wanted.into());
        timer.mark(Part::Products);
        let lines = config.intermediate / LANES;
        kernel.run(fp, Gated { gate: config.gate, x: gate, up, lines, rows, out: q_wide });
        timer.mark(Part::Elementwise);
        products(team, fp, kernel, arena, vec![Wanted::plain(&layer.down, q_wide, rows, added)]);
        timer.mark(Part::Products);
    }

    fn output(&mut self) {
        let Self { fp, network, team, rows, outputs, scratch, .. } = self;
        let (fp, kernel, config) = (*fp, network.kernel, &network.config);
        let Scratch { x, added, q, room, timer, .. } = &mut **scratch;
        let asked = rows.iter().enumerate().filter_map(|(row, r)| Some((row, r.output?)));
        let (said, places): (Vec<_>, Vec<_>) = asked.unzip();
        let lines = rows.len() * config.hidden / LANES;
        kernel.run(
            fp,
            AddNorm {
                said: Some(&said),
                x: &mut x[..lines],
                added: Some(&mut added[..lines]),
                behind: network.layers.last().and_then(|layer| layer.outer_norm.as_deref()),
                weight: &network.norm,
                epsilon: config.epsilon,
                room,
                out: q,
            },
        );
        timer.mark(Part::Elementwise);
        let mut places = places.into_iter().peekable();
        let asked = |(number, _): &(usize, &mut &mut LmOutput)| places.next_if_eq(number).is_some();
        let outputs = outputs.iter_mut().enumerate().filter(asked);
        let mut outputs: Vec<&mut LmOutput> = outputs.map(|(_, output)| &mut **output).collect();
        let out = outputs.iter_mut().map(|output| &mut output.logits[..]).collect();
        let wanted = Wanted { matrix: &network.head, bias: None, x: q, out };
        products(team, fp, kernel, &network.arena, vec![wanted]);
        timer.mark(Part::Products);
        team.each(fp, outputs, |fp, LmOutput { logits, sums }| {
            if let Some(cap) = config.logit_cap {
                kernel.run(fp, Cap { x: logits, cap });
            }
            for token in &config.absent {
                let rank = network.ranks[*token as usize] as usize;
                logits[rank / LANES].0[rank % LANES] = f32::NEG_INFINITY;
            }
            let (massless, sums) = (network.massless, &mut sums[..]);
            kernel.run(fp, RowSums { fp, logits, massless, sums });
        });
        timer.mark(Part::Softmax);
    }
}

/// Heads of keys of a layer, of all runs: the first of them of the first run, and so on.
fn heads_of<'a>(
    config: &Config,
    states: &'a mut [&mut Cache],
    runs: &[Run],
    layer: usize,
) -> Vec<AttentionPart<'a>> {
    let mut run_of = vec![None; states.len()];
    runs.iter().for_each(|run| run_of[run.state] = Some(run));
    let mut parts = Vec::with_capacity(runs.len() * config.kv_heads);
    for (cache, run) in states.iter_mut().zip(run_of) {
        let Some(&Run { first, rows, .. }) = run else { continue };
        let (ring, length) = (cache.ring(layer), cache.length);
        parts.extend(cache.heads(layer).enumerate().map(|(head, cache)| AttentionPart {
            head,
            cache,
            ring,
            length,
            first,
            rows,
        }));
    }
    parts
}

/// Quantises rows.
struct Quantise<'a> {
    x: &'a [Lanes],
    rows: usize,
    out: &'a mut Quantised16,
}

impl Job for Quantise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let lines = self.out.row(0).len() / LANES;
        for (row, x) in self.x.chunks_exact(lines).take(self.rows).enumerate() {
            self.out.write(isa.vectors(), row, x);
        }
    }
}

/// Caps logits.
struct Cap<'a> {
    x: &'a mut [Lanes],
    cap: f32,
}

impl Job for Cap<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        norms::cap(isa.vectors(), self.x, self.cap);
    }
}
