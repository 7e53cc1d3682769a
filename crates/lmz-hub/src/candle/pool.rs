//! The threads that candle computes with.
//!
//! candle, and the kernels below it, compute on rayon's threads. Those that rayon begins by itself
//! have the floating-point state of whoever was first to need them, perhaps of a host program that
//! rounds otherwise. So there are threads of this library's own, in the standard state, and what is
//! begun on them stays on them.

use std::sync::OnceLock;

use rayon::{ThreadPool, ThreadPoolBuilder};

use lmz::exact::fpstate::{exact, set_standard};

/// Runs something on these threads; where there can be none, here.
pub fn run<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let pool = POOL
        .get_or_init(|| ThreadPoolBuilder::new().start_handler(|_| set_standard()).build().ok());
    match pool {
        Some(pool) => pool.install(f),
        None => exact(|_| f()),
    }
}
