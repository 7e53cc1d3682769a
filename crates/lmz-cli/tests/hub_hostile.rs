//! A hub, or what lies behind it, that means harm: nothing is written outside the cache, the token
//! stays with the endpoint, and every answer is bounded in bytes and time.
#![cfg(all(feature = "hub", feature = "base", feature = "nano"))]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[path = "common/hub_server.rs"]
#[allow(dead_code)] // the other tests need the rest
mod hub_server;
#[path = "common/hub_user.rs"]
#[allow(dead_code)]
mod hub_user;

use hub_server::{Repository, Server, TOKEN, reply};
use hub_user::{User, fails, golden, out};

const PULL: [&str; 3] = ["model", "pull", "hf:rwkv/tiny"];

/// A hub with one model.
fn server() -> Server {
    let server = Server::start();
    server.add("rwkv/tiny", Repository::of(&golden("reference"), 'a'));
    server
}

/// What is below a folder, without the repository's own.
fn outside(user: &User) -> BTreeSet<PathBuf> {
    let (mut out, mut open) = (BTreeSet::new(), vec![user.home.path().to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let folder = fs::symlink_metadata(&path).unwrap().is_dir();
            if folder && path != user.folder("rwkv/tiny") {
                open.push(path.clone());
            }
            out.insert(path);
        }
    }
    out
}

/// Nothing is outside but what a download needs.
fn nothing_outside(user: &User, case: &str) {
    let at = |path: &str| user.home.path().join(path);
    let allowed = BTreeSet::from([at("hf"), at("hf/hub"), user.folder("rwkv/tiny")]);
    let found: Vec<PathBuf> = outside(user).difference(&allowed).cloned().collect();
    assert!(found.is_empty(), "{case}: {found:?}");
    // And within, every link leads to a blob of the same repository.
    let snapshot = user.folder("rwkv/tiny").join("snapshots").join("a".repeat(40));
    for entry in fs::read_dir(snapshot).into_iter().flatten() {
        let path = entry.unwrap().path();
        let to = fs::canonicalize(&path).unwrap();
        let blobs = fs::canonicalize(user.folder("rwkv/tiny").join("blobs")).unwrap();
        assert_eq!(to.parent(), Some(&*blobs), "{case}: {}", path.display());
    }
}

/// No control characters but line ends.
fn printable(output: &std::process::Output) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}

/// Each kind of name that could leave the cache, in the first answer or only in a later one: what
/// was checked is what is used.
#[test]
fn a_hash_that_is_a_path_is_refused() {
    let long = "a".repeat(5000);
    let outside = std::env::temp_dir().join("lmz-etag-outside").display().to_string();
    let etags: [&[u8]; 12] = [
        b"../../../../../escaped",
        b"../../../escaped",
        b"..",
        b"",
        b"/",
        outside.as_bytes(),
        long.as_bytes(),
        b"abc\x01defghijklmnop",
        b"\xff\xfeabcdefghijklmnop",
        b"abcdefghij\\..\\..\\klmnop",
        b"C:abcdefghijklmnop",
        b"d41d8cd98f00b204e9800998ecf8427e.incomplete",
    ];
    for later in [false, true] {
        for etag in etags {
            let server = server();
            let (etag_bytes, etag, asked) = (etag, etag.to_vec(), AtomicUsize::new(0));
            let case = format!("{} {later}", etag.escape_ascii());
            server.instead(move |method, path, to| {
                let is_config = path.ends_with("/config.json") && path.contains("/resolve/");
                if !is_config || (later && asked.fetch_add(1, Ordering::SeqCst) == 0) {
                    return false;
                }
                let tag = |name: &str| [name.as_bytes(), b": \"", &etag, b"\""].concat();
                let (one, other) = (tag("ETag"), tag("X-Linked-ETag"));
                let bytes = fs::read(golden("reference").join("config.json")).unwrap();
                let lengths = [
                    format!("Content-Length: {}", bytes.len()),
                    format!("X-Linked-Size: {}", bytes.len()),
                ];
                let commit = format!("X-Repo-Commit: {}", "a".repeat(40));
                let headers: [&[u8]; 5] =
                    [&one, &other, lengths[0].as_bytes(), lengths[1].as_bytes(), commit.as_bytes()];
                reply(to, "200 OK", &headers, if method == "HEAD" { b"" } else { &bytes })
            });
            let user = User::new(&server);
            let output = user.lmz(&PULL);
            match later {
                false => fails(&output, 1, &["hf:rwkv/tiny"]),
                // No header at all, for the client.
                true if etag_bytes.contains(&1) => fails(&output, 1, &["hf:rwkv/tiny"]),
                // The first answer was good, and no later one is asked for a name.
                true => drop(out(output.clone())),
            }
            printable(&output);
            nothing_outside(&user, &case);
            assert!(!Path::new(&outside).exists());
        }
    }
}

#[test]
fn a_name_that_is_a_path_is_passed_over() {
    let server = server();
    let mut repository = Repository::of(&golden("reference"), 'a');
    for name in [
        "../x.pth",
        "/etc/x.pth",
        "a/../../b.pth",
        "..",
        ".",
        "",
        "x\u{1b}[2J.pth",
        "C:\\x.pth",
        "a//b",
    ] {
        repository.files.insert(name.into(), b"x".to_vec());
    }
    server.add("rwkv/tiny", repository.clone());
    let user = User::new(&server);
    out(user.lmz(&PULL));
    nothing_outside(&user, "siblings");
    assert!(
        !server.log().iter().any(|request| request.contains("x.pth") || request.contains(".."))
    );
    // The index names them.
    for name in ["../x.safetensors", "/x.safetensors", "..", "x\u{1b}[2J", "a/b.safetensors"] {
        let mut indexed = repository.clone();
        indexed.files.remove("model.safetensors");
        let index = serde_json::json!({"weight_map": {"emb.weight": name}}).to_string();
        indexed.files.insert("model.safetensors.index.json".into(), index.into_bytes());
        indexed.files.insert(name.into(), b"x".to_vec());
        server.add("rwkv/tiny", indexed);
        let user = User::new(&server);
        let output = user.lmz(&PULL);
        fails(&output, 1, &["expected names of files"]);
        printable(&output);
        nothing_outside(&user, name);
    }
}

#[test]
fn a_commit_that_is_none_is_refused() {
    let upper = "A".repeat(40);
    for sha in [
        "../../../../x",
        "",
        "a",
        &"a".repeat(39),
        &"a".repeat(41),
        &upper,
        "a/../../b",
        "\u{1b}[2J",
    ] {
        let server = server();
        let mut repository = Repository::of(&golden("reference"), 'a');
        repository.commit = sha.to_owned();
        server.add("rwkv/tiny", repository);
        let user = User::new(&server);
        let output = user.lmz(&PULL);
        fails(&output, 1, &["the hub names no commit"]);
        printable(&output);
        nothing_outside(&user, sha);
    }
    // Another one than was asked for.
    let server = server();
    server.instead(|_, path, to| {
        let body = format!(r#"{{"id": "rwkv/tiny", "sha": "{}", "siblings": []}}"#, "a".repeat(40));
        path.starts_with("/api/") && reply(to, "200 OK", &[], body.as_bytes())
    });
    let user = User::new(&server);
    let name = format!("hf:rwkv/tiny@{}", "b".repeat(40));
    fails(&user.lmz(&["model", "pull", &name]), 1, &["another commit than it was asked for"]);
}

/// Two ports are two hosts. The hub sends to a second one, which sends on to a third and back.
#[test]
fn the_token_goes_to_the_endpoint_alone() {
    let (hub, second, third) = (server(), server(), server());
    let first = hub.endpoint.clone();
    // Round through the others, with a mark, and to the hub's own answer in the end.
    let send = |to: String| {
        move |_: &str, path: &str, stream: &mut TcpStream| {
            if path.ends_with("?marked") {
                return reply(
                    stream,
                    "307 Away",
                    &[b"Content-Length: 0", format!("Location: {to}{path}2").as_bytes()],
                    b"",
                );
            }
            false
        }
    };
    second.instead(send(third.endpoint.clone()));
    let to = second.endpoint.clone();
    hub.instead(move |_, path, stream| {
        if path.contains('?') || path.starts_with("/cdn") {
            return false;
        }
        let location = format!("Location: {to}{path}?marked");
        reply(stream, "302 Away", &[b"Content-Length: 0", location.as_bytes()], b"")
    });
    third.instead(move |_, path, stream| {
        let back = path.split('?').next().unwrap();
        let location = format!("Location: {first}{back}?again");
        path.contains('?')
            && reply(stream, "301 Away", &[b"Content-Length: 0", location.as_bytes()], b"")
    });
    let user = User::new(&hub);
    out(user.command(&PULL).env("HF_TOKEN", TOKEN).output().unwrap());
    nothing_outside(&user, "redirections");
    let seen = |server: &Server| (server.log().len(), server.tokens());
    let ((of_hub, tokens), (of_second, stray), (of_third, strayed)) =
        (seen(&hub), seen(&second), seen(&third));
    assert!(of_hub >= 8 && of_second >= 4 && of_third >= 4, "{of_hub} {of_second} {of_third}");
    assert_eq!(tokens.len(), of_hub, "the endpoint is told who asks");
    assert_eq!((stray, strayed), (Vec::new(), Vec::new()));
}

#[test]
fn redirections_that_do_not_end_or_lead_elsewhere() {
    for (location, words) in [
        ("", "redirections"),
        ("file:///etc/passwd", "a redirection to file"),
        ("ftp://127.0.0.1/x", "a redirection to ftp"),
        ("http://me:secret@127.0.0.2/x", "a user's name"),
        ("http://", "a redirection to no address"),
    ] {
        for api in [true, false] {
            let server = server();
            let counter = AtomicUsize::new(0);
            server.instead(move |_, path, stream| {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let to = if location.is_empty() {
                    format!("{path}{number}")
                } else {
                    location.to_owned()
                };
                let location = format!("Location: {to}");
                (path.starts_with("/api/") == api)
                    && reply(stream, "302 Away", &[b"Content-Length: 0", location.as_bytes()], b"")
            });
            let user = User::new(&server);
            fails(&user.lmz(&PULL), 1, &[words, "HF_ENDPOINT"]);
            assert!(server.log().len() < 12);
            nothing_outside(&user, location);
        }
    }
}

/// Answers that never end: each is an error within bytes and time.
#[test]
fn answers_without_an_end() {
    let endless = |to: &mut TcpStream, begin: &[u8], what: &[u8]| {
        let part = what.repeat((1 << 16) / what.len());
        let _ = to.write_all(begin);
        while to.write_all(&part).is_ok() {}
        true
    };
    let begin = b"HTTP/1.1 200 OK\r\nConnection: close\r\n";
    let body = [&begin[..], b"\r\n"].concat();
    let json = [&body[..], br#"{"sha": ""#].concat();
    let nested = [&body[..], br#"{"siblings": "#].concat();
    for (begin, part) in
        [(&body, &b" "[..]), (&json, b"a"), (&nested, b"["), (&begin.to_vec(), b"X-Header: y\r\n")]
    {
        let (server, begin) = (server(), begin.clone());
        server.instead(move |_, path, to| path.starts_with("/api/") && endless(to, &begin, part));
        let (user, since) = (User::new(&server), Instant::now());
        fails(&user.lmz(&PULL), 1, &["hf:rwkv/tiny"]);
        assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
    }
    // A file that is longer than it was said to be.
    let server = server();
    server.instead(move |method, path, to| {
        method == "GET" && path.starts_with("/cdn/") && endless(to, &body, b"x")
    });
    let user = User::new(&server);
    fails(&user.lmz(&PULL), 1, &["model.safetensors is not what the hub says", "found more"]);
    let left = fs::read_dir(user.folder("rwkv/tiny").join("blobs")).unwrap();
    let most = left.map(|file| file.unwrap().metadata().unwrap().len()).max().unwrap();
    assert!(most < 242_392, "{most}");
    nothing_outside(&user, "endless");
}

/// A small file is asked for only if it is small.
#[test]
fn a_small_file_that_is_not() {
    let server = server();
    server.instead(|method, path, to| {
        let headers: [&[u8]; 2] = [b"ETag: \"0123456789abcdef\"", b"Content-Length: 10000000000"];
        method == "HEAD" && path.ends_with("/config.json") && reply(to, "200 OK", &headers, b"")
    });
    let user = User::new(&server);
    fails(
        &user.lmz(&PULL),
        1,
        &["expected config.json to have at most 4194304 bytes, found 10000000000"],
    );
    assert!(
        !server
            .log()
            .iter()
            .any(|request| request.starts_with("GET") && request.ends_with("config.json"))
    );
}

/// Servers that say nothing, or a byte now and then, where the time that is waited is short.
#[test]
fn servers_that_say_nothing() {
    type Answer = fn(&mut TcpStream) -> bool;
    let silent: Answer = |_| {
        std::thread::sleep(Duration::from_secs(20));
        true
    };
    let dripping: Answer = |to| {
        let _ =
            to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 232\r\nConnection: close\r\n\r\n");
        while to.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
        true
    };
    let dripping_headers: Answer = |to| {
        let _ = to.write_all(b"HTTP/1.1 200 OK\r\nX-Long: ");
        while to.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
        true
    };
    for (answer, words) in [
        (silent, "nothing came for 0.5 s"),
        (dripping, "bytes came in 0.5 s"),
        (dripping_headers, "nothing came for 0.5 s"),
    ] {
        for api in [true, false] {
            let server = server();
            server.instead(move |method, path, to| {
                method == "GET" && path.starts_with("/api/") == api && answer(to)
            });
            let (user, since) = (User::new(&server), Instant::now());
            let output =
                user.command(&PULL).env("HF_HUB_DOWNLOAD_TIMEOUT", "0.5").output().unwrap();
            fails(&output, 1, &[words]);
            assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
            nothing_outside(&user, words);
        }
    }
    let server = server();
    let output =
        User::new(&server).command(&PULL).env("HF_HUB_DOWNLOAD_TIMEOUT", "soon").output().unwrap();
    fails(&output, 1, &["expected HF_HUB_DOWNLOAD_TIMEOUT to be seconds, found soon"]);
}

/// What a server says is printed without what it could do to a terminal.
#[test]
fn what_a_server_says_is_harmless() {
    for status in ["500 \x1b[31mX", "418 X", "404 X", "200 X"] {
        let server = server();
        server.instead(move |_, path, to| {
            let body = b"{\"error\": \"\x1b]0;x\x07\xc2\x9b31m\", \"sha\": \"\\u001b[2J\", \
                \"siblings\": [{\"rfilename\": 1}]}";
            let headers: [&[u8]; 2] = [b"X-Error-Code: \x1b[31m", b"X-Error-Message: \x1b[31m"];
            path.starts_with("/api/") && reply(to, status, &headers, body)
        });
        let output = User::new(&server).lmz(&PULL);
        fails(&output, 1, &["hf:rwkv/tiny"]);
        printable(&output);
    }
}
