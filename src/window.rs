//! A piece of a file around the place that is looked at, so that small looks are not reads.

use std::io::{self, Read, Seek, SeekFrom};

/// Bytes of a buffer at least, where it grows with what is there.
const LEAST: usize = 64 << 10;

/// Some bytes of a file and their place.
#[derive(Default)]
pub struct Window {
    at: u64,
    bytes: Vec<u8>,
    /// Whether the file ends with them.
    ends: bool,
    /// Bytes that are read before and behind the place that is looked at.
    before: u64,
    behind: usize,
}

impl Window {
    pub fn new(before: u64, behind: usize) -> Self {
        Self { before, behind, ..Self::default() }
    }

    /// The bytes from a place on: `n` or more, unless the file ends before.
    pub fn get(&mut self, inner: &mut (impl Read + Seek), at: u64, n: usize) -> io::Result<&[u8]> {
        let end = self.at + self.bytes.len() as u64;
        let there = at >= self.at && (self.ends || at.saturating_add(n as u64) <= end);
        if !there {
            let from = at.saturating_sub(self.before);
            let want =
                usize::try_from(at - from).unwrap_or(usize::MAX).saturating_add(n.max(self.behind));
            inner.seek(SeekFrom::Start(from))?;
            self.bytes = Vec::new();
            read_up_to(inner, &mut self.bytes, want)?;
            (self.at, self.ends) = (from, self.bytes.len() < want);
        }
        let begin = usize::try_from(at - self.at).unwrap_or(usize::MAX).min(self.bytes.len());
        Ok(&self.bytes[begin..])
    }
}

/// Reads on until there are `n` bytes or no more come. Memory grows with what is there, to no more
/// than is asked for.
pub fn read_up_to(inner: &mut impl Read, bytes: &mut Vec<u8>, n: usize) -> io::Result<()> {
    while bytes.len() < n {
        let have = bytes.len();
        let more = have.max(LEAST).min(n - have);
        bytes.reserve_exact(more);
        bytes.resize(have + more, 0);
        let found = inner.read(&mut bytes[have..]);
        bytes.truncate(have + found.as_ref().map_or(0, |found| (*found).min(more)));
        match found {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
