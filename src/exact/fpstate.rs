//! The floating-point control state: rounding to nearest even, subnormal numbers kept.
//!
//! It belongs to a thread, and a host program may have changed it (compilers' `-ffast-math` start-up code does, audio
//! programs and games do). [`exact`] sets what the definition wants and restores what it found.

use std::hint::black_box;
use std::marker::PhantomData;

/// Computes something under the control state of the definition. What was in force before is in force afterwards,
/// also if `f` panics.
pub fn exact<R>(f: impl FnOnce() -> R) -> R {
    // The compiler takes the control state for constant and could move arithmetic across the change: what is
    // computed must not be in sight of it.
    #[inline(never)]
    fn opaque<R>(f: impl FnOnce() -> R) -> R {
        f()
    }
    let _guard = Guard::new();
    black_box(opaque(black_box(f)))
}

/// Holds the control state of the definition; dropped, it restores what was before.
struct Guard {
    /// What was found.
    found: arch::State,
    /// It belongs to this thread.
    _not_send: PhantomData<*const ()>,
}

impl Guard {
    fn new() -> Self {
        let found = arch::get();
        if !arch::fits(found) {
            arch::set(arch::WANTED);
        }
        Self { found, _not_send: PhantomData }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !arch::fits(self.found) {
            arch::set(self.found);
        }
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
mod arch {
    use std::arch::asm;

    /// MXCSR (Intel's manual, volume 1, 10.2.3).
    pub type State = u32;
    /// Rounding to nearest, no flushing, no traps.
    pub const WANTED: State = 0x1f80;
    /// All but the flags that operations leave.
    const CONTROL: State = 0xffc0;

    pub fn fits(state: State) -> bool {
        state & CONTROL == WANTED
    }

    pub fn get() -> State {
        let mut state = 0;
        // SAFETY: stores 4 bytes to a place of 4; the targets that compile have SSE.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut state, options(nostack, preserves_flags)) };
        state
    }

    pub fn set(state: State) {
        // SAFETY: loads 4 bytes from a place of 4; the value was found in the register, or has no reserved bit.
        // A changed state is in force only around `opaque` above.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const state, options(nostack, preserves_flags)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod arch {
    use std::arch::asm;

    /// FPCR (Arm Architecture Reference Manual, C5.2.8).
    pub type State = u64;
    /// Rounding to nearest, no flushing, no traps, no alternative behaviour.
    pub const WANTED: State = 0;

    pub fn fits(state: State) -> bool {
        state == WANTED
    }

    pub fn get() -> State {
        let state;
        // SAFETY: reads a register that every program may read.
        unsafe { asm!("mrs {}, fpcr", out(reg) state, options(nomem, nostack, preserves_flags)) };
        state
    }

    pub fn set(state: State) {
        // SAFETY: writes a register that every program may write; the value was found there, or is 0. No `nomem`, so
        // that loads and stores stay on their side. A changed state is in force only around `opaque` above.
        unsafe { asm!("msr fpcr, {}", in(reg) state, options(nostack, preserves_flags)) };
    }
}

/// WebAssembly has no such state. Elsewhere it is not set but tried: arithmetic under another one would be wrong.
#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
mod arch {
    pub type State = ();
    pub const WANTED: State = ();

    pub fn fits((): State) -> bool {
        true
    }

    pub fn get() -> State {
        #[cfg(not(target_family = "wasm"))]
        assert!(super::is_exact(), "this thread's floating-point state is changed: round to nearest, keep subnormals");
    }

    pub fn set((): State) {}
}

/// Whether arithmetic now rounds to nearest even and keeps subnormal numbers, tried on numbers that tell.
pub fn is_exact() -> bool {
    let (one, half_step) = (black_box(1.0f32), black_box(f32::EPSILON / 2.0));
    let nearest = one + half_step == 1.0 && -one - half_step == -1.0 && one + black_box(1.5 * half_step) > 1.0;
    let least = black_box(f32::from_bits(1));
    // Results are compared as bits: a comparison may itself take a subnormal number for zero.
    let results_kept = (black_box(f32::MIN_POSITIVE) * black_box(0.5)).to_bits() == 0x0040_0000;
    let inputs_kept = (least * black_box(16_777_216.0)).to_bits() == 0x0100_0000;
    nearest && results_kept && inputs_kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::{Activations, Matrix, exp, layer_norm, product, sigmoid, sum, tanh};
    use crate::lm::rwkv7::{Config, Oracle, Weights};

    /// Bits of much of this module's arithmetic, on numbers that other states treat otherwise.
    #[inline(never)]
    fn sample() -> Vec<u32> {
        let x: Vec<f32> = black_box((0..100).map(|i| ((i * 37 % 101) as f32 - 50.0) / 7.0).collect());
        let tiny: Vec<f32> = black_box((1..60).map(|i| f32::from_bits(i * 0x0001_3577)).collect());
        let weight = (0..1000).map(|i| (i * 89 % 255 - 127) as i8).collect();
        let matrix = Matrix { weight, scale: vec![0.001; 10], outputs: 10, inputs: 100 };
        let mut out: Vec<f32> = x.iter().flat_map(|&x| [exp(x), sigmoid(x), tanh(x)]).collect();
        out.extend(layer_norm(&x, &x, &x));
        out.extend(product(&matrix, &x, Activations::Int8));
        out.push(sum(x.iter().copied()));
        out.extend(tiny.iter().map(|t| t * 0.37 + t * 0.21));
        out.into_iter().map(f32::to_bits).collect()
    }

    /// Bits of a model's logits after a few tokens: the oracle sees to the state itself.
    #[inline(never)]
    fn logits() -> Vec<u32> {
        let weights = Weights::random(&Config::new(2, 64, 300), 5);
        let mut oracle = Oracle::new(&weights);
        [0, 7, 299].into_iter().flat_map(|token| oracle.step(token)).map(f32::to_bits).collect()
    }

    /// On what has a control state: others fail to compile or have none.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    #[test]
    fn a_changed_state_is_put_right_and_restored() {
        /// Restores what a test has changed, also when it fails.
        struct Restore(arch::State);
        impl Drop for Restore {
            fn drop(&mut self) {
                arch::set(self.0);
            }
        }
        let _restore = Restore(arch::get());
        assert!(is_exact());
        let right = exact(sample);
        let right_logits = logits();

        #[cfg(target_arch = "x86_64")]
        // Flush to zero and denormals are zero; rounding down, up, to zero; all at once; traps left unmasked are not
        // tried, they would end the test.
        let states = [0x9fc0, 0x1fc0, 0x9f80, 0x3f80, 0x5f80, 0x7f80, 0xffc0];
        #[cfg(target_arch = "aarch64")]
        let states = [1 << 24, 1 << 22, 2 << 22, 3 << 22, 7 << 22, 1 << 25];

        let mut differing = 0;
        for state in states {
            arch::set(state);
            let wrong = black_box(sample());
            let noticed = is_exact();
            let (under_guard, from_oracle) = (exact(sample), logits());
            let after = arch::get();
            arch::set(arch::WANTED);
            assert!(from_oracle == right_logits, "{state:#x}: the oracle computes under it");
            assert!(under_guard == right, "{state:#x}: the guard does not help");
            // The flags of x86-64 (the low six bits) are of no concern.
            assert_eq!(after & !0x3f, state & !0x3f, "{state:#x} is not restored");
            differing += usize::from(wrong != right);
            // The one state that changes nothing but NaNs is DN of AArch64.
            assert!(!noticed || (cfg!(target_arch = "aarch64") && state == 1 << 25), "{state:#x} is not noticed");
        }
        assert!(differing >= 5, "the sample has to depend on the state, else this test says nothing");

        // A panic restores, too.
        arch::set(states[0]);
        let caught = std::panic::catch_unwind(|| exact(|| panic!("on purpose")));
        let after = arch::get();
        arch::set(arch::WANTED);
        assert!(caught.is_err());
        assert_eq!(after & !0x3f, states[0] & !0x3f);
    }
}
