//! One file after the other from the hub into the cache.
//!
//! A file is written to `blobs/NAME.incomplete`, where an interrupted download goes on; it gets its name when it has all its bytes and the hub's
//! hash, and only then a link in the snapshot is made, by hf-hub. (hf-hub's own downloads begin anew, and take an error's page for a file.)

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use hf_hub::HFRepositorySync;
use hf_hub::repository::RepoTypeModel;
use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, LOCATION, RANGE};
use reqwest::redirect::Policy;
use sha2::{Digest, Sha256};

use super::{Hub, HubError, Progress, explain, innermost};
use crate::format::{HubName, is_part};

/// How often in a row something may fail without a byte having come.
const ATTEMPTS: u32 = 4;
/// Relative redirections that are followed: repositories that were renamed.
const REDIRECTIONS: usize = 5;

/// Gets files of one commit.
pub(super) struct Fetch<'a> {
    repository: &'a HFRepositorySync<RepoTypeModel>,
    endpoint: &'a str,
    name: HubName,
    commit: String,
    folder: PathBuf,
    /// Follows redirections, as to the place where large files are.
    client: Client,
    /// Does not: the hub's own answer has a file's hash.
    direct: Client,
    token: Option<String>,
    progress: &'a mut dyn Progress,
}

/// What the hub says of a file.
struct About {
    /// The blob's name. Of large files the SHA-256 hash.
    etag: String,
    size: u64,
}

impl<'a> Fetch<'a> {
    pub fn new(
        hub: &Hub,
        repository: &'a HFRepositorySync<RepoTypeModel>,
        endpoint: &'a str,
        name: HubName,
        progress: &'a mut dyn Progress,
    ) -> Result<Self, HubError> {
        let builder = || Client::builder().user_agent(concat!("lmz/", env!("CARGO_PKG_VERSION")));
        let settings = |e: reqwest::Error| HubError::Settings(e.to_string());
        let commit = name.revision().to_owned();
        Ok(Self {
            repository,
            endpoint,
            commit,
            folder: hub.folder(&name),
            name,
            client: builder().build().map_err(settings)?,
            direct: builder().redirect(Policy::none()).build().map_err(settings)?,
            token: token(),
            progress,
        })
    }

    /// Where a file is, if it is there.
    pub fn path(&self, file: &str) -> Option<PathBuf> {
        Some(self.folder.join("snapshots").join(&self.commit).join(file)).filter(|path| path.exists())
    }

    /// Where a file is, after it has been got if it was not there.
    pub fn get(&mut self, file: &str) -> Result<PathBuf, HubError> {
        if let Some(path) = self.path(file) {
            return Ok(path);
        }
        let about = self.about(file)?;
        let blob = self.folder.join("blobs").join(&about.etag);
        if !blob.exists() {
            self.progress.begin(file, 0, about.size);
            let done = self.download(file, &about, &blob);
            self.progress.end();
            done?;
        }
        let link = self.repository.download_file().filename(file).revision(&*self.commit).send();
        link.map_err(|e| explain(&self.name, self.endpoint, e))
    }

    fn url(&self, file: &str) -> String {
        format!("{}/{}/resolve/{}/{file}", self.endpoint, self.name.repository(), self.commit)
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let token = self.token.as_ref().and_then(|token| format!("Bearer {token}").parse().ok());
        headers.extend(token.map(|token| (AUTHORIZATION, token)));
        headers
    }

    /// Asks what a file is.
    fn about(&self, file: &str) -> Result<About, HubError> {
        let mut url = self.url(file);
        for _ in 0..REDIRECTIONS {
            let response = self.patiently(file, || self.direct.head(&url).headers(self.headers()).send())?;
            let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            if let Some(to) = text(LOCATION.as_str()).filter(|to| to.starts_with('/') && !to.starts_with("//")) {
                url = format!("{}{to}", self.endpoint);
                continue;
            }
            if !response.status().is_redirection() {
                self.check(file, response.status())?;
            }
            let etag = text("x-linked-etag").or(text(ETAG.as_str())).unwrap_or_default();
            let etag = etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"').to_owned();
            let size = text("x-linked-size").or(text(CONTENT_LENGTH.as_str())).and_then(|size| size.parse().ok());
            return match size {
                Some(size) if is_part(&etag) => Ok(About { etag, size }),
                _ => Err(self.other(format!("the hub names no hash or no length of {file}"))),
            };
        }
        Err(self.other(format!("the hub sends from place to place for {file}")))
    }

    /// Gets a file's bytes, going on where an earlier download ended.
    fn download(&mut self, file: &str, about: &About, blob: &Path) -> Result<(), HubError> {
        let partial = blob.with_file_name(format!("{}.incomplete", about.etag));
        let failed = |source| HubError::Cache { path: partial.clone(), source };
        fs::create_dir_all(blob.parent().unwrap_or(Path::new(""))).map_err(failed)?;
        let options = File::options().read(true).append(true).create(true).open(&partial);
        let mut out = options.map_err(failed)?;
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
                    return Err(HubError::Damaged { name: self.name.clone(), file: file.to_owned(), what });
                }
                Ok(()) => "the connection was closed".to_owned(),
                Err(Broken::Hub(error)) => return Err(error),
                Err(Broken::File(source)) => return Err(failed(source)),
                Err(Broken::Connection(what)) => what,
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
    fn stream(&mut self, file: &str, size: u64, out: &mut File, have: &mut u64) -> Result<(), Broken> {
        let mut request = self.client.get(self.url(file)).headers(self.headers());
        if *have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        let mut response = request.send().map_err(|e| Broken::Connection(innermost(&e)))?;
        if transient(response.status()) {
            return Err(Broken::Connection(format!("status {}", response.status().as_u16())));
        }
        let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
        let goes_on = range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")));
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE || (*have > 0 && !goes_on) {
            // It cannot go on there: from the beginning.
            self.check(file, response.status()).or_else(|error| match response.status() {
                StatusCode::RANGE_NOT_SATISFIABLE => Ok(()),
                _ => Err(Broken::Hub(error)),
            })?;
            out.set_len(0).map_err(Broken::File)?;
            *have = 0;
            if response.status() != StatusCode::OK {
                return Ok(());
            }
        }
        self.check(file, response.status()).map_err(Broken::Hub)?;
        let mut buffer = vec![0; 1 << 16];
        // A byte more than there should be is enough to see that it is wrong.
        while *have <= size {
            let n = match response.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Broken::Connection(innermost(&e))),
            };
            out.write_all(&buffer[..n]).map_err(Broken::File)?;
            *have += n as u64;
            self.progress.at(*have);
        }
        Ok(())
    }

    /// Holds a file against the hub's hash, where that is one of the content.
    fn verify(&self, file: &str, about: &About, out: &mut File, partial: &Path) -> Result<(), HubError> {
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

    /// Asks again where asking failed in a way that may pass.
    fn patiently(&self, file: &str, ask: impl Fn() -> Result<Response, reqwest::Error>) -> Result<Response, HubError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match ask() {
                Ok(response) if !transient(response.status()) => return Ok(response),
                Ok(response) if attempts >= ATTEMPTS => return Err(self.status(file, response.status())),
                Err(error) if attempts >= ATTEMPTS => {
                    let (name, endpoint) = (self.name.clone(), self.endpoint.to_owned());
                    return Err(HubError::Network { name, endpoint, what: innermost(&error) });
                }
                _ => sleep(wait(attempts)),
            }
        }
    }

    fn check(&self, file: &str, status: StatusCode) -> Result<(), HubError> {
        let (name, endpoint) = (self.name.clone(), self.endpoint.to_owned());
        match status.as_u16() {
            200..300 => Ok(()),
            401 => Err(HubError::Token { name, endpoint }),
            403 => Err(HubError::Gated { name, endpoint }),
            404 => {
                let advice = "the hub lists it, and does not give it (404); try again later".into();
                Err(HubError::NoFile { name, file: file.to_owned(), advice })
            }
            _ => Err(self.status(file, status)),
        }
    }

    fn status(&self, file: &str, status: StatusCode) -> HubError {
        let (name, endpoint) = (self.name.clone(), self.endpoint.to_owned());
        HubError::Status { name, file: file.to_owned(), endpoint, status: status.as_u16() }
    }

    fn other(&self, what: String) -> HubError {
        HubError::Other { name: self.name.clone(), what }
    }
}

/// How a download broke off.
enum Broken {
    Hub(HubError),
    File(io::Error),
    Connection(String),
}

/// Whether asking again may help.
fn transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// 0.2 seconds, and twice as much each time.
fn wait(attempts: u32) -> Duration {
    Duration::from_millis(100 << attempts.min(5))
}

/// The token, where hf-hub looks for it.
fn token() -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if set("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_some() {
        return None;
    }
    let read = |path: PathBuf| fs::read_to_string(path).ok();
    let token = set("HF_TOKEN")
        .or_else(|| read(set("HF_TOKEN_PATH")?.into()))
        .or_else(|| read(hf_hub::hf_home().join("token")))?;
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
}
