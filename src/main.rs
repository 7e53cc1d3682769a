//! The command. Everything is in [`cli`]; this only turns its outcome into an exit code.

// What cannot be printed must not end the command in a panic: `cli::say` prints.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod cli;

fn main() -> std::process::ExitCode {
    // The process is ours: whatever it was started with, everything in it computes in the standard state.
    lmz::exact::fpstate::set_standard();
    cli::run(std::env::args_os())
}
