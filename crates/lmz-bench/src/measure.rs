//! Codes samples, decodes them, compares, and takes the time.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::codec::{Codec, CodecFailure};
use super::sample::Sample;

/// How to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settings {
    /// How often everything is done; times are medians. 0 counts as 1.
    pub repeat: usize,
    /// Whether [`Measurement::header`] is wanted.
    pub header: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { repeat: 1, header: false }
    }
}

/// What came of coding some samples, each alone, and decoding them. Everything was compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Samples.
    pub pieces: u64,
    /// Bytes of the samples.
    pub raw: u64,
    /// Bytes that they were coded in.
    pub coded: u64,
    /// Bytes that the least sample (one zero byte) takes: what the paper calls the header, and
    /// counts once.
    pub header: Option<u64>,
    /// `coded`, with the header counted once; as `coded` where no header was asked for.
    pub header_once: u64,
    /// Seconds of wall time spent compressing, over all samples; median of the repeats.
    pub compress: f64,
    /// Seconds of wall time spent decompressing, over all samples; median of the repeats.
    pub decompress: f64,
    /// Peak resident memory in bytes of the process that did it, with the program, its models, the
    /// samples, and both what they were coded in and decoded to. None where that cannot be told.
    pub memory: Option<u64>,
}

/// Why there is no measurement.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{codec} cannot compress {sample}: {source}")]
    Compress { codec: String, sample: String, source: CodecFailure },
    #[error("{codec} cannot decompress what it made of {sample}: {source}")]
    Decompress { codec: String, sample: String, source: CodecFailure },
    #[error(
        "{codec} is not lossless: {sample} has {expected} bytes, and {found} came back, other ones \
        from byte {at} on"
    )]
    Mismatch { codec: String, sample: String, expected: usize, found: usize, at: usize },
    #[error("{codec} made {first} bytes of {sample} at first and {then} bytes another time")]
    Unsteady { codec: String, sample: String, first: usize, then: usize },
    #[error("{codec} made {found} results of {expected} samples")]
    Count { codec: String, expected: usize, found: usize },
    /// The process that was to measure ended without a result: in its last words.
    #[error("{codec}: {message}")]
    Process { codec: String, message: String },
    /// What the process that measured reports: any of the others, in words.
    #[error("{0}")]
    Reported(String),
}

/// Measures a codec on samples whose forms it takes, in this process: peak memory is not told.
pub fn measure(
    codec: &dyn Codec,
    samples: &[Sample],
    settings: Settings,
) -> Result<Measurement, Failure> {
    let mut coded: Vec<usize> = Vec::new();
    let [mut compress, mut decompress] = [Vec::new(), Vec::new()];
    for _ in 0..settings.repeat.max(1) {
        let (sizes, times) = once(codec, samples)?;
        if let Some(i) = (0..coded.len()).find(|i| coded[*i] != sizes[*i]) {
            let (codec, sample) = (codec.name().to_owned(), samples[i].name.clone());
            return Err(Failure::Unsteady { codec, sample, first: coded[i], then: sizes[i] });
        }
        coded = sizes;
        compress.push(times.0);
        decompress.push(times.1);
    }
    let header = match samples.first() {
        Some(sample) if settings.header => {
            let (form, bytes) = sample.form.least();
            let least = Sample { name: "the least sample".to_owned(), form, bytes };
            Some(once(codec, &[least])?.0.iter().sum::<usize>() as u64)
        }
        _ => None,
    };
    let total = coded.iter().sum::<usize>() as u64;
    let once = coded.iter().map(|n| (*n as u64).saturating_sub(header.unwrap_or(0))).sum::<u64>();
    Ok(Measurement {
        pieces: samples.len() as u64,
        raw: samples.iter().map(|s| s.bytes.len() as u64).sum(),
        coded: total,
        header,
        header_once: header.map_or(total, |header| once + header),
        compress: median(compress),
        decompress: median(decompress),
        memory: None,
    })
}

/// Coded sizes, and the times that compressing and decompressing took.
type Round = (Vec<usize>, (Duration, Duration));

/// Everything once.
fn once(codec: &dyn Codec, samples: &[Sample]) -> Result<Round, Failure> {
    let name = || codec.name().to_owned();
    let pieces: Vec<_> = samples.iter().map(|s| (&s.bytes[..], &s.form)).collect();
    let began = Instant::now();
    let coded = codec.compress_each(&pieces);
    let compress = began.elapsed();
    let all = || match samples {
        [sample] => sample.name.clone(),
        _ => format!("one of {} samples", samples.len()),
    };
    let coded =
        coded.map_err(|source| Failure::Compress { codec: name(), sample: all(), source })?;
    if coded.len() != samples.len() {
        return Err(Failure::Count { codec: name(), expected: samples.len(), found: coded.len() });
    }
    let mut decompress = Duration::ZERO;
    for (sample, coded) in samples.iter().zip(&coded) {
        let began = Instant::now();
        let back = codec.decompress(coded, &sample.form);
        decompress += began.elapsed();
        let sample_name = || sample.name.clone();
        let back = back.map_err(|source| Failure::Decompress {
            codec: name(),
            sample: sample_name(),
            source,
        })?;
        if back != sample.bytes {
            let at = back.iter().zip(&sample.bytes).take_while(|(a, b)| a == b).count();
            let (expected, found) = (sample.bytes.len(), back.len());
            return Err(Failure::Mismatch {
                codec: name(),
                sample: sample_name(),
                expected,
                found,
                at,
            });
        }
    }
    Ok((coded.iter().map(Vec::len).collect(), (compress, decompress)))
}

/// The middle one in seconds, or the mean of the middle two.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let middle = times.len() / 2;
    let upper = times[middle].as_secs_f64();
    if times.len() % 2 == 1 { upper } else { (upper + times[middle - 1].as_secs_f64()) / 2.0 }
}
