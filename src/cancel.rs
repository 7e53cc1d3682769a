//! Ending work early.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that ends decoding early, for instance when a user interrupts it or a deadline has
/// passed.
///
/// All clones are one flag. It is looked at before each token or byte that a model predicts, so
/// that also a block that takes minutes ends within milliseconds.
///
/// ```
/// use lmz::{CancellationToken, DecoderOptions, Error};
///
/// let archive = lmz::compress(b"words and words")?;
/// let cancel = CancellationToken::default();
/// let options = DecoderOptions::new().cancel(cancel.clone());
/// cancel.cancel(); // from any thread
/// assert!(matches!(lmz::decompress_with(&archive, &options), Err(Error::Cancelled)));
/// # Ok::<(), lmz::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct CancellationToken(Arc<AtomicBool>);

impl CancellationToken {
    /// Ends all work that has been given this token. It cannot be taken back.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl PartialEq for CancellationToken {
    /// Whether both are the same flag.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for CancellationToken {}
