//! A reader or writer that passes bytes through and counts them.

use std::io::{self, Read, Write};

/// Passes bytes through and counts them.
pub struct Counted<'a, T> {
    inner: T,
    pub bytes: u64,
    /// What is told of the bytes, besides.
    told: Option<&'a dyn Fn(u64)>,
}

impl<'a, T> Counted<'a, T> {
    pub fn new(inner: T) -> Self {
        Self { inner, bytes: 0, told: None }
    }

    /// Tells how many bytes have passed, each time that some have.
    pub fn told_to(self, told: &'a dyn Fn(u64)) -> Self {
        Self { told: Some(told), ..self }
    }

    fn count(&mut self, n: usize) {
        self.bytes += n as u64;
        self.told.iter().for_each(|told| told(self.bytes));
    }
}

impl<T: Read> Read for Counted<'_, T> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        self.count(n);
        Ok(n)
    }
}

impl<T: Write> Write for Counted<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.count(n);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
