//! `model.safetensors`, or the files that `model.safetensors.index.json` names: read one tensor at
//! a time, so that no file has to fit into memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;

use crate::HubError;
use lmz::lm::device::DeviceError;
use lmz::lm::file::{self, most};
use lmz::lm::header;
use lmz::lm::rwkv7::ModelError;
use lmz::lm::rwkv7::checkpoint::{CheckpointTensors, Float, INDEX, TENSORS, numbers, parts};

/// Where a tensor is.
#[derive(Debug, Clone)]
struct Place {
    path: Arc<PathBuf>,
    /// Where in the file.
    place: header::Place,
    dtype: DType,
}

/// All tensors of a folder.
#[derive(Debug, Clone)]
pub struct Tensors(BTreeMap<String, Place>);

impl Tensors {
    /// Reads the headers.
    pub fn open(folder: &Path) -> Result<Self, HubError> {
        let failed = |path: &Path, source| HubError::File { path: path.to_owned(), source };
        let mut names = vec![TENSORS.to_owned()];
        if !folder.join(TENSORS).exists() && folder.join(INDEX).exists() {
            let path = folder.join(INDEX);
            names = parts(&file::read(&path, most::INDEX).map_err(|e| failed(&path, e))?)?;
        }
        let mut out = BTreeMap::new();
        for name in names {
            let path = Arc::new(folder.join(&name));
            let wrong = |what: String| {
                HubError::Load(ModelError::Container(format!("{}: {what}", path.display())))
            };
            let (mut opened, length) = file::open(&path).map_err(|e| failed(&path, e))?;
            for (name, place) in header::read(&mut opened, length).map_err(wrong)? {
                let dtype = match place.dtype {
                    Dtype::F32 => DType::F32,
                    Dtype::F16 => DType::F16,
                    Dtype::BF16 => DType::BF16,
                    found => {
                        return Err(wrong(format!(
                            "{name}: expected F32, F16 or BF16, found {found:?}"
                        )));
                    }
                };
                let place = Place { path: Arc::clone(&path), place, dtype };
                if out.insert(name.clone(), place).is_some() {
                    return Err(wrong(format!("{name}: in more than one file")));
                }
            }
        }
        Ok(Self(out))
    }

    /// How many numbers they have.
    pub fn elements(&self) -> u64 {
        self.0.values().fold(0, |all, place| all.saturating_add(place.place.elements))
    }

    /// How many bytes they have.
    pub fn bytes(&self) -> u64 {
        self.0.values().fold(0, |all, place| all.saturating_add(place.place.bytes))
    }

    /// Names and shapes.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.0.iter().map(|(name, place)| (name.as_str(), &place.place.shape[..]))
    }

    /// A hash over names, types, shapes and bytes.
    pub fn hash(&self, hasher: &mut blake3::Hasher) -> Result<(), DeviceError> {
        for (name, place) in &self.0 {
            let head = format!("{name}\0{:?}\0{:?}\0", place.dtype, place.place.shape);
            hasher.update(&(head.len() as u32).to_le_bytes());
            hasher.update(head.as_bytes());
            place.read_with(|mut bytes| {
                let hashed = std::io::copy(&mut bytes, hasher)?;
                // The file may be another by now.
                (hashed == place.place.bytes)
                    .then_some(())
                    .ok_or(std::io::ErrorKind::UnexpectedEof.into())
            })?;
        }
        Ok(())
    }

    /// A tensor of this shape, as numbers of this type.
    pub fn get(
        &self,
        name: &str,
        shape: &[usize],
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor, DeviceError> {
        let Some(place) = self.0.get(name) else {
            return Err(DeviceError::Failed(format!(
                "model.safetensors: the tensor {name} is missing"
            )));
        };
        if place.place.shape != shape {
            let found = &place.place.shape;
            return Err(DeviceError::Failed(format!(
                "model.safetensors: expected {name} to have the shape {shape:?}, found {found:?}"
            )));
        }
        let failed = crate::candle::failed;
        let stored = Tensor::from_raw_buffer(&place.read()?, place.dtype, shape, &Device::Cpu)
            .map_err(failed)?;
        stored.to_dtype(dtype).and_then(|t| t.to_device(device)).map_err(failed)
    }
}

impl CheckpointTensors for Tensors {
    fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.0.get(name).map(|place| &place.place.shape[..])
    }

    fn describe(&self, name: &str) -> String {
        let place = self.0.get(name).map(|place| &place.place);
        place.map_or_else(String::new, |place| format!("{:?} {:?}", place.dtype, place.shape))
    }

    fn floats(&self, name: &str) -> Result<Option<Vec<f32>>, ModelError> {
        let Some(place) = self.0.get(name) else { return Ok(None) };
        let Some(float) = float(place.place.dtype) else { return Ok(None) };
        Ok(Some(numbers(float, &place.read()?)))
    }

    fn rows(&self, name: &str, rows: Range<usize>) -> Result<Option<Vec<f32>>, ModelError> {
        let Some(place) = self.0.get(name) else { return Ok(None) };
        let Some(float) = float(place.place.dtype) else { return Ok(None) };
        let height = place.place.shape.first().copied().unwrap_or(1).max(1);
        let row = place.place.bytes / height as u64;
        let [begin, end] = [rows.start, rows.end].map(|at| at.min(height) as u64 * row);
        let length = end.saturating_sub(begin);
        let bytes = place.read_from(begin, length, |mut bytes| file::whole(&mut bytes, length))?;
        Ok(Some(numbers(float, &bytes)))
    }
}

/// The type of a tensor's numbers, if it is one that is read here.
fn float(dtype: Dtype) -> Option<Float> {
    match dtype {
        Dtype::F32 => Some(Float::F32),
        Dtype::BF16 => Some(Float::BF16),
        Dtype::F16 => Some(Float::F16),
        _ => None,
    }
}

impl Place {
    fn read(&self) -> Result<Vec<u8>, DeviceError> {
        self.read_with(|mut bytes| file::whole(&mut bytes, self.place.bytes))
    }

    /// Does something with the tensor's bytes.
    fn read_with<T>(
        &self,
        what: impl FnOnce(std::io::Take<File>) -> std::io::Result<T>,
    ) -> Result<T, DeviceError> {
        self.read_from(0, self.place.bytes, what)
    }

    /// Does something with so many of the tensor's bytes from one on.
    fn read_from<T>(
        &self,
        begin: u64,
        length: u64,
        what: impl FnOnce(std::io::Take<File>) -> std::io::Result<T>,
    ) -> Result<T, DeviceError> {
        let read = || {
            let (mut file, _) = file::open(&self.path)?;
            file.seek(SeekFrom::Start(self.place.begin + begin))?;
            what(file.take(length))
        };
        read().map_err(|e| DeviceError::Failed(format!("{}: {e}", self.path.display())))
    }
}
