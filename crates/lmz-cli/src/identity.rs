//! Which file a name stands for: names may differ where files do not.

use std::fs::{self, File, Metadata};
use std::path::Path;

use anyhow::{Result, bail};

use super::args::STDIN;

/// A file, whatever it is called: where there are such numbers, its device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg(unix)]
pub struct Identity {
    device: u64,
    inode: u64,
}

/// A file, whatever it is called: its name without links.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg(not(unix))]
pub struct Identity(std::path::PathBuf);

impl Identity {
    /// That of what a name leads to, through links, if there is something.
    pub fn at(path: &Path) -> Option<Self> {
        #[cfg(unix)]
        return fs::metadata(path).ok().map(|data| Self::of(&data));
        #[cfg(not(unix))]
        return fs::canonicalize(path).ok().map(Self);
    }

    /// That of an open regular file.
    fn of_file(file: &File) -> Option<Self> {
        #[cfg(unix)]
        return file.metadata().ok().filter(Metadata::is_file).map(|data| Self::of(&data));
        #[cfg(not(unix))]
        {
            // An open file has no number there, and its name is not known.
            let _ = file;
            None
        }
    }

    #[cfg(unix)]
    pub fn of(data: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: data.dev(), inode: data.ino() }
    }
}

/// The vocabulary beside a checkpoint in one file.
const WORLD: &str = "rwkv_vocab_v20230424.txt";

/// Files that are read, which therefore no output may be.
#[derive(Debug, Default)]
pub struct Taken {
    inputs: Vec<Identity>,
    /// What else is needed, and what it is.
    others: Vec<(Identity, &'static str)>,
}

impl Taken {
    /// Takes an input, which is standard input if it is called so. What is not there cannot be
    /// written over.
    pub fn add_input(&mut self, path: &Path) {
        let file = || standard_input().and_then(|file| Identity::of_file(&file));
        self.inputs.extend(if path == Path::new(STDIN) { file() } else { Identity::at(path) });
    }

    /// Takes something else that is needed: a file, or a folder with the files in it.
    pub fn add(&mut self, path: &Path, what: &'static str) {
        self.others.extend(Identity::at(path).map(|identity| (identity, what)));
        if path.is_dir() {
            let files = fs::read_dir(path).into_iter().flatten().flatten();
            self.others.extend(files.filter_map(|file| Some((Identity::at(&file.path())?, what))));
        }
    }

    /// Takes a model that a name stands for, if that is a path: its folder, or its file and the
    /// vocabulary beside it.
    pub fn add_model(&mut self, name: &str) {
        const WHAT: &str = "a file of the model";
        let path = Path::new(name);
        if lmz::lm::rwkv7::Model::builtin_names().any(|built_in| built_in == name) {
            return;
        }
        self.add(path, WHAT);
        if path.is_file() {
            self.add(&path.with_file_name(WORLD), WHAT);
        }
    }

    /// An error if an output is one of these files.
    pub fn ensure_free(&self, output: &Path) -> Result<()> {
        // A terminal or a pipe may well be both.
        let holds_data =
            fs::metadata(output).is_ok_and(|data| data.is_file() || is_block_device(&data));
        let what =
            Identity::at(output).filter(|_| holds_data).and_then(|identity| self.what(&identity));
        match what {
            Some(what) => {
                bail!("the output {} is also {what}; name another (-o)", output.display())
            }
            None => Ok(()),
        }
    }

    /// An error if standard output is one of these files.
    pub fn ensure_stdout_free(&self) -> Result<()> {
        match standard_output()
            .and_then(|file| Identity::of_file(&file))
            .and_then(|identity| self.what(&identity))
        {
            Some(what) => bail!("standard output is {what}: nothing was written"),
            None => Ok(()),
        }
    }

    /// What a file is already, if it is taken.
    pub fn what(&self, identity: &Identity) -> Option<&'static str> {
        let input = || self.inputs.contains(identity).then_some("an input");
        self.beside_input(identity).or_else(input)
    }

    /// What a file is already, other than an input.
    pub fn beside_input(&self, identity: &Identity) -> Option<&'static str> {
        self.others.iter().find(|(taken, _)| taken == identity).map(|(_, what)| *what)
    }
}

/// Standard input as a file, where the system gives it as one.
#[cfg(unix)]
pub fn standard_input() -> Option<File> {
    use std::os::fd::AsFd;
    std::io::stdin().as_fd().try_clone_to_owned().ok().map(File::from)
}

#[cfg(unix)]
fn standard_output() -> Option<File> {
    use std::os::fd::AsFd;
    std::io::stdout().as_fd().try_clone_to_owned().ok().map(File::from)
}

#[cfg(not(unix))]
pub fn standard_input() -> Option<File> {
    None
}

#[cfg(not(unix))]
fn standard_output() -> Option<File> {
    None
}

#[cfg(unix)]
pub fn is_block_device(data: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_block_device(&data.file_type())
}

#[cfg(not(unix))]
pub fn is_block_device(_: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_file() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), "x").unwrap();
        fs::write(path("b"), "x").unwrap();
        fs::create_dir(path("model")).unwrap();
        fs::hard_link(path("b"), path("model/c")).unwrap();
        let mut taken = Taken::default();
        taken.add(&path("model"), "a model");
        taken.add(&path("missing"), "nothing");
        let what = |name: &str| taken.what(&Identity::at(&path(name)).unwrap());
        assert_eq!(
            (what("a"), what("b"), what("model/c")),
            (None, Some("a model"), Some("a model"))
        );
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("b", path("link")).unwrap();
            assert_eq!(what("link"), Some("a model"));
        }
    }
}
