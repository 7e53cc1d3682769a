//! The options that say what predicts, for the commands that ask a predictor instead of compressing
//! files.

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use clap::Args;
use lmz::{Dictionary, EncoderOptions, Limits, Predictor};

use super::finding::Finding;
use super::options::Switch;
use super::{file, hub, say};

/// What predicts.
#[derive(Args)]
pub struct Predicting {
    /// Context mixing alone
    #[arg(short = '1', conflicts_with_all = ["level_2", "level_3", "model"])]
    level_1: bool,
    /// The model nano
    #[arg(short = '2', conflicts_with_all = ["level_3", "model"])]
    level_2: bool,
    /// The model base, which is the default
    #[arg(short = '3', conflicts_with = "model")]
    level_3: bool,
    /// Model that predicts: base (the default), nano, none (context mixing alone), ppm, the path of
    /// a model folder, or hf:OWNER/NAME[@REVISION] of the Hugging Face hub
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Whether context mixing predicts together with a model; off: the model alone
    #[arg(
        long,
        value_name = "on|off",
        default_value = "on",
        hide_default_value = true,
        hide_possible_values = true
    )]
    mix: Switch,
    /// Threads (0: one for each core); nothing that comes out depends on it
    #[arg(short = 'T', long, value_name = "N", default_value_t = 0)]
    threads: usize,
    #[command(flatten)]
    finding: Finding,
}

impl Predicting {
    /// The name of what predicts.
    pub fn name(&self) -> &str {
        match self {
            Self { level_1: true, .. } => "none",
            Self { level_2: true, .. } => "nano",
            Self { model: Some(name), .. } => name,
            _ => Predictor::DEFAULT,
        }
    }

    /// Whether context mixing takes part beside a model.
    pub fn mix(&self) -> bool {
        self.mix == Switch::On
    }

    /// The options that predict so, or the exit code behind a message that says why they cannot.
    pub fn options(&self, quiet: bool) -> Result<EncoderOptions, ExitCode> {
        let name = self.name();
        let predictor = hub::predictor(name, &self.finding.finder(), quiet).map_err(|error| {
            say::say_lines(format_args!("lmz: {}", hub::message(name, &error)));
            hub::exit_code(&error)
        })?;
        let cores = || available_parallelism().map_or(1, NonZero::get);
        Ok(EncoderOptions::new()
            .block_size(predictor.block_size())
            .predictor(predictor)
            .mix(self.mix())
            .threads(if self.threads == 0 { cores() } else { self.threads })
            .memory(self.finding.memory().unwrap_or(Limits::MEMORY)))
    }
}

/// Reads what a predictor reads first.
pub fn dictionary(path: Option<&PathBuf>) -> Result<Option<Dictionary>> {
    path.map(|path| file::dictionary(path).with_context(|| path.display().to_string())).transpose()
}
