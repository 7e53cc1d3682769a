//! The types of tensors in GGUF files, and the numbers in their blocks.
//!
//! Most types keep some numbers, 32 or 256, in a block: small integers, and what they are
//! multiplied with. The layouts and the order of operations are those of ggml-quants.c of ggml, so
//! that every number is the same `f32` to the bit wherever it is computed. Candle has them too, in
//! memory that has to be aligned and is taken four times; here a few lines read one block after the
//! other, and the tests hold them against candle's.

use lmz::lm::rwkv7::checkpoint::{Float, numbers};

/// The most numbers in a block.
pub const LONGEST: usize = 256;

/// The type of a tensor's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

/// The types, as they are written in files and in messages.
const KINDS: [(Kind, u32, &str); 11] = [
    (Kind::F32, 0, "F32"),
    (Kind::F16, 1, "F16"),
    (Kind::BF16, 30, "BF16"),
    (Kind::Q4_0, 2, "Q4_0"),
    (Kind::Q4_1, 3, "Q4_1"),
    (Kind::Q5_0, 6, "Q5_0"),
    (Kind::Q5_1, 7, "Q5_1"),
    (Kind::Q8_0, 8, "Q8_0"),
    (Kind::Q4K, 12, "Q4_K"),
    (Kind::Q5K, 13, "Q5_K"),
    (Kind::Q6K, 14, "Q6_K"),
];

/// Types that are not read here, for messages.
const OTHERS: [(u32, &str); 23] = [
    (9, "Q8_1"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
    (41, "Q1_0"),
];

impl Kind {
    /// The type of a number in a file, or the name of another.
    pub fn of(number: u32) -> Result<Self, String> {
        if let Some((kind, ..)) = KINDS.iter().find(|(_, n, _)| *n == number) {
            return Ok(*kind);
        }
        let other = OTHERS.iter().find(|(n, _)| *n == number);
        Err(other.map_or_else(|| format!("number {number}"), |(_, name)| (*name).to_owned()))
    }

    /// The names of all.
    pub fn names() -> String {
        KINDS.map(|(_, _, name)| name).join(", ")
    }

    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, _, name)| name)
    }

    /// Numbers in a block, and its bytes.
    pub fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::BF16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (LONGEST, 144),
            Self::Q5K => (LONGEST, 176),
            Self::Q6K => (LONGEST, 210),
        }
    }

    /// Adds the numbers in whole blocks.
    pub fn read(self, blocks: &[u8], out: &mut Vec<f32>) {
        let each = |out: &mut Vec<f32>, block: fn(&[u8], &mut Vec<f32>)| {
            blocks.chunks_exact(self.block().1).for_each(|bytes| block(bytes, out));
        };
        match self {
            Self::F32 => out.extend(numbers(Float::F32, blocks)),
            Self::F16 => out.extend(numbers(Float::F16, blocks)),
            Self::BF16 => out.extend(numbers(Float::BF16, blocks)),
            Self::Q4_0 => each(out, |block, out| {
                let [d] = halves(block);
                out.extend(low_then_high(&block[2..]).map(|q| (f32::from(q) - 8.0) * d));
            }),
            Self::Q4_1 => each(out, |block, out| {
                let [d, m] = halves(block);
                out.extend(low_then_high(&block[4..]).map(|q| f32::from(q) * d + m));
            }),
            Self::Q5_0 => each(out, |block, out| {
                let [d] = halves(block);
                let q = low_then_high(&block[6..]).zip(bits(&block[2..6]));
                out.extend(q.map(|(q, bit)| (f32::from(q | bit << 4) - 16.0) * d));
            }),
            Self::Q5_1 => each(out, |block, out| {
                let [d, m] = halves(block);
                let q = low_then_high(&block[8..]).zip(bits(&block[4..8]));
                out.extend(q.map(|(q, bit)| f32::from(q | bit << 4) * d + m));
            }),
            Self::Q8_0 => each(out, |block, out| {
                let [d] = halves(block);
                out.extend(block[2..].iter().map(|q| f32::from(q.cast_signed()) * d));
            }),
            Self::Q4K => each(out, |block, out| {
                for (part, (d, m)) in scales_and_minima(block).into_iter().enumerate() {
                    let q = nibbles(&block[16..], part);
                    out.extend(q.map(|q| d * f32::from(q) - m));
                }
            }),
            Self::Q5K => each(out, |block, out| {
                for (part, (d, m)) in scales_and_minima(block).into_iter().enumerate() {
                    let q = nibbles(&block[48..], part).zip(&block[16..48]);
                    let q = q.map(|(q, bits)| q | (bits >> part & 1) << 4);
                    out.extend(q.map(|q| d * f32::from(q) - m));
                }
            }),
            Self::Q6K => each(out, |block, out| {
                let [d] = halves(&block[208..]);
                let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
                // Two halves of 128 numbers, each four parts of 32 with two scales.
                for part in 0..8 {
                    let (half, quarter) = (part / 4, part % 4);
                    let low = &low[64 * half + 32 * (quarter % 2)..][..32];
                    let high = &high[32 * half..][..32];
                    for (i, (low, high)) in low.iter().zip(high).enumerate() {
                        let low = low >> (4 * (quarter / 2)) & 15;
                        let q = low | (high >> (2 * quarter) & 3) << 4;
                        let scale = scales[2 * part + i / 16].cast_signed();
                        out.push(d * f32::from(scale) * (f32::from(q) - 32.0));
                    }
                }
            }),
        }
    }
}

/// The numbers of 16 bits that a block begins with.
fn halves<const N: usize>(block: &[u8]) -> [f32; N] {
    let mut out = [0.0; N];
    out.copy_from_slice(&numbers(Float::F16, &block[..2 * N]));
    out
}

/// Of each byte the lower four bits, then of each the upper ones.
fn low_then_high(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().map(|byte| byte & 15).chain(bytes.iter().map(|byte| byte >> 4))
}

/// Each bit of some bytes, the least first.
fn bits(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().flat_map(|byte| (0..8).map(move |i| byte >> i & 1))
}

/// The 32 numbers of a part of Q4_K and Q5_K, but for the fifth bit: two parts are in 32 bytes.
fn nibbles(bytes: &[u8], part: usize) -> impl Iterator<Item = u8> {
    bytes[32 * (part / 2)..][..32].iter().map(move |byte| byte >> (4 * (part % 2)) & 15)
}

/// What the numbers of each part of Q4_K and Q5_K are multiplied with, and what is taken off. Both
/// have six bits: of the last four parts the upper two are where those of the first four have none.
fn scales_and_minima(block: &[u8]) -> [(f32, f32); 8] {
    let [d, min] = halves(block);
    let packed = &block[4..16];
    std::array::from_fn(|part| {
        let (scale, minimum) = match part {
            0..4 => (packed[part] & 63, packed[part + 4] & 63),
            _ => (
                packed[part + 4] & 15 | packed[part - 4] >> 6 << 4,
                packed[part + 4] >> 4 | packed[part] >> 6 << 4,
            ),
        };
        (d * f32::from(scale), min * f32::from(minimum))
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use candle_core::Device;
    use candle_core::quantized::{GgmlDType, QStorage, QTensor};

    use super::*;

    /// Bytes of whole blocks whose halves are finite.
    fn blocks(kind: Kind, count: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u8
        };
        let mut out: Vec<u8> = (0..count * kind.block().1).map(|_| random()).collect();
        let halves: &[usize] = match kind {
            Kind::F32 => &[2],
            Kind::Q6K => &[208],
            Kind::Q4_1 | Kind::Q5_1 | Kind::Q4K | Kind::Q5K => &[0, 2],
            _ => &[0],
        };
        for block in out.chunks_exact_mut(kind.block().1) {
            for at in halves {
                // Not the exponent of infinities, but all others, small ones too.
                block[at + 1] &= 0xbb;
            }
        }
        out
    }

    #[test]
    fn numbers_are_those_of_candle_to_the_bit() {
        for (kind, number, name) in KINDS {
            let count = 512;
            let bytes = blocks(kind, count);
            let mut found = Vec::new();
            kind.read(&bytes, &mut found);
            let dtype = match kind {
                Kind::F32 => GgmlDType::F32,
                Kind::F16 => GgmlDType::F16,
                Kind::BF16 => GgmlDType::BF16,
                Kind::Q4_0 => GgmlDType::Q4_0,
                Kind::Q4_1 => GgmlDType::Q4_1,
                Kind::Q5_0 => GgmlDType::Q5_0,
                Kind::Q5_1 => GgmlDType::Q5_1,
                Kind::Q8_0 => GgmlDType::Q8_0,
                Kind::Q4K => GgmlDType::Q4K,
                Kind::Q5K => GgmlDType::Q5K,
                Kind::Q6K => GgmlDType::Q6K,
            };
            let elements = count * kind.block().0;
            assert_eq!((dtype.block_size(), dtype.type_size()), kind.block(), "{name}");
            let storage = QStorage::from_data(Cow::Borrowed(&bytes), &Device::Cpu, dtype).unwrap();
            let expected = QTensor::new(storage, elements).unwrap();
            let expected: Vec<f32> = expected.dequantize(&Device::Cpu).unwrap().to_vec1().unwrap();
            let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&found), bits(&expected), "{name}");
            assert!(found.iter().all(|x| x.is_finite()), "{name}");
            assert_eq!((Kind::of(number), kind.name()), (Ok(kind), name));
        }
    }

    #[test]
    fn other_types_are_named() {
        assert_eq!(Kind::of(10).unwrap_err(), "Q2_K");
        assert_eq!(Kind::of(999).unwrap_err(), "number 999");
        assert!(Kind::names().starts_with("F32, F16, BF16, Q4_0"));
    }
}
