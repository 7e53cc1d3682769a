//! Which files become which data sets.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use lmz_bench::data::{self, DataFile, DataSet, file};

use super::args::Common;

/// The sets of pieces, in the order of the paper's table.
const NAMES: [&str; 5] = ["enwik", "text", "image", "audio", "random"];

/// Data as `--data` names it.
pub struct Data<'a> {
    common: &'a Common,
    /// Whether it has folders for kinds of data.
    sorted: bool,
}

impl<'a> Data<'a> {
    pub fn new(common: &'a Common) -> Self {
        let sorted = ["text", "image", "audio"].iter().any(|kind| common.data.join(kind).is_dir());
        Self { common, sorted }
    }

    /// A set of pieces by its name; nothing if there are no files for it.
    pub fn set(&self, name: &str) -> Result<Option<DataSet>> {
        let limit = self.common.limit;
        if name == "random" {
            return Ok(Some(data::random(limit)));
        }
        let Some(files) = self.files(name)? else { return Ok(None) };
        Ok(Some(match name {
            "image" => data::image(&files, limit)?,
            "audio" => data::audio(&files, limit)?,
            _ => data::text(name, &files, limit)?,
        }))
    }

    /// The one set of an experiment: it must be there.
    pub fn only(&self, name: &str) -> Result<DataSet> {
        match self.set(name)? {
            Some(set) => Ok(set),
            None => bail!(
                "{}: expected a folder with files for the {name} set, found none; --set names \
                another",
                self.common.data.display()
            ),
        }
    }

    /// All sets of pieces that there are files for.
    pub fn sets(&self) -> Result<Vec<DataSet>> {
        NAMES.iter().filter_map(|name| self.set(name).transpose()).collect()
    }

    /// Pictures and sound as they are.
    pub fn members(&self) -> Result<Vec<DataSet>> {
        let mut out = Vec::new();
        if let Some(files) = self.files("image")? {
            out.push(data::picture(&files, self.common.limit)?);
        }
        if let Some(files) = self.files("audio")? {
            out.push(data::sound(&files, self.common.limit)?);
        }
        Ok(out)
    }

    /// The files of a set; nothing without a folder for it.
    fn files(&self, set: &str) -> Result<Option<Vec<DataFile>>> {
        let root = &self.common.data;
        let enwik = root.join("text").join("enwik");
        let path: PathBuf = match (set, self.sorted) {
            ("text", false) => root.clone(),
            (_, false) => return Ok(None),
            ("enwik", true) => enwik.clone(),
            (kind, true) => root.join(kind),
        };
        if self.sorted && !path.is_dir() {
            return Ok(None);
        }
        let mut files = file::find(&[path], !self.common.keep_xz)?;
        if set == "text" {
            // A set of its own.
            files.retain(|file| !(self.sorted && file.path.starts_with(&enwik)));
        }
        let kinds: &[&str] = match set {
            "image" => &["png", "ppm", "pgm"],
            "audio" => &["wav", "flac"],
            _ => return Ok(Some(files).filter(|files| !files.is_empty())),
        };
        files.retain(|file| kinds.contains(&file.extension().as_str()));
        Ok(Some(files).filter(|files| !files.is_empty()))
    }
}

/// Whether a folder can be written into; it is made if there is none.
pub fn folder(path: &Path) -> Result<()> {
    if let Err(error) = std::fs::create_dir_all(path) {
        bail!("{}: expected a folder to write into: {error}", path.display());
    }
    Ok(())
}
