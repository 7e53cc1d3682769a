//! The definition of the command line: commands, what is made of it for shells and for `man`, and
//! the commands that are a program of their own.

use std::fs;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

#[expect(dead_code, reason = "for other tests")]
#[path = "common/command.rs"]
mod common;

use common::{ends, folder_with, lmz, names, ok, told};

/// All commands of `lmz`, as a user finds them in its help.
const COMMANDS: [&str; 16] = [
    "compress",
    "decompress",
    "test",
    "list",
    "recover",
    "model",
    "explain",
    "score",
    "generate",
    "compare",
    "experiment",
    "similar",
    "distances",
    "classify",
    "cluster",
    "features",
];

fn printed(args: &[&str]) -> String {
    let output = lmz(&TempDir::new().unwrap(), args);
    ok(&output);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn completions_know_every_command() {
    for (shell, of_pull, of_explain) in [
        ("bash", "--offline", "--limit"),
        ("zsh", "--offline", "--limit"),
        ("fish", "-l offline", "-l limit"),
        ("elvish", "--offline", "--limit"),
        ("powershell", "--offline", "--limit"),
    ] {
        let script = printed(&["--completions", shell]);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell} without {command}");
        }
        // Of an option that several commands have, one line names the command.
        let has = |words: &[&str]| {
            let mut lines = script.lines();
            lines.any(|line| words.iter().all(|word| line.contains(word)))
        };
        match shell {
            "bash" => {
                let options = |case: &str| {
                    let at = script.find(&format!("        {case})\n")).expect(case);
                    script[at..].lines().nth(1).unwrap().to_owned()
                };
                assert!(options("lmz__subcmd__model__subcmd__pull").contains(of_pull));
                assert!(options("lmz__subcmd__explain").contains(of_explain));
            }
            "fish" => {
                assert!(has(&["__fish_seen_subcommand_from pull", of_pull]));
                assert!(has(&["__fish_lmz_using_subcommand explain", of_explain]));
            }
            _ => assert!(has(&[of_pull]) && has(&[of_explain]), "{shell}"),
        }
    }
}

/// Each shell that is here takes its script.
#[test]
fn completions_are_scripts() {
    let folder = TempDir::new().unwrap();
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        if Command::new(shell).arg("--version").output().is_err() {
            assert_ne!(shell, "bash", "other tests need it too");
            eprintln!("no {shell} here: left out");
            continue;
        }
        let path = folder.path().join(shell);
        fs::write(&path, printed(&["--completions", shell])).unwrap();
        let output = Command::new(shell).arg(check).arg(&path).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
    }
}

#[test]
fn the_manual_knows_every_command() {
    let manual = printed(&["--man"]);
    assert!(manual.contains(".TH lmz 1"), "{manual}");
    let part = |name: &str| {
        let head = format!("\n.SS lmz {name}\n");
        let at = manual.find(&head).unwrap_or_else(|| panic!("no part {name}: {manual}"));
        let part = &manual[at + head.len()..];
        part[..part.find("\n.S").unwrap_or(part.len())].replace("\\-", "-")
    };
    for command in COMMANDS {
        assert!(part(command).contains(&format!("lmz {command}")), "{command}");
    }
    assert!(part("model pull").contains("--offline"));
    assert!(part("explain").contains("--limit"));
    // Sections that stand once, and options that only the long help tells of.
    for head in ["NAME", "SYNOPSIS", "OPTIONS", "COMMANDS", "NOTES"] {
        assert_eq!(manual.matches(&format!(".SH {head}\n")).count(), 1, "{head}");
    }
    assert!(manual.contains("Streams that each block is cut into"), "{manual}");
}

#[test]
fn help_knows_every_command() {
    for flag in ["-h", "--help", "help"] {
        let help = printed(&[flag]);
        for command in COMMANDS {
            let begins = format!("  {command} ");
            assert!(help.lines().any(|line| line.starts_with(&begins)), "{flag}: {command}");
        }
        assert!(help.contains("Exit codes"), "{help}");
    }
    for line in [&["model", "pull", "--help"][..], &["help", "model", "pull"]] {
        let help = printed(line);
        assert!(help.contains("Usage: lmz model pull") && help.contains("--offline"), "{help}");
    }
    let help = printed(&["list", "--help"]);
    assert!(help.contains("--limit-content") && !help.contains("--ppm-order"), "{help}");
    for line in [&["model"][..], &["model", "pul"], &["explain"], &["recover", "a"]] {
        assert_eq!(lmz(&TempDir::new().unwrap(), line).status.code(), Some(2), "{line:?}");
    }
}

#[test]
fn options_stand_before_and_after_a_command() {
    let folder = folder_with("a", b"content");
    for line in [&["-1", "-f", "compress", "a"][..], &["compress", "a", "-1f"]] {
        ok(&lmz(&folder, line));
    }
    for line in [&["-v", "list", "a.lmz"][..], &["list", "-v", "a.lmz"], &["-lv", "a.lmz"]] {
        let output = lmz(&folder, line);
        ok(&output);
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 mixed"), "{output:?}");
    }
    assert_eq!(names(&folder), ["a", "a.lmz"]);
}

/// A file of a command's name is that file wherever it stands.
#[test]
fn a_file_named_like_a_command_behind_options() {
    let folder = folder_with("test", b"content");
    let output = lmz(&folder, &["-1", "test"]);
    ok(&output);
    assert!(told(&output).contains("is taken as the file of this name"), "{}", told(&output));
    for line in [&["-1", "-f", "--", "test"][..], &["-1", "-f", "./test"]] {
        let output = lmz(&folder, line);
        ok(&output);
        assert_eq!(told(&output), "", "{line:?}");
    }
    assert_eq!(names(&folder), ["test", "test.lmz"]);
}

/// Runs a copy of lmz that stands in a folder, with nothing in PATH but what is given.
fn run(folder: &TempDir, path: &str, args: &[&str]) -> Output {
    let lmz = folder.path().join("lmz");
    if !lmz.exists() {
        let here = env!("CARGO_BIN_EXE_lmz");
        fs::hard_link(here, &lmz).or_else(|_| fs::copy(here, &lmz).map(drop)).unwrap();
    }
    let mut command = Command::new(lmz);
    command.args(args).env("PATH", path).current_dir(folder).stdin(Stdio::null());
    command.output().unwrap()
}

#[test]
fn commands_of_another_program_say_how_to_get_it() {
    let folder = TempDir::new().unwrap();
    for args in [
        &["compare", "x"][..],
        &["compare", "--help"],
        &["help", "experiment"],
        &["experiment", "table", "--data", "x"],
    ] {
        let output = run(&folder, "/nonexistent", args);
        ends(&output, 2, "cargo install --path crates/lmz-bench");
    }
}

#[cfg(unix)]
#[test]
fn commands_of_another_program_are_passed_on() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let script = |folder: &TempDir, says: &str| {
        let path = folder.path().join("lmz-bench");
        fs::write(&path, format!("#!/bin/sh\necho {says} \"$@\"\nexit 3\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let says = |args: &[&str], expected: &str| {
        let output = run(&folder, other.path().to_str().unwrap(), args);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    };
    script(&other, "in PATH:");
    says(&["compare", "a", "--codecs", "x"], "in PATH: compare a --codecs x\n");
    // The one beside it goes first.
    script(&folder, "beside:");
    says(&["compare", "-q", "a b", "--help"], "beside: compare -q a b --help\n");
    says(&["experiment", "table"], "beside: experiment table\n");
    says(&["help", "compare"], "beside: compare --help\n");
    says(&["experiment", "--version", "--", "-x"], "beside: experiment --version -- -x\n");
}
