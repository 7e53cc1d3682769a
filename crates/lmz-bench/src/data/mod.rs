//! Data sets of the experiments, made from files: pieces of 2,048 bytes ([`PIECE`]), as in
//! "Language Modeling Is Compression".
//!
//! | set | made by | a piece |
//! |---|---|---|
//! | text | [`text()`] | consecutive bytes |
//! | image | [`image()`] | a gray patch, 64 pixels wide and 32 high, row by row |
//! | audio | [`audio()`] | consecutive samples of 8 bits |
//! | random | [`random()`] | bytes of a fixed stream |
//! | picture | [`picture()`] | no pieces: the middle of each picture, in its colours |
//! | sound | [`sound()`] | no pieces: an excerpt of each file, 16 bits a sample |
//!
//! A set of pieces holds whole ones only: what is left of a file that fills none is left out, so
//! that the set coded whole is the same bytes as its pieces. (A set that is smaller than a piece is
//! one short piece.) [`seven`] is the paper's way to code such data with a model of ASCII text,
//! which is not lossless.

mod audio;
pub mod file;
mod image;
mod pnm;
pub mod seven;
mod text;
mod wav;

use std::io;
use std::path::PathBuf;

use super::codec::CodecFailure;
use super::sample::{Form, Sample};
pub use audio::{RATE, Sound, audio, sound};
pub use file::DataFile;
pub use image::{PATCH, Picture, image, picture};
pub use text::text;

/// Bytes of a piece.
pub const PIECE: usize = 2_048;

/// Why there is no data.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("{}: cannot be read: {why}", path.display())]
    Unreadable { path: PathBuf, why: io::Error },
    #[error("expected files to compress, found only empty folders")]
    NoFiles,
    #[error("{}: expected a whole .xz file ({why}); it is taken as it is without --unpack-xz \
        (compare), with --keep-xz (experiment)", path.display())]
    Xz { path: PathBuf, why: CodecFailure },
    #[error("{}: {why}", path.display())]
    Picture { path: PathBuf, why: String },
    #[error("{}: {why}", path.display())]
    Sound { path: PathBuf, why: String },
    #[error("the {set} set: expected {expected}, found none; name others, or leave the set out")]
    Nothing { set: String, expected: &'static str },
}

/// Data with a name, in pieces.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSet {
    pub name: String,
    /// How it was made, in a sentence.
    pub about: String,
    /// The files that it is from.
    pub files: Vec<String>,
    /// Each is coded alone, except where the set is coded whole.
    pub pieces: Vec<Sample>,
}

impl DataSet {
    /// Bytes of all pieces.
    pub fn raw(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.bytes.len() as u64).sum()
    }

    /// Leaves so many pieces, evenly spread, where there are more.
    pub fn thin(&mut self, most: usize) {
        let all = self.pieces.len();
        if most >= all {
            return;
        }
        // The middle of each of so many parts.
        let at = |part: usize| (2 * part + 1) * all / (2 * most);
        self.pieces = (0..most).map(|part| self.pieces[at(part)].clone()).collect();
        self.about += &format!(" {most} of {all} pieces, evenly spread.");
    }

    /// All pieces as one sample: sound is sound, patches under each other are a tall picture of
    /// their width.
    pub fn whole(&self) -> Sample {
        let bytes = self.pieces.iter().flat_map(|piece| &piece.bytes).copied().collect();
        let form = match self.pieces.first().map(|piece| piece.form) {
            Some(Form::Gray { width, height }) => {
                Form::Gray { width, height: height * self.pieces.len() as u32 }
            }
            Some(Form::Rgb { .. }) | None => Form::Bytes,
            Some(form) => form,
        };
        Sample { name: self.name.clone(), form, bytes }
    }

    /// The set of some bytes, cut into pieces. A rest that fills no piece is left out, unless it is
    /// all there is.
    fn cut(name: &str, about: String, files: Vec<String>, form: Form, bytes: &[u8]) -> Self {
        let whole = if bytes.len() < PIECE { bytes.len() } else { bytes.len() / PIECE * PIECE };
        let sample = Sample { name: name.to_owned(), form, bytes: bytes[..whole].to_vec() };
        Self { name: name.to_owned(), about, files, pieces: sample.chunks(PIECE) }
    }
}

/// Bytes of the output stream of BLAKE3 for a fixed word: the same on every machine, and no codec
/// makes them smaller.
pub fn random(limit: u64) -> DataSet {
    let mut bytes = vec![0; usize::try_from(limit).unwrap_or(usize::MAX).min(1 << 30)];
    blake3::Hasher::new().update(b"lmz experiment: random").finalize_xof().fill(&mut bytes);
    let about = "The output stream of BLAKE3 for the input \"lmz experiment: random\".".to_owned();
    DataSet::cut("random", about, Vec::new(), Form::Bytes, &bytes)
}

/// How much each of several takes of a limit: the same, but what a small one leaves is for the
/// others.
fn shares(lengths: &[u64], limit: u64) -> Vec<u64> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|i| lengths[*i]);
    let (mut left, mut out) = (limit, vec![0; lengths.len()]);
    for (done, i) in order.iter().enumerate() {
        out[*i] = lengths[*i].min(left / (lengths.len() - done) as u64);
        left -= out[*i];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_are_left_are_spread() {
        let bytes: Vec<u8> = (0..8).flat_map(|piece| [piece; PIECE]).collect();
        let mut set = DataSet::cut("a", String::new(), Vec::new(), Form::Bytes, &bytes);
        set.thin(9);
        assert_eq!(set.pieces.len(), 8);
        set.thin(2);
        assert_eq!(set.pieces.iter().map(|piece| piece.bytes[0]).collect::<Vec<_>>(), [2, 6]);
        assert_eq!(set.about, " 2 of 8 pieces, evenly spread.");
    }

    #[test]
    fn shares_use_the_limit() {
        assert_eq!(shares(&[10, 1000, 100], 300), [10, 190, 100]);
        assert_eq!(shares(&[10, 1000, 100], 2000), [10, 1000, 100]);
        assert_eq!(shares(&[], 5), [0; 0]);
        assert_eq!(shares(&[50, 50], 5), [2, 3]);
    }
}
