//! Code lengths of texts by a codec, of which each is found out once and kept.

use std::sync::{Mutex, PoisonError};

use lmz::parallel;
use lmz::score::code_length;
use lmz::similarity::CodeLengths;
use lmz::{Dictionary, EncoderOptions};

use crate::codecs::lmz::Lmz;
use crate::codecs::{self, FindError};
use crate::measure::Settings;
use crate::sample::{Form, Sample};
use crate::state::{Key, State, StateError};
use crate::worker::Job;
use crate::{Codec, CodecFailure};

/// Why a code length cannot be found out.
#[derive(Debug, thiserror::Error)]
pub enum RulerError {
    #[error("{codec}: {source}")]
    Codec { codec: String, source: CodecFailure },
    #[error("{0}")]
    State(#[from] StateError),
    #[error(
        "expected a codec of lmz (such as lmz-none), found {codec}: others know no dictionary, and \
        so no conditional code length"
    )]
    NoDictionary { codec: String },
    #[error("{name}: {}", lmz::error::told(source))]
    Text { name: String, source: lmz::Error },
}

/// What code lengths are found out by.
enum Coder {
    /// The bytes that it makes.
    Codec(Box<dyn Codec>),
    /// The ideal code lengths of lmz, without what is around coded bytes.
    Ideal(Box<EncoderOptions>),
}

/// Measures texts by what a codec makes of them, in bits.
pub struct Ruler {
    name: String,
    version: String,
    coder: Coder,
    threads: usize,
    /// Code lengths that are known from before.
    state: Option<Mutex<State<f64>>>,
}

impl Ruler {
    /// By the codec of this name ([`codecs::find`]), so many codings at once. `state`: where what
    /// is found out is kept.
    pub fn new(name: &str, threads: usize, state: Option<State<f64>>) -> Result<Self, FindError> {
        // Each coding by one thread: there are always others.
        let (coder, version) = match Lmz::find(name, 1)? {
            Some(codec) => {
                let version = codec.version();
                (Coder::Ideal(Box::new(codec.options().clone())), version)
            }
            None => {
                let codec = codecs::find(name, 1)?;
                let version = codec.version();
                (Coder::Codec(codec), version)
            }
        };
        let threads = parallel::at_once(threads);
        Ok(Self { name: name.to_owned(), version, coder, threads, state: state.map(Mutex::new) })
    }

    /// The codec's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many codings there are at once.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The code length of a text.
    pub fn length(&self, text: &[u8]) -> Result<f64, RulerError> {
        self.known("length", &[text], || match &self.coder {
            Coder::Codec(codec) => {
                let coded = codec.compress(text, &Form::Bytes).map_err(|e| self.failed(e))?;
                Ok(8.0 * coded.len() as f64)
            }
            Coder::Ideal(options) => self.ideal(text, options),
        })
    }

    /// The code length of a text for who knows a dictionary, whose bytes are `known`.
    pub fn length_given(
        &self,
        text: &[u8],
        dictionary: &Dictionary,
        known: &[u8],
    ) -> Result<f64, RulerError> {
        let Coder::Ideal(options) = &self.coder else {
            return Err(RulerError::NoDictionary { codec: self.name.clone() });
        };
        self.known("given", &[&(known.len() as u64).to_le_bytes(), known, text], || {
            self.ideal(text, &options.clone().dictionary(dictionary.clone()))
        })
    }

    fn ideal(&self, text: &[u8], options: &EncoderOptions) -> Result<f64, RulerError> {
        code_length(text, options).map_err(|error| self.failed(CodecFailure::of_lmz(error)))
    }

    fn failed(&self, source: CodecFailure) -> RulerError {
        RulerError::Codec { codec: self.name.clone(), source }
    }

    /// What is known of some texts, or else is found out now.
    fn known(
        &self,
        what: &str,
        texts: &[&[u8]],
        find: impl FnOnce() -> Result<f64, RulerError>,
    ) -> Result<f64, RulerError> {
        let Some(state) = &self.state else { return find() };
        let piece =
            |text: &&[u8]| Sample { name: String::new(), form: Form::Bytes, bytes: text.to_vec() };
        let pieces: Vec<Sample> = texts.iter().map(piece).collect();
        let job = Job {
            codec: format!("{what} {}", self.name),
            threads: 1,
            settings: Settings::default(),
        };
        let key = Key::new(&pieces, None, &job, self.version.clone());
        let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(length) = lock().get(&key) {
            return Ok(*length);
        }
        let length = find()?;
        lock().put(key, length)?;
        Ok(length)
    }

    /// The code lengths of texts and of all pairs; `done` is called after each coding of the
    /// [`count`](Self::codings) that there are. `conditional`: by what each takes for who knows the
    /// other, in both directions, instead of one behind the other.
    pub fn lengths(
        &self,
        texts: &[(String, Vec<u8>)],
        conditional: bool,
        done: impl Fn() + Sync,
    ) -> Result<CodeLengths, RulerError> {
        let numbers: Vec<usize> = (0..texts.len()).collect();
        let text = |x: usize| &texts[x].1[..];
        let own = parallel::each(&numbers, self.threads, |x| {
            let length = self.length(text(*x));
            done();
            length
        })?;
        let dictionary = |x: &usize| {
            let failed = |source| RulerError::Text { name: texts[*x].0.clone(), source };
            Dictionary::new(text(*x)).map_err(failed)
        };
        let dictionaries: Vec<Dictionary> = match conditional {
            true => numbers.iter().map(dictionary).collect::<Result<_, _>>()?,
            false => Vec::new(),
        };
        let given = |x: usize, y: usize| self.length_given(text(x), &dictionaries[y], text(y));
        let both = |x: usize, y: usize| {
            let length = match conditional {
                true => Ok((own[x] + given(y, x)? + own[y] + given(x, y)?) / 2.0),
                false => self.length(&[text(x), text(y)].concat()),
            };
            done();
            length
        };
        CodeLengths::measure(texts.len(), self.threads, |x| Ok(own[x]), both)
    }

    /// How many codings [`lengths`](Self::lengths) tells of: of each text alone, and of each pair.
    pub fn codings(texts: usize) -> u64 {
        let n = texts as u64;
        n + n * (n + 1) / 2
    }
}
