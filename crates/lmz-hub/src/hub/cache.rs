//! What is in the cache.
//!
//! A file of a snapshot is a link to a blob, made when the blob is complete: what is there is
//! whole, and a snapshot is whole if the files are there that it takes.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{weights, words};
use super::{Hub, Snapshot};
use crate::HubError;
use crate::pth::vocabulary_size;
use lmz::format::{HubName, is_commit};
use lmz::lm::file::{self, most};
use lmz::lm::rwkv7::checkpoint::WORLD;
use lmz::vocab::{MOST_TOKENS, Token, Vocabulary};

/// The most bytes of a file that names a commit.
const REFERENCE: u64 = 4096;

impl Hub {
    /// A model in the cache, if it is there and whole. Nothing is asked of the hub.
    pub fn cached(&self, name: &HubName) -> Result<Option<Snapshot>, HubError> {
        let Some(commit) = self.commit(name) else { return Ok(None) };
        let Some(exact) = name.at(&commit) else { return Ok(None) };
        let folder = self.folder(name).join("snapshots").join(&commit);
        let there = names(&folder);
        let whole = |files: &[String]| files.iter().all(|file| folder.join(file).exists());
        if there.iter().any(|file| file == "config.json") && name.file().is_none() {
            let index = |name: &str| file::read(&folder.join(name), most::INDEX).ok();
            if weights(&exact, &there, index)?.is_some_and(|files| whole(&files))
                && words(&there).is_some()
            {
                return Ok(Some(Snapshot { path: folder, vocabulary: None, name: exact }));
            }
        }
        let Some(file) =
            super::files::single(&exact, &there)?.filter(|file| whole(std::slice::from_ref(file)))
        else {
            return Ok(None);
        };
        let vocabulary = match words(&there) {
            Some(_) => None,
            None if file.ends_with(".gguf") => None,
            None => {
                let missing = || HubError::NoVocabulary { name: name.clone() };
                Some(self.world(vocabulary_size(&folder.join(&file))).ok_or_else(missing)?)
            }
        };
        Ok(Some(Snapshot { path: folder.join(file), vocabulary, name: exact }))
    }

    /// The commit that a name stands for, as far as the cache knows.
    pub(super) fn commit(&self, name: &HubName) -> Option<String> {
        if let Some(commit) = name.commit() {
            return Some(commit.to_owned());
        }
        reference(&self.folder(name).join("refs").join(name.revision()))
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

    /// The vocabulary of the World models in any snapshot of the cache, for a model of so many
    /// tokens if that is known. Of several the one with the most tokens: of a broken one there are
    /// none, and fewer of one that was cut.
    pub(super) fn world(&self, size: Option<usize>) -> Option<PathBuf> {
        let folders = |path: &Path| {
            fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path())
        };
        let snapshots =
            folders(&self.cache).flat_map(|repository| folders(&repository.join("snapshots")));
        let mut files: Vec<PathBuf> = snapshots.map(|snapshot| snapshot.join(WORLD)).collect();
        files.sort();
        let tokens = |path: &PathBuf| {
            let bytes = file::read(path, most::WORDS).ok()?;
            let vocabulary = Vocabulary::parse_world(&bytes, size.unwrap_or(MOST_TOKENS)).ok()?;
            Some(
                (0..vocabulary.len() as Token)
                    .filter(|token| !vocabulary.token(*token).is_empty())
                    .count(),
            )
        };
        let known = files.into_iter().filter_map(|path| Some((Reverse(tokens(&path)?), path)));
        known.min().map(|(_, path)| path)
    }
}

/// The commit that a branch's or tag's file names.
pub(super) fn reference(path: &Path) -> Option<String> {
    let text = String::from_utf8(file::read(path, REFERENCE).ok()?).ok()?;
    Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
}

/// Makes `snapshots/COMMIT/FILE` stand for a blob, by names that have been checked. A link where
/// the system has them.
pub(super) fn link(etag: &str, snapshot: &Path, file: &str) -> Result<PathBuf, HubError> {
    let path = snapshot.join(file);
    let blob = Path::new("..").join("..").join("blobs").join(etag);
    let make = || {
        fs::create_dir_all(snapshot)?;
        // Whole or not at all.
        let made = snapshot.join(format!(".{file}.{}.made", std::process::id()));
        let _ = fs::remove_file(&made);
        let from = snapshot.join(&blob);
        symbolic(&blob, &made)
            .or_else(|_| fs::hard_link(&from, &made))
            .or_else(|_| fs::copy(&from, &made).map(drop))?;
        fs::rename(&made, &path)
    };
    make().map_err(|source| HubError::Cache { path: path.clone(), source })?;
    Ok(path)
}

#[cfg(unix)]
fn symbolic(to: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

#[cfg(windows)]
fn symbolic(to: &Path, at: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(to, at)
}

#[cfg(not(any(unix, windows)))]
fn symbolic(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The names of the files in a folder that are there and not only linked to.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|e| e.path().is_file())
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}
