//! Vectors of texts as files for other programs: SVMlight's format, and SciPy's sparse matrices.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Dimension, Vector};
use crate::similarity::matrix::npy_head;

/// The dimensions of vectors, numbered from 0 on in order.
pub fn dimensions(vectors: &[Vector]) -> BTreeMap<&Dimension, usize> {
    let mut all: BTreeMap<&Dimension, usize> =
        vectors.iter().flat_map(Vector::keys).map(|dimension| (dimension, 0)).collect();
    all.values_mut().enumerate().for_each(|(number, place)| *place = number);
    all
}

/// A line for each text: 0 (no class is known), and number:bits of its dimensions, from 1 on; and
/// its name behind a number sign.
pub fn svmlight(names: &[String], vectors: &[Vector]) -> String {
    let numbers = dimensions(vectors);
    let mut out = String::new();
    for (name, vector) in names.iter().zip(vectors) {
        out.push('0');
        for (dimension, bits) in vector {
            let _ = write!(out, " {}:{bits}", numbers[dimension] + 1);
        }
        let name: String = name.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        let _ = writeln!(out, " # {name}");
    }
    out
}

/// A table of the dimensions: number (from 1 on, as in SVMlight's format), context, part. Bytes
/// that are no letters of ASCII are written \xHH; an escape has `ESCAPE` for a part.
pub fn names(vectors: &[Vector]) -> String {
    let mut out = String::from("number\tcontext\tpart\n");
    for (Dimension { context, part }, number) in dimensions(vectors) {
        let part = part.as_deref().map_or_else(|| "ESCAPE".to_owned(), shown);
        let _ = writeln!(out, "{}\t{}\t{part}", number + 1, shown(context));
    }
    out
}

fn shown(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        match byte {
            b'\\' => out += "\\\\",
            b' '..=b'~' => out.push(char::from(*byte)),
            byte => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out
}

/// What `scipy.sparse.load_npz` reads: a matrix in rows (CSR) of float64, a row for each text,
/// whose columns are the dimensions from 0 on. A zip archive whose members are stored.
pub fn npz(vectors: &[Vector]) -> Vec<u8> {
    let numbers = dimensions(vectors);
    let mut ends = vec![0i64];
    let (mut columns, mut data) = (Vec::new(), Vec::new());
    for vector in vectors {
        for (dimension, bits) in vector {
            columns.extend((numbers[dimension] as i64).to_le_bytes());
            data.extend(bits.to_le_bytes());
        }
        ends.push((data.len() / 8) as i64);
    }
    let count = data.len() / 8;
    let array = |kind: &str, shape: &str, bytes: &[u8]| [&npy_head(kind, shape), bytes].concat();
    let longs = |numbers: &[i64]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
    let shape = longs(&[vectors.len() as i64, numbers.len() as i64]);
    zip(&[
        ("indices.npy", array("<i8", &format!("({count},)"), &columns)),
        ("indptr.npy", array("<i8", &format!("({},)", ends.len()), &longs(&ends))),
        ("format.npy", array("|S3", "()", b"csr")),
        ("shape.npy", array("<i8", "(2,)", &shape)),
        ("data.npy", array("<f8", &format!("({count},)"), &data)),
    ])
}

/// A zip archive of members that are not compressed, each below 4 GiB (APPNOTE.TXT, 4.3).
fn zip(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let at = out.len() as u32;
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        // Version 2.0, no flags, stored, 1980-01-01, check, both sizes, length of the name.
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc.sum().to_le_bytes());
        common.extend([(bytes.len() as u32).to_le_bytes(); 2].concat());
        common.extend((name.len() as u16).to_le_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend([0, 0]);
        out.extend(name.bytes());
        out.extend(bytes);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 12]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.bytes());
    }
    let (at, count) = (out.len() as u32, members.len() as u16);
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count.to_le_bytes(); 2].concat());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0, 0]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::similarity::features::Space;

    #[test]
    fn files_are_those_of_their_formats() {
        let vectors = [Space::Lzw.vector(b"aa"), Space::Lzw.vector(b"b\n")];
        let both = ["x".to_owned(), "y".to_owned()];
        assert_eq!(svmlight(&both, &vectors), "0 2:17 # x\n0 1:9 3:8 # y\n");
        assert_eq!(names(&vectors), "number\tcontext\tpart\n1\t\t\\x0a\n2\t\ta\n3\t\tb\n");
        let npz = npz(&vectors);
        assert!(npz.starts_with(b"PK\x03\x04") && npz[npz.len() - 22..].starts_with(b"PK\x05\x06"));
    }

    /// Python's own reader finds the members whole.
    #[test]
    fn python_reads_the_archive() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("a.npz");
        std::fs::write(&path, npz(&[Space::Lzw.vector(b"abab"), Space::Lzw.vector(b"")])).unwrap();
        let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\n\
            assert z.testzip() is None\nprint(sorted(z.namelist()), z.read('shape.npy')[-16:])";
        let run = std::process::Command::new("python3").args(["-c", script]).arg(&path).output();
        let Ok(output) = run else {
            eprintln!("no python3 here: left out");
            return;
        };
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(told.contains("data.npy") && told.contains(r"b'\x02\x00"), "{told}");
    }
}
