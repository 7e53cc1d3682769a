//! Models by name: built in, at a path, or on the Hugging Face hub.

use std::path::Path;

use super::architecture::{self, Engine};
use super::bound::{Bound, Settings};
use super::memory;
use super::rwkv7::{Model, ModelError, Ready};
use crate::exact::fpstate::exact;
use crate::format::HubName;

/// How models are found, and what is allowed for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finder {
    /// Whether nothing is to be got from the network. The environment can say so too (`HF_HUB_OFFLINE=1`).
    pub offline: bool,
    /// Memory that loading a model may take, in bytes; none stands for what the machine has free.
    pub memory: Option<u64>,
    /// How a device-bound model is to be computed.
    pub settings: Settings,
}

/// A model, by what computes it.
pub enum Found {
    /// The exact engine: the same on every machine.
    Exact(Box<Model>),
    /// Ordinary floating-point kernels.
    Bound(Bound),
}

impl Finder {
    /// A model by its built-in name, by the hub's (`hf:OWNER/NAME`: the one in the hub's cache, or else got from the hub), or by the path of its
    /// folder. (`./nano` is always a path.)
    pub fn find(&self, name: &str) -> Result<Found, ModelError> {
        exact(|_| self.load(name))
    }

    fn load(&self, name: &str) -> Result<Found, ModelError> {
        if let Some(model) = Model::builtin(name) {
            return model.map(|model| Found::Exact(Box::new(model)));
        }
        if name.starts_with(HubName::PREFIX) {
            return self.on_hub(name);
        }
        let path = Path::new(name);
        if !path.exists() {
            return Err(ModelError::Unknown { name: name.to_owned() });
        }
        self.open(path, None)
    }

    /// The same, of the exact engine.
    pub fn model(&self, name: &str) -> Result<Model, ModelError> {
        match self.find(name)? {
            Found::Exact(model) => Ok(*model),
            Found::Bound(model) => Err(ModelError::NotExact { found: model.architecture().to_owned() }),
        }
    }

    /// The same, ready to predict. Built-in models are loaded once.
    pub fn ready(&self, name: &str) -> Result<Ready, ModelError> {
        Ready::builtin(name).unwrap_or_else(|| Ready::new(&self.model(name)?))
    }

    /// What is at a path. The vocabulary may be elsewhere.
    fn open(&self, path: &Path, vocabulary: Option<&Path>) -> Result<Found, ModelError> {
        exact(|_| self.open_as(path, vocabulary))
    }

    fn open_as(&self, path: &Path, vocabulary: Option<&Path>) -> Result<Found, ModelError> {
        match architecture::at(path)? {
            Engine::Exact => {
                memory::check(path, self.memory)?;
                Ok(Found::Exact(Box::new(Model::open_with(path, vocabulary)?)))
            }
            #[cfg(feature = "hub")]
            Engine::Candle => super::candle::open(path, &self.settings, self.memory).map(Found::Bound),
        }
    }

    #[cfg(feature = "hub")]
    fn on_hub(&self, name: &str) -> Result<Found, ModelError> {
        let hub = crate::hub::Hub::new(self.offline);
        self.snapshot(&hub.find(&crate::hub::parse(name)?, &mut crate::hub::Silent)?)
    }

    /// A model in the hub's cache.
    #[cfg(feature = "hub")]
    pub fn snapshot(&self, snapshot: &crate::hub::Snapshot) -> Result<Found, ModelError> {
        let origin = snapshot.name().clone();
        Ok(match self.open(snapshot.path(), snapshot.vocabulary())? {
            Found::Exact(model) => Found::Exact(Box::new(model.with_origin(origin))),
            Found::Bound(model) => Found::Bound(model.with_origin(origin)),
        })
    }

    /// A model of the hub's cache by its name there, if it is in it. Nothing is got from the network.
    #[cfg(feature = "hub")]
    pub(crate) fn cached(&self, name: &HubName) -> Result<Option<Found>, ModelError> {
        let Some(snapshot) = crate::hub::Hub::new(true).cached(name)? else { return Ok(None) };
        self.snapshot(&snapshot).map(Some)
    }

    #[cfg(not(feature = "hub"))]
    fn on_hub(&self, name: &str) -> Result<Found, ModelError> {
        Err(ModelError::NoHub { what: format!("getting {name}") })
    }

    #[cfg(not(feature = "hub"))]
    pub(crate) fn cached(&self, _: &HubName) -> Result<Option<Found>, ModelError> {
        Ok(None)
    }
}
