//! The arithmetic of docs/ARITHMETIC.md, sections 1 to 3 and 5, in plain Rust: the definition that
//! every kernel is held against.
//!
//! Vectors and matrices come in, the same bits go out on every machine: only IEEE 754 binary32
//! `+ - * /`, square root, comparison and conversion are used, each rounded by itself, in a stated
//! order. Rust never fuses a product and a sum, so expressions here stand as the text has them. The
//! processor's floating-point control state is the one thing that could still change results:
//! whatever computes here asks for the proof that it is the standard one, which [`fpstate::exact`]
//! gives.

// A target whose f32 is not IEEE 754 binary32 cannot follow the definition, so it does not compile.
#[cfg(all(target_arch = "x86", not(target_feature = "sse2")))]
compile_error!("x87 rounds f32 in excess precision: build for a target with SSE2 (i686, not i586)");
#[cfg(target_arch = "m68k")]
compile_error!("the 68k's floating-point unit rounds f32 in excess precision");
#[cfg(all(target_arch = "powerpc", target_abi = "spe"))]
compile_error!("the SPE unit of PowerPC e500 has no subnormal numbers");

pub mod fpstate;
mod frequencies;
mod functions;
pub mod kernel;
mod product;
pub mod rotary;
mod vectors;
pub mod wide;

pub use frequencies::{frequencies, prefix_sums};
pub use functions::{clamp, exp, max, round, sigmoid, tanh};
pub(crate) use product::LEAST;
pub use product::{Activations, LONGEST_INPUT, Matrix, Quantised, product, quantise};
pub(crate) use vectors::EPSILON;
pub use vectors::{LANES, layer_norm, sum};

/// The version of the arithmetic (docs/ARITHMETIC.md) that this build computes.
pub const VERSION: u32 = 1;
