//! Files of results: tables and pictures of comparisons and experiments.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use lmz_cli::identity::Taken;
use lmz_cli::output::{Place, existing, folder, place, temporary};
use lmz_cli::{rights, say};

/// A file of results that appears when it is complete and replaces one of its name.
pub struct Output<'a> {
    path: &'a Path,
    place: Place,
}

impl<'a> Output<'a> {
    /// Fails at once if it cannot be written, or is one of the files that are read.
    pub fn begin(path: &'a Path, taken: &Taken) -> Result<Self> {
        let place = Place::of(path, true, taken)?;
        if let Place::File(_) = place {
            temporary(folder(path))
                .with_context(|| format!("{}: cannot be written", path.display()))?;
        }
        Ok(Self { path, place })
    }

    /// Writes it and gives it its name.
    pub fn finish(self, content: &[u8]) -> Result<()> {
        match self.place {
            Place::Stdout => say::write(content),
            Place::Existing(path) => existing(&path)?
                .write_all(content)
                .with_context(|| format!("{}: cannot be written", path.display())),
            Place::File(_) => {
                let fill = |mut file: &File| {
                    file.write_all(content)
                        .and_then(|()| rights::usual(file))
                        .context("writing the output")
                };
                place(self.path, true, fill, |_, _| Ok(()))
            }
        }
    }
}
