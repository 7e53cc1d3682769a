//! Pipes, devices and standard streams: they are written to and never replaced, and what is lost in
//! one is an error.
#![cfg(unix)]

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::process::{Command, Stdio};

use tempfile::TempDir;

#[expect(dead_code, reason = "for other tests")]
#[path = "common/command.rs"]
mod common;

use common::{command, fails, lmz, names, ok, path, read, shell, text, with_archive};

#[test]
fn pipes_and_devices_are_written_to() {
    let folder = with_archive();
    let pipe = path(&folder, "pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for force in [&[][..], &["-f"]] {
        let child =
            command(&folder, &[force, &["-d", "a.lmz", "-o", "pipe"]].concat()).spawn().unwrap();
        let mut found = Vec::new();
        File::open(&pipe).unwrap().read_to_end(&mut found).unwrap();
        ok(&child.wait_with_output().unwrap());
        assert!(found == text());
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    }
    // Into what a shell makes of >(command), and what leads to a pipe.
    ok(&shell(&folder, "$LMZ -1 a -o >(cat > got); sleep 0.2; $LMZ -dc got | cmp - a"));
    symlink("pipe", path(&folder, "link")).unwrap();
    ok(&shell(
        &folder,
        "cat pipe > got2 & $LMZ -1 -f a -o link && wait && $LMZ -dc got2 | cmp - a && [ -L link ]",
    ));
    let null = path(&folder, "null");
    if Command::new("mknod").arg(&null).args(["c", "1", "3"]).status().unwrap().success() {
        for force in [&[][..], &["-f"]] {
            ok(&lmz(&folder, &[force, &["-1", "a", "-o", "null"]].concat()));
            assert!(fs::symlink_metadata(&null).unwrap().file_type().is_char_device());
        }
        // A device that holds data is not written over without being asked.
        let disk = path(&folder, "disk");
        assert!(
            Command::new("mknod").arg(&disk).args(["b", "7", "250"]).status().unwrap().success()
        );
        fails(&lmz(&folder, &["-1", "a", "-o", "disk"]), "-f writes over it");
        assert!(fs::symlink_metadata(&disk).unwrap().file_type().is_block_device());
    } else {
        eprintln!("only root makes devices: left out");
    }
}

#[test]
fn names_of_standard_output() {
    let folder = with_archive();
    let links = folder.path().to_owned();
    symlink("/dev/stdout", links.join("link")).unwrap();
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"] {
        // What is there already stays there.
        let line = format!("{{ echo before; $LMZ -d -f a.lmz -o {name}; echo after; }} > out");
        ok(&shell(&folder, &line));
        assert!(read(&folder, "out") == [b"before\n", &text()[..], b"after\n"].concat(), "{name}");
        ok(&shell(&folder, &format!("$LMZ -d a.lmz -o {name} | cmp - a")));
    }
    ok(&shell(&folder, "$LMZ -d a.lmz -o /dev/fd/7 7> seven; cmp seven a"));
    assert!(fs::symlink_metadata(links.join("link")).unwrap().is_symlink());
}

#[test]
fn closed_streams_are_errors_before_the_work() {
    let folder = with_archive();
    let archive = read(&folder, "a.lmz");
    for (line, words) in [
        ("$LMZ -dc a.lmz >&-", "standard output is closed"),
        ("$LMZ -1 -c a >&-", "standard output is closed"),
        ("$LMZ -l a.lmz >&-", "standard output is closed"),
        ("$LMZ --help >&-", "standard output is closed"),
        ("$LMZ --man >&-", "standard output is closed"),
        ("$LMZ model list >&-", "standard output is closed"),
        ("$LMZ -d --range 1..2 a.lmz >&-", "standard output is closed"),
        ("$LMZ -1 -o b <&-", "standard input is closed"),
        ("$LMZ -d -o b <&-", "standard input is closed"),
        ("$LMZ -1 - -o b <&-", "standard input is closed"),
        ("$LMZ -1 a -f -o /dev/stdout >&-", "is closed"),
        ("$LMZ -1 a -f -o /dev/fd/1 >&-", "is closed"),
        ("$LMZ -1 -c /dev/stdin <&-", "is closed"),
        ("$LMZ -1 -c /dev/fd/0 <&-", "is closed"),
    ] {
        fails(&shell(&folder, line), words);
    }
    assert_eq!(names(&folder), ["a", "a.lmz"]);
    for name in ["/dev/stderr", "/dev/fd/2"] {
        assert_eq!(
            shell(&folder, &format!("$LMZ -1 a -f -o {name} 2>&-")).status.code(),
            Some(1),
            "{name}"
        );
    }
    // A closed error stream is nobody's loss.
    ok(&shell(&folder, "$LMZ -d -v -f a.lmz -o b 2>&- && cmp a b"));
    ok(&shell(&folder, "$LMZ -1 -f a -o b.lmz <&- >&- 2>&-"));
    assert!(read(&folder, "b.lmz") == archive);
}

#[test]
fn full_streams_are_errors() {
    let folder = with_archive();
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    for args in [
        &["-1", "-c", "a"][..],
        &["-dc", "a.lmz"],
        &["-l", "a.lmz"],
        &["--help"],
        &["--version"],
        &["--completions", "bash"],
        &["model", "list"],
        &["explain", "--model", "none", "-c", "a"],
    ] {
        let output = command(&folder, args).stdout(full()).stderr(Stdio::piped()).output().unwrap();
        fails(&output, "No space left");
    }
    // Messages that cannot be printed change nothing else.
    for (args, code) in
        [(&["-1", "-v", "-f", "a"][..], 0), (&["-d", "missing"], 1), (&["--nonsense"], 2)]
    {
        let status = command(&folder, args).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn pipes_in_which_nothing_can_be_sought_are_not_waited_for() {
    let folder = TempDir::new().unwrap();
    assert!(Command::new("mkfifo").arg(path(&folder, "pipe")).status().unwrap().success());
    for args in [
        &["-l", "pipe"][..],
        &["-d", "--range", "1..", "pipe"],
        &["recover", "pipe", "-o", "x"],
        &["-l"],
    ] {
        fails(&lmz(&folder, args), "give a file");
    }
}
