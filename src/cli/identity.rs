//! Which file a name stands for: names may differ where files do not.

use std::fs;
#[cfg(unix)]
use std::fs::Metadata;
use std::path::Path;

use anyhow::{Result, bail};

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
    /// Takes an input. What is not there cannot be written over.
    pub fn add_input(&mut self, path: &Path) {
        self.inputs.extend(Identity::at(path));
    }

    /// Takes something else that is needed: a file, or a folder with the files in it.
    pub fn add(&mut self, path: &Path, what: &'static str) {
        self.others.extend(Identity::at(path).map(|identity| (identity, what)));
        if path.is_dir() {
            let files = fs::read_dir(path).into_iter().flatten().flatten();
            self.others.extend(files.filter_map(|file| Some((Identity::at(&file.path())?, what))));
        }
    }

    /// Takes a model that a name stands for, if that is a path: its folder, or its file and the vocabulary beside it.
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
        let what = Identity::at(output).and_then(|identity| self.what(&identity));
        match what {
            Some(what) => bail!("the output {} is also {what}; name another (-o)", output.display()),
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
        assert_eq!((what("a"), what("b"), what("model/c")), (None, Some("a model"), Some("a model")));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("b", path("link")).unwrap();
            assert_eq!(what("link"), Some("a model"));
        }
    }
}
