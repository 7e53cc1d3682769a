//! The zip archives that PyTorch writes: where in the file each entry's bytes are.
//!
//! Only what `torch.save` makes is read: entries that are stored as they are, with the sizes of
//! zip64. Crates for zip take memory for as many entries as an archive claims to have; here the
//! directory is held against the file first.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};

use lmz::lm::file::whole;

/// The most entries, and bytes of their directory: some times what the largest checkpoints have.
const ENTRIES: u64 = 1 << 16;
const DIRECTORY: u64 = 8 << 20;
/// Bytes of the record at the end, of what points to that of zip64, and of that.
const END: usize = 22;
const LOCATOR: usize = 20;
const END64: usize = 56;
/// Of an entry in the directory, and before its content, without names and extra fields.
const HEAD: usize = 46;
const LOCAL: usize = 30;

/// Where an entry's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub begin: u64,
    pub bytes: u64,
}

/// The entries of an archive of so many bytes, by name.
pub fn entries(
    file: &mut (impl Read + Seek),
    length: u64,
) -> Result<HashMap<String, Place>, String> {
    let no_archive =
        || "expected a zip archive, as torch.save writes it, found other bytes".to_owned();
    let tail = length.min((END + LOCATOR + usize::from(u16::MAX)) as u64);
    let bytes = at(file, length - tail, tail)?;
    // Its comment reaches exactly to the end of the file.
    let fits = |i: &usize| {
        bytes[*i..].starts_with(b"PK\x05\x06")
            && number(&bytes, i + 20, 2) == (bytes.len() - i - END) as u64
    };
    let end = (0..=bytes.len().checked_sub(END).ok_or_else(no_archive)?).rev().find(fits);
    let end = end.ok_or_else(no_archive)?;
    let mut directory = End {
        count: number(&bytes, end + 10, 2),
        bytes: number(&bytes, end + 12, 4),
        begin: number(&bytes, end + 16, 4),
        before: length - tail + end as u64,
    };
    if let Some(locator) =
        end.checked_sub(LOCATOR).filter(|i| bytes[*i..].starts_with(b"PK\x06\x07"))
    {
        let begin = number(&bytes, locator + 8, 8);
        let record = at(file, begin, END64 as u64)?;
        if !record.starts_with(b"PK\x06\x06") {
            return Err(no_archive());
        }
        let field = |at| number(&record, at, 8);
        directory = End { count: field(32), bytes: field(40), begin: field(48), before: begin };
    }
    directory.read(file)
}

/// What the end of an archive says of its directory.
struct End {
    count: u64,
    bytes: u64,
    begin: u64,
    /// Where the record begins that says it: the directory is before that.
    before: u64,
}

impl End {
    fn read(&self, file: &mut (impl Read + Seek)) -> Result<HashMap<String, Place>, String> {
        let inside = self.begin.checked_add(self.bytes).is_some_and(|end| end <= self.before);
        if self.count > ENTRIES || self.bytes > DIRECTORY || !inside {
            return Err(format!(
                "expected a directory of at most {ENTRIES} entries and {DIRECTORY} bytes within \
                the file, found {} of {} at {}",
                self.count, self.bytes, self.begin
            ));
        }
        let bytes = at(file, self.begin, self.bytes)?;
        let mut rest = &bytes[..];
        let mut out = HashMap::new();
        let mut places = Vec::new();
        for _ in 0..self.count {
            let (name, begin, size);
            ((name, begin, size), rest) = entry(rest)?;
            let local = at(file, begin, LOCAL as u64)?;
            if !local.starts_with(b"PK\x03\x04") {
                return Err(format!("expected the entry {name} at {begin}, found other bytes"));
            }
            let from = begin + LOCAL as u64 + number(&local, 26, 2) + number(&local, 28, 2);
            let end = from.checked_add(size).filter(|end| *end <= self.begin);
            let end = end.ok_or_else(|| {
                format!("expected the entry {name} before the directory, found it behind")
            })?;
            places.push((begin, end));
            if out.insert(name.clone(), Place { begin: from, bytes: size }).is_some() {
                return Err(format!("expected each entry once, found {name} twice"));
            }
        }
        places.sort_unstable();
        match places.windows(2).all(|two| two[0].1 <= two[1].0) {
            true => Ok(out),
            false => Err("expected entries one behind the other, found some that overlap".into()),
        }
    }
}

/// An entry of the directory: its name, where it begins, and its size; and what follows it.
type Found<'a> = ((String, u64, u64), &'a [u8]);

fn entry(bytes: &[u8]) -> Result<Found<'_>, String> {
    let cut = || "expected an entry in the directory, found other bytes".to_owned();
    if bytes.len() < HEAD || !bytes.starts_with(b"PK\x01\x02") {
        return Err(cut());
    }
    let [name, extra, comment] = [28, 30, 32].map(|at| number(bytes, at, 2) as usize);
    let (name, rest) = bytes[HEAD..].split_at_checked(name).ok_or_else(cut)?;
    let (extra, rest) = rest.split_at_checked(extra).ok_or_else(cut)?;
    let rest = rest.get(comment..).ok_or_else(cut)?;
    let name =
        std::str::from_utf8(name).map_err(|_| "expected names in UTF-8, found others")?.to_owned();
    let (flags, method) = (number(bytes, 8, 2), number(bytes, 10, 2));
    let (mut packed, mut size, mut begin) =
        (number(bytes, 20, 4), number(bytes, 24, 4), number(bytes, 42, 4));
    // What does not fit is in a field of its own, in this order.
    let mut long = zip64(extra).chunks_exact(8).map(|bytes| number(bytes, 0, 8));
    for field in [&mut size, &mut packed, &mut begin] {
        if *field == u64::from(u32::MAX) {
            *field = long
                .next()
                .ok_or_else(|| format!("expected the size and place of {name}, found none"))?;
        }
    }
    if method != 0 || flags & 1 != 0 || packed != size {
        return Err(format!(
            "expected entries as torch.save stores them, found {name} compressed or encrypted"
        ));
    }
    Ok(((name, begin, size), rest))
}

/// The extra field with the long sizes; empty if there is none.
fn zip64(mut extra: &[u8]) -> &[u8] {
    while extra.len() >= 4 {
        let Some((field, rest)) = extra[4..].split_at_checked(number(extra, 2, 2) as usize) else {
            break;
        };
        if number(extra, 0, 2) == 1 {
            return field;
        }
        extra = rest;
    }
    &[]
}

/// A part of the file, which has to be there.
fn at(file: &mut (impl Read + Seek), begin: u64, bytes: u64) -> Result<Vec<u8>, String> {
    let sought = file.seek(SeekFrom::Start(begin));
    sought.and_then(|_| whole(file, bytes)).map_err(|e| format!("{bytes} bytes at {begin}: {e}"))
}

/// A number of up to eight bytes, the least first; `at` is within the bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte))
}
