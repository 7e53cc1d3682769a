//! Archives are the same in whatever floating-point state a process uses the library first: tables
//! and built-in models are made once in a process, so each state has a process of its own. This
//! test runs itself; and it runs the command, with a library loaded before it that sets the state
//! before `main`.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use std::process::{Command, Output};
use std::thread;

use archives::{Golden, decoding};
use lmz::{EncoderOptions, Predictor, compress_with, decompress, decompress_with};
use state::{NORMAL, STATES, set};

#[path = "../../../tests/common/archives.rs"]
mod archives;
#[expect(dead_code, reason = "for states within a process")]
#[path = "../../../tests/common/state.rs"]
mod state;

/// What a child does, and in which state: `STATE NUMBER`.
const TASK: &str = "LMZ_TEST_FPSTATE";

/// What a host uses first while its state is another one.
const FIRST: [&str; 5] = ["all", "default", "model", "decode", "compress"];

/// Few archives, because every process makes them: of each codec one, short and full frames, a
/// dictionary.
fn some() -> impl Iterator<Item = Golden> {
    let names = [
        "noise.bin",
        "zeros.bin",
        "mixed.bin",
        "primed.txt",
        "mix-message.txt",
        "mix-blocks.bin",
        "mix-primed.txt",
        "joint-message.txt",
        "joint-primed.txt",
        "unmixed.txt",
    ];
    archives::all().into_iter().filter(move |golden| golden.written && names.contains(&golden.name))
}

/// Each archive as it has to be, made and read.
fn check(what: &str) {
    for golden in some() {
        let archive = compress_with(golden.raw, &golden.options).unwrap();
        assert!(
            archive == golden.archive,
            "{what}: {} is compressed to something else",
            golden.name
        );
        let raw = decompress_with(golden.archive, &decoding());
        assert!(
            raw.is_ok_and(|raw| raw == golden.raw),
            "{what}: {} decodes to something else",
            golden.name
        );
    }
}

/// Runs this test in a process of its own.
fn child(first: &str, state: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "the_first_use_in_a_state", "--nocapture"])
        .env(TASK, format!("{first} {state}"));
    command.output().unwrap()
}

/// In a child: what comes first in a state, and the rest in the normal one, as where a host rounds
/// down for a moment.
#[test]
fn the_first_use_in_a_state() {
    let Ok(task) = std::env::var(TASK) else {
        // The parent. Two processes at a time, as many as there are processors on small machines.
        let tasks =
            FIRST.iter().flat_map(|first| STATES.iter().map(move |(_, state)| (*first, *state)));
        // What differs from child to child is where tables come from: one state is enough for
        // single parts.
        let tasks: Vec<_> =
            tasks.filter(|(first, state)| *first == "all" || *state == STATES[0].1).collect();
        thread::scope(|scope| {
            let run = |tasks: &[(&str, u64)]| {
                for (first, state) in tasks {
                    let output = child(first, &format!("{state:x}"));
                    let said = String::from_utf8_lossy(&output.stderr);
                    assert!(
                        output.status.success(),
                        "first {first} in state {state:x}: {}\n{said}",
                        output.status
                    );
                }
            };
            let (one, two) = tasks.split_at(tasks.len() / 2);
            scope.spawn(move || run(one));
            run(two);
        });
        return;
    };
    let (first, state) = task.split_once(' ').unwrap();
    let what = format!("first {first} in state {state}");
    set(u64::from_str_radix(state, 16).unwrap());
    match first {
        "all" => check(&what),
        "default" => drop(EncoderOptions::default()),
        #[cfg(feature = "nano")]
        "model" => drop(Predictor::find("nano").unwrap()),
        #[cfg(not(feature = "nano"))]
        "model" => drop(Predictor::find("none").unwrap()),
        "decode" => {
            let golden = some().find(|golden| golden.name == "mix-message.txt").unwrap();
            assert!(decompress(golden.archive).unwrap() == golden.raw, "{what}");
        }
        "compress" => {
            compress_with(
                b"a few words, a few words",
                &EncoderOptions::new().predictor(Predictor::None),
            )
            .unwrap();
        }
        _ => panic!("{what}: no such thing"),
    }
    set(NORMAL);
    check(&what);
}

/// The command, whose process may be started in any state: by a library that is loaded before it,
/// or a parent on systems that hand the state on.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod command {
    use std::fs;
    use std::path::{Path, PathBuf};

    use tempfile::TempDir;

    use super::*;

    /// Sets MXCSR and, if it is told to, the control word of x87 (rounding up, single precision).
    const SOURCE: &str = r#"
        #include <stdlib.h>
        __attribute__((constructor)) static void set(void) {
            const char *state = getenv("LMZ_TEST_MXCSR"), *x87 = getenv("LMZ_TEST_X87");
            if (state) {
                unsigned value = strtoul(state, 0, 16);
                __asm__ volatile("ldmxcsr %0" : : "m"(value));
            }
            if (x87) {
                unsigned short value = strtoul(x87, 0, 16);
                __asm__ volatile("fldcw %0" : : "m"(value));
            }
        }
    "#;

    fn library(folder: &Path) -> PathBuf {
        let (source, library) = (folder.join("state.c"), folder.join("state.so"));
        fs::write(&source, SOURCE).unwrap();
        // What links Rust programs is there.
        let cc = std::env::var_os("CC").unwrap_or("cc".into());
        let made = Command::new(cc)
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(&source)
            .status();
        assert!(made.unwrap().success(), "cc");
        library
    }

    /// The command in `folder` under a state of MXCSR and x87.
    fn lmz(
        folder: &Path,
        library: &Path,
        (state, x87): (u64, Option<&str>),
        args: &[&str],
    ) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lmz"));
        command.args(args).current_dir(folder).env("LD_PRELOAD", library);
        command.env("LMZ_TEST_MXCSR", format!("{state:x}"));
        if let Some(x87) = x87 {
            command.env("LMZ_TEST_X87", x87);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?} in state {state:x}: {}: {said}", output.status);
        output
    }

    #[test]
    fn the_command_in_every_state() {
        let folder = TempDir::new().unwrap();
        let (folder, library) = (folder.path(), library(folder.path()));
        let text: Vec<u8> =
            (0..150).flat_map(|i| format!("line {i}: {}\n", i * i * 37).into_bytes()).collect();
        let normal = (NORMAL, None);
        for (name, how) in
            [("none", &["--model", "none"][..]), ("ppm", &["--model", "ppm"]), ("nano", &["-2"])]
        {
            if name == "nano" && cfg!(not(feature = "nano")) {
                continue;
            }
            fs::write(folder.join("f"), &text).unwrap();
            lmz(folder, &library, normal, &[how, &["-f", "f", "-o", "expected.lmz"]].concat());
            let expected = fs::read(folder.join("expected.lmz")).unwrap();
            // A model takes longest to load: it has every third state.
            let each = if name == "nano" { 3 } else { 1 };
            for (number, (_, state)) in STATES.into_iter().enumerate().step_by(each) {
                // The control word of x87, where all is masked and where nothing is.
                let x87 = [None, Some("087f"), Some("0840")][number / each % 3];
                let (here, there) = ((state, x87), (STATES[(number + 5) % STATES.len()].1, None));
                lmz(folder, &library, here, &[how, &["--rm", "f"]].concat());
                assert!(!folder.join("f").exists());
                assert!(
                    fs::read(folder.join("f.lmz")).unwrap() == expected,
                    "{name}, {here:x?}: another archive"
                );
                lmz(folder, &library, there, &["-t", "f.lmz"]);
                let range =
                    lmz(folder, &library, there, &["-d", "--range", "10..50", "-c", "f.lmz"])
                        .stdout;
                assert!(range == text[10..50], "{name}, {there:x?}");
                lmz(folder, &library, there, &["-d", "--rm", "f.lmz"]);
                assert!(fs::read(folder.join("f")).unwrap() == text, "{name}, {there:x?}");
            }
        }
    }
}
