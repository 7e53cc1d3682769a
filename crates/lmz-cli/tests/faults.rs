//! Each system call of a run of the command fails in turn. Whatever fails: the input is whole, or
//! the output that replaces it is; nothing partial stands under a final name; nothing temporary is
//! left; and the status is not 0 if anything is missing.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use trace::{Ended, Fault, How, run};

#[path = "common/trace.rs"]
mod trace;

/// Longest time of a run, in seconds: under 1 where nothing hangs.
const SECONDS: u32 = 60;

/// What standard output goes to.
const STDOUT: &str = "stdout";

/// The files of a folder.
type Files = BTreeMap<String, Vec<u8>>;

/// A run of the command: what it is given, and what it makes where nothing fails.
struct Case {
    args: &'static [&'static str],
    given: Files,
    status: i32,
    made: Files,
}

fn text() -> Vec<u8> {
    (0..60u32)
        .flat_map(|i| format!("line {i}: {}\n", i.wrapping_mul(2_654_435_761)).into_bytes())
        .collect()
}

fn files(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())
        })
        .collect()
}

impl Case {
    /// With these files in the folder. None of them may be read by others than the owner and the
    /// group.
    fn new(args: &'static [&'static str], given: &[(&str, &[u8])]) -> Self {
        let given =
            given.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        let mut case = Self { args, given, status: 0, made: Files::new() };
        let (ended, made, said, _) = case.run(None);
        assert!(ended.status < 3, "{args:?} without a fault: {}: {said}", ended.status);
        (case.status, case.made) = (ended.status, made);
        case
    }

    /// A run in a new folder: how it ended, what is there afterwards, and what was said.
    fn run(&self, fault: Option<Fault>) -> (Ended, Files, String, u32) {
        let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let folder = fs::canonicalize(folder.path()).map(|path| (path, folder)).unwrap();
        for (name, bytes) in &self.given {
            let path = folder.0.join(name);
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        }
        let said = elsewhere.path().join("stderr");
        let mut command = Command::new(env!("CARGO_BIN_EXE_lmz"));
        command
            .args(self.args)
            .current_dir(&folder.0)
            .stdin(Stdio::null())
            .env_remove("RUST_BACKTRACE");
        command
            .stdout(File::create(folder.0.join(STDOUT)).unwrap())
            .stderr(File::create(&said).unwrap());
        let ended = run(&mut command, &folder.0, SECONDS, fault).unwrap();
        let wider = |name: &str| {
            fs::metadata(folder.0.join(name))
                .map_or(0, |data| data.permissions().mode() & 0o777 & !0o640)
        };
        let names = files(&folder.0);
        let wider =
            names.keys().filter(|name| *name != STDOUT).fold(0, |wide, name| wide | wider(name));
        (ended, names, String::from_utf8_lossy(&fs::read(&said).unwrap()).into_owned(), wider)
    }

    /// What is wrong after a run in which a call failed; nothing if all is well.
    fn judge(
        &self,
        fault: Fault,
        (ended, found, said, wider): &(Ended, Files, String, u32),
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        let status = ended.status;
        if status == 101 || said.contains("panicked") {
            wrong.push("a panic".to_owned());
        }
        if status == 128 + libc::SIGALRM {
            wrong.push("it hangs".to_owned());
        } else if status >= 128 {
            wrong.push(format!("death by signal {}", status - 128));
        }
        if *wider != 0 {
            wrong.push(format!("rights of an output are wider than its input's: {wider:o}"));
        }
        for (name, bytes) in found.iter().filter(|(name, _)| *name != STDOUT) {
            match (self.given.get(name), self.made.get(name)) {
                (Some(given), _) if given == bytes => {}
                (_, Some(made)) if made == bytes => {}
                (None, None) if fault.kind == "unlink" => {}
                (None, None) => wrong.push(format!("{name} is left")),
                _ => wrong.push(format!(
                    "{name} is neither as it was nor complete: {} bytes",
                    bytes.len()
                )),
            }
        }
        let complete =
            self.made.keys().filter(|name| *name != STDOUT).all(|name| found.contains_key(name));
        for name in self.given.keys().filter(|name| !found.contains_key(*name)) {
            if self.made.contains_key(name) || !complete {
                wrong.push(format!("{name} is lost"));
            }
        }
        let failed = match fault.how {
            // These are no failures: the call is made again, or for the rest.
            How::Short | How::Errno(libc::EINTR) => false,
            How::Errno(_) => ["read", "write"].contains(&fault.kind),
        };
        if status == self.status {
            if *found != self.made {
                wrong.push("it says that all went well, and something is missing".to_owned());
            }
            if failed {
                wrong.push("it says that all went well".to_owned());
            }
        } else if !failed && ["read", "write"].contains(&fault.kind) {
            wrong.push(format!("it gives up with {status} where it has to go on"));
        } else if status != 101 && status < 128 && said.is_empty() && fault.kind != "say" {
            wrong.push(format!("{status} and no message"));
        }
        wrong
    }

    /// Every call of these kinds fails in each of these ways.
    fn check(&self, faults: &[(&'static str, &[How])]) {
        let mut wrong = Vec::new();
        let (mut runs, mut kinds) = (0, 0);
        for (kind, ways) in faults {
            for how in *ways {
                for number in 1.. {
                    let fault = Fault { kind, number, how: *how };
                    let outcome = self.run(Some(fault));
                    if !outcome.0.met {
                        kinds += usize::from(number > 1);
                        break;
                    }
                    runs += 1;
                    let found = self.judge(fault, &outcome);
                    if !found.is_empty() {
                        let said = outcome.2.trim();
                        wrong.push(format!(
                            "{kind} {number} {how:?}: status {}: {} [{said}]",
                            outcome.0.status,
                            found.join("; ")
                        ));
                    }
                }
            }
        }
        println!("{:?}: {runs} runs", self.args);
        assert!(runs > 5 && kinds > 3, "{:?}: no more than {runs} calls were met", self.args);
        assert!(
            wrong.is_empty(),
            "lmz {}: {} of {runs} runs:\n{}",
            self.args.join(" "),
            wrong.len(),
            wrong.join("\n")
        );
    }
}

const fn errno(number: i32) -> How {
    How::Errno(number)
}

/// What can happen to each kind of call.
const FAULTS: [(&str, &[How]); 13] = [
    ("open", &[errno(libc::EACCES), errno(libc::ENOSPC), errno(libc::EMFILE), errno(libc::EINTR)]),
    ("read", &[errno(libc::EIO), errno(libc::EINTR), How::Short]),
    (
        "write",
        &[
            errno(libc::ENOSPC),
            errno(libc::EIO),
            errno(libc::EAGAIN),
            errno(libc::EINTR),
            How::Short,
        ],
    ),
    ("copy", &[errno(libc::ENOSPC), errno(libc::EINTR)]),
    ("seek", &[errno(libc::EIO)]),
    ("stat", &[errno(libc::EACCES), errno(libc::EIO)]),
    ("sync", &[errno(libc::EIO), errno(libc::ENOSPC), errno(libc::EINTR)]),
    ("truncate", &[errno(libc::EIO)]),
    ("chmod", &[errno(libc::EPERM)]),
    ("times", &[errno(libc::EPERM)]),
    ("rename", &[errno(libc::EACCES), errno(libc::ENOSPC), errno(libc::EIO)]),
    ("unlink", &[errno(libc::EACCES), errno(libc::EIO)]),
    ("close", &[errno(libc::EIO), errno(libc::EINTR)]),
];

fn archive() -> Vec<u8> {
    lmz::compress_with(&text(), &lmz::EncoderOptions::new().predictor(lmz::Predictor::Ppm)).unwrap()
}

/// An archive of several blocks, so that parts can be read and something is left of it when one is
/// damaged.
fn blocks() -> Vec<u8> {
    let options = lmz::EncoderOptions::new().predictor(lmz::Predictor::Ppm).block_size(500);
    lmz::compress_with(&text(), &options).unwrap()
}

fn damaged() -> Vec<u8> {
    let mut archive = blocks();
    let middle = archive.len() / 2;
    archive[middle] ^= 1;
    archive
}

macro_rules! cases {
    ($($name:ident: $args:expr, $given:expr;)*) => {
        $(
            #[test]
            fn $name() {
                Case::new(&$args, &$given).check(&FAULTS);
            }
        )*
    };
}

cases! {
    compress: ["--model", "ppm", "f"], [("f", &text())];
    compress_and_remove: ["-1", "--rm", "f"], [("f", &text())];
    compress_over_another:
        ["--model", "ppm", "-f", "f"], [("f", &text()), ("f.lmz", b"what was there")];
    compress_to_stdout: ["-1", "-c", "f"], [("f", &text())];
    decompress: ["-d", "f.lmz"], [("f.lmz", &archive())];
    decompress_and_remove: ["-d", "--rm", "f.lmz"], [("f.lmz", &archive())];
    decompress_to_stdout: ["-d", "-c", "f.lmz"], [("f.lmz", &archive())];
    range: ["-d", "--range", "700..1200", "-o", "part", "f.lmz"], [("f.lmz", &blocks())];
    recover: ["--recover", "-o", "rest", "f.lmz"], [("f.lmz", &damaged())];
    test: ["-t", "f.lmz"], [("f.lmz", &archive())];
    list: ["-l", "f.lmz"], [("f.lmz", &blocks())];
}

/// Messages that cannot be written: nothing else comes of it.
#[test]
fn messages() {
    let cases =
        [(&["-1", "--rm", "-v", "f"][..], ("f", text())), (&["-t", "f.lmz"], ("f.lmz", damaged()))];
    let mut wrong = Vec::new();
    for (args, (name, given)) in cases {
        let case = Case::new(Box::leak(args.into()), &[(name, &given)]);
        for number in 1.. {
            let fault = Fault { kind: "say", number, how: errno(libc::ENOSPC) };
            let outcome = case.run(Some(fault));
            if !outcome.0.met {
                assert!(number > 1, "{args:?}: nothing is said");
                break;
            }
            wrong.extend(
                case.judge(fault, &outcome)
                    .into_iter()
                    .map(|what| format!("{args:?}, {number}: {what}")),
            );
            if outcome.0.status != case.status {
                wrong.push(format!(
                    "{args:?}, {number}: {} in place of {}",
                    outcome.0.status, case.status
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A run of several threads, each with tables of its own.
const THREADS: [&str; 7] = ["-1", "--rm", "--block", "300", "-T", "4", "f"];

/// Threads that cannot be started: the work is done by those that there are.
#[test]
fn threads() {
    let case = Case::new(&THREADS, &[("f", &text())]);
    let mut wrong = Vec::new();
    for number in 1.. {
        let fault = Fault { kind: "thread", number, how: errno(libc::EAGAIN) };
        let outcome = case.run(Some(fault));
        if !outcome.0.met {
            assert!(number > 2, "threads are asked for");
            break;
        }
        wrong.extend(
            case.judge(fault, &outcome)
                .into_iter()
                .map(|what| format!("{number}: {what} [{}]", outcome.2)),
        );
        if outcome.0.status != 0 {
            wrong.push(format!("{number}: it gives up with {} [{}]", outcome.0.status, outcome.2));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Memory that is not there, from the first large piece on and from each later one: nothing is
/// lost, and nothing partial has a final name. Where it is missing to the smallest thing, Rust ends
/// the program by SIGABRT, says so, and what is temporary stays; that alone is not held against it.
#[test]
fn memory() {
    let case = Case::new(&THREADS, &[("f", &text())]);
    let mut wrong = Vec::new();
    for number in 1.. {
        let fault = Fault { kind: "memory", number, how: errno(libc::ENOMEM) };
        let (ended, mut found, said, wider) = case.run(Some(fault));
        if !ended.met {
            assert!(number > 2, "memory is asked for");
            break;
        }
        let aborted = ended.status == 128 + libc::SIGABRT && said.contains("memory allocation of");
        if aborted {
            found.retain(|name, _| case.given.contains_key(name) || case.made.contains_key(name));
        }
        let outcome = (ended, found, said, wider);
        let judged = case
            .judge(fault, &outcome)
            .into_iter()
            .filter(|what| !(aborted && what.starts_with("death")));
        wrong.extend(judged.map(|what| format!("{number}: {what} [{}]", outcome.2)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
