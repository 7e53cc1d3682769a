//! Sections 2.1 to 2.4 of docs/ARITHMETIC.md, for one stream, in plain Rust that reads like
//! the text: what every kernel is held against. Slow on purpose.

use super::config::{Config, Gate};
use super::ring::{Ring, is_seen, turned_at};
use super::weights::{Attention, Layer, Linear, Weights};
use crate::exact::fpstate::{self, Exact};
use crate::exact::rotary::turn;
use crate::exact::wide::{GROUP, LEVELS, dot16, product16, quantise16, rms_norm};
use crate::exact::{Activations, exp, max, quantise, round, sigmoid, tanh};
use crate::vocab::{START, Token};

/// sqrt(2 / pi), and the factor of the cube in the approximation of GELU.
pub(super) const GELU: f32 = f32::from_bits(0x3f4c_422a);
pub(super) const CUBE: f32 = f32::from_bits(0x3d37_2713);

/// A vector in int8: element i stands for `numbers[i] * scale`.
#[derive(Debug, Clone)]
struct Kept {
    numbers: Vec<i8>,
    scale: f32,
}

/// The definition, for one stream.
#[derive(Debug, Clone)]
pub struct Oracle<'a> {
    weights: &'a Weights,
    context: usize,
    /// Keys and values, `[layers][key heads][tokens]`.
    kept: Vec<Vec<Vec<[Kept; 2]>>>,
    /// Tokens that have been read.
    length: u64,
}

impl<'a> Oracle<'a> {
    /// Before a document, with so many tokens of context.
    pub fn new(weights: &'a Weights, context: usize) -> Self {
        let config = &weights.config;
        let kept = vec![vec![Vec::new(); config.kv_heads]; config.layers()];
        Self { weights, context, kept, length: 0 }
    }

    /// Reads a token, and gives the logits `[V]` of the next.
    pub fn step(&mut self, token: Token) -> Vec<f32> {
        fpstate::exact(|fp| self.read(fp, token))
    }

    fn read(&mut self, fp: Exact, token: Token) -> Vec<f32> {
        let weights = self.weights;
        let config = &weights.config;
        if token == START {
            *self = Self::new(weights, self.context);
        }
        let embedding = &weights.embedding;
        let row = embedding.row(token as usize).chunks(GROUP);
        let groups = row.zip(embedding.scales(token as usize));
        let values = groups.flat_map(|(group, scale)| group.iter().map(|w| f32::from(*w) * *scale));
        let mut x: Vec<f32> = values.map(|w| w * config.embedding_scale).collect();
        for (number, layer) in weights.layers.iter().enumerate() {
            self.layer(fp, number, layer, &mut x);
        }
        self.length += 1;
        let u = rms_norm(fp, &x, &weights.norm, config.epsilon);
        let logits = product16(fp, weights.head.as_ref().unwrap_or(&weights.embedding), &u);
        let mut logits: Vec<f32> =
            logits.into_iter().map(|x| capped(fp, x, config.logit_cap)).collect();
        for token in &config.absent {
            logits[*token as usize] = f32::NEG_INFINITY;
        }
        logits
    }

    fn layer(&mut self, fp: Exact, number: usize, layer: &Layer, x: &mut [f32]) {
        let config = &self.weights.config;
        let norm = |x: &[f32], weight: &[f32]| rms_norm(fp, x, weight, config.epsilon);
        let mut add = |y: Vec<f32>, behind: &Option<Vec<f32>>| {
            let y = behind.as_ref().map_or_else(|| y.clone(), |weight| norm(&y, weight));
            x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
            x.to_vec()
        };
        let u = norm(&add(vec![0.0; config.hidden], &None), &layer.input_norm);
        let y = self.attention(fp, number, &layer.attention, &u);
        let u = norm(&add(y, &layer.attention_norm), &layer.inner_norm);
        let (gate, up) = (product16(fp, &layer.gate, &u), product16(fp, &layer.up, &u));
        let gated = |(g, u): (&f32, &f32)| {
            let g = match config.gate {
                Gate::Silu => *g * sigmoid(fp, *g),
                Gate::Gelu => {
                    let inner = GELU * (*g + CUBE * ((*g * *g) * *g));
                    (0.5 * *g) * (1.0 + tanh(fp, inner))
                }
            };
            g * *u
        };
        let h: Vec<f32> = gate.iter().zip(&up).map(gated).collect();
        add(product16(fp, &layer.down, &h), &layer.outer_norm);
    }

    fn attention(&mut self, fp: Exact, number: usize, layer: &Attention, u: &[f32]) -> Vec<f32> {
        let config = &self.weights.config;
        let (n, p) = (config.head_size, self.length);
        let local = config.local[number];
        let Ring { window, sinks, .. } = config.ring(self.context, local);
        let frequencies = &config.rotary[usize::from(local)];
        let normed = |x: &[f32], which: usize| match &layer.head_norms {
            None => x.to_vec(),
            Some(norms) => rms_norm(fp, x, &norms[which], config.epsilon),
        };
        let turned = |x: &[f32], at: u64| rotate(fp, x, frequencies, at);

        let (keys, values) = (linear(fp, &layer.key, u), linear(fp, &layer.value, u));
        for (head, kept) in self.kept[number].iter_mut().enumerate() {
            let part = |x: &[f32]| x[head * n..][..n].to_vec();
            let key = turned(&normed(&part(&keys), 1), p);
            kept.push([keep(fp, &key), keep(fp, &part(&values))]);
        }
        let queries = linear(fp, &layer.query, u);
        let mut out = Vec::with_capacity(queries.len());
        for (head, query) in queries.chunks(n).enumerate() {
            let kept = &self.kept[number][head / config.group()];
            let query = normed(query, 0);
            let (near, far) = (
                quantise16(fp, &turned(&query, p)),
                quantise16(fp, &turned(&query, p.min(window as u64))),
            );
            let seen = |t: &u64| is_seen(*t, p, window, sinks);
            let seen: Vec<u64> = (0..=p).filter(seen).collect();
            let score = |t: &u64| {
                let q = if *t < sinks as u64 { &far } else { &near };
                let key = &kept[*t as usize][0];
                let product = dot16(key.numbers.iter().copied(), &q.numbers);
                let score = (product * (q.scale * config.query_scale)) * key.scale;
                capped(fp, score, config.score_cap)
            };
            let scores: Vec<f32> = seen.iter().map(score).collect();
            let m = scores.iter().fold(f32::NEG_INFINITY, |m, s| max(fp, *s, m));
            let e: Vec<f32> = scores.iter().map(|s| exp(fp, s - m)).collect();
            let total: u64 = e.iter().map(|e| round(fp, e * LEVELS) as u64).sum();
            let value = |t: &u64| &kept[*t as usize][1];
            let w: Vec<f32> = e.iter().zip(&seen).map(|(e, t)| e * value(t).scale).collect();
            let w = quantise16(fp, &w);
            let share = LEVELS / total as f32;
            out.extend((0..n).map(|d| {
                let sum = dot16(seen.iter().map(|t| value(t).numbers[d]), &w.numbers);
                (sum * w.scale) * share
            }));
        }
        linear(fp, &layer.output, &out)
    }
}

fn linear(fp: Exact, linear: &Linear, x: &[f32]) -> Vec<f32> {
    let mut y = product16(fp, &linear.matrix, x);
    if let Some(bias) = &linear.bias {
        y.iter_mut().zip(bias).for_each(|(y, bias)| *y += bias);
    }
    y
}

/// Turns the pairs of a head, of which element i and i + N / 2 make one, to a position.
fn rotate(fp: Exact, x: &[f32], frequencies: &[f64], position: u64) -> Vec<f32> {
    let (first, second) = x.split_at(x.len() / 2);
    let turns: Vec<[f32; 2]> =
        frequencies.iter().map(|f| turn(fp, turned_at(position) * f)).collect();
    let pairs = || first.iter().zip(second).zip(&turns);
    let ahead = pairs().map(|((a, b), [cosine, sine])| a * cosine - b * sine);
    let behind = pairs().map(|((a, b), [cosine, sine])| b * cosine + a * sine);
    ahead.chain(behind).collect()
}

fn keep(fp: Exact, x: &[f32]) -> Kept {
    let quantised = quantise(fp, x, Activations::Int8);
    Kept { numbers: quantised.low, scale: quantised.scale }
}

fn capped(fp: Exact, x: f32, cap: Option<f32>) -> f32 {
    cap.map_or(x, |cap| cap * tanh(fp, x / cap))
}

impl Oracle<'_> {
    /// The shape of the model.
    pub fn config(&self) -> &Config {
        &self.weights.config
    }
}
