//! The head of a GGUF file: what is said of the model, and where its tensors are.
//!
//! The container is that of ggml/docs/gguf.md, versions 2 and 3, with the least byte first. Nothing
//! that it says is believed before it is held against the file: every length against the bytes
//! that are left, every tensor against the file's end and the other tensors.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use lmz::lm::file::whole;

use super::GgufError;
use super::blocks::Kind;

/// The first bytes of a file.
pub const MAGIC: [u8; 4] = *b"GGUF";
/// The longest head, in bytes, and the most values and tensors in it: some times what the largest
/// vocabularies and models have (Gemma 3 has 7 MB with 800,000 values).
const LONGEST: u64 = 128 << 20;
const VALUES: u64 = 1 << 21;
const KEYS: u64 = 1 << 16;
const TENSORS: u64 = 1 << 17;
/// The longest name of a value or a tensor, in bytes, and the most dimensions of a tensor.
const NAME: u64 = 1 << 10;
const DIMENSIONS: u32 = 4;
/// How deep arrays may be in arrays.
const DEPTH: usize = 4;
/// The largest alignment, and the one of files that state none.
const MOST_ALIGNED: u64 = 1 << 16;
const ALIGNED: u64 = 32;

/// What is said of a model under one name.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Unsigned(u64),
    Signed(i64),
    F32(f32),
    F64(f64),
    Bool(bool),
    Text(String),
    Array(Vec<Value>),
    /// Text that is not UTF-8, or an array in an array.
    Other,
}

impl Value {
    /// The value for a message.
    pub fn brief(&self) -> String {
        match self {
            Self::Array(values) => format!("{} values", values.len()),
            Self::Text(text) => brief(text),
            value => format!("{value:?}"),
        }
    }
}

/// Text for a message.
pub fn brief(text: &str) -> String {
    if text.len() <= 64 { format!("{text:?}") } else { format!("text of {} bytes", text.len()) }
}

/// Where a tensor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub kind: Kind,
    /// Outputs first: the file has them the other way round.
    pub shape: Vec<usize>,
    pub elements: usize,
    /// Where in the file.
    pub begin: u64,
    pub bytes: u64,
}

/// The head of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    pub values: HashMap<String, Value>,
    pub tensors: BTreeMap<String, Place>,
}

/// Reads the head of a file of `length` bytes. Of tensors whose names `ignored` takes nothing is
/// kept, whatever their type.
pub fn read(
    file: impl Read,
    length: u64,
    ignored: impl Fn(&HashMap<String, Value>, &str) -> bool,
) -> Result<Header, GgufError> {
    let mut reader = Reader { file, at: 0, length, values: 0 };
    let magic: [u8; 4] = reader.bytes()?;
    if magic != MAGIC {
        return wrong(format!(
            "expected a GGUF file, found the first bytes {:?}",
            magic.escape_ascii().to_string()
        ));
    }
    match u32::from_le_bytes(reader.bytes()?) {
        2 | 3 => {}
        found if matches!(found.swap_bytes(), 1..=3) => {
            return wrong(
                "expected numbers with their least byte first, found a file for big-endian \
                machines; convert the model again without --bigendian",
            );
        }
        found => {
            return wrong(format!(
                "expected version 2 or 3 of GGUF, found {found}; convert the model again, with a \
                llama.cpp of 2024 or later"
            ));
        }
    }
    let (tensors, keys) = (reader.u64()?, reader.u64()?);
    if tensors > TENSORS || keys > KEYS {
        return wrong(format!(
            "expected at most {TENSORS} tensors and {KEYS} values, found {tensors} and {keys}"
        ));
    }
    let mut values = HashMap::new();
    for _ in 0..keys {
        let name = reader.name()?;
        let kind = reader.u32()?;
        let value = reader.value(kind, 0).map_err(|e| e.of(&name))?;
        if values.insert(name.clone(), value).is_some() {
            return wrong(format!("expected each value once, found {name} twice"));
        }
    }
    let mut stated = BTreeMap::new();
    for _ in 0..tensors {
        let name = reader.name()?;
        let tensor = reader.tensor().map_err(|e| e.of(&name))?;
        if stated.insert(name.clone(), tensor).is_some() {
            return wrong(format!("expected each tensor once, found {name} twice"));
        }
    }
    let aligned = match values.get("general.alignment") {
        None => ALIGNED,
        Some(Value::Unsigned(n)) if n.is_power_of_two() && *n <= MOST_ALIGNED => *n,
        Some(found) => {
            return wrong(format!(
                "expected general.alignment to be a power of two of at most {MOST_ALIGNED}, found \
                {}",
                found.brief()
            ));
        }
    };
    let begin = reader.at.next_multiple_of(aligned);
    let mut out = BTreeMap::new();
    for (name, tensor) in stated {
        if !ignored(&values, &name) {
            let place = tensor.place(&name, begin, aligned, length)?;
            out.insert(name, place);
        }
    }
    let mut places: Vec<(u64, u64, &str)> =
        out.iter().map(|(name, p)| (p.begin, p.begin + p.bytes, &name[..])).collect();
    places.sort_unstable();
    if let Some(two) = places.windows(2).find(|two| two[0].1 > two[1].0) {
        return wrong(format!(
            "expected tensors one behind the other, found {} within {}",
            two[1].2, two[0].2
        ));
    }
    Ok(Header { values, tensors: out })
}

fn wrong<T>(what: impl Into<String>) -> Result<T, GgufError> {
    Err(GgufError::Header(what.into()))
}

impl GgufError {
    /// An error of the head with the name of what it is about.
    fn of(self, name: &str) -> Self {
        match self {
            Self::Header(what) => Self::Header(format!("{name}: {what}")),
            other => other,
        }
    }
}

/// What a file says of a tensor.
struct Stated {
    /// As in the file, the innermost first.
    dimensions: Vec<u64>,
    kind: u32,
    offset: u64,
}

impl Stated {
    fn place(self, name: &str, begin: u64, aligned: u64, length: u64) -> Result<Place, GgufError> {
        let kind = Kind::of(self.kind)
            .map_err(|found| GgufError::Type { name: name.to_owned(), found })?;
        let dimensions = &self.dimensions;
        let product = dimensions.iter().try_fold(1u64, |all, n| all.checked_mul(*n));
        // Bytes of its numbers have a count too.
        let elements = product
            .filter(|n| *n > 0 && n.checked_mul(4).is_some_and(|n| n <= isize::MAX as u64))
            .and_then(|n| usize::try_from(n).ok());
        let (numbers, size) = kind.block();
        let row = dimensions.first().copied().unwrap_or(1);
        let (Some(elements), true) = (elements, row.is_multiple_of(numbers as u64)) else {
            return wrong(format!(
                "{name}: expected dimensions above 0, whose first is a multiple of {numbers} for \
                {}, found {dimensions:?}",
                kind.name()
            ));
        };
        let bytes = (elements / numbers) as u64 * size as u64;
        let place = begin
            .checked_add(self.offset)
            .filter(|_| self.offset.is_multiple_of(aligned))
            .and_then(|begin| Some((begin, begin.checked_add(bytes)?)));
        let Some((begin, end)) = place else {
            return wrong(format!(
                "{name}: expected it at a multiple of {aligned} within the file, found {}",
                self.offset
            ));
        };
        if end > length {
            return wrong(format!(
                "{name}: expected a file of at least {end} bytes, found {length}; download it again"
            ));
        }
        // Each is a divisor of the count.
        let shape = dimensions.iter().rev().map(|n| *n as usize).collect();
        Ok(Place { kind, shape, elements, begin, bytes })
    }
}

/// What is left of a file.
struct Reader<R> {
    file: R,
    at: u64,
    length: u64,
    /// Values that were read.
    values: u64,
}

impl<R: Read> Reader<R> {
    /// So many bytes, which are left in the file and in what the head may have.
    fn take(&mut self, bytes: u64) -> Result<Vec<u8>, GgufError> {
        self.left(bytes)?;
        let out = whole(&mut self.file, bytes).map_err(|e| GgufError::Header(e.to_string()))?;
        self.at += bytes;
        Ok(out)
    }

    /// That so many bytes are left.
    fn left(&self, bytes: u64) -> Result<(), GgufError> {
        let most = self.length.min(LONGEST);
        match self.at.checked_add(bytes) {
            Some(end) if end <= most => Ok(()),
            _ if self.length <= LONGEST => wrong(format!(
                "expected {bytes} bytes at {}, found the end of the file of {}; download it again",
                self.at, self.length
            )),
            _ => wrong(format!(
                "expected a head of at most {LONGEST} bytes, found {bytes} more at {}",
                self.at
            )),
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        self.left(N as u64)?;
        let mut out = [0; N];
        self.file.read_exact(&mut out).map_err(|e| GgufError::Header(e.to_string()))?;
        self.at += N as u64;
        Ok(out)
    }

    fn u32(&mut self) -> Result<u32, GgufError> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, GgufError> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn name(&mut self) -> Result<String, GgufError> {
        let length = self.u64()?;
        if length > NAME {
            return wrong(format!(
                "expected a name of at most {NAME} bytes at {}, found {length}",
                self.at
            ));
        }
        let bytes = self.take(length)?;
        String::from_utf8(bytes).or_else(|_| wrong(format!("expected a name at {}", self.at)))
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<Value, GgufError> {
        self.values += 1;
        if self.values > VALUES {
            return wrong(format!("expected at most {VALUES} values, found more"));
        }
        Ok(match kind {
            0 => Value::Unsigned(u64::from(u8::from_le_bytes(self.bytes()?))),
            1 => Value::Signed(i64::from(i8::from_le_bytes(self.bytes()?))),
            2 => Value::Unsigned(u64::from(u16::from_le_bytes(self.bytes()?))),
            3 => Value::Signed(i64::from(i16::from_le_bytes(self.bytes()?))),
            4 => Value::Unsigned(u64::from(self.u32()?)),
            5 => Value::Signed(i64::from(i32::from_le_bytes(self.bytes()?))),
            6 => Value::F32(f32::from_le_bytes(self.bytes()?)),
            7 => Value::Bool(self.bytes::<1>()? != [0]),
            8 => {
                let length = self.u64()?;
                String::from_utf8(self.take(length)?).map_or(Value::Other, Value::Text)
            }
            9 if depth < DEPTH => {
                let (kind, count) = (self.u32()?, self.u64()?);
                // Each has a byte at least.
                self.left(count)?;
                let mut out = Vec::new();
                for _ in 0..count {
                    out.push(self.value(kind, depth + 1)?);
                }
                if depth == 0 { Value::Array(out) } else { Value::Other }
            }
            10 => Value::Unsigned(self.u64()?),
            11 => Value::Signed(i64::from_le_bytes(self.bytes()?)),
            12 => Value::F64(f64::from_le_bytes(self.bytes()?)),
            found => {
                return wrong(format!(
                    "expected a type from 0 to 12, and at most {DEPTH} arrays in one another, \
                    found the type {found}"
                ));
            }
        })
    }

    fn tensor(&mut self) -> Result<Stated, GgufError> {
        let count = self.u32()?;
        if !(1..=DIMENSIONS).contains(&count) {
            return wrong(format!("expected 1 to {DIMENSIONS} dimensions, found {count}"));
        }
        let dimensions = (0..count).map(|_| self.u64()).collect::<Result<_, _>>()?;
        Ok(Stated { dimensions, kind: self.u32()?, offset: self.u64()? })
    }
}
