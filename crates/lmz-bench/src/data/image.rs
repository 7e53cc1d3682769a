//! Pictures: gray patches as in the paper, and pictures as they are.

use std::io::Cursor;

use super::{DataError, DataFile, DataSet, PIECE, Sample, pnm, shares};
use crate::sample::Form;

/// Width and height of a patch, in pixels: [`PIECE`] bytes. The paper's 32 x 64 counts rows first.
pub const PATCH: (u32, u32) = (64, 32);

/// A picture of 8 bits a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    /// Whether it has red, green and blue; else it is gray.
    pub rgb: bool,
    /// Row by row; of colours red, green and blue of each pixel.
    pub bytes: Vec<u8>,
}

impl Picture {
    /// Reads PNG, binary PGM or PPM. Palettes become colours and fewer bits a value become 8, both
    /// without loss; an alpha channel that is opaque everywhere is left out. Refused, since 8 bits
    /// without alpha cannot hold them: 16 bits a value, and pixels that are not opaque. The error
    /// says so.
    pub fn read(file: &[u8]) -> Result<Self, String> {
        let picture =
            if file.starts_with(b"\x89PNG") { Self::png(file)? } else { pnm::read(file)? };
        if picture.form().fits(picture.bytes.len()) && !picture.bytes.is_empty() {
            Ok(picture)
        } else {
            Err(format!(
                "expected pixels, found a picture of {} x {}",
                picture.width, picture.height
            ))
        }
    }

    fn png(file: &[u8]) -> Result<Self, String> {
        let wrong = |error: png::DecodingError| {
            format!("expected a whole PNG, found a damaged one: {error}")
        };
        let mut decoder = png::Decoder::new(Cursor::new(file));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().map_err(wrong)?;
        if reader.info().bit_depth == png::BitDepth::Sixteen {
            return Err(
                "expected 8 bits a value, found a PNG of 16; convert the picture".to_owned()
            );
        }
        let length = reader
            .output_buffer_size()
            .ok_or("expected a picture that fits into memory, found a larger one")?;
        let mut bytes = vec![0; length];
        let frame = reader.next_frame(&mut bytes).map_err(wrong)?;
        bytes.truncate(frame.buffer_size());
        let (rgb, alpha) = match frame.color_type {
            png::ColorType::Grayscale => (false, false),
            png::ColorType::GrayscaleAlpha => (false, true),
            png::ColorType::Rgb => (true, false),
            png::ColorType::Rgba => (true, true),
            png::ColorType::Indexed => {
                return Err("expected colours, found a palette without them".to_owned());
            }
        };
        if alpha {
            let values = if rgb { 4 } else { 2 };
            if bytes.chunks_exact(values).any(|pixel| pixel[values - 1] != 255) {
                return Err(
                    "expected opaque pixels, found transparent ones; remove the alpha channel"
                        .to_owned(),
                );
            }
            bytes = bytes
                .chunks_exact(values)
                .flat_map(|pixel| &pixel[..values - 1])
                .copied()
                .collect();
        }
        Ok(Self { width: frame.width, height: frame.height, rgb, bytes })
    }

    pub fn form(&self) -> Form {
        let (width, height) = (self.width, self.height);
        if self.rgb { Form::Rgb { width, height } } else { Form::Gray { width, height } }
    }

    /// In gray: the mean of red, green and blue, rounded down, as in the paper's code.
    pub fn gray(&self) -> Self {
        let mean = |pixel: &[u8]| {
            (pixel.iter().map(|v| u32::from(*v)).sum::<u32>() / pixel.len() as u32) as u8
        };
        let bytes = self.bytes.chunks_exact(self.values()).map(mean).collect();
        Self { rgb: false, bytes, ..*self }
    }

    /// Its patches ([`PATCH`]) side by side, the upper ones first. What fills none at the right and
    /// below is left out.
    pub fn patches(&self) -> Vec<Self> {
        let (width, height) = PATCH;
        let corners = (0..self.height / height)
            .flat_map(|row| (0..self.width / width).map(move |column| (column, row)));
        corners
            .map(|(column, row)| self.part(column * width, row * height, width, height))
            .collect()
    }

    /// The middle of it, at most `bytes` large: of the same proportions, as far as whole pixels go.
    pub fn middle(&self, bytes: u64) -> Self {
        let scale = (bytes as f64 / self.bytes.len() as f64).min(1.0).sqrt();
        let [width, height] =
            [self.width, self.height].map(|side| ((f64::from(side) * scale) as u32).clamp(1, side));
        self.part((self.width - width) / 2, (self.height - height) / 2, width, height)
    }

    /// A part that lies within the picture.
    fn part(&self, left: u32, top: u32, width: u32, height: u32) -> Self {
        let [left, top, width_, height_] = [left, top, width, height].map(|n| n as usize);
        let values = self.values();
        let row = |y: usize| {
            let begin = (y * self.width as usize + left) * values;
            &self.bytes[begin..begin + width_ * values]
        };
        let bytes = (top..top + height_).flat_map(row).copied().collect();
        Self { width, height, rgb: self.rgb, bytes }
    }

    /// Bytes of a pixel.
    fn values(&self) -> usize {
        if self.rgb { 3 } else { 1 }
    }
}

/// Gray patches. Where there are more than the limit holds, those are taken that lie evenly among
/// them, the same number from each picture as far as it has them.
pub fn image(files: &[DataFile], limit: u64) -> Result<DataSet, DataError> {
    let mut patches: Vec<(String, Vec<Picture>)> = Vec::new();
    for (name, picture) in read(files)? {
        patches.push((name, picture.gray().patches()));
    }
    let counts: Vec<u64> = patches.iter().map(|(_, patches)| patches.len() as u64).collect();
    let mut pieces = Vec::new();
    for ((name, patches), share) in patches.iter().zip(shares(&counts, limit / PIECE as u64)) {
        for i in 0..share as usize {
            let number = i * patches.len() / share as usize;
            let patch = &patches[number];
            pieces.push(Sample {
                name: format!("{name}[{number}]"),
                form: patch.form(),
                bytes: patch.bytes.clone(),
            });
        }
    }
    if pieces.is_empty() {
        return Err(DataError::Nothing {
            set: "image".to_owned(),
            expected: "pictures of 64 x 32 pixels or more",
        });
    }
    let about = "Gray (mean of red, green and blue, rounded down) patches, 64 pixels wide and 32 \
        high, row by row, evenly from all over the pictures.";
    let files = patches.into_iter().map(|(name, _)| name).collect();
    Ok(DataSet { name: "image".to_owned(), about: about.to_owned(), files, pieces })
}

/// Pictures in their own colours: whole if they are within the limit together, else the middle of
/// each.
pub fn picture(files: &[DataFile], limit: u64) -> Result<DataSet, DataError> {
    let pictures = read(files)?;
    let lengths: Vec<u64> =
        pictures.iter().map(|(_, picture)| picture.bytes.len() as u64).collect();
    let shares = shares(&lengths, limit);
    let pieces = pictures.iter().zip(shares).filter(|(_, share)| *share > 0).map(
        |((name, picture), share)| {
            let part = picture.middle(share);
            Sample { name: name.clone(), form: part.form(), bytes: part.bytes }
        },
    );
    let pieces: Vec<Sample> = pieces.collect();
    if pieces.is_empty() {
        return Err(DataError::Nothing { set: "picture".to_owned(), expected: "pictures" });
    }
    let about = "The middle of each picture in its own colours (the whole of it where the limit \
        allows), each coded alone.";
    let files = pictures.into_iter().map(|(name, _)| name).collect();
    Ok(DataSet { name: "picture".to_owned(), about: about.to_owned(), files, pieces })
}

/// The pictures among files, by the ends of their names.
fn read(files: &[DataFile]) -> Result<Vec<(String, Picture)>, DataError> {
    let pictures =
        files.iter().filter(|file| ["png", "ppm", "pgm"].contains(&file.extension().as_str()));
    let read = |file: &DataFile| {
        let wrong = |why| DataError::Picture { path: file.path.clone(), why };
        Ok((file.name.clone(), Picture::read(&file.read()?).map_err(wrong)?))
    };
    pictures.map(read).collect()
}
