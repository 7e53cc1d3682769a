//! `lmz features`: texts as vectors in the feature spaces of compressors.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use lmz::parallel;
use lmz_bench::data::file;
use lmz_bench::similarity::features::file::{names, npz, svmlight};
use lmz_bench::similarity::features::{Space, Vector, norm};
use lmz_cli::identity::Taken;
use lmz_cli::say;
use lmz_cli::sizes::size;

use super::distances::ended;
use super::results::Output;

/// Write files as vectors in the feature space of a compressor
///
/// A dimension is what such a compressor writes a code for: a phrase of LZW's dictionary, a
/// substring that LZ77 copies or a byte, or a symbol behind a context of PPM. Its value is the bits
/// of those codes, so the sum of a vector is the code length of its file. Without --output, these
/// sums are printed.
#[derive(Args)]
pub struct FeaturesArgs {
    /// Files to turn into vectors; folders stand for all files in them
    #[arg(value_name = "FILE|FOLDER", required = true)]
    inputs: Vec<PathBuf>,
    /// Which compressor's space
    #[arg(long, value_name = "SPACE", value_enum, default_value = "lzw")]
    space: Which,
    /// Longest contexts of ppm, in bytes
    #[arg(long, value_name = "N", default_value_t = 2)]
    order: usize,
    /// How far back lz77 copies from
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "32KiB")]
    window: u64,
    /// How the vectors are written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "svmlight")]
    format: Format,
    /// Write the vectors to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write what each dimension is to this file
    #[arg(long, value_name = "FILE")]
    dimensions: Option<PathBuf>,
    /// Take only the beginning of each file
    #[arg(long, value_name = "SIZE", value_parser = size)]
    first: Option<u64>,
    /// Threads (0: one for each core)
    #[arg(short = 'T', long, value_name = "N", default_value_t = 0)]
    threads: usize,
}

/// The value of `--space`.
#[derive(Clone, Copy, ValueEnum)]
enum Which {
    /// Phrases of the dictionary
    Lzw,
    /// Copied substrings, and bytes
    Lz77,
    /// Symbols behind contexts
    Ppm,
}

/// The value of `--format`.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A line of number:bits for each file
    Svmlight,
    /// A sparse matrix of SciPy
    Npz,
}

/// Writes vectors.
pub fn run(args: &FeaturesArgs) -> ExitCode {
    ended(write(args))
}

fn write(args: &FeaturesArgs) -> Result<()> {
    let files = file::find(&args.inputs, false)?;
    let mut taken = Taken::default();
    files.iter().for_each(|file| taken.add_input(&file.path));
    let [output, dimensions] = [&args.output, &args.dimensions]
        .map(|path| path.as_deref().map(|path| Output::begin(path, &taken)).transpose());
    let (output, dimensions) = (output?, dimensions?);
    let whole = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let window = whole(args.window);
    let space = match args.space {
        Which::Lzw => Space::Lzw,
        Which::Lz77 if window == 0 => bail!("window: expected 1 byte or more, found 0"),
        Which::Lz77 => Space::Lz77 { window },
        Which::Ppm => Space::Ppm { order: args.order },
    };
    let threads = if args.threads == 0 { usize::MAX } else { args.threads };
    let vectors: Vec<Vector> = parallel::each(&files, parallel::at_once(threads), |file| {
        let mut bytes = file.read()?;
        bytes.truncate(args.first.map_or(usize::MAX, whole));
        Ok::<_, anyhow::Error>(space.vector(&bytes))
    })?;
    let all: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    if let Some(dimensions) = dimensions {
        dimensions.finish(names(&vectors).as_bytes())?;
    }
    let Some(output) = output else {
        say::print_line(format_args!("{:>12} {:>12}  file", "bytes coded", "dimensions"))?;
        return all.iter().zip(&vectors).try_for_each(|(name, vector)| {
            let bytes = norm(vector) / 8.0;
            say::print_line(format_args!("{bytes:>12.1} {:>12}  {name}", vector.len()))
        });
    };
    match args.format {
        Format::Svmlight => output.finish(svmlight(&all, &vectors).as_bytes()),
        Format::Npz => output.finish(&npz(&vectors)),
    }
}
