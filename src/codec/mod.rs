//! The block codec: tokens and a model's frequencies to bytes, and back.

mod byte_segments;
pub mod choice;
pub mod cm;
pub mod content;
pub mod context;
mod cost;
mod crew;
pub mod decode;
mod device;
pub mod encode;
pub mod judge;
mod lead;
pub mod lm_cm;
pub mod lm_only;
pub mod memory;
mod pipeline;
pub mod range;
pub mod reason;
mod sample;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
pub mod sampler;
pub(crate) mod scheduler;
mod segmentation;
mod steps;
mod streams;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
pub mod surprisal;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
pub mod trace;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
mod trial;
pub mod walk;
mod windows;
pub mod work;
