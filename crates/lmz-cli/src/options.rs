//! The options for files and archives, as they are given: [`super::args`] resolves them.

use std::ops::Range;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use super::args::Action;
use super::finding::Finding;
use super::progress::When;
use super::sizes::{power_of_two, range, size};

/// Options for files and archives.
#[derive(Args)]
pub struct FileArgs {
    /// Files to work on; with none, or with -, standard input is read and standard output written
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub action: ActionArgs,
    /// Write to standard output
    #[arg(short = 'c', long, conflicts_with = "output")]
    pub stdout: bool,
    /// Write to this file
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Keep the input files (this is what happens anyway)
    #[arg(short, long, conflicts_with = "rm")]
    keep: bool,
    /// Remove each input file once its output is safe; what was compressed is decoded and compared
    /// first
    #[arg(long)]
    pub rm: bool,
    /// Overwrite existing files; write compressed data to a terminal
    #[arg(short, long)]
    pub force: bool,
    /// Threads (0: one for each core); the archive does not depend on it
    #[arg(short = 'T', long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Model that predicts: base (the default), nano (smaller and faster), none (context mixing
    /// alone), ppm (the baseline), the path of a model folder, or hf:OWNER/NAME[@REVISION] of the
    /// Hugging Face hub; when decompressing, one that the archive needs (may be given more than
    /// once there)
    #[arg(long, value_name = "MODEL", conflicts_with = "level")]
    pub model: Vec<String>,
    /// A text like the input, which the model reads first; decompressing needs the same file (may
    /// be given more than once there)
    #[arg(short = 'D', long, value_name = "FILE")]
    pub dictionary: Vec<PathBuf>,
    #[command(flatten)]
    pub finding: Finding,
    /// No progress, no summaries
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// How progress is shown: auto (a bar, where standard error is a terminal), json (lines of JSON
    /// on standard error, for programs) or never
    ///
    /// Progress counts the bytes of content that are coded or decoded, inside of blocks too. A line
    /// of JSON comes twice a second, and one when a file is done. Its fields: file, number and
    /// files (which input of how many), phase (compress, decompress or test), total_bytes and
    /// done_bytes (of content; the total is null where it is not known), written_bytes (what has
    /// come out), rate (bytes of content a second over the last five; in a file's last line over
    /// all of it; null where it is not known, as of small files that are compressed several at a
    /// time), rest_seconds (null where it is not known), ended (true in a file's last line),
    /// failed (then whether the file could not be done; a message says why). json is shown with
    /// --quiet too.
    #[arg(long, value_name = "HOW", default_value = "auto", hide_default_value = true)]
    #[arg(hide_possible_values = true, overrides_with = "no_progress")]
    pub progress: When,
    /// As --progress never
    #[arg(long, overrides_with = "progress")]
    pub no_progress: bool,
    /// Say more; of each block its method and sizes, with -l of each frame what it needs
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    #[command(flatten)]
    pub compressing: CompressingArgs,
    #[command(flatten)]
    pub decoding: DecodingArgs,
    #[command(flatten)]
    pub benchmarking: BenchmarkArgs,
}

/// Options that say what is done; without one, files are compressed.
#[derive(Args)]
pub struct ActionArgs {
    /// Decompress
    #[arg(short, long)]
    decompress: bool,
    /// Check archives: decode them and write nothing
    #[arg(short, long, conflicts_with = "decompress")]
    test: bool,
    /// List what archives hold
    #[arg(short, long, conflicts_with_all = ["decompress", "test"])]
    list: bool,
    /// Write what can still be read of a damaged archive, and list what is missing
    #[arg(long, conflicts_with_all = ["decompress", "test", "list"])]
    recover: bool,
    /// Measure: compress and decompress the files in memory, compare, and print sizes and speeds;
    /// -b1 -e3 tries levels 1 to 3
    #[arg(short, long, conflicts_with_all = ["decompress", "test", "list", "recover"])]
    benchmark: bool,
}

/// Options that only compressing looks at.
#[derive(Args)]
#[command(next_help_heading = COMPRESSING)]
pub struct CompressingArgs {
    /// Fastest: context mixing alone
    #[arg(short = '1', group = "level")]
    level_1: bool,
    /// Fast: the model nano and context mixing
    #[arg(short = '2', group = "level")]
    level_2: bool,
    /// The default: the model base and context mixing; so are -4 to -8, until there are larger
    /// models
    #[arg(short = '3', group = "level")]
    level_3: bool,
    #[arg(short = '4', group = "level", hide = true)]
    level_4: bool,
    #[arg(short = '5', group = "level", hide = true)]
    level_5: bool,
    #[arg(short = '6', group = "level", hide = true)]
    level_6: bool,
    #[arg(short = '7', group = "level", hide = true)]
    level_7: bool,
    #[arg(short = '8', group = "level", hide = true)]
    level_8: bool,
    /// As -8, with blocks of 16MiB
    #[arg(short = '9', group = "level")]
    level_9: bool,
    /// Bytes of a block, such as 512KiB: what is read to reach a place inside, and lost with damage
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub block: Option<u64>,
    /// Whether context mixing predicts together with a model; off shows what the model alone is
    /// worth, for comparisons
    #[arg(
        long,
        value_name = "on|off",
        default_value = "on",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub mix: Switch,
    /// Streams that each block is cut into, for experiments: more are faster with a model, and make
    /// it larger
    #[arg(
        long,
        value_name = "N",
        hide_short_help = true,
        value_parser = clap::value_parser!(u16).range(1..=1024)
    )]
    pub streams: Option<u16>,
    /// Do not decode and compare what a device-bound model has made before it is written
    #[arg(long, hide_short_help = true)]
    pub no_verify: bool,
    /// Longest context of ppm, in bytes
    #[arg(
        long,
        value_name = "N",
        default_value_t = lmz::lm::ppm::ORDER,
        value_parser = clap::value_parser!(u8).range(1..=i64::from(lmz::lm::ppm::MAX_ORDER))
    )]
    pub ppm_order: u8,
    /// Memory of ppm for contexts (64KiB to 1GiB, a power of two): when full, it starts anew
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = power_of_two)]
    pub ppm_memory: u8,
}

/// Options that only decompressing and looking at archives take into account.
#[derive(Args)]
#[command(next_help_heading = DECODING)]
pub struct DecodingArgs {
    /// Decompress only these bytes of the content: 1GiB..+4KiB, 100..200, 5MB..
    #[arg(long, value_name = "FROM..TO", value_parser = range)]
    pub range: Option<Range<u64>>,
    /// Refuse archives that hold more than this, before more is written
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub limit_content: Option<u64>,
    /// Refuse archives for whose bytes models have to predict more than N bytes each, after the
    /// first MiB: the time that decompressing takes is in proportion
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub limit_expansion: Option<u64>,
}

/// Options of the benchmark.
#[derive(Args)]
#[command(next_help_heading = BENCHMARKING)]
pub struct BenchmarkArgs {
    /// The last level that is tried; the first is the one that is given
    #[arg(
        short = 'e',
        long,
        value_name = "LEVEL",
        requires = "benchmark",
        conflicts_with = "model",
        value_parser = clap::value_parser!(u8).range(1..=9)
    )]
    pub last_level: Option<u8>,
    /// Repeat until a level has taken so long; the fastest run counts
    #[arg(
        short = 'i',
        long,
        value_name = "SECONDS",
        requires = "benchmark",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub least_time: u32,
    /// Print a line of JSON for each level: level (null with --model), model, kernel, threads,
    /// files, bytes_in, bytes_out, bits_per_byte, rates in bytes a second, seconds, and seconds of
    /// CPU time (null where the system does not tell them)
    #[arg(long, requires = "benchmark")]
    pub json: bool,
}

/// Headings in the help, by which a command hides the options that it does not look at.
pub const COMPRESSING: &str = "Compressing";
pub const DECODING: &str = "Decompressing";
pub const BENCHMARKING: &str = "Measuring";

/// The value of an option that is on or off.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

impl ActionArgs {
    /// The action that the options stand for.
    pub fn action(&self) -> Action {
        match self {
            Self { decompress: true, .. } => Action::Decompress,
            Self { test: true, .. } => Action::Test,
            Self { list: true, .. } => Action::List,
            Self { recover: true, .. } => Action::Recover,
            Self { benchmark: true, .. } => Action::Benchmark,
            _ => Action::Compress,
        }
    }

    /// The options that stand for an action.
    pub fn of(action: Action) -> Self {
        Self {
            decompress: action == Action::Decompress,
            test: action == Action::Test,
            list: action == Action::List,
            recover: action == Action::Recover,
            benchmark: action == Action::Benchmark,
        }
    }
}

impl CompressingArgs {
    /// The level from 1 to 9, if one was given.
    pub fn level(&self) -> Option<usize> {
        let levels = [
            self.level_1,
            self.level_2,
            self.level_3,
            self.level_4,
            self.level_5,
            self.level_6,
            self.level_7,
            self.level_8,
            self.level_9,
        ];
        levels.iter().position(|given| *given).map(|at| at + 1)
    }
}
