//! Small files in one run: several are compressed at the same time, one on each thread, since a
//! short text keeps no more than one busy.
//!
//! Comes in: the inputs of a task. Goes out: for small ones the archive, made before it is their
//! turn. Whoever then reads an input as usual takes that archive if the file still holds what was
//! compressed; so this decides how long it takes, and nothing else.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use lmz::Predictor;

use super::args::{Action, Target, Task};
use super::file::output_name;

/// Files of up to this are compressed together: longer ones keep all threads busy by themselves.
const SMALL: u64 = 32 << 10;
/// Files for each thread that are compressed together, and their bytes, unless one alone has more:
/// with more of them threads would hardly rest less, and nothing can be shown of a file before all
/// are done.
const FILES: usize = 4;
const TOGETHER: u64 = 16 << 10;

/// A small file that was compressed.
#[derive(Debug)]
pub struct Made {
    pub content: Vec<u8>,
    pub archive: Vec<u8>,
}

/// What was made of the next inputs.
#[derive(Debug, Default)]
pub struct Batch {
    /// Of each of the next inputs, in order.
    made: VecDeque<Made>,
    /// Files could not be compressed together: each by itself has its own message.
    failed: bool,
}

impl Batch {
    /// What was made of the first of these inputs, those that are left of a task, if that was to be
    /// made. This is called for every input in turn.
    pub fn next(&mut self, task: &Task, left: &[impl AsRef<Path>]) -> Option<Made> {
        if self.made.is_empty() && !self.failed {
            match make(task, left) {
                Ok(made) => self.made = made.into(),
                Err(_) => self.failed = true,
            }
        }
        self.made.pop_front()
    }
}

/// Whether a task's files can be compressed before it is their turn.
fn is_possible(task: &Task) -> bool {
    let device = matches!(task.options.get_predictor(), Some(Predictor::DeviceBound(_)));
    // Who wants to know of each block gets to know it while it is coded.
    task.action == Action::Compress && task.target == Target::Beside && task.verbose == 0 && !device
}

/// Compresses the first inputs together, as many as are small. Nothing comes out where that is only
/// one.
fn make(task: &Task, inputs: &[impl AsRef<Path>]) -> lmz::Result<Vec<Made>> {
    if inputs.len() < 2 || !is_possible(task) {
        return Ok(Vec::new());
    }
    let threads = task.options.get_threads().max(1);
    let mut bytes = 0;
    let mut contents = Vec::new();
    for path in inputs.iter().take(FILES.saturating_mul(threads)) {
        let Some(content) = read(task, path.as_ref()) else { break };
        bytes += content.len() as u64;
        contents.push(content);
        if bytes >= TOGETHER.saturating_mul(threads as u64) {
            break;
        }
    }
    if contents.len() < 2 {
        return Ok(Vec::new());
    }
    let archives = lmz::compress_many(&contents, &task.options)?;
    Ok(contents
        .into_iter()
        .zip(archives)
        .map(|(content, archive)| Made { content, archive })
        .collect())
}

/// Reads a small file that will be compressed, as far as can be seen from outside.
fn read(task: &Task, path: &Path) -> Option<Vec<u8>> {
    let output = output_name(task.action, path).ok()?;
    if !task.force && fs::symlink_metadata(output).is_ok() {
        return None;
    }
    // Whatever is no regular file may be read once only, and no link is removed.
    let data = if task.remove { fs::symlink_metadata(path) } else { fs::metadata(path) };
    let length = data.ok().filter(|data| data.is_file())?.len();
    if length > SMALL {
        return None;
    }
    let mut content = Vec::new();
    open(path)?.take(SMALL + 1).read_to_end(&mut content).ok()?;
    (content.len() as u64 == length).then_some(content)
}

/// Opens a file without waiting, should it be a pipe by now.
fn open(path: &Path) -> Option<File> {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.read(true).open(path).ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}
