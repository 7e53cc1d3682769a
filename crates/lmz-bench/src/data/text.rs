//! Text, and any other bytes.

use super::{DataError, DataFile, DataSet, Form, shares};

/// The first bytes of each file: the same share of the limit each, and more where others are
/// shorter. A file that begins another (enwik4 and enwik5) is left
/// out.
pub fn text(name: &str, files: &[DataFile], limit: u64) -> Result<DataSet, DataError> {
    let mut contents = Vec::new();
    for file in files {
        contents.push((file.name.clone(), file.read()?));
    }
    let begins = |i: usize, j: usize| {
        let (a, b): (&[u8], &[u8]) = (&contents[i].1, &contents[j].1);
        i != j && b.starts_with(a) && (a.len() < b.len() || i > j)
    };
    let kept: Vec<usize> =
        (0..contents.len()).filter(|i| !(0..contents.len()).any(|j| begins(*i, j))).collect();
    let lengths: Vec<u64> = kept.iter().map(|i| contents[*i].1.len() as u64).collect();
    let mut bytes = Vec::new();
    let mut names = Vec::new();
    for (i, share) in kept.into_iter().zip(shares(&lengths, limit)) {
        let (name, content) = &contents[i];
        if share > 0 {
            bytes.extend_from_slice(&content[..share as usize]);
            names.push(name.clone());
        }
    }
    if bytes.is_empty() {
        return Err(DataError::Nothing {
            set: name.to_owned(),
            expected: "files with bytes in them",
        });
    }
    let about = match &names[..] {
        [one] => format!("The first bytes of {one}."),
        _ => format!("The beginnings of {} files, one after the other.", names.len()),
    };
    Ok(DataSet::cut(name, about, names, Form::Bytes, &bytes))
}
