//! What a block's context models begin with, learnt from documents.
//!
//! Comes in: a start state, documents, and what codes them. Goes out: the start state that fits
//! them, as the bytes of `start.bin` or `mixer.bin`.

use std::collections::HashMap;

use lmz::codec::lm_cm;
use lmz::exact::fpstate::{Exact, exact};
use lmz::format::Layout;
use lmz::lm::LoadedModel;
use lmz::mix::kernel::{self, INPUTS, MixJob, MixKernel, SETS};
use lmz::mix::observe::{
    Bit, CONTEXTS, COPIES, COUNTER, END_CONTEXTS, END_STORED, LAST, LENGTHS, Learnt, Observer,
    POINTS, TokenEnd, Vector, end_begins_as,
};
use lmz::mix::{Lengths, Mix, Prior};

use crate::write::write;

/// The context models of a document, watched.
type Watched = Mix<Box<Sums>>;

/// Codes a document with a block that has begun, and gives it back with what it has learnt.
pub trait Code: Sync {
    fn code(&self, mix: Watched, text: &[u8]) -> Watched;
}

/// By the context models alone.
pub struct Alone;

impl Code for Alone {
    fn code(&self, mix: Watched, text: &[u8]) -> Watched {
        struct All<'a>(Watched, &'a [u8]);
        impl MixJob for All<'_> {
            type Output = Watched;

            #[inline(always)]
            fn run<K: MixKernel>(mut self, k: K) -> Watched {
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
        kernel::run(All(mix, text))
    }
}

/// By a language model and the context models together.
impl Code for LoadedModel {
    fn code(&self, mix: Watched, text: &[u8]) -> Watched {
        let layout = Layout::whole(text.len() as u64, Some(0));
        let block = lm_cm::LmBlock {
            layout: &layout,
            dictionary: None,
            model: self,
            threads: 1,
            progress: None,
        };
        block.watch(text, mix)
    }
}

/// A start state for these documents, as the bytes of `start.bin` or `mixer.bin`: each is coded by
/// itself, and what the weights and probabilities became is averaged; several rounds, because each
/// begins with the last. Weights go `relax` times as far as the average. `report` gets the round
/// and the code length of all documents in bytes.
pub fn learn(
    mut start: Prior,
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
    exact(|_| write(&start))
}

/// A round, and the code length of all documents in bytes.
fn learn_once(start: &Prior, code: &impl Code, documents: &[&[u8]], relax: f64) -> (Prior, f64) {
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
    /// The probability of a one that was predicted last.
    p: f64,
    maps: Vec<[Mean; 256]>,
    right: [Mean; LENGTHS],
    families: [Vec<([f64; INPUTS], f64)>; SETS],
    last: Vec<([f64; SETS], f64)>,
    row: [Mean; POINTS],
    ends_maps: Vec<[Mean; 256]>,
    ends_copies: [Mean; COPIES],
    ends_families: [Vec<([f64; INPUTS], f64)>; SETS],
    ends_uses: [HashMap<usize, f64>; SETS],
    /// How often the current document has chosen each weight set.
    uses: [HashMap<usize, f64>; SETS],
    last_uses: [f64; LAST],
}

impl Sums {
    fn of(fp: Exact, start: &Prior, code: &impl Code, documents: &[&[u8]]) -> Self {
        let mut sums = Box::new(Self {
            bits: 0.0,
            p: 0.0,
            maps: vec![[(0.0, 0.0); 256]; CONTEXTS],
            right: [(0.0, 0.0); _],
            families: start.kind.stored().map(|n| vec![([0.0; INPUTS], 0.0); n]),
            last: vec![([0.0; SETS], 0.0); LAST],
            row: [(0.0, 0.0); _],
            ends_maps: vec![[(0.0, 0.0); 256]; END_CONTEXTS],
            ends_copies: [(0.0, 0.0); _],
            ends_families: END_STORED.map(|n| vec![([0.0; INPUTS], 0.0); n]),
            ends_uses: Default::default(),
            uses: Default::default(),
            last_uses: [0.0; LAST],
        });
        for text in documents {
            let lengths = Lengths { dictionary: 0, block: text.len() };
            let (learnt, seen) = code.code(Mix::observed(fp, &lengths, start, sums), text).end();
            sums = seen;
            sums.end(start, &learnt);
        }
        *sums
    }

    /// Takes over what the weights became in a document.
    fn end(&mut self, start: &Prior, learnt: &Learnt) {
        if let Some(ends) = &learnt.ends {
            for (family, uses) in std::mem::take(&mut self.ends_uses).into_iter().enumerate() {
                for (set, n) in uses {
                    let sum = &mut self.ends_families[family][end_begins_as(family, set)];
                    add_weights(sum, ends.weights(family, set), n);
                }
            }
        }
        for (family, uses) in std::mem::take(&mut self.uses).into_iter().enumerate() {
            for (set, n) in uses {
                let sum = &mut self.families[family][start.kind.begins_as(family, set)];
                add_weights(sum, learnt.mixer.weights(family, set), n);
            }
        }
        for (i, n) in std::mem::replace(&mut self.last_uses, [0.0; LAST]).into_iter().enumerate() {
            let (sum, weight) = &mut self.last[i];
            sum.iter_mut()
                .zip(learnt.mixer.last_weights(i))
                .for_each(|(sum, w)| *sum += n * f64::from(w));
            *weight += n;
        }
    }

    /// What was counted, where there was enough to count; else what was there.
    fn average(before: &Prior, parts: Vec<Self>, relax: f64) -> Prior {
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

impl Observer for Box<Sums> {
    fn predicted(&mut self, p: u16) {
        self.p = f64::from(p) / 65536.0;
    }

    fn bit(&mut self, seen: &Bit, bit: bool) {
        self.bits -= if bit { self.p } else { 1.0 - self.p }.log2();
        for (map, state) in self.maps.iter_mut().zip(seen.histories()) {
            count(&mut map[usize::from(state)], bit);
        }
        if let Some((class, right)) = seen.matched(bit) {
            count(&mut self.right[class], right);
        }
        if let Some(point) = seen.point() {
            count(&mut self.row[point], bit);
        }
        let (chosen, last) = seen.sets();
        for (uses, set) in self.uses.iter_mut().zip(chosen) {
            *uses.entry(set).or_default() += 1.0;
        }
        self.last_uses[last] += 1.0;
    }

    fn token_end(&mut self, seen: &TokenEnd, ended: bool) {
        self.bits -= if ended { self.p } else { 1.0 - self.p }.log2();
        for (map, state) in self.ends_maps.iter_mut().zip(seen.histories()) {
            count(&mut map[usize::from(state)], ended);
        }
        if let Some(copy) = self.ends_copies.get_mut(seen.copy()) {
            count(copy, ended);
        }
        for (uses, set) in self.ends_uses.iter_mut().zip(seen.sets()) {
            *uses.entry(set).or_default() += 1.0;
        }
    }
}
