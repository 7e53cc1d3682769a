//! Files by name, and what they hold.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::DataError;
use crate::codecs::unpack_xz;

/// A file and its name in tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    pub path: PathBuf,
    /// Different from that of every other.
    pub name: String,
    /// Whether what it holds is meant.
    unpack: bool,
}

/// The files at these paths. Folders are walked to their depths, each sorted by name; a file in one
/// is named from that folder's own name on. `unpack`: NAME.xz is taken for what it holds, and
/// called NAME.
pub fn find(paths: &[PathBuf], unpack: bool) -> Result<Vec<DataFile>, DataError> {
    let mut found: Vec<(PathBuf, String)> = Vec::new();
    for path in paths {
        let kind =
            fs::metadata(path).map_err(|why| DataError::Unreadable { path: path.clone(), why })?;
        if kind.is_dir() {
            let own = path
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            walk(path, &own, &mut found)?;
        } else {
            found.push((path.clone(), path.display().to_string()));
        }
    }
    if found.is_empty() {
        return Err(DataError::NoFiles);
    }
    let mut seen = HashSet::new();
    found.retain(|(path, _)| seen.insert(path.clone()));
    let files = found.into_iter().map(|(path, name)| {
        let stem = name.strip_suffix(".xz").filter(|_| unpack).map(str::to_owned);
        let unpack = stem.is_some();
        DataFile { path, name: stem.unwrap_or(name), unpack }
    });
    let mut files: Vec<DataFile> = files.collect();
    let mut names = HashMap::new();
    files.iter().for_each(|file| *names.entry(file.name.clone()).or_insert(0) += 1);
    for file in &mut files {
        if names[&file.name] > 1 {
            file.name = file.path.display().to_string();
        }
    }
    Ok(files)
}

fn walk(folder: &Path, name: &str, found: &mut Vec<(PathBuf, String)>) -> Result<(), DataError> {
    let unreadable = |why| DataError::Unreadable { path: folder.to_owned(), why };
    let mut entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let own = entry.file_name().to_string_lossy().into_owned();
        let name = if name.is_empty() { own } else { format!("{name}/{own}") };
        // Links to folders could lead back.
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() {
            walk(&path, &name, found)?;
        } else if path.is_file() {
            found.push((path, name));
        }
    }
    Ok(())
}

impl DataFile {
    /// Its bytes, or those that it holds.
    pub fn read(&self) -> Result<Vec<u8>, DataError> {
        let bytes = fs::read(&self.path)
            .map_err(|why| DataError::Unreadable { path: self.path.clone(), why })?;
        if !self.unpack {
            return Ok(bytes);
        }
        unpack_xz(&bytes).map_err(|why| DataError::Xz { path: self.path.clone(), why })
    }

    /// The end of its name after the last point, in small letters.
    pub fn extension(&self) -> String {
        let extension = Path::new(&self.name).extension().unwrap_or_default();
        extension.to_string_lossy().to_ascii_lowercase()
    }
}
