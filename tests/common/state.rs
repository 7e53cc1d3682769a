//! The floating-point control state of this thread, as a host program may set it.

use std::arch::asm;
use std::hint::black_box;

/// A state and what to call it.
pub type State = (&'static str, u64);

/// Rounding to nearest, subnormal numbers kept, no exception trapped.
#[cfg(target_arch = "x86_64")]
pub const NORMAL: u64 = 0x1f80;
#[cfg(target_arch = "aarch64")]
pub const NORMAL: u64 = 0;

/// Every kind of state that a program can set. Where exceptions trap, one that occurs ends the
/// program.
#[cfg(target_arch = "x86_64")]
pub const STATES: [State; 11] = [
    ("rounding down", 0x3f80),
    ("rounding up", 0x5f80),
    ("rounding to zero", 0x7f80),
    ("flush to zero", 0x9f80),
    ("denormals are zero", 0x1fc0),
    ("flush to zero, denormals are zero", 0x9fc0),
    ("all at once", 0xffc0),
    ("everything traps", 0x0000),
    ("invalid, division by zero and overflow trap", 0x1900),
    ("inexact traps, rounding up", 0x4f80),
    ("everything traps, all at once", 0xe040),
];
/// RMode, FZ, FZ16 and DN; traps, which most processors do not have.
#[cfg(target_arch = "aarch64")]
pub const STATES: [State; 8] = [
    ("rounding up", 1 << 22),
    ("rounding down", 2 << 22),
    ("rounding to zero", 3 << 22),
    ("flush to zero", 1 << 24),
    ("flush halves to zero", 1 << 19),
    ("default NaN", 1 << 25),
    ("all at once", 0xf << 22 | 1 << 19),
    ("everything traps", 0x9f00),
];

/// The control register, flags of exceptions left out.
pub fn get() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        let mut state = 0u32;
        // SAFETY: stores 4 bytes to a place of 4.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut state, options(nostack, preserves_flags)) };
        u64::from(state) & 0xffc0
    }
    #[cfg(target_arch = "aarch64")]
    {
        let state;
        // SAFETY: reads a register that every program may read.
        unsafe { asm!("mrs {}, fpcr", out(reg) state, options(nostack, preserves_flags)) };
        state
    }
}

pub fn set(state: u64) {
    #[cfg(target_arch = "x86_64")]
    {
        let state = state as u32;
        // SAFETY: loads 4 bytes from a place of 4; the states above have no reserved bit.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const state, options(nostack)) };
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: writes a register that every program may write.
    unsafe {
        asm!("msr fpcr, {}", in(reg) state, options(nostack));
    }
}

/// What `f` gives in a state. It must leave the state as it was.
pub fn under<R>((name, state): State, f: impl FnOnce() -> R) -> R {
    /// Also when `f` panics: the test's own thread goes on.
    struct Normal;
    impl Drop for Normal {
        fn drop(&mut self) {
            set(NORMAL);
        }
    }
    let normal = Normal;
    set(state);
    let state = get(); // not every processor has every bit
    let out = opaque(black_box(f));
    let after = get();
    drop(normal);
    assert_eq!(after, state, "{name}: the state is not restored");
    out
}

/// Out of sight of the compiler, which takes the state for constant.
#[inline(never)]
fn opaque<R>(f: impl FnOnce() -> R) -> R {
    black_box(f())
}
