//! A hub on loopback: the routes of the Hugging Face hub that a download takes, with its ways to
//! fail.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// A repository at one commit.
#[derive(Clone, Default)]
pub struct Repository {
    pub commit: String,
    pub files: BTreeMap<String, Vec<u8>>,
    pub access: Access,
}

#[derive(Clone, Copy, Default, PartialEq)]
pub enum Access {
    #[default]
    Open,
    /// Everything needs [`TOKEN`].
    Private,
    /// The description is for all; files are for nobody.
    Gated,
}

pub const TOKEN: &str = "hf_loopback";

/// How the place of large files fails.
#[derive(Clone, Default)]
pub struct Faults {
    /// Of the answers to come, after how many bytes each is cut; the last one stays.
    pub cuts: Vec<usize>,
    /// Answers with the whole file, whatever part was asked for.
    pub no_ranges: bool,
    /// Gives other bytes than it should.
    pub damage: bool,
}

/// What answers instead of the hub, by method and path; false where it leaves that to the hub.
type Instead = dyn Fn(&str, &str, &mut TcpStream) -> bool + Send + Sync;

#[derive(Default)]
struct Shared {
    endpoint: String,
    repositories: BTreeMap<String, Repository>,
    faults: Faults,
    /// Method, path and range of each request.
    log: Vec<String>,
    /// Of the requests that had it: what was in the header `Authorization`.
    tokens: Vec<String>,
    instead: Option<Arc<Instead>>,
}

pub struct Server {
    pub endpoint: String,
    shared: Arc<Mutex<Shared>>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared = Shared { endpoint: endpoint.clone(), ..Shared::default() };
        let shared = Arc::new(Mutex::new(shared));
        let inner = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&inner);
                // A client that goes away is no failure of the hub's.
                std::thread::spawn(move || drop(answer(stream, &shared)));
            }
        });
        Self { endpoint, shared }
    }

    pub fn add(&self, name: &str, repository: Repository) {
        self.shared.lock().unwrap().repositories.insert(name.to_owned(), repository);
    }

    pub fn fail(&self, faults: Faults) {
        self.shared.lock().unwrap().faults = faults;
    }

    /// Answers in the hub's place from now on.
    pub fn instead(
        &self,
        answer: impl Fn(&str, &str, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) {
        self.shared.lock().unwrap().instead = Some(Arc::new(answer));
    }

    /// Method, path and token of the requests since the last time that had one.
    pub fn tokens(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().tokens)
    }

    /// The requests since the last time.
    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().log)
    }
}

impl Repository {
    /// The files of a folder, and some that no model needs.
    pub fn of(folder: &Path, commit: char) -> Self {
        let mut files: BTreeMap<String, Vec<u8>> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                (
                    path.file_name().unwrap().to_str().unwrap().to_owned(),
                    std::fs::read(&path).unwrap(),
                )
            })
            .collect();
        for name in ["README.md", "generation_config.json", "pytorch_model.bin", "onnx/model.onnx"]
        {
            files.insert(name.into(), b"not needed".to_vec());
        }
        Self { commit: commit.to_string().repeat(40), files, access: Access::Open }
    }
}

fn is_large(file: &str) -> bool {
    [".safetensors", ".pth", ".bin"].iter().any(|end| file.ends_with(end))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads one request, answers it and closes the connection.
fn answer(stream: TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
    let (mut token, mut range) = (None, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => {
                token = Some(value.strip_prefix("Bearer ").unwrap_or(value).to_owned())
            }
            "range" => range = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut out = stream;
    let instead = {
        let mut shared = shared.lock().unwrap();
        shared
            .log
            .push([method, path, range.as_deref().unwrap_or("")].join(" ").trim_end().to_owned());
        shared.tokens.extend(token.as_ref().map(|token| format!("{method} {path} {token}")));
        shared.instead.clone()
    };
    if instead.is_some_and(|answer| answer(method, path, &mut out)) {
        return Ok(());
    }
    let mut shared = shared.lock().unwrap();
    let from = range
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
        .unwrap_or(0);
    let reply = shared.reply(path, token.as_deref() == Some(TOKEN), from);
    drop(shared);
    let length = reply.length.unwrap_or(reply.body.len());
    write!(
        out,
        "HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {length}\r\n",
        reply.status
    )?;
    for (name, value) in &reply.headers {
        write!(out, "{name}: {value}\r\n")?;
    }
    out.write_all(b"\r\n")?;
    if method != "HEAD" {
        out.write_all(&reply.body)?;
    }
    out.flush()
}

#[derive(Default)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// What it claims to be long.
    length: Option<usize>,
}

impl Reply {
    fn error(status: u16, code: &str) -> Self {
        let body = format!(r#"{{"error": "{code}"}}"#).into_bytes();
        Self { status, headers: vec![("X-Error-Code", code.to_owned())], body, length: None }
    }
}

impl Shared {
    fn reply(&mut self, path: &str, known: bool, from: usize) -> Reply {
        let path = path.split('?').next().unwrap_or(path);
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parts[..] {
            ["api", "models", owner, name, "revision", revision] => {
                let Some(found) = self.repositories.get(&format!("{owner}/{name}")) else {
                    return Reply::error(404, "RepoNotFound");
                };
                if found.access == Access::Private && !known {
                    return Reply::error(401, "RepoNotFound");
                }
                if revision != "main" && revision != found.commit {
                    return Reply::error(404, "RevisionNotFound");
                }
                let files: Vec<String> = found
                    .files
                    .keys()
                    .map(|f| format!(r#"{{"rfilename": {}}}"#, Value::from(&**f)))
                    .collect();
                let body = format!(
                    r#"{{"id": "{owner}/{name}", "sha": {}, "siblings": [{}]}}"#,
                    Value::from(&*found.commit),
                    files.join(", ")
                );
                let headers = vec![("Content-Type", "application/json".to_owned())];
                Reply { status: 200, headers, body: body.into_bytes(), length: None }
            }
            [owner, name, "resolve", commit, ref file @ ..] => {
                self.file(&format!("{owner}/{name}"), commit, file, known)
            }
            ["cdn", hash] => self.large(hash, from),
            _ => Reply::error(404, "no such route"),
        }
    }

    fn file(&self, repository: &str, commit: &str, file: &[&str], known: bool) -> Reply {
        let file = file.join("/");
        let Some(found) = self.repositories.get(repository).filter(|found| found.commit == commit)
        else {
            return Reply::error(404, "RepoNotFound");
        };
        match (found.access, known, found.files.get(&file)) {
            (Access::Private | Access::Gated, false, _) => Reply::error(401, "GatedRepo"),
            (Access::Gated, true, _) => Reply::error(403, "GatedRepo"),
            (_, _, None) => Reply::error(404, "EntryNotFound"),
            (_, _, Some(bytes)) => {
                let hash = sha256(bytes);
                let mut headers = vec![("X-Repo-Commit", commit.to_owned())];
                if !is_large(&file) {
                    // As the hub does: the first 40 digits stand for git's own hash here.
                    headers.push(("ETag", format!("\"{}\"", &hash[..40])));
                    return Reply { status: 200, headers, body: bytes.clone(), length: None };
                }
                // Absolute, as another machine's would be.
                headers.push(("Location", format!("{}/cdn/{hash}", self.endpoint)));
                headers.push(("X-Linked-ETag", format!("\"{hash}\"")));
                headers.push(("X-Linked-Size", bytes.len().to_string()));
                Reply { status: 302, headers, body: Vec::new(), length: None }
            }
        }
    }

    fn large(&mut self, hash: &str, from: usize) -> Reply {
        let mut all = self.repositories.values().flat_map(|r| r.files.values());
        let Some(bytes) = all.find(|bytes| sha256(bytes) == hash).cloned() else {
            return Reply::error(404, "no blob");
        };
        let from = if self.faults.no_ranges { 0 } else { from };
        let mut body = bytes[from.min(bytes.len())..].to_vec();
        let length = body.len();
        if let (true, Some(byte)) = (self.faults.damage, body.last_mut()) {
            *byte ^= 1;
        }
        if let Some(cut) = self.faults.cuts.first().copied() {
            body.truncate(cut);
            if self.faults.cuts.len() > 1 {
                self.faults.cuts.remove(0);
            }
        }
        let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
        let headers = if from > 0 { vec![("Content-Range", range)] } else { Vec::new() };
        Reply { status: if from > 0 { 206 } else { 200 }, headers, body, length: Some(length) }
    }
}

/// An answer with these lines of headers.
pub fn reply(to: &mut TcpStream, status: &str, headers: &[&[u8]], body: &[u8]) -> bool {
    let _ = write!(to, "HTTP/1.1 {status}\r\nConnection: close\r\n");
    for header in headers {
        let _ = to.write_all(&[header, &b"\r\n"[..]].concat());
    }
    let _ = to.write_all(b"\r\n");
    let _ = to.write_all(body);
    true
}
