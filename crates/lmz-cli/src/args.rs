//! What the options ask for, resolved into one [`Task`] that the rest of the command sees.
//!
//! [`super::tree`] parses the command line into the options of [`super::options`]. What they mean
//! together is checked here, and every default is filled in.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::ErrorKind;
use lmz::lm::memory;

use super::hub::Finder;
use super::options::{FileArgs, Switch};
use super::progress::{Shown, When};

/// What to do with each input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    Compress,
    Decompress,
    Test,
    List,
    Recover,
    Benchmark,
}

/// Where output goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// Beside the input, with the suffix added or taken away.
    Beside,
    Stdout,
    File(PathBuf),
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Benchmark {
    /// Levels and their models; without a level where a model was named.
    pub tried: Vec<(Option<usize>, String)>,
    /// Each is repeated until it has taken so long.
    pub least: Duration,
    /// Whether what comes out is for programs.
    pub json: bool,
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
    pub progress: Shown,
    /// Of interest to the action of this name.
    pub benchmark: Benchmark,
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

impl Task {
    /// Checks and completes the options. `command` is the one they were given to, whose usage an
    /// error shows.
    pub fn resolve(raw: FileArgs, command: &mut clap::Command) -> Result<Self, clap::Error> {
        let mut wrong = |message: &str| Err(command.error(ErrorKind::ArgumentConflict, message));
        let action = raw.action.action();
        let (compressing, given) = (raw.compressing, raw.decoding);
        let level = compressing.level();
        let encodes = matches!(action, Action::Compress | Action::Benchmark);
        if action == Action::Benchmark {
            if raw.files.is_empty() {
                return wrong("-b: expected a FILE to measure, found none; name one or more");
            }
            if raw.stdout || raw.output.is_some() || raw.rm {
                return wrong("-b writes no files: leave out -c, -o and --rm");
            }
        }
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
        if encodes && raw.dictionary.len() > 1 {
            return wrong("-D: one dictionary at most when compressing");
        }
        if encodes && raw.model.len() > 1 {
            return wrong("--model: one model at most when compressing");
        }
        if given.range.is_some() && action != Action::Decompress {
            return wrong("--range: only decompressing (-d) has one");
        }
        let writes = matches!(action, Action::Compress | Action::Decompress);
        if raw.rm && (!writes || raw.stdout || from_stdin || given.range.is_some()) {
            return wrong("--rm removes inputs only where whole files are written");
        }
        let target = match raw.output {
            Some(path) if path != Path::new(STDIN) => Target::File(path),
            Some(_) => Target::Stdout,
            None if raw.stdout || from_stdin => Target::Stdout,
            None if given.range.is_some() => Target::Stdout,
            None => Target::Beside,
        };
        let progress = if raw.no_progress { When::Never } else { raw.progress };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let last = raw.benchmarking.last_level.map(usize::from);
        let largest = last.max(level).map_or(lmz::EncoderOptions::BLOCK_SIZE as u64, block_of);
        let block = compressing.block.unwrap_or(largest);
        let memory =
            raw.finding.memory().unwrap_or_else(|| usual_memory(cores, block, memory::available()));
        let options = lmz::EncoderOptions::new()
            .block_size(block as usize)
            .threads(if raw.threads == 0 { cores } else { raw.threads })
            .mix(compressing.mix == Switch::On)
            .streams(compressing.streams.map(usize::from))
            .ppm_order(compressing.ppm_order)
            .ppm_memory(compressing.ppm_memory)
            .verify(!compressing.no_verify)
            .memory(memory);
        let first = level.unwrap_or(DEFAULT_LEVEL);
        if let Some(last) = last.filter(|last| *last < first) {
            let message = format!("-e: expected a level from -{first} on, found {last}");
            return wrong(&message);
        }
        let models = match level {
            Some(level) => vec![model_of(level).to_owned()],
            None => raw.model,
        };
        let tried = match &models[..] {
            [name] if level.is_none() => vec![(None, name.clone())],
            _ => (first..=last.unwrap_or(first))
                .map(|level| (Some(level), model_of(level).to_owned()))
                .collect(),
        };
        let benchmark = Benchmark {
            tried,
            least: Duration::from_secs(raw.benchmarking.least_time.into()),
            json: raw.benchmarking.json,
        };
        if encodes
            && compressing.mix == Switch::Off
            && models.last().map_or(lmz::Predictor::DEFAULT, String::as_str) == "none"
        {
            return wrong("--mix off: without context mixing a --model has to predict");
        }
        let mut limits = lmz::Limits::default().memory(memory);
        limits.content = given.limit_content.unwrap_or(limits.content);
        limits.expansion = given.limit_expansion.unwrap_or(limits.expansion);
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
            progress: progress.shown(raw.quiet),
            range: given.range,
            dictionaries: raw.dictionary,
            models,
            finder: raw.finding.finder(),
            block_given: compressing.block.is_some()
                || (level == Some(9) && action != Action::Benchmark),
            benchmark,
            options,
            decoding,
        })
    }
}

/// The level without one that is given.
const DEFAULT_LEVEL: usize = 3;

/// The model of a level.
fn model_of(level: usize) -> &'static str {
    match level {
        1 => "none",
        2 => "nano",
        _ => lmz::Predictor::DEFAULT,
    }
}

/// Bytes of a level's blocks, unless they are given.
pub fn block_of(level: usize) -> u64 {
    if level == 9 { 16 << 20 } else { lmz::EncoderOptions::BLOCK_SIZE as u64 }
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
    use super::super::tree::{self, Asked};
    use super::*;

    fn parse(line: &str) -> Result<Task, clap::Error> {
        match tree::parse(line.split(' ').map(Into::into))? {
            Asked::Task(task) => Ok(*task),
            _ => panic!("{line} asks for something else"),
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
            "lmz -b",
            "lmz -b -c a",
            "lmz -b -d a",
            "lmz -b3 -e1 a",
            "lmz -b -e3 --model none a",
            "lmz -e3 a",
            "lmz --json a",
            "lmz --progress bar a",
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
    fn what_is_measured() {
        let tried = |line| {
            let Benchmark { tried, .. } = parse(line).unwrap().benchmark;
            tried.into_iter().map(|(level, model)| format!("{level:?} {model}")).collect::<Vec<_>>()
        };
        assert_eq!(tried("lmz -b a"), ["Some(3) base"]);
        assert_eq!(tried("lmz -b1 -e3 a"), ["Some(1) none", "Some(2) nano", "Some(3) base"]);
        assert_eq!(tried("lmz -b2i5 a"), ["Some(2) nano"]);
        assert_eq!(tried("lmz -b --model ppm a"), ["None ppm"]);
        let Benchmark { least, json, .. } = parse("lmz -b1 -i 5 --json a").unwrap().benchmark;
        assert_eq!((least, json), (Duration::from_secs(5), true));
    }

    #[test]
    fn progress() {
        // Tests have no terminal.
        for (line, shown) in [
            ("lmz a", Shown::Nothing),
            ("lmz --progress json a", Shown::Json),
            ("lmz -q --progress json a", Shown::Json),
            ("lmz --progress json --no-progress a", Shown::Nothing),
            ("lmz --no-progress --progress json a", Shown::Json),
        ] {
            assert_eq!(parse(line).unwrap().progress, shown, "{line}");
        }
    }

    #[test]
    fn blocks() {
        assert_eq!(parse("lmz -9 a").unwrap().options.get_block_size(), 16 << 20);
        assert_eq!(parse("lmz -9 --block 1K a").unwrap().options.get_block_size(), 1024);
        assert!(parse("lmz -1 -9 a").is_err());
    }
}
