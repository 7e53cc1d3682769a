//! The command. Everything is in the library beside it; this only turns its outcome into an exit
//! code.

fn main() -> std::process::ExitCode {
    // The process is ours: whatever it was started with, everything in it computes in the standard
    // state.
    lmz::exact::fpstate::set_standard();
    lmz_cli::run(std::env::args_os())
}
