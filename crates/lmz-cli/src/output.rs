//! Where output goes: to files that appear when they are complete, or to what is there already.
//!
//! A file is written under a temporary name beside its place, is synced, and takes its name only
//! when it is whole. Devices, pipes and the standard streams under their names are written to as
//! they are; nothing but a regular file is ever replaced.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use tempfile::NamedTempFile;

use super::identity::{Taken, is_block_device};
use super::{signals, startup};

/// What an output's name stands for.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// Standard output.
    Stdout,
    /// Something that is not a regular file, and what is written goes into.
    Existing(PathBuf),
    /// A file, which is there when it is complete.
    File(PathBuf),
}

impl Place {
    /// What a name stands for, or why nothing can be written there: it is a file that exists
    /// without `force`, or one of those that are needed for something else.
    pub fn of(output: &Path, force: bool, taken: &Taken) -> Result<Self> {
        if let Some(stream) = stream(output) {
            // Rust has put /dev/null in its place, which would take everything.
            ensure!(!startup::closed(stream), "{} is closed; -o names a file", output.display());
            taken.ensure_free(output)?;
            return Ok(if stream == 1 { Self::Stdout } else { Self::Existing(output.to_owned()) });
        }
        taken.ensure_free(output)?;
        match fs::metadata(output) {
            Ok(data) if data.is_dir() => {
                bail!("{}: expected the name of a file to write, found a folder", output.display());
            }
            Ok(data) if !data.is_file() => {
                ensure!(
                    force || !is_block_device(&data),
                    "{} is a device that holds data; -f writes over it",
                    output.display()
                );
                Ok(Self::Existing(output.to_owned()))
            }
            _ => {
                ensure_free(output, force)?;
                Ok(Self::File(output.to_owned()))
            }
        }
    }
}

/// The number of the open file that a name stands for (`/dev/stdout`, `/dev/fd/63`), itself or
/// through links. What it leads to may be a regular file, and yet it is no name of that.
pub fn stream(output: &Path) -> Option<u32> {
    let mut path = output.to_owned();
    for _ in 0..40 {
        match path.to_str()? {
            "/dev/stdin" => return Some(0),
            "/dev/stdout" => return Some(1),
            "/dev/stderr" => return Some(2),
            _ => {}
        }
        let folder = path.parent()?;
        let number = || path.file_name()?.to_str()?.parse().ok();
        let ours = ["/dev/fd", "/proc/self/fd", "/proc/thread-self/fd"]
            .iter()
            .any(|fds| folder == Path::new(fds));
        if ours || folder == Path::new(&format!("/proc/{}/fd", std::process::id())) {
            return number();
        }
        let link = fs::read_link(&path).ok()?;
        path = folder.join(link);
    }
    None
}

/// An error if there is something by this name that must not be replaced.
fn ensure_free(output: &Path, force: bool) -> Result<()> {
    ensure!(
        force || fs::symlink_metadata(output).is_err(),
        "{} exists; -f overwrites it",
        output.display()
    );
    Ok(())
}

/// Opens what is there and is no regular file.
pub fn existing(path: &Path) -> Result<File> {
    // Open files that are written by others as well take it at their end.
    let options =
        if stream(path).is_some() { File::options().append(true).to_owned() } else { write() };
    options.open(path).with_context(|| format!("{} cannot be written to", path.display()))
}

fn write() -> fs::OpenOptions {
    File::options().write(true).to_owned()
}

/// Lets `fill` write a temporary file, syncs it, lets `check` look at what is there, and gives it
/// the name `output`.
pub fn place<T>(
    output: &Path,
    force: bool,
    fill: impl FnOnce(&File) -> Result<T>,
    check: impl FnOnce(&mut T, &File) -> Result<()>,
) -> Result<T> {
    let folder = folder(output);
    let mut held = signals::hold();
    let file = temporary(folder)
        .with_context(|| format!("no output can be made in {}", folder.display()))?;
    held.set(Some(file.path()));
    drop(held);
    let filled = fill(file.as_file()).and_then(|mut done| {
        file.as_file().sync_all().context("writing the output")?;
        check(&mut done, file.as_file())?;
        Ok(done)
    });
    // From here on an interrupt must not remove what is becoming the output.
    let mut held = signals::hold();
    let placed = match filled {
        Ok(done) => name(file, output, force).map(|()| done),
        Err(error) => {
            drop(file);
            Err(error)
        }
    };
    held.set(None);
    placed
}

/// Where an output's name is.
pub fn folder(output: &Path) -> &Path {
    output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new file that nobody else can read yet.
pub fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".lmz-").suffix(".partial").tempfile_in(folder)
}

/// Gives a complete file its name.
fn name(file: NamedTempFile, output: &Path, force: bool) -> Result<()> {
    // It may have come since it was looked at.
    let there = fs::symlink_metadata(output).ok().map(|data| data.file_type());
    ensure!(
        there.is_none_or(|kind| kind.is_file() || kind.is_symlink()),
        "{} has become something else than a file; nothing was written",
        output.display()
    );
    let persisted = if force { file.persist(output) } else { file.persist_noclobber(output) };
    if let Err(failure) = persisted {
        if failure.error.kind() == ErrorKind::AlreadyExists {
            ensure_free(output, force)?;
        }
        return Err(failure.error)
            .with_context(|| format!("{} cannot be put in place", output.display()));
    }
    Ok(())
}

/// Makes the names in an output's folder last, where the system can do that.
pub fn sync_folder(output: &Path) -> io::Result<()> {
    let synced = File::open(folder(output)).and_then(|folder| folder.sync_all());
    match synced {
        Err(error)
            if error.kind() == ErrorKind::PermissionDenied
                || error.kind() == ErrorKind::InvalidInput =>
        {
            Ok(())
        }
        synced => synced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_open_files() {
        for (name, number) in [("/dev/stdout", 1), ("/dev/fd/63", 63), ("/proc/self/fd/7", 7)] {
            assert_eq!(stream(Path::new(name)), Some(number), "{name}");
        }
        for name in ["out", "/dev/null", "/proc/self/status", "/dev/fd/x", "/nonsense/fd/1"] {
            assert_eq!(stream(Path::new(name)), None, "{name}");
        }
        #[cfg(unix)]
        {
            let folder = tempfile::TempDir::new().unwrap();
            let link = folder.path().join("link");
            std::os::unix::fs::symlink("/dev/stdout", &link).unwrap();
            assert_eq!(stream(&link), Some(1));
            assert_eq!(Place::of(&link, true, &Taken::default()).unwrap(), Place::Stdout);
        }
    }
}
