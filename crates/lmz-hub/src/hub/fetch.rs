//! One file after the other from the hub into the cache.
//!
//! A file is written to `blobs/NAME.incomplete`, where an interrupted download goes on; it gets its
//! name when it has all its bytes and the hub's hash, and only then a link in the snapshot is made.
//! (hf-hub's own downloads begin anew, take an error's page for a file, and name what they write as
//! the server says; so none of them is used.)

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use reqwest::blocking::Response;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap};
use reqwest::{Method, StatusCode};
use sha2::{Digest, Sha256};

use super::http::{Failure, Http};
use super::{Hub, HubError, Progress};
use lmz::format::{HubName, is_part};

/// How often in a row something may fail without a byte having come.
const ATTEMPTS: u32 = 4;
/// Lengths of a hash that a file's content is known by.
const HASH: std::ops::RangeInclusive<usize> = 8..=128;

/// Gets files of one commit.
pub(super) struct Fetch<'a> {
    http: &'a Http,
    name: HubName,
    commit: String,
    folder: PathBuf,
    progress: &'a mut dyn Progress,
}

/// What the hub says of a file.
struct About {
    /// The blob's name. Of large files the SHA-256 hash.
    etag: String,
    size: u64,
}

impl About {
    /// Out of an answer's headers, if they have what can be used.
    fn of(headers: &HeaderMap, linked: bool) -> Option<Self> {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let (etag, size) = match linked {
            true => (text("x-linked-etag")?, text("x-linked-size")?),
            false => (text(ETAG.as_str())?, text(CONTENT_LENGTH.as_str())?),
        };
        let etag = etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"');
        // It becomes a file's name, and beside it stands one that ends in ".incomplete".
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let fits = HASH.contains(&etag.len()) && etag.bytes().all(plain) && !etag.starts_with('-');
        fits.then_some(())?;
        Some(Self { etag: etag.to_owned(), size: size.parse().ok()? })
    }
}

impl<'a> Fetch<'a> {
    pub fn new(hub: &Hub, http: &'a Http, name: HubName, progress: &'a mut dyn Progress) -> Self {
        Self { http, commit: name.revision().to_owned(), folder: hub.folder(&name), name, progress }
    }

    /// Where a file is, if it is there.
    pub fn path(&self, file: &str) -> Option<PathBuf> {
        Some(self.folder.join("snapshots").join(&self.commit).join(file))
            .filter(|path| path.is_file())
    }

    /// Where a file is, after it has been got if it was not there. Larger ones than `most` bytes
    /// are not got.
    pub fn get(&mut self, file: &str, most: u64) -> Result<PathBuf, HubError> {
        if !is_part(file) {
            return Err(self.other(format!("expected the name of a file, found {file}")));
        }
        if let Some(path) = self.path(file) {
            return Ok(path);
        }
        let about = self.about(file)?;
        if about.size > most {
            let found = about.size;
            return Err(
                self.other(format!("expected {file} to have at most {most} bytes, found {found}"))
            );
        }
        let blob = self.folder.join("blobs").join(&about.etag);
        if !blob.is_file() {
            self.progress.begin(file, 0, about.size);
            let done = self.download(file, &about, &blob);
            self.progress.end();
            done?;
        }
        let snapshot = self.folder.join("snapshots").join(&self.commit);
        super::cache::link(&about.etag, &snapshot, file)
    }

    fn url(&self, file: &str) -> String {
        self.http.url(&format!("/{}/resolve/{}/{file}", self.name.repository(), self.commit))
    }

    /// Asks what a file is.
    fn about(&self, file: &str) -> Result<About, HubError> {
        // Of a large file the hub itself says it, and sends to where the bytes are.
        let linked = |headers: &HeaderMap| About::of(headers, true).is_some();
        let (url, method) = (self.url(file), Method::HEAD);
        let response =
            patiently(&self.name, self.http, file, || self.http.ask(&method, &url, 0, linked))?;
        let headers = response.headers();
        if let Some(about) = About::of(headers, true).filter(|_| !is_error(response.status())) {
            return Ok(about);
        }
        self.check(file, response.status())?;
        let about = About::of(headers, false);
        about.ok_or_else(|| {
            self.other(format!("the hub names no hash, or no length, of {file} that can be used"))
        })
    }

    /// Gets a file's bytes, going on where an earlier download ended.
    fn download(&mut self, file: &str, about: &About, blob: &Path) -> Result<(), HubError> {
        let partial = blob.with_file_name(format!("{}.incomplete", about.etag));
        let failed = |source| HubError::Cache { path: partial.clone(), source };
        fs::create_dir_all(blob.parent().unwrap_or(Path::new(""))).map_err(failed)?;
        let options = File::options().read(true).append(true).create(true).open(&partial);
        let mut out = options.map_err(failed)?;
        if !out.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "expected a file")));
        }
        match out.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(HubError::Busy { name: self.name.clone(), file: file.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut have = out.metadata().map_err(failed)?.len();
        let mut attempts = 0;
        while have != about.size {
            if have > about.size {
                out.set_len(0).map_err(failed)?;
                have = 0;
            }
            self.progress.at(have);
            let before = have;
            let what = match self.stream(file, about.size, &mut out, &mut have) {
                Ok(()) if have == about.size => break,
                Ok(()) if have > about.size => {
                    fs::remove_file(&partial).map_err(failed)?;
                    let what = format!("expected {} bytes, found more", about.size);
                    return Err(HubError::Damaged {
                        name: self.name.clone(),
                        file: file.to_owned(),
                        what,
                    });
                }
                Ok(()) => "the connection was closed".to_owned(),
                Err(Broken::Hub(error)) => return Err(error),
                Err(Broken::File(source)) => return Err(failed(source)),
                Err(Broken::Answer(Failure::Redirection(what))) => {
                    return Err(redirected(&self.name, self.http, &what));
                }
                Err(Broken::Answer(Failure::Passing(what))) => what,
                Err(Broken::Answer(Failure::Silent(what))) => {
                    // That has been patience enough.
                    attempts = ATTEMPTS;
                    what
                }
            };
            attempts = if have > before { 0 } else { attempts + 1 };
            if attempts >= ATTEMPTS {
                let (name, file, size) = (self.name.clone(), file.to_owned(), about.size);
                return Err(HubError::Interrupted { name, file, have, size, what });
            }
            sleep(wait(attempts));
        }
        self.verify(file, about, &mut out, &partial)?;
        out.sync_all().map_err(failed)?;
        fs::rename(&partial, blob).map_err(failed)
    }

    /// Appends what comes from `have` on, as far as it comes.
    fn stream(
        &mut self,
        file: &str,
        size: u64,
        out: &mut File,
        have: &mut u64,
    ) -> Result<(), Broken> {
        let response = self
            .http
            .ask(&Method::GET, &self.url(file), *have, |_| false)
            .map_err(Broken::Answer)?;
        let status = response.status();
        if transient(status) {
            return Err(Broken::Answer(Failure::Passing(format!("status {}", status.as_u16()))));
        }
        let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
        let goes_on = range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")));
        if status == StatusCode::RANGE_NOT_SATISFIABLE || (*have > 0 && !goes_on) {
            // It cannot go on there: from the beginning.
            if status != StatusCode::RANGE_NOT_SATISFIABLE {
                self.check(file, status).map_err(Broken::Hub)?;
            }
            out.set_len(0).map_err(Broken::File)?;
            *have = 0;
            if status != StatusCode::OK {
                return Ok(());
            }
        }
        self.check(file, status).map_err(Broken::Hub)?;
        // A byte more than there should be is enough to see that it is wrong.
        let mut body =
            self.http.body(response, None).take(size.saturating_sub(*have).saturating_add(1));
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Broken::Answer(self.http.broken(&e))),
            };
            out.write_all(&buffer[..n]).map_err(Broken::File)?;
            *have += n as u64;
            self.progress.at(*have);
        }
        Ok(())
    }

    /// Holds a file against the hub's hash, where that is one of the content.
    fn verify(
        &self,
        file: &str,
        about: &About,
        out: &mut File,
        partial: &Path,
    ) -> Result<(), HubError> {
        if about.etag.len() != 64 {
            return Ok(());
        }
        let failed = |source| HubError::Cache { path: partial.to_owned(), source };
        out.rewind().map_err(failed)?;
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
        loop {
            match out.read(&mut buffer).map_err(failed)? {
                0 => break,
                n => hasher.update(&buffer[..n]),
            }
        }
        let found: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if found == about.etag {
            return Ok(());
        }
        fs::remove_file(partial).map_err(failed)?;
        let what = format!("expected SHA-256 {}, found {found}", about.etag);
        Err(HubError::Damaged { name: self.name.clone(), file: file.to_owned(), what })
    }

    fn check(&self, file: &str, status: StatusCode) -> Result<(), HubError> {
        let (name, endpoint) = (self.name.clone(), self.http.endpoint());
        match status.as_u16() {
            200..300 => Ok(()),
            401 => Err(HubError::Token { name, endpoint }),
            403 => Err(HubError::Gated { name, endpoint }),
            404 => {
                let advice = "the hub lists it, and does not give it (404); try again later".into();
                Err(HubError::NoFile { name, file: file.to_owned(), advice })
            }
            status => Err(HubError::Status { name, file: file.to_owned(), endpoint, status }),
        }
    }

    fn other(&self, what: String) -> HubError {
        HubError::Other { name: self.name.clone(), what }
    }
}

/// How a download broke off.
enum Broken {
    Hub(HubError),
    File(io::Error),
    Answer(Failure),
}

/// Asks again where asking failed in a way that may pass; `file` is what is asked for.
pub(super) fn patiently(
    name: &HubName,
    http: &Http,
    file: &str,
    ask: impl Fn() -> Result<Response, Failure>,
) -> Result<Response, HubError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match ask() {
            Ok(response) if !transient(response.status()) => return Ok(response),
            Ok(response) if attempts >= ATTEMPTS => {
                let (name, endpoint, file) = (name.clone(), http.endpoint(), file.to_owned());
                return Err(HubError::Status {
                    name,
                    file,
                    endpoint,
                    status: response.status().as_u16(),
                });
            }
            Err(Failure::Redirection(what)) => return Err(redirected(name, http, &what)),
            Err(failure @ Failure::Silent(_)) => return Err(network(name, http, failure)),
            Err(failure) if attempts >= ATTEMPTS => return Err(network(name, http, failure)),
            _ => sleep(wait(attempts)),
        }
    }
}

pub(super) fn network(name: &HubName, http: &Http, failure: Failure) -> HubError {
    HubError::Network { name: name.clone(), endpoint: http.endpoint(), what: failure.what() }
}

fn redirected(name: &HubName, http: &Http, found: &str) -> HubError {
    let what = format!(
        "expected {} to answer or to send to https (to http only if HF_ENDPOINT is http too), \
        found {found}; check \
         HF_ENDPOINT",
        http.endpoint()
    );
    HubError::Other { name: name.clone(), what }
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// Whether asking again may help.
fn transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// 0.2 seconds, and twice as much each time.
fn wait(attempts: u32) -> Duration {
    Duration::from_millis(100 << attempts.min(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_that_can_name_a_file() {
        let about = |etag: &[u8], size: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-linked-etag", reqwest::header::HeaderValue::from_bytes(etag).ok()?);
            headers.insert("x-linked-size", size.parse().ok()?);
            About::of(&headers, true).map(|about| (about.etag, about.size))
        };
        let hash = "0123456789abcdef".repeat(4);
        assert_eq!(about(format!("W/\"{hash}\"").as_bytes(), "7"), Some((hash.clone(), 7)));
        assert_eq!(about(b"d41d8cd98f00b204e9800998ecf8427e-12", "0").unwrap().1, 0);
        for etag in [
            &b""[..],
            b"\"\"",
            b"short",
            b"../../../../outside",
            b"/etc/passwd-and-more",
            b"..............",
            b"abcdefgh.incomplete",
            b"abcdefgh/ijk",
            b"abcdefgh\\ijk",
            b"abcdefgh:ijk",
            b"abcdefgh ijk",
            b"-abcdefgh",
            b"abcdefgh\xc3\xa4",
            &[b'a'; 129],
        ] {
            assert_eq!(about(etag, "7"), None, "{}", etag.escape_ascii());
        }
        for size in ["", "-1", "1e3", "18446744073709551616", "7, 7"] {
            assert_eq!(about(hash.as_bytes(), size), None, "{size}");
        }
    }
}
