//! The block codec: tokens and a model's frequencies to bytes, and back.

mod bound;
pub mod choice;
pub mod content;
pub mod context;
mod cost;
mod crew;
pub mod decode;
pub mod encode;
pub mod joint;
pub mod many;
pub mod memory;
pub mod mixed;
mod parts;
pub mod pure;
pub mod range;
pub mod reason;
mod rows;
mod sample;
mod streams;
mod unread;
pub mod walk;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
pub mod watch;
pub mod work;
