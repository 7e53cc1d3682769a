//! The options that say how a model is found and computed, for every command that loads one.

use clap::Args;

use super::hub::{Finder, Settings};
use super::sizes::size;

#[derive(Clone, Args)]
pub struct Finding {
    /// Get no model from the network: what is not in the hub's cache is an error
    #[arg(long)]
    offline: bool,
    /// Memory that this may take, such as 8GiB: fewer blocks are at work at once until they fit,
    /// and what needs more by itself is refused (default: 4GiB or 128MiB for each core, but half of
    /// what is free at most; loading a model: what is free)
    #[arg(short = 'M', long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,
    /// Where a model of the hub is computed: auto, cpu, cuda, cuda:N or metal
    #[arg(long, value_name = "DEVICE", hide_short_help = true)]
    device: Option<String>,
    /// Numbers that a model of the hub is computed in when compressing: f32 (on a CPU, unless f16
    /// is given), f16 or bf16 (by default as its weights are stored)
    #[arg(long, value_name = "TYPE", hide_short_help = true)]
    dtype: Option<String>,
    /// Tokens that a prediction of a model of the hub is made of when compressing: by default 2048,
    /// or as many as the model has. Where candle computes it, a stream begins anew after so many
    /// with the last half of them, by default 1024
    #[arg(long, value_name = "N", hide_short_help = true)]
    context: Option<u64>,
}

impl Finding {
    /// Memory that was said, in bytes.
    pub fn memory(&self) -> Option<u64> {
        self.memory
    }

    pub fn finder(&self) -> Finder {
        let Self { offline, memory, device, dtype, context } = self.clone();
        let settings = Settings { device, dtype, context, ..Settings::default() };
        Finder { offline, memory, settings, given: Vec::new() }
    }
}
