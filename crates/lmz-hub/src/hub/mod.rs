//! Models of the Hugging Face hub: in its cache, which other programs share, or got from the hub
//! into it.
//!
//! A name comes in ([`HubName`]), a folder or file that can be loaded goes out ([`Snapshot`]). The
//! cache has the hub's own layout, so that what `huggingface_hub` has got is found, and the other
//! way round. The environment is that of the hub's other programs: `HF_HOME`, `HF_HUB_CACHE`,
//! `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_OFFLINE`, `HF_HUB_DOWNLOAD_TIMEOUT`.
//!
//! Nothing that the hub or another server says names a path, gets the token or fills the memory
//! before it was checked.

mod cache;
mod fetch;
mod files;
mod http;
mod list;

use std::path::{Path, PathBuf};

pub use list::Listed;
use reqwest::Method;
use serde::Deserialize;

use crate::HubError;
use fetch::{Fetch, network, patiently};
use http::Http;
use lmz::format::{HubName, is_commit, is_part};

/// The longest description of a repository that is read, in bytes.
const DESCRIPTION: u64 = 32 << 20;

/// What the hub says of a repository at a revision.
#[derive(Deserialize)]
struct Description {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

/// A file of a repository.
#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// The hub and its cache.
#[derive(Debug, Clone)]
pub struct Hub {
    cache: PathBuf,
    offline: bool,
}

/// A model in the cache, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    path: PathBuf,
    vocabulary: Option<PathBuf>,
    name: HubName,
}

impl Snapshot {
    /// Its folder, or the file of a checkpoint that PyTorch wrote.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its vocabulary, where that is elsewhere.
    pub fn vocabulary(&self) -> Option<&Path> {
        self.vocabulary.as_deref()
    }

    /// Its name, with the commit.
    pub fn name(&self) -> &HubName {
        &self.name
    }
}

/// Is told how a download goes.
pub trait Progress {
    /// A file of `size` bytes begins, or goes on after `have` of them.
    fn begin(&mut self, file: &str, have: u64, size: u64);
    /// So many bytes more have come; of a file that begins anew, fewer.
    fn at(&mut self, have: u64);
    /// The file is complete, or has failed.
    fn end(&mut self);
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn begin(&mut self, _: &str, _: u64, _: u64) {}
    fn at(&mut self, _: u64) {}
    fn end(&mut self) {}
}

/// A name of the hub, or what is wrong with it.
pub fn parse(text: &str) -> Result<HubName, HubError> {
    HubName::parse(text).ok_or_else(|| HubError::Name(text.to_owned()))
}

impl Hub {
    /// As the environment says; `offline` forbids the network whatever it says.
    pub fn new(offline: bool) -> Self {
        let stated = std::env::var("HF_HUB_OFFLINE").unwrap_or_default().to_ascii_lowercase();
        let offline = offline || matches!(stated.as_str(), "1" | "on" | "yes" | "true");
        Self { cache: hf_hub::resolve_cache_dir(), offline }
    }

    /// The cache's folder.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// A model: the one in the cache, without asking whether the hub has a newer one, or else got
    /// from the hub.
    pub fn find(&self, name: &HubName, progress: &mut dyn Progress) -> Result<Snapshot, HubError> {
        match self.cached(name)? {
            Some(snapshot) => Ok(snapshot),
            None => self.pull(name, progress),
        }
    }

    /// Gets a model from the hub, as far as it is not in the cache: the newest of its branch.
    pub fn pull(&self, name: &HubName, progress: &mut dyn Progress) -> Result<Snapshot, HubError> {
        if self.offline {
            let offline = || HubError::Offline { name: name.clone(), cache: self.cache.clone() };
            return self.cached(name)?.ok_or_else(offline);
        }
        let http = Http::new()?;
        let other = |what: &str| HubError::Other { name: name.clone(), what: what.to_owned() };
        let Description { sha, siblings } = self.describe(name, &http)?;
        let no_commit = || other("the hub names no commit");
        let commit = Some(sha).filter(|sha| is_commit(sha)).ok_or_else(no_commit)?;
        // A commit is what it is, whatever the hub makes of it.
        if name.commit().is_some_and(|asked| asked != commit) {
            return Err(other("the hub names another commit than it was asked for"));
        }
        let exact = name.at(&commit).ok_or_else(no_commit)?;
        // Models have no others: not in folders, and none that mean something else in a path.
        let there: Vec<String> =
            siblings.into_iter().map(|file| file.rfilename).filter(|file| is_part(file)).collect();
        let mut fetch = Fetch::new(self, &http, exact.clone(), progress);
        self.choose(&exact, &there, &mut fetch)?;
        if name.commit().is_none() {
            self.write_reference(name, &commit)?;
        }
        self.cached(&exact)?.ok_or_else(|| other("downloaded, but not whole in the cache"))
    }

    /// What the hub says of a repository at a revision.
    fn describe(&self, name: &HubName, http: &Http) -> Result<Description, HubError> {
        // Of a branch's characters only the slash means something in a path.
        let revision = name.revision().replace('/', "%2F");
        let url = http.url(&format!("/api/models/{}/revision/{revision}", name.repository()));
        let file = "a description";
        let answer = patiently(name, http, file, || http.ask(&Method::GET, &url, 0, |_| false))?;
        let (status, endpoint) = (answer.status().as_u16(), http.endpoint());
        let name = name.clone();
        match status {
            200..300 => {}
            401 => return Err(HubError::Token { name, endpoint }),
            403 => return Err(HubError::Gated { name, endpoint }),
            // The status does not tell which of both is missing; the hub's own code does.
            404 => match answer.headers().get("x-error-code").map(|code| code.as_bytes()) {
                Some(b"RevisionNotFound") => return Err(HubError::NoRevision { name }),
                _ => return Err(HubError::NoRepository { name, endpoint }),
            },
            _ => return Err(HubError::Status { name, file: file.into(), endpoint, status }),
        }
        let json =
            http.read(answer, DESCRIPTION).map_err(|failure| network(&name, http, failure))?;
        serde_json::from_slice(&json).map_err(|error| {
            let what = format!(
                "expected a description of the repository from {endpoint}, found \
                other bytes: {error}"
            );
            HubError::Other { name, what }
        })
    }

    /// The folder of a repository.
    fn folder(&self, name: &HubName) -> PathBuf {
        self.cache.join(format!("models--{}", name.repository().replace('/', "--")))
    }
}
