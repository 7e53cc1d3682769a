//! What the program was given, seen before Rust's own start-up changes it.
//!
//! Before `main`, Rust opens `/dev/null` in place of standard streams that are closed and ignores
//! SIGPIPE; afterwards nobody can tell what was there. So this is looked at by a constructor, which
//! the loader calls first.

#[cfg(unix)]
pub use unix::{closed, ignores_broken_pipes, mode_of_new_files};

#[cfg(unix)]
mod unix {
    use std::mem::MaybeUninit;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

    /// A bit for each standard stream that was closed.
    static CLOSED: AtomicU32 = AtomicU32::new(0);
    static IGNORED: AtomicBool = AtomicBool::new(false);
    static UMASK: AtomicU32 = AtomicU32::new(0o077);

    /// Whether standard input (0), output (1) or the error stream (2) was closed.
    pub fn closed(stream: u32) -> bool {
        stream < 3 && CLOSED.load(Relaxed) >> stream & 1 == 1
    }

    /// Whether SIGPIPE was ignored, so that a closed pipe is an error to be told and no reason to
    /// end.
    pub fn ignores_broken_pipes() -> bool {
        IGNORED.load(Relaxed)
    }

    /// The mode of a new file that takes its rights from nothing else.
    pub fn mode_of_new_files() -> u32 {
        0o666 & !UMASK.load(Relaxed)
    }

    extern "C" fn look() {
        for stream in 0..3 {
            // SAFETY: asks about a descriptor, which may be none.
            if unsafe { libc::fcntl(stream, libc::F_GETFD) } == -1 {
                CLOSED.fetch_or(1 << stream, Relaxed);
            }
        }
        let mut found = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: writes the present action to a place for one, and changes nothing.
        if unsafe { libc::sigaction(libc::SIGPIPE, std::ptr::null(), found.as_mut_ptr()) } == 0 {
            // SAFETY: all zeros is a `sigaction`, and the call above has filled it in.
            let found = unsafe { found.assume_init() };
            IGNORED.store(found.sa_sigaction == libc::SIG_IGN, Relaxed);
        }
        // SAFETY: no argument can be wrong. It can only be read by setting it; there is one thread
        // yet.
        let umask = unsafe { libc::umask(0o077) };
        // SAFETY: as above.
        unsafe { libc::umask(umask) };
        #[allow(clippy::useless_conversion, reason = "it has 16 bits on Apple's systems")]
        UMASK.store(u32::from(umask), Relaxed);
    }

    // SAFETY: the loader calls the functions in this section with no arguments or with ones that C
    // lets a function ignore. `look` needs nothing of Rust's run time.
    #[used]
    #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
    #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
    static LOOK: extern "C" fn() = look;
}

#[cfg(not(unix))]
pub fn closed(_: u32) -> bool {
    false
}

#[cfg(not(unix))]
pub fn ignores_broken_pipes() -> bool {
    true
}
