//! The command `lmz-bench`: `compare` and `experiment`.

mod compare;
mod experiment;
mod results;

use std::ffi::OsString;
use std::process::ExitCode;

use lmz_cli::say::say;

/// Runs the command line and reports failures on standard error.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    lmz_cli::signals::watch();
    if let Err(error) = lmz::exact::kernel::Kernel::from_environment() {
        say(error);
        return ExitCode::from(2);
    }
    let args: Vec<OsString> = args.collect();
    let word = args.get(1).and_then(|word| word.to_str()).unwrap_or_default().to_owned();
    let rest = args.into_iter().skip(1);
    match &*word {
        compare::WORKER => compare::work(),
        "compare" => compare::run(rest),
        "experiment" => experiment::run(rest),
        _ => {
            say("expected lmz-bench compare or lmz-bench experiment (--help tells of each)");
            ExitCode::from(2)
        }
    }
}
