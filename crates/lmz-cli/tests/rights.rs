//! Owner, mode and lists of what the command writes: nothing gets more rights than its input had.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[expect(dead_code, reason = "for other tests")]
#[path = "common/command.rs"]
mod common;

use common::{folder_with, lmz, mode, names, ok, path, set_mode, shell, text};

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
    // Standard input gives its rights if it is a file; a pipe gives those that new files have.
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

/// The group's bits of a file with an access control list are those of the list's mask.
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
