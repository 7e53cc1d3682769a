//! The registers that hold the control state, by target.

pub use target::*;

/// Puts back what [`get`] found, unless it is there.
pub fn restore(found: State) {
    if get() != found {
        set(found);
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
mod target {
    use std::arch::asm;

    /// MXCSR (Intel's manual, volume 1, 10.2.3). The control word of x87 is another register and
    /// decides nothing: f32 and f64 are computed by SSE, x87 only passes them on in the C
    /// convention of 32-bit x86, which changes no bit.
    pub type State = u32;
    /// Rounding to nearest, no flushing, no traps, no flag of an exception.
    pub const WANTED: State = 0x1f80;
    /// All but the flags that operations leave.
    const CONTROL: State = 0xffc0;

    /// Whether arithmetic in this state is the standard one.
    pub fn fits(state: State) -> bool {
        state & CONTROL == WANTED
    }

    pub fn get() -> State {
        let mut state = 0;
        // SAFETY: stores 4 bytes to a place of 4; the targets that compile have SSE.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut state, options(nostack, preserves_flags)) };
        state
    }

    /// An exception whose flag is set and that is not masked does not trap by this: only the next
    /// operation that raises it does (10.2.3, 11.5.2).
    pub fn set(state: State) {
        // SAFETY: loads 4 bytes from a place of 4; the value was found in the register, or has no
        // reserved bit. A changed state is in force only around `opaque`, or for good in a program
        // that asks for it.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const state, options(nostack)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod target {
    use std::arch::asm;

    /// FPCR and FPSR (Arm Architecture Reference Manual, C5.2.8 and C5.2.10).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct State {
        pub control: u64,
        /// Flags that operations leave.
        pub flags: u64,
    }

    /// Rounding to nearest (RMode), no flushing (FZ, FZ16, FIZ), no traps, no alternative behaviour
    /// (AH, NEP, DN).
    pub const WANTED: State = State { control: 0, flags: 0 };

    /// Whether arithmetic in this state is the standard one.
    pub fn fits(state: State) -> bool {
        state.control == WANTED.control
    }

    pub fn get() -> State {
        let (control, flags);
        // SAFETY: reads registers that every program may read. Not `nomem`: arithmetic before stays
        // before.
        unsafe {
            asm!(
                "mrs {}, fpcr", "mrs {}, fpsr", out(reg) control, out(reg) flags,
                options(nostack, preserves_flags)
            );
        }
        State { control, flags }
    }

    pub fn set(state: State) {
        // SAFETY: writes registers that every program may write; the values were found there, or
        // are 0. No `nomem`, so that loads and stores stay on their side. A changed state is in
        // force only around `opaque`, or for good in a program that asks for it.
        unsafe {
            asm!(
                "msr fpcr, {}", "msr fpsr, {}", in(reg) state.control, in(reg) state.flags,
                options(nostack)
            );
        }
    }
}

/// WebAssembly has no such state. Elsewhere it is not set but tried: arithmetic under another one
/// would be wrong.
#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
mod target {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct State;
    pub const WANTED: State = State;

    pub fn fits(_: State) -> bool {
        true
    }

    pub fn get() -> State {
        #[cfg(not(target_family = "wasm"))]
        assert!(
            crate::exact::fpstate::is_exact(),
            "this thread's floating-point state is changed: round to nearest, keep subnormals"
        );
        State
    }

    pub fn set(_: State) {}
}
