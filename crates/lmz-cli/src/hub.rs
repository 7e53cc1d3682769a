//! Models by name for the command: progress while one is downloaded, and what `lmz model` does with
//! the hub's cache.

use std::process::ExitCode;

use lmz::Predictor;
use lmz::format::{HubName, printable};
use lmz::lm::Found;
use lmz::lm::rwkv7::ModelError;

use super::advice::with_advice;

#[cfg(feature = "hub")]
pub use with_hub::{FindError, Finder, Settings, cached, known, list, provider, pull, remove};
#[cfg(not(feature = "hub"))]
pub use without_hub::{FindError, Finder, Settings, cached, known, list, provider, pull, remove};

/// What predicts, by name, downloaded if it has to be.
pub fn predictor(name: &str, finder: &Finder, quiet: bool) -> Result<Predictor, FindError> {
    if name.starts_with(HubName::PREFIX) {
        pull(name, finder, quiet, false)?;
    }
    finder.predictor(name)
}

/// A model by name; of the hub's only one in the cache.
pub fn find(name: &str, finder: &Finder) -> Result<Found, FindError> {
    match cached(name, finder) {
        Some(found) => found,
        None => finder.find(name),
    }
}

/// An error, with the model's name where the error does not have it.
pub fn message(name: &str, error: &FindError) -> String {
    match load_error(error) {
        None => with_advice(cause(error)),
        // What wraps it does not show in the chain of causes.
        Some(
            error @ (ModelError::Unknown { .. }
            | ModelError::File { .. }
            | ModelError::Pth { .. }
            | ModelError::Unsupported { .. }),
        ) => with_advice(error),
        Some(error) => format!("{}: {}", printable(name), with_advice(error)),
    }
}

/// The exit code after an error: whether the command line was wrong, or something else.
pub fn exit_code(error: &FindError) -> ExitCode {
    match load_error(error) {
        Some(ModelError::Unknown { .. } | ModelError::Unsupported { .. }) => ExitCode::from(2),
        _ if is_no_name(error) => ExitCode::from(2),
        _ => ExitCode::from(1),
    }
}

/// Whether no model has such a name.
pub fn is_unknown(error: &FindError) -> bool {
    matches!(load_error(error), Some(ModelError::Unknown { .. }))
}

#[cfg(feature = "hub")]
use with_hub::{cause, is_no_name, load_error};
#[cfg(not(feature = "hub"))]
use without_hub::{cause, is_no_name, load_error};

#[cfg(feature = "hub")]
mod with_hub {
    use std::sync::Arc;

    use indicatif::ProgressBar;
    use lmz::ModelProvider;
    use lmz::format::{HubName, printable};
    use lmz::lm::rwkv7::ModelError;
    use lmz::lm::{Found, memory};
    use lmz_hub::hub::{self, Hub, Progress};
    use lmz_hub::known::KNOWN;
    pub use lmz_hub::{Finder, HubError as FindError, Settings};

    use super::super::progress::bar;

    /// What is wrong with a model's files, if that is what an error is about.
    pub fn load_error(error: &FindError) -> Option<&ModelError> {
        match error {
            FindError::Load(error) => Some(error),
            _ => None,
        }
    }

    /// What an error passes on as it is, if that is all it does.
    pub fn cause(error: &FindError) -> &(dyn std::error::Error + 'static) {
        match error {
            FindError::Load(error) => error,
            FindError::Device(error) => error,
            error => error,
        }
    }

    /// Whether a name is not one that the hub gives.
    pub fn is_no_name(error: &FindError) -> bool {
        matches!(error, FindError::Name(_))
    }

    /// What finds models that archives name.
    pub fn provider(finder: &Finder) -> Option<Arc<dyn ModelProvider>> {
        Some(Arc::new(finder.clone()))
    }

    /// Gets a model into the cache; `newest` asks the hub even if there is one. Gives back its name
    /// with the commit.
    pub fn pull(
        name: &str,
        finder: &Finder,
        quiet: bool,
        newest: bool,
    ) -> Result<HubName, FindError> {
        let (hub, name) = (Hub::new(finder.offline), hub::parse(name)?);
        let mut bars = Bars { quiet, bar: None };
        let snapshot =
            if newest { hub.pull(&name, &mut bars) } else { hub.find(&name, &mut bars) }?;
        Ok(snapshot.name().clone())
    }

    /// The hub's model of such a name in the cache; nothing if the name is not one of the hub.
    pub fn cached(name: &str, finder: &Finder) -> Option<Result<Found, FindError>> {
        let load = || {
            let (hub, name) = (Hub::new(true), hub::parse(name)?);
            let missing =
                || FindError::NotCached { name: name.clone(), cache: hub.cache().to_owned() };
            finder.snapshot(&hub.cached(&name)?.ok_or_else(missing)?)
        };
        name.starts_with(HubName::PREFIX).then(load)
    }

    /// A line for each model in the cache that can be run: parameters, bytes, name.
    pub fn list() -> Vec<(Option<u64>, u64, String)> {
        let line = |model: hub::Listed| {
            // Names of files in the cache.
            let references = printable(&model.references.join(", ")).to_string();
            let references =
                if references.is_empty() { references } else { format!(" ({references})") };
            (
                memory::parameters(model.snapshot.path()),
                model.bytes,
                format!("{}{references}", model.name),
            )
        };
        Hub::new(true).list().into_iter().map(line).collect()
    }

    /// Lines about well-known models of the hub, the first one empty.
    pub fn known() -> Vec<String> {
        let mut lines = vec![
            String::new(),
            "To get by `lmz model pull NAME`, all with exact arithmetic (sizes are approximate; *: \
            accept the licence on the hub, and set HF_TOKEN):"
                .to_owned(),
            format!("parameters  download  {:11} {:38} for", "licence", "name"),
        ];
        lines.extend(KNOWN.iter().map(|model| {
            let gated = if model.is_gated { "*" } else { "" };
            format!(
                "{:>8} M  {:>5.1} GB  {:11} {:38} {}",
                model.millions,
                f64::from(model.megabytes) / 1000.0,
                format!("{}{gated}", model.licence),
                model.name,
                model.good_for
            )
        }));
        lines
    }

    /// Removes a model from the cache. Gives back the bytes that are free again.
    pub fn remove(name: &str) -> Result<u64, FindError> {
        Hub::new(true).remove(&hub::parse(name)?)
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
    use std::sync::Arc;

    use lmz::format::HubName;
    pub use lmz::lm::rwkv7::ModelError as FindError;
    use lmz::lm::{self, Found};
    use lmz::{ModelProvider, Predictor};

    /// How a device-bound model is to be computed: nothing here does.
    #[derive(Debug, Clone, PartialEq, Eq, Default)]
    pub struct Settings {
        pub device: Option<String>,
        pub dtype: Option<String>,
        pub context: Option<u64>,
        pub keep: Option<u64>,
    }

    /// How models are found, and what is allowed for it.
    #[derive(Debug, Clone, PartialEq, Eq, Default)]
    pub struct Finder {
        pub offline: bool,
        pub memory: Option<u64>,
        pub settings: Settings,
        pub given: Vec<String>,
    }

    impl Finder {
        pub fn find(&self, name: &str) -> Result<Found, FindError> {
            lm::find(name, self.memory).map(|model| Found::Exact(Box::new(model)))
        }

        pub fn predictor(&self, name: &str) -> Result<Predictor, FindError> {
            Predictor::named(name).unwrap_or_else(|| Predictor::of(self.find(name)?))
        }
    }

    pub fn load_error(error: &FindError) -> Option<&FindError> {
        Some(error)
    }

    pub fn cause(error: &FindError) -> &(dyn std::error::Error + 'static) {
        error
    }

    pub fn is_no_name(_: &FindError) -> bool {
        false
    }

    pub fn provider(_: &Finder) -> Option<Arc<dyn ModelProvider>> {
        None
    }

    fn missing(what: &str, name: &str) -> FindError {
        FindError::Unsupported { what: format!("{what} {name}") }
    }

    pub fn pull(name: &str, _: &Finder, _: bool, _: bool) -> Result<HubName, FindError> {
        Err(missing("getting", name))
    }

    pub fn cached(_: &str, _: &Finder) -> Option<Result<Found, FindError>> {
        None
    }

    pub fn list() -> Vec<(Option<u64>, u64, String)> {
        Vec::new()
    }

    pub fn known() -> Vec<String> {
        Vec::new()
    }

    pub fn remove(name: &str) -> Result<u64, FindError> {
        Err(missing("removing", name))
    }
}
