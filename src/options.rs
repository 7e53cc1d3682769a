//! How to compress and decompress; and finding what an archive names, which are dictionaries and
//! models.

use std::sync::Arc;

use crate::cancel::CancellationToken;
use crate::codec::block::{Model, Models};
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::format::{self, DeviceBound, Limits, Origins, within};
use crate::lm::bound::Bound;
use crate::lm::rwkv7::Ready;
use crate::lm::{Found, ppm};
use crate::predictor::Predictor;
use crate::provider::ModelProvider;

/// How to compress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Raw bytes of a block: the unit of random access, of damage and of parallel work (1 to 2^30).
    pub block: usize,
    /// Threads: for blocks coded at once, no more than there are processors, and in each for a
    /// neural model beside the coder. The archive does not depend on it.
    pub threads: usize,
    /// What predicts.
    pub predictor: Predictor,
    /// Whether context mixing predicts together with a neural model. Without it a block is what the
    /// model alone makes of it: much larger, the figure that papers report. Of no consequence with
    /// other predictors.
    pub mix: bool,
    /// Streams that a block is cut into (1 to 1,024), unless its length decides: with a neural
    /// model one for each 64 KiB and 16 at most (64 with a model of 16 MiB and more), without one
    /// always one. More are faster with a model, and make the block larger.
    pub streams: Option<usize>,
    /// Longest context of PPM, in bytes (1 to [`ppm::MAX_ORDER`]; others are moved there).
    pub ppm_order: u8,
    /// Memory of PPM for contexts: 2^this bytes ([`ppm::MEMORY_RANGE`]; others are moved there).
    pub ppm_memory: u8,
    /// What the model reads before each block. A decoder needs it too.
    pub dictionary: Option<Dictionary>,
    /// Whether blocks of a device-bound model are decoded and compared before they are written. Of
    /// no consequence with other predictors, which give the same everywhere.
    pub verify: bool,
    /// Bytes of memory that compressing may take: blocks at once become fewer until they fit, and
    /// one that needs more by itself is an error. The archive does not depend on it.
    pub memory: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            block: Self::BLOCK,
            threads: 1,
            predictor: Predictor::default(),
            mix: true,
            streams: None,
            ppm_order: ppm::ORDER,
            ppm_memory: ppm::MEMORY_LOG2,
            dictionary: None,
            verify: true,
            memory: Limits::MEMORY,
        }
    }
}

impl Options {
    /// Bytes of a block unless something else is asked for.
    pub const BLOCK: usize = 4 << 20;

    /// The models that predict: one or none.
    pub(crate) fn models(&self) -> Vec<Model> {
        match &self.predictor {
            Predictor::None => Vec::new(),
            Predictor::Ppm => {
                let (least, most) = ppm::MEMORY_RANGE.into_inner();
                let order = self.ppm_order.clamp(1, ppm::MAX_ORDER);
                vec![Model::Ppm { order, memory: self.ppm_memory.clamp(least, most) }]
            }
            Predictor::Model(model) => vec![Model::Rwkv7(model.clone())],
            Predictor::Bound(model) => vec![Model::Bound(model.clone(), Box::default())],
        }
    }

    /// What decodes the archives.
    pub fn decoding(&self) -> DecodeOptions {
        let mut out = DecodeOptions { threads: self.threads, ..DecodeOptions::default() };
        out.limits.memory = self.memory;
        out.dictionaries.extend(self.dictionary.clone());
        match &self.predictor {
            Predictor::None | Predictor::Ppm => {}
            Predictor::Model(model) => out.models.push(model.clone()),
            Predictor::Bound(model) => out.bound.push(model.clone()),
        }
        out
    }
}

/// How to decompress. The content does not depend on it.
#[derive(Debug, Clone)]
pub struct DecodeOptions {
    pub limits: Limits,
    /// Dictionaries that the archive may name.
    pub dictionaries: Vec<Dictionary>,
    /// Neural models that the archive may name, besides the built-in ones, which are there without
    /// being asked for.
    pub models: Vec<Ready>,
    /// Device-bound models that the archive may name.
    pub bound: Vec<Bound>,
    /// What finds models that the archive names and that are neither given nor built in. Only a
    /// model that the archive says was got from the hub is looked for. `None`: none is looked for.
    pub provider: Option<Arc<dyn ModelProvider>>,
    /// Threads: blocks that have arrived together are decoded at once, no more than there are
    /// processors, and a neural model is computed beside the coder.
    pub threads: usize,
    /// Ends the work early from another thread, with [`Error::Cancelled`].
    pub cancel: Option<CancellationToken>,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            dictionaries: Vec::new(),
            models: Vec::new(),
            bound: Vec::new(),
            provider: None,
            threads: 1,
            cancel: None,
        }
    }
}

impl DecodeOptions {
    /// What a block is decoded with: the models of its frame, its dictionary, and so many threads.
    pub(crate) fn context<'a>(
        &'a self,
        table: &'a [Model],
        dictionary: Option<&'a Dictionary>,
        threads: usize,
    ) -> Models<'a> {
        Models { cancel: self.cancel.as_ref(), ..Models::to_decode(table, dictionary, threads) }
    }

    /// The dictionary whose hash begins so, if one is needed; `at` is for the message.
    pub(crate) fn dictionary(&self, needed: Option<&[u8]>, at: u64) -> Result<Option<&Dictionary>> {
        let Some(needed) = needed else { return Ok(None) };
        let found = self.dictionaries.iter().find(|d| d.hash().starts_with(needed));
        found.map(Some).ok_or_else(|| Error::NoDictionary { at, needed: needed.to_vec() })
    }

    /// The model whose identity begins so, of those that are given or built in.
    fn model(&self, identity: &[u8]) -> Option<Ready> {
        let given = self.models.iter().find(|m| m.identity().0.starts_with(identity)).cloned();
        given.or_else(|| Ready::built_in(identity))
    }

    /// Adds the models of a frame's table that are not there but in the hub's cache, where the
    /// frame says that they were got; `at` is for messages.
    pub(crate) fn look_up(
        &mut self,
        table: &[format::Model],
        origins: &Origins,
        at: u64,
    ) -> Result<()> {
        for (number, model) in table.iter().enumerate() {
            let (Some(origin), Some(provider)) = (origins.get(&number), &self.provider) else {
                continue;
            };
            let (there, identity) = match model {
                format::Model::Ppm { .. } => continue,
                format::Model::Rwkv7 { identity } => {
                    (self.model(identity).is_some(), &identity[..])
                }
                format::Model::Bound(entry) => (self.given(entry).is_some(), &entry.identity[..]),
            };
            if there {
                continue;
            }
            let failed = |reason| Error::Model { at, origin: Box::new(origin.clone()), reason };
            let found = match provider.model(origin).map_err(failed)? {
                None => continue,
                // Another model than the frame's is not kept: an archive can name many.
                Some(Found::Exact(model)) if model.identity().0.starts_with(identity) => {
                    self.models.push(Ready::new(&model).map_err(|error| failed(error.into()))?);
                    true
                }
                Some(Found::Bound(model)) if model.identity().0 == identity => {
                    self.bound.push(model);
                    true
                }
                Some(_) => false,
            };
            if !found {
                let origin = Box::new(origin.clone());
                return Err(Error::OtherModel { at, origin, needed: identity.to_vec() });
            }
        }
        Ok(())
    }

    /// The models of a frame's table, ready to predict; `at` is for the message.
    pub(crate) fn models(
        &self,
        table: &[format::Model],
        origins: &Origins,
        at: u64,
    ) -> Result<Vec<Model>> {
        let find = |(number, model): (usize, &format::Model)| match model {
            format::Model::Ppm { order, memory } => {
                Ok(Model::Ppm { order: *order, memory: *memory })
            }
            format::Model::Rwkv7 { identity } => {
                let origin = origins.get(&number).cloned().map(Box::new);
                let found = self.model(identity).map(Model::Rwkv7);
                found.ok_or_else(|| Error::NoModel { at, needed: identity.clone(), origin })
            }
            format::Model::Bound(entry) => self.bound(entry, origins.get(&number), at),
        };
        table.iter().enumerate().map(find).collect()
    }

    /// The device-bound model that a frame names, of those that are given.
    fn given(&self, entry: &DeviceBound) -> Option<&Bound> {
        self.bound.iter().find(|m| m.identity().0 == entry.identity)
    }

    /// A device-bound model, if it gives what it gave the encoder.
    fn bound(
        &self,
        entry: &DeviceBound,
        origin: Option<&format::HubName>,
        at: u64,
    ) -> Result<Model> {
        let numerics = || Box::new(entry.numerics.clone());
        let Some(model) = self.given(entry) else {
            let origin = origin.cloned().map(Box::new);
            return Err(Error::NoBoundModel {
                at,
                identity: entry.identity,
                numerics: numerics(),
                origin,
            });
        };
        within("rows of a device-bound model", entry.batch, self.limits.segments)
            .map_err(|source| Error::Format { at, source })?;
        let here = model.0.numerics(entry)?;
        if model.0.probe(entry)? != entry.probe {
            return Err(Error::OtherNumbers { at, made: numerics(), here: Box::new(here) });
        }
        Ok(Model::Bound(model.clone(), Box::new(entry.clone())))
    }
}
