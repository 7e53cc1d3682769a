//! Ending early: no partial output stays behind, and who waits for this program learns why it
//! ended.
//!
//! The signals that ask a program to end are blocked in all threads and waited for by one, which
//! removes the output that is being written and then lets the signal do what it does by default.
//! Signals that were ignored when the program began (`nohup`) stay ignored.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::startup;

/// The temporary file that is being written, if there is one.
static PARTIAL: Mutex<Option<Box<Path>>> = Mutex::new(None);

/// While this is held, no signal ends the program.
pub struct Held(MutexGuard<'static, Option<Box<Path>>>);

/// Keeps the program from being ended while a temporary file is made or gets its name.
pub fn hold() -> Held {
    Held(PARTIAL.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Held {
    /// Says which file is to be removed from now on if the program is ended.
    pub fn set(&mut self, path: Option<&Path>) {
        #[cfg(unix)]
        unix::set_on_abort(path);
        *self.0 = path.map(Into::into);
    }
}

/// Removes the partial output, if there is one. The lock is kept: nothing gets a name any more.
fn remove_partial() -> Held {
    let mut held = hold();
    if let Some(path) = held.0.take() {
        let _ = std::fs::remove_file(path);
    }
    held
}

/// What a reader that has seen enough means, the other end of a pipe being closed: an end without a
/// message, by the signal by which other programs end then. Where that signal was ignored from the
/// beginning, or there is none, a failure to be told: then this gives the error back.
pub fn broken_pipe(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::BrokenPipe && !startup::ignores_broken_pipes() {
        #[cfg(unix)]
        {
            let _held = remove_partial();
            unix::end_by(libc::SIGPIPE);
        }
    }
    error
}

#[cfg(unix)]
pub use unix::watch;

#[cfg(not(unix))]
pub fn watch() {}

#[cfg(unix)]
mod unix {
    use std::ffi::{CString, c_char, c_int};
    use std::mem::MaybeUninit;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, Ordering};
    use std::thread;

    use super::remove_partial;

    /// Signals that ask a program to end.
    const ENDING: [c_int; 9] = [
        libc::SIGHUP,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGTERM,
        libc::SIGXCPU,
        libc::SIGALRM,
        libc::SIGVTALRM,
        libc::SIGUSR1,
        libc::SIGUSR2,
    ];

    /// The path of the partial output for the handler of SIGABRT, which may not wait for a lock.
    static ON_ABORT: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

    pub fn set_on_abort(path: Option<&Path>) {
        let path = path.and_then(|path| CString::new(path.as_os_str().as_bytes()).ok());
        let path = path.map_or(ptr::null_mut(), CString::into_raw);
        // What was there is never freed: the handler may be reading it. It is one path for each
        // output.
        ON_ABORT.store(path, Ordering::Release);
    }

    /// Lets signals that ask this program to end remove the partial output first. Called once,
    /// before there are other threads.
    pub fn watch() {
        // A file that may not grow further is an error of writing, as a full disk is.
        set_action(libc::SIGXFSZ, libc::SIG_IGN);
        if action(libc::SIGABRT) == Some(libc::SIG_DFL) {
            set_action(libc::SIGABRT, on_abort as Handler as libc::sighandler_t);
        }
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: makes the place an empty set.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: it was just made one.
        let mut set = unsafe { set.assume_init() };
        let mut before = set;
        // SAFETY: reads the mask of this thread into a set.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &mut before) };
        for signal in ENDING {
            // SAFETY: asks whether a set has a signal.
            let blocked = unsafe { libc::sigismember(&before, signal) } == 1;
            if !blocked && action(signal) == Some(libc::SIG_DFL) {
                // SAFETY: adds a signal that there is to a set.
                unsafe { libc::sigaddset(&mut set, signal) };
            }
        }
        // SAFETY: changes the mask of this thread, which those that it starts take over.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut()) };
        let waiting =
            thread::Builder::new().name("signals".into()).stack_size(64 << 10).spawn(move || {
                let mut signal = 0;
                // SAFETY: waits for a signal of the set, and writes which it was.
                while unsafe { libc::sigwait(&set, &mut signal) } != 0 {}
                let _held = remove_partial();
                end_by(signal);
            });
        if waiting.is_err() {
            // Without a thread they do what they do by default: what is left has the name of a
            // part. SAFETY: gives this thread back the mask that it had.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut()) };
        }
    }

    /// What is done about a signal now.
    fn action(signal: c_int) -> Option<libc::sighandler_t> {
        let mut found = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: writes the present action to a place for one, and changes nothing.
        if unsafe { libc::sigaction(signal, ptr::null(), found.as_mut_ptr()) } != 0 {
            return None;
        }
        // SAFETY: all zeros is a `sigaction`, and the call above has filled it in.
        Some(unsafe { found.assume_init() }.sa_sigaction)
    }

    fn set_action(signal: c_int, handler: libc::sighandler_t) {
        // SAFETY: all zeros is a `sigaction` with an empty mask and no flags.
        let mut action = unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() };
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_SIGINFO;
        // SAFETY: the handler is one of the constants or `on_abort`, which does only what a handler
        // may.
        unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
    }

    /// Ends this program as the signal ends others.
    pub fn end_by(signal: c_int) -> ! {
        set_action(signal, libc::SIG_DFL);
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: makes the place an empty set, adds a signal that there is, and lets it through to
        // this thread, to which it is sent.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), signal);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), ptr::null_mut());
            libc::raise(signal);
        }
        // Should the signal not have come: this is how shells tell a death by one.
        std::process::exit(128 + signal)
    }

    type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void);

    /// Memory that is not there ends a Rust program by SIGABRT, after a message of how much was
    /// asked for.
    extern "C" fn on_abort(signal: c_int, about: *mut libc::siginfo_t, _: *mut libc::c_void) {
        const TOLD: &[u8] =
            b"lmz: aborted, for the reason in the line above; where that is memory, fewer threads \
            (-T1) or smaller blocks (--block) take less, and --memory keeps within a bound\n";
        let path = ON_ABORT.load(Ordering::Acquire);
        // SAFETY: only functions that a handler may call; the path was made by `CString` and is
        // never freed.
        unsafe {
            if !path.is_null() {
                libc::unlink(path);
            }
            if (*about).si_pid() != libc::getpid() {
                // From somebody else: an end as it would have been.
                libc::signal(signal, libc::SIG_DFL);
                libc::raise(signal);
                return;
            }
            libc::write(2, TOLD.as_ptr().cast(), TOLD.len());
            libc::_exit(1)
        }
    }
}
