//! From what a frame names to what its blocks are decoded with: a dictionary and models.

use crate::cancel::CancellationToken;
use crate::codec::context::{BlockContext, Model};
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::exact::kernel::Kernel;
use crate::format::{
    self, DeviceBoundEntry, FormatError, FrameHeader, HubName, Limits, Origins, ShortFrame, within,
};
use crate::lm::LoadedModel;
use crate::lm::device::DeviceBoundModel;
use crate::options::DecoderOptions;
use crate::predictor::Predictor;

/// Probes that are remembered: frames of nearly all archives name the same model.
const REMEMBERED: usize = 16;

/// What a frame needs to be decoded.
pub struct Needs<'a> {
    /// The frame's table of models.
    pub models: &'a [format::ModelRef],
    /// Where models of the table were got, by their number.
    pub origins: &'a Origins,
    /// The hash of a dictionary, or how it begins.
    pub dictionary: Option<&'a [u8]>,
}

impl<'a> Needs<'a> {
    /// What a full frame needs.
    pub fn of(header: &'a FrameHeader) -> Self {
        let FrameHeader { models, origins, dictionary, .. } = header;
        Self { models, origins, dictionary: dictionary.as_ref().map(|hash| &hash[..]) }
    }

    /// What a short frame needs; `models` are [those](ShortFrame::models) that it is predicted by.
    pub fn of_short(short: &'a ShortFrame, models: &'a [format::ModelRef]) -> Self {
        static NOWHERE: Origins = Origins::new();
        let dictionary = short.dictionary.as_ref().map(|hash| &hash[..]);
        Self { models, origins: &NOWHERE, dictionary }
    }
}

/// What a frame's blocks are decoded with.
#[derive(Debug, Clone, Default)]
pub struct Resolved {
    /// The frame's table of models, ready to predict.
    pub models: Vec<Model>,
    /// What they have read before each block.
    pub dictionary: Option<Dictionary>,
}

impl Resolved {
    /// What a block is decoded with when it has this many threads.
    pub fn context<'a>(
        &'a self,
        threads: usize,
        cancel: Option<&'a CancellationToken>,
    ) -> BlockContext<'a> {
        let context = BlockContext::to_decode(&self.models, self.dictionary.as_ref(), threads);
        BlockContext { cancel, ..context }
    }
}

/// Finds what frames name, and remembers what took time.
#[derive(Debug)]
pub struct Resolver {
    /// How to decompress, as the caller said it.
    pub options: DecoderOptions,
    /// Models that the provider gave.
    models: Vec<LoadedModel>,
    device_models: Vec<DeviceBoundModel>,
    /// Device-bound models that gave here what they gave the encoder.
    probed: Vec<DeviceBoundEntry>,
}

impl Resolver {
    /// Finds by these options.
    pub fn new(options: DecoderOptions) -> Self {
        Self { options, models: Vec::new(), device_models: Vec::new(), probed: Vec::new() }
    }

    /// The limits of the options.
    pub fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// An error if the work was cancelled.
    pub fn go_on(&self) -> Result<()> {
        match &self.options.cancel {
            Some(token) if token.is_cancelled() => Err(Error::Cancelled),
            _ => Ok(()),
        }
    }

    /// Finds all that a frame needs: the dictionary, then the models, of which the provider is
    /// asked for those that are not there. `at` is where the frame begins, for messages.
    pub fn resolve(&mut self, needs: &Needs, at: u64) -> Result<Resolved> {
        Kernel::chosen()?;
        let dictionary = self.dictionary(needs.dictionary, at)?.cloned();
        let models = needs.models.iter().enumerate();
        let models =
            models.map(|(number, model)| self.model(model, needs.origins.get(&number), at));
        Ok(Resolved { models: models.collect::<Result<_>>()?, dictionary })
    }

    /// The dictionary whose hash begins so, if one is needed.
    pub fn dictionary(&self, needed: Option<&[u8]>, at: u64) -> Result<Option<&Dictionary>> {
        let Some(needed) = needed else { return Ok(None) };
        let found = self.options.dictionaries.iter().find(|d| d.hash().starts_with(needed));
        found.map(Some).ok_or_else(|| Error::NoDictionary { at, needed: needed.to_vec() })
    }

    /// A model of a frame's table, ready to predict.
    fn model(
        &mut self,
        model: &format::ModelRef,
        origin: Option<&HubName>,
        at: u64,
    ) -> Result<Model> {
        match model {
            format::ModelRef::Ppm { order, memory } => {
                Ok(Model::Ppm { order: *order, memory: *memory })
            }
            format::ModelRef::Rwkv7 { identity } => {
                self.exact_or_provided(identity, origin, at).map(Model::Exact)
            }
            format::ModelRef::Transformer { identity, context } => {
                let model = self.exact_or_provided(identity, origin, at)?;
                let context = usize::try_from(*context).unwrap_or(usize::MAX);
                let found = model.with_context((context > 0).then_some(context));
                found.map(Model::Exact).map_err(|_| {
                    let found = "a context that the model cannot have";
                    let source = FormatError::Malformed { what: "frame header", found };
                    Error::Format { at, source }
                })
            }
            format::ModelRef::DeviceBound(entry) => self.device_bound(entry, origin, at),
        }
    }

    /// The model whose identity begins so, given, built in or of the provider.
    fn exact_or_provided(
        &mut self,
        identity: &[u8],
        origin: Option<&HubName>,
        at: u64,
    ) -> Result<LoadedModel> {
        if let Some(found) = self.exact(identity) {
            return Ok(found);
        }
        self.provided(identity, origin, at)?;
        self.exact(identity).ok_or_else(|| {
            let origin = origin.cloned().map(Box::new);
            Error::NoModel { at, needed: identity.to_vec(), origin }
        })
    }

    /// The model whose identity begins so, of those that are given or built in.
    fn exact(&self, identity: &[u8]) -> Option<LoadedModel> {
        let mut given = self.options.models.iter().chain(&self.models);
        let given = given.find(|m| m.identity().0.starts_with(identity)).cloned();
        given.or_else(|| LoadedModel::built_in(identity))
    }

    /// The device-bound model of this identity, of those that are given.
    fn given(&self, identity: &[u8; 32]) -> Option<&DeviceBoundModel> {
        let mut given = self.options.device_models.iter().chain(&self.device_models);
        given.find(|m| m.identity().0 == *identity)
    }

    /// Asks the provider for a model that is neither given nor built in. Nothing if it has none.
    fn provided(
        &mut self,
        identity: &[u8],
        origin: Option<&HubName>,
        at: u64,
    ) -> Result<Option<()>> {
        let (Some(origin), Some(provider)) = (origin, &self.options.provider) else {
            return Ok(None);
        };
        let failed = |source| Error::Model { at, origin: Box::new(origin.clone()), source };
        match provider.model(origin).map_err(failed)? {
            None => return Ok(None),
            // Another model than the frame's is not kept: an archive can name many.
            Some(Predictor::Model(model)) if model.identity().0.starts_with(identity) => {
                self.models.push(model);
            }
            Some(_) => {
                let origin = Box::new(origin.clone());
                return Err(Error::OtherModel { at, origin, needed: identity.to_vec() });
            }
        }
        Ok(Some(()))
    }

    /// Asks the provider for a device-bound model that is not given.
    fn provided_bound(
        &mut self,
        identity: &[u8; 32],
        origin: Option<&HubName>,
        at: u64,
    ) -> Result<()> {
        let Some(provider) = &self.options.provider else { return Ok(()) };
        match (provider.device_bound(identity, origin), origin) {
            (Ok(None), _) => Ok(()),
            // Another model than the frame's is not kept: an archive can name many.
            (Ok(Some(model)), _) if model.identity().0 == *identity => {
                self.device_models.push(model);
                Ok(())
            }
            (Ok(Some(_)), Some(origin)) => {
                let origin = Box::new(origin.clone());
                Err(Error::OtherModel { at, origin, needed: identity.to_vec() })
            }
            // That none has this identity is said by whoever asked.
            (Ok(Some(_)), None) => Ok(()),
            (Err(source), Some(origin)) => {
                Err(Error::Model { at, origin: Box::new(origin.clone()), source })
            }
            (Err(source), None) => Err(Error::DeviceModel { at, identity: *identity, source }),
        }
    }

    /// A device-bound model, if it gives what it gave the encoder.
    fn device_bound(
        &mut self,
        entry: &DeviceBoundEntry,
        origin: Option<&HubName>,
        at: u64,
    ) -> Result<Model> {
        if self.given(&entry.identity).is_none() {
            self.provided_bound(&entry.identity, origin, at)?;
        }
        let made = || Box::new(entry.numerics.clone());
        let Some(model) = self.given(&entry.identity).cloned() else {
            let origin = origin.cloned().map(Box::new);
            return Err(Error::NoDeviceModel {
                at,
                identity: entry.identity,
                numerics: made(),
                origin,
            });
        };
        within("rows of a device-bound model", entry.batch, self.options.limits.segments)
            .map_err(|source| Error::Format { at, source })?;
        if !self.probed.contains(entry) {
            let here = model.0.numerics(entry)?;
            if model.0.probe(entry)? != entry.probe {
                return Err(Error::OtherNumbers { at, made: made(), here: Box::new(here) });
            }
            if self.probed.len() == REMEMBERED {
                self.probed.remove(0);
            }
            self.probed.push(entry.clone());
        }
        Ok(Model::DeviceBound(model, Box::new(entry.clone())))
    }
}
