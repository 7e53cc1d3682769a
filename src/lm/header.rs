//! Headers of safetensors files, read without the tensors: what is in a file, before memory is
//! taken for it. A header that does not fit its file is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use safetensors::Dtype;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::file::whole;

/// The longest header, in bytes, the most tensors in it and the most dimensions of one: some times
/// what the largest files have.
const LONGEST: u64 = 32 << 20;
const TENSORS: usize = 1 << 17;
const DIMENSIONS: usize = 8;
/// Bytes of a tensor's name, at most.
const NAME: usize = 512;

/// Where a tensor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Where in the file.
    pub begin: u64,
    pub bytes: u64,
    pub elements: u64,
}

/// Reads the header of a file of `length` bytes: a length of 8 bytes, then names and places as
/// JSON. The tensors lie one behind the other and fill the rest of the file.
pub fn read(file: &mut impl Read, length: u64) -> Result<BTreeMap<String, Place>, String> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes)
        .map_err(|e| format!("expected a header's length, found {length} bytes: {e}"))?;
    let header = u64::from_le_bytes(bytes);
    let begin = header.checked_add(8).filter(|begin| header <= LONGEST && *begin <= length);
    let begin = begin.ok_or_else(|| {
        format!(
            "expected a header of at most {LONGEST} bytes within the file of {length} bytes, \
            found one of {header}"
        )
    })?;
    let json = whole(file, header).map_err(|e| format!("its header: {e}"))?;
    let Header(stated) = serde_json::from_slice(&json).map_err(|e| format!("its header: {e}"))?;
    let mut out = BTreeMap::new();
    let mut parts = Vec::with_capacity(stated.len());
    for (name, Stated { dtype, shape: Shape(shape), data_offsets: (from, to) }) in stated {
        let elements = shape.iter().try_fold(1u64, |all, n| all.checked_mul(*n as u64));
        let bits = elements
            .and_then(|n| n.checked_mul(dtype.bitsize() as u64))
            .filter(|n| n.is_multiple_of(8));
        let (Some(elements), Some(bytes)) =
            (elements, bits.filter(|n| to.checked_sub(from) == Some(*n / 8)))
        else {
            return Err(format!(
                "expected {name} to have the bytes of {dtype:?} {shape:?}, found {from} to {to}"
            ));
        };
        parts.push((from, to));
        let place =
            Place { dtype, shape, begin: begin.saturating_add(from), bytes: bytes / 8, elements };
        out.insert(name, place);
    }
    parts.sort_unstable();
    let end = parts.into_iter().try_fold(0, |end, (from, to)| (from == end).then_some(to));
    match end == Some(length - begin) {
        true => Ok(out),
        false => Err(format!(
            "expected tensors that fill the {} bytes behind the header, found others",
            length - begin
        )),
    }
}

/// An entry of a header.
#[derive(Deserialize)]
struct Stated {
    dtype: Dtype,
    shape: Shape,
    data_offsets: (u64, u64),
}

/// The entries of a header by name, each once.
struct Header(BTreeMap<String, Stated>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("tensors by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut out = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    if name.len() > NAME || out.len() == TENSORS {
                        let what =
                            format!("expected at most {TENSORS} names of {NAME} bytes, found more");
                        return Err(A::Error::custom(what));
                    }
                    let stated = map
                        .next_value::<Stated>()
                        .map_err(|e| A::Error::custom(format!("{name}: {e}")))?;
                    if out.insert(name.clone(), stated).is_some() {
                        return Err(A::Error::custom(format!(
                            "expected each name once, found {name} twice"
                        )));
                    }
                }
                Ok(Header(out))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// A few dimensions.
struct Shape(Vec<usize>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Dimensions;
        impl<'de> Visitor<'de> for Dimensions {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                write!(f, "at most {DIMENSIONS} dimensions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
                let mut out = Vec::new();
                while let Some(n) = seq.next_element()? {
                    if out.len() == DIMENSIONS {
                        return Err(de::Error::invalid_length(DIMENSIONS + 1, &self));
                    }
                    out.push(n);
                }
                Ok(Shape(out))
            }
        }
        deserializer.deserialize_seq(Dimensions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(json: &str, data: usize) -> Vec<u8> {
        [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &vec![0; data]].concat()
    }

    fn found(bytes: &[u8]) -> Result<BTreeMap<String, Place>, String> {
        read(&mut &bytes[..], bytes.len() as u64)
    }

    const GOOD: &str = r#"{"__metadata__": {"a": "b"}, "x": {"dtype": "F32", "shape": [2, 3], "data_offsets": [4, 28]},
        "y": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}, "z": {"dtype": "I8", "shape": [0], "data_offsets": [4, 4]}}"#;

    #[test]
    fn what_is_in_a_file() {
        let places = found(&file(GOOD, 28)).unwrap();
        assert_eq!(places.keys().collect::<Vec<_>>(), ["x", "y", "z"]);
        let begin = 8 + GOOD.len() as u64 + 4;
        assert_eq!(
            places["x"],
            Place { dtype: Dtype::F32, shape: vec![2, 3], begin, bytes: 24, elements: 6 }
        );
        assert_eq!((places["y"].bytes, places["z"].elements), (4, 0));
        assert!(found(&file("{}", 0)).unwrap().is_empty());
    }

    #[test]
    fn a_header_that_lies_is_refused() {
        let good = file(GOOD, 28);
        for end in 0..good.len() {
            assert!(found(&good[..end]).is_err(), "{end}");
        }
        assert!(found(&[&good[..], &[0]].concat()).is_err());
        for length in [u64::MAX, 1 << 40, LONGEST + 1, good.len() as u64 - 7] {
            let mut bytes = good.clone();
            bytes[..8].copy_from_slice(&length.to_le_bytes());
            assert!(found(&bytes).unwrap_err().contains("within the file"), "{length}");
        }
        for (from, to) in [
            ("[2, 3]", "[2, 4]"),
            ("[2, 3]", "[4611686018427387904, 4]"),
            ("[2, 3]", "[-2, -3]"),
            ("[2, 3]", "[1, 1, 1, 1, 1, 1, 1, 2, 3]"),
            ("[2, 3]", "6"),
            ("F32", "F33"),
            ("[4, 28]", "[28, 4]"),
            ("[4, 28]", "[0, 24]"),
            ("[4, 28]", "[18446744073709551615, 28]"),
            ("[0, 4]", "[1, 5]"),
            ("\"y\"", "\"x\""),
            ("\"shape\": [2], ", ""),
        ] {
            assert!(GOOD.contains(from), "{from}");
            assert!(found(&file(&GOOD.replace(from, to), 28)).is_err(), "{from} {to}");
        }
    }
}
