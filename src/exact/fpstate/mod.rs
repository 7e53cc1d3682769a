//! The floating-point control state, and the one gate to everything that computes in floating
//! point.
//!
//! The control state belongs to a thread: how results are rounded, whether subnormal numbers are
//! flushed to zero, which exceptions trap. A host program may have changed it (compilers'
//! `-ffast-math` start-up code does, audio programs, games and interval arithmetic do), and the
//! same source then gives other bits. The definitions (docs/ARITHMETIC.md, docs/MIXING.md) want the
//! **standard state**: rounding to nearest even, subnormal numbers kept, no exception trapped.
//!
//! [`exact`] is the gate: it sets the standard state, runs what it is given, and restores what it
//! found. It hands out an [`Exact`], and whatever decides a bit of an archive asks for one: tables,
//! start states, kernels, the loading of models. So it cannot be computed outside of the gate by
//! forgetting to go through it. What asks for no token is kept out of floating point by a lint
//! (`clippy::float_arithmetic`, in `lib.rs`), which allows the modules that do.
//!
//! The public functions of this library go through the gate as a whole, too. A host that traps
//! exceptions would otherwise be ended by the first inexact operation, and choices of the encoder
//! would depend on the state. What belongs to the host and is called from there (a reader, a
//! writer, a callback) runs in the host's own state again (`Host` and `host`).

mod arch;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::hint::black_box;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;

thread_local! {
    /// Inside of the gate: what was found when this thread entered it.
    static FOUND: Cell<Option<arch::State>> = const { Cell::new(None) };
}

/// Proof that the calling thread computes in the standard state. Only [`exact`] gives one. It
/// cannot leave the call that it was given to, nor this thread.
#[derive(Debug, Clone, Copy)]
pub struct Exact<'gate>(PhantomData<(&'gate (), *const ())>);

/// Computes something in the standard state. What was in force before is in force afterwards, also
/// if `f` panics: the control bits, and the flags that say which exceptions have occurred. So what
/// is computed here leaves no trace, and no exception waits for a host that traps them.
///
/// Inside of the gate, going through it again costs two reads. Threads that `f` begins have a state
/// of their own and go through the gate themselves.
///
/// ```
/// use lmz::exact::{exp, fpstate::exact};
///
/// let e = exact(|fp| exp(fp, 1.0));
/// assert_eq!(e.to_bits(), 0x402d_f854);
/// ```
///
/// The token cannot be kept:
///
/// ```compile_fail
/// let kept = lmz::exact::fpstate::exact(|fp| fp);
/// ```
///
/// nor taken to another thread, which may be in another state:
///
/// ```compile_fail
/// use lmz::exact::{exp, fpstate::exact};
///
/// exact(|fp| std::thread::scope(|scope| scope.spawn(|| exp(fp, 1.0)).join().unwrap()));
/// ```
///
/// # Panics
///
/// On a target whose state this library cannot set, if the state is not the standard one.
pub fn exact<R>(f: impl for<'gate> FnOnce(Exact<'gate>) -> R) -> R {
    let _gate = Gate::enter();
    black_box(opaque(black_box(|| f(Exact(PhantomData)))))
}

/// Sets the standard state for the calling thread, for good, and so for the threads that it begins
/// where threads inherit the state, as they do on Linux and macOS. It is for programs whose process
/// is their own, first thing in `main`; a library goes through [`exact`] instead.
pub fn set_standard() {
    if !arch::fits(arch::get()) {
        arch::set(arch::WANTED);
    }
}

/// Runs what belongs to the host, from inside of the gate or not, in the state that the gate found.
/// If `f` changes the state, then the changed one is what the gate restores.
///
/// Nothing in `f` may compute with a token from outside of it.
pub(crate) fn host<R>(f: impl FnOnce() -> R) -> R {
    let _outside = Outside::leave();
    black_box(opaque(black_box(f)))
}

/// The compiler takes the control state for constant and could move arithmetic across the change:
/// what is computed must not be in sight of it.
#[inline(never)]
fn opaque<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Holds the standard state. Dropped by the one that entered first, it restores what was before.
struct Gate {
    entered_first: bool,
    /// It belongs to this thread.
    _not_send: PhantomData<*const ()>,
}

impl Gate {
    fn enter() -> Self {
        let found = arch::get();
        let entered_first = FOUND.get().is_none();
        if entered_first {
            FOUND.set(Some(found));
        }
        if !arch::fits(found) {
            arch::set(arch::WANTED);
        }
        Self { entered_first, _not_send: PhantomData }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if self.entered_first
            && let Some(found) = FOUND.take()
        {
            arch::restore(found);
        }
    }
}

/// The host's state, until this is dropped.
struct Outside {
    was_inside: bool,
    _not_send: PhantomData<*const ()>,
}

impl Outside {
    fn leave() -> Self {
        let found = FOUND.take();
        if let Some(found) = found {
            arch::restore(found);
        }
        Self { was_inside: found.is_some(), _not_send: PhantomData }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        if self.was_inside {
            let found = arch::get();
            FOUND.set(Some(found));
            if !arch::fits(found) {
                arch::set(arch::WANTED);
            }
        }
    }
}

/// A reader or writer of the host's. It runs in the host's state, wherever it is called.
#[derive(Debug)]
pub(crate) struct Host<T>(T);

impl<T> Host<T> {
    pub fn new(inner: T) -> Self {
        Self(inner)
    }

    pub fn into_inner(self) -> T {
        self.0
    }

    pub fn get_ref(&self) -> &T {
        &self.0
    }

    pub fn get_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<R: Read> Read for Host<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        host(|| self.0.read(to))
    }
}

impl<W: Write> Write for Host<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        host(|| self.0.write(bytes))
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        host(|| self.0.write_all(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        host(|| self.0.flush())
    }
}

impl<S: Seek> Seek for Host<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        host(|| self.0.seek(to))
    }
}

/// Whether arithmetic now rounds to nearest even and keeps subnormal numbers, tried on numbers that
/// tell.
pub fn is_exact() -> bool {
    let (one, half_step) = (black_box(1.0f32), black_box(f32::EPSILON / 2.0));
    let nearest = one + half_step == 1.0
        && -one - half_step == -1.0
        && one + black_box(1.5 * half_step) > 1.0;
    let least = black_box(f32::from_bits(1));
    // Results are compared as bits: a comparison may itself take a subnormal number for zero.
    let results_kept = (black_box(f32::MIN_POSITIVE) * black_box(0.5)).to_bits() == 0x0040_0000;
    let inputs_kept = (least * black_box(16_777_216.0)).to_bits() == 0x0100_0000;
    nearest && results_kept && inputs_kept
}
