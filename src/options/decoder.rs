//! How to decompress.

use std::sync::Arc;

use crate::cancel::CancellationToken;
use crate::dictionary::Dictionary;
use crate::format::Limits;
use crate::lm::LoadedModel;
use crate::lm::device::DeviceBoundModel;
use crate::progress::Progress;
use crate::provider::ModelProvider;

/// How to decompress: what an archive may name, and what it may take. The content does not depend
/// on it.
///
/// ```
/// use lmz::{DecoderOptions, Limits};
///
/// let archive = lmz::compress(b"some text")?;
/// let limits = Limits::default().content(5);
/// let options = DecoderOptions::new().threads(2).limits(limits);
/// assert!(lmz::decompress_with(&archive, &options).is_err(), "it has more than five bytes");
/// # Ok::<(), lmz::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DecoderOptions {
    pub(crate) limits: Limits,
    pub(crate) dictionaries: Vec<Dictionary>,
    pub(crate) models: Vec<LoadedModel>,
    pub(crate) device_models: Vec<DeviceBoundModel>,
    pub(crate) provider: Option<Arc<dyn ModelProvider>>,
    pub(crate) threads: usize,
    pub(crate) cancel: Option<CancellationToken>,
    pub(crate) progress: Option<Progress>,
}

impl Default for DecoderOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            dictionaries: Vec::new(),
            models: Vec::new(),
            device_models: Vec::new(),
            provider: None,
            threads: 1,
            cancel: None,
            progress: None,
        }
    }
}

impl DecoderOptions {
    /// The default: the built-in models, no dictionary, one thread, [`Limits::default`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what an archive may claim and take.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Adds a dictionary that the archive may name.
    pub fn dictionary(mut self, dictionary: Dictionary) -> Self {
        self.dictionaries.push(dictionary);
        self
    }

    /// Adds a neural model that the archive may name. The built-in ones are there without being
    /// added.
    pub fn model(mut self, model: LoadedModel) -> Self {
        self.models.push(model);
        self
    }

    /// Adds a device-bound model that the archive may name.
    pub fn device_model(mut self, model: DeviceBoundModel) -> Self {
        self.device_models.push(model);
        self
    }

    /// Sets what finds models that the archive names and that are neither added nor built in. A
    /// model is looked for if the archive says that it was got from the hub; one that is bound to a
    /// device also among those that the provider was given. By default there is no provider, and an
    /// archive makes nothing be loaded.
    pub fn provider(mut self, provider: impl Into<Option<Arc<dyn ModelProvider>>>) -> Self {
        self.provider = provider.into();
        self
    }

    /// Sets the number of threads: blocks that have arrived together are decoded at once, no more
    /// than there are processors, and a neural model is computed beside the coder.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Sets a token by which another thread ends the work early, with
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn cancel(mut self, token: CancellationToken) -> Self {
        self.cancel = Some(token);
        self
    }

    /// Sets a counter that tells how many bytes of content have been decoded, for other threads to
    /// look at. Of a range of an archive all blocks count that hold some of it. Recovery and
    /// explanations do not count.
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = Some(progress);
        self
    }

    /// The limits.
    pub fn get_limits(&self) -> &Limits {
        &self.limits
    }

    /// The number of threads.
    pub fn get_threads(&self) -> usize {
        self.threads
    }
}
