//! Moves content through the codec: from an open input to whatever takes the output.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, Write};
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use lmz::Archive;
use lmz::BlockReport;
use lmz::format::printable;
use lmz::read::Decoder;
use lmz::write::Encoder;

use super::args::{Action, Task};
use super::counted::Counted;
use super::file::Input;
use super::progress::{Phase, Watch};
use super::say::{say, say_line};
use super::signals;

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Bytes of input and output.
    pub read: u64,
    pub written: u64,
    /// Whether something was said that the user has to know, though the output is what it can be.
    pub warned: bool,
}

/// Moves everything from input to output, and shows how far it is.
pub fn pump(task: &Task, input: &mut Input, output: impl Write, watch: &Watch) -> Result<Moved> {
    match (&task.range, task.action) {
        (Some(range), _) => pump_range(task, input, range.clone(), output, watch),
        (None, Action::Recover) => pump_recovered(task, input, output),
        (None, Action::Compress) => compress(task, input, output, watch),
        (None, _) => decompress(task, input, output, watch),
    }
}

fn compress(task: &Task, input: &mut Input, output: impl Write, watch: &Watch) -> Result<Moved> {
    let progress = watch.begin(Phase::Compress, input.length());
    let written = |bytes| watch.written(bytes);
    let mut output = Counted::new(Told(output)).told_to(&written);
    let made = input.take_made();
    let mut from = Counted::new(input.reader());
    let mut begun = Vec::new();
    if let Some(made) = made {
        let most = made.content.len() as u64 + 1;
        from.by_ref().take(most).read_to_end(&mut begun)?;
        if begun == made.content {
            output.write_all(&made.archive)?;
            output.flush()?;
            watch.whole();
            return Ok(Moved { read: from.bytes, written: output.bytes, warned: false });
        }
    }
    let mut encoder = Encoder::with_options(&mut output, task.options.clone().progress(progress))?;
    if task.verbose > 0 {
        encoder.on_block(block_line(watch));
    }
    // Nothing was made of it, or it was changed since.
    encoder.write_all(&begun)?;
    copy(&mut from, &mut encoder)?;
    encoder.finish()?;
    let read = from.bytes;
    Ok(Moved { read, written: output.bytes, warned: false })
}

fn decompress(task: &Task, input: &mut Input, output: impl Write, watch: &Watch) -> Result<Moved> {
    let phase = if task.action == Action::Test { Phase::Test } else { Phase::Decompress };
    let total = if watch.is_shown() { content_length(task, input)? } else { None };
    let progress = watch.begin(phase, total);
    let written = |bytes| watch.written(bytes);
    let shown = input.shown();
    let mut output = Counted::new(Told(output)).told_to(&written);
    let mut from = Counted::new(input.reader_ahead(task.decoding.get_threads()));
    let mut decoder = Decoder::with_options(&mut from, task.decoding.clone().progress(progress));
    if task.verbose > 0 {
        decoder.on_block(block_line(watch));
    }
    let copied = copy(&mut decoder, &mut output);
    // All content has come out before what is behind it is looked at.
    let trailing = copied.as_ref().err().filter(|error| is_trailing(error)).map(told);
    if trailing.is_none() {
        copied?;
    }
    output.flush()?;
    let read = from.bytes;
    if let Some(trailing) = &trailing {
        watch.aside()(&mut || warn_of_trailing(&shown, trailing));
    }
    Ok(Moved { read, written: output.bytes, warned: trailing.is_some() })
}

/// Bytes of content of an archive that is a file, as its indexes say. Of one that is damaged or
/// cut, nothing: how it is is found out when it is decoded.
fn content_length(task: &Task, input: &mut Input) -> Result<Option<u64>> {
    let Some(file) = input.file().filter(|_| input.length().is_some()) else { return Ok(None) };
    let archive = Archive::open(BufReader::new(file), task.decoding.clone());
    let length = archive.ok().map(|archive| archive.uncompressed_len());
    input.again().context("cannot be read from its beginning again")?;
    Ok(length)
}

/// Whether an error is that other bytes follow a whole archive.
fn is_trailing(error: &io::Error) -> bool {
    let inside = error.get_ref().and_then(|inside| inside.downcast_ref());
    matches!(inside, Some(lmz::Error::TrailingData { .. }))
}

fn told(error: &io::Error) -> String {
    error.get_ref().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Says that bytes behind an archive were passed over.
pub fn warn_of_trailing(shown: &str, what: &str) {
    say(format_args!(
        "{shown}: warning: {what}; it was passed over, and all content before it is there"
    ));
}

/// Says of a closed pipe what is to be said of it: usually nothing, and this program ends.
struct Told<W>(W);

impl<W: Write> Write for Told<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(signals::broken_pipe)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(signals::broken_pipe)
    }
}

/// Prints a line for each block.
fn block_line(watch: &Watch) -> impl FnMut(BlockReport) + Send + 'static {
    let mut number = 0;
    let aside = watch.aside();
    move |b| {
        let method = b.method.name();
        let streams =
            if b.streams == 1 { "1 stream".to_owned() } else { format!("{} streams", b.streams) };
        let why = b.reason.map_or_else(String::new, |reason| format!(": {reason}"));
        let (raw, coded) = (b.uncompressed_len, b.compressed_len);
        aside(&mut || {
            say_line(format_args!(
                "block {number}: {raw} raw, {coded} coded bytes, {method}, {streams}{why}"
            ));
        });
        number += 1;
    }
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        to.write_all(&buffer[..n])?;
    }
}

fn pump_range(
    task: &Task,
    input: &mut Input,
    range: Range<u64>,
    output: impl Write,
    watch: &Watch,
) -> Result<Moved> {
    let file = input.file().context("a range needs a file: a pipe cannot be seeked in")?;
    let decoding = task.decoding.clone().progress(watch.begin(Phase::Decompress, None));
    let mut archive = Archive::open(BufReader::new(file), decoding)?;
    let written = |bytes| watch.written(bytes);
    let mut output = Counted::new(Told(output)).told_to(&written);
    // A range that ends before them does not come to the bytes behind the archive.
    match archive.read_range(range, |bytes| output.write_all(bytes)) {
        Err(lmz::Error::TrailingData { .. }) => {}
        read => read?,
    }
    output.flush()?;
    let trailing = archive.trailing_data();
    if let Some(at) = trailing {
        let what = lmz::Error::TrailingData { at }.to_string();
        watch.aside()(&mut || warn_of_trailing(&input.shown(), &what));
    }
    let (read, written) = (input.length().unwrap_or(0), output.bytes);
    Ok(Moved { read, written, warned: trailing.is_some() })
}

/// Writes what is whole and lists the holes.
fn pump_recovered(task: &Task, input: &mut Input, output: impl Write) -> Result<Moved> {
    let file = input.file().context("recovering needs a file: a pipe cannot be seeked in")?;
    let mut output = Counted::new(Told(output));
    let found = lmz::recover::recover(file, &task.decoding, |bytes| output.write_all(bytes))?;
    output.flush()?;
    for hole in &found.holes {
        say_line(format_args!(
            "hole: {} of the archive from byte {}, at byte {} of the output; at least {} of \
            content",
            bytes(hole.bytes),
            hole.at,
            hole.raw_at,
            bytes(hole.raw_known)
        ));
    }
    say_line(format_args!(
        "{}: {} in {} recovered, {}",
        input.shown(),
        bytes(found.raw),
        count(found.blocks, "block"),
        count(found.holes.len() as u64, "hole")
    ));
    ensure!(found.blocks > 0, "nothing in it can be read");
    let read = input.length().unwrap_or(0);
    Ok(Moved { read, written: output.bytes, warned: !found.holes.is_empty() })
}

fn bytes(n: u64) -> String {
    count(n, "byte")
}

fn count(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// An error unless an archive decodes to what the input holds.
pub fn verify(task: &Task, input: &mut Input, mut archive: &File, watch: &Watch) -> Result<()> {
    let progress = watch.begin(Phase::Test, input.length());
    archive.rewind()?;
    let mut original = Same { rest: BufReader::new(input.again()?), buffer: Vec::new() };
    let mut decoder = Decoder::with_options(archive, task.decoding.clone().progress(progress));
    copy(&mut decoder, &mut original)?;
    let longer = io::copy(&mut original.rest.take(1), &mut io::sink())? > 0;
    ensure!(!longer, "the file is longer");
    Ok(())
}

/// Takes only what a reader has.
struct Same<R> {
    rest: R,
    buffer: Vec<u8>,
}

impl<R: Read> Write for Same<R> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.resize(bytes.len(), 0);
        self.rest.read_exact(&mut self.buffer).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => io::Error::other("the file is shorter"),
            _ => error,
        })?;
        if self.buffer == bytes {
            Ok(bytes.len())
        } else {
            Err(io::Error::other("the bytes differ"))
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A path as it may be printed.
pub fn shown(path: &Path) -> String {
    printable(&path.display()).to_string()
}
