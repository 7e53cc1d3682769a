//! The command line of `lmz compare`.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, ValueEnum};
use lmz_bench::codecs;
use lmz_bench::cost::Counting;
use lmz_bench::table::Format;

use lmz_cli::sizes::size;

/// Compress and decompress files with several codecs, and show what came of it
///
/// Each measurement has a process of its own. Times are those of compressing and decompressing in
/// memory: reading, starting and loading a model are not counted. Peak memory is all that the
/// process had at once, the program, its model and the data among it. Every result is decoded and
/// compared with the file.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 all went well, 1 a codec or a file failed (others were still \
        done), 2 the command line was wrong."
)]
pub struct CompareArgs {
    /// Files to compress; folders stand for all files in them
    #[arg(value_name = "FILE|FOLDER")]
    pub inputs: Vec<PathBuf>,
    /// Codecs, with commas between; all for those of pictures and sound too; list prints what there
    /// is
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    codecs: Vec<String>,
    /// Compare lmz with this model too: a built-in one, or the path of a model folder (may be given
    /// more than once)
    #[arg(long, value_name = "NAME|PATH")]
    model: Vec<String>,
    /// Threads of codecs that can use more than one
    #[arg(short = 'T', long, value_name = "N", default_value_t = 1)]
    pub threads: usize,
    /// Cut files into pieces of this size and compress each alone
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub chunk: Option<u64>,
    /// Count the header (what one zero byte is compressed to) once for each file instead of with
    /// every piece, as the paper "Language Modeling Is Compression" does
    #[arg(long, requires = "chunk")]
    pub header_once: bool,
    /// Do everything N times, and show the median of the times
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub repeat: u16,
    /// Take NAME.xz for the file that it holds
    #[arg(long)]
    pub unpack_xz: bool,
    /// How the table is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "table")]
    format: Shape,
    /// Write the table to this file
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Show the totals only
    #[arg(long)]
    pub totals: bool,
    /// Leave out speeds and memory, which differ from run to run
    #[arg(long)]
    pub sizes_only: bool,
    /// Show the rate with the model counted too: paper for 2 bytes a parameter, stored for the
    /// bytes of its files
    #[arg(
        long,
        value_name = "COUNTING",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "stored"
    )]
    adjusted: Option<ModelBytes>,
    /// Size of the data that the model is sent with, such as 1GB (all files together, unless
    /// something else is said)
    #[arg(long, value_name = "SIZE", value_parser = size, requires = "adjusted")]
    pub over: Option<u64>,
    /// Count the program that decodes too, as the Hutter Prize does, and show from which size of
    /// data on each codec wins against the others; of lmz this is the running executable
    #[arg(long)]
    pub total: bool,
    /// Size of a codec's decoder, such as xz-9e=250KiB; without it only lmz's is counted (may be
    /// given more than once)
    #[arg(long, value_name = "CODEC=SIZE", value_parser = decoder_size, requires = "total")]
    pub decoder_size: Vec<(String, u64)>,
    /// Draw rate against speed of compressing to this file (SVG)
    #[arg(long, value_name = "FILE", conflicts_with = "sizes_only")]
    pub plot: Option<PathBuf>,
    /// Draw the rate of each codec on each file to this file (SVG)
    #[arg(long, value_name = "FILE")]
    pub bars: Option<PathBuf>,
    /// Keep measurements in this file, and do not repeat those that it has
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
    /// No progress
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shape {
    Table,
    Csv,
    Json,
    Markdown,
}

#[derive(Clone, Copy, ValueEnum)]
enum ModelBytes {
    Paper,
    Stored,
}

impl CompareArgs {
    /// Refuses what cannot be meant. `command` is the one whose arguments these are.
    pub fn check(&self, command: &mut clap::Command) -> Result<(), clap::Error> {
        let mut wrong = |kind, message: &str| Err(command.error(kind, message));
        if self.inputs.is_empty() && !self.lists_codecs() {
            return wrong(
                ErrorKind::MissingRequiredArgument,
                "expected files or folders to compress",
            );
        }
        if self.chunk == Some(0) || self.over == Some(0) {
            return wrong(ErrorKind::InvalidValue, "--chunk and --over: expected 1 byte or more");
        }
        if self.total && matches!(self.format, Shape::Csv) {
            return wrong(
                ErrorKind::ArgumentConflict,
                "--total: expected the format table, markdown or json, found csv",
            );
        }
        let unknown = self.decoder_size.iter().find(|(codec, _)| !self.codecs().contains(codec));
        if let Some((codec, _)) = unknown {
            return wrong(
                ErrorKind::InvalidValue,
                &format!("--decoder-size: {codec} is none of the codecs that are compared"),
            );
        }
        Ok(())
    }

    /// Whether only the names of codecs are wanted.
    pub fn lists_codecs(&self) -> bool {
        self.codecs.iter().any(|name| name == "list")
    }

    /// The names and paths of the models that are asked for.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.model.iter().map(String::as_str)
    }

    /// The names of the codecs that are asked for, each once.
    pub fn codecs(&self) -> Vec<String> {
        let mut names = match &self.codecs[..] {
            [] => codecs::default_names(false),
            [all] if all == "all" => codecs::default_names(true),
            chosen => chosen.to_vec(),
        };
        names.extend(self.model.iter().map(|model| codecs::of_model(model)));
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    pub fn format(&self) -> Format {
        match self.format {
            Shape::Table => Format::Table,
            Shape::Csv => Format::Csv,
            Shape::Json => Format::Json,
            Shape::Markdown => Format::Markdown,
        }
    }

    pub fn adjusted(&self) -> Option<Counting> {
        self.adjusted.map(|bytes| match bytes {
            ModelBytes::Paper => Counting::Paper,
            ModelBytes::Stored => Counting::Stored,
        })
    }
}

/// CODEC=SIZE.
fn decoder_size(text: &str) -> Result<(String, u64), String> {
    let (codec, bytes) =
        text.rsplit_once('=').ok_or_else(|| format!("expected CODEC=SIZE, found {text:?}"))?;
    Ok((codec.to_owned(), size(bytes)?))
}
