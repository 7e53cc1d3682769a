//! `lmz score`: what a predictor makes of files ([`lmz::score`]). `print` writes what was found.

mod print;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use lmz::score::{Score, Unit, score, score_many};
use lmz::{Dictionary, EncoderOptions};

use super::args::STDIN;
use super::file::Input;
use super::predicting::{self, Predicting};
use super::progress::{Phase, Watch, When};
use super::say::say;
use super::sizes::size;
use super::told;
use print::Print;

/// Say how well a model predicts files: bits per byte, perplexity, and what each token costs
#[derive(Args)]
#[command(
    after_help = "What is printed for each file is what its archive would take, without headers: \
        the predictor is the one that compresses. bits_per_byte, byte_perplexity and \
        word_perplexity are those of lm-evaluation-harness, surprisal (in bits) that of minicons.\n\
        \n\
        Columns of --by and --tsv: offset (in bytes), token (the text, in which \\t, \\n, \\r and \
        \\\\ stand for what they do in C, and \\x and two digits for a byte that is no UTF-8), \
        surprisal, cumulative (of the document so far), document."
)]
pub struct ScoreArgs {
    /// Files to score; with none, or with -, standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    predicting: Predicting,
    /// A text that stands before each file or document and is not counted: the figures are
    /// conditional on it, as sizes with lmz -D
    #[arg(short = 'D', long, visible_alias = "dictionary", value_name = "FILE")]
    prefix: Option<PathBuf>,
    /// The files are lines of JSON, of which this string is the document
    #[arg(long, value_name = "NAME")]
    field: Option<String>,
    /// Print a table of what each part costs: token, word, line or document
    #[arg(long, value_name = "UNIT", hide_possible_values = true)]
    by: Option<By>,
    /// Print a table, by token unless --by says otherwise
    #[arg(long, conflicts_with = "json")]
    tsv: bool,
    /// Print a line of JSON for each file or document, and one for all of several, whose document
    /// is null; with --by what each part costs is in it as units
    #[arg(long)]
    json: bool,
    /// Bytes of a block, such as 512KiB, each of which is predicted by itself
    #[arg(long, value_name = "SIZE", value_parser = size)]
    block: Option<u64>,
    /// Streams that each block is cut into: without this as many as lmz makes, and with 1 what is
    /// behind one is predicted from all before it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    streams: Option<u16>,
    /// No progress
    #[arg(short, long)]
    quiet: bool,
}

/// The value of `--by`.
#[derive(Clone, Copy, ValueEnum)]
enum By {
    Token,
    Word,
    Line,
    Document,
}

impl From<By> for Unit {
    fn from(by: By) -> Self {
        match by {
            By::Token => Self::Token,
            By::Word => Self::Word,
            By::Line => Self::Line,
            By::Document => Self::Document,
        }
    }
}

/// Documents that are scored at a time, and about how many bytes.
const AT_A_TIME: (usize, usize) = (256, 4 << 20);

/// Scores files.
pub fn run(args: &ScoreArgs) -> ExitCode {
    let options = match args.predicting.options(args.quiet) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let dictionary = match predicting::dictionary(args.prefix.as_ref()) {
        Ok(dictionary) => dictionary,
        Err(error) => {
            say(format_args!("prefix {}", told(&error)));
            return ExitCode::from(1);
        }
    };
    let mut work =
        Work { args, options: configured(args, options, dictionary), out: printer(args) };
    let (mut failed, mut sum, mut documents) = (false, Score::default(), 0);
    let standard = [PathBuf::from(STDIN)];
    let files = if args.files.is_empty() { &standard[..] } else { &args.files };
    let begun = work.out.begin();
    if let Err(error) = begun {
        say(told(&error));
        return ExitCode::from(1);
    }
    for (number, path) in (1..).zip(files) {
        match work.file(path, (number, files.len())) {
            Ok((score, count)) => {
                sum += score;
                documents += count;
            }
            Err(error) => {
                say(format_args!("{}: {}", path.display(), told(&error)));
                failed = true;
            }
        }
    }
    let ended = if documents > 1 { work.out.total(&sum) } else { Ok(()) };
    if let Err(error) = ended {
        say(told(&error));
        failed = true;
    }
    if failed { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

fn configured(
    args: &ScoreArgs,
    options: EncoderOptions,
    dictionary: Option<Dictionary>,
) -> EncoderOptions {
    let options = options.dictionary(dictionary).streams(args.streams.map(usize::from));
    match args.block {
        Some(bytes) => options.block_size(usize::try_from(bytes).unwrap_or(usize::MAX)),
        None => options,
    }
}

fn printer(args: &ScoreArgs) -> Print {
    let predictor = match args.predicting.mix() {
        true => args.predicting.name().to_owned(),
        false => format!("{} alone", args.predicting.name()),
    };
    let by = args.by.map(Unit::from);
    match args {
        ScoreArgs { json: true, .. } => Print::Json { by, predictor },
        ScoreArgs { tsv: true, .. } => Print::Tsv(by.unwrap_or(Unit::Token)),
        _ => by.map_or(Print::Text, Print::Tsv),
    }
}

struct Work<'a> {
    args: &'a ScoreArgs,
    options: EncoderOptions,
    out: Print,
}

impl Work<'_> {
    /// Scores a file, or the documents in it: the sum, and how many there were.
    fn file(&mut self, path: &Path, which: (usize, usize)) -> Result<(Score, usize)> {
        let mut input = Input::open(path, false)?;
        let length = input.length();
        let mut reader = BufReader::new(input.reader());
        let watch = Watch::new(When::Auto.shown(self.args.quiet), Phase::Compress, path, which);
        let name = path.display().to_string();
        let done = match &self.args.field {
            Some(field) => self.documents(&name, field, &mut reader),
            None => {
                let mut content = Vec::new();
                reader.read_to_end(&mut content).context("cannot be read")?;
                let progress =
                    watch.begin(Phase::Compress, Some(length.unwrap_or(content.len() as u64)));
                let scored = score(&content, &self.options.clone().progress(progress))?;
                self.out.document(&name, &content, &scored)?;
                Ok((scored.score, 1))
            }
        }?;
        watch.end();
        Ok(done)
    }

    /// Scores the documents of lines of JSON, some at a time.
    fn documents(
        &mut self,
        name: &str,
        field: &str,
        reader: &mut impl BufRead,
    ) -> Result<(Score, usize)> {
        let (mut sum, mut count) = (Score::default(), 0);
        let mut lines = (1_usize..).zip(reader.lines());
        loop {
            let (mut names, mut texts, mut bytes) = (Vec::new(), Vec::new(), 0);
            while texts.len() < AT_A_TIME.0 && bytes < AT_A_TIME.1 {
                let Some((number, line)) = lines.next() else { break };
                let line = line.with_context(|| format!("line {number} cannot be read"))?;
                if line.trim().is_empty() {
                    continue;
                }
                let text = text_of(&line, field).with_context(|| format!("line {number}"))?;
                bytes += text.len();
                names.push(format!("{name}:{number}"));
                texts.push(text);
            }
            if texts.is_empty() {
                return Ok((sum, count));
            }
            let scored = score_many(&texts, &self.options)?;
            for ((name, text), scored) in names.iter().zip(&texts).zip(&scored) {
                self.out.document(name, text.as_bytes(), scored)?;
                sum += scored.score;
                count += 1;
            }
        }
    }
}

/// The string of a field of a JSON object.
fn text_of(line: &str, field: &str) -> Result<String> {
    let value: serde_json::Value =
        serde_json::from_str(line).context("expected an object of JSON")?;
    match value.get(field) {
        Some(serde_json::Value::String(text)) => Ok(text.clone()),
        Some(_) => bail!("expected a string as {field:?}, found another value"),
        None => {
            let names = value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
            let names = names.map_or("no object".into(), |names| names.join(", "));
            bail!("expected a field {field:?}, found {names}; --field names another")
        }
    }
}
