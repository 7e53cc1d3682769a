//! Compressing, decompressing and testing one file, without ever losing one.
//!
//! What is an input, an output, a dictionary or a model is told by the file and not by its name. An
//! input is removed only on request, only if it is a regular file under its own name, only after
//! its output is in place, and what was compressed only after it was decoded and compared.

use std::fs::{self, File, Metadata};
use std::io::{self, IsTerminal, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail, ensure};
use lmz::Dictionary;

use super::ahead::Ahead;
use super::args::{Action, STDIN, Target, Task};
use super::batch::Made;
use super::identity::{Identity, Taken, standard_input};
use super::list::ratio;
use super::output::{self, Place};
use super::progress::{Phase, Shown, Watch};
use super::pump::{Moved, pump, shown, verify};
use super::say::{ensure_input, ensure_output, say, say_line};
use super::sparse::Sparse;
use super::{rights, startup};

const SUFFIX: &str = "lmz";

/// Reads a dictionary.
pub fn dictionary(path: &Path) -> Result<Dictionary> {
    // One byte more than can be used is enough to be refused.
    let most = Dictionary::LONGEST as u64 + 1;
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .context("cannot be read")?;
    Ok(Dictionary::new(&bytes)?)
}

/// What a task reads, which no output may be.
pub fn taken(task: &Task) -> Taken {
    let mut taken = Taken::default();
    task.inputs.iter().for_each(|path| taken.add_input(path));
    task.dictionaries.iter().for_each(|path| taken.add(path, "the dictionary"));
    task.models.iter().for_each(|name| taken.add_model(name));
    taken
}

/// An input that is open.
pub struct Input {
    path: PathBuf,
    /// Standard input has none where the system does not give it as a file.
    file: Option<File>,
    data: Option<Metadata>,
    /// What was made of it already.
    made: Option<Made>,
}

impl Input {
    /// Opens what is to be read. `remove`: it must be what may be removed afterwards.
    pub fn open(path: &Path, remove: bool) -> Result<Self> {
        if path == Path::new(STDIN) {
            ensure_input()?;
            let file = standard_input();
            let data = file.as_ref().and_then(|file| file.metadata().ok());
            return Ok(Self { path: path.to_owned(), file, data, made: None });
        }
        if remove {
            let link = fs::symlink_metadata(path).context("cannot be read")?.is_symlink();
            ensure!(!link, "is a link; --rm removes regular files only");
        }
        let closed = output::stream(path).is_some_and(startup::closed);
        ensure!(!closed, "is closed, and would seem to be empty; give a file");
        let mut options = File::options();
        #[cfg(unix)]
        if remove {
            // What is no regular file is not waited for, and who waits at its other end is let go.
            use std::os::unix::fs::OpenOptionsExt;
            options.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
        }
        let file = options.read(true).open(path).context("cannot be read")?;
        let data = file.metadata().context("cannot be read")?;
        ensure!(!data.is_dir(), "is a directory; pack it first (tar -I lmz -cf DIR.tar.lmz DIR)");
        ensure!(!remove || data.is_file(), "is not a regular file; --rm removes no other");
        Ok(Self { path: path.to_owned(), file: Some(file), data: Some(data), made: None })
    }

    pub fn shown(&self) -> String {
        shown(&self.path)
    }

    /// Bytes, of a regular file.
    pub fn length(&self) -> Option<u64> {
        self.data.as_ref().filter(|data| data.is_file()).map(Metadata::len)
    }

    /// The file, unless it is standard input.
    pub fn file(&self) -> Option<&File> {
        self.file.as_ref().filter(|_| self.path != Path::new(STDIN))
    }

    /// What reads the input.
    pub fn reader(&mut self) -> Box<dyn Read + '_> {
        match &self.file {
            Some(file) => Box::new(file),
            None => Box::new(io::stdin().lock()),
        }
    }

    /// What reads the input in a thread of its own, so that work on what has come goes on while
    /// more is coming. `threads`: how many work.
    pub fn reader_ahead(&mut self, threads: usize) -> Box<dyn Read + '_> {
        let pipe = self.file.as_ref().filter(|_| threads > 1 && self.length().is_none());
        match pipe.and_then(|file| Ahead::new(file.try_clone().ok()?).ok()) {
            Some(ahead) => Box::new(ahead),
            None => self.reader(),
        }
    }

    /// What was made of it before it was opened, if that was to be made.
    pub fn take_made(&mut self) -> Option<Made> {
        self.made.take()
    }

    /// The file from its beginning on.
    pub fn again(&mut self) -> Result<&File> {
        let mut file = self.file.as_ref().context("it cannot be read again")?;
        file.rewind()?;
        Ok(file)
    }

    /// Gives an output the rights of what was read. What has none of its own, as a pipe without a
    /// name or a terminal, leaves those that new files have.
    pub fn give_rights(&self, to: &File) -> io::Result<()> {
        match &self.file {
            Some(file) if self.length().is_some() => rights::take_over(file, to),
            Some(file) if !file.is_terminal() && !is_anonymous(file) => rights::at_most(file, to),
            _ => rights::usual(to),
        }
    }

    /// Removes it, if it still is what was read.
    fn remove(&self) -> Result<()> {
        let now = fs::symlink_metadata(&self.path).context("cannot be looked at; it was kept")?;
        let file = self.file.as_ref().context("has no file to be removed")?;
        let end = file.metadata().context("cannot be looked at; it was kept")?;
        ensure!(now.is_file() && same(&now, &end), "is another file by now; it was kept");
        let untouched = |a: &Metadata| (a.len(), a.modified().unwrap_or(SystemTime::UNIX_EPOCH));
        let unchanged = self.data.as_ref().is_some_and(|begin| untouched(begin) == untouched(&end));
        ensure!(unchanged, "was changed while it was read; it was kept");
        fs::remove_file(&self.path).context("cannot be removed")
    }
}

/// Whether an open file is a pipe or socket without a name, whose mode says nothing.
#[cfg(target_os = "linux")]
fn is_anonymous(file: &File) -> bool {
    use std::os::fd::AsRawFd;
    let name = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    name.is_ok_and(|name| !name.is_absolute())
}

#[cfg(not(target_os = "linux"))]
fn is_anonymous(_: &File) -> bool {
    false
}

#[cfg(unix)]
fn same(a: &Metadata, b: &Metadata) -> bool {
    Identity::of(a) == Identity::of(b)
}

#[cfg(not(unix))]
fn same(a: &Metadata, b: &Metadata) -> bool {
    a.len() == b.len() && a.modified().ok() == b.modified().ok()
}

/// Does the task's action on one input, which is that number of so many, and of which that was made
/// already. Whether something was warned of.
pub fn run(
    task: &Task,
    taken: &Taken,
    path: &Path,
    number: (usize, usize),
    made: Option<Made>,
) -> Result<bool> {
    let phase = match task.action {
        Action::Compress => Phase::Compress,
        Action::Test => Phase::Test,
        _ => Phase::Decompress,
    };
    // Recovering shows what it has found.
    let shown = if task.action == Action::Recover { Shown::Nothing } else { task.progress };
    let watch = Watch::new(shown, phase, path, number);
    if task.remove {
        let other = Identity::at(path).and_then(|identity| taken.beside_input(&identity));
        if let Some(what) = other {
            bail!("is also {what}, which --rm must not remove; leave out --rm, or this file");
        }
    }
    let place = match (task.action, &task.target) {
        (Action::Test, _) => None,
        (_, Target::Stdout) => Some(Place::Stdout),
        (_, Target::File(output)) => Some(Place::of(output, task.force, taken)?),
        (_, Target::Beside) => {
            Some(Place::of(&output_name(task.action, path)?, task.force, taken)?)
        }
    };
    if task.remove {
        ensure!(
            matches!(place, Some(Place::File(_))),
            "--rm removes inputs only where the output is a regular file; leave it out"
        );
    }
    if task.range.is_some() || task.action == Action::Recover {
        ensure_seekable(path)?;
    }
    let mut input = Input { made, ..Input::open(path, task.remove)? };
    let moved = match place {
        None => pump(task, &mut input, io::sink(), &watch)?,
        Some(Place::Stdout) => {
            ensure_output()?;
            ensure_no_terminal(task, io::stdout().is_terminal())?;
            taken.ensure_stdout_free()?;
            pump(task, &mut input, AtOnce(io::stdout().lock()), &watch)?
        }
        Some(Place::Existing(output)) => {
            let output = output::existing(&output)?;
            ensure_no_terminal(task, output.is_terminal())?;
            pump(task, &mut input, output, &watch)?
        }
        Some(Place::File(output)) => to_file(task, &mut input, &output, &watch)?,
    };
    watch.end();
    report(task, &input, &moved);
    Ok(moved.warned)
}

/// Passes on what is written as it comes: standard output would keep what is behind a line's end.
struct AtOnce<W>(W);

impl<W: Write> Write for AtOnce<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.0.write(bytes)?;
        self.0.flush()?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// An error if a file cannot be seeked in; before it is opened, which would wait for the other end
/// of a pipe.
pub fn ensure_seekable(path: &Path) -> Result<()> {
    let pipe = path == Path::new(STDIN) || is_pipe(&fs::metadata(path).context("cannot be read")?);
    ensure!(!pipe, "is a pipe, in which nothing can be sought; give a file");
    Ok(())
}

#[cfg(unix)]
fn is_pipe(data: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let kind = data.file_type();
    kind.is_fifo() || kind.is_socket() || kind.is_char_device()
}

#[cfg(not(unix))]
fn is_pipe(_: &Metadata) -> bool {
    false
}

fn ensure_no_terminal(task: &Task, is_terminal: bool) -> Result<()> {
    ensure!(
        task.action != Action::Compress || task.force || !is_terminal,
        "compressed data is not written to a terminal; -o names a file, -f writes it anyway"
    );
    Ok(())
}

/// The name beside the input: with the suffix, or without.
pub fn output_name(action: Action, path: &Path) -> Result<PathBuf> {
    if action == Action::Compress {
        ensure!(
            path.extension().is_none_or(|e| e != SUFFIX),
            "already ends in .{SUFFIX}; -o names another output"
        );
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{SUFFIX}"));
        return Ok(name.into());
    }
    let ends = path.extension().is_some_and(|e| e == SUFFIX);
    ensure!(ends, "does not end in .{SUFFIX}, so the output has no name; give one with -o, or -c");
    Ok(path.with_extension(""))
}

fn to_file(task: &Task, input: &mut Input, output: &Path, watch: &Watch) -> Result<Moved> {
    let mut warned = None;
    let (input, moved) = output::place(
        output,
        task.force,
        |file| {
            let moved = match task.action {
                Action::Compress => pump(task, input, file, watch)?,
                _ => {
                    let mut sparse = Sparse::new(file);
                    let moved = pump(task, input, &mut sparse, watch)?;
                    sparse.finish().context("writing the output")?;
                    moved
                }
            };
            // An output that cannot have them stays its owner's alone, and is as whole as it was.
            warned = input.give_rights(file).err();
            Ok((input, moved))
        },
        |(input, _), file| {
            if task.remove && task.action == Action::Compress {
                verify(task, input, file, watch)
                    .context("kept: what was made of it does not decode to it")?;
            }
            Ok(())
        },
    )?;
    if let Some(error) = &warned {
        let output = shown(output);
        watch.aside()(&mut || {
            say(format_args!("{output}: warning: mode and times could not be set: {error}"));
        });
    }
    let synced = output::sync_folder(output);
    if task.remove {
        synced
            .with_context(|| format!("kept, because the name {} may not last", output.display()))?;
        if moved.warned {
            watch.aside()(&mut || {
                say(format_args!(
                    "{}: kept, because it holds more than was written",
                    input.shown()
                ));
            });
        } else {
            input.remove()?;
        }
    }
    Ok(Moved { warned: moved.warned || warned.is_some(), ..moved })
}

fn report(task: &Task, input: &Input, moved: &Moved) {
    // The last line of progress for programs says it too.
    let wanted = io::stderr().is_terminal() && task.progress != Shown::Json;
    if task.quiet || !(task.verbose > 0 || wanted) {
        return;
    }
    let Moved { read, written, .. } = *moved;
    let (compressed, raw) =
        if task.action == Action::Compress { (written, read) } else { (read, written) };
    say_line(format_args!(
        "{}: {read} -> {written} bytes ({})",
        input.shown(),
        ratio(compressed, raw)
    ));
}
