//! The command lines of `lmz distances` and `lmz similar`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lmz::similarity::Measure;
use lmz_bench::similarity::matrix;
use lmz_bench::similarity::tree::Joining;
use lmz_cli::sizes::size;

/// What both commands measure, and how.
#[derive(Args)]
pub struct Measuring {
    /// Files to compare; folders stand for all files in them
    #[arg(value_name = "FILE|FOLDER", required = true)]
    pub inputs: Vec<PathBuf>,
    /// Codec that measures, by its name in lmz compare --codecs list; those of lmz measure by ideal
    /// code lengths, without what stands around coded bytes
    #[arg(long, value_name = "NAME", default_value = "lmz-none")]
    pub codec: String,
    /// Measure two texts together by what each takes for who knows the other (as with lmz -D), in
    /// both directions, instead of one behind the other; by codecs of lmz
    #[arg(short = 'D', long)]
    pub conditional: bool,
    /// Take only the beginning of each file, such as 10kB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub first: Option<u64>,
    /// Threads (0: one for each core): pairs are coded at once
    #[arg(short = 'T', long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Keep code lengths in this file, and take from it those that it has: an interrupted run goes
    /// on
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
    /// No progress, no summary
    #[arg(short, long)]
    pub quiet: bool,
}

/// How alike files are: four distances of each pair, and code lengths
///
/// With the code lengths a = C(x), b = C(y) and c = C(xy), every distance is 1 - (a + b - c) / f:
/// ncd has f = max(a, b), cdm a + b, clm c, and cosine sqrt(a b). 0 (cdm: 0.5) says that a text
/// tells all of the other, 1 that it tells nothing. The first lines have each file with itself:
/// what is far from 0 there says that the codec's window was too small, or what it cannot do.
#[derive(Args)]
pub struct SimilarArgs {
    #[command(flatten)]
    pub measuring: Measuring,
    /// Print lines of JSON
    #[arg(long)]
    pub json: bool,
}

/// Distances of all pairs of files by compression, as a matrix, a tree and a picture
///
/// C(x) is found out once for each file, and pairs are coded at once. On standard error it is told
/// how far files are from themselves, which the diagonal of the matrix holds: if it is much, the
/// codec's window was too small for two files.
#[derive(Args)]
#[command(after_help = "Example: the languages of some texts\n  \
    lmz distances --first 10kB --tree tree.svg texts/")]
pub struct DistancesArgs {
    #[command(flatten)]
    pub measuring: Measuring,
    /// Which distance
    #[arg(long, value_name = "MEASURE", value_enum, default_value = "ncd")]
    pub measure: Which,
    /// How the matrix is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "csv")]
    pub format: Format,
    /// Write the matrix to this file
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Draw a tree (SVG)
    #[arg(long, value_name = "FILE")]
    pub tree: Option<PathBuf>,
    /// Write a tree in Newick's format
    #[arg(long, value_name = "FILE")]
    pub newick: Option<PathBuf>,
    /// How trees are made
    #[arg(long, value_name = "HOW", value_enum, default_value = "upgma")]
    pub join: Join,
    /// Draw the matrix, the nearer the darker, in the order of the tree (SVG)
    #[arg(long, value_name = "FILE")]
    pub heat_map: Option<PathBuf>,
    /// Names and classes of files, two columns with a tab between: tell of how many files the
    /// nearest one is of the same class
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
}

/// The value of `--measure`.
#[derive(Clone, Copy, ValueEnum)]
pub enum Which {
    /// Normalised compression distance
    Ncd,
    /// Compression-based dissimilarity measure
    Cdm,
    /// Chen-Li metric
    Clm,
    /// Cosine-like
    Cosine,
}

impl From<Which> for Measure {
    fn from(which: Which) -> Self {
        match which {
            Which::Ncd => Self::Ncd,
            Which::Cdm => Self::Cdm,
            Which::Clm => Self::Clm,
            Which::Cosine => Self::Cosine,
        }
    }
}

/// The value of `--format`.
#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    /// Commas between, with names
    Csv,
    /// For the programs of PHYLIP
    Phylip,
    /// An object with names and lists
    Json,
    /// NumPy's, without names
    Npy,
}

impl From<Format> for matrix::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::Phylip => Self::Phylip,
            Format::Json => Self::Json,
            Format::Npy => Self::Npy,
        }
    }
}

/// The value of `--join`.
#[derive(Clone, Copy, ValueEnum)]
pub enum Join {
    /// Average linkage: all files equally far from the root
    Upgma,
    /// Neighbour joining
    Nj,
}

impl From<Join> for Joining {
    fn from(join: Join) -> Self {
        match join {
            Join::Upgma => Self::Upgma,
            Join::Nj => Self::NeighbourJoining,
        }
    }
}
