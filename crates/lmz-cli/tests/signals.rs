//! How the command ends: by signals as other programs do, without leaving parts of outputs behind.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[expect(dead_code, reason = "for other tests")]
#[path = "common/command.rs"]
mod common;

use common::{command, folder_with, lmz, names, ok, shell, text, told};

/// A file that takes a while.
fn large() -> TempDir {
    let noise: Vec<u8> = (0..200_000u32)
        .flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes())
        .map(|b| b % 30)
        .collect();
    folder_with("a", &noise)
}

/// Waits until an output has been begun.
fn begun(folder: &TempDir) {
    let end = Instant::now() + Duration::from_secs(60);
    while !names(folder).iter().any(|name| name.starts_with(".lmz-")) {
        assert!(Instant::now() < end, "no output was begun");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill(child: &Child, signal: &str) {
    assert!(
        Command::new("kill")
            .args([&format!("-{signal}"), &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
}

fn quiet(output: &Output) {
    assert!(output.stderr.is_empty(), "{}", told(output));
}

#[test]
fn a_signal_ends_it_as_it_ends_others() {
    let folder = large();
    for (name, number) in
        [("INT", 2), ("HUP", 1), ("TERM", 15), ("QUIT", 3), ("USR1", 10), ("ABRT", 6)]
    {
        // Without a core file of SIGQUIT; and whoever runs the tests may ignore some of them.
        let line =
            "ulimit -c 0; exec env --default-signal=HUP,INT,QUIT,TERM,USR1,ABRT \"$LMZ\" -T1 a";
        let mut command = Command::new("bash");
        command.args(["-c", line]).env("LMZ", env!("CARGO_BIN_EXE_lmz")).current_dir(&folder);
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        begun(&folder);
        kill(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(number), "{name}: {:?}", output.status);
        quiet(&output);
        assert_eq!(names(&folder), ["a"], "{name}");
    }
}

#[test]
fn ignored_signals_stay_ignored() {
    let folder = large();
    for signal in ["HUP", "INT", "ABRT"] {
        let line = format!("trap '' {signal}; exec \"$LMZ\" -1 -T1 -f a");
        let mut command = Command::new("bash");
        command.args(["-c", &line]).env("LMZ", env!("CARGO_BIN_EXE_lmz")).current_dir(&folder);
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        begun(&folder);
        kill(&child, signal);
        ok(&child.wait_with_output().unwrap());
        assert_eq!(names(&folder), ["a", "a.lmz"], "{signal}");
        fs::remove_file(folder.path().join("a.lmz")).unwrap();
    }
}

/// Whoever reads has seen enough: no message, and the end that other programs have then.
#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = folder_with("a", &text());
    ok(&lmz(&folder, &["-1", "a"]));
    for args in [
        &["-dc", "a.lmz"][..],
        &["-1", "-c", "a"],
        &["-l", "a.lmz"],
        &["-d", "--range", "5..", "a.lmz"],
        &["recover", "-c", "a.lmz"],
        &["--help"],
        &["--man"],
        &["--completions", "bash"],
        &["model", "list"],
        &["explain", "--model", "none", "-c", "a"],
    ] {
        // Closed before it begins, so that little is no different from much.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(&folder, args).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(
            output.status.signal(),
            Some(13),
            "{args:?}: {:?} {}",
            output.status,
            told(&output)
        );
        quiet(&output);
    }
}

/// Where the signal is ignored, the failure is told and the exit code is that of one.
#[test]
fn a_closed_pipe_is_an_error_where_its_signal_is_ignored() {
    let folder = folder_with("a", &text());
    let output = shell(&folder, "trap '' PIPE; { $LMZ -1 -c a; echo $? >&2; } | true");
    assert!(
        told(&output).contains("Broken pipe") && told(&output).ends_with("\n1\n"),
        "{}",
        told(&output)
    );
}

/// Where the error stream is the pipe, nothing is lost of the output.
#[test]
fn messages_into_a_closed_pipe_change_nothing() {
    let folder = folder_with("a", &text());
    let mut child = command(&folder, &["-1", "-v", "a"]).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success());
    assert_eq!(names(&folder), ["a", "a.lmz"]);
}

/// A file that may not grow is a full disk, not a death that leaves a part behind.
#[test]
fn a_limit_on_the_size_of_files() {
    let folder = large();
    let output = shell(&folder, "ulimit -f 8; $LMZ -1 -T1 --block 32K a");
    assert_eq!(output.status.code(), Some(1), "{:?}", output.status);
    assert!(told(&output).contains("File too large"), "{}", told(&output));
    assert_eq!(names(&folder), ["a"]);
}

/// Memory that is not there ends the command with a message and without a part of an output.
#[cfg(target_os = "linux")]
#[test]
fn memory_that_is_not_there() {
    let folder = large();
    for limit in [60_000, 150_000] {
        let within = |command: &str| {
            shell(&folder, &format!("ulimit -c 0; ulimit -v {limit}; $LMZ {command}"))
        };
        // Not even the program fits, which is larger with the hub.
        if !within("--version").status.success() {
            continue;
        }
        let output = within("-1 -f --memory 100GiB -T4 --block 200K a");
        if output.status.success() {
            continue;
        }
        assert_eq!(output.status.code(), Some(1), "{limit}: {:?} {}", output.status, told(&output));
        assert!(told(&output).contains("memory"), "{}", told(&output));
        assert!(!told(&output).contains("panicked"), "{}", told(&output));
        assert_eq!(names(&folder), ["a"]);
    }
}

/// Threads that cannot be started are done without.
#[cfg(target_os = "linux")]
#[test]
fn threads_that_are_not_there() {
    let folder = folder_with("a", &text().repeat(10));
    // Root is not held to a number of processes: as another user, who may write here.
    let line = "chmod 777 . && chmod 644 a && setpriv --reuid 65432 --clear-groups --inh-caps=-all \
        bash -c 'ulimit -u 1; exec \"$LMZ\" -1 -T8 --block 20K -c a' > a.lmz && $LMZ -dc a.lmz | \
        cmp - a";
    if !Command::new("setpriv")
        .args(["--reuid", "65432", "--clear-groups", "true"])
        .status()
        .is_ok_and(|s| s.success())
    {
        eprintln!("only root becomes another user: left out");
        return;
    }
    ok(&shell(&folder, line));
}

/// A reader sees what has been decoded of a pipe before its end has come.
#[test]
fn frames_are_decoded_as_they_come() {
    let folder = TempDir::new().unwrap();
    let line = "{ echo first | $LMZ -1; cat /dev/stdin; } | $LMZ -d";
    let mut command = Command::new("bash");
    command.args(["-c", line]).env("LMZ", env!("CARGO_BIN_EXE_lmz")).current_dir(&folder);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "first\n");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
