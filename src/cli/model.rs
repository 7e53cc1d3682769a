//! `lmz model`: what models there are, and what one is.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lmz::Predictor;
use lmz::exact;
use lmz::lm::bound::Bound;
use lmz::lm::rwkv7::{Model, ModelError};

/// Look at models.
#[derive(Parser)]
#[command(name = "lmz model", bin_name = "lmz model", max_term_width = 100)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the built-in models
    List,
    /// Say what a model is: its shape, size and identity
    Info {
        /// A built-in model's name, or the path of a model folder (one called nano is written ./nano)
        #[arg(value_name = "NAME|PATH", required = true)]
        models: Vec<String>,
    },
}

/// Runs what follows `lmz model`; the first argument is passed over.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let line = match Line::try_parse_from(args) {
        Ok(line) => line,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let failed = match line.command {
        Command::List => {
            println!("parameters  tokens     bytes  name");
            let printed: Vec<_> =
                Model::builtin_names().map(|name| print(name, Model::find(name).map(|m| row(&m)))).collect();
            printed.contains(&false)
        }
        Command::Info { models } => {
            let printed = models.iter().map(|name| match Predictor::device_bound(name) {
                Some(found) => print(name, found.map(|m| bound_info(&m))),
                None => print(name, Model::find(name).map(|m| info(&m))),
            });
            printed.collect::<Vec<_>>().contains(&false)
        }
    };
    ExitCode::from(u8::from(failed))
}

/// Prints what is to be said of a model; false if there is nothing, or nobody to read it.
fn print(name: &str, said: Result<String, ModelError>) -> bool {
    match said {
        // A reader that has seen enough is no failure worth a message.
        Ok(said) => writeln!(io::stdout(), "{said}").is_ok(),
        Err(error) => {
            eprintln!("lmz: {}", message(name, &error));
            false
        }
    }
}

/// An error, with the model's name where the error does not have it.
pub fn message(name: &str, error: &ModelError) -> String {
    match error {
        ModelError::Unknown { .. } | ModelError::File { .. } | ModelError::HubFile { .. } => error.to_string(),
        _ => format!("{name}: {error}"),
    }
}

fn row(model: &Model) -> String {
    let tokens = model.vocabulary().len();
    format!("{:>10}  {tokens:>6}  {:>8}  {}", model.weights().parameters(), model.stored(), model.name())
}

fn bound_info(model: &Bound) -> String {
    let lines = [
        ("name", model.name().to_owned()),
        ("architecture", model.architecture().to_owned()),
        ("tokens", (model.vocabulary().len() - 1).to_string()),
        ("parameters", model.parameters().to_string()),
        ("arithmetic", "that of the device: an archive decodes where the same numbers come out".to_owned()),
        ("block", format!("{} bytes, unless --block says otherwise", model.block())),
        ("identity", model.identity().to_string()),
    ];
    let lines: Vec<String> = lines.iter().map(|(name, value)| format!("{name:<12}  {value}")).collect();
    lines.join("\n")
}

fn info(model: &Model) -> String {
    let c = &model.weights().config;
    let lines = [
        ("name", model.name().to_owned()),
        ("architecture", "RWKV-7".to_owned()),
        ("layers", c.layers.to_string()),
        ("width", format!("{}, in {} heads of {}", c.hidden, c.heads(), c.head_size)),
        ("channel mix", c.intermediate.to_string()),
        (
            "low ranks",
            format!("decay {}, in-context rate {}, value {}, gate {}", c.decay_rank, c.a_rank, c.v_rank, c.gate_rank),
        ),
        ("tokens", c.vocab.to_string()),
        ("parameters", model.weights().parameters().to_string()),
        ("stored", format!("{} bytes", model.stored())),
        ("arithmetic", format!("version {}, weights int8, activations {}", exact::VERSION, c.activations)),
        ("identity", model.identity().to_string()),
    ];
    let lines: Vec<String> = lines.iter().map(|(name, value)| format!("{name:<12}  {value}")).collect();
    lines.join("\n")
}
