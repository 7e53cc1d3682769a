//! Commands that are programs of their own, as those of git and cargo are: `lmz compare` is
//! `lmz-bench compare`.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use super::say::say;

/// Runs the program that does what a word asks for, in place of this one where the system can do
/// that.
pub fn run(program: &str, word: &str, args: Vec<OsString>) -> ExitCode {
    let mut command = Command::new(beside(program).unwrap_or_else(|| program.into()));
    command.arg(word).args(args);
    match replace(command) {
        Ok(code) => code,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            say(format_args!(
                "{word} is done by the program {program}, which is neither beside this one nor in \
                PATH; install it from lmz's sources: cargo install --path crates/{program}"
            ));
            ExitCode::from(2)
        }
        Err(error) => {
            say(format_args!("{program}: {error}"));
            ExitCode::from(1)
        }
    }
}

/// The program of this name in the folder of the running one.
fn beside(program: &str) -> Option<PathBuf> {
    let path =
        env::current_exe().ok()?.with_file_name(format!("{program}{}", env::consts::EXE_SUFFIX));
    path.is_file().then_some(path)
}

#[cfg(unix)]
fn replace(mut command: Command) -> io::Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    // Under this name it shows in its help what was typed.
    Err(command.arg0("lmz").exec())
}

#[cfg(not(unix))]
fn replace(mut command: Command) -> io::Result<ExitCode> {
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
