//! `lmz cluster`: groups of texts, by k-means over vectors or by distances.

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::Result;
use clap::{Args, ValueEnum};
use lmz::parallel;
use lmz::similarity::Measure;
use lmz_bench::data::file;
use lmz_bench::similarity::Ruler;
use lmz_bench::similarity::cluster::{Group, by_distances, by_vectors};
use lmz_bench::similarity::features::{Space, Vector};
use lmz_cli::identity::Taken;
use lmz_cli::say;
use lmz_cli::sizes::size;
use serde::Serialize;

use super::compare::bar;
use super::distances::ended;

/// Group files by what compressors say of them
///
/// By default k-means over the vectors of lmz features, which have length 1 for this. By distances
/// of lmz distances it is average linkage. Of each group the medoid is named: the member that is
/// nearest to all others.
#[derive(Args)]
pub struct ClusterArgs {
    /// Files to group; folders stand for all files in them
    #[arg(value_name = "FILE|FOLDER", required = true)]
    inputs: Vec<PathBuf>,
    /// How many groups
    #[arg(short = 'k', long, value_name = "N")]
    groups: usize,
    /// What groups are made by
    #[arg(long, value_name = "WHAT", value_enum, default_value = "lzw")]
    by: By,
    /// Codec that measures distances (ncd)
    #[arg(long, value_name = "NAME", default_value = "lmz-none")]
    codec: String,
    /// Longest contexts of ppm, in bytes
    #[arg(long, value_name = "N", default_value_t = 2)]
    order: usize,
    /// Dimensions of vectors, at most: the heaviest that several files have
    #[arg(long, value_name = "N", default_value_t = 4096)]
    dimensions: usize,
    /// What the random numbers of k-means begin with
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Take only the beginning of each file
    #[arg(long, value_name = "SIZE", value_parser = size)]
    first: Option<u64>,
    /// Print a line of JSON for each group
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
#[derive(Clone, Copy, ValueEnum)]
enum By {
    /// k-means over vectors of LZW
    Lzw,
    /// k-means over vectors of LZ77
    Lz77,
    /// k-means over vectors of PPM
    Ppm,
    /// Average linkage of distances by a codec
    Distances,
}

/// A group in JSON.
#[derive(Serialize)]
struct Line<'a> {
    group: usize,
    medoid: &'a str,
    members: Vec<&'a str>,
}

/// How far back LZ77 copies from, as gzip does.
const WINDOW: usize = 32 << 10;

/// Prints groups.
pub fn run(args: &ClusterArgs) -> ExitCode {
    ended(cluster(args))
}

fn cluster(args: &ClusterArgs) -> Result<()> {
    let files = file::find(&args.inputs, false)?;
    let mut taken = Taken::default();
    files.iter().for_each(|file| taken.add_input(&file.path));
    taken.ensure_stdout_free()?;
    let first = args.first.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let text = |file: &file::DataFile| {
        let mut bytes = file.read()?;
        bytes.truncate(first);
        Ok((file.name.clone(), bytes))
    };
    let texts: Vec<(String, Vec<u8>)> = files.iter().map(text).collect::<Result<_>>()?;
    let cores = || available_parallelism().map_or(1, NonZero::get);
    let threads = if args.threads == 0 { cores() } else { args.threads };
    let by_space = |space: Space| {
        let vector = |(_, text): &(String, Vec<u8>)| Ok::<_, anyhow::Error>(space.vector(text));
        let vectors: Vec<Vector> = parallel::each(&texts, parallel::at_once(threads), vector)?;
        Ok::<_, anyhow::Error>(by_vectors(&vectors, args.groups, args.dimensions, args.seed)?.0)
    };
    let groups = match args.by {
        By::Lzw => by_space(Space::Lzw)?,
        By::Lz77 => by_space(Space::Lz77 { window: WINDOW })?,
        By::Ppm => by_space(Space::Ppm { order: args.order })?,
        By::Distances => {
            let ruler = Ruler::new(&args.codec, threads, None)?;
            let bar = bar(args.quiet, Ruler::codings(texts.len()));
            let lengths = ruler.lengths(&texts, false, || bar.inc(1));
            bar.finish_and_clear();
            by_distances(&lengths?.distances(Measure::Ncd), args.groups)?
        }
    };
    let name = |x: &usize| &texts[*x].0[..];
    for (number, Group { medoid, members }) in (1..).zip(&groups) {
        let (medoid, members) = (name(medoid), members.iter().map(name).collect::<Vec<_>>());
        if args.json {
            let line = Line { group: number, medoid, members };
            say::print(format_args!("{}\n", serde_json::to_string(&line)?))?;
        } else {
            let members = members.join(", ");
            say::print_line(format_args!("group {number}, medoid {medoid}: {members}"))?;
        }
    }
    Ok(())
}
