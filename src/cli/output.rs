//! What the command writes.

#[cfg(unix)]
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

/// A file that appears when it is complete.
pub struct Output<'a> {
    path: &'a Path,
    file: NamedTempFile,
}

impl<'a> Output<'a> {
    /// Fails at once if the file cannot be written.
    pub fn begin(path: &'a Path) -> Result<Self> {
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        if path.is_dir() {
            anyhow::bail!("{}: expected the name of a file to write, found a folder", path.display());
        }
        let file = NamedTempFile::new_in(folder).with_context(|| format!("{}: cannot be written", path.display()))?;
        Ok(Self { path, file })
    }

    /// Writes it and gives it its name.
    pub fn finish(mut self, content: &[u8]) -> Result<()> {
        let failed = || format!("{}: cannot be written", self.path.display());
        self.file.write_all(content).with_context(failed)?;
        let path = self.file.into_temp_path();
        // Temporary files are for their owner alone; a table is not.
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).with_context(failed)?;
        path.persist(self.path).with_context(failed)
    }
}
