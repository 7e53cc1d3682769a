//! Holes instead of zeros.

use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};

/// Runs of zeros from this length on are passed over: what file systems set aside is not smaller.
const LEAST: usize = 4096;

/// Writes a new regular file from its beginning, in which long runs of zeros become holes that take
/// no room on the disk.
pub struct Sparse<'a> {
    file: &'a File,
    /// Zeros at the end of what was written that are not in the file yet.
    hole: u64,
}

impl<'a> Sparse<'a> {
    pub fn new(file: &'a File) -> Self {
        Self { file, hole: 0 }
    }

    /// Gives the file its length, holes at the end among it.
    pub fn finish(mut self) -> io::Result<()> {
        if self.hole > 0 {
            let end = self
                .file
                .stream_position()?
                .checked_add(self.hole)
                .ok_or(ErrorKind::FileTooLarge)?;
            self.file.set_len(end)?;
            self.hole = 0;
        }
        Ok(())
    }
}

impl Write for Sparse<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(LEAST)];
        if part.len() == LEAST && part.iter().all(|b| *b == 0) {
            self.hole += part.len() as u64;
            return Ok(part.len());
        }
        if self.hole > 0 {
            let hole = i64::try_from(self.hole).map_err(|_| ErrorKind::FileTooLarge)?;
            self.file.seek(SeekFrom::Current(hole))?;
            self.hole = 0;
        }
        // Everything before the next long run is written at once.
        let run = bytes.chunks(LEAST).take_while(|part| part.iter().any(|b| *b != 0)).count();
        self.file.write(&bytes[..(run.max(1) * LEAST).min(bytes.len())])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_was_written_is_read() {
        for (zeros, noise) in
            [(0, 5), (LEAST, 1), (10 * LEAST + 7, 3), (LEAST - 1, 2), (3 * LEAST, 2 * LEAST)]
        {
            let mut content = vec![0; zeros];
            content.extend(vec![7; noise]);
            let content = [&content[..], &content, &vec![0; zeros]].concat();
            for piece in [1, 100, LEAST, 1 << 16] {
                let mut file = tempfile::tempfile().unwrap();
                let mut sparse = Sparse::new(&file);
                content.chunks(piece).for_each(|piece| sparse.write_all(piece).unwrap());
                sparse.finish().unwrap();
                file.rewind().unwrap();
                let mut found = Vec::new();
                file.read_to_end(&mut found).unwrap();
                assert!(found == content, "{zeros} {noise} {piece}");
            }
        }
    }
}
