//! The command, run as a user runs it.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

#[expect(dead_code, reason = "for other tests")]
#[path = "common/command.rs"]
mod common;
#[expect(dead_code, reason = "for other tests")]
#[path = "../../../tests/common/tiny.rs"]
mod tiny;

use common::{command, ends, fails, folder_with, lmz, names, ok, piped, read, text};

#[test]
fn a_file_there_and_back() {
    let text = &text()[..5000];
    let folder = folder_with("a.txt", text);
    ok(&lmz(&folder, &["a.txt"]));
    assert_eq!(names(&folder), ["a.txt", "a.txt.lmz"], "the input is kept");
    assert!(read(&folder, "a.txt.lmz").len() < text.len() / 4);
    fs::remove_file(folder.path().join("a.txt")).unwrap();
    ok(&lmz(&folder, &["-d", "a.txt.lmz"]));
    assert_eq!(read(&folder, "a.txt"), text);
}

#[test]
fn mode_and_times_are_kept() {
    let folder = folder_with("a", b"content");
    let path = folder.path().join("a");
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    }
    ok(&lmz(&folder, &["--rm", "a"]));
    ok(&lmz(&folder, &["-d", "--rm", "a.lmz"]));
    assert_eq!(names(&folder), ["a"]);
    let data = fs::metadata(&path).unwrap();
    assert_eq!(data.modified().unwrap(), then);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(data.permissions().mode() & 0o777, 0o640);
    }
}

#[test]
fn from_pipe_to_pipe() {
    let folder = TempDir::new().unwrap();
    for input in [&b""[..], b"x", &text()[..3000]] {
        let archive = piped(&folder, &["-c"], input);
        ok(&archive);
        let back = piped(&folder, &["decompress"], &archive.stdout);
        ok(&back);
        assert_eq!(back.stdout, input);
        assert!(back.stderr.is_empty() && archive.stderr.is_empty(), "a pipe gets no progress");
    }
}

#[test]
fn existing_output_is_left_alone_unless_forced() {
    let folder = folder_with("a", &text());
    fs::write(folder.path().join("a.lmz"), b"precious").unwrap();
    fails(&lmz(&folder, &["-1", "a"]), "-f overwrites");
    assert_eq!(read(&folder, "a.lmz"), b"precious");
    ok(&lmz(&folder, &["-1", "-f", "a"]));
    ok(&lmz(&folder, &["-t", "a.lmz"]));
}

#[test]
fn several_inputs_where_one_fails() {
    let folder = folder_with("a", b"one");
    fs::write(folder.path().join("b"), b"two").unwrap();
    fails(&lmz(&folder, &["a", "missing", "b"]), "missing");
    assert_eq!(names(&folder), ["a", "a.lmz", "b", "b.lmz"]);
}

#[test]
fn names_that_do_not_fit() {
    let folder = folder_with("a.txt", b"content");
    fails(&lmz(&folder, &["-d", "a.txt"]), "-o");
    ok(&lmz(&folder, &["a.txt", "-o", "other"]));
    fails(&lmz(&folder, &["-d", "a.txt", "-o", "x"]), "not an lmz frame");
    fs::rename(folder.path().join("other"), folder.path().join("b.lmz")).unwrap();
    fails(&lmz(&folder, &["b.lmz"]), "already ends");
    fs::create_dir(folder.path().join("dir")).unwrap();
    fails(&lmz(&folder, &["dir"]), "tar -I lmz");
}

#[test]
fn damage_leaves_no_output_and_keeps_the_input() {
    let folder = folder_with("a", &text());
    ok(&lmz(&folder, &["-1", "--block", "20K", "a"]));
    let archive = read(&folder, "a.lmz");
    for damaged in [archive[..archive.len() - 1].to_vec(), {
        let mut x = archive.clone();
        x[archive.len() / 2] ^= 4;
        x
    }] {
        fs::write(folder.path().join("b.lmz"), &damaged).unwrap();
        fails(&lmz(&folder, &["-t", "b.lmz"]), "at byte");
        fails(&lmz(&folder, &["-d", "--rm", "b.lmz"]), "at byte");
        assert_eq!(names(&folder), ["a", "a.lmz", "b.lmz"]);
        // On a pipe, what could be decoded comes out before the failure.
        let piped = lmz(&folder, &["-dc", "b.lmz"]);
        assert_eq!(piped.status.code(), Some(1));
        assert!(!piped.stdout.is_empty() && text().starts_with(&piped.stdout));
    }
}

#[test]
fn ranges_and_lists() {
    let folder = folder_with("a", &text());
    ok(&lmz(&folder, &["-1", "--block", "10K", "a"]));
    for (range, expected) in [
        ("0..10", 0..10),
        ("25000..+1K", 25_000..26_024),
        ("10K..20K", 10_240..20_480),
        ("5000..", 5000..text().len()),
    ] {
        let output = lmz(&folder, &["-d", "--range", range, "a.lmz"]);
        ok(&output);
        assert_eq!(output.stdout, &text()[expected], "{range}");
    }
    let output = lmz(&folder, &["-l", "a.lmz"]);
    ok(&output);
    let line = String::from_utf8(output.stdout).unwrap().lines().nth(1).unwrap().to_owned();
    let columns: Vec<&str> = line.split_whitespace().collect();
    let blocks = text().len().div_ceil(10_240).to_string();
    let (bytes, raw) = (read(&folder, "a.lmz").len().to_string(), text().len().to_string());
    assert_eq!(columns[..5], ["1", "0", &blocks, &bytes, &raw]);
    fails(&lmz(&folder, &["-l", "a"]), "not an lmz frame");
}

/// A list says which transformer an archive was made with, and needs none: a short frame has the
/// first four bytes of its identity.
#[test]
fn transformers_are_listed() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/transformers");
    let vectors = std::fs::read_to_string(format!("{golden}/llama.json")).unwrap();
    let vectors: serde_json::Value = serde_json::from_str(&vectors).unwrap();
    let identity = vectors["identity"].as_str().unwrap();
    let folder = folder_with("a", b"");
    for (name, digits, context) in
        [("short", 8, ""), ("primed", 8, ""), ("rolled", 16, " with 40 tokens of context")]
    {
        let output = lmz(&folder, &["-lv", &format!("{golden}/llama-{name}.txt.lmz")]);
        ok(&output);
        let list = String::from_utf8(output.stdout).unwrap();
        let expected = format!("transformer {}{context}", &identity[..digits]);
        assert!(list.lines().any(|line| line.contains(&expected)), "{list}");
    }
}

#[test]
fn dictionaries() {
    let folder = folder_with("a", &text()[..5000]);
    fs::write(folder.path().join("like"), &text()[5000..15_000]).unwrap();
    let without = lmz(&folder, &["-c", "a"]).stdout.len();
    ok(&lmz(&folder, &["-D", "like", "--rm", "a"]));
    assert!(read(&folder, "a.lmz").len() < without);
    fails(&lmz(&folder, &["-d", "a.lmz"]), "dictionary whose BLAKE3 hash is");
    fails(&lmz(&folder, &["-D", "none", "-d", "a.lmz"]), "dictionary none");
    let listed = lmz(&folder, &["-lv", "a.lmz"]);
    ok(&listed);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("dictionary "));
    assert_eq!(names(&folder), ["a.lmz", "like"]);
    ok(&lmz(&folder, &["-d", "-D", "a.lmz", "-D", "like", "a.lmz"]));
    assert_eq!(read(&folder, "a"), &text()[..5000]);
}

#[test]
fn kernels_give_the_same_archive() {
    let folder = folder_with("a", &text()[..1000]);
    let archive = |kernel: &str| {
        let output = command(&folder, &["-c", "--streams", "3", "a"])
            .env("LMZ_KERNEL", kernel)
            .output()
            .unwrap();
        ok(&output);
        output.stdout
    };
    assert_eq!(archive(""), archive("plain"));
    #[cfg(feature = "nano")]
    {
        let text = &include_bytes!("../../../testdata/technical.md")[..1000];
        let message = |kernel: &str| {
            let mut command = command(&folder, &["-c", "--model", "nano", "--streams", "2", "b"]);
            let output = command.env("LMZ_KERNEL", kernel).output().unwrap();
            ok(&output);
            output.stdout
        };
        fs::write(folder.path().join("b"), text).unwrap();
        let archive = message("");
        assert_eq!(archive, message("plain"));
        fs::write(folder.path().join("b.lmz"), &archive).unwrap();
        let back = command(&folder, &["-dc", "b.lmz"]).env("LMZ_KERNEL", "plain").output().unwrap();
        assert!(back.stdout == text);
        let list = lmz(&folder, &["-lv", "b.lmz"]);
        assert!(
            String::from_utf8_lossy(&list.stdout).contains(", model nano "),
            "the model was used"
        );
    }
    let output = command(&folder, &["-c", "a"]).env("LMZ_KERNEL", "abacus").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains("expected one of plain") && message.contains("found abacus"),
        "{message}"
    );
}

#[test]
fn models() {
    // Long enough that context models alone are as good as with a model.
    let folder = folder_with("a", &text()[..20_000]);
    let sizes = [&["--model", "none"][..], &["-1"], &[], &["--model", "ppm"]].map(|args| {
        ok(&lmz(&folder, &[args, &["-f", "a"]].concat()));
        ok(&lmz(&folder, &["-t", "a.lmz"]));
        read(&folder, "a.lmz").len()
    });
    assert!(sizes[0] == sizes[1] && sizes[1] == sizes[2] && sizes[2] < sizes[3], "{sizes:?}");
    assert_eq!(lmz(&folder, &["--model", "none", "-9", "a"]).status.code(), Some(2));
    let unknown = lmz(&folder, &["--model", "gpt", "a"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no model gpt"));
}

#[cfg(feature = "nano")]
#[test]
fn nano_by_name_and_as_a_folder() {
    let text = &include_bytes!("../../../testdata/technical.md")[..5000];
    let folder = folder_with("a", text);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/nano");
    let archives =
        [&["--model", "nano"][..], &["-2"], &["-2", "-T2"], &["--model", path]].map(|args| {
            ok(&lmz(&folder, &[args, &["-f", "a"]].concat()));
            read(&folder, "a.lmz")
        });
    assert!(archives.iter().all(|a| *a == archives[0]));
    let without = lmz(&folder, &["-1c", "a"]).stdout.len();
    assert!(archives[0].len() * 10 < without * 9, "{} and {without} bytes", archives[0].len());
    ok(&lmz(&folder, &["-d", "-o", "b", "a.lmz"]));
    assert!(read(&folder, "b") == text);
    let list = lmz(&folder, &["-lv", "a.lmz"]);
    let identity = lmz::lm::rwkv7::Model::find("nano").unwrap().identity().to_string();
    let expected = format!(", model nano {}", &identity[..16]);
    assert!(String::from_utf8_lossy(&list.stdout).contains(&expected), "{list:?}");
    // With --rm, what was written is decoded by the same model before the input goes.
    ok(&lmz(&folder, &["--rm", "-f", "--model", path, "a"]));
    assert_eq!(names(&folder), ["a.lmz", "b"]);
}

#[cfg(feature = "nano")]
#[test]
fn the_model_alone() {
    let text = &include_bytes!("../../../testdata/technical.md")[..3000];
    let folder = folder_with("a", text);
    let output = lmz(&folder, &["-2v", "--mix", "off", "a"]);
    ok(&output);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains(", coded, 1 stream: the language model alone"), "{message}");
    let list = lmz(&folder, &["-lv", "a.lmz"]);
    assert!(String::from_utf8_lossy(&list.stdout).contains(", 1 coded, model nano "), "{list:?}");
    ok(&lmz(&folder, &["-d", "-o", "b", "a.lmz"]));
    assert!(read(&folder, "b") == text);
    assert!(lmz(&folder, &["-2c", "a"]).stdout.len() < read(&folder, "a.lmz").len());
    assert_eq!(
        lmz(&folder, &["-2c", "--mix", "on", "a"]).stdout,
        lmz(&folder, &["-2c", "a"]).stdout
    );
    // PPM has nothing to be mixed with; without any model nothing would be left.
    ok(&lmz(&folder, &["-f", "--model", "ppm", "--mix", "off", "a"]));
    assert_eq!(lmz(&folder, &["-f", "--mix", "off", "-1", "a"]).status.code(), Some(2));
}

#[test]
fn an_archive_that_needs_a_model_folder() {
    let folder = folder_with("a.lmz", &tiny::short(b"some text"));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-model");
    let identity = tiny::tiny().identity().to_string();
    let without = lmz(&folder, &["-d", "a.lmz"]);
    fails(&without, "give its folder (--model PATH)");
    fails(&without, &identity[..16]);
    assert_eq!(names(&folder), ["a.lmz"]);
    let list = lmz(&folder, &["-lv", "a.lmz"]);
    ok(&list);
    assert!(String::from_utf8_lossy(&list.stdout).contains(&identity[..16]));
    ok(&lmz(&folder, &["-d", "--model", "none", "--model", path, "a.lmz"]));
    assert_eq!(read(&folder, "a"), b"some text");
}

#[test]
fn verbose_tells_of_blocks() {
    let folder = folder_with("a", &text());
    for args in [&["-1v", "--block", "50K", "a"][..], &["-tv", "a.lmz"]] {
        let output = lmz(&folder, args);
        ok(&output);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            message.contains("block 1: ") && message.contains(", mixed, 1 stream"),
            "{message}"
        );
    }
}

#[test]
fn recover_writes_what_is_whole() {
    let folder = folder_with("a", &text());
    ok(&lmz(&folder, &["-1", "--block", "10K", "a"]));
    let mut archive = read(&folder, "a.lmz");
    archive[5000] ^= 1;
    fs::write(folder.path().join("a.lmz"), &archive).unwrap();
    ends(&lmz(&folder, &["recover", "a.lmz", "-o", "b"]), 2, "recovered, 1 hole\n");
    assert_eq!(read(&folder, "b").len(), text().len() - 10_240);
    fails(&lmz(&folder, &["recover", "a", "-o", "c"]), "nothing in it");
    assert_eq!(names(&folder), ["a", "a.lmz", "b"]);
}

#[test]
fn wrong_command_lines_exit_with_2() {
    let folder = TempDir::new().unwrap();
    for args in [&["--nonsense"][..], &["-d", "-t"], &["a", "b", "-o", "c"], &["--rm", "-c", "a"]] {
        assert_eq!(lmz(&folder, args).status.code(), Some(2), "{args:?}");
    }
    ok(&lmz(&folder, &["--help"]));
    ok(&lmz(&folder, &["--version"]));
}

#[test]
fn tar_can_use_it() {
    let folder = folder_with("a", &text());
    let tar = |args: &[&str]| {
        let program = format!("--use-compress-program={}", env!("CARGO_BIN_EXE_lmz"));
        Command::new("tar")
            .arg(program)
            .args(args)
            .current_dir(&folder)
            .status()
            .map(|s| s.success())
    };
    if Command::new("tar").arg("--version").output().is_err() {
        eprintln!("no tar here: left out");
        return;
    }
    assert!(tar(&["-cf", "a.tar.lmz", "a"]).unwrap());
    fs::remove_file(folder.path().join("a")).unwrap();
    assert!(tar(&["-xf", "a.tar.lmz"]).unwrap());
    assert_eq!(read(&folder, "a"), text());
    assert!(Path::new(&folder.path().join("a.tar.lmz")).exists());
}

#[cfg(feature = "nano")]
#[test]
fn model_list_and_info() {
    let folder = TempDir::new().unwrap();
    let list = lmz(&folder, &["model", "list"]);
    ok(&list);
    assert!(String::from_utf8_lossy(&list.stdout).lines().any(|line| line.ends_with("  nano")));
    let info = lmz(&folder, &["model", "info", "nano"]);
    ok(&info);
    let info = String::from_utf8_lossy(&info.stdout);
    let identity = lmz::lm::rwkv7::Model::find("nano").unwrap().identity().to_string();
    for words in ["192, in 6 heads of 32", "4096", "version 1", &identity] {
        assert!(info.contains(words), "{words} is not in {info}");
    }
    fs::create_dir(folder.path().join("empty")).unwrap();
    fails(&lmz(&folder, &["model", "info", "empty"]), "config.json");
    fails(&lmz(&folder, &["model", "info", "nanoo"]), "expected nano, base, the path");
    assert_eq!(lmz(&folder, &["model"]).status.code(), Some(2));
}

/// Without the feature, names of the hub say how to get it.
#[cfg(not(feature = "hub"))]
#[test]
fn names_of_the_hub_need_the_feature() {
    let folder = folder_with("a", b"text");
    for args in [
        &["--model", "hf:o/n", "a"][..],
        &["model", "pull", "hf:o/n"],
        &["model", "rm", "hf:o/n"],
        &["model", "info", "hf:o/n"],
    ] {
        let output = lmz(&folder, args);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        for words in ["hf:o/n", "cargo install lmz-cli --features hub"] {
            assert!(message.contains(words), "{message}");
        }
    }
    fs::write(folder.path().join("x.pth"), b"").unwrap();
    let output = lmz(&folder, &["--model", "x.pth", "a"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--features hub"), "{output:?}");
}
