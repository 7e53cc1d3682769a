//! FLAC, and FLAC for bytes in the manner of "Language Modeling Is Compression".

use std::io::Cursor;

use flacenc::component::BitRepr;
use flacenc::error::Verify;

use super::{library, misfit};
use crate::codec::{Codec, CodecFailure};
use crate::sample::Form;

/// The codec of a name.
pub fn find(name: &str) -> Option<Box<dyn Codec>> {
    match name {
        "flac" => Some(Box::new(Flac)),
        "flac-bytes" => Some(Box::new(FlacBytes)),
        _ => None,
    }
}

/// One encoder's files read by another's decoder. No sound at all is no file: the encoder has none
/// for it.
struct Flac;

impl Codec for Flac {
    fn name(&self) -> &str {
        "flac"
    }

    fn version(&self) -> String {
        format!("{}, decoded by {}, default settings", library("flacenc"), library("claxon"))
    }

    fn takes(&self, form: &Form) -> bool {
        match *form {
            Form::Pcm { rate, channels, bits } => {
                // What the stream's head can say.
                (1..=8).contains(&channels)
                    && matches!(bits, 8 | 16)
                    && (1..=96_000).contains(&rate)
            }
            _ => false,
        }
    }

    fn compress(&self, bytes: &[u8], form: &Form) -> Result<Vec<u8>, CodecFailure> {
        let Form::Pcm { rate, channels, bits } = *form else { return Err(misfit(bytes, form)) };
        if !form.fits(bytes.len()) {
            return Err(misfit(bytes, form));
        }
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let samples: Vec<i32> = match bits {
            8 => bytes.iter().map(|b| i32::from(*b) - 128).collect(),
            _ => {
                bytes.chunks_exact(2).map(|b| i32::from(i16::from_le_bytes([b[0], b[1]]))).collect()
            }
        };
        let config = flacenc::config::Encoder::default()
            .into_verified()
            .map_err(|(_, error)| CodecFailure::of(error))?;
        let source = flacenc::source::MemSource::from_samples(
            &samples,
            channels.into(),
            bits.into(),
            rate as usize,
        );
        let mut stream = flacenc::encode_with_fixed_block_size(&config, source, config.block_size)
            .map_err(|error| CodecFailure(format!("{error:?}")))?;
        // The encoder counts a short last block too, which the format does not, and decoders refuse
        // less than 16.
        let block = config.block_size;
        stream
            .stream_info_mut()
            .set_block_sizes(block, block)
            .map_err(|error| CodecFailure(format!("{error:?}")))?;
        let mut sink = flacenc::bitsink::ByteSink::new();
        stream.write(&mut sink).map_err(|error| CodecFailure(format!("{error:?}")))?;
        Ok(sink.into_inner())
    }

    fn decompress(&self, coded: &[u8], form: &Form) -> Result<Vec<u8>, CodecFailure> {
        if coded.is_empty() {
            return Ok(Vec::new());
        }
        let mut reader = claxon::FlacReader::new(Cursor::new(coded)).map_err(CodecFailure::of)?;
        let wide = matches!(form, Form::Pcm { bits: 16, .. });
        let mut out = Vec::new();
        for sample in reader.samples() {
            let sample = sample.map_err(CodecFailure::of)?;
            if wide {
                out.extend((sample as i16).to_le_bytes());
            } else {
                out.push((sample + 128) as u8);
            }
        }
        Ok(out)
    }
}

/// Bytes as sound of 8 bits and one channel at 16 kHz.
struct FlacBytes;

impl FlacBytes {
    const FORM: Form = Form::Pcm { rate: 16_000, channels: 1, bits: 8 };
}

impl Codec for FlacBytes {
    fn name(&self) -> &str {
        "flac-bytes"
    }

    fn version(&self) -> String {
        format!("{}; bytes as sound of 8 bits at 16 kHz", Flac.version())
    }

    fn compress(&self, bytes: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        Flac.compress(bytes, &Self::FORM)
    }

    fn decompress(&self, coded: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        Flac.decompress(coded, &Self::FORM)
    }
}
