//! lmz: a lossless compressor whose predictions come from a language model.
//!
//! There is no code here yet. The training kit is in `scripts/train`, the models in `models`, and
//! the arithmetic that the library will follow bit for bit in `docs/ARITHMETIC.md`.
