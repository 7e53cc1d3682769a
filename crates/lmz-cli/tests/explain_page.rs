//! `lmz explain`, run as a user runs it. What the page does in a browser: scripts/browser/check.

use std::fs;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const TEXT: &str = "It was a dark and stormy night; the rain fell in torrents, except at \
    occasional intervals.\r\n";

fn explain(folder: &TempDir, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lmz"));
    command.arg("explain").args(args).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

fn write(name: &str, content: &[u8]) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(name), content).unwrap();
    folder
}

/// The page of a content.
fn page(name: &str, content: &[u8], args: &[&str]) -> String {
    let folder = write(name, content);
    let output = explain(&folder, &[args, &["-o", "-", name]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = String::from_utf8(output.stdout).expect("a page is in UTF-8");
    well_formed(&page);
    page
}

fn fails(output: &Output, code: i32, words: &str) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.contains(words), "expected {words:?} in {message:?}");
}

/// Elements are closed in order, but for those whose end HTML lets be left out.
fn well_formed(page: &str) {
    const VOID: [&str; 4] = ["meta", "input", "!doctype", "path/"];
    const OPTIONAL: [&str; 3] = ["tr", "td", "th"];
    let mut open: Vec<String> = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let end = at + rest[at..].find('>').expect("a tag ends");
        let (tag, after) = (&rest[at + 1..end], &rest[end + 1..]);
        let name = tag.split_ascii_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        rest = after;
        if let Some(closed) = name.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed), "before {:?}", rest.get(..80));
        } else if name == "script" || name == "style" {
            rest = &after[after.find(&format!("</{name}>")).expect("it ends") + name.len() + 3..];
        } else if !VOID.contains(&name.as_str())
            && !OPTIONAL.contains(&name.as_str())
            && !tag.ends_with('/')
        {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_page_beside_the_file() {
    let folder = write("a.txt", TEXT.as_bytes());
    assert!(explain(&folder, &["a.txt"]).status.success());
    let page = fs::read_to_string(folder.path().join("a.txt.html")).unwrap();
    well_formed(&page);
    fails(&explain(&folder, &["a.txt"]), 1, "a.txt.html exists; -f overwrites it");
    assert!(explain(&folder, &["-f", "a.txt"]).status.success());
    let archive = Command::new(env!("CARGO_BIN_EXE_lmz"))
        .args(["-c", "a.txt"])
        .current_dir(&folder)
        .output()
        .unwrap();
    let size = archive.stdout.len();
    assert!(
        page.contains(&format!("{} bytes, compressed to <strong>{size}</strong>", TEXT.len())),
        "{size}"
    );
    #[cfg(feature = "nano")]
    for words in [
        &format!("model {}, identity <code>", lmz::Predictor::DEFAULT),
        "model alone (--mix off)",
        "context mixing alone (--model none)",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn hostile_contents_and_names_are_text() {
    let content = b"</p></section><script>alert(1)</script> \"quoted\" & \
        'so'\0\xff\xf0\x9f\xe2\x80\xae\r\n<img src=x onerror=alert(1)>";
    let name = "<script>&\"'.txt";
    for model in ["none", "ppm", "nano"] {
        if model == "nano" && !cfg!(feature = "nano") {
            continue;
        }
        let page = page(name, content, &["--model", model]);
        assert_eq!(page.matches("<script").count(), 2, "its own script and its data");
        assert!(page.contains("<h1>&lt;script&gt;&amp;&quot;&#39;.txt</h1>"));
        assert!(page.contains(
            "&lt;script&gt;alert(1)&lt;/script&gt; &quot;quoted&quot; &amp; \
            &#39;so&#39;\\x00\\xff\\xf0\\x9f\\u{202e}</p>"
        ));
        assert!(!page.contains("<img") && !page.contains('\0'));
        // Nothing is fetched.
        assert!(!page.contains("http") && !page.contains("url(") && !page.contains("@import"));
    }
}

#[test]
fn contents_of_every_kind() {
    for model in ["none", lmz::Predictor::DEFAULT] {
        if model != "none" && !cfg!(feature = "nano") {
            continue;
        }
        for content in [
            &b""[..],
            b"x",
            b"\n",
            b"\r\n\r\n",
            b"\0\0\0\0",
            &[b'x'; 5000],
            "\u{65e5}\u{672c}".as_bytes(),
        ] {
            let page = page("f", content, &["--model", model]);
            assert!(
                page.contains(&format!("<p>{} bytes, compressed", content.len())),
                "{content:?}"
            );
        }
    }
}

#[test]
fn only_the_first_part_is_shown() {
    let page = page("f", TEXT.repeat(40).as_bytes(), &["--model", "none", "--limit", "1KiB"]);
    assert!(page.contains(&format!("Only the first 1024 of {} bytes are shown", 40 * TEXT.len())));
    assert_eq!(
        page.matches("stormy").count(),
        1024 / TEXT.len() + 10,
        "in the text and the most expensive lines"
    );
}

#[test]
fn what_cannot_be_done_is_said() {
    let folder = write("a.txt", b"text");
    fails(&explain(&folder, &["nothing"]), 1, "nothing: cannot be read");
    fails(&explain(&folder, &["."]), 1, "is a directory");
    fails(&explain(&folder, &[]), 2, "<FILE>");
    fails(&explain(&folder, &["--limit", "much", "a.txt"]), 2, "expected a number of bytes");
    fails(&explain(&folder, &["--model", "no-such-model", "a.txt"]), 2, "no-such-model");
    assert!(!folder.path().join("a.txt.html").exists());
}
