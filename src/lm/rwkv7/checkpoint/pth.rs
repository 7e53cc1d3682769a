//! Checkpoints as PyTorch writes them (`.pth`: a zip archive of a pickle and of the tensors' bytes), read by candle. Nothing that
//! such a file says is run.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use candle_core::pickle::PthTensors;
use candle_core::{DType, Error};

use super::super::error::ModelError;

/// A file whose tensors are read one by one, when they are asked for.
pub struct Pth {
    tensors: PthTensors,
}

impl Pth {
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let wrong = |what: String| ModelError::Pth { path: path.to_owned(), what };
        let bytes = fs::metadata(path).map_err(|e| wrong(e.to_string()))?.len();
        // candle's reader panics at pickles that no PyTorch writes.
        let read = catch_unwind(AssertUnwindSafe(|| PthTensors::new(path, None)));
        let tensors = read
            .map_err(|_| wrong("expected what torch.save writes, found a pickle that cannot be".into()))?
            .map_err(|e| wrong(e.to_string()))?;
        if tensors.tensor_infos().is_empty() {
            return Err(wrong("expected a dictionary of tensors, as torch.save writes it, found none".into()));
        }
        for (name, info) in tensors.tensor_infos() {
            // Memory is taken for what is claimed, so it must be there. PyTorch does not compress.
            let elements = info.layout.dims().iter().try_fold(1u64, |all, n| all.checked_mul(*n as u64));
            let claimed = elements.and_then(|n| n.checked_mul(info.dtype.size_in_bytes() as u64));
            if claimed.is_none_or(|claimed| claimed > bytes) {
                let found = info.layout.dims();
                return Err(wrong(format!("expected tensors no larger than the file, found {name} of {found:?}")));
            }
        }
        Ok(Self { tensors })
    }

    /// How many elements each tensor has.
    pub fn elements(&self) -> Vec<u64> {
        self.tensors
            .tensor_infos()
            .values()
            .map(|info| info.layout.dims().iter().map(|n| *n as u64).product())
            .collect()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.tensor_infos().keys().map(String::as_str)
    }

    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.tensor_infos().get(name).map(|info| info.layout.dims())
    }

    /// Type and shape, for messages.
    pub fn describe(&self, name: &str) -> String {
        let info = self.tensors.tensor_infos().get(name);
        info.map_or_else(String::new, |info| format!("{:?} {:?}", info.dtype, info.layout.dims()))
    }

    /// The numbers of a tensor; nothing if it is not in F32, BF16 or F16.
    pub fn floats(&self, name: &str) -> Result<Option<Vec<f32>>, ModelError> {
        let read = || {
            let Some(tensor) = self.tensors.get(name)? else { return Ok(None) };
            match tensor.dtype() {
                DType::F32 | DType::BF16 | DType::F16 => {
                    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1().map(Some)
                }
                _ => Ok(None),
            }
        };
        catch_unwind(AssertUnwindSafe(read))
            .unwrap_or_else(|_| Err(Error::Msg("expected a tensor that is there".into())))
            .map_err(|e| ModelError::Container(format!("{name}: {e}")))
    }
}
