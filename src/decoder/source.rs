//! The bytes of an archive as they arrive.
//!
//! Nobody is asked for more than what comes next lacks, so that what has arrived can be decoded
//! before more has: an archive may come from someone who waits for an answer. Whatever is claimed,
//! memory grows with what is there. Nothing is lost by an error: the next call goes on where the
//! last one stopped.

use std::io::{self, Read};

use crate::error::{Error, Result};
use crate::format::{FormatError, Input};

/// Bytes asked of the inner reader at a time, at least; it gives what it has.
const READ: usize = 64 << 10;
/// How many times as large as what is there the room for more may be.
const GROWS: usize = 8;
/// A buffer larger than this is given back when it is empty.
const KEPT: usize = 16 << 20;
/// In a part that has more bytes than this already, the next attempt to read it waits for an eighth
/// more: with less, a part that comes byte by byte would take time by the square of its length.
const SMALL: usize = 4 << 10;

pub struct Source<R> {
    inner: R,
    /// What has been read and not yet used is `bytes[begin..end]`; behind it is room.
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
    /// The place of `begin` in the archive.
    at: u64,
    /// Whether the inner reader has said that nothing comes any more.
    ended: bool,
}

impl<R: Read> Source<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, bytes: Vec::new(), begin: 0, end: 0, at: 0, ended: false }
    }

    /// The inner reader.
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The inner reader, to be changed.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The inner reader, for good.
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// Where in the archive it is.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// What is there.
    pub fn have(&self) -> &[u8] {
        &self.bytes[self.begin..self.end]
    }

    /// Bytes that the buffer takes.
    pub fn memory(&self) -> u64 {
        self.bytes.capacity() as u64
    }

    pub fn skip(&mut self, n: usize) {
        self.begin += n;
        self.at += n as u64;
    }

    /// Reads until `n` bytes are there; false if the archive ends before. If it has to read, it
    /// asks for `ahead` bytes more, and takes what comes of them.
    pub fn fill(&mut self, n: usize, ahead: usize) -> io::Result<bool> {
        while self.end - self.begin < n {
            if self.ended {
                return Ok(false);
            }
            let have = self.end - self.begin;
            if self.bytes.len() - self.end < (n - have).min(READ) {
                // With the last of what is missing comes what is asked for behind it, so that is
                // where the room for it has to be.
                self.make_room((n - have).saturating_add(ahead).min(GROWS * have).max(READ));
            }
            match self.inner.read(&mut self.bytes[self.end..]) {
                Ok(0) => self.ended = true,
                // A reader that claims more than there was room for is broken, and must not break
                // this.
                Ok(found) => self.end = self.end.saturating_add(found).min(self.bytes.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Room for `n` bytes behind what is there.
    fn make_room(&mut self, n: usize) {
        let have = self.end - self.begin;
        if self.begin > 0 {
            self.bytes.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, have);
        }
        if self.bytes.len() > KEPT && have + n <= READ {
            self.bytes.truncate(have);
            self.bytes.shrink_to_fit();
        }
        if self.bytes.len() < have + n {
            self.bytes.reserve_exact(have + n - self.bytes.len());
            self.bytes.resize(have + n, 0);
        }
    }

    /// Parses the part that comes next, of at most `most` bytes. `wait`: reads what is missing;
    /// otherwise nothing comes out if something is.
    pub fn parse<T>(
        &mut self,
        most: u64,
        wait: bool,
        read: impl Fn(&mut Input) -> Result<T, FormatError>,
    ) -> Result<Option<T>> {
        loop {
            let have = self.end - self.begin;
            let mut input = Input::new(self.have());
            match read(&mut input) {
                Ok(part) => {
                    let n = input.position();
                    self.skip(n);
                    return Ok(Some(part));
                }
                Err(FormatError::Incomplete) if !self.ended && (have as u64) < most => {
                    if !wait {
                        return Ok(None);
                    }
                    let lacks = input.lacks().max(if have > SMALL { have / 8 } else { 1 });
                    self.fill(have.saturating_add(lacks), 0)?;
                }
                Err(source) => return Err(Error::Format { at: self.at, source }),
            }
        }
    }

    /// Moves bytes out until `to` has `n`, past the buffer where more are missing than it holds.
    pub fn take(&mut self, to: &mut Vec<u8>, n: usize) -> Result<()> {
        while to.len() < n {
            let have = self.have();
            let taken = have.len().min(n - to.len());
            if taken == 0 {
                // Grows with what is there, to no more than is needed.
                let more = to.len().max(READ).min(n - to.len());
                let from = to.len();
                to.reserve_exact(more);
                to.resize(from + more, 0);
                let found = self.read_into(&mut to[from..]);
                to.truncate(from + *found.as_ref().unwrap_or(&0));
                if found? == 0 {
                    return Err(Error::Format { at: self.at, source: FormatError::Incomplete });
                }
                continue;
            }
            to.extend_from_slice(&have[..taken]);
            self.skip(taken);
        }
        Ok(())
    }

    fn read_into(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        loop {
            match self.inner.read(out) {
                Ok(n) => {
                    let n = n.min(out.len());
                    self.ended = n == 0;
                    self.at += n as u64;
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Passes over `left` bytes without holding them, and counts them down.
    pub fn pass(&mut self, left: &mut u64) -> Result<()> {
        while *left > 0 {
            if !self.fill(1, 0)? {
                return Err(Error::Format { at: self.at, source: FormatError::Incomplete });
            }
            let n = usize::try_from(*left).unwrap_or(usize::MAX).min(self.end - self.begin);
            self.skip(n);
            *left -= n as u64;
        }
        Ok(())
    }

    /// Passes over zeros to the end of the archive; false if something else comes before.
    pub fn pass_zeros(&mut self) -> Result<bool> {
        while self.fill(1, 0)? {
            if self.have().iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            self.skip(self.end - self.begin);
        }
        Ok(true)
    }
}
