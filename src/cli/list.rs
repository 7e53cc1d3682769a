//! `lmz -l`: what archives hold.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail};
use lmz::Limits;
use lmz::format::Start;
use lmz::scan::Archive;

use super::args::STDIN;

pub const HEADING: &str = "frames  skips  blocks    compressed  uncompressed   ratio  name";

pub fn run(path: &Path) -> Result<()> {
    if path == Path::new(STDIN) {
        bail!("a pipe cannot be listed; give a file");
    }
    let file = File::open(path).context("cannot be opened")?;
    let archive = Archive::open(std::io::BufReader::new(file), &Limits::default())?;
    let skips = archive.frames().iter().filter(|f| matches!(f.kind, Start::Skippable(_))).count();
    let blocks: usize = archive.frames().iter().map(|f| f.blocks.len()).sum();
    let bytes: u64 = archive.frames().iter().map(|f| f.bytes).sum();
    let raw = archive.raw();
    println!(
        "{:>6}  {skips:>5}  {blocks:>6}  {bytes:>12}  {raw:>12}  {:>6}  {}",
        archive.frames().len() - skips,
        ratio(bytes, raw),
        path.display()
    );
    Ok(())
}

/// Compressed against raw bytes, in percent.
pub fn ratio(bytes: u64, raw: u64) -> String {
    if raw == 0 { "-".to_owned() } else { format!("{:.2}%", 100.0 * bytes as f64 / raw as f64) }
}
