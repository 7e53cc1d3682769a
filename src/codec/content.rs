//! What came out of a block, given out piece by piece.

use xxhash_rust::xxh64::Xxh64;

use crate::cancel::CancellationToken;
use crate::error::CodecError;
use crate::format::content_check;

/// Bytes of a piece of what is not held in memory.
const PIECE: usize = 64 << 10;

/// The content of a block, or what has not yet been given out of it.
#[derive(Debug)]
pub enum Content {
    Bytes(Vec<u8>),
    /// One byte so many times: up to a gibibyte, which a block of 40 bytes can claim.
    Fill {
        byte: u8,
        left: u64,
    },
}

impl Content {
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Fill { left, .. } => *left,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The content check of a block that is stored, or repeats one byte.
    pub(super) fn check(&self, cancel: Option<&CancellationToken>) -> Result<u64, CodecError> {
        let (byte, mut left) = match self {
            Self::Bytes(bytes) => return Ok(content_check(bytes, bytes)),
            Self::Fill { byte, left } => (*byte, *left),
        };
        let mut hash = Xxh64::new(xxhash_rust::xxh64::xxh64(&[byte], 0));
        let piece = [byte; PIECE];
        while left > 0 {
            if cancel.is_some_and(CancellationToken::is_cancelled) {
                return Err(CodecError::Cancelled);
            }
            let n = left.min(PIECE as u64);
            hash.update(&piece[..n as usize]);
            left -= n;
        }
        Ok(hash.digest())
    }

    /// Copies what lies from `at` on, as much as there is room for.
    pub fn copy(&self, at: u64, out: &mut [u8]) -> usize {
        let n = usize::try_from(self.len().saturating_sub(at)).unwrap_or(usize::MAX).min(out.len());
        match self {
            Self::Bytes(bytes) => out[..n].copy_from_slice(&bytes[at as usize..][..n]),
            Self::Fill { byte, .. } => out[..n].fill(*byte),
        }
        n
    }

    /// Gives the bytes from `from` to `to` out, in pieces.
    pub fn write<E>(
        &self,
        from: u64,
        to: u64,
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Bytes(bytes) => write(&bytes[from as usize..to as usize]),
            Self::Fill { byte, .. } => {
                let piece = [*byte; PIECE];
                let mut left = to - from;
                while left > 0 {
                    let n = left.min(PIECE as u64);
                    write(&piece[..n as usize])?;
                    left -= n;
                }
                Ok(())
            }
        }
    }
}
