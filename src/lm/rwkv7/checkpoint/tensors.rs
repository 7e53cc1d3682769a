//! The tensors of a checkpoint's files as numbers, of whichever kind the files are.

use std::collections::HashMap;
use std::ops::Range;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::super::error::ModelError;

/// The tensors of a checkpoint by the names that its files give them.
pub trait CheckpointTensors {
    /// Their names, in any order.
    fn names(&self) -> Vec<&str>;

    /// The shape of a tensor, if there is one of this name.
    fn shape(&self, name: &str) -> Option<&[usize]>;

    /// Type and shape of a tensor, for messages.
    fn describe(&self, name: &str) -> String;

    /// The numbers of a tensor, exactly as they are; nothing if it is not in F32, BF16 or F16.
    fn floats(&self, name: &str) -> Result<Option<Vec<f32>>, ModelError>;

    /// The numbers of some rows of a matrix, as [`floats`](Self::floats) has them. Rows that it
    /// does not have are left out.
    fn rows(&self, name: &str, rows: Range<usize>) -> Result<Option<Vec<f32>>, ModelError> {
        let width: usize = self.shape(name).iter().flat_map(|shape| shape.iter().skip(1)).product();
        let Some(mut numbers) = self.floats(name)? else { return Ok(None) };
        let [begin, end] =
            [rows.start, rows.end].map(|row| row.saturating_mul(width).min(numbers.len()));
        numbers.truncate(end);
        numbers.drain(..begin.min(end));
        Ok(Some(numbers))
    }
}

/// Tensors of `model.safetensors`, or of its parts.
pub(super) struct Tensors<'a>(HashMap<String, TensorView<'a>>);

impl<'a> Tensors<'a> {
    pub fn parse(files: &'a [Vec<u8>]) -> Result<Self, ModelError> {
        let mut out = HashMap::new();
        for file in files {
            let file =
                SafeTensors::deserialize(file).map_err(|e| ModelError::Container(e.to_string()))?;
            out.extend(file.iter().map(|(name, view)| (name.to_owned(), view)));
        }
        Ok(Self(out))
    }
}

impl CheckpointTensors for Tensors<'_> {
    fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.0.get(name).map(TensorView::shape)
    }

    fn describe(&self, name: &str) -> String {
        self.0.get(name).map_or_else(String::new, |t| format!("{:?} {:?}", t.dtype(), t.shape()))
    }

    fn floats(&self, name: &str) -> Result<Option<Vec<f32>>, ModelError> {
        let Some(tensor) = self.0.get(name) else { return Ok(None) };
        let float = match tensor.dtype() {
            Dtype::F32 => Float::F32,
            Dtype::BF16 => Float::BF16,
            Dtype::F16 => Float::F16,
            _ => return Ok(None),
        };
        Ok(Some(numbers(float, tensor.data())))
    }
}

/// How numbers are stored.
#[derive(Debug, Clone, Copy)]
pub enum Float {
    F32,
    BF16,
    F16,
}

/// The numbers in bytes, exactly as they are.
pub fn numbers(float: Float, bytes: &[u8]) -> Vec<f32> {
    let pairs = || bytes.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b));
    match float {
        Float::F32 => bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Float::BF16 => pairs().map(|bits| f32::from_bits(u32::from(bits) << 16)).collect(),
        Float::F16 => pairs().map(half).collect(),
    }
}

/// A number of IEEE 754 binary16.
fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) =
        (u32::from(bits >> 15) << 31, u32::from(bits >> 10 & 31), u32::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction as f32 / (1 << 24) as f32, // exact: ten bits and a power of two
        31 => f32::from_bits(255 << 23 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    f32::from_bits(sign | magnitude.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_sixteen_bits() {
        let known = [
            (0x0000, 0.0),
            (0x8000, -0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x3555, 0.333_251_95),
        ];
        for (bits, value) in known {
            assert_eq!(half(bits).to_bits(), f32::to_bits(value), "{bits:#x}");
        }
        assert_eq!(half(0x0001), 2f32.powi(-24));
        assert_eq!(half(0x03ff), 1023.0 * 2f32.powi(-24));
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }
}
