//! A matrix of distances with its names, as a file for other programs.

use std::fmt::Write;

use lmz::similarity::Distances;
use serde::Serialize;

/// How a matrix is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A first line of names, then a line for each text: its name and distances.
    Csv,
    /// As the programs of PHYLIP read it, with names as long as they are ("relaxed").
    Phylip,
    /// An object with `names`, `measure`, `codec` and `distances`, which has a list for each text.
    Json,
    /// NumPy's format, version 1.0: float64, without names.
    Npy,
}

/// Names and distances.
pub struct Matrix<'a> {
    pub names: &'a [String],
    pub distances: &'a Distances,
    /// What measured, for formats that can say it.
    pub measure: &'a str,
    pub codec: &'a str,
}

#[derive(Serialize)]
struct Json<'a> {
    names: &'a [String],
    measure: &'a str,
    codec: &'a str,
    distances: Vec<&'a [f64]>,
}

impl Matrix<'_> {
    /// The file.
    pub fn write(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Csv => self.csv().into_bytes(),
            Format::Phylip => self.phylip().into_bytes(),
            Format::Json => self.json(),
            Format::Npy => self.npy(),
        }
    }

    fn rows(&self) -> impl Iterator<Item = (&str, &[f64])> {
        self.names.iter().enumerate().map(|(x, name)| (&name[..], self.distances.row(x)))
    }

    fn csv(&self) -> String {
        let mut out = String::from("name");
        self.names.iter().for_each(|name| out += &format!(",{}", quoted(name)));
        out.push('\n');
        for (name, row) in self.rows() {
            out += &quoted(name);
            row.iter().for_each(|d| out += &format!(",{d:.6}"));
            out.push('\n');
        }
        out
    }

    fn phylip(&self) -> String {
        let mut out = format!("{}\n", self.names.len());
        for (name, row) in self.rows() {
            // A name ends at white space, and parentheses and the like belong to trees.
            let name: String = name.chars().map(|c| if is_syntax(c) { '_' } else { c }).collect();
            let _ = write!(out, "{name:<10}");
            row.iter().for_each(|d| out += &format!(" {d:.6}"));
            out.push('\n');
        }
        out
    }

    fn json(&self) -> Vec<u8> {
        let distances = self.rows().map(|(_, row)| row).collect();
        let Self { names, measure, codec, .. } = *self;
        // Nothing in it can fail: strings and numbers, which become null where they are none.
        let mut out =
            serde_json::to_vec(&Json { names, measure, codec, distances }).unwrap_or_default();
        out.push(b'\n');
        out
    }

    fn npy(&self) -> Vec<u8> {
        let n = self.names.len();
        let mut out = npy_head("<f8", &format!("({n}, {n})"));
        self.rows().for_each(|(_, row)| row.iter().for_each(|d| out.extend(d.to_le_bytes())));
        out
    }
}

/// The head of a file of NumPy's format: magic, version 1.0, and a dictionary of Python in ASCII,
/// filled up with spaces to a multiple of 64 bytes.
pub fn npy_head(kind: &str, shape: &str) -> Vec<u8> {
    let mut dictionary =
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    let whole = (10 + dictionary.len() + 1).next_multiple_of(64);
    dictionary += &" ".repeat(whole - 10 - dictionary.len() - 1);
    dictionary.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((dictionary.len() as u16).to_le_bytes());
    out.extend(dictionary.bytes());
    out
}

/// A field of a line of commas.
fn quoted(name: &str) -> String {
    match name.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_owned(),
    }
}

/// Whether a letter has a meaning of its own in Newick's format, or ends a name in PHYLIP's.
pub(super) fn is_syntax(c: char) -> bool {
    c.is_whitespace() || "()[]{}:;,'".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_those_of_their_formats() {
        let names = ["a b".to_owned(), "c,\"d".to_owned()];
        let distances = Distances::new(2, vec![0.0, 0.5, 0.5, 0.125]).unwrap();
        let matrix = Matrix { names: &names, distances: &distances, measure: "ncd", codec: "xz" };
        let text = |format| String::from_utf8(matrix.write(format)).unwrap();
        assert_eq!(
            text(Format::Csv),
            "name,a b,\"c,\"\"d\"\na b,0.000000,0.500000\n\"c,\"\"d\",0.500000,0.125000\n"
        );
        assert_eq!(
            text(Format::Phylip),
            "2\na_b        0.000000 0.500000\nc_\"d       0.500000 0.125000\n"
        );
        let json: serde_json::Value = serde_json::from_str(&text(Format::Json)).unwrap();
        assert_eq!(json["names"][1], "c,\"d");
        assert_eq!(json["distances"][1], serde_json::json!([0.5, 0.125]));
        let npy = matrix.write(Format::Npy);
        assert_eq!((npy.len() - 4 * 8) % 64, 0);
        assert!(npy.starts_with(b"\x93NUMPY\x01\x00"));
        let head = usize::from(u16::from_le_bytes([npy[8], npy[9]]));
        assert_eq!(npy.len(), 10 + head + 4 * 8);
        assert!(String::from_utf8_lossy(&npy[10..]).contains("'shape': (2, 2), }"));
        assert_eq!(npy[npy.len() - 8..], 0.125f64.to_le_bytes());
    }
}
