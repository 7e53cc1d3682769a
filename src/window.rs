//! A piece of a file around the place that is looked at, so that small looks are not reads.

use std::io::{self, Read, Seek, SeekFrom};

use crate::error::{Error, Result};
use crate::format::{FormatError, Input};

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

    /// Parses the part that begins at `at`, with `first` bytes and then with more, up to `most`, as
    /// long as it is incomplete. Gives the part and its bytes.
    pub fn parse<T>(
        &mut self,
        inner: &mut (impl Read + Seek),
        at: u64,
        first: u64,
        most: u64,
        read: impl Fn(&mut Input) -> Result<T, FormatError>,
    ) -> Result<(T, usize)> {
        let mut want = first.min(most);
        loop {
            let n = usize::try_from(want).unwrap_or(usize::MAX);
            let bytes = self.get(inner, at, n)?;
            let mut input = Input::new(&bytes[..bytes.len().min(n)]);
            match read(&mut input) {
                Err(FormatError::Incomplete) if bytes.len() >= n && want < most => {
                    want = want.saturating_mul(8).min(most);
                }
                Err(source) => return Err(Error::Format { at, source }),
                Ok(part) => return Ok((part, input.position())),
            }
        }
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
