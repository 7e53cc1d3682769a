//! The command `lmz`, in the manner of gzip and zstd.
//!
//! `args` turns the command line into one [`args::Task`]; the other files carry tasks out. Exit codes:
//! 0 all went well, 1 something failed (other files were still done), 2 the command line was wrong,
//! 130 interrupted.

mod args;
#[cfg(feature = "bench")]
mod compare;
#[cfg(feature = "bench")]
mod experiment;
mod explain;
mod file;
mod finding;
mod hub;
mod list;
mod model;
#[cfg(feature = "bench")]
mod output;
mod progress;
mod sizes;

use std::ffi::OsString;
use std::process::ExitCode;

use args::{Action, Task};
use lmz::Predictor;

/// Runs the command line and reports failures on standard error.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    if let Err(error) = lmz::exact::kernel::Kernel::from_environment() {
        eprintln!("lmz: {error}");
        return ExitCode::from(2);
    }
    let args: Vec<OsString> = args.collect();
    if args.get(1).is_some_and(|word| word == "model") {
        return model::run(args.into_iter().skip(1));
    }
    if args.get(1).is_some_and(|word| word == "compare") {
        return compare(args.into_iter().skip(1));
    }
    if args.get(1).is_some_and(|word| word == "experiment") {
        return experiment(args.into_iter().skip(1));
    }
    #[cfg(feature = "bench")]
    if args.get(1).is_some_and(|word| word == compare::WORKER) {
        return compare::work();
    }
    if args.get(1).is_some_and(|word| word == "explain") {
        return explain::run(args.into_iter().skip(1));
    }
    let mut task = match Task::parse(args.into_iter()) {
        Ok(task) => task,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    file::remove_partial_output_on_interrupt();
    for path in &task.dictionaries {
        match file::dictionary(path) {
            Ok(dictionary) => task.decoding.dictionaries.push(dictionary),
            Err(error) => {
                eprintln!("lmz: dictionary {}: {}", path.display(), told(&error));
                return ExitCode::from(1);
            }
        }
    }
    if task.action == Action::Compress {
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
                eprintln!("lmz: {}", hub::message(name, &error));
                return hub::exit_code(&error);
            }
        }
    }
    task.decoding.finder = Some(task.finder.clone());
    if !task.block_given {
        task.options.block = task.options.predictor.block();
    }
    task.options.dictionary = task.decoding.dictionaries.first().cloned();
    let mut failed = false;
    if task.action == Action::List {
        println!("{}", list::HEADING);
    }
    for path in &task.inputs {
        let result = match task.action {
            Action::Compress | Action::Decompress | Action::Test | Action::Recover => file::run(&task, path),
            Action::List => list::run(&task, path),
        };
        if let Err(error) = result {
            // A reader that has seen enough (head, less) is no failure worth a message.
            if error
                .chain()
                .any(|e| e.downcast_ref().is_some_and(|e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe))
            {
                return ExitCode::from(1);
            }
            eprintln!("lmz: {}: {}", path.display(), told(&error));
            failed = true;
        }
    }
    ExitCode::from(u8::from(failed))
}

/// An error with its causes, each once: many messages of the library tell their cause themselves.
fn told(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.contains(&cause) {
        true => told,
        false if told.is_empty() => cause,
        false => format!("{told}: {cause}"),
    })
}

#[cfg(feature = "bench")]
use {compare::run as compare, experiment::run as experiment};

#[cfg(not(feature = "bench"))]
fn compare(_: impl Iterator<Item = OsString>) -> ExitCode {
    left_out("compare")
}

#[cfg(not(feature = "bench"))]
fn experiment(_: impl Iterator<Item = OsString>) -> ExitCode {
    left_out("experiment")
}

/// Says how to get what this build leaves out.
#[cfg(not(feature = "bench"))]
fn left_out(command: &str) -> ExitCode {
    eprintln!("lmz: this build has no {command}; install with it: cargo install lmz --features bench");
    ExitCode::from(2)
}
