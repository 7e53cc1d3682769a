//! What the command prints: messages and results, neither of which may end it in a panic.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use lmz::format::printable;

use super::{signals, startup};

/// Prints a message on standard error, as this program's, in one line. Names of files, archives and
/// servers in it are shown without what would act on a terminal. Where it cannot be printed, it is
/// lost: there is nobody left to be told.
pub fn say(message: impl Display) {
    say_line(format_args!("lmz: {message}"));
}

/// Prints a line on standard error that says by itself what it is about, harmless to a terminal.
pub fn say_line(line: impl Display) {
    let line = format!("{}\n", printable(&line));
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Prints a message of several lines on standard error. None of them may hold a line end that is
/// somebody else's.
pub fn say_lines(lines: impl Display) {
    for line in lines.to_string().lines() {
        say_line(line);
    }
}

/// Prints results on standard output, as they are. An error is one of standard output.
pub fn print(text: impl Display) -> Result<()> {
    write(text.to_string().as_bytes())
}

/// Prints a line on standard output in which names of others may be.
pub fn print_line(line: impl Display) -> Result<()> {
    print(format_args!("{}\n", printable(&line)))
}

/// Writes bytes to standard output.
pub fn write(bytes: &[u8]) -> Result<()> {
    ensure_output()?;
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(signals::broken_pipe)
        .context("standard output")
}

/// An error if standard output was closed when the program began: what is written would be lost.
pub fn ensure_output() -> Result<()> {
    ensure!(!startup::closed(1), "standard output is closed; -o names a file");
    Ok(())
}

/// An error if standard input was closed when the program began: it would seem to be empty.
pub fn ensure_input() -> Result<()> {
    ensure!(!startup::closed(0), "standard input is closed; give a file");
    Ok(())
}

/// Prints what clap makes of a command line: help and versions on standard output, errors on
/// standard error. The exit code comes out.
pub fn clap(error: &clap::Error) -> ExitCode {
    let plain = error.render().to_string();
    if error.use_stderr() {
        // With colours, unless what was given holds what acts on a terminal.
        if plain.lines().all(|line| printable(line).to_string() == line) {
            let _ = error.print();
        } else {
            say_lines(plain);
        }
        return ExitCode::from(error.exit_code() as u8);
    }
    if io::IsTerminal::is_terminal(&io::stdout()) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    done(print(plain))
}

/// The exit code of a command that prints, with a message if that failed.
pub fn done(printed: Result<()>) -> ExitCode {
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(super::told(&error));
            ExitCode::from(1)
        }
    }
}
