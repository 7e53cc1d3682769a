//! Models by name: built in, at a path, or on the Hugging Face hub.

use std::error::Error;
use std::path::{Path, PathBuf};

use lmz::exact::fpstate::exact;
use lmz::format::HubName;
use lmz::lm::rwkv7::{self, Model, ModelError};
use lmz::lm::transformer::Model as Transformer;
use lmz::lm::{self, Found, memory};
use lmz::{DeviceBoundModel, ModelProvider, Predictor};

use crate::architecture::{self, Engine};
use crate::hub::{self, Hub, Silent, Snapshot};
use crate::{HubError, candle, gguf, pth, transformer};

/// How a device-bound model is to be computed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// `auto` (the default), `cpu`, `cuda`, `cuda:N` or `metal`.
    pub device: Option<String>,
    /// `f32`, `f16` or `bf16`; by default f32 on a CPU, and elsewhere the type that the weights are
    /// stored in. An archive says what it was made with.
    pub dtype: Option<String>,
    /// Tokens that a prediction is made of: by default 2,048, or as many as the model has, for a
    /// model of the exact engine, whose context rolls. By candle, tokens after which a stream begins
    /// anew, by default 1,024; and with how many of its last ones, by default half of them. An
    /// archive says what it was made with.
    pub context: Option<u64>,
    pub keep: Option<u64>,
    /// Whether added tokens are taken as releases up to 1.0.1 took them, which archives of these
    /// may need.
    pub literal: bool,
}

impl Settings {
    /// Whether nothing is asked for that only ordinary floating-point kernels have.
    fn is_exact(&self) -> bool {
        let cpu = self.device.as_deref().is_none_or(|device| device == "cpu");
        cpu && self.dtype.is_none() && self.keep.is_none()
    }
}

/// How models are found, and what is allowed for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finder {
    /// Whether nothing is to be got from the network. The environment can say so too
    /// (`HF_HUB_OFFLINE=1`).
    pub offline: bool,
    /// Memory that loading a model may take, in bytes; none stands for what the machine has free.
    pub memory: Option<u64>,
    /// How a device-bound model is to be computed.
    pub settings: Settings,
    /// Names of models that were given to decode with: an archive may be bound to a device by one
    /// of them.
    pub given: Vec<String>,
}

impl Finder {
    /// A model by its built-in name, by the hub's (`hf:OWNER/NAME`: the one in the hub's cache, or
    /// else got from the hub), or by the path of its folder, `.pth` or GGUF file. (`./nano` is
    /// always a path.)
    pub fn find(&self, name: &str) -> Result<Found, HubError> {
        exact(|_| self.load(name))
    }

    /// What predicts, by a name of [`find`](Self::find), or `none` or `ppm`.
    pub fn predictor(&self, name: &str) -> Result<Predictor, HubError> {
        match Predictor::named(name) {
            Some(found) => Ok(found?),
            None => Ok(Predictor::of(self.find(name)?)?),
        }
    }

    fn load(&self, name: &str) -> Result<Found, HubError> {
        if Model::builtin_names().any(|known| known == name) {
            return Ok(Found::Exact(Box::new(lm::find(name, self.memory)?)));
        }
        if name.starts_with(HubName::PREFIX) {
            let hub = Hub::new(self.offline);
            return self.snapshot(&hub.find(&hub::parse(name)?, &mut Silent)?);
        }
        let path = Path::new(name);
        if !path.exists() {
            return Err(ModelError::Unknown { name: name.to_owned() }.into());
        }
        self.open(path, None)
    }

    /// The model at a path. Its vocabulary may be elsewhere.
    fn open(&self, path: &Path, vocabulary: Option<&Path>) -> Result<Found, HubError> {
        exact(|_| self.open_as(path, vocabulary))
    }

    fn open_as(&self, path: &Path, vocabulary: Option<&Path>) -> Result<Found, HubError> {
        if let Some(file) = rwkv7::pth(path) {
            memory::allow(pth::memory(&file)?, self.memory)?;
            return Ok(Found::Exact(Box::new(pth::open(&file, vocabulary)?)));
        }
        if gguf::is_gguf(path) {
            return self.exact(transformer::open_gguf(path, self.memory)?);
        }
        match architecture::at(path)? {
            Engine::Exact => {
                memory::check(path, self.memory)?;
                Ok(Found::Exact(Box::new(Model::open_with(path, vocabulary)?)))
            }
            // Where heads have a size that its vectors do not fit, candle computes the model.
            Engine::Transformer if self.settings.is_exact() && transformer::fits(path)? => {
                self.exact(transformer::open(path, self.memory)?)
            }
            Engine::Transformer | Engine::Candle => {
                candle::open(path, &self.settings, self.memory).map(Found::DeviceBound)
            }
        }
    }

    /// A model of the exact engine, with the context that was asked for.
    fn exact(&self, model: Transformer) -> Result<Found, HubError> {
        let context = self.settings.context.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        Ok(Found::Transformer(Box::new(model.with_context(context)?)))
    }

    /// A model in the hub's cache.
    pub fn snapshot(&self, snapshot: &Snapshot) -> Result<Found, HubError> {
        let origin = snapshot.name().clone();
        Ok(match self.open(snapshot.path(), snapshot.vocabulary())? {
            Found::Exact(model) => Found::Exact(Box::new(model.with_origin(origin))),
            Found::Transformer(model) => Found::Transformer(Box::new(model.with_origin(origin))),
            Found::DeviceBound(model) => Found::DeviceBound(model.with_origin(origin)),
        })
    }
}

/// Models of the hub's cache, by the names that archives have for them. Nothing is got from the
/// network.
impl ModelProvider for Finder {
    fn model(&self, name: &HubName) -> Result<Option<Predictor>, Box<dyn Error + Send + Sync>> {
        let Some(snapshot) = Hub::new(true).cached(name)? else { return Ok(None) };
        Ok(Some(Predictor::of(self.snapshot(&snapshot)?)?))
    }

    /// Of the hub's cache, or of the names that were given: with candle, whatever computes such a
    /// model today.
    fn device_bound(
        &self,
        identity: &[u8; 32],
        origin: Option<&HubName>,
    ) -> Result<Option<DeviceBoundModel>, Box<dyn Error + Send + Sync>> {
        let mut paths: Vec<_> = self.given.iter().map(PathBuf::from).collect();
        let names = self.given.iter().filter_map(|name| HubName::parse(name));
        for name in names.chain(origin.cloned()) {
            paths.extend(Hub::new(true).cached(&name)?.map(|found| found.path().to_owned()));
        }
        // Another of them may be the right one.
        let mut failed = None;
        for path in paths.iter().filter(|path| path.is_dir()) {
            if !matches!(architecture::at(path), Ok(Engine::Transformer | Engine::Candle)) {
                continue;
            }
            for literal in [false, true] {
                let settings = Settings { literal, ..self.settings.clone() };
                match exact(|_| candle::open(path, &settings, self.memory)) {
                    Ok(model) if model.identity().0 == *identity => return Ok(Some(model)),
                    Ok(_) => {}
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
        }
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(None),
        }
    }
}
