//! The command line of `lmz experiment`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lmz::lm::rwkv7::Model;
use lmz_bench::codecs;
use lmz_bench::codecs::lmz::UNMIXED;
use lmz_bench::data::seven;

use lmz_cli::sizes::size;

/// Do the experiments of "Language Modeling Is Compression" (arXiv 2309.10668)
///
/// They are done with lmz and other codecs, on data of yours.
///
/// Each writes into the folder --out: its numbers (CSV and JSON), drawings (SVG), a table
/// (Markdown), and what it was made with. What was measured is kept there too and not measured
/// again.
#[derive(Args)]
#[command(
    after_help = "DIR of --data may have the folders text, image (PNG, binary PPM and PGM) and \
        audio (WAV and FLAC of 16 kHz); a folder enwik in text is a set of its own. A file, or a \
        folder without these, is text.\n\n\
        Exit codes: 0 all went well, 1 a codec or a file failed (others were still done), 2 the \
        command line was wrong."
)]
pub struct ExperimentArgs {
    #[command(subcommand)]
    pub experiment: Experiment,
}

#[derive(Subcommand)]
pub enum Experiment {
    /// How small text, images, sound and noise become, in pieces of 2,048 bytes and whole
    Table {
        #[command(flatten)]
        common: Common,
        /// Size of the data that a model is sent with, in the adjusted rate
        #[arg(long, value_name = "SIZE", value_parser = over, default_value = "1GB")]
        over: u64,
        /// Measure this many pieces of each set, evenly spread, and nothing but pieces: for models
        /// that take long
        #[arg(long, value_name = "N", value_parser = count)]
        pieces: Option<usize>,
    },
    /// From how much data on a model is worth its own bytes
    Scaling {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        set: Set,
    },
    /// Bits a byte by its place in a piece of 2,048 bytes
    Context {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        set: Set,
    },
    /// Bytes against the tokens of models
    Tokens {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        set: Set,
    },
}

#[derive(Args)]
pub struct Common {
    /// Data to measure on
    #[arg(long, value_name = "DIR|FILE")]
    pub data: PathBuf,
    /// Write into this folder, which is made if there is none
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Bytes of each data set at most
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "128KiB")]
    pub limit: u64,
    /// Codecs, with commas between, as in lmz compare; with -7bit behind a name (of table) the
    /// paper's way, which is not lossless
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    codecs: Vec<String>,
    /// Measure lmz with this model too: a built-in one, or the path of a model folder or file (may
    /// be given more than once)
    #[arg(long, value_name = "NAME|PATH")]
    model: Vec<String>,
    /// Take NAME.xz as it is, instead of what it holds
    #[arg(long)]
    pub keep_xz: bool,
    /// Threads of codecs that can use more than one
    #[arg(short = 'T', long, value_name = "N", default_value_t = 1, value_parser = count)]
    pub threads: usize,
    /// No progress
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Args)]
pub struct Set {
    /// Which data: text, enwik, image, audio or random
    #[arg(
        long,
        value_name = "SET",
        default_value = "text",
        value_parser = ["text", "enwik", "image", "audio", "random"]
    )]
    pub set: String,
}

/// What the table has beside lmz.
const TABLE: [&str; 10] = [
    "gzip-9",
    "xz-9e",
    "zstd-19",
    "brotli-11",
    "ppmd",
    "png-bytes",
    "png",
    "webp",
    "flac-bytes",
    "flac",
];

impl Experiment {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Table { .. } => "table",
            Self::Scaling { .. } => "scaling",
            Self::Context { .. } => "context",
            Self::Tokens { .. } => "tokens",
        }
    }

    pub fn common(&self) -> &Common {
        match self {
            Self::Table { common, .. }
            | Self::Scaling { common, .. }
            | Self::Context { common, .. }
            | Self::Tokens { common, .. } => common,
        }
    }

    /// The names of the codecs that are asked for, each once.
    pub fn codecs(&self) -> Vec<String> {
        let common = self.common();
        let (unmixed, seven, others): (bool, bool, &[&str]) = match self {
            Self::Table { .. } => (true, true, &TABLE),
            Self::Scaling { .. } => (false, false, &["gzip-9", "xz-9e"]),
            Self::Context { .. } => (true, false, &[]),
            Self::Tokens { .. } => (true, false, &["gzip-9", "ppmd", "lmz-ppm"]),
        };
        let mut names = common.codecs.clone();
        let mut models = common.model.clone();
        if names.is_empty() {
            names.extend(others.iter().map(|name| (*name).to_owned()));
            names.push("lmz-none".to_owned());
            models.splice(0..0, Model::builtin_names().map(str::to_owned));
        }
        for model in models {
            let codec = codecs::of_model(&model);
            let is_model = !["none", "ppm"].contains(&model.as_str());
            if unmixed && is_model {
                names.push(match codec.strip_prefix("lmz:") {
                    Some(path) => format!("lmz-unmixed:{path}"),
                    None => format!("{UNMIXED}{model}"),
                });
            }
            names.push(codec.clone());
            if seven && is_model {
                names.push(codec + seven::SUFFIX);
            }
        }
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }
}

/// 1 byte or more.
fn over(text: &str) -> Result<u64, String> {
    match size(text)? {
        0 => Err("expected 1 byte or more".to_owned()),
        bytes => Ok(bytes),
    }
}

/// 1 or more.
fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("expected a number from 1 on, found {text:?}")),
    }
}
