//! `lmz distances` and `lmz similar`: how far files are from each other, by compression.

mod args;
mod labels;

use std::num::NonZero;
use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use lmz::lm::rwkv7::ModelError;
use lmz::similarity::{CodeLengths, Distances, Measure};
use lmz_bench::codecs::FindError;
use lmz_bench::data::file;
use lmz_bench::plot::{dendrogram, heat_map};
use lmz_bench::similarity::Ruler;
use lmz_bench::similarity::matrix::Matrix;
use lmz_bench::similarity::tree::Tree;
use lmz_bench::state::State;
use lmz_cli::identity::Taken;
use lmz_cli::say::{self, say};
use lmz_cli::told;
use serde::Serialize;

use super::compare::bar;
use super::results::Output;
use args::Measuring;
pub use args::{DistancesArgs, SimilarArgs};

/// Names of files, and what they hold.
type Texts = Vec<(String, Vec<u8>)>;

/// Says what went wrong; the exit code says whether it was the command line.
pub fn ended(result: Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    say(told(&error));
    let wrong = matches!(
        error.downcast_ref(),
        Some(FindError::Unknown { .. } | FindError::Model(ModelError::Unknown { .. }))
    );
    ExitCode::from(if wrong { 2 } else { 1 })
}

/// Prints all distances of each pair.
pub fn similar(args: &SimilarArgs) -> ExitCode {
    ended(print_pairs(args))
}

/// Writes a matrix, and what is made of it.
pub fn distances(args: &DistancesArgs) -> ExitCode {
    ended(write_all(args))
}

impl Measuring {
    /// What is read, which no output may be; and the texts.
    fn read(&self) -> Result<(Taken, Texts)> {
        let files = file::find(&self.inputs, false)?;
        let mut taken = Taken::default();
        files.iter().for_each(|file| taken.add_input(&file.path));
        let first = self.first.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let text = |file: &file::DataFile| {
            let mut bytes = file.read()?;
            bytes.truncate(first);
            Ok((file.name.clone(), bytes))
        };
        Ok((taken, files.iter().map(text).collect::<Result<_>>()?))
    }

    fn lengths(&self, taken: &Taken, texts: &Texts) -> Result<CodeLengths> {
        self.resume.iter().try_for_each(|path| taken.ensure_free(path))?;
        let state = self.resume.as_deref().map(State::open).transpose()?;
        let cores = || available_parallelism().map_or(1, NonZero::get);
        let threads = if self.threads == 0 { cores() } else { self.threads };
        let ruler = Ruler::new(&self.codec, threads, state)?;
        let bar = bar(self.quiet, Ruler::codings(texts.len()));
        bar.set_message(self.codec.clone());
        let lengths = ruler.lengths(texts, self.conditional, || bar.inc(1));
        bar.finish_and_clear();
        Ok(lengths?)
    }
}

/// A pair in JSON. Lengths are in bits.
#[derive(Serialize)]
struct Pair<'a> {
    x: &'a str,
    y: &'a str,
    codec: &'a str,
    length_x: f64,
    length_y: f64,
    length_xy: f64,
    ncd: f64,
    cdm: f64,
    clm: f64,
    cosine: f64,
}

fn print_pairs(args: &SimilarArgs) -> Result<()> {
    let measuring = &args.measuring;
    let (taken, texts) = measuring.read()?;
    taken.ensure_stdout_free()?;
    let lengths = measuring.lengths(&taken, &texts)?;
    if !args.json {
        say::print_line(format_args!(
            "{:>9} {:>9} {:>10}  {:>6} {:>6} {:>6} {:>6}  x, y (lengths in bytes)",
            "C(x)", "C(y)", "C(xy)", "ncd", "cdm", "clm", "cosine"
        ))?;
    }
    let selves = (0..texts.len()).map(|x| (x, x));
    let others = (0..texts.len()).flat_map(|x| (x + 1..texts.len()).map(move |y| (x, y)));
    for (x, y) in selves.chain(others) {
        let (a, b, c) = (lengths.own(x), lengths.own(y), lengths.both(x, y));
        let [ncd, cdm, clm, cosine] = Measure::ALL.map(|measure| measure.distance(a, b, c));
        let (x, y, codec) = (&texts[x].0[..], &texts[y].0[..], &measuring.codec[..]);
        if args.json {
            let (length_x, length_y, length_xy) = (a, b, c);
            let pair = Pair { x, y, codec, length_x, length_y, length_xy, ncd, cdm, clm, cosine };
            say::print(format_args!("{}\n", serde_json::to_string(&pair)?))?;
        } else {
            let [a, b, c] = [a, b, c].map(|bits| bits / 8.0);
            say::print_line(format_args!(
                "{a:>9.1} {b:>9.1} {c:>10.1}  {ncd:>6.4} {cdm:>6.4} {clm:>6.4} {cosine:>6.4}  \
                {x}, {y}"
            ))?;
        }
    }
    Ok(())
}

fn write_all(args: &DistancesArgs) -> Result<()> {
    let measuring = &args.measuring;
    // What cannot be written is known before hours of work.
    let (mut taken, texts) = measuring.read()?;
    args.labels.iter().for_each(|path| taken.add(path, "the labels"));
    let [output, tree_file, newick, heat] =
        [&args.output, &args.tree, &args.newick, &args.heat_map]
            .map(|path| path.as_deref().map(|path| Output::begin(path, &taken)).transpose());
    let (output, tree_file, newick, heat) = (output?, tree_file?, newick?, heat?);
    if output.is_none() {
        taken.ensure_stdout_free()?;
    }
    let names: Vec<String> = texts.iter().map(|(name, _)| name.clone()).collect();
    let labels = args.labels.as_deref().map(|path| labels::read(path, &names)).transpose()?;
    let lengths = measuring.lengths(&taken, &texts)?;
    let measure = Measure::from(args.measure);
    let distances = lengths.distances(measure);
    let (codec, name) = (&measuring.codec[..], measure.name());
    let tree = Tree::of(&distances, args.join.into());
    let title = format!("{} by {codec}", name.to_uppercase());
    if let (Some(file), Some(tree)) = (tree_file, &tree) {
        file.finish(dendrogram(tree, &names, &title).as_bytes())?;
    }
    if let (Some(file), Some(tree)) = (newick, &tree) {
        file.finish(tree.newick(&names).as_bytes())?;
    }
    if let (Some(file), Some(tree)) = (heat, &tree) {
        file.finish(heat_map(&names, &distances, &tree.leaves(), &title).as_bytes())?;
    }
    let matrix = Matrix { names: &names, distances: &distances, measure: name, codec };
    let bytes = matrix.write(args.format.into());
    match output {
        Some(output) => output.finish(&bytes)?,
        None => say::write(&bytes)?,
    }
    if !measuring.quiet {
        say(own_distances(&distances).context("no files")?);
    }
    if let Some(labels) = labels {
        say(labels::neighbours(&distances, &names, &labels));
    }
    Ok(())
}

/// How far texts are from themselves.
fn own_distances(distances: &Distances) -> Option<String> {
    let own = || (0..distances.count()).map(|x| distances.get(x, x));
    let (least, most) = (own().reduce(f64::min)?, own().reduce(f64::max)?);
    Some(format!("distance of a file to itself: {least:.4} to {most:.4}"))
}
