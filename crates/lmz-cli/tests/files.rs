//! What the command does to files: none is lost, and none is taken for another.
#![cfg(unix)]

use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::process::Command;

#[expect(dead_code, reason = "for other tests")]
#[path = "common/command.rs"]
mod common;

use common::{
    ends, fails, folder_with, lmz, names, ok, path, piped, read, shell, text, told, with_archive,
};

#[test]
fn no_output_is_an_input_whatever_its_name() {
    let folder = with_archive();
    fs::hard_link(path(&folder, "a.lmz"), path(&folder, "hard")).unwrap();
    symlink("a.lmz", path(&folder, "soft")).unwrap();
    let archive = read(&folder, "a.lmz");
    for name in ["a.lmz", "./a.lmz", "hard", "soft"] {
        for remove in [&[][..], &["--rm"]] {
            fails(
                &lmz(&folder, &[&["-d", "-f", "a.lmz", "-o", name][..], remove].concat()),
                "is also an input",
            );
        }
        fails(&lmz(&folder, &["recover", "-f", "a.lmz", "-o", name]), "is also an input");
        assert!(read(&folder, "a.lmz") == archive);
    }
    // Neither another input of the same run.
    fs::write(path(&folder, "a.lmz.lmz"), &archive).unwrap();
    fails(&lmz(&folder, &["-d", "-f", "--rm", "a.lmz.lmz", "a.lmz"]), "is also an input");
    assert!(read(&folder, "a.lmz.lmz") == archive);
    // Nor through standard output.
    fails(&shell(&folder, "$LMZ -dc a.lmz >> a.lmz"), "standard output is an input");
    assert!(read(&folder, "hard") == archive);
}

/// Files that are open already are the same files.
#[test]
fn open_files_are_files_too() {
    let folder = with_archive();
    fs::write(path(&folder, "like"), &text()[..1000]).unwrap();
    for line in [
        "$LMZ -1 -f -o a < a",
        "$LMZ -1 -c - < a >> a",
        "$LMZ -1 -c a >> a",
        "$LMZ -1 a -o /dev/fd/3 3>> a",
        "$LMZ -1 a -o /dev/stderr 2>> a; code=$?; tail -n 1 a >&2; exit $code",
        "$LMZ -1 a -D like -o /dev/fd/3 3>> like",
        "$LMZ -1 a -D like -c >> like",
        "$LMZ explain --model none -f - -o a < a",
        "$LMZ explain --model none a -c >> a",
        "$LMZ explain --model none a -o /dev/fd/3 3>> a",
    ] {
        let output = shell(&folder, line);
        assert_eq!(output.status.code(), Some(1), "{line}: {}", told(&output));
        // A message may be appended where standard error is the file, but no archive.
        assert!(
            read(&folder, "a").starts_with(&text())
                && read(&folder, "a").len() < text().len() + 200,
            "{line}"
        );
        assert!(read(&folder, "like") == text()[..1000], "{line}");
        fs::write(path(&folder, "a"), text()).unwrap();
    }
}

#[test]
fn no_output_is_a_dictionary_or_a_model() {
    let folder = folder_with("a", &text());
    fs::write(path(&folder, "like"), &text()[..1000]).unwrap();
    for output in ["like", "./like"] {
        fails(
            &lmz(&folder, &["-1", "-f", "-D", "like", "a", "-o", output]),
            "is also the dictionary",
        );
    }
    let page = lmz(&folder, &["explain", "-f", "--model", "none", "-D", "like", "a", "-o", "like"]);
    fails(&page, "is also the dictionary");
    fails(
        &lmz(&folder, &["explain", "-f", "--model", "none", "a", "-o", "./a"]),
        "is also an input",
    );
    assert!(read(&folder, "like") == text()[..1000] && read(&folder, "a") == text());
    let model = path(&folder, "model");
    fs::create_dir(&model).unwrap();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-model");
    for file in fs::read_dir(golden).unwrap().flatten() {
        fs::copy(file.path(), model.join(file.file_name())).unwrap();
    }
    let before = fs::read(model.join("config.json")).unwrap();
    let output = lmz(&folder, &["-f", "--model", "model", "a", "-o", "model/config.json"]);
    fails(&output, "is also a file of the model");
    assert!(fs::read(model.join("config.json")).unwrap() == before);
    fails(
        &lmz(&folder, &["--rm", "--model", "./model", "model/config.json"]),
        "--rm must not remove",
    );
    assert!(fs::read(model.join("config.json")).unwrap() == before);
}

#[test]
fn rm_keeps_dictionaries() {
    let folder = folder_with("a", &text());
    fs::write(path(&folder, "like"), &text()[..1000]).unwrap();
    fs::hard_link(path(&folder, "like"), path(&folder, "same")).unwrap();
    for name in ["like", "same", "./like"] {
        fails(
            &lmz(&folder, &["-1", "-f", "--rm", "-D", "like", name, "a"]),
            "is also the dictionary",
        );
        assert_eq!(names(&folder), ["a.lmz", "like", "same"]);
        ok(&lmz(&folder, &["-d", "--rm", "-D", "like", "a.lmz"]));
        assert!(read(&folder, "a") == text());
    }
}

#[test]
fn rm_removes_only_regular_files_by_their_own_names() {
    let folder = folder_with("target", &text());
    symlink("target", path(&folder, "link")).unwrap();
    fails(&lmz(&folder, &["-1", "--rm", "link"]), "is a link");
    assert!(Command::new("mkfifo").arg(path(&folder, "pipe")).status().unwrap().success());
    fails(&lmz(&folder, &["-1", "--rm", "pipe"]), "not a regular file");
    fails(&lmz(&folder, &["-1", "--rm", "target", "-o", "pipe"]), "--rm removes inputs only where");
    fails(
        &lmz(&folder, &["-1", "--rm", "target", "-o", "/dev/stdout"]),
        "--rm removes inputs only where",
    );
    // Who waits to write into it is let go.
    ok(&shell(&folder, "(echo > pipe) & sleep 0.3; $LMZ -1 --rm pipe; wait"));
    assert_eq!(names(&folder), ["link", "pipe", "target"]);
    assert!(fs::symlink_metadata(path(&folder, "pipe")).unwrap().file_type().is_fifo());
    // Without it all of them can be read.
    ok(&lmz(&folder, &["-1", "link"]));
    ok(&lmz(&folder, &["-d", "link.lmz", "-o", "b"]));
    assert!(read(&folder, "b") == text());
}

#[test]
fn rm_keeps_what_holds_more_than_was_written() {
    let folder = with_archive();
    fs::remove_file(path(&folder, "a")).unwrap();
    let archive = [read(&folder, "a.lmz"), b"not a frame".to_vec()].concat();
    fs::write(path(&folder, "a.lmz"), &archive).unwrap();
    let output = lmz(&folder, &["-d", "--rm", "a.lmz"]);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("a.lmz: kept"), "{}", told(&output));
    assert!(read(&folder, "a") == text() && read(&folder, "a.lmz") == archive);
}

#[test]
fn what_follows_an_archive_is_passed_over_with_a_warning() {
    let folder = with_archive();
    let archive = read(&folder, "a.lmz");
    for (behind, code) in
        [(vec![0; 512], 0), (vec![0; 70_000], 0), (b"x".to_vec(), 2), (vec![7; 70_000], 2)]
    {
        fs::write(path(&folder, "b.lmz"), [&archive[..], &behind].concat()).unwrap();
        for args in
            [&["-d", "-f", "b.lmz"][..], &["-t", "b.lmz"], &["-l", "b.lmz"], &["-dc", "b.lmz"]]
        {
            let output = lmz(&folder, args);
            assert_eq!(output.status.code(), Some(code), "{args:?}: {}", told(&output));
            assert_eq!(told(&output).contains("warning"), code == 2, "{}", told(&output));
        }
        assert!(read(&folder, "b") == text());
        let range = lmz(&folder, &["-d", "--range", "5..10", "b.lmz"]);
        assert_eq!((range.status.code(), &range.stdout[..]), (Some(code), &text()[5..10]));
    }
}

#[test]
fn a_link_is_replaced_and_not_what_it_leads_to() {
    let folder = with_archive();
    fs::write(path(&folder, "precious"), b"precious").unwrap();
    symlink("precious", path(&folder, "link")).unwrap();
    fails(&lmz(&folder, &["-d", "a.lmz", "-o", "link"]), "-f overwrites");
    ok(&lmz(&folder, &["-d", "-f", "a.lmz", "-o", "link"]));
    assert!(read(&folder, "precious") == b"precious" && read(&folder, "link") == text());
}

#[test]
fn zeros_become_holes() {
    let folder = folder_with("a", &[]);
    let file = File::options().write(true).open(path(&folder, "a")).unwrap();
    file.set_len(40 << 20).unwrap();
    ok(&lmz(&folder, &["-1", "a"]));
    ok(&lmz(&folder, &["-d", "a.lmz", "-o", "b"]));
    let data = fs::metadata(path(&folder, "b")).unwrap();
    assert_eq!(data.len(), 40 << 20);
    assert!(data.blocks() * 512 < 1 << 20, "{} bytes on disk", data.blocks() * 512);
    ok(&shell(&folder, "cmp a b"));
}

#[test]
fn a_file_named_like_a_command() {
    for name in ["compress", "list", "model", "explain"] {
        let folder = folder_with(name, b"content");
        fs::write(path(&folder, "zeta"), b"more").unwrap();
        let output = shell(&folder, "$LMZ -1 * || exit; rm *.lmz; $LMZ *");
        ok(&output);
        assert!(told(&output).contains("is taken as the file of this name"), "{}", told(&output));
        assert_eq!(names(&folder), [name, &format!("{name}.lmz"), "zeta", "zeta.lmz"]);
    }
    // A folder cannot be compressed, so the word is the command.
    let folder = with_archive();
    fs::create_dir(path(&folder, "list")).unwrap();
    ok(&lmz(&folder, &["list", "a.lmz"]));
}

#[test]
fn names_with_control_characters_are_not_let_through() {
    let name = "a\u{1b}[31m\n\u{202e}b";
    let folder = folder_with(name, &text());
    let archive = format!("{name}.lmz");
    ok(&lmz(&folder, &["-1", name]));
    let damaged = [&read(&folder, &archive)[..100], b"x"].concat();
    fs::write(path(&folder, "damaged\u{1b}]0;x\u{7}.lmz"), damaged).unwrap();
    let word = "--no\u{1b}[31msuch";
    for args in [
        &["-l", &archive][..],
        &["-v", "-f", "-1", name],
        &["-t", "damaged\u{1b}]0;x\u{7}.lmz"],
        &["-d", "missing\u{9b}31m"],
        &[word],
        &["--model", "\u{1b}[1mx", name],
        &["-D", "\u{1b}[1mx", name],
        &["model", "info", "\u{1b}[1mx"],
        &["recover", &archive, "-o", "\u{1b}[0m/x"],
        &["explain", "\u{1b}[0m"],
    ] {
        let output = lmz(&folder, args);
        let printed = [&output.stdout[..], &output.stderr].concat();
        assert!(!printed.is_empty(), "{args:?}");
        let printed = String::from_utf8(printed).unwrap();
        let acts = printed.chars().find(|c| *c != '\n' && (c.is_control() || *c == '\u{202e}'));
        assert_eq!(acts, None, "{args:?}: {printed:?}");
        assert!(printed.lines().count() < 10, "{printed}");
    }
}

/// A bound is told with the option that lifts it.
#[test]
fn bounds_and_their_options() {
    let folder = folder_with("a", &vec![7; 10 << 20]);
    fs::write(path(&folder, "b"), text()).unwrap();
    ok(&lmz(&folder, &["-1", "a", "b"]));
    for args in [
        &["-d", "-f", "--limit-content", "1MiB", "a.lmz"][..],
        &["-d", "-f", "--memory", "1MiB", "b.lmz"],
        &["-t", "--memory", "1MiB", "b.lmz"],
        &["-d", "--range", "1..2", "--memory", "1MiB", "b.lmz"],
        &["-1", "-f", "--memory", "1MiB", "b"],
    ] {
        fails(&lmz(&folder, args), args[args.len() - 3]);
    }
    // What is under a bound is not refused.
    ok(&lmz(
        &folder,
        &["-d", "-f", "--limit-content", "10MiB", "--limit-expansion", "10", "a.lmz"],
    ));
}

#[test]
fn damaged_archives_leave_no_file() {
    let folder = with_archive();
    let mut archive = read(&folder, "a.lmz");
    let middle = archive.len() / 2;
    archive[middle] ^= 1;
    fs::write(path(&folder, "a.lmz"), &archive).unwrap();
    fs::remove_file(path(&folder, "a")).unwrap();
    ends(&lmz(&folder, &["-d", "--rm", "a.lmz"]), 1, "at byte");
    assert_eq!(names(&folder), ["a.lmz"]);
    ok(&piped(&folder, &["-1", "-o", "b"], b"x"));
}
