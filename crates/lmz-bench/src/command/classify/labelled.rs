//! Texts with their classes: folders of folders, or lines of a file.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use lmz_bench::data::file;
use lmz_bench::similarity::classify::Labelled;

/// The texts of a folder that has one for each class, or of a file of lines.
pub fn read(path: &Path) -> Result<Vec<Labelled>> {
    let shown = path.display();
    let texts = if path.is_dir() { folders(path)? } else { lines(path)? };
    ensure!(!texts.is_empty(), "{shown}: expected texts with classes, found none");
    Ok(texts)
}

fn folders(path: &Path) -> Result<Vec<Labelled>> {
    let mut texts = Vec::new();
    for file in file::find(&[path.to_owned()], false)? {
        let inside = file.path.strip_prefix(path).unwrap_or(&file.path);
        let mut parts = inside.components();
        let class = parts.next().filter(|_| parts.next().is_some()).with_context(|| {
            format!(
                "{}: expected it in a folder that is called as its class, found it in none",
                file.path.display()
            )
        })?;
        let class = class.as_os_str().to_string_lossy().into_owned();
        texts.push(Labelled { name: file.name.clone(), class, text: file.read()? });
    }
    Ok(texts)
}

fn lines(path: &Path) -> Result<Vec<Labelled>> {
    let shown = path.display();
    let bytes = fs::read(path).with_context(|| format!("{shown}: cannot be read"))?;
    let mut texts = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let tab = line.iter().position(|b| *b == b'\t').with_context(|| {
            format!("{shown}: line {number}: expected a class, a tab and a text, found no tab")
        })?;
        let class = String::from_utf8_lossy(&line[..tab]).into_owned();
        let text = line[tab + 1..].to_vec();
        texts.push(Labelled { name: format!("{shown}:{number}"), class, text });
    }
    Ok(texts)
}
