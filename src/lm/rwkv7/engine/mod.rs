//! The model at full speed: many streams in lock step, with the bits of [`Oracle`](super::Oracle).
//!
//! Streams and the token that each reads come in ([`Engine::step`]); each stream then has the
//! prefix sums of its next token's frequencies. Weights are read once for all streams of a step.
//! What a stream gives depends on its own tokens alone: not on the other streams, their number, or
//! the kernel.
//!
//! A stream is a value ([`LmStream`]): begin one at any step, drop it at any step, and step any
//! subset. So while one half of the streams is in the engine, the other can be in the coder.

mod forward;
mod frequencies;
mod heads;
mod network;
mod norms;
mod stream;
mod timer;

use std::sync::Arc;

use forward::{Forward, Scratch};
pub use frequencies::RowSums;
pub use network::Network;
pub use norms::Row;
pub use stream::LmStream;
pub use timer::{Part, Timer};

use super::{ModelError, Weights};
use crate::exact::fpstate;
use crate::exact::kernel::Kernel;

/// Computes a model on the caller's thread. To use more threads, give each an engine and streams of
/// its own: engines share the network.
pub struct Engine {
    network: Arc<Network>,
    scratch: Scratch,
}

impl Engine {
    /// An engine of a model that others may use too.
    pub fn new(network: Arc<Network>) -> Self {
        Self { network, scratch: Scratch::default() }
    }

    /// Packs a model for the kernel that is chosen ([`Kernel::chosen`]).
    pub fn from_weights(weights: &Weights) -> Result<Self, ModelError> {
        Ok(Self::new(Arc::new(Network::new(weights, Kernel::chosen()?)?)))
    }

    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// A new stream. Its first token is [`START`](crate::vocab::START).
    pub fn stream(&self) -> LmStream {
        LmStream::new(&self.network.config)
    }

    /// Measures the parts of a step, for benchmarks.
    #[doc(hidden)]
    pub fn timer(&mut self) -> &mut Timer {
        &mut self.scratch.timer
    }

    /// Each stream reads its token, a number below V.
    ///
    /// # Panics
    ///
    /// If a token is not below V, or a stream is of another model's shape.
    pub fn step(&mut self, rows: &mut [Row]) {
        if rows.is_empty() {
            return;
        }
        let (network, scratch) = (&*self.network, &mut self.scratch);
        fpstate::exact(|fp| Forward { fp, network, rows, scratch }.run());
    }
}
