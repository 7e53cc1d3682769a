//! A coder that decides by chance: a predictor as a generator.
//!
//! A decoder turns bits into the decisions that they name, and random bits name each outcome as
//! often as the predictor expects it. So the text that a decoder makes of random bits is a sample
//! of what the compressor predicts, and this is such a decoder: where the range coder would take
//! part of a random number, it takes 16 bits of it for each decision, which decides by the same
//! probabilities, also where the range coder knows bits that are no code.
//!
//! It is run by the step function of encoder and decoder, as an encoder of a text that begins with
//! a prompt: what the prompt says is decided as the prompt says it. The prompt's last token may
//! turn out to be longer: only its bytes are known, not that it ends behind them.

use std::mem;

use super::range::Coder;
use crate::error::CodecError;
use crate::exact::fpstate::{Exact, host};
use crate::lm::random::Random;
use crate::mix::logistic::{self, Tables, UNIT};
use crate::vocab::{Token, Vocabulary};

/// How outcomes are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// What the random numbers begin with.
    pub seed: u64,
    /// What log-odds of decisions are divided by; 0 for the likelier outcome always.
    pub temperature: f32,
    /// Decisions of which an outcome is at least so likely take it always.
    pub top_p: f32,
}

/// Decides by chance behind a prompt, and gives out what it decides.
pub struct Sampler<'a, F> {
    fp: Exact<'a>,
    random: Random,
    draw: Draw,
    /// Bytes that are known from the beginning on.
    prompt: usize,
    /// Bytes that are still to be given out.
    left: usize,
    /// Takes bytes; says whether it wants more.
    each: F,
    /// Where the current token or byte begins, and how many bytes of it are known.
    place: usize,
    depth: usize,
    /// The bits of a byte behind a leading 1, where decisions are bits of bytes and nothing else.
    byte: Option<u16>,
}

impl<'a, F: FnMut(&[u8]) -> bool> Sampler<'a, F> {
    /// Begins a text whose first `prompt` bytes are known, and gives out the `bytes` behind them.
    /// `bytewise`: the decisions are the bits of bytes, and nobody says what they become.
    pub fn new(
        fp: Exact<'a>,
        draw: Draw,
        prompt: usize,
        bytes: usize,
        bytewise: bool,
        each: F,
    ) -> Self {
        Self {
            fp,
            random: Random::new(draw.seed),
            draw,
            prompt,
            left: bytes,
            each,
            place: 0,
            depth: 0,
            byte: bytewise.then_some(1),
        }
    }

    /// Whether all that was asked for has been given out.
    pub fn is_done(&self) -> bool {
        self.left == 0
    }

    /// The probability that decides, of one that the predictor gave.
    fn drawn(&self, p_one: u16) -> u32 {
        let Draw { temperature, top_p, .. } = self.draw;
        let mut p = u32::from(p_one);
        if temperature <= 0.0 {
            return if p >= 1 << 15 { 1 << 16 } else { 0 };
        }
        if temperature != 1.0 {
            let t = Tables::get(self.fp);
            let x = f32::from(t.stretch(p_one)) / (UNIT * temperature);
            p = logistic::nearest(t.squash(logistic::clamp(x)) * 65536.0).clamp(1, 65535);
        }
        let certain = top_p * 65536.0;
        match (p as f32 >= certain, (65536 - p) as f32 >= certain) {
            // Both where top_p is a half or less: the likelier one.
            (true, other) if !other || p >= 1 << 15 => 1 << 16,
            (_, true) => 0,
            _ => p,
        }
    }

    /// Gives out bytes that begin where the current token does, but for the prompt's.
    fn give(&mut self, bytes: &[u8]) {
        let known = self.prompt.saturating_sub(self.place).min(bytes.len());
        let new = &bytes[known..];
        let new = &new[..new.len().min(self.left)];
        if new.is_empty() {
            return;
        }
        self.left -= new.len();
        let each = &mut self.each;
        if !host(|| each(new)) {
            self.left = 0;
        }
    }
}

impl<F: FnMut(&[u8]) -> bool> Coder for Sampler<'_, F> {
    fn decide(&mut self, known: bool, p_one: u16) -> Result<bool, CodecError> {
        let bit = if self.place + self.depth < self.prompt {
            known
        } else {
            // The upper bits, as far as one decision needs them.
            ((self.random.next() >> 48) as u32) < self.drawn(p_one)
        };
        if let Some(byte) = &mut self.byte {
            *byte = *byte << 1 | u16::from(bit);
            if *byte >> 8 == 1 {
                let byte = mem::replace(byte, 1);
                self.give(&[byte as u8]);
            }
        }
        Ok(bit)
    }

    fn at(&mut self, place: usize) {
        (self.place, self.depth) = (place, 0);
    }

    fn depth(&mut self, depth: usize) {
        self.depth = depth;
    }

    fn token(&mut self, vocabulary: &Vocabulary, _: &[u64], token: Token) {
        if self.byte.is_none() {
            self.give(vocabulary.token(token));
        }
    }

    /// Ends the work when all is done.
    fn check(&self) -> Result<(), CodecError> {
        if self.left == 0 { Err(CodecError::Cancelled) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::fpstate::exact;

    /// How often decisions of a probability are 1, in 2^-16.
    fn share(draw: Draw, p_one: u16) -> f64 {
        exact(|fp| {
            let mut coder = Sampler::new(fp, draw, 0, 1, false, |_| true);
            let ones = (0..40_000).filter(|_| coder.decide(false, p_one).unwrap()).count();
            ones as f64 / 40_000.0
        })
    }

    #[test]
    fn outcomes_are_as_frequent_as_predicted() {
        let draw = Draw { seed: 1, temperature: 1.0, top_p: 1.0 };
        for p in [1u16, 700, 20_000, 32_768, 60_000, 65_535] {
            let expected = f64::from(p) / 65536.0;
            // Four standard deviations.
            let allowed = 4.0 * (expected * (1.0 - expected) / 40_000.0).sqrt() + 1e-4;
            assert!((share(draw, p) - expected).abs() < allowed, "{p}: {}", share(draw, p));
        }
    }

    #[test]
    fn temperature_divides_log_odds() {
        for (temperature, p) in [(0.5, 20_000u16), (2.0, 60_000), (0.1, 33_000), (9.0, 100)] {
            let draw = Draw { seed: 2, temperature, top_p: 1.0 };
            let odds = f64::from(p) / (65536.0 - f64::from(p));
            let odds = odds.powf(1.0 / f64::from(temperature));
            let expected = odds / (1.0 + odds);
            assert!((share(draw, p) - expected).abs() < 0.011, "{temperature} {p}");
        }
        let greedy = Draw { seed: 3, temperature: 0.0, top_p: 1.0 };
        assert_eq!([32_767, 32_768].map(|p| share(greedy, p)), [0.0, 1.0]);
    }

    #[test]
    fn unlikely_outcomes_are_left_out() {
        let draw = Draw { seed: 4, temperature: 1.0, top_p: 0.9 };
        let shares = [6_000, 7_000, 58_000, 60_000].map(|p| share(draw, p));
        assert!(shares[0] == 0.0 && shares[3] == 1.0, "{shares:?}");
        assert!(shares[1] > 0.09 && shares[2] < 0.91, "{shares:?}");
        let half = Draw { top_p: 0.0, ..draw };
        assert_eq!([32_000, 33_000].map(|p| share(half, p)), [0.0, 1.0]);
    }
}
