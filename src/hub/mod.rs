//! Models of the Hugging Face hub: in its cache, which other programs share, or got from the hub into it.
//!
//! A name comes in ([`HubName`]), a folder or file that can be loaded goes out ([`Snapshot`]). The cache has the hub's own layout, so that what
//! `huggingface_hub` has got is found, and the other way round. The environment is that of the hub's other programs: `HF_HOME`,
//! `HF_HUB_CACHE`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_OFFLINE`.

mod cache;
mod error;
mod fetch;
mod files;
mod list;

use std::path::{Path, PathBuf};

pub use error::HubError;
use hf_hub::{HFClient, HFClientSync, HFError};
pub use list::Listed;

use crate::format::{HubName, is_commit};

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

    /// A model: the one in the cache, without asking whether the hub has a newer one, or else got from the hub.
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
        let client = HFClient::builder().cache_dir(&self.cache).retry_max_attempts(3).build();
        let client = client.map_err(|e| HubError::Settings(e.to_string()))?;
        let endpoint = client.endpoint().to_owned();
        let client = HFClientSync::from_inner(client).map_err(|e| HubError::Settings(e.to_string()))?;
        let (owner, repository) = hf_hub::split_id(name.repository());
        let repository = client.model(owner, repository);
        let info = repository.info().revision(name.revision()).send().map_err(|e| explain(name, &endpoint, e))?;
        let other = |what: &str| HubError::Other { name: name.clone(), what: what.to_owned() };
        let commit = info.sha.filter(|sha| is_commit(sha)).ok_or_else(|| other("the hub names no commit"))?;
        let exact = name.at(&commit).ok_or_else(|| other("the hub names no commit"))?;
        let there: Vec<String> = info.siblings.unwrap_or_default().into_iter().map(|file| file.rfilename).collect();
        let mut fetch = fetch::Fetch::new(self, &repository, &endpoint, exact.clone(), progress)?;
        self.choose(&exact, &there, &mut fetch)?;
        if name.commit().is_none() {
            self.write_reference(name, &commit)?;
        }
        self.cached(&exact)?.ok_or_else(|| other("downloaded, but not whole in the cache"))
    }

    /// The folder of a repository.
    fn folder(&self, name: &HubName) -> PathBuf {
        self.cache.join(format!("models--{}", name.repository().replace('/', "--")))
    }
}

/// What an answer of the hub to a question about a repository means.
fn explain(name: &HubName, endpoint: &str, error: HFError) -> HubError {
    let (name, endpoint) = (name.clone(), endpoint.to_owned());
    match error {
        HFError::AuthRequired { .. } => HubError::Token { name, endpoint },
        HFError::Forbidden { .. } => HubError::Gated { name, endpoint },
        HFError::RepoNotFound { .. } => HubError::NoRepository { name, endpoint },
        HFError::RevisionNotFound { context, .. } => {
            // Of a question about a revision the status does not tell which of both is missing; the hub's own code does.
            match context.and_then(|context| context.error_code).as_deref() {
                Some("RevisionNotFound") => HubError::NoRevision { name },
                _ => HubError::NoRepository { name, endpoint },
            }
        }
        HFError::Request { source, .. } => HubError::Network { name, endpoint, what: innermost(&source) },
        HFError::Http { context } => {
            HubError::Status { name, file: "an answer".into(), endpoint, status: context.status.as_u16() }
        }
        error => HubError::Other { name, what: error.to_string() },
    }
}

/// What an error comes from, at the bottom.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
