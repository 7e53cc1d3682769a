//! Sound: 8 bits as in the paper, and 16 as they are.

use std::io::Cursor;

use super::{DataError, DataFile, DataSet, Form, PIECE, Sample, shares, wav};

/// Samples a second of the audio set, as in the paper.
pub const RATE: u32 = 16_000;

/// Decoded sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// Moments a second.
    pub rate: u32,
    pub channels: u16,
    /// Bits of a sample.
    pub bits: u16,
    /// Signed, the channels of each moment one after the other.
    pub samples: Vec<i32>,
}

impl Sound {
    /// Reads WAV (integers of 8, 16 or 24 bits) or FLAC. The error says what was expected.
    pub fn read(file: &[u8]) -> Result<Self, String> {
        if !file.starts_with(b"fLaC") {
            return wav::read(file);
        }
        let wrong = |error: claxon::Error| {
            format!("expected a whole FLAC file, found a damaged one: {error}")
        };
        let mut reader = claxon::FlacReader::new(Cursor::new(file)).map_err(wrong)?;
        let info = reader.streaminfo();
        let samples = reader.samples().collect::<Result<Vec<i32>, _>>().map_err(wrong)?;
        let narrow = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        let expected = info.samples.map(|moments| moments * u64::from(info.channels));
        match expected {
            Some(expected) if expected != samples.len() as u64 => Err(format!(
                "expected {expected} samples, found {}: the file is cut off",
                samples.len()
            )),
            _ => Ok(Self {
                rate: info.sample_rate,
                channels: narrow(info.channels),
                bits: narrow(info.bits_per_sample),
                samples,
            }),
        }
    }

    /// The first channel with the upper 8 bits of each sample, unsigned (128 is silence): what the
    /// paper's code makes of 16 bits.
    pub fn eight_bits(&self) -> Vec<u8> {
        let channels = usize::from(self.channels.max(1));
        let shift = self.bits.saturating_sub(8).min(31);
        self.samples
            .iter()
            .step_by(channels)
            .map(|sample| ((sample >> shift) + 128) as u8)
            .collect()
    }
}

/// Samples of 8 bits from the middle of each file, the same time of each as far as there is so
/// much. Several channels: the first. Other rates than [`RATE`] are refused: nothing is resampled
/// here.
pub fn audio(files: &[DataFile], limit: u64) -> Result<DataSet, DataError> {
    let mut contents = Vec::new();
    for (file, sound) in read(files)? {
        if sound.rate != RATE {
            let why = format!(
                "expected {RATE} samples a second, found {}; resample it or leave it out",
                sound.rate
            );
            return Err(DataError::Sound { path: file.path.clone(), why });
        }
        contents.push((file.name.clone(), sound.eight_bits()));
    }
    // In pieces: no piece reaches from one file into the next.
    let counts: Vec<u64> = contents.iter().map(|(_, bytes)| (bytes.len() / PIECE) as u64).collect();
    let mut bytes = Vec::new();
    for ((_, content), share) in contents.iter().zip(shares(&counts, limit / PIECE as u64)) {
        let length = share as usize * PIECE;
        let begin = (content.len() - length) / 2;
        bytes.extend_from_slice(&content[begin..begin + length]);
    }
    if bytes.is_empty() {
        return Err(DataError::Nothing {
            set: "audio".to_owned(),
            expected: "WAV or FLAC files of 2,048 samples or more",
        });
    }
    let about = "Speech at 16 kHz from the middle of each file: the upper 8 of 16 bits, plus 128."
        .to_owned();
    let names = contents.into_iter().map(|(name, _)| name).collect();
    let form = Form::Pcm { rate: RATE, channels: 1, bits: 8 };
    Ok(DataSet::cut("audio", about, names, form, &bytes))
}

/// Samples of 16 bits with all channels as they are, from the middle of each file. Other files are
/// refused.
pub fn sound(files: &[DataFile], limit: u64) -> Result<DataSet, DataError> {
    let mut contents = Vec::new();
    for (file, sound) in read(files)? {
        if sound.bits != 16 {
            let why = format!(
                "expected samples of 16 bits, found {}; convert it or leave it out",
                sound.bits
            );
            return Err(DataError::Sound { path: file.path.clone(), why });
        }
        contents.push((file.name.clone(), sound));
    }
    let lengths: Vec<u64> =
        contents.iter().map(|(_, sound)| 2 * sound.samples.len() as u64).collect();
    let parts = contents.iter().zip(shares(&lengths, limit)).map(|((name, sound), share)| {
        let channels = usize::from(sound.channels.max(1));
        let moments = share as usize / 2 / channels;
        let begin = (sound.samples.len() / channels - moments) / 2 * channels;
        let samples = &sound.samples[begin..begin + moments * channels];
        let form = Form::Pcm { rate: sound.rate, channels: sound.channels, bits: 16 };
        let bytes = samples.iter().flat_map(|sample| (*sample as i16).to_le_bytes()).collect();
        Sample { name: name.clone(), form, bytes }
    });
    let pieces: Vec<Sample> = parts.filter(|sample| !sample.bytes.is_empty()).collect();
    if pieces.is_empty() {
        return Err(DataError::Nothing {
            set: "sound".to_owned(),
            expected: "WAV or FLAC files with samples",
        });
    }
    let about = "16 bits a sample, all channels, from the middle of each file (the whole of it \
        where the limit allows), each coded alone.";
    let files = contents.into_iter().map(|(name, _)| name).collect();
    Ok(DataSet { name: "sound".to_owned(), about: about.to_owned(), files, pieces })
}

/// The sound among files, by the ends of their names.
fn read(files: &[DataFile]) -> Result<Vec<(&DataFile, Sound)>, DataError> {
    let mut sounds = Vec::new();
    for file in files.iter().filter(|file| ["wav", "flac"].contains(&file.extension().as_str())) {
        let sound = Sound::read(&file.read()?);
        sounds
            .push((file, sound.map_err(|why| DataError::Sound { path: file.path.clone(), why })?));
    }
    Ok(sounds)
}
