//! Section 4 of docs/ARITHMETIC.md, for one stream, in plain Rust that reads like the text: what
//! every kernel is held against. Slow on purpose.

use super::config::Config;
use super::weights::{ChannelMix, Layer, Matrix, Norm, TimeMix, Weights};
use crate::exact::fpstate::{self, Exact};
use crate::exact::{Activations, exp, layer_norm, max, product, sigmoid, sum, tanh};
use crate::vocab::{START, Token};

/// The epsilon of the group norm, 64e-5.
pub(super) const GROUP_EPSILON: f32 = f32::from_bits(0x3a27_c5ac);
/// 1e-12: a head's key is divided by this at least.
pub(super) const LEAST_NORM: f32 = f32::from_bits(0x2b8c_bccc);
/// -0.606531, minus e^(-1/2).
pub(super) const DECAY: f32 = f32::from_bits(0xbf1b_459e);

/// What a stream remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// `[layers]`
    pub layers: Vec<LayerState>,
}

/// What a layer remembers of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerState {
    /// The last input of the time mix, `[D]`.
    pub p: Vec<f32>,
    /// The last input of the channel mix, `[D]`.
    pub c: Vec<f32>,
    /// `[H][N][N]`: head, value row, key column.
    pub s: Vec<f32>,
}

impl State {
    /// The state before a document: all +0.
    pub fn new(config: &Config) -> Self {
        let d = config.hidden;
        let layer =
            LayerState { p: vec![0.0; d], c: vec![0.0; d], s: vec![0.0; d * config.head_size] };
        Self { layers: vec![layer; config.layers] }
    }
}

/// A model and the state of one stream.
#[derive(Debug, Clone)]
pub struct Oracle<'a> {
    weights: &'a Weights,
    pub state: State,
}

impl<'a> Oracle<'a> {
    /// Before the first document, which begins with [`START`].
    pub fn new(weights: &'a Weights) -> Self {
        Self { weights, state: State::new(&weights.config) }
    }

    /// Reads a token. Gives the logits `[V]` of the next one.
    ///
    /// # Panics
    ///
    /// If the token is not below V.
    pub fn step(&mut self, token: Token) -> Vec<f32> {
        fpstate::exact(|fp| forward(fp, self.weights, token, &mut self.state))
    }
}

fn forward(fp: Exact, weights: &Weights, token: Token, state: &mut State) -> Vec<f32> {
    let config = &weights.config;
    if token == START {
        *state = State::new(config);
    }
    let emb = &weights.emb;
    let scale = emb.scale[token as usize];
    let mut x: Vec<f32> = emb.row(token as usize).iter().map(|w| f32::from(*w) * scale).collect();
    let mut v_first = Vec::new();
    for (layer, state) in weights.layers.iter().zip(&mut state.layers) {
        let Layer { ln1, att, ln2, ffn } = layer;
        let u = norm(fp, &x, ln1);
        x = add(&x, &time_mix(fp, config, att, u, state, &mut v_first));
        let u = norm(fp, &x, ln2);
        x = add(&x, &channel_mix(fp, config.activations, ffn, u, state));
    }
    product(fp, &weights.head, &norm(fp, &x, &weights.ln_out), config.activations)
}

/// `v_first` is filled by layer 0, which has no `value_mix`, and read by the others.
fn time_mix(
    fp: Exact,
    config: &Config,
    att: &TimeMix,
    u: Vec<f32>,
    state: &mut LayerState,
    v_first: &mut Vec<f32>,
) -> Vec<f32> {
    let times = |matrix: &Matrix, x: &[f32]| product(fp, matrix, x, config.activations);
    let [x_r, x_w, x_k, x_v, x_a, x_g] =
        [&att.x_r, &att.x_w, &att.x_k, &att.x_v, &att.x_a, &att.x_g]
            .map(|mix| shift(&u, &state.p, mix));
    state.p = u;

    let r = times(&att.receptance, &x_r);
    let k = times(&att.key, &x_k);
    let mut v = times(&att.value, &x_v);
    let w = times(&att.w2, &map(&times(&att.w1, &x_w), |x| tanh(fp, x)));
    let w = zip(&att.w0, &w, |w0, w| exp(fp, DECAY * sigmoid(fp, w0 + w)));
    let a = times(&att.a2, &times(&att.a1, &x_a));
    let a = zip(&att.a0, &a, |a0, a| sigmoid(fp, a0 + a));
    let g = times(&att.g2, &map(&times(&att.g1, &x_g), |x| sigmoid(fp, x)));
    match &att.value_mix {
        None => v_first.clone_from(&v),
        Some(mix) => {
            let share = times(&mix.v2, &times(&mix.v1, &x_v));
            let share = zip(&mix.v0, &share, |v0, v| sigmoid(fp, v0 + v));
            for i in 0..v.len() {
                v[i] = v[i] + (v_first[i] - v[i]) * share[i];
            }
        }
    }
    let kk = zip(&k, &att.k_k, |k, k_k| k * k_k);
    let change = zip(&a, &att.k_a, |a, k_a| 1.0 + (a - 1.0) * k_a);
    let k = zip(&k, &change, |k, change| k * change);

    let n = config.head_size;
    let mut y = Vec::with_capacity(config.hidden);
    for head in 0..config.heads() {
        let part = |vector: &[f32]| vector[head * n..][..n].to_vec();
        let (r, w, k, v, a, kk) = (part(&r), part(&w), part(&k), part(&v), part(&a), part(&kk));
        let l = sum(fp, kk.iter().map(|kk| kk * kk)).sqrt();
        let unit = map(&kk, |kk| kk / max(fp, l, LEAST_NORM));
        let remove = map(&unit, |n| -n);
        let insert = zip(&unit, &a, |n, a| n * a);
        let s = &mut state.s[head * n * n..][..n * n];
        let o = update(s, &r, &w, &k, &v, &remove, &insert);

        let mean = sum(fp, o.iter().copied()) / n as f32;
        let d = map(&o, |o| o - mean);
        let h = 1.0 / (sum(fp, d.iter().map(|d| d * d)) / n as f32 + GROUP_EPSILON).sqrt();
        let (r_k, weight, bias) = (part(&att.r_k), part(&att.ln_x.weight), part(&att.ln_x.bias));
        let e = sum(fp, (0..n).map(|i| (r[i] * k[i]) * r_k[i]));
        y.extend((0..n).map(|i| ((d[i] * h) * weight[i] + bias[i]) + e * v[i]));
    }
    times(&att.output, &zip(&y, &g, |y, g| y * g))
}

/// One step of a head's recurrence: `s` is `[N][N]`, the vectors `[N]`; `a` and `b` are the text's
/// A and B.
fn update(
    s: &mut [f32],
    r: &[f32],
    w: &[f32],
    k: &[f32],
    v: &[f32],
    a: &[f32],
    b: &[f32],
) -> Vec<f32> {
    let n = r.len();
    s.chunks_exact_mut(n)
        .zip(v)
        .map(|(row, v)| {
            let mut z = 0.0;
            for j in 0..n {
                z += row[j] * a[j];
            }
            let mut o = 0.0;
            for j in 0..n {
                row[j] = (row[j] * w[j] + z * b[j]) + v * k[j];
                o += row[j] * r[j];
            }
            o
        })
        .collect()
}

fn channel_mix(
    fp: Exact,
    activations: Activations,
    ffn: &ChannelMix,
    u: Vec<f32>,
    state: &mut LayerState,
) -> Vec<f32> {
    let x_k = shift(&u, &state.c, &ffn.x_k);
    state.c = u;
    let h = map(&product(fp, &ffn.key, &x_k, activations), |h| max(fp, h, 0.0));
    product(fp, &ffn.value, &map(&h, |h| h * h), activations)
}

/// Between this input and the last one: `u + (last - u) * mix`.
fn shift(u: &[f32], last: &[f32], mix: &[f32]) -> Vec<f32> {
    (0..u.len()).map(|i| u[i] + (last[i] - u[i]) * mix[i]).collect()
}

fn norm(fp: Exact, x: &[f32], norm: &Norm) -> Vec<f32> {
    layer_norm(fp, x, &norm.weight, &norm.bias)
}

fn add(x: &[f32], y: &[f32]) -> Vec<f32> {
    zip(x, y, |x, y| x + y)
}

fn map(x: &[f32], f: impl Fn(f32) -> f32) -> Vec<f32> {
    x.iter().map(|x| f(*x)).collect()
}

fn zip(x: &[f32], y: &[f32], f: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    x.iter().zip(y).map(|(x, y)| f(*x, *y)).collect()
}
