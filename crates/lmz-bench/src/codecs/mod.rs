//! The codecs that are compared, by name.
//!
//! Every one is a library called in this process, with the settings of the command that people know
//! it by, and gives whole files of its format, with head and checks. What a setting is, each
//! codec's [`version`](Codec::version) says.

mod classic;
pub mod lmz;
mod picture;
mod sound;
mod window;

use super::codec::{Codec, CodecFailure};
use ::lmz::lm::rwkv7::{Model, ModelError};

/// The libraries behind the codecs and their versions: what `Cargo.toml` asks for, exactly. A test
/// holds them against `Cargo.lock`.
pub const LIBRARIES: [(&str, &str); 13] = [
    ("brotli", "9.1.1"),
    ("bzip2", "0.6.1"),
    ("claxon", "0.4.3"),
    ("flacenc", "0.5.1"),
    ("flate2", "1.1.11"),
    ("image-webp", "0.2.4"),
    ("liblzma", "0.4.9"),
    ("libz-sys", "1.1.31"),
    ("lz4_flex", "0.14.2"),
    ("png", "0.18.1"),
    ("ppmd-rust", "1.5.2"),
    ("weezl", "0.2.1"),
    ("zstd", "0.14.4"),
];

/// A library's name and version.
fn library(name: &str) -> String {
    let found = LIBRARIES.iter().find(|(library, _)| *library == name);
    found.map_or_else(|| name.to_owned(), |(_, version)| format!("{name} {version}"))
}

/// Why there is no codec for a name.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error("no codec {name}: expected one of {}, or lmz:PATH for a \
        model", names().join(", "))]
    Unknown { name: String },
    #[error("{0}")]
    Model(#[from] ModelError),
    /// A model that is there and cannot be loaded.
    #[error("{0}")]
    Load(String),
}

/// The names of all codecs but those of model folders, in the order in which tables begin.
pub fn names() -> Vec<String> {
    let fixed = BYTES.iter().chain(SPECIALISTS).map(|name| (*name).to_owned());
    let unmixed = Model::builtin_names().map(|name| format!("{}{name}", lmz::UNMIXED));
    ["lmz-none", "lmz-ppm"]
        .map(str::to_owned)
        .into_iter()
        .chain(built_in())
        .chain(unmixed)
        .chain(fixed)
        .collect()
}

/// The names that are compared when no others are asked for: lmz and the codecs for bytes, or with
/// `specialists` all.
pub fn default_names(specialists: bool) -> Vec<String> {
    let others: &[&str] = if specialists { SPECIALISTS } else { &[] };
    let lmz = ["lmz-none", "lmz-ppm"].map(str::to_owned).into_iter().chain(built_in());
    lmz.chain(BYTES.iter().chain(others).map(|name| (*name).to_owned())).collect()
}

/// The codec of a name. `threads`: for those that can use more than one; what they make does not
/// depend on it.
///
/// Names are those of [`names`], `lmz:PATH` for the model folder or file at a path (with the
/// feature `hub` of lmz-cli all that the command takes), and `lmz-unmixed:PATH` for its model
/// without context mixing. Models are loaded here, so that no measurement counts that.
pub fn find(name: &str, threads: usize) -> Result<Box<dyn Codec>, FindError> {
    let codec: Option<Box<dyn Codec>> = match name.split_once(['-', ':']) {
        Some(("lmz", _)) => lmz::Lmz::find(name, threads)?.map(|codec| Box::new(codec) as _),
        _ => classic::find(name)
            .or_else(|| window::find(name))
            .or_else(|| picture::find(name))
            .or_else(|| sound::find(name)),
    };
    codec.ok_or_else(|| FindError::Unknown { name: name.to_owned() })
}

/// The codec that lmz is with a model: `none`, `ppm`, a built-in one, or else the path of a folder.
pub fn of_model(model: &str) -> String {
    let known = ["none", "ppm"].into_iter().chain(Model::builtin_names()).any(|name| name == model);
    format!("lmz{}{model}", if known { '-' } else { ':' })
}

fn built_in() -> impl Iterator<Item = String> {
    Model::builtin_names().map(|name| format!("lmz-{name}"))
}

/// Codecs for bytes that others made.
const BYTES: &[&str] = &[
    "gzip-9",
    "bzip2-9",
    "xz-9e",
    "zstd-3",
    "zstd-19",
    "zstd-22",
    "brotli-5",
    "brotli-11",
    "lz4",
    "lzw",
    "ppmd",
];

/// Codecs for pictures and sound, and as such for bytes.
const SPECIALISTS: &[&str] = &["png", "png-bytes", "webp", "flac", "flac-bytes"];

/// Reads a decoder's output to its end.
fn read_all(mut reader: impl std::io::Read) -> Result<Vec<u8>, CodecFailure> {
    let mut out = Vec::new();
    reader.read_to_end(&mut out).map_err(CodecFailure::of)?;
    Ok(out)
}

/// Says that the length of data does not fit its form.
fn misfit(bytes: &[u8], form: &super::Form) -> CodecFailure {
    CodecFailure(format!("{} bytes cannot be {form:?}", bytes.len()))
}

/// What an .xz file holds, every stream of it.
pub fn unpack_xz(coded: &[u8]) -> Result<Vec<u8>, CodecFailure> {
    read_all(liblzma::bufread::XzDecoder::new_multi_decoder(coded))
}
