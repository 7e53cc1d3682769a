//! Whether a model fits into memory, told before it is loaded.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::file::{self, most};
use super::header::{self, Place};
use super::rwkv7::ModelError;
use super::rwkv7::checkpoint::{BYTE_LEVEL, INDEX, TENSORS, WORLD, parts};

/// Bytes that each byte of a vocabulary takes at most as a trie, and the most bytes of tokens.
const TRIE: u64 = 40;
const TOKENS: u64 = crate::vocab::MOST_BYTES as u64;
/// Bytes that each part of a JSON file takes while it is parsed, and each line of another.
const PART: u64 = 128;
const LINE: u64 = 64;

/// An error if what is at a path needs more memory to be loaded than is allowed, or than the
/// machine has free where nothing is said, or if it cannot be what it says. Where neither is known,
/// nothing is refused.
pub fn check(path: &Path, allowed: Option<u64>) -> Result<(), ModelError> {
    allow(estimate(path)?, allowed)
}

/// An error unless `needed` bytes are there or, if something is allowed, are within that.
pub fn allow(needed: u64, allowed: Option<u64>) -> Result<(), ModelError> {
    match allowed.or_else(available) {
        Some(available) if needed > available => {
            Err(ModelError::Memory { needed, available, stated: allowed.is_some() })
        }
        _ => Ok(()),
    }
}

/// Bytes that loading a model takes, about: its files, its weights in 8 bits and the largest of its
/// tensors as it is quantised; when that is over, the weights twice, as they are packed for the
/// processor. 0 where it cannot be loaded.
pub fn needed(path: &Path) -> u64 {
    estimate(path).unwrap_or(0)
}

fn estimate(path: &Path) -> Result<u64, ModelError> {
    let (mut held, mut elements) = (0u64, Vec::new());
    if super::rwkv7::pth(path).is_none() {
        for name in files(path)? {
            let Some((places, bytes)) = places(path, &name)? else { continue };
            held = held.saturating_add(bytes);
            elements.extend(places.values().map(|place| place.elements));
        }
    }
    Ok(of_tensors(path, held, &elements))
}

/// Bytes that loading a model at a path takes whose tensors have so many elements, beside `held`,
/// which are kept meanwhile.
pub fn of_tensors(path: &Path, held: u64, elements: &[u64]) -> u64 {
    let weights = elements.iter().fold(0u64, |all, n| all.saturating_add(*n));
    let largest = elements.iter().copied().max().unwrap_or(0);
    let folder = if path.is_file() { path.parent().unwrap_or(Path::new("")) } else { path };
    // The vocabulary is read before the weights are.
    let then = weights.saturating_add(largest.saturating_mul(8)).max(words(folder));
    held.saturating_add(then).max(weights.saturating_mul(2))
}

/// The files with the tensors that a model in this folder is loaded from.
fn files(folder: &Path) -> Result<Vec<String>, ModelError> {
    match (folder.join(TENSORS).exists(), file::read(&folder.join(INDEX), most::INDEX)) {
        (true, _) => Ok(vec![TENSORS.to_owned()]),
        (false, Ok(index)) => parts(&index),
        // Who loads it says what is missing.
        (false, Err(_)) => Ok(Vec::new()),
    }
}

/// The tensors of a file as its header has them, and the bytes of the file.
type Stored = (BTreeMap<String, Place>, u64);

/// The places of a file's tensors, or nothing if the file is not there.
fn places(folder: &Path, name: &str) -> Result<Option<Stored>, ModelError> {
    let wrong = |what: String| ModelError::Container(format!("{name}: {what}"));
    match file::open(&folder.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(error.to_string())),
        Ok((mut file, length)) => {
            header::read(&mut file, length).map(|places| Some((places, length))).map_err(wrong)
        }
    }
}

/// What the vocabularies of a folder take, of which one is read.
fn words(folder: &Path) -> u64 {
    let known = ["vocab.txt", WORLD].into_iter().chain(BYTE_LEVEL);
    known
        .filter_map(|name| file::read(&folder.join(name), most::WORDS).ok())
        .map(|file| tokens(&file))
        .max()
        .unwrap_or(0)
}

/// Bytes that parsing a vocabulary's file takes, and what comes of it.
pub fn tokens(file: &[u8]) -> u64 {
    let length = file.len() as u64;
    // Numbers, strings, lists and what holds them: one for each of these characters.
    let parts = match file.trim_ascii_start().first() {
        Some(b'{') => {
            PART * file.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count()
                as u64
        }
        _ => LINE * file.iter().filter(|byte| **byte == b'\n').count() as u64,
    };
    2 * length + parts + TRIE * length.min(TOKENS)
}

/// The trained numbers of a model in the format of safetensors, as its files' headers have them.
pub fn parameters(folder: &Path) -> Option<u64> {
    let mut all = 0u64;
    let files = files(folder).ok()?;
    for name in &files {
        let (places, _) = places(folder, name).ok()??;
        all = places.values().try_fold(all, |all, place| all.checked_add(place.elements))?;
    }
    (!files.is_empty()).then_some(all)
}

/// Bytes of memory that a program may still take, where that is known: what the machine has free,
/// or what the control group (a container) or the limit on address space leaves, if that is less.
pub fn available() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let machine = kilobytes(&read("/proc/meminfo")?, "MemAvailable:")?;
    let group = read("/proc/self/cgroup")
        .and_then(|groups| group(&groups, |path| fs::read_to_string(path).ok()));
    let process = read("/proc/self/limits").zip(read("/proc/self/status"));
    let process = process.and_then(|(limits, status)| address_space(&limits, &status));
    [Some(machine), group, process].into_iter().flatten().min()
}

/// A number of kilobytes on a line of its own, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What the control groups that a process is in leave it (version 2; of the second column in
/// `/proc/self/cgroup`, and all above it). In a container its own group is the root.
fn group(groups: &str, read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let mut path =
        groups.lines().find_map(|line| line.strip_prefix("0::"))?.trim_end_matches('/').to_owned();
    let mut least = None;
    loop {
        let number =
            |name: &str| read(&format!("/sys/fs/cgroup{path}/{name}"))?.trim().parse::<u64>().ok();
        if let (Some(most), Some(now)) = (number("memory.max"), number("memory.current")) {
            // What is held of files can be given back.
            let stat = read(&format!("/sys/fs/cgroup{path}/memory.stat")).unwrap_or_default();
            let files = stat
                .lines()
                .find_map(|line| line.strip_prefix("file "))
                .and_then(|n| n.parse::<u64>().ok());
            let left = most.saturating_sub(now.saturating_sub(files.unwrap_or(0)));
            least = Some(least.unwrap_or(left).min(left));
        }
        match path.rfind('/') {
            Some(at) => path.truncate(at),
            None => return least,
        }
    }
}

/// What a limit on address space (`ulimit -v`) leaves of it.
fn address_space(limits: &str, status: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    let most = line.split_whitespace().next()?.parse::<u64>().ok()?;
    Some(most.saturating_sub(kilobytes(status, "VmSize:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/checkpoint/reference");

    #[test]
    fn what_a_checkpoint_needs() {
        let file = fs::metadata(Path::new(MODEL).join("model.safetensors")).unwrap().len();
        let needed = needed(Path::new(MODEL));
        // Two bytes a weight, the same in one, and its embedding of 320 x 64 as floats, twice.
        assert!((file * 3 / 2 + 8 * 320 * 64).abs_diff(needed) < 10_000, "{file} {needed}");
    }

    #[test]
    fn what_is_too_large_is_refused() {
        assert!(check(Path::new(MODEL), None).is_ok());
        let error = check(Path::new(MODEL), Some(100_000)).unwrap_err().to_string();
        for words in ["0.5 MB", "0.1 MB is allowed"] {
            assert!(error.contains(words), "{error}");
        }
        assert!(
            check(Path::new("/no/such/folder"), Some(0)).is_ok(),
            "others say that it is not there"
        );
    }

    #[test]
    fn limits_of_groups_and_processes() {
        let files = |path: &str| {
            let text = match path {
                "/sys/fs/cgroup/a/b/memory.max" => "max",
                "/sys/fs/cgroup/a/memory.max" => "1000",
                "/sys/fs/cgroup/a/memory.current" => "700",
                "/sys/fs/cgroup/a/memory.stat" => "anon 500\nfile 200\n",
                _ => return None,
            };
            Some(text.to_owned())
        };
        assert_eq!(group("0::/a/b\n", files), Some(500));
        assert_eq!(group("1:memory:/a\n0::/\n", files), None);
        let limits = "Max data size  unlimited  unlimited  bytes\nMax address space  2048000  \
            unlimited  bytes\n";
        assert_eq!(address_space(limits, "VmSize:\t   1000 kB\n"), Some(1_024_000));
        let unlimited = "Max address space         unlimited            unlimited            bytes";
        assert_eq!(address_space(unlimited, "VmSize:\t   1000 kB\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_says_what_is_free() {
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
    }
}
