//! What has failed stays failed.

use std::io;

use crate::error::{Error, Result};

/// How an earlier call has failed, which every later call repeats.
#[derive(Debug, Default)]
pub(crate) struct Sticky(Option<(io::ErrorKind, String)>);

impl Sticky {
    /// An error if a call before has failed.
    pub fn check(&self) -> io::Result<()> {
        match &self.0 {
            None => Ok(()),
            Some((kind, message)) => Err(io::Error::new(*kind, message.clone())),
        }
    }

    /// Says what later calls find if foreign code that runs from here on panics.
    pub fn begin(&mut self, panicked: &str) {
        self.0 = Some((io::ErrorKind::Other, panicked.to_owned()));
    }

    /// Nothing has panicked since [`begin`](Self::begin).
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// Keeps what has come of the work instead.
    pub fn end<T>(&mut self, result: &Result<T>) {
        self.0 = result.as_ref().err().map(Error::lasting);
    }
}
