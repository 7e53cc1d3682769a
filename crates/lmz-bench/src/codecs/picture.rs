//! PNG and lossless WebP, and PNG for bytes in the manner of "Language Modeling Is Compression".

use std::io::Cursor;

use super::{library, misfit};
use crate::codec::{Codec, CodecFailure};
use crate::sample::Form;

/// The codec of a name.
pub fn find(name: &str) -> Option<Box<dyn Codec>> {
    match name {
        "png" => Some(Box::new(Png)),
        "png-bytes" => Some(Box::new(PngBytes)),
        "webp" => Some(Box::new(Webp)),
        _ => None,
    }
}

/// Width, height and colour type; nothing for what is no picture or has no pixels.
fn shape<C>(form: &Form, gray: C, rgb: C) -> Option<(u32, u32, C)> {
    match *form {
        Form::Gray { width, height } if width > 0 && height > 0 => Some((width, height, gray)),
        Form::Rgb { width, height } if width > 0 && height > 0 => Some((width, height, rgb)),
        _ => None,
    }
}

struct Png;

impl Codec for Png {
    fn name(&self) -> &str {
        "png"
    }

    fn version(&self) -> String {
        format!("{} ({}), level 9, adaptive filters", library("png"), library("libz-sys"))
    }

    fn takes(&self, form: &Form) -> bool {
        shape(form, (), ()).is_some_and(|(width, height, ())| width.max(height) <= i32::MAX as u32)
    }

    fn compress(&self, bytes: &[u8], form: &Form) -> Result<Vec<u8>, CodecFailure> {
        let (width, height, color) = shape(form, png::ColorType::Grayscale, png::ColorType::Rgb)
            .ok_or_else(|| misfit(bytes, form))?;
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, width, height);
        encoder.set_color(color);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_deflate_compression(png::DeflateCompression::Level(9));
        encoder.set_filter(png::Filter::Adaptive);
        let mut writer = encoder.write_header().map_err(CodecFailure::of)?;
        writer.write_image_data(bytes).and_then(|()| writer.finish()).map_err(CodecFailure::of)?;
        Ok(out)
    }

    fn decompress(&self, coded: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        let mut reader =
            png::Decoder::new(Cursor::new(coded)).read_info().map_err(CodecFailure::of)?;
        let length = reader
            .output_buffer_size()
            .ok_or_else(|| CodecFailure("its picture is too large".into()))?;
        let mut out = vec![0; length];
        reader.next_frame(&mut out).map_err(CodecFailure::of)?;
        Ok(out)
    }
}

/// Bytes as a gray picture whose sides are the two factors of their number that are closest to each
/// other, as in the paper. A prime number of bytes is one column; no bytes are no file.
struct PngBytes;

impl PngBytes {
    fn form(length: usize) -> Result<Form, CodecFailure> {
        let width =
            (1..=length.isqrt()).rev().find(|width| length.is_multiple_of(*width)).unwrap_or(1);
        let side = |n: usize| {
            u32::try_from(n).map_err(|_| CodecFailure(format!("no picture has {length} pixels so")))
        };
        Ok(Form::Gray { width: side(width)?, height: side(length / width)? })
    }
}

impl Codec for PngBytes {
    fn name(&self) -> &str {
        "png-bytes"
    }

    fn version(&self) -> String {
        format!("{}; bytes as a near-square gray picture", Png.version())
    }

    fn compress(&self, bytes: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        if bytes.is_empty() {
            Ok(Vec::new())
        } else {
            Png.compress(bytes, &Self::form(bytes.len())?)
        }
    }

    fn decompress(&self, coded: &[u8], form: &Form) -> Result<Vec<u8>, CodecFailure> {
        if coded.is_empty() { Ok(Vec::new()) } else { Png.decompress(coded, form) }
    }
}

struct Webp;

impl Webp {
    /// The longest side that the format has.
    const LONGEST: u32 = 1 << 14;
}

impl Codec for Webp {
    fn name(&self) -> &str {
        "webp"
    }

    fn version(&self) -> String {
        format!("{}, lossless, gray as RGB", library("image-webp"))
    }

    fn takes(&self, form: &Form) -> bool {
        shape(form, (), ()).is_some_and(|(width, height, ())| width.max(height) <= Self::LONGEST)
    }

    fn compress(&self, bytes: &[u8], form: &Form) -> Result<Vec<u8>, CodecFailure> {
        let (gray, rgb) = (image_webp::ColorType::L8, image_webp::ColorType::Rgb8);
        let (width, height, color) = shape(form, gray, rgb).ok_or_else(|| misfit(bytes, form))?;
        // The library would panic.
        if !form.fits(bytes.len()) {
            return Err(misfit(bytes, form));
        }
        let mut out = Vec::new();
        image_webp::WebPEncoder::new(&mut out)
            .encode(bytes, width, height, color)
            .map_err(CodecFailure::of)?;
        Ok(out)
    }

    fn decompress(&self, coded: &[u8], form: &Form) -> Result<Vec<u8>, CodecFailure> {
        let mut decoder =
            image_webp::WebPDecoder::new(Cursor::new(coded)).map_err(CodecFailure::of)?;
        let length = decoder
            .output_buffer_size()
            .ok_or_else(|| CodecFailure("its picture is too large".into()))?;
        let channels = if decoder.has_alpha() { 4 } else { 3 };
        let mut out = vec![0; length];
        decoder.read_image(&mut out).map_err(CodecFailure::of)?;
        match form {
            Form::Gray { .. } => Ok(out.chunks_exact(channels).map(|pixel| pixel[0]).collect()),
            _ => Ok(out
                .chunks_exact(channels)
                .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
                .collect()),
        }
    }
}
