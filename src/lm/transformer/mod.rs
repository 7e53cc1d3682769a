//! Transformers with rotary positions (Llama, Mistral, Qwen, Gemma and their kin) in exact
//! arithmetic: docs/ARITHMETIC.md, version 2.
//!
//! [`Weights`] come in, tokens are read one by one, logits of the next one go out. [`Oracle`] is
//! the definition, for one stream; [`Network`] is what the [engine](crate::lm::engine) computes.

#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
mod attention;
mod cache;
mod config;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
mod forward;
mod identity;
mod model;
mod network;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
mod norms;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
mod oracle;
mod products;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
mod random;
#[allow(clippy::float_arithmetic, reason = "exact")]
mod ring;
mod weights;

pub use cache::Cache;
pub use config::{Config, Gate};
pub use forward::Scratch;
pub use model::{Model, Parts};
pub use network::Network;
pub use oracle::Oracle;
pub use ring::SINKS;
pub use weights::{Attention, Layer, Linear, Source, Weights};

use super::engine::{ExactModel, LmOutput, Row, Team, Timer};
use super::rwkv7::ModelError;
use crate::exact::fpstate::Exact;

impl ExactModel for Network {
    type State = Cache;
    type Scratch = Scratch;
    const SHARED: bool = true;

    fn vocab(&self) -> usize {
        self.config.vocab
    }

    fn context(&self) -> Option<usize> {
        Some(self.config.context())
    }

    fn check_context(&self, context: usize) -> Result<(), ModelError> {
        self.config.check_context(context)
    }

    fn is_large(&self) -> bool {
        self.config.is_large()
    }

    fn begin(&self, context: usize) -> Cache {
        Network::begin(self, context)
    }

    fn state_bytes(&self, context: usize, tokens: u64) -> u64 {
        Network::state_bytes(self, context, tokens)
    }

    fn scratch(threads: usize) -> Scratch {
        Scratch::new(Team::new(threads))
    }

    fn run(
        &self,
        _: Exact,
        states: &mut [&mut Cache],
        rows: &[Row],
        outputs: &mut [&mut LmOutput],
        scratch: &mut Scratch,
    ) {
        forward::run(self, states, rows, outputs, scratch);
    }

    fn timer(scratch: &mut Scratch) -> &mut Timer {
        &mut scratch.timer
    }
}
