//! The command `lmz-bench`: `compare`, `experiment`, `similar`, `distances`,
//! `classify`, `cluster`, `features` and `generate`.
//!
//! `lmz compare` and the others run this program under the name lmz, so that its help shows what
//! was typed.

mod classify;
mod cluster;
mod compare;
mod distances;
mod experiment;
mod features;
mod generate;
mod results;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use classify::ClassifyArgs;
use cluster::ClusterArgs;
use compare::CompareArgs;
use distances::{DistancesArgs, SimilarArgs};
use experiment::ExperimentArgs;
use features::FeaturesArgs;
use generate::GenerateArgs;
use lmz_cli::say::{self, say};

/// Codecs measured beside each other, distances by compression, and the experiments of "Language
/// Modeling Is Compression".
#[derive(Parser)]
#[command(name = "lmz-bench", version, max_term_width = 100)]
struct BenchArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Compare(Box<CompareArgs>),
    Experiment(ExperimentArgs),
    Similar(SimilarArgs),
    Distances(DistancesArgs),
    Classify(ClassifyArgs),
    Cluster(ClusterArgs),
    Features(FeaturesArgs),
    Generate(GenerateArgs),
}

/// Runs the command line and reports failures on standard error.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    lmz_cli::signals::watch();
    if let Err(error) = lmz::exact::kernel::Kernel::from_environment() {
        say(error);
        return ExitCode::from(2);
    }
    let args: Vec<OsString> = args.collect();
    // No user asks for this: a process for a measurement is started so.
    if args.get(1).is_some_and(|word| word == compare::WORKER) {
        return compare::work();
    }
    let mut definition = BenchArgs::command();
    let parsed = definition
        .try_get_matches_from_mut(&args)
        .and_then(|mut found| BenchArgs::from_arg_matches_mut(&mut found));
    match parsed {
        Ok(BenchArgs { command: Command::Compare(args) }) => {
            let command = definition.find_subcommand_mut("compare");
            compare::run(&args, command.expect("it was parsed"))
        }
        Ok(BenchArgs { command: Command::Experiment(parsed) }) => {
            experiment::run(&parsed, args.get(1..).unwrap_or_default())
        }
        Ok(BenchArgs { command: Command::Similar(args) }) => distances::similar(&args),
        Ok(BenchArgs { command: Command::Distances(args) }) => distances::distances(&args),
        Ok(BenchArgs { command: Command::Classify(args) }) => classify::run(&args),
        Ok(BenchArgs { command: Command::Cluster(args) }) => cluster::run(&args),
        Ok(BenchArgs { command: Command::Features(args) }) => features::run(&args),
        Ok(BenchArgs { command: Command::Generate(args) }) => generate::run(&args),
        Err(error) => say::clap(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definition_is_sound() {
        BenchArgs::command().debug_assert();
    }
}
