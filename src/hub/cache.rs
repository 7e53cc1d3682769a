//! What is in the cache.
//!
//! A file of a snapshot is a link to a blob, made when the blob is complete: what is there is whole, and a snapshot is whole if the files
//! are there that it takes.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::{weights, words};
use super::{Hub, HubError, Snapshot};
use crate::format::{HubName, is_commit};
use crate::lm::rwkv7::checkpoint::WORLD;

impl Hub {
    /// A model in the cache, if it is there and whole. Nothing is asked of the hub.
    pub fn cached(&self, name: &HubName) -> Result<Option<Snapshot>, HubError> {
        let Some(commit) = self.commit(name) else { return Ok(None) };
        let Some(exact) = name.at(&commit) else { return Ok(None) };
        let folder = self.folder(name).join("snapshots").join(&commit);
        let there = names(&folder);
        let whole = |files: &[String]| files.iter().all(|file| folder.join(file).exists());
        if there.iter().any(|file| file == "config.json") && name.file().is_none() {
            let index = |file: &str| fs::read(folder.join(file)).ok();
            if weights(&exact, &there, index)?.is_some_and(|files| whole(&files)) && words(&there).is_some() {
                return Ok(Some(Snapshot { path: folder, vocabulary: None, name: exact }));
            }
        }
        let Some(file) = super::files::pth(&exact, &there)?.filter(|file| whole(std::slice::from_ref(file))) else {
            return Ok(None);
        };
        let vocabulary = match words(&there) {
            Some(_) => None,
            None => Some(self.world().ok_or_else(|| HubError::NoVocabulary { name: name.clone() })?),
        };
        Ok(Some(Snapshot { path: folder.join(file), vocabulary, name: exact }))
    }

    /// The commit that a name stands for, as far as the cache knows.
    pub(super) fn commit(&self, name: &HubName) -> Option<String> {
        if let Some(commit) = name.commit() {
            return Some(commit.to_owned());
        }
        let commit = fs::read_to_string(self.folder(name).join("refs").join(name.revision())).ok()?;
        Some(commit.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// Notes which commit a branch or tag stands for.
    pub(super) fn write_reference(&self, name: &HubName, commit: &str) -> Result<(), HubError> {
        let path = self.folder(name).join("refs").join(name.revision());
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
            // Whole or not at all.
            let made = path.with_extension(format!("{}.made", std::process::id()));
            fs::write(&made, commit)?;
            fs::rename(&made, &path)
        };
        write().map_err(|source| HubError::Cache { path: path.clone(), source })
    }

    /// The vocabulary of the World models in any snapshot of the cache.
    pub(super) fn world(&self) -> Option<PathBuf> {
        let folders = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        let snapshots = folders(&self.cache).flat_map(|repository| folders(&repository.join("snapshots")));
        let mut files: Vec<PathBuf> = snapshots.map(|snapshot| snapshot.join(WORLD)).filter(|f| f.exists()).collect();
        files.sort();
        files.into_iter().next()
    }
}

/// The names of the files in a folder that are there and not only linked to.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter(|e| e.path().is_file()).filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    names
}
