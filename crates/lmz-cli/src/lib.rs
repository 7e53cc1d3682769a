//! The command `lmz`, in the manner of gzip and zstd. Not a library for others: its packages alone
//! use it.
//!
//! `tree` defines and parses the command line, `args` resolves it into one [`args::Task`], and the
//! other files carry tasks out. Exit codes: 0 all went well, 1 something failed (other files were
//! still done), 2 the command line was wrong, or something was warned of.

// What cannot be printed must not end the command in a panic: `say` prints.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod ahead;
mod args;
mod explain;
mod external;
mod file;
mod finding;
mod hub;
pub mod identity;
mod list;
mod model;
mod options;
pub mod output;
mod page;
pub mod progress;
mod pump;
pub mod rights;
pub mod say;
pub mod signals;
pub mod sizes;
mod sparse;
mod startup;
mod tree;

use std::ffi::OsString;
use std::process::ExitCode;

use args::{Action, Task};
use lmz::Predictor;
use lmz::format::FormatError;
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
            Ok(dictionary) => task.decoding.dictionaries.push(dictionary),
            Err(error) => {
                say(format_args!("dictionary {}: {}", shown(path), told(&error)));
                return ExitCode::from(1);
            }
        }
    }
    if task.action == Action::Compress && task.models.is_empty() {
        task.options.predictor = Predictor::default();
    }
    for name in &task.models {
        match hub::predictor(name, &task.finder, task.quiet) {
            Ok(predictor) => {
                match &predictor {
                    Predictor::None | Predictor::Ppm => {}
                    Predictor::Model(model) => task.decoding.models.push(model.clone()),
                    Predictor::Bound(model) => task.decoding.bound.push(model.clone()),
                }
                task.options.predictor = predictor;
            }
            Err(error) => {
                say::say_lines(format_args!("lmz: {}", hub::message(name, &error)));
                return hub::exit_code(&error);
            }
        }
    }
    task.decoding.provider = hub::provider(&task.finder);
    if !task.block_given {
        task.options.block = task.options.predictor.block();
    }
    task.options.dictionary = task.decoding.dictionaries.first().cloned();
    if task.action == Action::List
        && let Err(error) = say::print_line(list::HEADING)
    {
        return say::done(Err(error));
    }
    let (mut failed, mut warned) = (false, false);
    for path in &task.inputs {
        let result = match task.action {
            Action::Compress | Action::Decompress | Action::Test | Action::Recover => {
                file::run(&task, &taken, path)
            }
            Action::List => list::run(&task, path),
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

/// An error with its causes, each once: many messages of the library tell their cause themselves.
/// Then what to do about it here, if that is an option.
pub fn told(error: &anyhow::Error) -> String {
    let told = error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told
        .contains(&cause)
    {
        true => told,
        false if told.is_empty() => cause,
        false => format!("{told}: {cause}"),
    });
    match error.chain().find_map(option) {
        Some(option) => format!("{told} ({option})"),
        None => told,
    }
}

/// The option that lifts the bound which an error of the library is about.
fn option(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let inside = error.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
    let library = inside.and_then(|inside| inside.downcast_ref()).or_else(|| error.downcast_ref());
    match library? {
        lmz::Error::Memory { .. } => Some("--memory"),
        lmz::Error::Format { source: FormatError::OverLimit { what, .. }, .. } => match *what {
            "bytes of content" => Some("--limit-content"),
            "bytes to be predicted for each byte of the archive" => Some("--limit-expansion"),
            _ => None,
        },
        _ => None,
    }
}
