//! `lmz compare`: codecs beside each other, file by file.

mod args;
mod total;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use lmz::lm::rwkv7::ModelError;
use lmz_bench::codecs::{self, FindError};
use lmz_bench::cost::Adjust;
use lmz_bench::data::file;
use lmz_bench::state::State;
use lmz_bench::table::{Columns, Comparison, Format, Outcome, Row};
use lmz_bench::{Codec, Form, Runner, Sample, Settings, Worker, worker};

use super::results::Output;
pub use args::CompareArgs;
use lmz_cli::identity::Taken;
use lmz_cli::say::{self, say};
use lmz_cli::told;

/// The argument that makes this program measure what another of it asks for.
pub const WORKER: &str = "--bench-worker";

/// What the other program asks for ([`WORKER`]).
pub fn work() -> ExitCode {
    match worker::serve(io::stdin().lock(), io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::say_line(error);
            ExitCode::from(1)
        }
    }
}

/// Compares codecs. `command` is the one whose arguments these are.
pub fn run(args: &CompareArgs, command: &mut clap::Command) -> ExitCode {
    if let Err(error) = args.check(command) {
        return say::clap(&error);
    }
    if args.lists_codecs() {
        return list(args.threads);
    }
    let mut codecs = Vec::new();
    for name in args.codecs() {
        match codecs::find(&name, args.threads) {
            Ok(codec) => codecs.push(codec),
            Err(error) => {
                say(&error);
                let wrong = matches!(
                    error,
                    FindError::Unknown { .. } | FindError::Model(ModelError::Unknown { .. })
                );
                return ExitCode::from(if wrong { 2 } else { 1 });
            }
        }
    }
    match compare(args, &codecs) {
        Ok(failed) => ExitCode::from(u8::from(failed)),
        Err(error) => {
            say(told(&error));
            ExitCode::from(1)
        }
    }
}

/// Prints each codec's name, and the library behind it with what is set.
fn list(threads: usize) -> ExitCode {
    for name in codecs::names() {
        match codecs::find(&name, threads) {
            Ok(codec) => {
                if let Err(error) = say::print_line(format_args!("{name:<18}  {}", codec.version()))
                {
                    return say::done(Err(error));
                }
            }
            Err(error) => {
                say(format_args!("{name}: {error}"));
                return ExitCode::from(1);
            }
        }
    }
    ExitCode::SUCCESS
}

/// Measures, and writes what was asked for. Whether something failed that others did not suffer
/// from.
fn compare(args: &CompareArgs, codecs: &[Box<dyn Codec>]) -> Result<bool> {
    // What cannot be written is known before hours of work.
    let files = file::find(&args.inputs, args.unpack_xz)?;
    let mut taken = Taken::default();
    files.iter().for_each(|file| taken.add_input(&file.path));
    args.models().for_each(|name| taken.add_model(name));
    let [output, plot, bars] = [&args.output, &args.plot, &args.bars]
        .map(|path| path.as_deref().map(|path| Output::begin(path, &taken)).transpose());
    let (output, plot, bars) = (output?, plot?, bars?);
    if output.is_none() {
        taken.ensure_stdout_free()?;
    }
    args.resume.iter().try_for_each(|path| taken.ensure_free(path))?;
    let state = args.resume.as_deref().map(State::open).transpose()?;
    let bar = bar(args.quiet, (files.len() * codecs.len()) as u64);
    let mut comparison = Comparison::default();
    let mut failed = false;
    let program = std::env::current_exe().context("cannot find this program to start it again")?;
    let worker = Worker::new(program.clone(), vec![WORKER.into()]);
    let mut runner = Runner { worker, state, threads: args.threads };
    let settings = Settings { repeat: args.repeat.into(), header: args.header_once };
    for file in &files {
        let sample = match file.read() {
            Ok(bytes) => Sample { name: file.name.clone(), form: Form::Bytes, bytes },
            Err(error) => {
                bar.suspend(|| say(&error));
                bar.inc(codecs.len() as u64);
                failed = true;
                continue;
            }
        };
        let pieces = match args.chunk {
            Some(length) => sample.chunks(length as usize),
            None => vec![sample.clone()],
        };
        for codec in codecs {
            bar.set_message(format!("{} {}", sample.name, codec.name()));
            let outcome = runner.run(&**codec, &pieces, args.chunk, settings)?;
            if let Outcome::Failed(why) = &outcome {
                bar.suspend(|| say(format_args!("{}: {why}", sample.name)));
                failed = true;
            }
            let (file, codec, version, model) =
                (sample.name.clone(), codec.name().to_owned(), codec.version(), codec.model());
            comparison.rows.push(Row { file, codec, version, model, outcome, files: 1 });
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let raw = comparison
        .totals()
        .iter()
        .filter_map(|row| row.outcome.measured().map(|m| m.raw))
        .max()
        .unwrap_or(0);
    comparison.columns = Columns {
        sizes_only: args.sizes_only,
        header_once: args.header_once,
        adjust: args.adjusted().map(|counting| Adjust { counting, over: args.over.unwrap_or(raw) }),
    };
    let mut text = comparison.write(args.format(), args.totals);
    if args.total {
        let (costs, left_out) = total::costs(args, &comparison, &program)?;
        match args.format() {
            Format::Json => {
                let mut all: serde_json::Value = serde_json::from_str(&text)?;
                all["total"] = total::json(&costs);
                text = format!("{all:#}\n");
            }
            format => text += &total::report(&costs, &left_out, format == Format::Markdown),
        }
    }
    if let Some(plot) = plot {
        plot.finish(comparison.plot_speed().as_bytes())?;
    }
    if let Some(bars) = bars {
        bars.finish(comparison.plot_bars().as_bytes())?;
    }
    match output {
        Some(output) => output.finish(text.as_bytes())?,
        None => say::write(text.as_bytes())?,
    }
    Ok(failed)
}

/// How many measurements are done, on a terminal.
pub fn bar(quiet: bool, length: u64) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} {msg} {eta}");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
