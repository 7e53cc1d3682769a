//! WAV: uncompressed samples of 8, 16 or 24 bits.

use super::audio::Sound;

/// The format tags of integer samples, and of those that say it further behind.
const PCM: u16 = 1;
const EXTENSIBLE: u16 = 0xFFFE;

/// Reads a file; the error says what was expected and what was found.
pub fn read(file: &[u8]) -> Result<Sound, String> {
    if !(file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WAVE")) {
        return Err("expected a WAV file (RIFF, WAVE), found another beginning".to_owned());
    }
    let mut format = None;
    let mut at = 12;
    while let Some(head) = file.get(at..at + 8) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        at += 8;
        let body = file.get(at..at.saturating_add(length)).ok_or_else(|| {
            let name = String::from_utf8_lossy(&head[..4]).into_owned();
            format!(
                "expected {length} bytes in the chunk {name:?}, found {}: the file is cut off",
                file.len() - at
            )
        });
        match &head[..4] {
            b"fmt " => format = Some(Format::read(body?)?),
            b"data" => {
                let format: Format =
                    format.ok_or("expected the format before the samples, found none")?;
                return format.samples(body?);
            }
            // Names, cue points and the like.
            _ => drop(body?),
        }
        // Chunks begin at even places.
        at += length + length % 2;
    }
    Err("expected samples (a chunk \"data\"), found none".to_owned())
}

struct Format {
    channels: u16,
    rate: u32,
    bits: u16,
}

impl Format {
    fn read(body: &[u8]) -> Result<Self, String> {
        let short = |at: usize| body.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
        let missing = || format!("expected a format of 16 bytes or more, found {}", body.len());
        let mut tag = short(0).ok_or_else(missing)?;
        let channels = short(2).ok_or_else(missing)?;
        let rate = body
            .get(4..8)
            .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .ok_or_else(missing)?;
        let frame = short(12).ok_or_else(missing)?;
        let bits = short(14).ok_or_else(missing)?;
        if tag == EXTENSIBLE {
            tag = short(24)
                .ok_or("expected an extended format of 26 bytes or more, found a shorter one")?;
        }
        if tag != PCM {
            return Err(format!(
                "expected integer samples (format 1), found format {tag}; convert the file"
            ));
        }
        if !matches!(bits, 8 | 16 | 24) {
            return Err(format!("expected samples of 8, 16 or 24 bits, found {bits}"));
        }
        if channels == 0
            || rate == 0
            || u32::from(frame) != u32::from(channels) * u32::from(bits / 8)
        {
            return Err(format!(
                "expected channels, a rate and bytes that fit them, found {channels}, {rate} and \
                {frame}: the head is damaged"
            ));
        }
        Ok(Self { channels, rate, bits })
    }

    fn samples(&self, data: &[u8]) -> Result<Sound, String> {
        let &Self { channels, rate, bits } = self;
        let frame = usize::from(channels) * usize::from(bits / 8);
        if !data.len().is_multiple_of(frame) {
            return Err(format!(
                "expected a multiple of {frame} bytes of samples, found {}",
                data.len()
            ));
        }
        let sample = |b: &[u8]| match *b {
            [only] => i32::from(only) - 128,
            [low, high] => i32::from(i16::from_le_bytes([low, high])),
            // From the top of 32 bits down, which keeps the sign.
            [low, middle, high] => i32::from_le_bytes([0, low, middle, high]) >> 8,
            _ => 0,
        };
        let samples = data.chunks_exact(usize::from(bits / 8)).map(sample).collect();
        Ok(Sound { rate, channels, bits, samples })
    }
}
