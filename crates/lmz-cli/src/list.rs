//! `lmz -l`: what archives hold.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use anyhow::{Context, Result};
use lmz::format::{FrameKind, Method, ModelRef, Registered, hex};
use lmz::{Archive, Frame};

use super::args::Task;
use super::file::ensure_seekable;
use super::pump::{shown, warn_of_trailing};
use super::say::print_line;

pub const HEADING: &str = "frames  skips  blocks    compressed  uncompressed   ratio  name";

/// Lists an archive. Whether something was warned of.
pub fn run(task: &Task, path: &Path) -> Result<bool> {
    ensure_seekable(path)?;
    let file = File::open(path).context("cannot be opened")?;
    let mut archive = Archive::open(std::io::BufReader::new(file), task.decoding.clone())?;
    let skips =
        archive.frames().iter().filter(|f| matches!(f.kind, FrameKind::Skippable(_))).count();
    let blocks: usize = archive.frames().iter().map(|f| f.blocks.len()).sum();
    let bytes: u64 = archive.frames().iter().map(|f| f.compressed_len).sum();
    let raw = archive.uncompressed_len();
    print_line(format_args!(
        "{:>6}  {skips:>5}  {blocks:>6}  {bytes:>12}  {raw:>12}  {:>6}  {}",
        archive.frames().len() - skips,
        ratio(bytes, raw),
        path.display()
    ))?;
    if task.verbose > 0 {
        for frame in archive.frames().to_vec() {
            print_line(describe(&mut archive, &frame)?)?;
        }
    }
    let trailing = archive.trailing_data();
    if let Some(at) = trailing {
        warn_of_trailing(&shown(path), &lmz::Error::TrailingData { at }.to_string());
    }
    Ok(trailing.is_some())
}

/// One line of a frame: where, how much, by which methods, and what decoding it takes.
fn describe(archive: &mut Archive<impl Read + Seek>, frame: &Frame) -> Result<String> {
    let kind = match frame.kind {
        FrameKind::Full => "frame",
        FrameKind::Short => "short frame",
        FrameKind::Skippable(_) => "skippable frame",
    };
    let Frame { offset, compressed_len, .. } = frame;
    let raw = frame.uncompressed_len();
    let mut out = format!("  {kind} at {offset}: {compressed_len} -> {raw} bytes");
    let methods = frame
        .blocks
        .iter()
        .map(|block| archive.method(frame, block))
        .collect::<Result<Vec<_>, _>>()?;
    for method in Method::ALL {
        let count = methods.iter().filter(|m| **m == method).count();
        if count > 0 {
            out += &format!(", {count} {}", method.name());
        }
    }
    for (number, model) in frame.models.iter().enumerate() {
        let pull = frame
            .origins
            .get(&number)
            .map(|origin| format!(", to be had by lmz model pull {origin}"));
        let pull = pull.unwrap_or_default();
        out += &match model {
            ModelRef::Ppm { order, memory } => {
                format!(", ppm of order {order} in 2^{memory} bytes")
            }
            ModelRef::Rwkv7 { identity } => {
                let name = Registered::by_identity(identity).map_or("without a number", |r| r.name);
                // A short frame has no more digits of it.
                format!(", model {name} {}{pull}", hex(&identity[..identity.len().min(8)]))
            }
            ModelRef::Transformer { identity, context } => {
                let context = match context {
                    0 => String::new(),
                    tokens => format!(" with {tokens} tokens of context"),
                };
                let name = hex(&identity[..identity.len().min(8)]);
                format!(", transformer {name}{context}{pull}")
            }
            ModelRef::DeviceBound(model) => format!(
                ", device-bound model {} ({}; {} rows, context {} of which {} are kept){pull}",
                hex(&model.identity[..8]),
                model.numerics,
                model.batch,
                model.limit,
                model.keep
            ),
        };
    }
    if let Some(hash) = &frame.dictionary {
        out += &format!(", dictionary {}", hex(hash));
    }
    Ok(out)
}

/// Compressed against raw bytes, in percent.
pub fn ratio(bytes: u64, raw: u64) -> String {
    if raw == 0 { "-".to_owned() } else { format!("{:.2}%", 100.0 * bytes as f64 / raw as f64) }
}
