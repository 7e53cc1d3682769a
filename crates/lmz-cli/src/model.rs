//! `lmz model`: what models there are, what one is, and getting and removing those of the hub.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use lmz::exact;
use lmz::format::{HubName, printable};
use lmz::lm::Found;
use lmz::lm::device::DeviceBoundModel;
use lmz::lm::rwkv7::Model;
use lmz::lm::transformer;

use super::hub::{self, FindError, Finder};
use super::say;
use super::sizes::size;

/// Look at models; get models of the Hugging Face hub, and remove them
#[derive(Args)]
pub struct ModelArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the built-in models, those in the hub's cache that can be run, and some well-known ones
    /// to get
    ///
    /// First come built-in models and those in the cache, a line each: parameters, tokens and bytes
    /// where they are known, and the name. Behind an empty line come models of the hub that are worth
    /// getting; their sizes are approximate.
    List,
    /// Say what a model is: its shape, size and identity
    Info {
        /// A built-in model's name, the path of a model folder (one called nano is written ./nano),
        /// or hf:OWNER/NAME of one in the hub's cache
        #[arg(value_name = "NAME|PATH", required = true)]
        models: Vec<String>,
        /// Memory that loading a model may take, such as 8GiB (default: what is free)
        #[arg(long, value_name = "SIZE", value_parser = size)]
        memory: Option<u64>,
    },
    /// Get models of the hub into its cache: the newest of a branch, or the revision that is named
    Pull(PullArgs),
    /// Remove models from the hub's cache: a whole repository, or only the revision or the file
    /// that is named
    Rm {
        /// hf:OWNER/NAME, hf:OWNER/NAME@REVISION or hf:OWNER/NAME/FILE
        #[arg(value_name = "NAME", required = true)]
        models: Vec<String>,
    },
}

#[derive(Args)]
struct PullArgs {
    /// hf:OWNER/NAME, with @REVISION (a branch, a tag or a commit) where wanted, and /FILE of a
    /// repository that holds several
    #[arg(value_name = "NAME", required = true)]
    models: Vec<String>,
    /// Get nothing from the network: only say whether the model is in the cache
    #[arg(long)]
    offline: bool,
    /// No progress, no names
    #[arg(short, long)]
    quiet: bool,
}

/// Carries out one of the commands below `lmz model`.
pub fn run(args: ModelArgs) -> ExitCode {
    match args.command {
        Command::List => list(),
        Command::Info { models, memory } => {
            let finder = Finder { offline: true, memory, ..Finder::default() };
            each(&models, |name| {
                hub::find(name, &finder).map(|found| match found {
                    Found::Exact(model) => Some(info(&model)),
                    Found::Transformer(model) => Some(transformer_info(&model)),
                    Found::DeviceBound(model) => Some(device_info(&model)),
                })
            })
        }
        Command::Pull(PullArgs { models, offline, quiet }) => {
            let finder = Finder { offline, ..Finder::default() };
            each(&models, |name| match name.starts_with(HubName::PREFIX) {
                true => hub::pull(name, &finder, quiet, true)
                    .map(|name| Some(name.to_string()).filter(|_| !quiet)),
                // Nothing is to be got; but a name that is none is an error.
                false => finder.find(name).map(|_| None),
            })
        }
        Command::Rm { models } => each(&models, |name| {
            hub::remove(name).map(|bytes| Some(format!("{name}: {bytes} bytes removed")))
        }),
    }
}

/// Does something with each model and prints what comes of it.
fn each(models: &[String], what: impl Fn(&str) -> Result<Option<String>, FindError>) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for name in models {
        match what(name) {
            Ok(None) => {}
            Ok(Some(text)) => {
                if let Err(error) = text.lines().try_for_each(say::print_line) {
                    return say::done(Err(error));
                }
            }
            Err(error) => {
                say::say_lines(format_args!("lmz: {}", hub::message(name, &error)));
                code = if hub::is_unknown(&error) {
                    ExitCode::from(1)
                } else {
                    hub::exit_code(&error)
                };
            }
        }
    }
    code
}

fn list() -> ExitCode {
    let built_in: Vec<String> = Model::builtin_names().map(str::to_owned).collect();
    if let Err(error) = say::print_line("parameters  tokens        bytes  name") {
        return say::done(Err(error));
    }
    let finder = Finder::default();
    let code = each(&built_in, |name| {
        hub::find(name, &finder).map(|found| match found {
            Found::Exact(model) => Some(row(&model)),
            Found::Transformer(_) | Found::DeviceBound(_) => None,
        })
    });
    for (parameters, bytes, name) in hub::list() {
        let parameters = parameters.map_or("-".to_owned(), |n| n.to_string());
        let line = format!("{parameters:>10}  {:>6}  {bytes:>11}  {name}", "-");
        if let Err(error) = say::print_line(line) {
            return say::done(Err(error));
        }
    }
    for line in hub::known() {
        if let Err(error) = say::print_line(line) {
            return say::done(Err(error));
        }
    }
    code
}

fn row(model: &Model) -> String {
    let tokens = model.vocabulary().len();
    format!(
        "{:>10}  {tokens:>6}  {:>11}  {}",
        model.weights().parameters(),
        model.stored(),
        model.name()
    )
}

fn device_info(model: &DeviceBoundModel) -> String {
    let lines = [
        ("name", printable(model.name()).to_string()),
        ("architecture", model.architecture().to_owned()),
        ("tokens", (model.vocabulary().len() - 1).to_string()),
        ("parameters", model.parameters().to_string()),
        (
            "arithmetic",
            "that of the device: an archive decodes where the same numbers come out".to_owned(),
        ),
        ("block", format!("{} bytes, unless --block says otherwise", model.block())),
        ("identity", model.identity().to_string()),
    ];
    let lines: Vec<String> =
        lines.iter().map(|(name, value)| format!("{name:<12}  {value}")).collect();
    lines.join("\n")
}

fn transformer_info(model: &transformer::Model) -> String {
    let c = model.config();
    let heads = format!("{} heads of {}, {} of keys", c.heads, c.head_size, c.kv_heads);
    let lines = [
        ("name", printable(model.name()).to_string()),
        ("architecture", model.architecture().to_owned()),
        ("layers", c.layers().to_string()),
        ("width", format!("{}, in {heads}", c.hidden)),
        ("inner part", c.intermediate.to_string()),
        ("context", format!("{} tokens, at most {}", c.context(), c.longest)),
        ("tokens", (c.vocab - 1).to_string()),
        ("parameters", model.parameters().to_string()),
        ("stored", format!("{} bytes", model.stored())),
        ("in memory", format!("{} bytes at least", model.parameters())),
        ("arithmetic", "version 2, weights int8, activations int16".to_owned()),
        ("identity", model.identity().to_string()),
    ];
    let lines: Vec<String> =
        lines.iter().map(|(name, value)| format!("{name:<12}  {value}")).collect();
    lines.join("\n")
}

fn info(model: &Model) -> String {
    let c = &model.weights().config;
    let lines = [
        ("name", printable(model.name()).to_string()),
        ("architecture", "RWKV-7".to_owned()),
        ("layers", c.layers.to_string()),
        ("width", format!("{}, in {} heads of {}", c.hidden, c.heads(), c.head_size)),
        ("channel mix", c.intermediate.to_string()),
        (
            "low ranks",
            format!(
                "decay {}, in-context rate {}, value {}, gate {}",
                c.decay_rank, c.a_rank, c.v_rank, c.gate_rank
            ),
        ),
        ("tokens", c.vocab.to_string()),
        ("parameters", model.weights().parameters().to_string()),
        ("stored", format!("{} bytes", model.stored())),
        ("in memory", format!("{} bytes at least", 2 * model.weights().parameters())),
        (
            "arithmetic",
            format!("version {}, weights int8, activations {}", exact::VERSION, c.activations),
        ),
        ("identity", model.identity().to_string()),
    ];
    let lines: Vec<String> =
        lines.iter().map(|(name, value)| format!("{name:<12}  {value}")).collect();
    lines.join("\n")
}
