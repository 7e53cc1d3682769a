//! Learns what the context models of lmz begin with: from documents to start states.

mod learn;
mod write;

pub use learn::{Alone, Code, Sums, learn};
pub use write::write;
