//! Compressing, decompressing and testing one file, without ever losing one.
//!
//! Output goes to a temporary file beside its place, is synced, and takes its name only when complete.
//! An input is removed only on request, only after its output is in place, and what was compressed only
//! after it was decoded and compared.

use std::fs::{self, File};
use std::io::{self, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result, bail, ensure};
use lmz::scan::Archive;
use lmz::{BlockReport, Decoder, Dictionary, Encoder};
use tempfile::NamedTempFile;

use super::args::{Action, STDIN, Target, Task};
use super::list::{method_name, ratio};
use super::progress::{Counted, bar};

const SUFFIX: &str = "lmz";

/// The temporary file being written, for the interrupt handler.
static PARTIAL: Mutex<Option<PathBuf>> = Mutex::new(None);

fn set_partial(path: Option<PathBuf>) {
    *PARTIAL.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = path;
}

/// On Ctrl-C or a request to end: remove the half-written file and leave with 130.
pub fn remove_partial_output_on_interrupt() {
    let handler = || {
        let partial = PARTIAL.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(path) = partial.as_ref() {
            let _ = fs::remove_file(path);
        }
        // The lock is held on purpose: nothing may rename the file now.
        std::process::exit(130);
    };
    // Fails only where a handler is set already, and then there is nothing to add.
    let _ = ctrlc::set_handler(handler);
}

/// Reads a dictionary.
pub fn dictionary(path: &Path) -> Result<Dictionary> {
    // One byte more than can be used is enough to be refused.
    let most = Dictionary::LONGEST as u64 + 1;
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)).context("cannot be read")?;
    Ok(Dictionary::new(&bytes)?)
}

/// Does the task's action on one input.
pub fn run(task: &Task, path: &Path) -> Result<()> {
    let (input, length): (Box<dyn Read>, _) = if path == Path::new(STDIN) {
        (Box::new(io::stdin().lock()), None)
    } else {
        let data = fs::metadata(path).context("cannot be read")?;
        ensure!(!data.is_dir(), "is a directory; pack it first (tar -I lmz -cf DIR.tar.lmz DIR)");
        (Box::new(File::open(path).context("cannot be opened")?), data.is_file().then_some(data.len()))
    };
    match (task.action, &task.target) {
        (Action::Test, _) => report(task, path, &pump(task, path, input, length, io::sink())?),
        (_, Target::Stdout) => {
            ensure!(
                task.action != Action::Compress || task.force || !io::stdout().is_terminal(),
                "compressed data is not written to a terminal; -o names a file, -f writes it anyway"
            );
            let sizes = pump(task, path, input, length, io::stdout().lock())?;
            report(task, path, &sizes);
        }
        (_, target) => {
            let output = match target {
                Target::File(output) => output.clone(),
                _ => output_name(task.action, path)?,
            };
            let sizes = to_file(task, path, input, length, &output)?;
            report(task, path, &sizes);
        }
    }
    Ok(())
}

/// Input and output bytes.
struct Sizes {
    read: u64,
    written: u64,
}

/// The name beside the input: with the suffix, or without.
fn output_name(action: Action, path: &Path) -> Result<PathBuf> {
    if action == Action::Compress {
        ensure!(path.extension().is_none_or(|e| e != SUFFIX), "already ends in .{SUFFIX}; -o names another output");
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{SUFFIX}"));
        return Ok(name.into());
    }
    let ends = path.extension().is_some_and(|e| e == SUFFIX);
    ensure!(ends, "does not end in .{SUFFIX}, so the output has no name; give one with -o, or -c");
    Ok(path.with_extension(""))
}

fn to_file(task: &Task, path: &Path, input: Box<dyn Read>, length: Option<u64>, output: &Path) -> Result<Sizes> {
    let sizes = place(output, task.force, |file| fill(task, path, input, length, file))?;
    if task.remove {
        if task.action == Action::Compress {
            verify(task, path, output).with_context(|| format!("kept: {} does not decode to it", output.display()))?;
        }
        fs::remove_file(path).context("cannot be removed")?;
    }
    Ok(sizes)
}

/// An error if there is something by this name that must not be overwritten.
pub fn ensure_free(output: &Path, force: bool) -> Result<()> {
    ensure!(force || fs::symlink_metadata(output).is_err(), "{} exists; -f overwrites it", output.display());
    Ok(())
}

/// Lets `fill` write and sync a temporary file, and gives it the name `output` when it is complete.
pub fn place<T>(output: &Path, force: bool, fill: impl FnOnce(&mut NamedTempFile) -> Result<T>) -> Result<T> {
    ensure_free(output, force)?;
    let folder = output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".lmz-")
        .suffix(".partial")
        .tempfile_in(folder)
        .with_context(|| format!("no output can be made in {}", folder.display()))?;
    set_partial(Some(file.path().to_owned()));
    let result = fill(&mut file).and_then(|done| {
        // From here on an interrupt must not remove what is becoming the output.
        set_partial(None);
        let persisted = if force { file.persist(output) } else { file.persist_noclobber(output) };
        if let Err(failure) = persisted {
            if failure.error.kind() == io::ErrorKind::AlreadyExists {
                ensure_free(output, force)?;
            }
            return Err(failure.error).with_context(|| format!("{} cannot be put in place", output.display()));
        }
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all(); // the name is then safe as well, where the system can do that
        }
        Ok(done)
    });
    set_partial(None);
    result
}

/// Writes the whole output into the temporary file, with the input's mode and times.
fn fill(
    task: &Task,
    path: &Path,
    input: Box<dyn Read>,
    length: Option<u64>,
    file: &mut NamedTempFile,
) -> Result<Sizes> {
    let sizes = pump(task, path, input, length, &mut *file)?;
    let output = file.as_file();
    if path != Path::new(STDIN) {
        let data = fs::metadata(path)?;
        output.set_permissions(data.permissions())?;
        let mut times = fs::FileTimes::new().set_modified(data.modified()?);
        if let Ok(accessed) = data.accessed() {
            times = times.set_accessed(accessed);
        }
        output.set_times(times)?;
    }
    output.sync_all().context("writing the output")?;
    Ok(sizes)
}

/// Moves everything from input to output through the codec.
fn pump(task: &Task, path: &Path, input: Box<dyn Read>, length: Option<u64>, output: impl Write) -> Result<Sizes> {
    let name = path.file_name().map_or_else(|| "-".into(), |n| n.to_string_lossy());
    let bar = bar(task.quiet, &name, length);
    if let Some(range) = &task.range {
        return pump_range(task, path, range.clone(), output);
    }
    if task.action == Action::Recover {
        return pump_recovered(task, path, output);
    }
    let mut input = Counted::new(input, Some(bar.clone()));
    let mut output = Counted::new(output, None);
    if task.action == Action::Compress {
        let mut encoder = Encoder::new(&mut output, task.options.clone());
        if task.verbose > 0 {
            encoder.on_block(block_line());
        }
        copy(&mut input, &mut encoder)?;
        encoder.finish()?;
    } else {
        let mut decoder = Decoder::with_options(&mut input, task.decoding.clone());
        if task.verbose > 0 {
            decoder.on_block(block_line());
        }
        copy(&mut decoder, &mut output)?;
        output.flush()?;
    }
    bar.finish_and_clear();
    Ok(Sizes { read: input.bytes, written: output.bytes })
}

/// Prints a line for each block.
fn block_line() -> impl FnMut(BlockReport) {
    let mut number = 0;
    move |b| {
        let method = method_name(b.method);
        let streams = if b.streams == 1 { "1 stream".to_owned() } else { format!("{} streams", b.streams) };
        let why = if b.why.is_empty() { String::new() } else { format!(": {}", b.why) };
        eprintln!("block {number}: {} raw, {} coded bytes, {method}, {streams}{why}", b.raw, b.coded);
        number += 1;
    }
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e.into()),
        };
        to.write_all(&buffer[..n])?;
    }
}

fn pump_range(task: &Task, path: &Path, range: std::ops::Range<u64>, output: impl Write) -> Result<Sizes> {
    if path == Path::new(STDIN) {
        bail!("a range needs a file: a pipe cannot be seeked in");
    }
    let file = BufReader::new(File::open(path)?);
    let mut archive = Archive::open(file, task.decoding.clone())?;
    let mut output = Counted::new(output, None);
    archive.read_range(range, |bytes| output.write_all(bytes))?;
    output.flush()?;
    Ok(Sizes { read: fs::metadata(path)?.len(), written: output.bytes })
}

/// Writes what is whole and lists the holes. Holes are no failure of recovering, but they are not
/// success either: the caller reports them and the output stays.
fn pump_recovered(task: &Task, path: &Path, output: impl Write) -> Result<Sizes> {
    let file = File::open(path)?;
    let mut output = Counted::new(output, None);
    let found = lmz::recover::recover(file, &task.decoding, |bytes| output.write_all(bytes))?;
    output.flush()?;
    for hole in &found.holes {
        eprintln!(
            "hole: {} bytes of the archive from byte {}, at byte {} of the output; at least {} bytes of content",
            hole.bytes, hole.at, hole.raw_at, hole.raw_known
        );
    }
    eprintln!(
        "{}: {} bytes in {} blocks recovered, {} holes",
        path.display(),
        found.raw,
        found.blocks,
        found.holes.len()
    );
    ensure!(found.blocks > 0, "nothing in it can be read");
    Ok(Sizes { read: fs::metadata(path)?.len(), written: output.bytes })
}

/// Whether an archive decodes to what a file holds.
fn verify(task: &Task, path: &Path, archive: &Path) -> Result<()> {
    let mut original = BufReader::new(File::open(path)?);
    let mut decoded = BufReader::new(Decoder::with_options(File::open(archive)?, task.decoding.clone()));
    let (mut a, mut b) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let n = decoded.read(&mut a)?;
        if n == 0 {
            ensure!(original.read(&mut b)? == 0, "the file is longer");
            return Ok(());
        }
        original.read_exact(&mut b[..n]).context("the file is shorter")?;
        ensure!(a[..n] == b[..n], "the bytes differ");
    }
}

fn report(task: &Task, path: &Path, sizes: &Sizes) {
    if task.quiet || !(task.verbose > 0 || io::stderr().is_terminal()) {
        return;
    }
    let Sizes { read, written } = *sizes;
    let (compressed, raw) = if task.action == Action::Compress { (written, read) } else { (read, written) };
    eprintln!("{}: {read} -> {written} bytes ({})", path.display(), ratio(compressed, raw));
}
