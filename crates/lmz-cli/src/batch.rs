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

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::super::tree::{self, Asked};
    use super::*;

    /// Files `a` and `b` of a new folder, which are to be compressed without a model.
    fn task_of(a: &[u8], b: &[u8]) -> (tempfile::TempDir, Task) {
        let folder = tempfile::TempDir::new().unwrap();
        let path = |name| folder.path().join(name);
        fs::write(path("a"), a).unwrap();
        fs::write(path("b"), b).unwrap();
        let line = ["lmz".into(), "-1".into(), path("a").into(), path("b").into()];
        let Asked::Task(mut task) = tree::parse(line.into_iter()).unwrap() else {
            panic!("no task")
        };
        task.options = task.options.predictor(Predictor::None);
        (folder, *task)
    }

    /// What the archive beside an input holds once it has been its turn.
    fn turn(task: &Task, path: &Path, made: Made) -> Vec<u8> {
        file::run(task, &file::taken(task), path, (1, 1), Some(made)).unwrap();
        let archive = output_name(task.action, path).unwrap();
        lmz::decompress(&fs::read(archive).unwrap()).unwrap()
    }

    #[test]
    fn a_file_that_has_changed_since_is_compressed_anew() {
        let before = [b'b'; 900];
        // Of the same length; shorter and longer with the same beginning; empty; no longer small.
        let after = [vec![b'c'; 900], vec![b'b'; 899], vec![b'b'; 901], vec![], vec![b'b'; 40_000]];
        for after in after {
            let (_folder, task) = task_of(b"a", &before);
            let mut batch = Batch::default();
            batch.next(&task, &task.inputs).unwrap();
            let made = batch.next(&task, &task.inputs[1..]).unwrap();
            assert_eq!(made.content, before);
            fs::write(&task.inputs[1], &after).unwrap();
            assert_eq!(turn(&task, &task.inputs[1], made), after);
        }
    }

    #[test]
    fn what_was_made_of_a_file_is_taken_while_it_is_the_same() {
        let (_folder, task) = task_of(b"a", b"b");
        // Another archive shows that it is taken.
        let archive = lmz::compress_with(b"made", &task.options).unwrap();
        let made = Made { content: b"b".to_vec(), archive };
        assert_eq!(turn(&task, &task.inputs[1], made), b"made");
    }
}
