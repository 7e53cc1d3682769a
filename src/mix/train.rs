//! Learns a [`Start`] from documents.

use super::ends::{self, Ends};
use super::kernel::{Job, Kernel, SETS, Vector};
use super::mixer::COUNTER;
pub use super::start::{Kind, Start};
use super::start::{LAST, LAST_WEIGHT, USED, WEIGHT};
use super::{CONTEXTS, INPUTS, Lengths, Mix, Shared, Stream, matching};
use crate::exact::fpstate::{Exact, exact};
use crate::lm::rwkv7::Ready;
use std::collections::HashMap;

/// Codes a document with a block that has begun, and gives it back with what it has learnt.
pub trait Code: Sync {
    fn code(&self, mix: Mix, text: &[u8]) -> Mix;
}

/// By the context models alone.
pub struct Alone;

impl Code for Alone {
    fn code(&self, mix: Mix, text: &[u8]) -> Mix {
        struct All<'a>(Mix, &'a [u8]);
        impl Job for All<'_> {
            type Output = Mix;

            #[inline(always)]
            fn run<K: Kernel>(mut self, k: K) -> Mix {
                self.0.stream(0);
                for byte in self.1 {
                    for shift in (0..8).rev() {
                        self.0.predict(k, 0);
                        self.0.update(k, 0, byte >> shift & 1 == 1);
                    }
                }
                self.0
            }
        }
        super::kernel::run(All(mix, text))
    }
}

/// What a model begins with, to go on from.
pub fn start_of(model: &Ready) -> Start {
    model.start().clone()
}

/// A start state for these documents, as the bytes of `start.bin` or `mixer.bin`: each is coded by
/// itself, and what the weights and probabilities became is averaged; several rounds, because each
/// begins with the last. Weights go `relax` times as far as the average. `report` gets the round
/// and the code length of all documents in bytes.
pub fn learn(
    mut start: Start,
    code: &impl Code,
    documents: &[&[u8]],
    rounds: usize,
    relax: f64,
    mut report: impl FnMut(usize, f64),
) -> Vec<u8> {
    for round in 0..rounds {
        let (learnt, bytes) = exact(|_| learn_once(&start, code, documents, relax));
        report(round, bytes);
        start = learnt;
    }
    exact(|_| start.write())
}

/// A round, and the code length of all documents in bytes.
fn learn_once(start: &Start, code: &impl Code, documents: &[&[u8]], relax: f64) -> (Start, f64) {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let share = documents.len().div_ceil(threads).max(1);
    let sums = std::thread::scope(|scope| {
        let run = |part| scope.spawn(move || exact(|fp| Sums::of(fp, start, code, part)));
        let running: Vec<_> = documents.chunks(share).map(run).collect();
        running.into_iter().filter_map(|t| t.join().ok()).collect::<Vec<_>>()
    });
    let bytes = sums.iter().map(|s| s.bits).sum::<f64>() / 8.0;
    (Sums::average(start, sums, relax), bytes)
}

/// A sum and how much went into it.
type Mean = (f64, f64);

fn count(mean: &mut Mean, bit: bool) {
    *mean = (mean.0 + f64::from(u8::from(bit)), mean.1 + 1.0);
}

fn add_weights((sum, weight): &mut ([f64; INPUTS], f64), learnt: &Vector, n: f64) {
    sum.iter_mut().zip(&learnt.0[..COUNTER]).for_each(|(sum, w)| *sum += n * f64::from(*w));
    *weight += n;
}

/// What documents were seen to do.
pub struct Sums {
    bits: f64,
    maps: Vec<[Mean; 256]>,
    right: [Mean; matching::LENGTHS],
    families: [Vec<([f64; INPUTS], f64)>; SETS],
    last: Vec<([f64; SETS], f64)>,
    row: [Mean; super::maps::POINTS],
    ends_maps: Vec<[Mean; 256]>,
    ends_copies: [Mean; ends::COPIES],
    ends_families: [Vec<([f64; INPUTS], f64)>; SETS],
    ends_uses: [HashMap<usize, f64>; SETS],
    /// How often the current document has chosen each weight set.
    uses: [HashMap<usize, f64>; SETS],
    last_uses: [f64; LAST],
}

impl Sums {
    fn of(fp: Exact, start: &Start, code: &impl Code, documents: &[&[u8]]) -> Self {
        let mut sums = Box::new(Self {
            bits: 0.0,
            maps: vec![[(0.0, 0.0); 256]; CONTEXTS],
            right: [(0.0, 0.0); _],
            families: start.kind.stored().map(|n| vec![([0.0; INPUTS], 0.0); n]),
            last: vec![([0.0; SETS], 0.0); LAST],
            row: [(0.0, 0.0); _],
            ends_maps: vec![[(0.0, 0.0); 256]; ends::CONTEXTS],
            ends_copies: [(0.0, 0.0); _],
            ends_families: ends::STORED.map(|n| vec![([0.0; INPUTS], 0.0); n]),
            ends_uses: Default::default(),
            uses: Default::default(),
            last_uses: [0.0; LAST],
        });
        for text in documents {
            let mut mix = Mix::with_model(fp, &Lengths { dictionary: 0, block: text.len() }, start);
            mix.observer = Some(sums);
            let mut mix = code.code(mix, text);
            sums = mix.observer.take().expect("it was given");
            sums.end(start, &mix);
        }
        *sums
    }

    /// Sees a bit that has been predicted with `p` / 2^16 and is about to be learnt.
    pub(super) fn see(&mut self, stream: &Stream, shared: &Shared, p: u16, bit: bool) {
        let p = f64::from(p) / 65536.0;
        self.bits -= if bit { p } else { 1.0 - p }.log2();
        for (map, state) in self.maps.iter_mut().zip(stream.states[stream.node & 15]) {
            count(&mut map[usize::from(state)], bit);
        }
        if let Some((class, right)) = stream.matcher.would_be_right(stream.bit, bit) {
            count(&mut self.right[class], right);
        }
        count(&mut self.row[shared.weighings[0].corrections[0].point()], bit);
        let (chosen, last) = shared.weighings[0].mixer.chosen();
        for (uses, set) in self.uses.iter_mut().zip(chosen) {
            *uses.entry(set).or_default() += 1.0;
        }
        self.last_uses[last] += 1.0;
    }

    /// Sees whether a token ended, in the same way.
    pub(super) fn see_end(&mut self, ends: &Ends, p: u16, ended: bool) {
        let p = f64::from(p) / 65536.0;
        self.bits -= if ended { p } else { 1.0 - p }.log2();
        for (i, map) in self.ends_maps.iter_mut().enumerate() {
            count(&mut map[usize::from(ends.state(i))], ended);
        }
        if let Some(copy) = self.ends_copies.get_mut(ends.copy) {
            count(copy, ended);
        }
        for (uses, set) in self.ends_uses.iter_mut().zip(ends.mixer.chosen().0) {
            *uses.entry(set).or_default() += 1.0;
        }
    }

    /// Takes over what the weights became in a document.
    fn end(&mut self, start: &Start, mix: &Mix) {
        if let Some(ends) = &mix.shared.ends {
            for (family, uses) in std::mem::take(&mut self.ends_uses).into_iter().enumerate() {
                for (set, n) in uses {
                    let sum = &mut self.ends_families[family][ends::begins_as(family, set)];
                    add_weights(sum, ends.mixer.weights(family, set), n);
                }
            }
        }
        for (family, uses) in std::mem::take(&mut self.uses).into_iter().enumerate() {
            for (set, n) in uses {
                let sum = &mut self.families[family][start.kind.begins_as(family, set)];
                add_weights(sum, mix.shared.weighings[0].mixer.weights(family, set), n);
            }
        }
        for (i, n) in std::mem::replace(&mut self.last_uses, [0.0; LAST]).into_iter().enumerate() {
            let (sum, weight) = &mut self.last[i];
            sum.iter_mut()
                .zip(mix.shared.weighings[0].mixer.last_weights(i))
                .for_each(|(sum, w)| *sum += n * f64::from(w));
            *weight += n;
        }
    }

    /// What was counted, where there was enough to count; else what was there.
    fn average(before: &Start, parts: Vec<Self>, relax: f64) -> Start {
        let mut out = before.clone();
        // As if the old value had been seen 20 times.
        let mean = |old: &mut u16, values: Vec<Mean>| {
            let (ones, all) = values.iter().fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
            let p = (ones + f64::from(*old) / 65536.0 * 20.0) / (all + 20.0);
            *old = (p * 65536.0).clamp(32.0, 65503.0) as u16;
        };
        for (i, map) in out.maps.iter_mut().enumerate() {
            for (state, p) in map.0.iter_mut().enumerate().skip(1) {
                mean(p, parts.iter().map(|s| s.maps[i][state]).collect());
            }
        }
        for (i, p) in out.right.iter_mut().enumerate() {
            mean(p, parts.iter().map(|s| s.right[i]).collect());
        }
        for (i, p) in out.row.0.iter_mut().enumerate() {
            mean(p, parts.iter().map(|s| s.row[i]).collect());
        }
        let weigh = |old: &mut [f32], values: Vec<(&[f64], f64)>| {
            let all: f64 = values.iter().map(|v| v.1).sum();
            for (i, w) in old.iter_mut().enumerate() {
                let sum: f64 = values.iter().map(|v| v.0[i]).sum();
                let old = f64::from(*w);
                *w = (old + relax * (sum - all * old) / (all + 200.0)) as f32;
            }
        };
        for (f, family) in out.families.iter_mut().enumerate() {
            for (i, set) in family.iter_mut().enumerate() {
                weigh(
                    &mut set.0,
                    parts.iter().map(|s| (&s.families[f][i].0[..], s.families[f][i].1)).collect(),
                );
            }
        }
        if let Some(start) = &mut out.ends {
            for (i, map) in start.maps.iter_mut().enumerate() {
                for (state, p) in map.0.iter_mut().enumerate().skip(1) {
                    mean(p, parts.iter().map(|s| s.ends_maps[i][state]).collect());
                }
            }
            for (i, p) in start.copies.iter_mut().enumerate() {
                mean(p, parts.iter().map(|s| s.ends_copies[i]).collect());
            }
            for (f, family) in start.families.iter_mut().enumerate() {
                for (i, set) in family.iter_mut().enumerate() {
                    let sums = parts.iter().map(|s| &s.ends_families[f][i]);
                    weigh(&mut set.0, sums.map(|(sum, weight)| (&sum[..], *weight)).collect());
                }
            }
        }
        for (i, set) in out.last.iter_mut().enumerate() {
            weigh(set, parts.iter().map(|s| (&s.last[i].0[..], s.last[i].1)).collect());
        }
        out
    }
}

impl Start {
    /// All of it, little-endian.
    pub fn write(&self) -> Vec<u8> {
        let rounded = |x: f32| (x + if x < 0.0 { -0.5 } else { 0.5 }) as i32;
        let weights = |families: &[Vec<Vector>], lanes: usize| -> Vec<u8> {
            let weights = families.iter().flatten().flat_map(|set| &set.0[..lanes]);
            weights.map(|w| rounded(w / WEIGHT).clamp(-127, 127) as i8 as u8).collect()
        };
        let last = |sets: &[[f32; SETS]]| -> Vec<u8> {
            let weights =
                sets.iter().flatten().map(|w| rounded(w / LAST_WEIGHT).clamp(-32767, 32767) as i16);
            weights.flat_map(i16::to_le_bytes).collect()
        };
        let mut out = Vec::new();
        out.extend((self.primer.len() as u16).to_le_bytes());
        out.extend(&self.primer);
        let numbers =
            self.maps.iter().flat_map(|m| &m.0).chain(&self.right).chain(&self.row.0[..USED]);
        out.extend(numbers.flat_map(|p| p.to_le_bytes()));
        out.extend(weights(&self.families, self.kind.lanes()));
        out.extend(last(&self.last));
        if let Some(ends) = &self.ends {
            let numbers = ends.maps.iter().flat_map(|m| &m.0).chain(&ends.copies);
            out.extend(numbers.flat_map(|p| p.to_le_bytes()));
            out.extend(weights(&ends.families, ends::LANES));
            out.extend(last(&ends.last));
        }
        out
    }
}
