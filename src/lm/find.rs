//! Models by name: built in, or at a path.

use std::path::Path;

use super::architecture;
use super::device::DeviceBoundModel;
use super::loaded::LoadedModel;
use super::memory;
use super::rwkv7::{Model, ModelError};
use super::transformer;
use crate::exact::fpstate::exact;
use crate::format::HubName;

/// A model, by what computes it.
#[derive(Debug, Clone)]
pub enum Found {
    /// The exact engine: the same on every machine.
    Exact(Box<Model>),
    /// The exact engine, of a transformer.
    Transformer(Box<transformer::Model>),
    /// Ordinary floating-point kernels.
    DeviceBound(DeviceBoundModel),
}

/// A model by its built-in name, or by the path of its folder (`./nano` is always a path), which
/// may take `memory` bytes to be loaded; none stands for what the machine has free.
pub fn find(name: &str, memory: Option<u64>) -> Result<Model, ModelError> {
    exact(|_| load(name, memory))
}

fn load(name: &str, memory: Option<u64>) -> Result<Model, ModelError> {
    if let Some(model) = Model::builtin(name) {
        return model;
    }
    if name.starts_with(HubName::PREFIX) {
        return Err(ModelError::Unsupported { what: format!("getting {name}") });
    }
    let path = Path::new(name);
    if !path.exists() {
        return Err(ModelError::Unknown { name: name.to_owned() });
    }
    architecture::check(path)?;
    memory::check(path, memory)?;
    Model::open_with(path, None)
}

/// A model by its built-in name or its folder's path, ready to predict. Built-in models are loaded
/// once.
pub fn ready(name: &str, memory: Option<u64>) -> Result<LoadedModel, ModelError> {
    LoadedModel::builtin(name).unwrap_or_else(|| LoadedModel::new(&find(name, memory)?))
}
