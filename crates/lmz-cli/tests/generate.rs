//! `lmz generate`: the text of a seed, and what is said of what cannot be.

use tempfile::TempDir;

#[expect(dead_code, reason = "for other tests")]
#[path = "common/command.rs"]
mod common;

use common::{ends, fails, folder_with, lmz, ok, shell};

fn text(folder: &TempDir, args: &[&str]) -> Vec<u8> {
    let output = lmz(folder, &[&["generate"], args].concat());
    ok(&output);
    output.stdout
}

#[test]
fn the_same_command_writes_the_same_text() {
    let folder = folder_with("a", &b"Alpha, beta and gamma. ".repeat(20));
    for options in [&["-1", "-D", "a"][..], &["-2", "--prompt", "The"], &["--model", "ppm"]] {
        let of = |more: &[&str]| text(&folder, &[options, &["-n", "300"], more].concat());
        let first = of(&[]);
        assert_eq!(first.len(), 300);
        assert_eq!(of(&["--seed", "0", "-T", "1"]), first);
        assert_ne!(of(&["--seed", "1"]), first);
        assert_ne!(of(&["--temperature", "0.5"]), first);
        // Fewer bytes are the beginning.
        assert_eq!(text(&folder, &[options, &["-n", "77"]].concat()), first[..77]);
        assert_eq!(text(&folder, &[options, &["-n", "0"]].concat()), b"");
    }
    // What was read first is gone on with.
    let again = text(&folder, &["-1", "-D", "a", "-n", "200", "--temperature", "0"]);
    assert!(String::from_utf8(again).unwrap().contains("beta and gamma. Alpha"));
}

#[test]
fn what_cannot_be() {
    let folder = folder_with("a", b"");
    fails(&lmz(&folder, &["generate", "-1", "--temperature=-1"]), "temperature: expected 0 to 100");
    fails(&lmz(&folder, &["generate", "-1", "--top-p", "1.5"]), "top-p: expected 0 to 1");
    fails(&lmz(&folder, &["generate", "-1", "-n", "1GiB"]), "expected 0 to 67108864");
    fails(&lmz(&folder, &["generate", "-1", "-D", "b"]), "dictionary: b");
    fails(&lmz(&folder, &["generate", "-1", "-D", "a"]), "expected a dictionary of 1 to");
    ends(&lmz(&folder, &["generate", "--model", "nosuch"]), 2, "nosuch");
}

/// Who reads the text may have enough of it.
#[test]
fn a_reader_that_goes_away_ends_it() {
    let folder = TempDir::new().unwrap();
    let output = shell(&folder, "$LMZ generate -1 -n 60MB | head -c 100 | wc -c");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "100");
}
