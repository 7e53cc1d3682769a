//! What is known inside a frame, and its end.

use std::io::Read;

use super::source::Source;
use crate::error::{Error, Result};
use crate::format::{BlockHead, Entry, FormatError, Index, Input, TRAILER_BYTES, Trailer};
use crate::options::Resolved;

/// What is known inside a frame.
pub struct Inside {
    /// What its blocks are decoded with.
    pub resolved: Resolved,
    /// Where the frame begins in the archive.
    pub begin: u64,
    /// Whether it is a short frame, whose only block is all of it.
    pub short: bool,
    pub blocks: u64,
    /// What the index has to say of the blocks so far, as it is written.
    pub index: Vec<u8>,
    /// A block whose head has been read, where it began, and what is there of its coded bytes and
    /// check.
    pub next: Option<(BlockHead, u64, Vec<u8>)>,
    pub last_seen: bool,
}

impl Inside {
    pub fn new(resolved: Resolved, begin: u64) -> Self {
        let (index, next) = (Vec::new(), None);
        Self { resolved, begin, short: false, blocks: 0, index, next, last_seen: false }
    }

    /// Notes a block that has been read and takes `bytes` in the archive.
    pub fn add(&mut self, head: &BlockHead, bytes: u64) {
        Entry { bytes, raw: head.raw }.write(&mut self.index);
        self.blocks += 1;
        self.last_seen = head.last;
    }

    /// The index and trailer that belong to the blocks of a full frame, which ended at `at`.
    pub fn ending(&self, at: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.index.len() + 64);
        Index::write_entries(self.blocks, &self.index, &mut out);
        let index = out.len() as u64;
        Trailer { frame: at - self.begin + index + TRAILER_BYTES as u64, index }.write(&mut out);
        out
    }
}

/// Reads an index and a trailer, which must say what the blocks were.
pub fn end_frame<R: Read>(source: &mut Source<R>, at: u64, expected: &[u8]) -> Result<()> {
    loop {
        let have = source.have();
        let n = have.len().min(expected.len());
        if have[..n] != expected[..n] {
            return Err(wrong_ending(have, at));
        }
        if n == expected.len() {
            source.skip(n);
            return Ok(());
        }
        if !source.fill(n + 1, 0)? {
            return Err(Error::Format { at: at + n as u64, source: FormatError::Incomplete });
        }
    }
}

/// What is wrong with the end of a frame that began at `at`.
fn wrong_ending(found: &[u8], at: u64) -> Error {
    let mut input = Input::new(found);
    let (at, source) = match Index::read(&mut input) {
        Err(source @ (FormatError::BadCheck { .. } | FormatError::Malformed { .. })) => {
            (at, source)
        }
        Ok(index) if index.0.is_empty() || input.position() == found.len() => {
            (at, FormatError::Malformed { what: "index", found: "other blocks than the frame" })
        }
        Ok(_) => {
            let at_trailer = at + input.position() as u64;
            match Trailer::read(&mut input) {
                Err(source @ FormatError::BadCheck { .. }) => (at_trailer, source),
                _ => (
                    at_trailer,
                    FormatError::Malformed {
                        what: "index or trailer",
                        found: "not what the frame is",
                    },
                ),
            }
        }
        Err(_) => {
            (at, FormatError::Malformed { what: "index", found: "other blocks than the frame" })
        }
    };
    Error::Format { at, source }
}
