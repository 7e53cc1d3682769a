//! Models at paths.

use std::path::Path;

use lmz::lm::Found;
use lmz::lm::rwkv7::Model;
use lmz_hub::{Finder, HubError};

/// The model at a path, which the exact engine computes.
pub fn exact(path: &Path) -> Result<Model, HubError> {
    match Finder::default().find(path.to_str().expect("paths here are UTF-8"))? {
        Found::Exact(model) => Ok(*model),
        other => panic!("expected a model of RWKV-7, found {other:?}"),
    }
}
