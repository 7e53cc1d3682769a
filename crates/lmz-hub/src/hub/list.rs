//! The models in the cache, and removing them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::cache::{names, reference};
use super::files::weights;
use super::{Hub, Snapshot};
use crate::HubError;
use crate::architecture;
use crate::gguf::is_gguf;
use crate::pth::is_pth;
use lmz::format::{HubName, is_commit};
use lmz::lm::file::{self, most};

/// A model in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// With its commit.
    pub name: HubName,
    /// The branches and tags that stand for this commit.
    pub references: Vec<String>,
    /// The bytes of its files.
    pub bytes: u64,
    pub snapshot: Snapshot,
}

impl Hub {
    /// The models in the cache that this program can run, sorted by name.
    pub fn list(&self) -> Vec<Listed> {
        let mut out = Vec::new();
        for (repository, folder) in repositories(&self.cache) {
            let references = references(&folder);
            for commit in folders(&folder.join("snapshots")).filter(|commit| is_commit(commit)) {
                let snapshot = folder.join("snapshots").join(&commit);
                let Some(name) = repository.at(&commit) else { continue };
                let there = names(&snapshot);
                let ending = |end| there.iter().filter(move |file: &&String| file.ends_with(end));
                let safe = weights(&name, &there, |name| {
                    file::read(&snapshot.join(name), most::INDEX).ok()
                });
                let models: Vec<HubName> = match safe {
                    Ok(Some(_))
                        if snapshot.join("config.json").exists()
                            && architecture::at(&snapshot).is_ok() =>
                    {
                        vec![name]
                    }
                    Ok(Some(_)) | Err(_) => Vec::new(),
                    Ok(None) => {
                        let run = ending(".pth").filter(|file| is_pth(&snapshot.join(file)));
                        let ggufs = ending(".gguf").filter(|file| is_gguf(&snapshot.join(file)));
                        run.chain(ggufs).filter_map(|file| name.with_file(file)).collect()
                    }
                };
                for name in models {
                    let Ok(Some(snapshot)) = self.cached(&name) else { continue };
                    let bytes = bytes(snapshot.path());
                    let standing = references
                        .iter()
                        .filter(|(_, to)| *to == commit)
                        .map(|(name, _)| name.clone());
                    out.push(Listed { name, references: standing.collect(), bytes, snapshot });
                }
            }
        }
        out.sort_by(|a, b| a.name.cmp(&b.name));
        out
    }

    /// Removes a model: a revision if the name has one, one checkpoint if it names one, or else the
    /// whole repository. What other revisions share stays. Gives back how many bytes are free
    /// again.
    pub fn remove(&self, name: &HubName) -> Result<u64, HubError> {
        let folder = self.folder(name);
        let missing = || HubError::NotCached { name: name.clone(), cache: self.cache.clone() };
        if !folder.is_dir() {
            return Err(missing());
        }
        let failed = |path: &Path| {
            let path = path.to_owned();
            |source| HubError::Cache { path, source }
        };
        let before = bytes_below(&folder);
        let part = name.has_revision() || name.file().is_some();
        if part {
            let commit = self.commit(name).ok_or_else(missing)?;
            let snapshot = folder.join("snapshots").join(&commit);
            let doomed = match name.file() {
                Some(file) => snapshot.join(file),
                None => snapshot.clone(),
            };
            if fs::symlink_metadata(&doomed).is_err() {
                return Err(missing());
            }
            match name.file() {
                Some(_) => fs::remove_file(&doomed),
                None => fs::remove_dir_all(&doomed),
            }
            .map_err(failed(&doomed))?;
            if folders(&snapshot).next().is_none() && names(&snapshot).is_empty() {
                let _ = fs::remove_dir(&snapshot);
                for (reference, _) in
                    references(&folder).into_iter().filter(|(_, to)| *to == commit)
                {
                    let path = folder.join("refs").join(reference);
                    fs::remove_file(&path).map_err(failed(&path))?;
                }
            }
            let used = used(&folder.join("snapshots"));
            for blob in entries(&folder.join("blobs")).filter(|blob| !used.contains(blob)) {
                fs::remove_file(&blob).map_err(failed(&blob))?;
            }
        }
        let empty = folders(&folder.join("snapshots")).next().is_none();
        if empty || !part {
            fs::remove_dir_all(&folder).map_err(failed(&folder))?;
            let locks = folder.file_name().map(|name| self.cache.join(".locks").join(name));
            let _ = locks.map(fs::remove_dir_all);
        }
        Ok(before.saturating_sub(bytes_below(&folder)))
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Whether a folder is there, and not a link to one: those can go round in circles.
fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|data| data.is_dir())
}

/// The names of folders in a folder.
fn folders(folder: &Path) -> impl Iterator<Item = String> {
    entries(folder)
        .filter(|path| path.is_dir())
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
}

/// The repositories of models in a cache.
fn repositories(cache: &Path) -> Vec<(HubName, PathBuf)> {
    let name = |folder: String| {
        let name = folder.strip_prefix("models--")?.replace("--", "/");
        Some((HubName::parse(&format!("{}{name}", HubName::PREFIX))?, cache.join(folder)))
    };
    folders(cache).filter_map(name).collect()
}

/// Branches and tags, with their commits.
fn references(folder: &Path) -> Vec<(String, String)> {
    let root = folder.join("refs");
    let mut out = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        for path in entries(&folder) {
            if is_folder(&path) {
                open.push(path);
            } else if let (Some(commit), Ok(name)) = (reference(&path), path.strip_prefix(&root)) {
                out.push((name.to_string_lossy().into_owned(), commit));
            }
        }
    }
    out.sort();
    out
}

/// The blobs that snapshots use.
fn used(snapshots: &Path) -> BTreeSet<PathBuf> {
    let mut out = BTreeSet::new();
    let mut open = vec![snapshots.to_owned()];
    while let Some(folder) = open.pop() {
        for path in entries(&folder) {
            match is_folder(&path) {
                true => open.push(path),
                false => {
                    let blob = fs::canonicalize(&path)
                        .ok()
                        .and_then(|blob| blob.file_name().map(ToOwned::to_owned));
                    let blobs = snapshots.parent().map(|folder| folder.join("blobs"));
                    out.extend(blob.zip(blobs).map(|(blob, blobs)| blobs.join(blob)));
                }
            }
        }
    }
    out
}

/// The bytes of a file, or of the files in a folder.
fn bytes(path: &Path) -> u64 {
    let size = |path: &Path| fs::metadata(path).map_or(0, |data| data.len());
    if path.is_dir() { entries(path).map(|path| size(&path)).sum() } else { size(path) }
}

/// The bytes of all that is in a folder, links not counted.
fn bytes_below(folder: &Path) -> u64 {
    let size = |path: PathBuf| match fs::symlink_metadata(&path) {
        Ok(data) if data.is_dir() => bytes_below(&path),
        Ok(data) if data.is_file() => data.len(),
        _ => 0,
    };
    entries(folder).map(size).sum()
}
