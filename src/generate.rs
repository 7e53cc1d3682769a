//! Text as a predictor expects it: a decompressor that is given random bits.
//!
//! A predictor that compresses gives every continuation a probability, and an archive is as long as
//! -log2 of it. Turned round, bits that are random decode to continuations as probable as the
//! predictor holds them. [`generate`] samples so from exactly what compresses: the language model
//! and context mixing together, or what else [`EncoderOptions`] name. It shows what a predictor has
//! learnt, and what it has not.
//!
//! Everything is computed as for archives, so the same call gives the same bytes on every machine.
//! The random numbers are those of SplitMix64 (Steele, Lea and Flood, 2014): for each binary
//! decision behind the prompt the upper 16 bits of the next number, and the decision is 1 where
//! they are less than its probability in units of 2^-16.
//!
//! ```
//! use lmz::generate::{Sampling, generate};
//!
//! let options = lmz::EncoderOptions::new();
//! let text = generate(b"Once upon a time", 40, &Sampling::new().seed(7), &options)?;
//! assert_eq!(text.len(), 40);
//! assert_eq!(text, generate(b"Once upon a time", 40, &Sampling::new().seed(7), &options)?);
//! assert_ne!(text, generate(b"Once upon a time", 40, &Sampling::new().seed(8), &options)?);
//! # Ok::<(), lmz::Error>(())
//! ```

use std::ops::ControlFlow;

use crate::codec::context::{BlockContext, Model, bare_method, block};
use crate::codec::range::Coder;
use crate::codec::sampler::{Draw, Sampler};
use crate::codec::scheduler::Cut;
use crate::codec::{encode, lm_only, memory};
use crate::error::{CodecError, Error, Result};
use crate::exact::fpstate::{Exact, exact};
use crate::format::{BlockHead, Layout, Method};
use crate::lm::device::DeviceError;
use crate::options::EncoderOptions;

/// How a text is drawn.
///
/// Decisions are binary: whether a token ends, and the bits of its next byte. Temperature and top-p
/// change the probability of each by itself. That is not quite what they do to the distribution of
/// whole tokens elsewhere: low ones make a text as predictable, but by another way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling(Draw);

impl Default for Sampling {
    fn default() -> Self {
        Self(Draw { seed: 0, temperature: 1.0, top_p: 1.0 })
    }
}

impl Sampling {
    /// The default: seed 0, and exactly the predictor's probabilities.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what the random numbers begin with.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// Sets the temperature, 0 to 100: log-odds of decisions are divided by it. Below 1 the text is
    /// more predictable, and with 0 it is the likeliest outcome at every decision. By default 1.
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.0.temperature = temperature;
        self
    }

    /// Sets the share from which on a decision is certain, 0 to 1: one of whose outcomes has at
    /// least this probability takes it. By default 1, which no outcome has.
    pub fn top_p(mut self, top_p: f32) -> Self {
        self.0.top_p = top_p;
        self
    }

    fn check(&self) -> Result<()> {
        for (name, found, most) in
            [("temperature", self.0.temperature, 100.0), ("top-p", self.0.top_p, 1.0)]
        {
            if !(0.0..=most).contains(&found) {
                return Err(Error::Sampling { name, found, most });
            }
        }
        Ok(())
    }
}

/// The longest prompt and text together, in bytes.
pub const LONGEST: usize = 1 << 26;

/// Bytes of the block that a text is taken to be of, at least. What predicts depends on how long a
/// block is, and so a text that is shorter is the beginning of a longer one.
const LEAST_BLOCK: usize = 1 << 16;

/// Bytes that a token may be longer than what is left.
const SPARE: usize = 1 << 10;

/// Goes on with a text for so many bytes.
///
/// The prompt is the beginning of the text, and a dictionary in the options is what the predictor
/// has read before it. What is predicted is what [`compress_bare`](crate::compress_bare) codes
/// with: one stream, whatever the options say of blocks and streams. The last token or character
/// can be cut off, as the number of bytes says it. With the same seed, more bytes go on where fewer
/// end, as long as prompt and text have no more than 63 KiB, and all options but the number of
/// threads are the same.
///
/// Context mixing learns from what it writes, as it does from what it compresses: a long text comes
/// to repeat itself.
///
/// # Errors
///
/// If a value of the options or of `sampling` cannot be, if prompt and text are longer than
/// [`LONGEST`], if the model is device-bound, and where
/// [`compress_bare`](crate::compress_bare) gives one.
pub fn generate(
    prompt: &[u8],
    bytes: usize,
    sampling: &Sampling,
    options: &EncoderOptions,
) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    generate_with(prompt, bytes, sampling, options, |piece| {
        out.extend_from_slice(piece);
        ControlFlow::Continue(())
    })?;
    Ok(out)
}

/// [`generate`], whose text is given out as it comes: about a token at a time, until `each` breaks.
///
/// # Errors
///
/// As [`generate`].
pub fn generate_with(
    prompt: &[u8],
    bytes: usize,
    sampling: &Sampling,
    options: &EncoderOptions,
    mut each: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<()> {
    sampling.check()?;
    let all = prompt.len().saturating_add(bytes);
    if all > LONGEST {
        let (found, most) = (all as u64, LONGEST as u64);
        return Err(Error::Option { name: "bytes of prompt and text", found, least: 0, most });
    }
    if bytes == 0 {
        return options.check();
    }
    let wants_more = |piece: &[u8]| each(piece).is_continue();
    exact(|fp| sample(fp, prompt, bytes, sampling.0, options, wants_more))
}

fn sample(
    fp: Exact,
    prompt: &[u8],
    bytes: usize,
    draw: Draw,
    options: &EncoderOptions,
    each: impl FnMut(&[u8]) -> bool,
) -> Result<()> {
    options.check()?;
    let table = options.models()?;
    let (dictionary, mix) = (options.dictionary.as_ref(), options.mix);
    let (table, threads) = (&table[..], options.threads);
    let context = BlockContext { table, dictionary, mix, threads, cancel: None, progress: None };
    let length = (prompt.len() + bytes + SPARE).next_power_of_two().max(LEAST_BLOCK);
    let (method, model) = bare_method(&context);
    let layout = Layout::whole(length as u64, model);
    let head = BlockHead { last: true, method, raw: length as u64, coded: 0, layout };
    let needed = memory::decoding(&head, &context);
    memory::allow("the text", needed, options.memory)?;
    memory::available(needed).map_err(Error::of_message)?;
    let layout = &head.layout;
    // Behind the prompt nobody looks at what is known.
    let mut raw = prompt.to_vec();
    raw.resize(length, 0);
    let mut coder = Sampler::new(fp, draw, prompt.len(), bytes, method == Method::Cm, each);
    let decides = &mut (&mut coder as &mut dyn Coder);
    let ended = match context.table {
        [Model::DeviceBound(..), ..] => {
            let message = "expected a model that every machine computes alike, found one that is \
                bound to a device: texts are generated by exact models only (docs/MODELS.md)";
            return Err(DeviceError::Failed(message.into()).into());
        }
        [Model::Exact(model), ..] => {
            let (block, reading) = (block(layout, model, &context), Cut::begun(model, prompt));
            match method {
                Method::LmCm => block.sample(decides, &raw, reading),
                _ => lm_only::sample(decides, &block, &raw, reading),
            }
        }
        _ => encode::by(decides, method, layout, &raw, &context),
    };
    match ended {
        Err(CodecError::Cancelled) if coder.is_done() => Ok(()),
        ended => ended.map_err(Error::of_message),
    }
}
