//! Comparing codecs, and the experiments of "Language Modeling Is Compression".
//!
//! A [`Sample`] is data with its [`Form`]: bytes, a picture, or sound. A [`Codec`] turns samples
//! into coded bytes and back; [`codecs`] has those that are compared. [`measure()`] codes samples,
//! decodes them, compares, and takes the time; [`Worker`] has a process of its own do that, so that
//! peak memory can be told. [`state`] keeps what is done, [`table`] shows it, [`plot`] draws it,
//! and [`cost`] counts the model and the decoder too. [`data`] makes the paper's kinds of data from
//! files, [`experiment`] does what the paper did with them, and [`paper`] has the paper's own
//! figures. [`similarity`] compares texts by what codecs make of them.

pub mod codec;
pub mod codecs;
pub mod cost;
pub mod data;
pub mod experiment;
pub mod measure;
pub mod paper;
pub mod plot;
pub mod runner;
pub mod sample;
pub mod similarity;
pub mod state;
pub mod table;
pub mod worker;

pub use codec::{Codec, CodecFailure, ModelSize};
pub use measure::{Failure, Measurement, Settings, measure};
pub use runner::Runner;
pub use sample::{Form, Sample};
pub use worker::{Job, Worker};
