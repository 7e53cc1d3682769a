//! `lmz experiment`: the experiments of "Language Modeling Is Compression".

mod args;
mod data;
mod provenance;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use lmz::lm::rwkv7::ModelError;
use lmz_bench::codecs::FindError;
use lmz_bench::data::{file, seven};
use lmz_bench::experiment::context::Context;
use lmz_bench::experiment::scaling::Scaling;
use lmz_bench::experiment::table::Table;
use lmz_bench::experiment::tokens::Tokens;
use lmz_bench::experiment::{Bench, ExperimentError, Report, find};
use lmz_bench::state::State;
use lmz_bench::{Codec, Runner, Worker};

use super::compare::WORKER;
use super::results::Output;
use args::Experiment;
pub use args::ExperimentArgs;
use data::Data;
use lmz_cli::identity::Taken;
use lmz_cli::say::say;
use lmz_cli::told;
use provenance::Provenance;

/// Does one of the experiments. `words` are those of the command line behind the program's name.
pub fn run(args: &ExperimentArgs, words: &[OsString]) -> ExitCode {
    match experiment(&args.experiment, words) {
        Ok(failures) => {
            failures.iter().for_each(say);
            ExitCode::from(u8::from(!failures.is_empty()))
        }
        Err(error) => {
            say(told(&error));
            let unknown = |error: &FindError| {
                matches!(
                    error,
                    FindError::Unknown { .. } | FindError::Model(ModelError::Unknown { .. })
                )
            };
            let wrong = match error.downcast_ref() {
                Some(ExperimentError::Find(error)) => unknown(error),
                Some(ExperimentError::NotOurs { .. }) => true,
                _ => error.downcast_ref().is_some_and(unknown),
            };
            ExitCode::from(if wrong { 2 } else { 1 })
        }
    }
}

/// Measures and writes. What failed while others went on.
fn experiment(experiment: &Experiment, words: &[OsString]) -> Result<Vec<String>> {
    let common = experiment.common();
    let names = experiment.codecs();
    let (sevens, plain): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| {
        matches!(experiment, Experiment::Table { .. }) && name.ends_with(seven::SUFFIX)
    });
    let sevens: Vec<String> =
        sevens.iter().map(|name| name.trim_end_matches(seven::SUFFIX).to_owned()).collect();
    let codecs = find(&plain, common.threads)?;
    let sevens = find(&sevens, common.threads)?;
    data::folder(&common.out)?;
    let provenance = Provenance::new(words, &codecs);
    let data = Data::new(common);
    let program = std::env::current_exe().context("cannot find this program to start it again")?;
    let worker = Worker::new(program, vec![WORKER.into()]);
    // Results beside data: none of them may be one of the files that are measured.
    let mut taken = Taken::default();
    file::find(std::slice::from_ref(&common.data), false)?
        .iter()
        .for_each(|file| taken.add_input(&file.path));
    let state = State::open(&common.out.join("measured.state"))?;
    let mut bench = Bench {
        runner: Runner { worker, state: Some(state), threads: common.threads },
        explained: State::open(&common.out.join("explained.state"))?,
        progress: &mut |what| {
            if !common.quiet {
                say(what);
            }
        },
    };
    let report = measure(experiment, &data, (codecs, plain, sevens), &mut bench)?;
    write(&common.out, experiment.name(), &provenance, &taken, report)
}

/// Codecs, their names, and those for the paper's way with 7 bits.
type Codecs = (Vec<Box<dyn Codec>>, Vec<String>, Vec<Box<dyn Codec>>);

fn measure(
    experiment: &Experiment,
    data: &Data,
    codecs: Codecs,
    bench: &mut Bench,
) -> Result<Report> {
    let (codecs, names, sevens) = codecs;
    Ok(match experiment {
        Experiment::Table { over, pieces, .. } => {
            let mut sets = data.sets()?;
            let members = if pieces.is_some() { Vec::new() } else { data.members()? };
            if let Some(most) = pieces {
                sets.iter_mut().for_each(|set| set.thin(*most));
            }
            let whole = pieces.is_none();
            Table { sets, members, whole, codecs, sevens, over: *over }.run(bench)?
        }
        Experiment::Scaling { set, .. } => {
            Scaling { set: data.only(&set.set)?, codecs }.run(bench)?
        }
        Experiment::Context { set, .. } => {
            Context { set: data.only(&set.set)?, codecs: names }.run(bench)?
        }
        Experiment::Tokens { set, .. } => {
            Tokens { set: data.only(&set.set)?, codecs }.run(bench)?
        }
    })
}

/// Writes a report's files.
fn write(
    out: &Path,
    name: &str,
    provenance: &Provenance,
    taken: &Taken,
    mut report: Report,
) -> Result<Vec<String>> {
    let file = |ending: &str, content: &[u8]| {
        Output::begin(&out.join(format!("{name}{ending}")), taken)?.finish(content)
    };
    report.json["made"] = provenance.json();
    file(".csv", report.csv.as_bytes())?;
    file(".json", format!("{:#}\n", report.json).as_bytes())?;
    for (ending, plot) in &report.plots {
        file(&format!("{ending}.svg"), plot.as_bytes())?;
    }
    let plots =
        report.plots.iter().map(|(ending, _)| format!("\n![{name}{ending}]({name}{ending}.svg)\n"));
    let text = format!(
        "# lmz experiment {name}\n\n{}{}{}",
        report.markdown,
        plots.collect::<String>(),
        provenance.markdown()
    );
    file(".md", text.as_bytes())?;
    Ok(report.failures)
}
