//! Checkpoints as PyTorch writes them (`.pth`): a zip archive of a pickle, which says what there
//! is, and of the tensors' bytes. Nothing that such a file says is run, and memory is taken only
//! for what is in it.

mod pickle;
mod torch;
mod zip;

use std::collections::HashMap;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use lmz::lm::rwkv7::checkpoint::{CheckpointTensors, Float, numbers};
use lmz::lm::rwkv7::{Model, ModelError};
use lmz::lm::{file, memory};
use torch::{Kind, Tensor};
use zip::Place;

/// A file whose tensors are read one by one, when they are asked for.
struct Pth {
    path: PathBuf,
    file: File,
    /// Bytes of the file.
    length: u64,
    /// With the places of their storages.
    tensors: HashMap<String, (Tensor, Place)>,
}

/// The pickle's name in its folder, and that of a file which says in which order numbers have
/// bytes.
const PICKLE: &str = "data.pkl";
const ORDER: &str = "byteorder";

impl Pth {
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let wrong = |what: String| ModelError::Pth { path: path.to_owned(), what };
        let (mut file, length) = file::open(path).map_err(|e| wrong(e.to_string()))?;
        let tensors = tensors(&mut file, length).map_err(wrong)?;
        Ok(Self { path: path.to_owned(), file, length, tensors })
    }

    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many elements each tensor has.
    pub fn elements(&self) -> Vec<u64> {
        self.tensors.values().map(|(tensor, _)| tensor.elements).collect()
    }
}

impl CheckpointTensors for Pth {
    fn names(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|(tensor, _)| &tensor.shape[..])
    }

    fn describe(&self, name: &str) -> String {
        let tensor = self.tensors.get(name);
        tensor
            .map_or_else(String::new, |(tensor, _)| format!("{:?} {:?}", tensor.kind, tensor.shape))
    }

    fn floats(&self, name: &str) -> Result<Option<Vec<f32>>, ModelError> {
        let Some((tensor, place)) = self.tensors.get(name) else { return Ok(None) };
        let float = match tensor.kind {
            Kind::F32 => Float::F32,
            Kind::F16 => Float::F16,
            Kind::BF16 => Float::BF16,
            _ => return Ok(None),
        };
        let (begin, bytes) = (
            place.begin + tensor.offset * tensor.kind.size(),
            tensor.elements * tensor.kind.size(),
        );
        let read = (&self.file)
            .seek(SeekFrom::Start(begin))
            .and_then(|_| file::whole(&mut &self.file, bytes));
        let read = read.map_err(|e| ModelError::Pth {
            path: self.path.clone(),
            what: format!("{name}: {e}"),
        })?;
        Ok(Some(in_order(numbers(float, &read), tensor)))
    }
}

/// Whether a file that PyTorch wrote holds an RWKV-7 checkpoint.
pub fn is_pth(file: &Path) -> bool {
    Pth::open(file).is_ok_and(|pth| pth.shape("blocks.0.att.r_k").is_some())
}

/// How many tokens the checkpoint in a file that PyTorch wrote has.
pub fn vocabulary_size(file: &Path) -> Option<usize> {
    Pth::open(file).ok()?.shape("emb.weight")?.first().copied()
}

/// Bytes that loading a checkpoint takes, about: its tensors are read one by one.
pub fn memory(file: &Path) -> Result<u64, ModelError> {
    let elements = Pth::open(file)?.elements();
    let largest = elements.iter().copied().max().unwrap_or(0);
    Ok(memory::of_tensors(file, largest.saturating_mul(2), &elements))
}

/// The RWKV-7 checkpoint in a file. Its vocabulary is in the same folder, or where it is said to
/// be.
pub fn open(file: &Path, vocabulary: Option<&Path>) -> Result<Model, ModelError> {
    let pth = Pth::open(file)?;
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let folder = file.parent().unwrap_or(Path::new(""));
    Model::of_checkpoint(&name, &pth, pth.length() as usize, folder, vocabulary)
}

/// The tensors, each with the place of its storage, which has the bytes that it is to have.
fn tensors(file: &mut File, length: u64) -> Result<HashMap<String, (Tensor, Place)>, String> {
    let entries = zip::entries(file, length)?;
    let mut pickles = entries.iter().filter(|(name, _)| name.ends_with(&format!("/{PICKLE}")));
    let (Some((name, place)), None) = (pickles.next(), pickles.next()) else {
        return Err(format!(
            "expected one FOLDER/{PICKLE} in the archive, as torch.save writes it, found another \
            number"
        ));
    };
    let mut read = |place: &Place, most: u64| match place.bytes <= most {
        true => {
            let sought = file.seek(SeekFrom::Start(place.begin));
            sought.and_then(|_| file::whole(file, place.bytes)).map_err(|e| e.to_string())
        }
        false => Err(format!("expected at most {most} bytes, found {}", place.bytes)),
    };
    let folder = name.trim_end_matches(PICKLE);
    if let Some(order) = entries.get(&format!("{folder}{ORDER}"))
        && read(order, 16)? != b"little"
    {
        return Err("expected numbers with their least byte first, found another order".into());
    }
    let pickle = read(place, pickle::LONGEST).map_err(|e| format!("{name}: {e}"))?;
    let tensors = pickle::tensors(&pickle)?;
    let with_place = |(name, tensor): (String, Tensor)| {
        let place = entries.get(&format!("{folder}data/{}", tensor.storage)).copied();
        let fits = |place: &Place| {
            tensor.all.checked_mul(tensor.kind.size()).is_some_and(|n| n <= place.bytes)
        };
        match place.filter(fits) {
            Some(place) => Ok((name, (tensor, place))),
            None => Err(format!(
                "expected {} elements of {:?} in the storage {} of {name}, found fewer",
                tensor.all, tensor.kind, tensor.storage
            )),
        }
    };
    tensors.into_iter().map(with_place).collect()
}

/// Numbers as they are stored, in the order of the tensor's own dimensions.
fn in_order(stored: Vec<f32>, tensor: &Tensor) -> Vec<f32> {
    // Of a dimension of one, the stride does not matter.
    let dimensions: Vec<(usize, usize)> = tensor
        .shape
        .iter()
        .copied()
        .zip(tensor.stride.iter().copied())
        .filter(|(n, _)| *n != 1)
        .collect();
    let mut next = 1;
    let plain = dimensions.iter().rev().all(|(n, stride)| {
        let fits = *stride == next;
        next *= n;
        fits
    });
    if plain || stored.is_empty() {
        return stored;
    }
    let at = |number: usize| {
        let step = |(rest, at): (usize, usize), (n, stride): &(usize, usize)| {
            (rest / n, at + rest % n * stride)
        };
        dimensions.iter().rev().fold((number, 0), step).1
    };
    (0..stored.len()).map(|number| stored[at(number)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pytorch_wrote_is_read_tensor_by_tensor() {
        let folder = Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/golden/checkpoint/reference"
        ));
        let file = std::fs::metadata(folder.join("model.safetensors")).unwrap().len();
        let needed = memory(&lmz::lm::rwkv7::pth(&folder.with_file_name("pth")).unwrap()).unwrap();
        assert!((file / 2 + 10 * 320 * 64).abs_diff(needed) < 10_000, "{file} {needed}");
    }
}
