//! The command. Everything is in [`cli`]; this only turns its outcome into an exit code.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run(std::env::args_os())
}
