//! Models by name: built in, at a path, or on the Hugging Face hub.

use std::path::Path;

use super::memory;
use super::rwkv7::{Model, ModelError, Ready};
use crate::format::HubName;

/// How models are found, and what is allowed for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finder {
    /// Whether nothing is to be got from the network. The environment can say so too (`HF_HUB_OFFLINE=1`).
    pub offline: bool,
    /// Memory that loading a model may take, in bytes; none stands for what the machine has free.
    pub memory: Option<u64>,
}

impl Finder {
    /// A model by its built-in name, by the hub's (`hf:OWNER/NAME`: the one in the hub's cache, or else got from the hub), or by the path of its
    /// folder. (`./nano` is always a path.)
    pub fn model(&self, name: &str) -> Result<Model, ModelError> {
        if let Some(model) = Model::builtin(name) {
            return model;
        }
        if name.starts_with(HubName::PREFIX) {
            return self.on_hub(name);
        }
        let path = Path::new(name);
        if !path.exists() {
            return Err(ModelError::Unknown { name: name.to_owned() });
        }
        memory::check(path, self.memory)?;
        Model::open(path)
    }

    /// The same, ready to predict. Built-in models are loaded once.
    pub fn ready(&self, name: &str) -> Result<Ready, ModelError> {
        Ready::builtin(name).unwrap_or_else(|| Ready::new(&self.model(name)?))
    }

    #[cfg(feature = "hub")]
    fn on_hub(&self, name: &str) -> Result<Model, ModelError> {
        let hub = crate::hub::Hub::new(self.offline);
        self.snapshot(&hub.find(&crate::hub::parse(name)?, &mut crate::hub::Silent)?)
    }

    /// A model in the hub's cache.
    #[cfg(feature = "hub")]
    pub fn snapshot(&self, snapshot: &crate::hub::Snapshot) -> Result<Model, ModelError> {
        memory::check(snapshot.path(), self.memory)?;
        let model = Model::open_with(snapshot.path(), snapshot.vocabulary())?;
        Ok(model.with_origin(snapshot.name().clone()))
    }

    /// A model of the hub's cache by its name there, if it is in it. Nothing is got from the network.
    #[cfg(feature = "hub")]
    pub(crate) fn cached(&self, name: &HubName) -> Result<Option<Ready>, ModelError> {
        let Some(snapshot) = crate::hub::Hub::new(true).cached(name)? else { return Ok(None) };
        Ready::new(&self.snapshot(&snapshot)?).map(Some)
    }

    #[cfg(not(feature = "hub"))]
    fn on_hub(&self, name: &str) -> Result<Model, ModelError> {
        Err(ModelError::NoHub { what: format!("getting {name}") })
    }

    #[cfg(not(feature = "hub"))]
    pub(crate) fn cached(&self, _: &HubName) -> Result<Option<Ready>, ModelError> {
        Ok(None)
    }
}
