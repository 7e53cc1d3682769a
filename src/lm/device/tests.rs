//! A model that computes something else the next time, as devices do whose sums depend on
//! scheduling.

use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::error::{CodecError, Error};
use crate::exact::fpstate::exact;
use crate::write::Encoder;
use crate::{EncoderOptions, Predictor};

/// Knows the text of [`secret`] by heart, with a certainty that changes after some beginnings.
#[derive(Debug)]
struct Fickle {
    vocabulary: Vocabulary,
    /// How often a block was begun, and after how many times the numbers are others.
    begun: Arc<AtomicU32>,
    faithful: u32,
    /// How often it was probed.
    probed: Arc<AtomicU32>,
}

/// Noise to everything but the model.
fn secret(at: usize) -> u8 {
    ((at as u32).wrapping_mul(2_654_435_761) >> 13) as u8
}

fn text() -> Vec<u8> {
    (0..6000).map(secret).collect()
}

impl Fickle {
    fn options(faithful: u32) -> EncoderOptions {
        Self::counted(faithful, Arc::default())
    }

    fn counted(faithful: u32, probed: Arc<AtomicU32>) -> EncoderOptions {
        let tokens = std::iter::once(Vec::new()).chain((0..=255u8).map(|byte| vec![byte]));
        let vocabulary = Vocabulary::new(tokens).unwrap();
        let model = Self { vocabulary, begun: Arc::default(), faithful, probed };
        let predictor = Predictor::DeviceBound(DeviceBoundModel(Arc::new(model), None));
        EncoderOptions::new().predictor(predictor).streams(1)
    }
}

impl DeviceModel for Fickle {
    fn name(&self) -> &str {
        "fickle"
    }

    fn architecture(&self) -> &str {
        "none"
    }

    fn identity(&self) -> Identity {
        Identity([7; 32])
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn start(&self) -> &Prior {
        static START: std::sync::LazyLock<Arc<Prior>> =
            std::sync::LazyLock::new(|| exact(Prior::with_model));
        &START
    }

    fn parameters(&self) -> u64 {
        1
    }

    fn segment(&self, text: &[u8]) -> Vec<Token> {
        self.vocabulary.segment(text).collect()
    }

    fn entry(&self, batch: u64) -> Result<Entry, DeviceError> {
        Ok(Entry { identity: self.identity().0, batch, ..Entry::default() })
    }

    fn numerics(&self, entry: &Entry) -> Result<Numerics, DeviceError> {
        Ok(entry.numerics.clone())
    }

    fn probe(&self, _: &Entry) -> Result<[u8; 16], DeviceError> {
        self.probed.fetch_add(1, Ordering::Relaxed);
        Ok([0; 16]) // finds nothing, as with a fault that is rare
    }

    fn begin(&self, _: &Entry, _: &[Token]) -> Result<Box<dyn DeviceSession>, DeviceError> {
        let faithful = self.begun.fetch_add(1, Ordering::Relaxed) < self.faithful;
        Ok(Box::new(At { step: 0, weight: if faithful { 5000 } else { 4000 } }))
    }
}

struct At {
    step: usize,
    /// Of the byte that it knows to be next; the others have 1.
    weight: u64,
}

impl DeviceSession for At {
    fn step(&mut self, _: &[Token]) -> Result<(), DeviceError> {
        self.step += 1;
        Ok(())
    }

    fn sums(&mut self, rows: &mut [(usize, &mut Vec<u64>)]) -> Result<(), DeviceError> {
        for (_, to) in rows {
            to.clear();
            to.extend([0, 0]); // before and behind the empty token
            for byte in 0..=255u8 {
                let weight = if byte == secret(self.step) { self.weight } else { 1 };
                to.push(to[to.len() - 1] + weight);
            }
        }
        Ok(())
    }
}

fn compressed(options: &EncoderOptions) -> Result<Vec<u8>, Error> {
    let mut encoder = Encoder::with_options(Vec::new(), options.clone()).unwrap();
    encoder.write_all(&text())?;
    encoder.finish()
}

/// What is written decodes, or nothing is written.
#[test]
fn what_does_not_come_out_twice_is_not_written() {
    for mix in [true, false] {
        let mut options = Fickle::options(u32::MAX).mix(mix);
        let archive = compressed(&options).unwrap();
        assert!(archive.len() < 1000, "{}", archive.len());
        assert_eq!(crate::decompress_with(&archive, &options.decoding()).unwrap(), text());

        options.predictor = Fickle::options(1).predictor;
        let error = compressed(&options).unwrap_err();
        let Error::NotReproduced { raw_at: 0, .. } = &error else { panic!("{error}") };
    }
}

/// However many blocks and frames of an archive are read, and in whatever order, a model is probed
/// once.
#[test]
fn a_model_is_probed_once_when_an_archive_is_sought_in() {
    let probed = Arc::new(AtomicU32::new(0));
    let options = Fickle::counted(u32::MAX, Arc::clone(&probed)).mix(false).block_size(1500);
    let frame = compressed(&options).unwrap();
    let archive = [&frame[..], &frame].concat();
    let mut content = crate::Archive::open(Cursor::new(&archive), options.decoding()).unwrap();
    assert_eq!(content.frames()[0].blocks.len(), 4);
    probed.store(0, Ordering::Relaxed);
    for at in [0, 7000, 1500, 10_000, 3000, 6000, 0] {
        content.seek(SeekFrom::Start(at)).unwrap();
        let mut byte = [0];
        content.read_exact(&mut byte).unwrap();
        assert_eq!(byte[0], secret(at as usize % 6000));
    }
    content.read_range(0..u64::MAX, |_| Ok(())).unwrap();
    assert_eq!(probed.load(Ordering::Relaxed), 1);
    crate::decompress_with(&archive, &options.decoding()).unwrap();
    assert_eq!(probed.load(Ordering::Relaxed), 2, "a decoder probes once for both frames");
}

/// Without the check the archive is of no use; that is found out within a few steps.
#[test]
fn what_was_not_verified_is_found_out_when_decoding() {
    let mut options = Fickle::options(1);
    options.verify = false;
    let archive = compressed(&options).unwrap();
    let decoding = options.decoding().threads(1);
    match crate::decompress_with(&archive, &decoding).unwrap_err() {
        Error::Block { source: CodecError::Diverged { at }, .. } => assert!(at <= 64, "{at}"),
        other => panic!("{other}"),
    }
}

/// Cannot load what was given.
#[derive(Debug)]
struct Broken;

impl crate::ModelProvider for Broken {
    fn model(&self, _: &crate::HubName) -> Result<Option<Predictor>, Box<Failure>> {
        Ok(None)
    }

    fn device_bound(
        &self,
        _: &[u8; 32],
        _: Option<&crate::HubName>,
    ) -> Result<Option<DeviceBoundModel>, Box<Failure>> {
        Err("config.json: the end is missing".into())
    }
}

type Failure = dyn std::error::Error + Send + Sync;

/// Also of a model that was got nowhere.
#[test]
fn why_a_model_cannot_be_loaded_is_said() {
    let archive = compressed(&Fickle::options(u32::MAX)).unwrap();
    let broken: Arc<dyn crate::ModelProvider> = Arc::new(Broken);
    let options = crate::DecoderOptions::new().provider(broken);
    let error = crate::decompress_with(&archive, &options).unwrap_err();
    assert!(matches!(error, Error::DeviceModel { .. }), "{error}");
    let told = crate::error::told(&error);
    assert!(told.contains(&"07".repeat(32)) && told.contains("the end is missing"), "{told}");
}
