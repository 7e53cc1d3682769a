//! Models that an archive names are asked of the provider, and loaded for nothing else.

use std::error::Error;
use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use lmz::lm::rwkv7::{Files, Model};
use lmz::{
    Archive, DecoderOptions, EncoderOptions, HubName, LoadedModel, ModelProvider, Predictor,
    compress_with, decompress_with,
};

const CONFIG: &[u8] = include_bytes!("golden/tiny-model/config.json");
const VOCABULARY: &[u8] = include_bytes!("golden/tiny-model/vocab.txt");
const TENSORS: &[u8] = include_bytes!("golden/tiny-model/model.safetensors");
const MIXER: &[u8] = include_bytes!("../src/mix/mixer.bin");
const TEXT: &[u8] = b"A message that is long enough to be cut into several blocks of forty bytes.";

/// The tiny model, with a `mixer.bin` or without: two models, got from the same place.
fn model(mixer: Option<&[u8]>) -> LoadedModel {
    let files = Files { config: CONFIG, vocabulary: VOCABULARY, tensors: TENSORS, mixer };
    let model = Model::parse("tiny", &files).expect("the golden model is sound");
    LoadedModel::new(&model.with_origin(origin())).expect("and can be computed")
}

fn origin() -> HubName {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    HubName::parse(&format!("hf:owner/tiny@{commit}")).expect("a name of the hub")
}

/// Gives one model, whatever is asked for, and notes what that was.
#[derive(Debug)]
struct One {
    model: Option<Predictor>,
    asked: AtomicUsize,
    name: Mutex<Option<HubName>>,
}

impl One {
    fn new(model: Option<LoadedModel>) -> Arc<Self> {
        let model = model.map(Predictor::Model);
        Arc::new(Self { model, asked: AtomicUsize::new(0), name: Mutex::new(None) })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn options(self: &Arc<Self>) -> DecoderOptions {
        let provider: Arc<dyn ModelProvider> = Arc::clone(self) as _;
        DecoderOptions::new().provider(provider)
    }
}

impl ModelProvider for One {
    fn model(&self, name: &HubName) -> Result<Option<Predictor>, Box<dyn Error + Send + Sync>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        *self.name.lock().unwrap() = Some(name.clone());
        Ok(self.model.clone())
    }
}

/// An archive by the model alone, in two blocks.
fn archive() -> Vec<u8> {
    let options =
        EncoderOptions::new().predictor(Predictor::Model(model(None))).mix(false).block_size(40);
    compress_with(TEXT, &options).unwrap()
}

#[test]
fn the_provider_is_asked_once_for_the_name_that_the_archive_has() {
    let one = One::new(Some(model(None)));
    assert_eq!(decompress_with(&archive(), &one.options()).unwrap(), TEXT);
    assert_eq!((one.asked(), one.name.lock().unwrap().clone()), (1, Some(origin())));
}

#[test]
fn an_archive_that_is_sought_in_asks_once() {
    let one = One::new(Some(model(None)));
    let mut archive = Archive::open(Cursor::new(archive()), one.options()).unwrap();
    for from in [50, 3, 60] {
        let mut found = Vec::new();
        std::io::Seek::seek(&mut archive, std::io::SeekFrom::Start(from)).unwrap();
        std::io::Read::read_to_end(&mut archive, &mut found).unwrap();
        assert_eq!(found, TEXT[from as usize..]);
    }
    assert_eq!(one.asked(), 1);
}

#[test]
fn without_a_provider_or_without_the_model_it_is_named() {
    let nothing = One::new(None);
    for options in [DecoderOptions::new(), nothing.options()] {
        let error = decompress_with(&archive(), &options).unwrap_err();
        assert!(matches!(error, lmz::Error::NoModel { .. }), "{error}");
    }
    assert_eq!(nothing.asked(), 1);
}

#[test]
fn another_model_is_refused() {
    let other = One::new(Some(model(Some(MIXER))));
    let error = decompress_with(&archive(), &other.options()).unwrap_err();
    assert!(matches!(error, lmz::Error::OtherModel { .. }), "{error}");
}

#[test]
fn what_is_given_or_needs_no_model_asks_nothing() {
    let one = One::new(Some(model(None)));
    let options = one.options().model(model(None));
    assert_eq!(decompress_with(&archive(), &options).unwrap(), TEXT);
    let plain = EncoderOptions::new().predictor(Predictor::None);
    let archive = compress_with(TEXT, &plain).unwrap();
    assert_eq!(decompress_with(&archive, &one.options()).unwrap(), TEXT);
    assert_eq!(one.asked(), 0);
}
