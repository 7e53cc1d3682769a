//! The heads of the time mix: gates, the recurrence, and the group norm.

use super::network::Channels;
use super::stream::StreamState;
use crate::exact::LANES;
use crate::exact::kernel::{Isa, Job, Lanes, Vectors, exp, prefetch, sigmoid};
use crate::lm::engine::{Part, Row, Timer};
use crate::lm::rwkv7::oracle::{DECAY, GROUP_EPSILON, LEAST_NORM};

/// Outputs of products that come in, `[rows][D]` each.
pub struct Inputs<'a> {
    pub r: &'a [Lanes],
    pub k: &'a [Lanes],
    pub v: &'a [Lanes],
    pub w: &'a [Lanes],
    pub a: &'a [Lanes],
    pub g: &'a [Lanes],
    /// How much of layer 0's values is mixed in; None in layer 0.
    pub mix: Option<&'a [Lanes]>,
}

/// One layer's heads, of all rows.
pub struct Heads<'a, 'b> {
    pub states: &'a mut [&'b mut StreamState],
    pub rows: &'a [Row],
    pub layer: usize,
    /// Channels of a head, N.
    pub head_size: usize,
    /// `[D]`
    pub channels: &'a [Channels],
    pub inputs: Inputs<'a>,
    /// Layer 0's values, `[rows][D]`: written there, read in the others.
    pub v_first: &'a mut [Lanes],
    pub room: &'a mut Room,
    pub timer: &'a mut Timer,
    /// `[rows][D]`
    pub out: &'a mut [Lanes],
}

/// Room for one row.
#[derive(Debug, Default)]
pub struct Room {
    /// `[D / 16]`
    per_channel: Vec<PerChannel>,
    /// `[D / 16]`
    columns: Vec<Columns>,
    /// `[H]`
    per_head: Vec<PerHead>,
}

/// What the recurrence takes and gives by vectors, and what it does not take.
#[derive(Debug, Clone, Copy, Default)]
struct PerChannel {
    v: Lanes,
    kk: Lanes,
    a: Lanes,
    /// What the recurrence gives.
    y: Lanes,
}

/// What the recurrence takes one number at a time, for each column.
#[derive(Debug, Clone, Copy, Default)]
struct Columns {
    /// The text's A.
    remove: Lanes,
    /// w
    decay: Lanes,
    /// B
    insert: Lanes,
    k: Lanes,
    r: Lanes,
}

#[derive(Debug, Clone, Copy, Default)]
struct PerHead {
    /// The norm of kk.
    norm: f32,
    /// The sum of r k r_k.
    bonus: f32,
    mean: f32,
    /// 1 / standard deviation.
    inverse: f32,
}

impl Room {
    pub fn resize(&mut self, lines: usize, heads: usize) {
        self.per_channel.resize(lines, PerChannel::default());
        self.columns.resize(lines, Columns::default());
        self.per_head.resize(heads, PerHead::default());
    }
}

impl Job for Heads<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        match self.head_size / LANES {
            1 => self.all::<I::Vectors, 1>(isa.vectors()),
            2 => self.all::<I::Vectors, 2>(isa.vectors()),
            4 => self.all::<I::Vectors, 4>(isa.vectors()),
            _ => self.all::<I::Vectors, 0>(isa.vectors()),
        }
    }
}

impl Heads<'_, '_> {
    /// M: lines of a head, or 0 for any number.
    #[inline(always)]
    fn all<S: Vectors, const M: usize>(&mut self, s: S) {
        let m = if M == 0 { self.head_size / LANES } else { M };
        let d = self.channels.len();
        for row in 0..self.rows.len() {
            let number = self.rows[row].state;
            let heads = self.states[number].heads.len();
            let lines = heads * m;
            self.gates(s, row * d, lines);
            self.units(s, m, heads);
            self.timer.mark(Part::Elementwise);
            // Two heads at a time: the sums of one alone would wait for themselves.
            let state = self.layer * self.head_size * m;
            let length = self.head_size * m;
            for pair in 0..heads.div_ceil(2) {
                let next = [2, 3].map(|ahead| self.state(row, 2 * pair + ahead, state));
                let states = &mut self.states[number].heads[2 * pair..];
                let columns = &self.room.columns[2 * pair * m..];
                let channels = &mut self.room.per_channel[2 * pair * m..];
                if let [one, two, ..] = states {
                    let (one, two) = (&mut one[state..][..length], &mut two[state..][..length]);
                    let (c1, c2) = columns[..2 * m].split_at(m);
                    let (ch1, ch2) = channels[..2 * m].split_at_mut(m);
                    if M == 2 {
                        let z = pass1::<S, 2, 2>(s, [one, two], [c1, c2]);
                        update::<S, 2>(s, one, c1, ch1, z[0], 0, next[0]);
                        update::<S, 2>(s, two, c2, ch2, z[1], 0, next[1]);
                    } else {
                        head::<S, M>(s, one, c1, ch1, next[0]);
                        head::<S, M>(s, two, c2, ch2, next[1]);
                    }
                } else if let [one] = states {
                    head::<S, M>(
                        s,
                        &mut one[state..][..length],
                        &columns[..m],
                        &mut channels[..m],
                        next[0],
                    );
                }
            }
            self.timer.mark(Part::State);
            self.group_norm(s, m, heads, row * d);
        }
    }

    /// Where the state of a head of a row begins, which may be beyond its last: then it is the next
    /// row's. For prefetching only: after the last row, nowhere.
    #[inline(always)]
    fn state(&self, row: usize, head: usize, state: usize) -> *const Lanes {
        let heads = self.states[self.rows[row].state].heads.len();
        let row = self.rows.get(row + head / heads);
        row.map_or(std::ptr::null(), |row| {
            self.states[row.state].heads[head % heads][state..].as_ptr()
        })
    }

    /// From outputs of products, of which this row's begin at line `at`, to what the recurrence
    /// takes, but for the division by the norm of kk.
    #[inline(always)]
    fn gates<S: Vectors>(&mut self, s: S, at: usize, lines: usize) {
        let one = s.splat(1.0);
        let x = &self.inputs;
        let (r, k, v) = (&x.r[at..][..lines], &x.k[at..][..lines], &x.v[at..][..lines]);
        let (w, a) = (&x.w[at..][..lines], &x.a[at..][..lines]);
        let v_first = &mut self.v_first[at..][..lines];
        let channels = &self.channels[..lines];
        let out = &mut self.room.per_channel[..lines];
        let columns = &mut self.room.columns[..lines];
        for i in 0..lines {
            let (c, out, columns) = (&channels[i], &mut out[i], &mut columns[i]);
            let decay = sigmoid(s, s.add(s.load(&c.w0), s.load(&w[i])));
            s.store(exp(s, s.mul(s.splat(DECAY), decay)), &mut columns.decay);
            let a = sigmoid(s, s.add(s.load(&c.a0), s.load(&a[i])));
            s.store(a, &mut out.a);
            let mut v = s.load(&v[i]);
            match x.mix {
                None => s.store(v, &mut v_first[i]),
                Some(mix) => {
                    let share = sigmoid(s, s.add(s.load(&c.v0), s.load(&mix[at + i])));
                    v = s.add(v, s.mul(s.sub(s.load(&v_first[i]), v), share));
                }
            }
            s.store(v, &mut out.v);
            let k = s.load(&k[i]);
            s.store(s.mul(k, s.load(&c.k_k)), &mut out.kk);
            let k = s.mul(k, s.add(one, s.mul(s.sub(a, one), s.load(&c.k_a))));
            s.store(k, &mut columns.k);
            s.store(s.load(&r[i]), &mut columns.r);
        }
    }

    /// Norms of heads, and what they divide.
    #[inline(always)]
    fn units<S: Vectors>(&mut self, s: S, m: usize, heads: usize) {
        let channels = &mut self.room.per_channel[..heads * m];
        let columns = &mut self.room.columns[..heads * m];
        let parameters = &self.channels[..heads * m];
        let per_head = &mut self.room.per_head[..heads];
        for (h, out) in per_head.iter_mut().enumerate() {
            let (mut squares, mut bonus) = (s.splat(0.0), s.splat(0.0));
            for i in h * m..(h + 1) * m {
                let kk = s.load(&channels[i].kk);
                squares = s.add(squares, s.mul(kk, kk));
                let rk = s.mul(s.load(&columns[i].r), s.load(&columns[i].k));
                bonus = s.add(bonus, s.mul(rk, s.load(&parameters[i].r_k)));
            }
            out.norm = s.sum(squares).sqrt();
            out.bonus = s.sum(bonus);
        }
        for (h, head) in per_head.iter().enumerate() {
            let norm = s.max(s.splat(head.norm), s.splat(LEAST_NORM));
            for i in h * m..(h + 1) * m {
                let unit = s.div(s.load(&channels[i].kk), norm);
                s.store(s.neg(unit), &mut columns[i].remove);
                s.store(s.mul(unit, s.load(&channels[i].a)), &mut columns[i].insert);
            }
        }
    }

    /// The norm over each head, the bonus, and the gate.
    #[inline(always)]
    fn group_norm<S: Vectors>(&mut self, s: S, m: usize, heads: usize, at: usize) {
        let channels = &self.room.per_channel[..heads * m];
        let parameters = &self.channels[..heads * m];
        let per_head = &mut self.room.per_head[..heads];
        let n = self.head_size as f32;
        for (h, out) in per_head.iter_mut().enumerate() {
            let mut total = s.splat(0.0);
            for channel in &channels[h * m..][..m] {
                total = s.add(total, s.load(&channel.y));
            }
            out.mean = s.sum(total) / n;
        }
        for (h, out) in per_head.iter_mut().enumerate() {
            let mut squares = s.splat(0.0);
            for channel in &channels[h * m..][..m] {
                let d = s.sub(s.load(&channel.y), s.splat(out.mean));
                squares = s.add(squares, s.mul(d, d));
            }
            out.inverse = 1.0 / (s.sum(squares) / n + GROUP_EPSILON).sqrt();
        }
        let g = &self.inputs.g[at..][..heads * m];
        let to = &mut self.out[at..][..heads * m];
        for (h, head) in per_head.iter().enumerate() {
            for i in h * m..(h + 1) * m {
                let d = s.sub(s.load(&channels[i].y), s.splat(head.mean));
                let p = &parameters[i];
                let y = s.add(
                    s.mul(s.mul(d, s.splat(head.inverse)), s.load(&p.norm_weight)),
                    s.load(&p.norm_bias),
                );
                let y = s.add(y, s.mul(s.splat(head.bonus), s.load(&channels[i].v)));
                s.store(s.mul(y, s.load(&g[i])), &mut to[i]);
            }
        }
    }
}

/// One head: both passes, by one, two or four lines of rows at a time.
#[inline(always)]
fn head<S: Vectors, const M: usize>(
    s: S,
    state: &mut [Lanes],
    columns: &[Columns],
    channels: &mut [PerChannel],
    next: *const Lanes,
) {
    let m = columns.len();
    match M {
        1 => {
            let z = pass1::<S, 1, 1>(s, [state], [columns]);
            update::<S, 1>(s, state, columns, channels, z[0], 0, next);
        }
        2 => {
            let z = pass1::<S, 1, 2>(s, [state], [columns]);
            update::<S, 2>(s, state, columns, channels, z[0], 0, next);
        }
        4 => {
            let z = pass1::<S, 1, 4>(s, [state], [columns]);
            update::<S, 4>(s, state, columns, channels, z[0], 0, next);
        }
        _ => {
            for i in 0..m {
                let mut z = [s.splat(0.0)];
                for (j, column) in state.chunks_exact(m).enumerate() {
                    let a = s.splat(columns[j / LANES].remove.0[j % LANES]);
                    z[0] = s.add(z[0], s.mul(s.load(&column[i]), a));
                }
                update::<S, 1>(s, state, columns, channels, z, i, next);
            }
        }
    }
}

/// The sums z of H heads of W lines.
#[inline(always)]
fn pass1<S: Vectors, const H: usize, const W: usize>(
    s: S,
    states: [&[Lanes]; H],
    columns: [&[Columns]; H],
) -> [[S::V; W]; H] {
    let mut z = [[s.splat(0.0); W]; H];
    for block in 0..columns[0].len() {
        for j in 0..LANES {
            for h in 0..H {
                let a = s.splat(columns[h][block].remove.0[j]);
                let column = &states[h][(block * LANES + j) * W..][..W];
                for i in 0..W {
                    z[h][i] = s.add(z[h][i], s.mul(s.load(&column[i]), a));
                }
            }
        }
    }
    z
}

/// The new state of W lines of rows, from line `first` on, and what they give.
#[inline(always)]
fn update<S: Vectors, const W: usize>(
    s: S,
    state: &mut [Lanes],
    columns: &[Columns],
    channels: &mut [PerChannel],
    z: [S::V; W],
    first: usize,
    next: *const Lanes,
) {
    let m = columns.len();
    let mut out = [s.splat(0.0); W];
    let mut v = [s.splat(0.0); W];
    for i in 0..W {
        v[i] = s.load(&channels[first + i].v);
    }
    for (block, c) in columns.iter().enumerate() {
        for j in 0..LANES {
            let (w, b) = (s.splat(c.decay.0[j]), s.splat(c.insert.0[j]));
            let (k, r) = (s.splat(c.k.0[j]), s.splat(c.r.0[j]));
            let at = (block * LANES + j) * m + first;
            let column = &mut state[at..][..W];
            for i in 0..W {
                prefetch(next.wrapping_add(at + i));
                let kept = s.mul(s.load(&column[i]), w);
                let new = s.add(s.add(kept, s.mul(z[i], b)), s.mul(v[i], k));
                s.store(new, &mut column[i]);
                out[i] = s.add(out[i], s.mul(new, r));
            }
        }
    }
    for i in 0..W {
        s.store(out[i], &mut channels[first + i].y);
    }
}
