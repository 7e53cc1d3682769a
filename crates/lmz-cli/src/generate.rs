//! `lmz generate`: text as a predictor expects it ([`lmz::generate`]).

use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use lmz::generate::{Sampling, generate_with};

use super::predicting::{self, Predicting};
use super::say::{self, say};
use super::sizes::size;
use super::told;

/// Write text as a model expects it, by decoding random bits
#[derive(Args)]
#[command(
    after_help = "The text is a sample of exactly what the compressor predicts: of the model and \
        context mixing together, unless --mix off. The same command writes the same text on every \
        machine. --temperature and --top-p act on each binary decision (whether a token ends, and \
        the bits of its bytes)."
)]
pub struct GenerateArgs {
    /// How the text begins; it is not written
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    prompt: String,
    /// A text like what is to be written, which is read first, as with lmz -D
    #[arg(short = 'D', long, value_name = "FILE")]
    dictionary: Option<PathBuf>,
    /// How many bytes are written, such as 2KiB
    #[arg(short = 'n', long, value_name = "SIZE", value_parser = size, default_value = "500")]
    bytes: u64,
    /// 1 is what is predicted, less is more predictable, 0 always the likeliest
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    temperature: f32,
    /// A decision one of whose outcomes is at least so likely takes it
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    top_p: f32,
    /// Another number gives another text
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Write what this codec compresses best instead (gzip, xz, or another one of lmz compare). The
    /// program lmz-bench does this, which has other options for it: lmz-bench generate --help
    #[arg(long, value_name = "CODEC")]
    pub by: Option<String>,
    #[command(flatten)]
    predicting: Predicting,
    /// No progress of downloads
    #[arg(short, long)]
    quiet: bool,
}

/// Writes a text to standard output.
pub fn run(args: &GenerateArgs) -> ExitCode {
    let options = match args.predicting.options(args.quiet) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let written = predicting::dictionary(args.dictionary.as_ref())
        .map_err(|error| error.context("dictionary"));
    let written = written.and_then(|dictionary| write(args, &options.dictionary(dictionary)));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(told(&error));
            ExitCode::from(1)
        }
    }
}

fn write(args: &GenerateArgs, options: &lmz::EncoderOptions) -> Result<()> {
    say::ensure_output()?;
    let GenerateArgs { seed, temperature, top_p, .. } = *args;
    let sampling = Sampling::new().seed(seed).temperature(temperature).top_p(top_p);
    let bytes = usize::try_from(args.bytes).unwrap_or(usize::MAX);
    let mut failed = Ok(());
    generate_with(args.prompt.as_bytes(), bytes, &sampling, options, |piece| {
        match say::write(piece) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Err(error);
                ControlFlow::Break(())
            }
        }
    })?;
    failed?;
    if io::stdout().is_terminal() {
        say::write(b"\n")?;
    }
    Ok(())
}
