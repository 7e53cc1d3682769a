//! The command `lmz`, in the manner of gzip and zstd. Not a library for others: its packages alone
//! use it.
//!
//! `tree` defines and parses the command line, `args` resolves it into one [`args::Task`], and the
//! other files carry tasks out. Exit codes: 0 all went well, 1 something failed (other files were
//! still done), 2 the command line was wrong, or something was warned of.

// What cannot be printed must not end the command in a panic: `say` prints.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod advice;
mod ahead;
mod args;
mod batch;
mod bench;
mod counted;
mod explain;
mod external;
mod file;
mod finding;
mod generate;
pub mod hub;
pub mod identity;
mod list;
mod model;
mod options;
pub mod output;
mod page;
mod predicting;
pub mod progress;
mod pump;
pub mod rights;
pub mod say;
mod score;
pub mod signals;
pub mod sizes;
mod sparse;
mod startup;
mod tree;

use std::ffi::OsString;
use std::process::ExitCode;

use args::{Action, Task};
use batch::Batch;
use lmz::Predictor;
use pump::shown;
use say::say;
use tree::Asked;

/// Runs the command line and reports failures on standard error.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    signals::watch();
    if let Err(error) = lmz::exact::kernel::Kernel::from_environment() {
        say(error);
        return ExitCode::from(2);
    }
    match tree::parse(args) {
        Ok(Asked::Task(task)) => work(*task),
        Ok(Asked::Model(args)) => model::run(args),
        Ok(Asked::Explain(args)) => explain::run(&args),
        Ok(Asked::Score(args)) => score::run(&args),
        Ok(Asked::Generate(args)) => generate::run(&args),
        Ok(Asked::Bench(word, rest)) => external::run("lmz-bench", word, rest),
        Ok(Asked::Text(text)) => say::done(say::write(&text)),
        Err(error) => say::clap(&error),
    }
}

/// Finds what a task needs, and does it.
fn work(mut task: Task) -> ExitCode {
    let taken = file::taken(&task);
    for path in &task.dictionaries {
        match file::dictionary(path) {
            Ok(dictionary) => {
                if task.options.get_dictionary().is_none() {
                    task.options = task.options.dictionary(dictionary.clone());
                }
                task.decoding = task.decoding.dictionary(dictionary);
            }
            Err(error) => {
                say(format_args!("dictionary {}: {}", shown(path), told(&error)));
                return ExitCode::from(1);
            }
        }
    }
    if task.action == Action::Benchmark {
        task.decoding = task.decoding.provider(hub::provider(&task.finder));
        return bench::run(&task, &task.benchmark);
    }
    if task.action == Action::Compress && task.models.is_empty() {
        task.models.push(Predictor::DEFAULT.to_owned());
    }
    for name in &task.models {
        match hub::predictor(name, &task.finder, task.quiet) {
            Ok(predictor) => {
                task.decoding = match predictor.clone() {
                    Predictor::Model(model) => task.decoding.model(model),
                    Predictor::DeviceBound(model) => task.decoding.device_model(model),
                    _ => task.decoding,
                };
                if !task.block_given {
                    task.options = task.options.block_size(predictor.block_size());
                }
                task.options = task.options.predictor(predictor);
            }
            Err(error) => {
                say::say_lines(format_args!("lmz: {}", hub::message(name, &error)));
                return hub::exit_code(&error);
            }
        }
    }
    let finder = hub::Finder { given: task.models.clone(), ..task.finder.clone() };
    task.decoding = task.decoding.provider(hub::provider(&finder));
    if task.action == Action::List
        && let Err(error) = say::print_line(list::HEADING)
    {
        return say::done(Err(error));
    }
    let (mut failed, mut warned) = (false, false);
    let (count, mut batch) = (task.inputs.len(), Batch::default());
    for (number, path) in (1..).zip(&task.inputs) {
        let made = batch.next(&task, &task.inputs[number - 1..]);
        let result = match task.action {
            Action::List => list::run(&task, path),
            _ => file::run(&task, &taken, path, (number, count), made),
        };
        match result {
            Ok(warning) => warned |= warning,
            Err(error) => {
                say(format_args!("{}: {}", path.display(), told(&error)));
                failed = true;
            }
        }
    }
    ExitCode::from(match (failed, warned) {
        (true, _) => 1,
        (false, true) => 2,
        (false, false) => 0,
    })
}

/// An error with its causes, each once, and then what to do about it.
pub fn told(error: &anyhow::Error) -> String {
    advice::with_advice(error.as_ref())
}
