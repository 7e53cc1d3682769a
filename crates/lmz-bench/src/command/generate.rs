//! `lmz generate --by CODEC`: what an ordinary codec would write.

use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::{Context, Result, ensure};
use clap::Args;
use lmz_bench::similarity::Ruler;
use lmz_bench::similarity::continuation::{Search, continuation};
use lmz_cli::say;
use lmz_cli::sizes::size;

use super::compare::bar;
use super::distances::ended;

/// Write the continuation that a codec compresses best
///
/// Of all bytes that occur in the text, those go on that make it shortest. With --beam 1
/// --temperature 1 bytes are drawn one after the other with the probabilities that stand for
/// compressed lengths, as in "Language Modeling Is Compression".
#[derive(Args)]
pub struct GenerateArgs {
    /// Codec, by its name in lmz compare --codecs list; gzip, bzip2 and xz are gzip-9, bzip2-9 and
    /// xz-9e
    #[arg(long, value_name = "CODEC")]
    by: String,
    /// How the text begins; it is not written
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    prompt: String,
    /// A text that stands before it
    #[arg(short = 'D', long, value_name = "FILE")]
    dictionary: Option<PathBuf>,
    /// How many bytes are written
    #[arg(short = 'n', long, value_name = "SIZE", value_parser = size, default_value = "100")]
    bytes: u64,
    /// Beginnings that are followed at once
    #[arg(long, value_name = "N", default_value_t = 8)]
    beam: usize,
    /// 0: what compresses best, chance only between what is equally long; 1: by chance as far as
    /// lengths stand for probabilities
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    temperature: f64,
    /// Another number makes other choices
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Bytes that the codec sees, at most: time is in proportion
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "4KiB")]
    window: u64,
    /// Threads (0: one for each core)
    #[arg(short = 'T', long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// No progress
    #[arg(short, long)]
    quiet: bool,
}

/// Writes a continuation to standard output.
pub fn run(args: &GenerateArgs) -> ExitCode {
    ended(generate(args))
}

fn generate(args: &GenerateArgs) -> Result<()> {
    let found = args.temperature;
    ensure!((0.0..=100.0).contains(&found), "temperature: expected 0 to 100, found {found}");
    let mut text = match &args.dictionary {
        Some(path) => fs::read(path)
            .with_context(|| format!("dictionary {}: cannot be read", path.display()))?,
        None => Vec::new(),
    };
    text.extend(args.prompt.bytes());
    ensure!(
        !text.is_empty(),
        "expected a text to go on with, found none; give --prompt or -D, since a codec knows no \
        language by itself"
    );
    let codec = match &args.by[..] {
        "gzip" => "gzip-9",
        "bzip2" => "bzip2-9",
        "xz" => "xz-9e",
        name => name,
    };
    let cores = || available_parallelism().map_or(1, NonZero::get);
    let threads = if args.threads == 0 { cores() } else { args.threads };
    let ruler = Ruler::new(codec, threads, None)?;
    let whole = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let search = Search {
        beam: args.beam,
        temperature: args.temperature,
        seed: args.seed,
        window: whole(args.window).max(1),
    };
    let bar = bar(args.quiet, args.bytes);
    let found = continuation(&ruler, &text, whole(args.bytes), &search, || bar.inc(1));
    bar.finish_and_clear();
    say::write(&found?)
}
