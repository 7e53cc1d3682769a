//! What the command does to files: none is lost, none gets more rights than it had, and what is no
//! regular file is written to and never replaced.
#![cfg(unix)]

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[path = "common/command.rs"]
mod common;

use common::{
    command, ends, fails, folder_with, lmz, names, ok, path, piped, read, shell, text, told,
};

/// A folder with `a` and its archive `a.lmz`.
fn with_archive() -> TempDir {
    let folder = folder_with("a", &text());
    ok(&lmz(&folder, &["-1", "a"]));
    folder
}

fn mode(folder: &TempDir, name: &str) -> u32 {
    fs::metadata(path(folder, name)).unwrap().mode() & 0o7777
}

fn set_mode(folder: &TempDir, name: &str, mode: u32) {
    fs::set_permissions(path(folder, name), Permissions::from_mode(mode)).unwrap();
}

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
fn rights_are_those_of_the_input() {
    let folder = folder_with("a", &text());
    for bits in [0o600, 0o644, 0o444, 0o751, 0o6755, 0o1777] {
        set_mode(&folder, "a", bits);
        ok(&lmz(&folder, &["-1", "-f", "a"]));
        assert_eq!(mode(&folder, "a.lmz"), bits & 0o777, "{bits:o}");
        set_mode(&folder, "a.lmz", bits);
        ok(&lmz(&folder, &["-d", "-f", "a.lmz", "-o", "b"]));
        assert_eq!(mode(&folder, "b"), bits & 0o777, "{bits:o}");
        ok(&lmz(&folder, &["explain", "-f", "--model", "none", "--limit", "10", "a"]));
        assert_eq!(mode(&folder, "a.html"), bits & 0o777, "{bits:o}");
    }
    // Of standard input too, if it is a file; of a pipe those that new files have.
    set_mode(&folder, "a", 0o640);
    ok(&shell(
        &folder,
        "umask 022; $LMZ -1 -o c < a && cat a | $LMZ -1 -o d && $LMZ -1 -o e <(cat a)",
    ));
    assert_eq!(["c", "d", "e"].map(|name| mode(&folder, name)), [0o640, 0o644, 0o644]);
    ok(&shell(&folder, "umask 077; cat a | $LMZ -1 -o f"));
    assert_eq!(mode(&folder, "f"), 0o600);
}

/// A pipe or device has rights as well, by whatever name it is read.
#[test]
fn rights_of_pipes_and_devices() {
    let folder = TempDir::new().unwrap();
    let line = "umask 022; mkfifo -m 600 ff; ln -s ff link
        (echo secret > ff &); $LMZ -1 ff -o 1; (echo secret > ff &); $LMZ -1 link -o 2
        (echo secret > ff &); $LMZ -1 - -o 3 < ff; echo open | $LMZ -1 -o 4";
    ok(&shell(&folder, line));
    assert_eq!(["1", "2", "3", "4"].map(|name| mode(&folder, name)), [0o600, 0o600, 0o600, 0o644]);
    if shell(&folder, "mknod -m 600 nul c 1 3").status.success() {
        ok(&shell(
            &folder,
            "umask 022; $LMZ -1 nul -o 5; $LMZ -1 - -o 6 < nul; $LMZ -1 /dev/stdin -o 7 < nul",
        ));
        assert_eq!(["5", "6", "7"].map(|name| mode(&folder, name)), [0o600; 3]);
    }
}

#[test]
fn root_gives_files_to_their_owners() {
    let folder = folder_with("a", &text());
    if std::os::unix::fs::chown(path(&folder, "a"), Some(65534), Some(65533)).is_err() {
        eprintln!("only root gives files away: left out");
        return;
    }
    set_mode(&folder, "a", 0o6750);
    ok(&lmz(&folder, &["-1", "a"]));
    let data = fs::metadata(path(&folder, "a.lmz")).unwrap();
    assert_eq!((data.uid(), data.gid(), data.mode() & 0o7777), (65534, 65533, 0o750));
}

/// Until an output is whole, nobody but its owner can open it.
#[test]
fn a_partial_output_is_its_owners_alone() {
    let folder = TempDir::new().unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-c", "umask 0; exec \"$LMZ\" -1 -o b"])
        .env("LMZ", env!("CARGO_BIN_EXE_lmz"))
        .current_dir(&folder);
    let mut child = bash.stdin(Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while names(&folder).is_empty() {
        assert!(Instant::now() < end, "no output was begun");
        std::thread::sleep(Duration::from_millis(5));
    }
    let [name] = &names(&folder)[..] else { panic!("{:?}", names(&folder)) };
    assert!(
        name.starts_with(".lmz-") && mode(&folder, name) == 0o600,
        "{name} {:o}",
        mode(&folder, name)
    );
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert_eq!((names(&folder), mode(&folder, "b")), (vec!["b".to_owned()], 0o666));
}

/// Of a file with an access control list the bits of its group are those of the list's mask.
#[cfg(target_os = "linux")]
#[test]
fn access_control_lists_are_kept() {
    let folder = folder_with("a", &text());
    // Version 2; owner rw, user 65534 rw, group nothing, mask rw, others nothing (acl(5)).
    let entries: [(u16, u16, u32); 5] =
        [(1, 6, u32::MAX), (2, 6, 65534), (4, 0, u32::MAX), (16, 6, u32::MAX), (32, 0, u32::MAX)];
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, bits, id) in entries {
        list.extend([tag.to_le_bytes(), bits.to_le_bytes()].concat());
        list.extend(id.to_le_bytes());
    }
    const NAME: &str = "system.posix_acl_access";
    let set =
        rustix::fs::setxattr(path(&folder, "a"), NAME, &list, rustix::fs::XattrFlags::empty());
    if set.is_err() {
        eprintln!("no access control lists on this file system: left out");
        return;
    }
    assert_eq!(mode(&folder, "a"), 0o660, "that is what would widen rights");
    ok(&lmz(&folder, &["-1", "a"]));
    let mut found = vec![0; 1000];
    let length = rustix::fs::getxattr(path(&folder, "a.lmz"), NAME, &mut found[..]).unwrap();
    assert_eq!((&found[..length], mode(&folder, "a.lmz")), (&list[..], 0o660));
    // What a folder gives to new files is not the input's.
    let default = "system.posix_acl_default";
    rustix::fs::setxattr(folder.path(), default, &list, rustix::fs::XattrFlags::empty()).unwrap();
    ok(&shell(
        &folder,
        "umask 0; rm -f b; cat a > b; setfacl -b b 2>/dev/null; chmod 640 b; $LMZ -1 -o c < b",
    ));
    fs::write(path(&folder, "plain"), "x").unwrap();
    rustix::fs::removexattr(path(&folder, "plain"), NAME).unwrap();
    set_mode(&folder, "plain", 0o640);
    ok(&lmz(&folder, &["-1", "plain"]));
    let inherited = rustix::fs::getxattr(path(&folder, "plain.lmz"), NAME, &mut found[..]);
    assert!(inherited.is_err(), "a list that the input does not have");
    assert_eq!(mode(&folder, "plain.lmz"), 0o640);
}

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
    // Of what is under it nothing is refused.
    ok(&lmz(
        &folder,
        &["-d", "-f", "--limit-content", "10MiB", "--limit-expansion", "10", "a.lmz"],
    ));
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
