//! A bar with rate and ratio on a terminal; nothing elsewhere.

use std::io::{self, IsTerminal, Read, Write};

use indicatif::{ProgressBar, ProgressStyle};
use lmz::format::printable;

/// The bar of one file, or none.
pub fn bar(quiet: bool, name: &str, length: Option<u64>) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match length {
        Some(_) => "{prefix} {bar:30} {percent}% {bytes_per_sec} {msg} {eta}",
        None => "{prefix} {bytes} {bytes_per_sec} {msg}",
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.with_style(style).with_prefix(printable(name).to_string())
}

/// Passes bytes through and counts them.
pub struct Counted<T> {
    pub inner: T,
    pub bytes: u64,
    /// The bar to move, for the side that it measures.
    pub bar: Option<ProgressBar>,
}

impl<T> Counted<T> {
    pub fn new(inner: T, bar: Option<ProgressBar>) -> Self {
        Self { inner, bytes: 0, bar }
    }

    fn count(&mut self, n: usize) {
        self.bytes += n as u64;
        if let Some(bar) = &self.bar {
            bar.inc(n as u64);
        }
    }
}

impl<T: Read> Read for Counted<T> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        self.count(n);
        Ok(n)
    }
}

impl<T: Write> Write for Counted<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.count(n);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
