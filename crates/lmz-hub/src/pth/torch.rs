//! What the names in a checkpoint of PyTorch's stand for: types, tensors, and what makes them.

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl Kind {
    /// Bytes of an element.
    pub fn size(self) -> u64 {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::BF16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }
}

/// What a pickle says of a tensor. Its elements are within the storage, and fill a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    pub kind: Kind,
    /// The storage's name.
    pub storage: String,
    /// Elements of the storage, and before the tensor's first one.
    pub all: u64,
    pub offset: u64,
    pub shape: Vec<usize>,
    pub stride: Vec<usize>,
    pub elements: u64,
}

/// A name that stands for something in PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    RebuildFromType,
    /// What a tensor is in Python.
    Class,
    Storage(Kind),
}

impl Global {
    /// The name in a module, if it is known.
    pub fn of(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch._tensor", "_rebuild_from_type_v2") => Self::RebuildFromType,
            ("torch", "Tensor") | ("torch.nn.parameter", "Parameter") => Self::Class,
            ("torch", "DoubleStorage") => Self::Storage(Kind::F64),
            ("torch", "FloatStorage") => Self::Storage(Kind::F32),
            ("torch", "HalfStorage") => Self::Storage(Kind::F16),
            ("torch", "BFloat16Storage") => Self::Storage(Kind::BF16),
            ("torch", "LongStorage") => Self::Storage(Kind::I64),
            ("torch", "IntStorage") => Self::Storage(Kind::I32),
            ("torch", "ShortStorage") => Self::Storage(Kind::I16),
            ("torch", "CharStorage") => Self::Storage(Kind::I8),
            ("torch", "ByteStorage") => Self::Storage(Kind::U8),
            ("torch", "BoolStorage") => Self::Storage(Kind::Bool),
            _ => return None,
        })
    }
}

impl Tensor {
    /// From what a pickle says; `all` is how many elements the storage has. What does not fill a
    /// part of it is refused: no checkpoint has such, and it could claim to be of any size.
    pub fn new(
        kind: Kind,
        storage: String,
        all: u64,
        offset: u64,
        shape: Vec<usize>,
        stride: Vec<usize>,
    ) -> Result<Self, String> {
        let fits = shape.len() == stride.len();
        let elements = shape.iter().try_fold(1u64, |all, n| all.checked_mul(*n as u64));
        // From the first to the last: as many as there are, so that they lie side by side.
        let span = |elements: u64| match elements {
            0 => Some(0),
            _ => shape.iter().zip(&stride).try_fold(1u64, |all, (n, step)| {
                (*n as u64 - 1).checked_mul(*step as u64)?.checked_add(all)
            }),
        };
        let found = elements.filter(|n| fits && *n <= all && span(*n) == Some(*n));
        let found = found.filter(|n| offset.checked_add(*n).is_some_and(|end| end <= all));
        let elements = found.ok_or_else(|| {
            format!(
                "expected a tensor that fills a part of its {all} elements, found {shape:?} by \
                {stride:?} from {offset}"
            )
        })?;
        Ok(Self { kind, storage, all, offset, shape, stride, elements })
    }
}
