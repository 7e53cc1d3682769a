//! Measurements that are kept, so that a long comparison goes on where it was stopped.
//!
//! A text file of JSON lines, one appended for each measurement. What was measured from other
//! bytes, in another way, or by another version is another line and not taken for this one. Builds
//! of the same version are not told apart: while lmz itself changes, begin with a new file.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::measure::Measurement;
use super::sample::{Form, Sample};
use super::worker::Job;

/// What a measurement depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key {
    /// BLAKE3 hash of the bytes, piece after piece, in hexadecimal.
    pub hash: String,
    pub form: Form,
    /// Bytes of the pieces that it was cut into, if it was.
    pub chunk: Option<u64>,
    pub job: Job,
    /// What [`Codec::version`](super::Codec::version) says.
    pub version: String,
    /// The version of lmz that measured.
    pub lmz: String,
}

impl Key {
    /// The key of a job on pieces of one form, cut to `chunk` bytes if they are.
    pub fn new(pieces: &[Sample], chunk: Option<u64>, job: &Job, version: String) -> Self {
        let mut hash = blake3::Hasher::new();
        for piece in pieces {
            hash.update(&piece.bytes);
        }
        let form = pieces.first().map_or(Form::Bytes, |piece| piece.form);
        let (hash, lmz) =
            (hash.finalize().to_hex().to_string(), env!("CARGO_PKG_VERSION").to_owned());
        Self { hash, form, chunk, job: job.clone(), version, lmz }
    }
}

/// What each line begins with.
const BEGIN: &str = "{\"key\":{";

#[derive(Serialize, Deserialize)]
struct Line<V> {
    key: Key,
    measurement: V,
}

/// Why measurements cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "{}: line {line} is no measurement of this version ({source}); remove the line, or name \
        another file",
        path.display()
    )]
    Line { path: PathBuf, line: usize, source: serde_json::Error },
}

/// Measurements in a file. `V`: what one is; a file holds one kind.
pub struct State<V = Measurement> {
    path: PathBuf,
    file: File,
    known: HashMap<Key, V>,
}

impl<V: Clone + Serialize + DeserializeOwned> State<V> {
    /// Reads what is there, or begins a file. A last line without an end, which an interruption
    /// leaves, is taken away.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let fail = |source| StateError::Io { path: path.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(fail)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(fail)?;
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let mut known = HashMap::new();
        for (number, line) in text[..whole].lines().enumerate() {
            let Line { key, measurement } = serde_json::from_str(line).map_err(|source| {
                StateError::Line { path: path.to_owned(), line: number + 1, source }
            })?;
            known.insert(key, measurement);
        }
        // Only what can be such a line: another file is left as it is.
        let rest = &text[whole..];
        if !rest.starts_with(BEGIN) && !BEGIN.starts_with(rest) {
            let source = io::Error::new(
                io::ErrorKind::InvalidData,
                "expected lines of JSON; name another file",
            );
            return Err(fail(source));
        }
        file.set_len(whole as u64).map_err(fail)?;
        file.seek(SeekFrom::End(0)).map_err(fail)?;
        Ok(Self { path: path.to_owned(), file, known })
    }

    /// What was measured for a key, if it was.
    pub fn get(&self, key: &Key) -> Option<&V> {
        self.known.get(key)
    }

    /// Keeps a measurement; it is in the file when this returns.
    pub fn put(&mut self, key: Key, measurement: V) -> Result<(), StateError> {
        let fail = |source| StateError::Io { path: self.path.clone(), source };
        let mut line =
            serde_json::to_vec(&Line { key: key.clone(), measurement: measurement.clone() })
                .map_err(|error| fail(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(fail)?;
        self.known.insert(key, measurement);
        Ok(())
    }
}
