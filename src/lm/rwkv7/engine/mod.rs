//! The network at full speed, with the bits of [`Oracle`](super::Oracle). In a window of tokens
//! only the recurrence goes token by token.

mod forward;
mod heads;
mod network;
mod norms;
mod stream;

pub use network::Network;
pub use stream::StreamState;

use forward::{Forward, Scratch};

use super::ModelError;
use crate::exact::fpstate::Exact;
use crate::lm::engine::{ExactModel, LmOutput, Row, Timer};

impl ExactModel for Network {
    type State = StreamState;
    type Scratch = Scratch;
    /// A step takes less time than threads take to meet a few dozen times.
    const SHARED: bool = false;

    fn vocab(&self) -> usize {
        self.config.vocab
    }

    /// The state has one size, however long the text.
    fn context(&self) -> Option<usize> {
        None
    }

    fn check_context(&self, _: usize) -> Result<(), ModelError> {
        let message = "expected no context: RWKV-7 remembers as much of any text";
        Err(ModelError::Shape(message.into()))
    }

    fn is_large(&self) -> bool {
        self.config.is_large()
    }

    fn begin(&self, _: usize) -> StreamState {
        StreamState::new(&self.config)
    }

    fn state_bytes(&self, _: usize, _: u64) -> u64 {
        let config = &self.config;
        let lines = config.layers.saturating_mul(config.hidden);
        4 * lines.saturating_mul(config.head_size + 2) as u64
    }

    fn scratch(_: usize) -> Scratch {
        Scratch::default()
    }

    fn run(
        &self,
        fp: Exact,
        states: &mut [&mut StreamState],
        rows: &[Row],
        outputs: &mut [&mut LmOutput],
        scratch: &mut Scratch,
    ) {
        Forward { fp, network: self, states, rows, outputs, scratch }.run();
    }

    fn timer(scratch: &mut Scratch) -> &mut Timer {
        &mut scratch.timer
    }
}
