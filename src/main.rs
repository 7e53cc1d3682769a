//! The command. Everything is in [`cli`]; this only turns its outcome into an exit code.

// What cannot be printed must not end the command in a panic: `cli::say` prints.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod cli;

fn main() -> std::process::ExitCode {
    cli::run(std::env::args_os())
}
