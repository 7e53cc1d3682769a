//! `lmz explain`: a page that shows where the bits go.
//!
//! A file is compressed as `lmz` would, and the archive explained ([`lmz::explain`]); so is one by
//! context mixing alone, to compare with. [`cells`] turns costs into rows and cells of shown text,
//! [`page`] writes the HTML around them, [`curve`] its drawing and [`data`] the numbers, which
//! `page.js` reads.

mod cells;
mod curve;
mod data;
mod page;

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use clap::Args;
use lmz::explain::explain_archive;
use lmz::write::Encoder;
use lmz::{EncoderOptions, Explanation, Limits, Predictor, Reason};

use super::args::STDIN;
use super::file::Input;
use super::finding::Finding;
use super::identity::Taken;
use super::output::{self, Place};
use super::progress::{Phase, Watch, When};
use super::say::{self, say};
use super::sizes::size;
use super::{file, hub, signals, told};
use page::Page;

/// Write a web page that shows where the bits go
///
/// The page shows what each token of a file costs, and what the model expected there. It is one
/// file without links to others. It takes about four times as long as compressing.
#[derive(Args)]
#[command(
    after_help = "The page is FILE.html unless -o says otherwise. Sizes are those of archives that \
        were really made, of the whole file; costs of tokens are ideal code lengths of the \
        decisions in them.\n\
        page.html#byte=N opens at byte N."
)]
pub struct ExplainArgs {
    /// File to explain; - for standard input, whose page goes to standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write the page to this file; - for standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the page to standard output
    #[arg(short = 'c', long, conflicts_with = "output")]
    stdout: bool,
    /// Overwrite an existing page
    #[arg(short, long)]
    force: bool,
    /// Model that predicts: base (the default), nano, none (context mixing alone), ppm, the path of
    /// a model folder, or hf:OWNER/NAME[@REVISION] of the Hugging Face hub
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    #[command(flatten)]
    finding: Finding,
    /// Show this many bytes from the beginning, such as 1MiB: pages grow by about 10 bytes for each
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "256KiB")]
    limit: u64,
    /// A text like the input, which the model reads first
    #[arg(short = 'D', long, value_name = "FILE")]
    dictionary: Option<PathBuf>,
    /// Threads (0: one for each core)
    #[arg(short = 'T', long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// No progress
    #[arg(short, long)]
    quiet: bool,
}

/// Makes the page of one file.
pub fn run(args: &ExplainArgs) -> ExitCode {
    let name = args.model.as_deref().unwrap_or(Predictor::DEFAULT);
    let predictor = match hub::predictor(name, &args.finding.finder(), args.quiet) {
        Ok(predictor) => predictor,
        Err(error) => {
            say::say_lines(format_args!("lmz: {}", hub::message(name, &error)));
            return hub::exit_code(&error);
        }
    };
    match explain(args, predictor) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("{}: {}", args.file.display(), told(&error)));
            ExitCode::from(1)
        }
    }
}

/// Where the page goes.
fn output(args: &ExplainArgs, taken: &Taken) -> Result<Place> {
    let name = match &args.output {
        Some(path) if path == Path::new(STDIN) => return Ok(Place::Stdout),
        Some(path) => path.clone(),
        None if args.stdout || args.file == Path::new(STDIN) => return Ok(Place::Stdout),
        None => {
            let mut name = args.file.as_os_str().to_owned();
            name.push(".html");
            name.into()
        }
    };
    Place::of(&name, args.force, taken)
}

fn explain(args: &ExplainArgs, predictor: Predictor) -> Result<()> {
    // Before the work; what is a file is looked at again when the page takes its name.
    let mut taken = Taken::default();
    taken.add_input(&args.file);
    args.dictionary.iter().for_each(|path| taken.add(path, "the dictionary"));
    args.model.iter().for_each(|name| taken.add_model(name));
    let place = output(args, &taken)?;
    if place == Place::Stdout {
        say::ensure_output()?;
        taken.ensure_stdout_free()?;
        ensure!(
            args.force || !io::stdout().is_terminal(),
            "a page is not written to a terminal; -o names a file, -f writes it anyway"
        );
    }
    let mut input = Input::open(&args.file, false)?;
    let mut raw = Vec::new();
    input.reader().read_to_end(&mut raw).context("cannot be read")?;
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let dictionary = args.dictionary.as_deref().map(|path| {
        file::dictionary(path).with_context(|| format!("dictionary {}", path.display()))
    });
    let memory = args.finding.memory().unwrap_or(Limits::MEMORY);
    let options = EncoderOptions::new()
        .predictor(predictor.clone())
        .memory(memory)
        .threads(if args.threads == 0 { cores() } else { args.threads })
        .dictionary(dictionary.transpose()?);
    let work = Work { args, raw: &raw };
    let (both, whys) = work.explained(&options)?;
    let contexts = match predictor {
        Predictor::None => None,
        _ => Some(work.explained(&options.clone().predictor(Predictor::None))?.0),
    };
    let model = match predictor {
        Predictor::Model(_) | Predictor::DeviceBound(_) => {
            Some(work.compressed(&options.clone().mix(false))?.0.len() as u64)
        }
        _ => None,
    };
    let page = Page {
        path: &args.file,
        raw: &raw,
        predictor: &predictor,
        both: &both,
        whys: &whys,
        contexts: contexts.as_ref(),
        model,
    };
    let html = page.html();
    match place {
        Place::Stdout => say::write(html.as_bytes()),
        Place::Existing(path) => {
            let mut output = output::existing(&path)?;
            output
                .write_all(html.as_bytes())
                .map_err(signals::broken_pipe)
                .context("writing the page")
        }
        Place::File(path) => {
            let fill = |mut file: &File| {
                file.write_all(html.as_bytes()).context("writing the page")?;
                // The page holds what the file does, so it is for the same eyes.
                input.give_rights(file).context("the page cannot have the rights of the file")
            };
            output::place(&path, args.force, fill, |(), _| Ok(()))
        }
    }
}

struct Work<'a> {
    args: &'a ExplainArgs,
    raw: &'a [u8],
}

impl Work<'_> {
    /// The archive, and why each block of it is coded as it is.
    fn compressed(&self, options: &EncoderOptions) -> Result<(Vec<u8>, Vec<Reason>)> {
        let shown = When::Auto.shown(self.args.quiet);
        let watch = Watch::new(shown, Phase::Compress, &self.args.file, (1, 1));
        let progress = watch.begin(Phase::Compress, Some(self.raw.len() as u64));
        let whys = Arc::new(Mutex::new(Vec::new()));
        let mut encoder = Encoder::with_options(Vec::new(), options.clone().progress(progress))?;
        let told = Arc::clone(&whys);
        encoder.on_block(move |report| {
            told.lock().unwrap_or_else(PoisonError::into_inner).extend(report.reason);
        });
        encoder.write_all(self.raw)?;
        let archive = encoder.finish()?;
        watch.end();
        let whys = mem::take(&mut *whys.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((archive, whys))
    }

    fn explained(&self, options: &EncoderOptions) -> Result<(Explanation, Vec<Reason>)> {
        let (archive, whys) = self.compressed(options)?;
        Ok((explain_archive(&archive, &options.decoding(), self.args.limit)?, whys))
    }
}
