//! Models by name for the command: progress while one is downloaded, and what `lmz model` does with the hub's cache.

use std::process::ExitCode;

use lmz::Predictor;
use lmz::format::printable;
use lmz::lm::rwkv7::ModelError;
use lmz::lm::{Finder, Found};

#[cfg(feature = "hub")]
pub use with_hub::{cached, list, pull, remove};
#[cfg(not(feature = "hub"))]
pub use without_hub::{cached, list, pull, remove};

/// What predicts, by name, downloaded if it has to be.
pub fn predictor(name: &str, finder: &Finder, quiet: bool) -> Result<Predictor, ModelError> {
    if name.starts_with(lmz::format::HubName::PREFIX) {
        pull(name, finder, quiet, false)?;
    }
    Predictor::find_with(name, finder)
}

/// A model by name; of the hub's only one in the cache.
pub fn find(name: &str, finder: &Finder) -> Result<Found, ModelError> {
    match cached(name, finder) {
        Some(found) => found,
        None => finder.find(name),
    }
}

/// An error, with the model's name where the error does not have it.
pub fn message(name: &str, error: &ModelError) -> String {
    match error {
        ModelError::Unknown { .. }
        | ModelError::File { .. }
        | ModelError::HubFile { .. }
        | ModelError::Pth { .. }
        | ModelError::NoHub { .. } => error.to_string(),
        #[cfg(feature = "hub")]
        ModelError::Hub(_) => error.to_string(),
        _ => format!("{}: {error}", printable(name)),
    }
}

/// The exit code after an error: whether the command line was wrong, or something else.
pub fn exit_code(error: &ModelError) -> ExitCode {
    match error {
        #[cfg(feature = "hub")]
        ModelError::Hub(error) if matches!(**error, lmz::hub::HubError::Name(_)) => ExitCode::from(2),
        ModelError::Unknown { .. } | ModelError::NoHub { .. } => ExitCode::from(2),
        _ => ExitCode::from(1),
    }
}

#[cfg(feature = "hub")]
mod with_hub {
    use indicatif::ProgressBar;
    use lmz::format::{HubName, printable};
    use lmz::hub::{self, Hub, Progress};
    use lmz::lm::rwkv7::ModelError;
    use lmz::lm::{Finder, Found, memory};

    use super::super::progress::bar;

    /// Gets a model into the cache; `newest` asks the hub even if there is one. Gives back its name with the commit.
    pub fn pull(name: &str, finder: &Finder, quiet: bool, newest: bool) -> Result<HubName, ModelError> {
        let (hub, name) = (Hub::new(finder.offline), hub::parse(name)?);
        let mut bars = Bars { quiet, bar: None };
        let snapshot = if newest { hub.pull(&name, &mut bars) } else { hub.find(&name, &mut bars) }?;
        Ok(snapshot.name().clone())
    }

    /// The hub's model of such a name in the cache; nothing if the name is not one of the hub.
    pub fn cached(name: &str, finder: &Finder) -> Option<Result<Found, ModelError>> {
        let load = || {
            let (hub, name) = (Hub::new(true), hub::parse(name)?);
            let missing = || hub::HubError::NotCached { name: name.clone(), cache: hub.cache().to_owned() };
            finder.snapshot(&hub.cached(&name)?.ok_or_else(missing)?)
        };
        name.starts_with(HubName::PREFIX).then(load)
    }

    /// A line for each model in the cache that can be run: parameters, bytes, name.
    pub fn list() -> Vec<(Option<u64>, u64, String)> {
        let line = |model: hub::Listed| {
            // Names of files in the cache.
            let references = printable(&model.references.join(", ")).to_string();
            let references = if references.is_empty() { references } else { format!(" ({references})") };
            (memory::parameters(model.snapshot.path()), model.bytes, format!("{}{references}", model.name))
        };
        Hub::new(true).list().into_iter().map(line).collect()
    }

    /// Removes a model from the cache. Gives back the bytes that are free again.
    pub fn remove(name: &str) -> Result<u64, ModelError> {
        Ok(Hub::new(true).remove(&hub::parse(name)?)?)
    }

    /// One bar after the other.
    struct Bars {
        quiet: bool,
        bar: Option<ProgressBar>,
    }

    impl Progress for Bars {
        fn begin(&mut self, file: &str, have: u64, size: u64) {
            let bar = bar(self.quiet, file, Some(size));
            bar.set_position(have);
            self.bar = Some(bar);
        }

        fn at(&mut self, have: u64) {
            self.bar.iter().for_each(|bar| bar.set_position(have));
        }

        fn end(&mut self) {
            self.bar.take().into_iter().for_each(|bar| bar.finish_and_clear());
        }
    }
}

#[cfg(not(feature = "hub"))]
mod without_hub {
    use lmz::format::HubName;
    use lmz::lm::rwkv7::ModelError;
    use lmz::lm::{Finder, Found};

    fn missing(what: &str, name: &str) -> ModelError {
        ModelError::NoHub { what: format!("{what} {name}") }
    }

    pub fn pull(name: &str, _: &Finder, _: bool, _: bool) -> Result<HubName, ModelError> {
        Err(missing("getting", name))
    }

    pub fn cached(_: &str, _: &Finder) -> Option<Result<Found, ModelError>> {
        None
    }

    pub fn list() -> Vec<(Option<u64>, u64, String)> {
        Vec::new()
    }

    pub fn remove(name: &str) -> Result<u64, ModelError> {
        Err(missing("removing", name))
    }
}
