//! `lmz classify`: classes of texts by compression.

mod labelled;

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Instant;

use anyhow::Result;
use clap::{Args, ValueEnum};
use lmz::similarity::Measure;
use lmz_bench::similarity::Ruler;
use lmz_bench::similarity::classify::{Found, Labelled, Outcome, Way, classify};
use lmz_cli::identity::Taken;
use lmz_cli::say;
use lmz_cli::sizes::size;
use serde::Serialize;

use super::compare::bar;
use super::distances::ended;
use super::results::Output;

/// Find the classes of texts by compression, and how many are right
///
/// By class: one primed compressor a class. A text is of the class whose texts, read before as with
/// lmz -D, make it shortest. By neighbour: a text is of the class of the known text at the least
/// distance (NCD, k = 1); where several are equally near and of different classes it is undecided,
/// and not counted as right.
#[derive(Args)]
#[command(
    after_help = "Texts are files in folders that are called as their classes, or lines of a file: \
        class, tab, text."
)]
pub struct ClassifyArgs {
    /// Texts whose classes are known
    #[arg(long, value_name = "FOLDER|FILE")]
    train: PathBuf,
    /// Texts whose classes are found, and held against those that they have
    #[arg(value_name = "FOLDER|FILE")]
    test: PathBuf,
    /// How a class is found
    #[arg(long, value_name = "HOW", value_enum, default_value = "class")]
    by: By,
    /// Codec that measures, by its name in lmz compare --codecs list (default: lmz-ppm by class,
    /// gzip-9 by neighbour)
    #[arg(long, value_name = "NAME")]
    codec: Option<String>,
    /// Bytes of the texts of each class that are read first, by class: context mixing reads them
    /// anew for each text, ppm does once
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "64MiB")]
    prime: u64,
    /// Find the classes of the first N texts only
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Write the class that was found of each text to this file: name, class, found (several with
    /// commas between where nothing decides), with tabs between
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print a line of JSON
    #[arg(long)]
    json: bool,
    /// Threads (0: one for each core)
    #[arg(short = 'T', long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// No progress
    #[arg(short, long)]
    quiet: bool,
}

/// The value of `--by`.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum By {
    /// One primed compressor a class
    Class,
    /// The nearest known text
    Neighbour,
}

/// What was found, in JSON.
#[derive(Serialize)]
struct Line<'a> {
    codec: &'a str,
    by: &'a str,
    train: usize,
    test: usize,
    right: usize,
    undecided: usize,
    wrong: usize,
    accuracy: f64,
    seconds: f64,
}

/// Finds classes and prints how many are right.
pub fn run(args: &ClassifyArgs) -> ExitCode {
    ended(work(args))
}

fn work(args: &ClassifyArgs) -> Result<()> {
    let mut taken = Taken::default();
    [&args.train, &args.test].into_iter().for_each(|path| taken.add(path, "an input"));
    let output = args.output.as_deref().map(|path| Output::begin(path, &taken)).transpose()?;
    let known = labelled::read(&args.train)?;
    let mut texts = labelled::read(&args.test)?;
    texts.truncate(args.limit.unwrap_or(usize::MAX));
    let (by, way, usual) = match args.by {
        By::Class => {
            let bytes = usize::try_from(args.prime).unwrap_or(usize::MAX);
            ("class", Way::Class { bytes }, "lmz-ppm")
        }
        By::Neighbour => ("neighbour", Way::Neighbour(Measure::Ncd), "gzip-9"),
    };
    let cores = || available_parallelism().map_or(1, NonZero::get);
    let threads = if args.threads == 0 { cores() } else { args.threads };
    let ruler = Ruler::new(args.codec.as_deref().unwrap_or(usual), threads, None)?;
    let bar = bar(args.quiet, texts.len() as u64);
    let begin = Instant::now();
    let found = classify(&ruler, way, &known, &texts, || bar.inc(1));
    bar.finish_and_clear();
    let (found, seconds) = (found?, begin.elapsed().as_secs_f64());
    let outcome = Outcome::of(&texts, &found);
    if let Some(output) = output {
        output.finish(predictions(&texts, &found).as_bytes())?;
    }
    let (codec, accuracy) = (ruler.name(), outcome.accuracy());
    let Outcome { right, undecided, wrong, .. } = outcome;
    if args.json {
        let (train, test) = (known.len(), texts.len());
        let line = Line { codec, by, train, test, right, undecided, wrong, accuracy, seconds };
        return say::print(format_args!("{}\n", serde_json::to_string(&line)?));
    }
    say::print(outcome.table())?;
    say::print_line(format_args!(
        "{codec} by {by}: accuracy {accuracy:.4} ({right} right, {undecided} undecided, {wrong} \
        wrong), {seconds:.1} s"
    ))
}

fn predictions(texts: &[Labelled], found: &[Found]) -> String {
    let line = |(text, found): (&Labelled, &Found)| {
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        format!("{}\t{}\t{}\n", text.name, text.class, found.join(","))
    };
    texts.iter().zip(found).map(line).collect()
}
