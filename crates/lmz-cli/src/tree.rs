//! The command line's one definition, from which parsing, help, manual page and completions come.
//!
//! A command line is `lmz [OPTIONS] [FILE]...` or `lmz COMMAND ...`. A word in the place of the
//! first file is a command only if there is no file of that name: whoever writes `lmz *` means
//! files. Options may stand before a command too.

use std::ffi::{OsStr, OsString};

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::args::{Action, Task};
use super::explain::ExplainArgs;
use super::generate::GenerateArgs;
use super::model::ModelArgs;
use super::options::{ActionArgs, BENCHMARKING, COMPRESSING, DECODING, FileArgs};
use super::page;
use super::say::say;
use super::score::ScoreArgs;

/// Compress or decompress files
#[derive(Parser)]
#[command(
    name = "lmz",
    version,
    max_term_width = 100,
    args_override_self = true,
    args_conflicts_with_subcommands = true,
    after_help = "Where there is a file that is called as a command, its name stands for the \
        file.\n\n\
        Exit codes: 0 all went well, 1 something failed, 2 the command line was wrong or there was \
        a warning (a damaged archive was recovered in part, other data follows an archive). A \
        signal that ends the command is what others see as its end."
)]
struct LmzArgs {
    #[command(flatten)]
    files: FileArgs,
    /// Print a completion script and stop
    #[arg(long, value_name = "SHELL", exclusive = true, help_heading = None::<&str>)]
    completions: Option<clap_complete::Shell>,
    /// Print the manual page (roff) and stop
    #[arg(long, exclusive = true, help_heading = None::<&str>)]
    man: bool,
    #[command(subcommand)]
    word: Option<Word>,
}

/// Commands. The first five stand for options, so that `lmz list` is `lmz -l`.
#[derive(Subcommand)]
enum Word {
    /// Compress files: as lmz without a command
    Compress(FileArgs),
    /// Decompress archives: as lmz -d
    Decompress(FileArgs),
    /// Check archives, decode them and write nothing: as lmz -t
    Test(FileArgs),
    /// List what archives hold: as lmz -l
    List(FileArgs),
    /// Write what can still be read of a damaged archive: as lmz --recover
    Recover(FileArgs),
    Model(ModelArgs),
    Explain(ExplainArgs),
    Score(Box<ScoreArgs>),
    Generate(Box<GenerateArgs>),
    /// Compare codecs: how small files become, and how fast
    ///
    /// The program lmz-bench does this; lmz compare --help shows its options.
    #[command(disable_help_flag = true)]
    Compare(Passed),
    /// Repeat the experiments of "Language Modeling Is Compression"
    ///
    /// The program lmz-bench does this; lmz experiment --help shows its options.
    #[command(disable_help_flag = true)]
    Experiment(Passed),
    /// Say how alike files are, by compression
    ///
    /// The program lmz-bench does this; lmz similar --help shows its options.
    #[command(disable_help_flag = true)]
    Similar(Passed),
    /// Distances of all pairs of files by compression, as a matrix, a tree and a picture
    ///
    /// The program lmz-bench does this; lmz distances --help shows its options.
    #[command(disable_help_flag = true)]
    Distances(Passed),
    /// Find the classes of texts by compression
    ///
    /// The program lmz-bench does this; lmz classify --help shows its options.
    #[command(disable_help_flag = true)]
    Classify(Passed),
    /// Group files by what compressors say of them
    ///
    /// The program lmz-bench does this; lmz cluster --help shows its options.
    #[command(disable_help_flag = true)]
    Cluster(Passed),
    /// Write files as vectors in the feature space of a compressor
    ///
    /// The program lmz-bench does this; lmz features --help shows its options.
    #[command(disable_help_flag = true)]
    Features(Passed),
}

/// What is passed on to another program as it is.
#[derive(Args)]
struct Passed {
    /// Options and arguments of lmz-bench
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

/// What a command line asks for.
pub enum Asked {
    Task(Box<Task>),
    Model(ModelArgs),
    Explain(Box<ExplainArgs>),
    Score(Box<ScoreArgs>),
    Generate(Box<GenerateArgs>),
    /// A command of lmz-bench, with what follows it.
    Bench(&'static str, Vec<OsString>),
    /// Text to be printed.
    Text(Vec<u8>),
}

/// Commands that stand for options, each with the options that it does not show: those say what is
/// done, or it does not look at them.
pub const ACTIONS: [(&str, Action, &[&str]); 5] = [
    ("compress", Action::Compress, &[]),
    ("decompress", Action::Decompress, &[]),
    ("test", Action::Test, &["range", "stdout", "output", "keep", "rm", "force"]),
    (
        "list",
        Action::List,
        &["range", "stdout", "output", "keep", "rm", "force", "progress", "no_progress"],
    ),
    ("recover", Action::Recover, &["range", "keep", "rm", "progress", "no_progress"]),
];

/// The whole definition.
pub fn command() -> clap::Command {
    let mut command = LmzArgs::command();
    for (word, action, unused) in ACTIONS {
        let heading = if action == Action::Compress { DECODING } else { COMPRESSING };
        let hide = |arg: clap::Arg| {
            let id = arg.get_id().as_str();
            let hidden = [Some(heading), Some(BENCHMARKING)].contains(&arg.get_help_heading())
                || id == "benchmark"
                || unused.contains(&id)
                || ACTIONS.iter().any(|(word, ..)| *word == id);
            if hidden { arg.hide(true) } else { arg }
        };
        command = command.mut_subcommand(word, |command| command.mut_args(hide));
    }
    command
}

/// Parses a command line, whose first argument is the program's name.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Asked, clap::Error> {
    let mut args: Vec<OsString> = args.collect();
    let mut command = command();
    if let Some((at, word)) = word(&command, &args) {
        if is_file(word.as_ref()) {
            // A pattern of the shell may have named it first; whoever meant the command can tell
            // from this.
            say(format_args!(
                "{word} is taken as the file of this name; for the command call it from another \
                folder"
            ));
            command = FilesOnly::command();
        } else {
            let word = args.remove(at);
            args.insert(1, word);
        }
    }
    // A codec writes by the other program, which has the codecs and options of its own for it.
    if let [_, word, rest @ ..] = &args[..]
        && word == "generate"
        && !is_file(word)
        && rest.iter().any(|arg| arg.as_encoded_bytes().starts_with(b"--by"))
        && !rest.iter().any(|arg| arg == "--help" || arg == "-h")
    {
        return Ok(Asked::Bench("generate", rest.to_vec()));
    }
    // Their help is in the other program.
    if let [_, help, word] = &args[..]
        && help == "help"
        && let Some(word) = bench_word(word)
        && !is_file(help)
    {
        return Ok(Asked::Bench(word, vec!["--help".into()]));
    }
    let mut found = command.try_get_matches_from_mut(args)?;
    let LmzArgs { files, completions, man, word } = LmzArgs::from_arg_matches_mut(&mut found)?;
    if let Some(shell) = completions {
        return Ok(Asked::Text(page::completions(shell)));
    }
    if man {
        return page::manual().map(Asked::Text).map_err(clap::Error::from);
    }
    let (action, mut files) = match word {
        None => return resolve(files, &mut command),
        Some(Word::Model(args)) => return Ok(Asked::Model(args)),
        Some(Word::Explain(args)) => return Ok(Asked::Explain(Box::new(args))),
        Some(Word::Score(args)) => return Ok(Asked::Score(args)),
        Some(Word::Generate(args)) => return Ok(Asked::Generate(args)),
        Some(Word::Compare(Passed { rest })) => return Ok(Asked::Bench("compare", rest)),
        Some(Word::Experiment(Passed { rest })) => return Ok(Asked::Bench("experiment", rest)),
        Some(Word::Similar(Passed { rest })) => return Ok(Asked::Bench("similar", rest)),
        Some(Word::Distances(Passed { rest })) => return Ok(Asked::Bench("distances", rest)),
        Some(Word::Classify(Passed { rest })) => return Ok(Asked::Bench("classify", rest)),
        Some(Word::Cluster(Passed { rest })) => return Ok(Asked::Bench("cluster", rest)),
        Some(Word::Features(Passed { rest })) => return Ok(Asked::Bench("features", rest)),
        Some(Word::Compress(files)) => (Action::Compress, files),
        Some(Word::Decompress(files)) => (Action::Decompress, files),
        Some(Word::Test(files)) => (Action::Test, files),
        Some(Word::List(files)) => (Action::List, files),
        Some(Word::Recover(files)) => (Action::Recover, files),
    };
    let name = ACTIONS.iter().find(|known| known.1 == action).map(|known| known.0);
    let command = name.and_then(|name| command.find_subcommand_mut(name));
    let command = command.expect("every action has its command");
    if ![Action::Compress, action].contains(&files.action.action()) {
        let message = "the command and an option ask for different things";
        return Err(command.error(ErrorKind::ArgumentConflict, message));
    }
    files.action = ActionArgs::of(action);
    resolve(files, command)
}

fn resolve(files: FileArgs, command: &mut clap::Command) -> Result<Asked, clap::Error> {
    Task::resolve(files, command).map(|task| Asked::Task(Box::new(task)))
}

/// The command line of files only, for where a word is the name of one.
#[derive(Parser)]
#[command(name = "lmz", version, max_term_width = 100, args_override_self = true)]
struct FilesOnly {
    #[command(flatten)]
    files: FileArgs,
    #[arg(long, exclusive = true, hide = true)]
    completions: Option<clap_complete::Shell>,
    #[arg(long, exclusive = true, hide = true)]
    man: bool,
}

/// The command that a command line names in the place of the first file, and which argument it is.
fn word(command: &clap::Command, args: &[OsString]) -> Option<(usize, String)> {
    // To find that place, one has to know which options have values: to this definition, which has
    // no files, whatever is not an option is an unknown command.
    let options = command.get_arguments().filter(|arg| !arg.is_positional());
    let found = clap::Command::new("lmz")
        .args(options.cloned())
        .args_override_self(true)
        .allow_external_subcommands(true)
        .external_subcommand_value_parser(clap::value_parser!(OsString))
        .try_get_matches_from(args)
        .ok()?;
    let (word, rest) = found.subcommand()?;
    let rest = rest.get_many::<OsString>("").map_or(0, Iterator::count);
    let at = args.len() - rest - 1;
    let known = word == "help" || command.find_subcommand(word).is_some();
    // What follows `--` is a file.
    let known = known && args[at] == word && args[at - 1] != "--";
    known.then(|| (at, word.to_owned()))
}

fn bench_word(word: &OsStr) -> Option<&'static str> {
    ["compare", "experiment", "similar", "distances", "classify", "cluster", "features"]
        .into_iter()
        .find(|known| word == *known)
}

/// Whether a word is the name of a file that could be compressed.
fn is_file(word: &OsStr) -> bool {
    std::fs::metadata(word).is_ok_and(|data| !data.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Asked, clap::Error> {
        super::parse(line.split(' ').map(OsString::from))
    }

    fn task(line: &str) -> Task {
        match parse(line) {
            Ok(Asked::Task(task)) => *task,
            Ok(_) => panic!("{line} asks for something else"),
            Err(error) => panic!("{line}: {error}"),
        }
    }

    #[test]
    fn definition_is_sound() {
        command().debug_assert();
        FilesOnly::command().debug_assert();
    }

    #[test]
    fn words_stand_for_flags() {
        for (word, action) in [
            ("decompress", Action::Decompress),
            ("test", Action::Test),
            ("list", Action::List),
            ("compress", Action::Compress),
        ] {
            for line in [
                format!("lmz {word} -v -T2 a b"),
                format!("lmz -v -T 2 {word} a b"),
                format!("lmz -vT2 {word} a b"),
                format!("lmz -T2 {word} a -v b"),
                format!("lmz --threads 2 -v {word} -- a b"),
            ] {
                let task = task(&line);
                let found =
                    (task.action, task.inputs.len(), task.verbose, task.options.get_threads());
                assert_eq!(found, (action, 2, 1, 2), "{line}");
            }
        }
        assert_eq!(task("lmz decompress -d a").action, Action::Decompress);
        assert_eq!(parse("lmz test -d a").err().unwrap().exit_code(), 2);
    }

    #[test]
    fn other_words_are_files() {
        for line in ["lmz ./list", "lmz a list", "lmz a -v list", "lmz -- list", "lmz --block 9 -"]
        {
            assert_eq!(task(line).action, Action::Compress, "{line}");
        }
        assert_eq!(task("lmz a -v list").inputs.len(), 2);
        assert_eq!(task("lmz -o list a").inputs.len(), 1);
    }

    #[test]
    fn arguments_of_another_program_are_passed_on() {
        for (line, expected) in [
            ("lmz compare", &[][..]),
            ("lmz compare --help", &["--help"]),
            ("lmz compare a -T 2 -- --b", &["a", "-T", "2", "--", "--b"]),
            ("lmz help compare", &["--help"]),
            ("lmz generate --by xz -n 9 --beam 2", &["--by", "xz", "-n", "9", "--beam", "2"]),
        ] {
            match parse(line) {
                Ok(Asked::Bench("compare" | "generate", rest)) => {
                    assert_eq!(rest, expected, "{line}");
                }
                _ => panic!("{line}"),
            }
        }
    }
}
