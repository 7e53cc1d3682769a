//! The command line, parsed and then resolved into one [`Task`].

use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, Parser};
use lmz::lm::memory;

use super::finding::Finding;
use super::hub::Finder;
use super::sizes::{power_of_two, range, size};

/// Compress or decompress files. With no FILE, or with -, from standard input to standard output.
#[derive(Parser)]
#[command(name = "lmz", version, max_term_width = 100, args_override_self = true)]
#[command(
    after_help = "Commands instead of flags: lmz compress|decompress|test|list|recover ... stand \
        for lmz, lmz -d, -t, -l, --recover.\n\
    lmz model list|info|pull|rm looks at models, gets and removes those of the Hugging Face hub \
    (lmz model --help).\n\
    lmz compare measures codecs beside each other (lmz compare --help).\n\
    lmz experiment repeats those of \"Language Modeling Is Compression\" (lmz experiment --help).\n\
    lmz explain FILE writes a web page that shows where the bits go (lmz explain --help).\n\
    Where there is a file of such a name, it is that file.\n\n\
    Exit codes: 0 all went well, 1 something failed, 2 the command line was wrong or there was a \
    warning (a damaged archive \
    was recovered in part, other data follows an archive). A signal that ends the command is what \
    others see as its end."
)]
struct Raw {
    /// Files to work on
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
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
    /// Print a completion script and stop
    #[arg(long, value_name = "SHELL", exclusive = true)]
    completions: Option<clap_complete::Shell>,
    /// Print the manual page (roff) and stop
    #[arg(long, exclusive = true)]
    man: bool,
    /// Write to standard output
    #[arg(short = 'c', long, conflicts_with = "output")]
    stdout: bool,
    /// Write to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Keep the input files (this is what happens anyway)
    #[arg(short, long, conflicts_with = "rm")]
    keep: bool,
    /// Remove each input file once its output is safe; what was compressed is decoded and compared
    /// first
    #[arg(long)]
    rm: bool,
    /// Overwrite existing files; write compressed data to a terminal
    #[arg(short, long)]
    force: bool,
    /// Threads (0: one for each core); the archive does not depend on it
    #[arg(short = 'T', long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Bytes of a block, such as 512KiB: what is read to reach a place inside, and lost with damage
    #[arg(long, value_name = "SIZE", value_parser = size)]
    block: Option<u64>,
    /// Model that predicts: base (the default), nano (smaller and faster), none (context mixing
    /// alone), ppm (the baseline), the path of a model folder, or hf:OWNER/NAME[@REVISION] of the
    /// Hugging Face hub; when decompressing, one that the archive needs (may be given more than
    /// once there)
    #[arg(long, value_name = "MODEL", conflicts_with = "level")]
    model: Vec<String>,
    #[command(flatten)]
    finding: Finding,
    /// Refuse archives that hold more than this, before more is written
    #[arg(long, value_name = "SIZE", value_parser = size)]
    limit_content: Option<u64>,
    /// Refuse archives for whose bytes models have to predict more than N bytes each, after the
    /// first MiB: the time that decompressing takes is in proportion
    #[arg(long, value_name = "N", hide_short_help = true)]
    limit_expansion: Option<u64>,
    /// Whether context mixing predicts together with a model; off shows what the model alone is
    /// worth, for comparisons
    #[arg(
        long,
        value_name = "on|off",
        default_value = "on",
        hide_default_value = true,
        hide_possible_values = true
    )]
    mix: Switch,
    /// Streams that each block is cut into, for experiments: more are faster with a model, and make
    /// it larger
    #[arg(long, value_name = "N", hide_short_help = true, value_parser = clap::value_parser!(u16).range(1..=1024))]
    streams: Option<u16>,
    /// Do not decode and compare what a device-bound model has made before it is written
    #[arg(long, hide_short_help = true)]
    no_verify: bool,
    /// Longest context of ppm, in bytes
    #[arg(long, value_name = "N", default_value_t = lmz::lm::ppm::ORDER, value_parser = clap::value_parser!(u8).range(1..=i64::from(lmz::lm::ppm::MAX_ORDER)))]
    ppm_order: u8,
    /// Memory of ppm for contexts (64KiB to 1GiB, a power of two): when full, it starts anew
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = power_of_two)]
    ppm_memory: u8,
    /// A text like the input, which the model reads first; decompressing needs the same file (may
    /// be given more than once there)
    #[arg(short = 'D', long, value_name = "FILE")]
    dictionary: Vec<PathBuf>,
    /// Decompress only these bytes of the content: 1GiB..+4KiB, 100..200, 5MB..
    #[arg(long, value_name = "FROM..TO", value_parser = range, requires = "decompress")]
    range: Option<Range<u64>>,
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
    /// No progress, no summaries
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more; of each block its method and sizes, with -l of each frame what it needs
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

/// The value of an option that is on or off.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    On,
    Off,
}

/// What to do with each input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    Compress,
    Decompress,
    Test,
    List,
    Recover,
}

/// Where output goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// Beside the input, with the suffix added or taken away.
    Beside,
    Stdout,
    File(PathBuf),
}

/// A command line, resolved.
#[derive(Debug)]
pub struct Task {
    pub action: Action,
    pub inputs: Vec<PathBuf>,
    pub target: Target,
    pub remove: bool,
    pub force: bool,
    pub quiet: bool,
    pub verbose: u8,
    pub range: Option<Range<u64>>,
    /// Files, to be read into the options.
    pub dictionaries: Vec<PathBuf>,
    /// Names and paths of models, to be found for the options: when compressing the one that
    /// predicts, or none for the default.
    pub models: Vec<String>,
    /// How they are found.
    pub finder: Finder,
    /// Whether the length of blocks was given.
    pub block_given: bool,
    pub options: lmz::EncoderOptions,
    pub decoding: lmz::DecoderOptions,
}

/// Standard input, as a file name.
pub const STDIN: &str = "-";

/// What a command line asks for.
#[derive(Debug)]
pub enum Asked {
    Task(Box<Task>),
    /// Text to be printed.
    Text(Vec<u8>),
}

/// Whether a word is the name of a file that could be compressed.
pub fn is_file(word: &OsStr) -> bool {
    std::fs::metadata(word).is_ok_and(|data| !data.is_dir())
}

impl Task {
    pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Asked, clap::Error> {
        let mut args: Vec<OsString> = args.collect();
        // A first word that names an action stands for its flag, unless it is a file.
        if let Some(word) = args.get_mut(1).filter(|word| !is_file(word)) {
            match word.to_str() {
                Some("compress") => drop(args.remove(1)),
                Some("decompress") => *word = "-d".into(),
                Some("test") => *word = "-t".into(),
                Some("list") => *word = "-l".into(),
                Some("recover") => *word = "--recover".into(),
                _ => {}
            }
        }
        let raw = Raw::try_parse_from(args)?;
        let mut out = Vec::new();
        if let Some(shell) = raw.completions {
            clap_complete::generate(shell, &mut Raw::command(), "lmz", &mut out);
            return Ok(Asked::Text(out));
        }
        if raw.man {
            clap_mangen::Man::new(Raw::command()).render(&mut out)?;
            return Ok(Asked::Text(out));
        }
        Self::resolve(raw).map(|task| Asked::Task(Box::new(task)))
    }

    fn resolve(raw: Raw) -> Result<Self, clap::Error> {
        let wrong = |message: &str| Err(Raw::command().error(ErrorKind::ArgumentConflict, message));
        let action = match raw {
            Raw { decompress: true, .. } => Action::Decompress,
            Raw { test: true, .. } => Action::Test,
            Raw { list: true, .. } => Action::List,
            Raw { recover: true, .. } => Action::Recover,
            _ => Action::Compress,
        };
        let inputs = if raw.files.is_empty() { vec![PathBuf::from(STDIN)] } else { raw.files };
        let from_stdin = inputs.iter().any(|p| p == Path::new(STDIN));
        if raw.output.is_some() && inputs.len() > 1 {
            return wrong("-o takes one input: with several, each output gets its own name");
        }
        if action == Action::Recover
            && (from_stdin || inputs.len() > 1 || (raw.output.is_none() && !raw.stdout))
        {
            return wrong("recover takes one archive, which is not a pipe, and -o or -c");
        }
        if action == Action::Compress && raw.dictionary.len() > 1 {
            return wrong("-D: one dictionary at most when compressing");
        }
        if action == Action::Compress && raw.model.len() > 1 {
            return wrong("--model: one model at most when compressing");
        }
        let writes = matches!(action, Action::Compress | Action::Decompress);
        if raw.rm && (!writes || raw.stdout || from_stdin || raw.range.is_some()) {
            return wrong("--rm removes inputs only where whole files are written");
        }
        let target = match raw.output {
            Some(path) if path != Path::new(STDIN) => Target::File(path),
            Some(_) => Target::Stdout,
            None if raw.stdout || from_stdin => Target::Stdout,
            None if raw.range.is_some() => Target::Stdout,
            None => Target::Beside,
        };
        let default = [
            raw.level_3,
            raw.level_4,
            raw.level_5,
            raw.level_6,
            raw.level_7,
            raw.level_8,
            raw.level_9,
        ]
        .contains(&true);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let block = raw.block.unwrap_or(if raw.level_9 {
            16 << 20
        } else {
            lmz::EncoderOptions::BLOCK_SIZE as u64
        });
        let memory =
            raw.finding.memory().unwrap_or_else(|| usual_memory(cores, block, memory::available()));
        let options = lmz::EncoderOptions::new()
            .block_size(block as usize)
            .threads(if raw.threads == 0 { cores } else { raw.threads })
            .mix(raw.mix == Switch::On)
            .streams(raw.streams.map(usize::from))
            .ppm_order(raw.ppm_order)
            .ppm_memory(raw.ppm_memory)
            .verify(!raw.no_verify)
            .memory(memory);
        let models = match () {
            _ if raw.level_1 => vec!["none".to_owned()],
            _ if raw.level_2 => vec!["nano".to_owned()],
            _ if default => vec![lmz::Predictor::DEFAULT.to_owned()],
            _ => raw.model,
        };
        if action == Action::Compress
            && raw.mix == Switch::Off
            && models.last().map_or(lmz::Predictor::DEFAULT, String::as_str) == "none"
        {
            return wrong("--mix off: without context mixing a --model has to predict");
        }
        let mut limits = lmz::Limits::default().memory(memory);
        limits.content = raw.limit_content.unwrap_or(limits.content);
        limits.expansion = raw.limit_expansion.unwrap_or(limits.expansion);
        let decoding = lmz::DecoderOptions::new().threads(options.get_threads()).limits(limits);
        if block == 0 || block > lmz::Limits::default().block {
            return wrong("--block: expected 1 byte to 1GiB");
        }
        Ok(Self {
            action,
            inputs,
            target,
            remove: raw.rm,
            force: raw.force,
            quiet: raw.quiet,
            verbose: raw.verbose,
            range: raw.range,
            dictionaries: raw.dictionary,
            models,
            finder: raw.finding.finder(),
            block_given: raw.block.is_some() || raw.level_9,
            options,
            decoding,
        })
    }
}

/// Bytes of memory that a run may take unless it is said: what the cores can use, or one block
/// needs that was asked for, and no more than half of what is free.
fn usual_memory(cores: usize, block: u64, free: Option<u64>) -> u64 {
    const EACH: u64 = 128 << 20;
    const LEAST: u64 = 256 << 20;
    /// Times its raw bytes that a large block needs at most.
    const BLOCK: u64 = 8;
    let useful = (cores as u64)
        .saturating_mul(EACH)
        .max(block.saturating_mul(BLOCK))
        .max(lmz::Limits::MEMORY);
    free.map_or(useful, |free| useful.min(free / 2)).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Task, clap::Error> {
        match Task::parse(line.split(' ').map(OsString::from))? {
            Asked::Task(task) => Ok(*task),
            Asked::Text(_) => panic!("{line} asks for text"),
        }
    }

    #[test]
    fn memory_unless_it_is_said() {
        let usual = |cores, free: u64| usual_memory(cores, 4 << 20, Some(free << 30)) >> 20;
        assert_eq!(
            (usual(2, 64), usual(64, 64), usual(64, 4), usual(2, 0)),
            (4096, 8192, 2048, 256)
        );
        assert_eq!(usual_memory(1, 4 << 20, None), lmz::Limits::MEMORY);
        assert_eq!(usual_memory(1, 1 << 30, Some(64 << 30)), 8 << 30);
        let task = parse("lmz --memory 1GiB --limit-content 5 --limit-expansion 7 a").unwrap();
        let lmz::Limits { memory, content, expansion, .. } = *task.decoding.get_limits();
        assert_eq!(
            (task.options.get_memory(), memory, content, expansion),
            (1 << 30, 1 << 30, 5, 7)
        );
    }

    #[test]
    fn the_last_of_an_option_counts() {
        let task = parse("lmz -q -T1 -q --block 1K -T2 --block 2K a").unwrap();
        assert_eq!((task.options.get_threads(), task.options.get_block_size()), (2, 2048));
    }

    #[test]
    fn definition_is_sound() {
        Raw::command().debug_assert();
    }

    #[test]
    fn words_stand_for_flags() {
        for (word, action) in [
            ("decompress", Action::Decompress),
            ("test", Action::Test),
            ("list", Action::List),
            ("compress", Action::Compress),
        ] {
            let task = parse(&format!("lmz {word} a b")).unwrap();
            assert_eq!((task.action, task.inputs.len()), (action, 2));
        }
        assert_eq!(parse("lmz ./list").unwrap().action, Action::Compress);
    }

    #[test]
    fn standard_input_goes_to_standard_output() {
        assert_eq!(parse("lmz -d").unwrap().target, Target::Stdout);
        assert_eq!(parse("lmz -").unwrap().target, Target::Stdout);
        assert_eq!(parse("lmz a").unwrap().target, Target::Beside);
        assert_eq!(parse("lmz a -o b").unwrap().target, Target::File("b".into()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for line in [
            "lmz -d -t a",
            "lmz a b -o c",
            "lmz --rm -c a",
            "lmz --rm -",
            "lmz -t --rm a",
            "lmz --range 1..2 a",
            "lmz -o x -c a",
            "lmz --block 0 a",
            "lmz recover a",
            "lmz recover a b -c",
            "lmz --model none --model ppm a",
            "lmz --model none -2 a",
            "lmz -2 --mix maybe a",
            "lmz -1 --mix off a",
            "lmz -D x -D y a",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn models_and_levels() {
        for (line, models) in [
            ("lmz a", &[][..]),
            ("lmz -1 a", &["none"]),
            ("lmz -2 a", &["nano"]),
            ("lmz -3 a", &["base"]),
            ("lmz -9 a", &["base"]),
            ("lmz --model ppm a", &["ppm"]),
            ("lmz -d --model x --model y a", &["x", "y"]),
        ] {
            assert_eq!(parse(line).unwrap().models, models, "{line}");
        }
    }

    #[test]
    fn blocks() {
        assert_eq!(parse("lmz -9 a").unwrap().options.get_block_size(), 16 << 20);
        assert_eq!(parse("lmz -9 --block 1K a").unwrap().options.get_block_size(), 1024);
        assert!(parse("lmz -1 -9 a").is_err());
    }
}
