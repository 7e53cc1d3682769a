//! Whether a model fits into memory, told before it is loaded.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::rwkv7::ModelError;

/// Bytes of a safetensors file's header that are read at most: the format's own limit.
const LONGEST_HEADER: u64 = 100_000_000;

/// An error if what is at a path needs more memory to be loaded than is allowed, or than the machine has free where nothing is said. Where
/// neither is known, nothing is refused.
pub fn check(path: &Path, allowed: Option<u64>) -> Result<(), ModelError> {
    let needed = needed(path);
    match allowed.or_else(available) {
        Some(available) if needed > available => {
            Err(ModelError::Memory { needed, available, stated: allowed.is_some() })
        }
        _ => Ok(()),
    }
}

/// Bytes that loading a model takes, about: its files, its weights in 8 bits and the largest of its tensors as it is quantised; when
/// that is over, the weights twice, as they are packed for the processor.
pub fn needed(path: &Path) -> u64 {
    let files: Vec<_> = match super::rwkv7::pth(path) {
        Some(file) => vec![file],
        None => fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect(),
    };
    let (mut held, mut weights, mut largest) = (0, 0, 0);
    for file in files {
        let Ok(bytes) = fs::metadata(&file).map(|data| data.len()) else { continue };
        match file.extension().and_then(|e| e.to_str()) {
            Some("safetensors") => {
                let tensors = tensors(&file).unwrap_or_default();
                held += bytes;
                weights += tensors.iter().sum::<u64>();
                largest = tensors.into_iter().fold(largest, u64::max);
            }
            // Read tensor by tensor, the largest as it is, too.
            #[cfg(feature = "hub")]
            Some("pth") => {
                let tensors = super::rwkv7::checkpoint::elements(&file).unwrap_or_default();
                weights += tensors.iter().sum::<u64>();
                largest = tensors.into_iter().fold(largest, u64::max);
                held += 2 * largest;
            }
            _ => {}
        }
    }
    (held + weights + 8 * largest).max(2 * weights)
}

/// The trained numbers of a model in the format of safetensors, as its files' headers have them.
pub fn parameters(folder: &Path) -> Option<u64> {
    let files = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let counts = files.filter(|file| file.extension().is_some_and(|e| e == "safetensors")).map(|file| tensors(&file));
    let counts: Vec<u64> = counts.map(|tensors| Some(tensors?.iter().sum())).collect::<Option<_>>()?;
    (!counts.is_empty()).then(|| counts.iter().sum())
}

/// Elements of each tensor of a file, as its header has them.
fn tensors(file: &Path) -> Option<Vec<u64>> {
    #[derive(Deserialize)]
    struct Tensor {
        #[serde(default)]
        shape: Vec<u64>,
    }
    let mut file = File::open(file).ok()?;
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    let mut header = Vec::new();
    file.take(u64::from_le_bytes(length).min(LONGEST_HEADER)).read_to_end(&mut header).ok()?;
    let tensors: std::collections::HashMap<String, Tensor> = serde_json::from_slice(&header).ok()?;
    tensors.into_values().map(|t| t.shape.iter().try_fold(1u64, |all, n| all.checked_mul(*n))).collect()
}

/// Bytes of memory that the machine has free for a program, where that is known.
pub fn available() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
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

    #[cfg(feature = "hub")]
    #[test]
    fn what_pytorch_wrote_is_read_tensor_by_tensor() {
        let file = fs::metadata(Path::new(MODEL).join("model.safetensors")).unwrap().len();
        let needed = needed(&Path::new(MODEL).with_file_name("pth"));
        assert!((file / 2 + 10 * 320 * 64).abs_diff(needed) < 10_000, "{file} {needed}");
    }

    #[test]
    fn what_is_too_large_is_refused() {
        assert!(check(Path::new(MODEL), None).is_ok());
        let error = check(Path::new(MODEL), Some(100_000)).unwrap_err().to_string();
        for words in ["0.5 MB", "0.1 MB is allowed", "--memory"] {
            assert!(error.contains(words), "{error}");
        }
        assert!(check(Path::new("/no/such/folder"), Some(0)).is_ok(), "others say that it is not there");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_says_what_is_free() {
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
    }
}
