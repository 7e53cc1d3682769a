//! Gated logistic mixing (after Mahoney's PAQ): weighted sums of log-odds, the weights chosen by
//! small contexts and learnt on line, the sums mixed again.

use super::kernel::{INPUTS, MixKernel, SETS, Vector, prefetch};
use super::logistic::{Tables, clamp};
use super::prior::Prior;

/// The lane of a weight set that counts how often it was used. Its input is always 0, so the sums
/// do not see it.
pub const COUNTER: usize = INPUTS - 1;

/// How much of an error weight sets take over: much at first, for each set by itself, since some
/// are used at every byte and some seldom.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// What is left after many uses.
    least: f32,
    /// What falls with the uses, and after how many it has fallen by half.
    more: f32,
    half: f32,
    /// That of the sets that mix the sums again.
    last: f32,
}

impl Rates {
    pub const USUAL: Self = Self { least: 0.004, more: 0.5, half: 20.0, last: 0.0005 };
    /// Beside a transformer: what it says is worth more than what a block teaches, so what was
    /// learnt beforehand is kept for longer.
    pub const SLOW: Self = Self { least: 0.002, more: 0.3, half: 30.0, last: 0.0002 };

    #[inline(always)]
    fn after(self, uses: f32) -> f32 {
        self.least + self.more / (uses + self.half)
    }
}

/// Four families of weight sets, and a fifth that mixes their outputs.
#[derive(Clone)]
pub struct Mixer {
    families: [Vec<Vector>; SETS],
    last: Vec<[f32; SETS]>,
    rates: Rates,
    /// What the current bit chose and gave.
    chosen: [usize; SETS],
    chosen_last: usize,
    outputs: [f32; SETS],
    ps: [f32; SETS],
    p: f32,
}

impl Mixer {
    /// Weight sets for as many contexts in each family as `contexts` says.
    pub fn new(contexts: [usize; SETS], start: &Prior) -> Self {
        let begin = |family: usize, set| start.families[family][start.kind.begins_as(family, set)];
        Self::of(contexts, begin, start.last.to_vec(), start.kind.rates())
    }

    /// A mixer whose weight sets begin as `begin` says of each family and set.
    pub fn of(
        contexts: [usize; SETS],
        begin: impl Fn(usize, usize) -> Vector,
        last: Vec<[f32; SETS]>,
        rates: Rates,
    ) -> Self {
        let mut families = [const { Vec::new() }; SETS];
        for (family, sets) in families.iter_mut().enumerate() {
            sets.extend((0..contexts[family]).map(|set| begin(family, set)));
        }
        Self {
            families,
            last,
            rates,
            chosen: [0; SETS],
            chosen_last: 0,
            outputs: [0.0; SETS],
            ps: [0.5; SETS],
            p: 0.5,
        }
    }

    /// What the current bit chose: of each family, and of the last mixer.
    pub fn chosen(&self) -> ([usize; SETS], usize) {
        (self.chosen, self.chosen_last)
    }

    /// A weight set of a family.
    pub fn weights(&self, family: usize, set: usize) -> &Vector {
        &self.families[family][set]
    }

    /// A weight set of the last mixer.
    pub fn last_weights(&self, set: usize) -> [f32; SETS] {
        self.last[set]
    }

    /// Begins to load the weights that the second family, the largest, has for a context.
    #[inline(always)]
    pub fn prefetch(&self, context: usize) {
        prefetch(&self.families[1][context]);
    }

    /// Log-odds, within the limit, by the weight sets of these contexts.
    #[inline(always)]
    pub fn mix<K: MixKernel>(
        &mut self,
        k: K,
        t: &Tables,
        chosen: [usize; SETS],
        last: usize,
        x: &Vector,
    ) -> f32 {
        let [a, b, c, d] = &self.families;
        let sums = k.dot([&a[chosen[0]], &b[chosen[1]], &c[chosen[2]], &d[chosen[3]]], x);
        self.outputs = sums.map(clamp);
        self.ps = self.outputs.map(|x| t.squash_roughly(x));
        let w = &self.last[last];
        let y: [f32; SETS] = std::array::from_fn(|i| w[i] * self.outputs[i]);
        let output = clamp((y[0] + y[2]) + (y[1] + y[3]));
        self.p = t.squash_roughly(output);
        (self.chosen, self.chosen_last) = (chosen, last);
        output
    }

    /// Learns the bit (0 or 1) that [`mix`](Self::mix) was for.
    #[inline(always)]
    pub fn learn<K: MixKernel>(&mut self, k: K, bit: f32, x: &Vector) {
        for i in 0..SETS {
            let set = &mut self.families[i][self.chosen[i]];
            k.train(set, x, (bit - self.ps[i]) * self.rates.after(set.0[COUNTER]));
            set.0[COUNTER] += 1.0; // stays at 2^24
        }
        let step = (bit - self.p) * self.rates.last;
        for (w, output) in self.last[self.chosen_last].iter_mut().zip(self.outputs) {
            *w += step * output;
        }
    }
}
