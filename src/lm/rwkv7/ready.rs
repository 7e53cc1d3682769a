//! Models of this architecture, ready to predict.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::engine::Network;
use super::model::Files;
use super::{Identity, Model, ModelError, builtin, load};
use crate::exact::fpstate::exact;
use crate::exact::kernel::Kernel;
use crate::format::Registered;
use crate::lm::loaded::{LoadedModel, Parts, Reading};
use crate::lm::{self};
use crate::vocab::Vocabulary;

impl LoadedModel {
    /// Packs a model for the kernel that is chosen ([`Kernel::chosen`]).
    pub fn new(model: &Model) -> Result<Self, ModelError> {
        exact(|_| pack(model))
    }

    /// A built-in model by its name, or else the folder at a path. Built-in models are loaded once.
    pub fn find(name_or_path: &str) -> Result<Self, ModelError> {
        lm::ready(name_or_path, None)
    }

    /// The built-in model of a name, if there is one.
    pub(crate) fn builtin(name: &str) -> Option<Result<Self, ModelError>> {
        static BUILT_IN: LazyLock<Mutex<Vec<LoadedModel>>> = LazyLock::new(Mutex::default);
        let mut loaded = BUILT_IN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = loaded.iter().find(|r| r.name() == name) {
            return Some(Ok(ready.clone()));
        }
        let ready = match Registered::by_name(name) {
            Some(known) => registered(builtin::find(name)?, known),
            None => Model::builtin(name)?.and_then(|model| Self::new(&model)),
        };
        loaded.extend(ready.as_ref().ok().cloned());
        Some(ready)
    }

    /// The built-in model whose identity begins so. Nothing else is loaded if it is a registered
    /// one.
    pub fn built_in(identity: &[u8]) -> Option<Self> {
        let registered = Registered::by_identity(identity).map(|r| r.name);
        let mut names: Vec<_> = Model::builtin_names().collect();
        names.sort_by_key(|name| Some(*name) != registered);
        let mut ready = names.iter().filter_map(|name| Self::find(name).ok());
        ready.find(|ready| ready.identity().0.starts_with(identity))
    }
}

fn pack(model: &Model) -> Result<LoadedModel, ModelError> {
    let network = Network::for_model(model, Kernel::chosen()?)?;
    let vocabulary = model.vocabulary().clone();
    let loaded = LoadedModel::from_parts(Parts {
        name: model.name().to_owned(),
        identity: model.identity(),
        reading: Reading::greedy(&vocabulary),
        vocabulary: Arc::new(vocabulary),
        network: Arc::new(network.into()),
        start: Arc::clone(model.start()),
    });
    Ok(match model.origin() {
        Some(origin) => loaded.with_origin(origin.clone()),
        None => loaded,
    })
}

/// A registered model out of the program's own files. Its identity is known, so nothing is hashed;
/// a test holds it against the hash.
fn registered(files: &Files, registered: &Registered) -> Result<LoadedModel, ModelError> {
    exact(|fp| {
        let vocabulary = Vocabulary::parse(files.vocabulary)?;
        let kernel = Kernel::chosen()?;
        let network = load::network(fp, files.config, files.tensors, &vocabulary, kernel)?;
        Ok(LoadedModel::from_parts(Parts {
            name: registered.name.to_owned(),
            identity: Identity(registered.identity),
            reading: Reading::greedy(&vocabulary),
            vocabulary: Arc::new(vocabulary),
            network: Arc::new(network.into()),
            start: Model::start_of(fp, files.mixer)?,
        }))
    })
}
