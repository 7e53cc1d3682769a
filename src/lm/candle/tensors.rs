//! `model.safetensors`, or the files that `model.safetensors.index.json` names: read one tensor at a time, so that no file has
//! to fit into memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

use super::failed;
use crate::lm::bound::BoundError;
use crate::lm::rwkv7::ModelError;

const TENSORS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// The longest header of a file, in bytes.
const HEADER: u64 = 100 << 20;

/// Where a tensor is.
#[derive(Debug, Clone)]
struct Place {
    path: Arc<PathBuf>,
    begin: u64,
    bytes: usize,
    dtype: DType,
    shape: Vec<usize>,
}

/// All tensors of a folder.
#[derive(Debug, Clone)]
pub struct Tensors(BTreeMap<String, Place>);

/// An entry of a header.
#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Tensors {
    /// Reads the headers.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let file = |path: &Path, source| ModelError::HubFile { path: path.to_owned(), source };
        let mut names = vec![TENSORS.to_owned()];
        if !folder.join(TENSORS).exists() && folder.join(INDEX).exists() {
            let json = std::fs::read(folder.join(INDEX)).map_err(|e| file(&folder.join(INDEX), e))?;
            let index: Index =
                serde_json::from_slice(&json).map_err(|e| ModelError::Container(format!("{INDEX}: {e}")))?;
            names = index.weight_map.into_values().collect();
            names.sort_unstable();
            names.dedup();
            if let Some(name) = names.iter().find(|name| name.contains(['/', '\\'])) {
                return Err(ModelError::Container(format!("{INDEX}: expected names of files, found {name}")));
            }
        }
        let mut out = BTreeMap::new();
        for name in names {
            let path = folder.join(&name);
            let opened = File::open(&path).and_then(|f| Ok((f.metadata()?.len(), f)));
            let (length, mut opened) = opened.map_err(|e| file(&path, e))?;
            header(&mut opened, length, &Arc::new(path.clone()), &mut out)
                .map_err(|message| ModelError::Container(format!("{}: {message}", path.display())))?;
        }
        Ok(Self(out))
    }

    /// How many numbers they have.
    pub fn elements(&self) -> u64 {
        self.0.values().map(|place| place.shape.iter().product::<usize>() as u64).sum()
    }

    /// A hash over names, types, shapes and bytes.
    pub fn hash(&self, hasher: &mut blake3::Hasher) -> Result<(), BoundError> {
        for (name, place) in &self.0 {
            let head = format!("{name}\0{:?}\0{:?}\0", place.dtype, place.shape);
            hasher.update(&(head.len() as u32).to_le_bytes());
            hasher.update(head.as_bytes());
            hasher.update(&place.read()?);
        }
        Ok(())
    }

    /// A tensor of this shape, as numbers of this type.
    pub fn get(&self, name: &str, shape: &[usize], dtype: DType, device: &Device) -> Result<Tensor, BoundError> {
        let Some(place) = self.0.get(name) else {
            return Err(BoundError::Failed(format!("model.safetensors: the tensor {name} is missing")));
        };
        if place.shape != shape {
            let found = &place.shape;
            return Err(BoundError::Failed(format!(
                "model.safetensors: expected {name} to have the shape {shape:?}, found {found:?}"
            )));
        }
        let stored = Tensor::from_raw_buffer(&place.read()?, place.dtype, shape, &Device::Cpu).map_err(failed)?;
        stored.to_dtype(dtype).and_then(|t| t.to_device(device)).map_err(failed)
    }
}

impl Place {
    fn read(&self) -> Result<Vec<u8>, BoundError> {
        let read = || {
            let mut file = File::open(&*self.path)?;
            file.seek(SeekFrom::Start(self.begin))?;
            let mut bytes = vec![0; self.bytes];
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|e: std::io::Error| BoundError::Failed(format!("{}: {e}", self.path.display())))
    }
}

/// Reads a file's header: a length of 8 bytes, then names and places as JSON.
fn header(file: &mut File, length: u64, path: &Arc<PathBuf>, out: &mut BTreeMap<String, Place>) -> Result<(), String> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes).map_err(|e| e.to_string())?;
    let header = u64::from_le_bytes(bytes);
    if header > HEADER || header > length - 8 {
        return Err(format!("expected a header within the file of {length} bytes, found one of {header}"));
    }
    let mut json = vec![0; header as usize];
    file.read_exact(&mut json).map_err(|e| e.to_string())?;
    let mut fields: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&json).map_err(|e| e.to_string())?;
    fields.remove("__metadata__");
    for (name, value) in fields {
        let entry: Entry = serde_json::from_value(value).map_err(|e| format!("{name}: {e}"))?;
        let dtype = match entry.dtype.as_str() {
            "F32" => DType::F32,
            "F16" => DType::F16,
            "BF16" => DType::BF16,
            found => return Err(format!("{name}: expected F32, F16 or BF16, found {found}")),
        };
        let size = entry.shape.iter().try_fold(dtype.size_in_bytes(), |all, n| all.checked_mul(*n));
        let (from, to) = entry.data_offsets;
        let end = to.checked_add(8 + header).filter(|end| *end <= length && from <= to);
        match (size, end) {
            (Some(size), Some(_)) if size as u64 == to - from => {
                let place =
                    Place { path: Arc::clone(path), begin: 8 + header + from, bytes: size, dtype, shape: entry.shape };
                if out.insert(name.clone(), place).is_some() {
                    return Err(format!("{name}: in more than one file"));
                }
            }
            _ => return Err(format!("{name}: its place in the file does not fit its shape")),
        }
    }
    Ok(())
}
