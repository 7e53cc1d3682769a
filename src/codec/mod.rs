//! The block codec: tokens and a model's frequencies to bytes, and back.

pub mod block;
mod bound;
mod byte_segments;
mod choice;
pub mod cm;
mod content;
mod cost;
pub mod lm_cm;
pub mod lm_only;
pub mod many;
pub mod memory;
mod pipeline;
pub mod range;
mod sample;
mod scheduler;
mod segmentation;
mod steps;
mod streams;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
pub mod trace;
pub mod walk;
pub mod work;
