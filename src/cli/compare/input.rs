//! The files that are compared.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use lmz::bench::{Form, Sample};

/// A file and its name in tables.
pub struct Input {
    path: PathBuf,
    /// Different from that of every other.
    name: String,
    /// Whether what it holds is meant.
    unpack: bool,
}

/// The files at these paths. Folders are walked to their depths, each sorted by name; a file in one is named from that
/// folder's own name on. `unpack_xz`: NAME.xz is taken for what it holds, and called NAME.
pub fn find(paths: &[PathBuf], unpack_xz: bool) -> Result<Vec<Input>> {
    let mut found: Vec<(PathBuf, String)> = Vec::new();
    for path in paths {
        let kind = fs::metadata(path).with_context(|| format!("{}: cannot be read", path.display()))?;
        if kind.is_dir() {
            let own = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            walk(path, &own, &mut found)?;
        } else {
            found.push((path.clone(), path.display().to_string()));
        }
    }
    if found.is_empty() {
        bail!("expected files to compress, found only empty folders");
    }
    let mut seen = HashSet::new();
    found.retain(|(path, _)| seen.insert(path.clone()));
    let inputs = found.into_iter().map(|(path, name)| {
        let stem = name.strip_suffix(".xz").filter(|_| unpack_xz).map(str::to_owned);
        let unpack = stem.is_some();
        Input { path, name: stem.unwrap_or(name), unpack }
    });
    let mut inputs: Vec<Input> = inputs.collect();
    let mut names = HashMap::new();
    inputs.iter().for_each(|input| *names.entry(input.name.clone()).or_insert(0) += 1);
    for input in &mut inputs {
        if names[&input.name] > 1 {
            input.name = input.path.display().to_string();
        }
    }
    Ok(inputs)
}

fn walk(folder: &Path, name: &str, found: &mut Vec<(PathBuf, String)>) -> Result<()> {
    let unreadable = || format!("{}: cannot be read", folder.display());
    let mut entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).with_context(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let own = entry.file_name().to_string_lossy().into_owned();
        let name = if name.is_empty() { own } else { format!("{name}/{own}") };
        // Links to folders could lead back.
        let kind = entry.file_type().with_context(unreadable)?;
        if kind.is_dir() {
            walk(&path, &name, found)?;
        } else if path.is_file() {
            found.push((path, name));
        }
    }
    Ok(())
}

impl Input {
    /// Its bytes, or those that it holds.
    pub fn read(&self) -> Result<Sample> {
        let path = self.path.display();
        let mut bytes = fs::read(&self.path).with_context(|| format!("{path}: cannot be read"))?;
        if self.unpack {
            bytes = lmz::bench::codecs::unpack_xz(&bytes).with_context(|| {
                format!("{path}: expected a whole .xz file; without --unpack-xz it is compared as it is")
            })?;
        }
        Ok(Sample { name: self.name.clone(), form: Form::Bytes, bytes })
    }
}
