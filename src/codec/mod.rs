//! The block codec: tokens and a model's frequencies to bytes, and back.

pub mod block;
mod bound;
mod byte_segments;
mod choice;
mod content;
mod cost;
pub mod joint;
pub mod many;
pub mod memory;
pub mod mixed;
mod pipeline;
pub mod pure;
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
