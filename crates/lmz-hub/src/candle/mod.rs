//! Language models of the Hugging Face hub, computed by candle: every architecture but RWKV-7,
//! which the exact engine computes, by code of lmz's own or by that of candle-transformers.
//!
//! A folder in the hub's layout comes in ([`open`]): `config.json`, `tokenizer.json`, and
//! `model.safetensors` or its parts and index. A [`DeviceBoundModel`] goes out, which
//! the codec steps in lock step. Weights are loaded when they are first needed, since a decoder
//! learns from the archive what type of numbers they are to be.

mod attention;
mod device;
mod linear;
mod mamba;
mod network;
mod others;
mod pool;
mod probe;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device};

use network::{LockStep, Network, Order};

use crate::config::{Config, Shape};
use crate::tensors::Tensors;
use crate::tokenizer::HubVocabulary;
use crate::{HubError, Settings};
use lmz::exact::fpstate::{Exact, exact};
use lmz::format::{DeviceBoundEntry as Entry, Numerics};
use lmz::lm::device::{DeviceBoundModel, DeviceError, DeviceModel, DeviceSession};
use lmz::lm::file::{self, most};
use lmz::lm::memory;
use lmz::lm::rwkv7::{Identity, ModelError};
use lmz::mix::Prior;
use lmz::vocab::{Token, Vocabulary};

pub fn failed(error: candle_core::Error) -> DeviceError {
    // With RUST_BACKTRACE=1 the rest is where it came from.
    let text = error.to_string();
    DeviceError::Failed(format!("candle: {}", text.lines().next().unwrap_or_default()))
}

/// Opens the folder of a model. `memory`: bytes that it may take; nothing stands for what the
/// device has free.
pub fn open(
    folder: &Path,
    settings: &Settings,
    memory: Option<u64>,
) -> Result<DeviceBoundModel, HubError> {
    load(folder, settings, memory).map(|model| DeviceBoundModel::new(Arc::new(model)))
}

fn load(folder: &Path, settings: &Settings, allowed: Option<u64>) -> Result<Model, HubError> {
    exact(|fp| parse(fp, folder, settings, allowed))
}

fn parse(
    fp: Exact,
    folder: &Path,
    settings: &Settings,
    allowed: Option<u64>,
) -> Result<Model, HubError> {
    let read = |name: &str, most: u64| {
        let path = folder.join(name);
        file::read(&path, most).map_err(|source| HubError::File { path, source })
    };
    let config = Config::parse(&read("config.json", most::CONFIG)?)?;
    let words = read("tokenizer.json", most::WORDS)?;
    memory::allow(memory::tokens(&words), allowed)?;
    let vocabulary =
        HubVocabulary::parse_as(&words, config.shape.vocab(), &config.special, settings.literal)?;
    drop(words);
    let mixer = match read("mixer.bin", most::MIXER) {
        Err(HubError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
        read => Some(read?),
    };
    let start = match &mixer {
        None => Prior::with_model(fp),
        Some(bytes) => Arc::new(
            Prior::of_model(fp, bytes)
                .ok_or(ModelError::Mixer { expected: Prior::MODEL_BYTES, found: bytes.len() })?,
        ),
    };
    let tensors = Tensors::open(folder)?;
    let device = device::find(settings.device.as_deref().unwrap_or("auto"))?;
    let stated = config.dtype.as_deref().filter(|_| !config.shape.is_f32_only());
    let dtype = device::dtype(settings.dtype.as_deref(), stated, &device)?;
    allow(&config, dtype)?;
    let (limit, keep) = context(&config.shape, settings)?;
    let identity = identity(&config, &vocabulary, mixer.as_deref(), &tensors)?;
    let order = Arc::new(Order::new(&vocabulary));
    let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned();
    let vocabulary = Arc::new(vocabulary);
    let loaded = Mutex::default();
    Ok(Model {
        name,
        identity,
        config,
        vocabulary,
        order,
        start,
        tensors,
        device,
        dtype,
        limit,
        keep,
        memory: allowed,
        loaded,
    })
}

/// The context that is asked for, and how much of it a stream begins anew with.
fn context(shape: &Shape, settings: &Settings) -> Result<(u64, u64), ModelError> {
    let (limit, keep) = shape.context();
    let Some(most) = shape.positions() else { return Ok((0, 0)) };
    if most < 2 {
        let what = format!("expected at least 2 positions that every layer sees, found {most}");
        return Err(ModelError::Config(what));
    }
    match settings.context {
        None => Ok((limit, keep)),
        Some(asked) if (2..=most).contains(&asked) => {
            Ok((asked, settings.keep.unwrap_or(asked / 2).clamp(1, asked - 1)))
        }
        Some(asked) => Err(ModelError::Config(format!(
            "context: expected 2 to {most}, the positions that every layer of this model sees, \
            found {asked}"
        ))),
    }
}

/// An error if a model is not computed in such numbers.
fn allow(config: &Config, dtype: DType) -> Result<(), DeviceError> {
    if !config.shape.is_f32_only() || dtype == DType::F32 {
        return Ok(());
    }
    Err(DeviceError::Failed(format!(
        "type of numbers: expected f32 for {}, found {}; leave --dtype out",
        config.architecture,
        dtype.as_str()
    )))
}

/// The BLAKE3 hash of all that the output depends on. docs/FORMAT.md has the bytes.
fn identity(
    config: &Config,
    vocabulary: &HubVocabulary,
    mixer: Option<&[u8]>,
    tensors: &Tensors,
) -> Result<Identity, ModelError> {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u32).to_le_bytes());
        hasher.update(bytes);
    };
    add(b"lmz-hub 1");
    add(config.architecture.as_bytes());
    add(&serde_json::to_vec(&config.shape).map_err(|e| ModelError::Config(e.to_string()))?);
    add(&config.start.to_le_bytes());
    let tokens = vocabulary.vocabulary();
    for token in 0..tokens.len() as Token {
        add(&vocabulary.id(token).unwrap_or(u32::MAX).to_le_bytes());
        add(tokens.token(token));
    }
    add(mixer.unwrap_or_default());
    tensors.hash(&mut hasher)?;
    Ok(Identity(hasher.finalize().into()))
}

/// Weights on a device.
enum Weights {
    Attention(attention::Weights),
    Mamba(mamba::Weights),
    Other(others::Weights),
}

/// The weights of one kind.
#[derive(Clone)]
struct Of(Arc<Weights>);

/// The weights of a kind that a network is made of.
macro_rules! of_kind {
    ($kind:ident, $weights:ty) => {
        impl AsRef<$weights> for Of {
            fn as_ref(&self) -> &$weights {
                match &*self.0 {
                    Weights::$kind(weights) => weights,
                    _ => unreachable!("made of such weights"),
                }
            }
        }
    };
}

of_kind!(Attention, attention::Weights);
of_kind!(Mamba, mamba::Weights);
of_kind!(Other, others::Weights);

/// A model of the hub.
struct Model {
    name: String,
    identity: Identity,
    config: Config,
    vocabulary: Arc<HubVocabulary>,
    order: Arc<Order>,
    start: Arc<Prior>,
    tensors: Tensors,
    device: Device,
    /// What it is computed in where no archive says it.
    dtype: DType,
    limit: u64,
    keep: u64,
    /// Bytes that it may take, if it was said.
    memory: Option<u64>,
    /// Weights as they were last needed: for which type of numbers and how many positions.
    loaded: Mutex<Option<(DType, usize, Arc<Weights>)>>,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.config.architecture, self.identity)
    }
}

impl Model {
    fn dtype_of(&self, entry: &Entry) -> Result<DType, DeviceError> {
        let dtype = device::dtype(Some(&entry.numerics.dtype), None, &self.device)?;
        allow(&self.config, dtype)?;
        Ok(dtype)
    }

    /// Enough memory, or an error that says how much it would be.
    fn ensure_memory(&self, entry: &Entry, dtype: DType) -> Result<(), DeviceError> {
        let Some(free) = self.memory.or_else(|| device::free(&self.device)) else { return Ok(()) };
        let there = self
            .loaded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .is_some_and(|l| l.0 == dtype);
        // The embedding is there twice where it is the head as well; and a matrix while it is
        // turned round.
        let weights = self.tensors.elements().saturating_add(self.config.shape.twice());
        let weights = if there { 0 } else { weights.saturating_mul(dtype.size_in_bytes() as u64) };
        let context = match &self.config.shape {
            Shape::Attention(shape) => {
                attention::memory(shape, entry.batch, entry.limit, entry.keep, dtype)
            }
            Shape::Mamba(shape) => mamba::memory(shape, entry.batch, dtype),
            Shape::Other(shape) => others::memory(shape, entry.batch, entry.limit, entry.keep),
        };
        if weights.saturating_add(context) > free {
            return Err(DeviceError::Memory { weights, context, batch: entry.batch, free });
        }
        Ok(())
    }

    fn weights(&self, dtype: DType, positions: usize) -> Result<Of, DeviceError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, weights)) = loaded.as_ref().filter(|l| l.0 == dtype && l.1 >= positions)
        {
            return Ok(Of(Arc::clone(weights)));
        }
        *loaded = None;
        let weights = Arc::new(match &self.config.shape {
            Shape::Attention(shape) => {
                let weights =
                    attention::Weights::load(shape, &self.tensors, positions, dtype, &self.device)?;
                Weights::Attention(weights)
            }
            Shape::Mamba(shape) => {
                Weights::Mamba(mamba::Weights::load(shape, &self.tensors, dtype, &self.device)?)
            }
            Shape::Other(shape) => {
                let name = self.config.architecture;
                let (tensors, device) = (&self.tensors, &self.device);
                Weights::Other(others::Weights::load(name, shape, tensors, positions, device)?)
            }
        });
        *loaded = Some((dtype, positions, Arc::clone(&weights)));
        Ok(Of(weights))
    }

    fn lock_step(&self, entry: &Entry) -> Result<LockStep, DeviceError> {
        let dtype = self.dtype_of(entry)?;
        let context = match self.config.shape.positions() {
            Some(positions)
                if (2..=positions).contains(&entry.limit)
                    && (1..entry.limit).contains(&entry.keep) =>
            {
                entry.limit as usize
            }
            None if entry.limit == 0 => 0,
            _ => {
                let message = format!(
                    "damaged: a context of {} tokens of which {} are kept, which this model does \
                    not have",
                    entry.limit, entry.keep
                );
                return Err(DeviceError::Failed(message));
            }
        };
        self.ensure_memory(entry, dtype)?;
        let (weights, batch) = (self.weights(dtype, context)?, entry.batch as usize);
        let network: Box<dyn Network> = match *weights.0 {
            Weights::Attention(_) => {
                Box::new(attention::Streams::new(weights, batch, context).map_err(failed)?)
            }
            Weights::Mamba(_) => Box::new(mamba::Streams::new(weights, batch).map_err(failed)?),
            Weights::Other(_) => Box::new(others::Streams::new(weights, batch).map_err(failed)?),
        };
        let keep = entry.keep as usize;
        Ok(LockStep::new(
            network,
            &self.order,
            &self.vocabulary,
            self.config.start,
            (context, keep),
        ))
    }
}

impl DeviceModel for Model {
    fn name(&self) -> &str {
        &self.name
    }

    fn architecture(&self) -> &str {
        self.config.architecture
    }

    fn identity(&self) -> Identity {
        self.identity
    }

    fn vocabulary(&self) -> &Vocabulary {
        self.vocabulary.vocabulary()
    }

    fn start(&self) -> &Prior {
        &self.start
    }

    fn parameters(&self) -> u64 {
        self.tensors.elements()
    }

    fn segment(&self, text: &[u8]) -> Vec<Token> {
        self.vocabulary.segment(text)
    }

    fn entry(&self, batch: u64) -> Result<Entry, DeviceError> {
        let Self { limit, keep, identity, .. } = *self;
        let numerics = device::numerics(&self.device, self.dtype);
        Ok(Entry { identity: identity.0, probe: [0; 16], batch, limit, keep, numerics })
    }

    fn numerics(&self, entry: &Entry) -> Result<Numerics, DeviceError> {
        Ok(device::numerics(&self.device, self.dtype_of(entry)?))
    }

    fn probe(&self, entry: &Entry) -> Result<[u8; 16], DeviceError> {
        let jumps = !matches!(self.config.shape, Shape::Other(_));
        probe::probe(&mut self.lock_step(entry)?, entry, self.vocabulary(), jumps)
    }

    fn begin(&self, entry: &Entry, first: &[Token]) -> Result<Box<dyn DeviceSession>, DeviceError> {
        let mut rows = self.lock_step(entry)?;
        rows.begin(entry.batch as usize, first)?;
        Ok(Box::new(rows))
    }
}
