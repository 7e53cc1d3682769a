//! Many small files in one run: they are compressed together, and what comes out is what each gives
//! by itself.

use std::fs;

#[expect(dead_code, reason = "for other tests")]
#[path = "common/command.rs"]
mod common;

use common::{command, fails, folder_with, lmz, ok, path, read, text, told};

/// What each of these files gives by itself.
fn singly(folder: &tempfile::TempDir, names: &[&str], options: &[&str]) -> Vec<Vec<u8>> {
    let archive = |name: &&str| {
        let output = lmz(folder, &[options, &["-c", *name]].concat());
        ok(&output);
        output.stdout
    };
    names.iter().map(archive).collect()
}

#[test]
fn together_and_singly_give_the_same() {
    let folder = folder_with("first", &text()[..3000]);
    let write = |name: &str, content: &[u8]| fs::write(path(&folder, name), content).unwrap();
    write("empty", b"");
    write("byte", b"x");
    write("run", &[b'='; 500]);
    write("bytes", &(0..3000u32).map(|i| ((i * i) >> 5) as u8).collect::<Vec<_>>());
    // Longer ones are on their own, in the midst of the others.
    write("long", &text().repeat(3)[..50_000]);
    write("second", &text()[3000..4500]);
    write("last", &text()[..10_000]);
    let names = ["first", "empty", "byte", "run", "bytes", "long", "second", "last"];
    for options in [&["-1"][..], &["-3", "-T2"], &["-3", "-T1", "-D", "second"]] {
        let expected = singly(&folder, &names, options);
        ok(&lmz(&folder, &[options, &["-f"], &names[..]].concat()));
        for (name, expected) in names.iter().zip(expected) {
            assert!(read(&folder, &format!("{name}.lmz")) == expected, "{name} {options:?}");
        }
    }
}

/// A file that cannot be done does not keep the others from being done.
#[test]
fn each_file_has_its_own_message() {
    let folder = folder_with("a", &text()[..900]);
    for name in ["b", "c", "d", "done.lmz"] {
        fs::write(path(&folder, name), &text()[900..1800]).unwrap();
    }
    fs::write(path(&folder, "c.lmz"), b"here before").unwrap();
    fs::create_dir(path(&folder, "folder")).unwrap();
    let output = lmz(&folder, &["-3", "a", "missing", "b", "c", "folder", "done.lmz", "d"]);
    assert_eq!(output.status.code(), Some(1));
    let said = told(&output);
    for part in ["missing: cannot be read", "c.lmz", "folder: is a directory", "done.lmz: already"]
    {
        assert!(said.contains(part), "{said}");
    }
    assert!(read(&folder, "c.lmz") == b"here before");
    for (name, content) in [("a", &text()[..900]), ("b", &text()[900..1800])] {
        let output = lmz(&folder, &["-dc", &format!("{name}.lmz")]);
        ok(&output);
        assert!(output.stdout == content, "{name}");
    }
    assert!(path(&folder, "d.lmz").exists());
    // Inputs are removed only when their archives have been decoded.
    ok(&lmz(&folder, &["-3", "--rm", "-f", "a", "b", "c"]));
    assert!(!path(&folder, "a").exists() && !path(&folder, "c").exists());
    let output = lmz(&folder, &["-dc", "a.lmz", "b.lmz", "c.lmz"]);
    ok(&output);
    assert!(output.stdout == [&text()[..1800], &text()[900..1800]].concat());
    // An archive that cannot be made is an error of each file.
    let little = ["-3", "--memory", "1M", "-f", "d", "folder/../d"];
    fails(&lmz(&folder, &little), "d: ");
}

/// What has arrived is delivered at once, also what does not end with a line.
#[test]
fn standard_output_keeps_nothing() {
    use std::io::{Read, Write};
    use std::process::Stdio;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    let folder = folder_with("a", b"no line's end");
    ok(&lmz(&folder, &["-1", "a"]));
    let mut child =
        command(&folder, &["-dc"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut to, mut from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    to.write_all(&read(&folder, "a.lmz")).unwrap();
    // The archive could go on with another frame: its end has not been seen.
    let (told, came) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut found = [0; 13];
        let _ = told.send(from.read_exact(&mut found).map(|()| found));
    });
    let found = came.recv_timeout(Duration::from_secs(60));
    drop(to);
    reader.join().unwrap();
    assert_eq!(&found.expect("delivered before the input ends").unwrap(), b"no line's end");
    assert!(child.wait().unwrap().success());
}
