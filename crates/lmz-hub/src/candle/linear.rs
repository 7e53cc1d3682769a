//! Products of rows with a matrix.

use candle_core::Tensor;

use super::failed;
use lmz::lm::device::DeviceError;

/// A product with an optional bias.
pub struct Linear {
    /// `[inputs][outputs]`
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// Of a matrix as it is stored, `[outputs][inputs]`. Kept the other way round, because for a
    /// few rows candle's products would otherwise copy it at every step.
    pub fn new(stored: &Tensor, bias: Option<Tensor>) -> Result<Self, DeviceError> {
        let weight = stored.t().and_then(|t| t.contiguous()).map_err(failed)?;
        Ok(Self { weight, bias })
    }

    /// `[rows][inputs]` to `[rows][outputs]`.
    pub fn of(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let y = x.matmul(&self.weight)?;
        match &self.bias {
            None => Ok(y),
            Some(bias) => y.broadcast_add(bias),
        }
    }
}
