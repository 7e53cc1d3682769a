//! What the command shows while it works, and what it measures.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

#[expect(dead_code, reason = "for other tests")]
#[path = "common/command.rs"]
mod common;

use common::{command, ends, folder_with, lmz, names, ok, text, told};

/// A folder with two texts, `a` and `b`.
fn two() -> TempDir {
    let folder = folder_with("a", &text()[..20_000]);
    fs::write(folder.path().join("b"), &text()[20_000..25_000]).unwrap();
    folder
}

/// The lines of JSON among what was said.
fn lines(said: &str) -> Vec<Value> {
    let json = said.lines().filter(|line| line.starts_with('{'));
    json.map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn a_pipe_gets_nothing() {
    let folder = two();
    for args in [&["-1", "a", "b"][..], &["-t", "a.lmz", "b.lmz"], &["-df", "a.lmz", "b.lmz"]] {
        let output = lmz(&folder, args);
        ok(&output);
        assert_eq!(told(&output), "", "{args:?}");
    }
}

/// One line of each file is the last, and says that all of it is done.
#[test]
fn lines_for_programs() {
    let folder = two();
    for (args, phase) in [
        (&["-1", "--block", "4K", "--rm"][..], "compress"),
        (&["-t"], "test"),
        (&["-d", "-q", "-T2"], "decompress"),
    ] {
        let suffix = if phase == "compress" { "" } else { ".lmz" };
        let files = ["a", "b"].map(|name| format!("{name}{suffix}"));
        let args = [args, &["--progress", "json", &files[0], &files[1]]].concat();
        let output = lmz(&folder, &args);
        ok(&output);
        let lines = lines(&told(&output));
        assert_eq!(told(&output).lines().count(), lines.len(), "nothing else is said");
        for (number, (file, length)) in (1..).zip(files.iter().zip([20_000, 5000])) {
            let of_file: Vec<_> = lines.iter().filter(|line| line["file"] == **file).collect();
            assert!(of_file.iter().all(|line| line["number"] == number && line["files"] == 2));
            let (last, before) = of_file.split_last().expect("a line of each file");
            assert!(before.iter().all(|line| line["ended"] == false), "{before:?}");
            assert_eq!((&last["ended"], &last["failed"]), (&true.into(), &false.into()));
            assert_eq!(last["total_bytes"], length, "{last}");
            assert_eq!(last["done_bytes"], length, "{last}");
            assert!(last["written_bytes"].as_u64() > Some(100) && last["rate"].as_u64() > Some(0));
            assert_eq!(last["rest_seconds"], 0.0, "{last}");
            // What is removed afterwards is tested first.
            let phase = if args.contains(&"--rm") { "test" } else { phase };
            assert_eq!(last["phase"], phase, "{last}");
        }
    }
}

#[test]
fn lines_of_what_is_not_known_or_fails() {
    let folder = two();
    let output = common::piped(&folder, &["-1c", "--progress", "json"], &text()[..1000]);
    ok(&output);
    let last = lines(&told(&output)).pop().unwrap();
    assert!(last["total_bytes"].is_null() && last["rest_seconds"].is_null(), "{last}");
    assert_eq!((&last["file"], &last["done_bytes"]), (&"-".into(), &1000.into()));
    let output = lmz(&folder, &["-1", "--progress", "json", "missing", "a"]);
    assert_eq!(output.status.code(), Some(1));
    let failed: Vec<_> = lines(&told(&output))
        .into_iter()
        .filter(|line| line["ended"] == true)
        .map(|line| line["failed"].clone())
        .collect();
    assert_eq!(failed, [true, false]);
    assert!(told(&output).contains("lmz: missing: cannot be read"));
}

/// On a terminal: a bar that says which of how many, and never all before the end.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_a_bar() {
    let folder = two();
    let on_terminal = |options: &str| {
        let line = format!("{} {options}", env!("CARGO_BIN_EXE_lmz"));
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).current_dir(&folder).env("TERM", "xterm");
        script.stdin(std::process::Stdio::null()).output()
    };
    // Long enough for a bar to be drawn before it is done.
    let long = include_bytes!("../../../testdata/prose.txt");
    fs::write(folder.path().join("long"), long).unwrap();
    let model = if cfg!(feature = "nano") { "-2" } else { "-1" };
    let Ok(output) = on_terminal(&format!("{model} long b")) else {
        eprintln!("no script (of util-linux) here: left out");
        return;
    };
    ok(&output);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if cfg!(feature = "nano") {
        assert!(said.contains("1/2 long") && said.contains("kB/s"), "{said:?}");
    }
    assert!(!said.contains("100%"), "{said:?}");
    assert!(
        said.contains(&format!("long: {} -> ", long.len())) && said.contains("b: 5000 -> "),
        "{said:?}"
    );
    for option in ["-q", "--no-progress", "--progress never"] {
        let output = on_terminal(&format!("-1f {option} a")).unwrap();
        ok(&output);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!said.contains('%') || said.trim_start().starts_with("a: "), "{option}: {said:?}");
    }
}

#[test]
fn a_benchmark_prints_and_writes_nothing() {
    let folder = two();
    let output = lmz(&folder, &["-b1", "-T1", "a", "b"]);
    ok(&output);
    let said = String::from_utf8(output.stdout).unwrap();
    let [heading, line] = &said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
    assert!(heading.contains("bytes in") && heading.contains("kernel"), "{said}");
    let columns: Vec<_> = line.split_whitespace().collect();
    assert_eq!(columns[..3], ["-1", "none", "25000"], "{said}");
    assert_eq!(names(&folder), ["a", "b"]);
    assert!(output.stderr.is_empty());
}

#[test]
fn a_benchmark_for_programs() {
    let folder = two();
    let args = ["-b", "--model", "none", "--json", "--block", "2K", "-T", "2", "a"];
    let output = command(&folder, &args).env("LMZ_KERNEL", "plain").output().unwrap();
    ok(&output);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let archive = lmz(&folder, &["-1c", "--block", "2K", "a"]).stdout.len();
    assert_eq!((&found["bytes_in"], &found["bytes_out"]), (&20_000.into(), &archive.into()));
    assert!(found["level"].is_null(), "{found}");
    assert_eq!((&found["model"], &found["kernel"]), (&"none".into(), &"plain".into()));
    assert_eq!((&found["threads"], &found["runs"]), (&2.into(), &1.into()));
    let bits = found["bits_per_byte"].as_f64().unwrap();
    assert!((bits - archive as f64 / 2500.0).abs() < 1e-9, "{found}");
    for field in ["compress_rate", "decompress_rate", "compress_seconds", "decompress_seconds"] {
        assert!(found[field].as_f64() > Some(0.0), "{field}: {found}");
    }
    #[cfg(unix)]
    assert!(found["compress_cpu_seconds"].as_f64() > Some(0.0), "{found}");
}

#[cfg(feature = "nano")]
#[test]
fn a_benchmark_of_levels() {
    let folder = folder_with("a", &include_bytes!("../../../testdata/technical.md")[..2000]);
    let output = lmz(&folder, &["-b1", "-e2", "--json", "a"]);
    ok(&output);
    let said = String::from_utf8(output.stdout).unwrap();
    let found: Vec<_> = lines(&said);
    let levels: Vec<_> = found.iter().map(|row| (&row["level"], &row["model"])).collect();
    assert_eq!(levels, [(&1.into(), &"none".into()), (&2.into(), &"nano".into())]);
    assert!(found[1]["bytes_out"].as_u64() < found[0]["bytes_out"].as_u64(), "{said}");
}

#[test]
fn benchmarks_that_cannot_be() {
    let folder = folder_with("empty", b"");
    ends(&lmz(&folder, &["-b"]), 2, "expected a FILE to measure, found none");
    ends(&lmz(&folder, &["-b1", "missing"]), 1, "missing: cannot be read");
    ends(&lmz(&folder, &["-b1", "empty"]), 1, "found 0 bytes");
}
