//! How far work has come, told while it goes on.
//!
//! A [`Progress`] is shared by the caller and all blocks at work. Each block has a [`BlockProgress`]
//! of its own, which an encoder that codes a block in several ways tells about each of them: what
//! is coded again does not count again. A coder counts by a [`Tally`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells how many bytes of content have been coded or decoded so far, while that goes on.
///
/// All clones are one counter, which any thread may read. It counts inside of blocks too, by tens
/// of bytes, and never goes backwards. While a block is coded a second time, because the encoder
/// looks for the smaller way, it waits. The last byte of a block counts when the block has been
/// written, or decoded and held against its check: so the counter comes to the length of the
/// content exactly when all of it is done.
///
/// The caller knows the length of the content when compressing; [`Archive::uncompressed_len`] and
/// [`read::Decoder::content_length`] tell that of an archive.
///
/// [`Archive::uncompressed_len`]: crate::Archive::uncompressed_len
/// [`read::Decoder::content_length`]: crate::read::Decoder::content_length
///
/// ```
/// use lmz::{EncoderOptions, Progress};
///
/// let progress = Progress::default();
/// let options = EncoderOptions::new().progress(progress.clone());
/// lmz::compress_with(b"words and words", &options)?; // another thread may look meanwhile
/// assert_eq!(progress.done(), 15);
/// # Ok::<(), lmz::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// The bytes of content that are done.
    pub fn done(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A block of so many bytes, [coded](BlockProgress::coded) before, has been written.
    pub(crate) fn written(&self, length: u64) {
        self.add(length.min(1));
    }

    fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl PartialEq for Progress {
    /// Whether both are the same counter.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Progress {}

/// The part of one block in the work.
#[derive(Debug)]
pub struct BlockProgress {
    progress: Progress,
    /// Bytes of the block.
    length: u64,
    /// Bytes of it that have been counted.
    counted: AtomicU64,
}

impl BlockProgress {
    /// A block of which nothing is done. Nothing comes out where nobody wants to know.
    pub fn new(progress: Option<&Progress>, length: u64) -> Option<Self> {
        let progress = progress?.clone();
        Some(Self { progress, length, counted: AtomicU64::new(0) })
    }

    /// A coding of the block has come so far. What an earlier one came past is counted already. The
    /// last byte is left for when the block is done, whatever else is tried before.
    pub fn at(&self, bytes: u64) {
        self.count(bytes.min(self.length.saturating_sub(1)));
    }

    /// The block is coded: of it only the last byte is not counted now, which is when it has been
    /// [written](Progress::written).
    pub fn coded(&self) {
        self.at(self.length);
    }

    /// The block is done.
    pub fn end(&self) {
        self.count(self.length);
    }

    fn count(&self, bytes: u64) {
        let before = self.counted.fetch_max(bytes, Ordering::Relaxed);
        self.progress.add(bytes.saturating_sub(before));
    }
}

/// Bytes after which a [`Tally`] tells: threads that code at once share the counter.
const EACH: u64 = 64;

/// Counts the bytes of a block that a coder comes past. Streams advance in lock step, so where they
/// are does not say how many bytes are behind them.
#[derive(Debug, Default)]
pub struct Tally<'a> {
    block: Option<&'a BlockProgress>,
    /// The last place, and 1.
    last: usize,
    bytes: u64,
    told: u64,
}

impl<'a> Tally<'a> {
    /// Begins to count a coding of a block.
    pub fn of(block: Option<&'a BlockProgress>) -> Self {
        Self { block, ..Self::default() }
    }

    /// A byte or a token at this place comes next; the same place again is the same one.
    #[inline]
    pub fn at(&mut self, place: usize) {
        if self.last == place + 1 {
            return;
        }
        self.last = place + 1;
        self.bytes += 1;
        if self.bytes - self.told >= EACH {
            self.told = self.bytes;
            self.block.iter().for_each(|block| block.at(self.bytes));
        }
    }

    /// What came next was a token of so many bytes.
    #[inline]
    pub fn token(&mut self, length: usize) {
        self.bytes += (length as u64).saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_coded_again_does_not_count_again() {
        let progress = Progress::default();
        let block = BlockProgress::new(Some(&progress), 1000).unwrap();
        let beside = BlockProgress::new(Some(&progress), 10).unwrap();
        let mut seen = Vec::new();
        for bytes in [100, 400, 50, 300, 500, 2000] {
            block.at(bytes);
            seen.push(progress.done());
        }
        assert_eq!(seen, [100, 400, 400, 400, 500, 999]);
        beside.end();
        block.coded();
        assert_eq!(progress.done(), 1009);
        progress.written(1000);
        progress.written(0);
        assert_eq!(progress.done(), 1010);
        block.end();
        assert!(BlockProgress::new(None, 10).is_none());
    }

    #[test]
    fn bytes_of_streams_are_counted() {
        let progress = Progress::default();
        let block = BlockProgress::new(Some(&progress), 1000);
        let mut tally = Tally::of(block.as_ref());
        // Two streams in lock step, tokens of three bytes, and a check before every other token.
        for step in 0..100 {
            for begin in [0, 500] {
                tally.at(begin + 3 * step);
                tally.at(begin + 3 * step);
                tally.token(3);
            }
        }
        assert_eq!(tally.bytes, 600);
        assert!((600 - EACH..=600).contains(&progress.done()), "{}", progress.done());
    }
}
