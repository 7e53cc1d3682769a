//! Broken files in the hub's cache: they stop nobody but who needs them.
#![cfg(all(feature = "hub", feature = "base", feature = "nano"))]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

#[path = "common/hub_server.rs"]
#[allow(dead_code)] // the other tests need the rest
mod hub_server;
#[path = "common/hub_user.rs"]
#[allow(dead_code)]
mod hub_user;

use hub_server::{Repository, Server};
use hub_user::{User, fails, golden, identity, out, said};

const WORDS: &str = "rwkv_vocab_v20230424.txt";

/// A way in which a file can be broken.
type Break<'a> = (&'static str, Box<dyn Fn(&Path) + 'a>);

/// Such ways; each finds nothing in the file's place.
fn breaks(good: &[u8]) -> Vec<Break<'_>> {
    let write = |bytes: Vec<u8>| move |path: &Path| fs::write(path, &bytes).unwrap();
    let mut out: Vec<Break> = vec![
        ("garbage", Box::new(write(b"no such thing\n\x1b[2J".to_vec()))),
        ("nothing", Box::new(write(Vec::new()))),
        ("half", Box::new(write(good[..good.len() / 2].to_vec()))),
        ("a TiB", Box::new(|path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap())),
        ("a folder", Box::new(|path| fs::create_dir(path).unwrap())),
        ("gone", Box::new(|_| {})),
    ];
    if let Some(end) = good
        .iter()
        .rposition(|byte| *byte == b'\n')
        .filter(|_| good.is_ascii() && good.len() < 10_000)
    {
        let line = good[..end].iter().rposition(|byte| *byte == b'\n').unwrap();
        out.push(("a line less", Box::new(write(good[..=line].to_vec()))));
    }
    #[cfg(unix)]
    {
        out.push((
            "a pipe",
            Box::new(|path| {
                assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
            }),
        ));
        out.push((
            "a device",
            Box::new(|path| std::os::unix::fs::symlink("/dev/zero", path).unwrap()),
        ));
        out.push((
            "a circle",
            Box::new(|path| std::os::unix::fs::symlink(path.file_name().unwrap(), path).unwrap()),
        ));
    }
    out
}

/// What a command that went well wrote.
fn bytes(output: std::process::Output) -> Vec<u8> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn remove(path: &Path) {
    let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
}

#[test]
fn what_is_broken_stops_nothing_else() {
    let server = Server::start();
    server.add("aaa/first", Repository::of(&golden("reference"), 'a'));
    server.add("bbb/pth", Repository::of(&golden("pth"), 'b'));
    let mut alone = Repository::of(&golden("pth"), 'c');
    alone.files.remove(WORDS);
    server.add("ccc/alone", alone);
    let user = User::new(&server);
    let names = ["hf:aaa/first", "hf:bbb/pth", "hf:ccc/alone"];
    for name in names {
        out(user.lmz(&["model", "pull", "-q", name]));
    }
    // An archive of three frames, of which the second needs the first model; and one that needs
    // another.
    user.write("plain", b"It was the best of times. ");
    user.write("said", said());
    out(user.lmz(&["-1", "-k", "plain"]));
    out(user.lmz(&["--block", "1000", "--mix", "off", "-k", "--model", names[0], "said"]));
    let (plain, with) = (user.read("plain.lmz"), user.read("said.lmz"));
    user.write("three.lmz", &[&plain[..], &with, &plain].concat());
    fs::remove_file(user.home.path().join("said.lmz")).unwrap();
    out(user.lmz(&["--block", "1000", "--mix", "off", "-k", "--model", names[2], "said"]));
    let length = user.read("plain").len();
    let range = |from: usize, to: usize| {
        user.lmz(&["-dc", "--range", &format!("{from}..{to}"), "three.lmz"])
    };
    let end = length + said().len();

    let snapshot = user.folder("aaa/first").join("snapshots").join("a".repeat(40));
    for file in [WORDS, "config.json", "model.safetensors", "../../refs/main"] {
        let path = snapshot.join(file);
        let good = fs::read(&path).unwrap();
        // Of the vocabulary, which is looked for everywhere, each way; of the others some.
        let some = |how: &str| file == WORDS || matches!(how, "half" | "a TiB" | "a pipe");
        for (how, damage) in breaks(&good).into_iter().filter(|(how, _)| some(how)) {
            let case = format!("{file}: {how}");
            remove(&path);
            damage(&path);
            let since = Instant::now();
            let list = out(user.lmz(&["model", "list"]));
            assert!(
                list.contains("hf:bbb/pth/") && list.contains("hf:ccc/alone/"),
                "{case}: {list}"
            );
            // The third has no vocabulary of its own, and takes the good one.
            let info = out(user.lmz(&["model", "info", names[2]]));
            assert!(info.contains(&identity("reference")), "{case}: {info}");
            assert!(bytes(user.lmz(&["-dc", "said.lmz"])) == said(), "{case}");
            // Of the three frames only the second needs it, by its commit.
            assert_eq!(bytes(range(0, length)), user.read("plain"), "{case}");
            assert_eq!(bytes(range(end, end + length)), user.read("plain"), "{case}");
            if !file.contains("refs") {
                fails(&range(0, end), 1, &["hf:aaa/first@"]);
                let output = user.lmz(&["model", "info", names[0]]);
                fails(&output, 1, &[]);
                let text = String::from_utf8(output.stderr).unwrap();
                let absent = text.contains("not in the cache");
                assert!(absent || text.contains(file), "{case}: {text}");
                assert!(!text.contains('\x1b'), "{case}: {text:?}");
            }
            assert!(since.elapsed() < Duration::from_secs(120), "{case}: {:?}", since.elapsed());
            remove(&path);
            fs::write(&path, &good).unwrap();
        }
    }
    assert_eq!(bytes(range(0, end + length)).len(), end + length);
}
