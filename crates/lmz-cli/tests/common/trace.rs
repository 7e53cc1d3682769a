//! Runs a command and lets one of its system calls fail: by `ptrace`, which sees every call,
//! whatever library makes it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Kinds of calls, and the numbers that belong to each. What is written to standard error is a kind
/// of its own.
pub const CALLS: [(&str, &[i64]); 16] = [
    ("say", &[libc::SYS_write, libc::SYS_writev]),
    ("open", &[libc::SYS_open, libc::SYS_openat, libc::SYS_openat2]),
    ("read", &[libc::SYS_read, libc::SYS_pread64, libc::SYS_readv, libc::SYS_preadv]),
    ("write", &[libc::SYS_write, libc::SYS_pwrite64, libc::SYS_writev, libc::SYS_pwritev]),
    ("copy", &[libc::SYS_copy_file_range, libc::SYS_sendfile, libc::SYS_splice]),
    ("seek", &[libc::SYS_lseek]),
    (
        "stat",
        &[libc::SYS_stat, libc::SYS_fstat, libc::SYS_lstat, libc::SYS_newfstatat, libc::SYS_statx],
    ),
    ("sync", &[libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_sync_file_range]),
    ("truncate", &[libc::SYS_ftruncate, libc::SYS_fallocate]),
    (
        "chmod",
        &[libc::SYS_chmod, libc::SYS_fchmod, libc::SYS_fchmodat, libc::SYS_chown, libc::SYS_fchown],
    ),
    ("times", &[libc::SYS_utimensat, libc::SYS_utimes, libc::SYS_futimesat]),
    (
        "rename",
        &[
            libc::SYS_rename,
            libc::SYS_renameat,
            libc::SYS_renameat2,
            libc::SYS_link,
            libc::SYS_linkat,
        ],
    ),
    ("unlink", &[libc::SYS_unlink, libc::SYS_unlinkat]),
    ("close", &[libc::SYS_close]),
    ("thread", &[libc::SYS_clone, libc::SYS_clone3]),
    ("memory", &[libc::SYS_mmap, libc::SYS_mremap, libc::SYS_brk]),
];

/// Mappings from this on are "memory": smaller ones are the program's own and its stacks.
const LARGE: u64 = 4 << 20;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It is not made, or, of `close`, made all the same.
    Errno(i32),
    /// It is made for fewer bytes.
    Short,
}

/// The `number`-th call of a kind, counted from 1, on what lies in the folder that the command runs
/// in. Once there is no memory, there is none from then on, since an allocator tries several calls.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub kind: &'static str,
    pub number: usize,
    pub how: How,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The exit code, or 128 and the signal.
    pub status: i32,
    /// Whether the call was met that was to fail.
    pub met: bool,
}

/// What the kernel says at the beginning and at the end of a call (`struct ptrace_syscall_info`).
#[repr(C)]
#[derive(Default)]
struct Info {
    op: u8,
    pad: [u8; 3],
    arch: u32,
    instruction: u64,
    stack: u64,
    /// At the beginning the number and the arguments.
    call: u64,
    args: [u64; 6],
    more: [u64; 2],
}

const GET_SYSCALL_INFO: libc::c_uint = 0x420e;
const ENTRY: u8 = 1;
const EXIT: u8 = 2;

struct Tracer<'a> {
    folder: &'a Path,
    fault: Option<Fault>,
    seen: usize,
    met: bool,
    /// What threads are to be given at the end of the call that they are in.
    results: HashMap<i32, i32>,
}

/// Runs a command, whose current folder must be set to `folder`, to its end. It may take so many
/// seconds.
pub fn run(
    command: &mut Command,
    folder: &Path,
    seconds: u32,
    fault: Option<Fault>,
) -> io::Result<Ended> {
    let traced = move || {
        // SAFETY: two system calls, in a process that has just been forked.
        unsafe {
            libc::alarm(seconds);
            if libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: the closure allocates nothing and takes no lock.
    let child = unsafe { command.pre_exec(traced) }.spawn()?.id() as i32;
    Tracer { folder, fault, seen: 0, met: false, results: HashMap::new() }.follow(child)
}

impl Tracer<'_> {
    fn follow(&mut self, child: i32) -> io::Result<Ended> {
        let mut begun = false;
        loop {
            let mut status = 0;
            // Of this thread's own children and tracees: other tests have theirs.
            // SAFETY: writes an int.
            let tid =
                unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
            if tid < 0 {
                return Err(io::Error::last_os_error());
            }
            if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
                if tid == child {
                    let code = if libc::WIFEXITED(status) {
                        libc::WEXITSTATUS(status)
                    } else {
                        128 + libc::WTERMSIG(status)
                    };
                    return Ok(Ended { status: code, met: self.met });
                }
                continue;
            }
            let mut signal = libc::WSTOPSIG(status);
            if !begun {
                // The program has been loaded and not begun.
                begun = true;
                let options = libc::PTRACE_O_TRACESYSGOOD
                    | libc::PTRACE_O_TRACECLONE
                    | libc::PTRACE_O_TRACEFORK
                    | libc::PTRACE_O_TRACEVFORK
                    | libc::PTRACE_O_EXITKILL;
                // SAFETY: takes numbers only.
                unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, tid, 0, options) };
                signal = 0;
            } else if signal == libc::SIGTRAP | 0x80 {
                self.call(tid);
                signal = 0;
            } else if signal == libc::SIGTRAP || signal == libc::SIGSTOP {
                signal = 0; // events, and new threads
            }
            // SAFETY: takes numbers only; a thread that has been killed meanwhile is met again
            // above.
            unsafe { libc::ptrace(libc::PTRACE_SYSCALL, tid, 0, signal) };
        }
    }

    /// A thread is at the beginning or at the end of a call.
    fn call(&mut self, tid: i32) {
        let mut info = Info::default();
        // SAFETY: writes no more bytes than it is told that there are.
        let n = unsafe { libc::ptrace(GET_SYSCALL_INFO, tid, size_of::<Info>(), &raw mut info) };
        if n < 0 {
            return;
        }
        if info.op == EXIT {
            if let Some(errno) = self.results.remove(&tid) {
                change(tid, |registers| registers.rax = -i64::from(errno) as u64);
            }
            return;
        }
        let asked = info.op == ENTRY
            && (!self.met || self.fault.is_some_and(|fault| fault.kind == "memory"));
        let Some(fault) = self.fault.filter(|_| asked) else { return };
        if !self.concerns(tid, fault.kind, &info) {
            return;
        }
        self.seen += 1;
        if self.seen < fault.number {
            return;
        }
        self.met = true;
        match fault.how {
            How::Short => change(tid, |registers| registers.rdx = info.args[2].min(3)),
            How::Errno(errno) => {
                // A failed brk gives the end as it is: below what was asked for, that is enough.
                self.results.insert(tid, if info.call as i64 == libc::SYS_brk { 0 } else { errno });
                if fault.kind != "close" {
                    change(tid, |registers| registers.orig_rax = u64::MAX); // no such call
                }
            }
        }
    }

    /// Whether a call is of a kind, and is about a file of the folder.
    fn concerns(&self, tid: i32, kind: &str, info: &Info) -> bool {
        let number = info.call as i64;
        if !CALLS.iter().any(|(name, numbers)| *name == kind && numbers.contains(&number)) {
            return false;
        }
        match number {
            _ if kind == "say" => info.args[0] == 2,
            libc::SYS_clone | libc::SYS_clone3 => true,
            libc::SYS_mmap => {
                info.args[1] >= LARGE && info.args[3] & libc::MAP_ANONYMOUS as u64 != 0
            }
            libc::SYS_mremap => info.args[2] >= LARGE,
            libc::SYS_brk => info.args[0] != 0 && self.met,
            libc::SYS_open
            | libc::SYS_stat
            | libc::SYS_lstat
            | libc::SYS_chmod
            | libc::SYS_chown
            | libc::SYS_utimes
            | libc::SYS_rename
            | libc::SYS_link
            | libc::SYS_unlink => self.inside(&path(tid, info.args[0])),
            libc::SYS_openat
            | libc::SYS_openat2
            | libc::SYS_newfstatat
            | libc::SYS_statx
            | libc::SYS_fchmodat
            | libc::SYS_utimensat
            | libc::SYS_futimesat
            | libc::SYS_renameat
            | libc::SYS_renameat2
            | libc::SYS_linkat
            | libc::SYS_unlinkat => match path(tid, info.args[1]) {
                path if path.as_os_str().is_empty() => self.is_ours(tid, info.args[0]),
                path => self.inside(&path),
            },
            _ => self.is_ours(tid, info.args[0]),
        }
    }

    /// Whether a descriptor is of a file in the folder, standard output among them.
    fn is_ours(&self, tid: i32, descriptor: u64) -> bool {
        let descriptor = descriptor as i32;
        descriptor != 2
            && fs::read_link(format!("/proc/{tid}/fd/{descriptor}"))
                .is_ok_and(|path| path.starts_with(self.folder))
    }

    fn inside(&self, path: &Path) -> bool {
        path.is_relative() && !path.as_os_str().is_empty() || path.starts_with(self.folder)
    }
}

/// The path at an address of a traced process; empty if there is none.
fn path(tid: i32, address: u64) -> PathBuf {
    let mut bytes = [0; 512];
    let read = File::open(format!("/proc/{tid}/mem"))
        .and_then(|memory| memory.read_at(&mut bytes, address));
    let text = &bytes[..read.unwrap_or(0)];
    let end = text.iter().position(|b| *b == 0).unwrap_or(0);
    PathBuf::from(String::from_utf8_lossy(&text[..end]).into_owned())
}

/// Changes the registers of a stopped thread.
fn change(tid: i32, change: impl FnOnce(&mut libc::user_regs_struct)) {
    // SAFETY: numbers only, for which zeros are fine; the kernel writes and reads one such struct.
    unsafe {
        let mut registers: libc::user_regs_struct = std::mem::zeroed();
        if libc::ptrace(libc::PTRACE_GETREGS, tid, 0, &raw mut registers) == 0 {
            change(&mut registers);
            libc::ptrace(libc::PTRACE_SETREGS, tid, 0, &raw const registers);
        }
    }
}
