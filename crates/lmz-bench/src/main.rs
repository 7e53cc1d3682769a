//! The command `lmz-bench`.

mod command;

fn main() -> std::process::ExitCode {
    // The process is ours: whatever it was started with, everything in it computes in the standard
    // state.
    lmz::exact::fpstate::set_standard();
    command::run(std::env::args_os())
}
