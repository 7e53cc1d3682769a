//! Which kernel runs.

use std::sync::LazyLock;

#[cfg(target_arch = "aarch64")]
use super::neon::{Neon, NeonDot};
use super::plain::Plain;
use super::{Isa, Job, Layout, MixVectors, VectorJob};
#[cfg(target_arch = "x86_64")]
use super::{
    avx2::{Avx2, AvxVnni},
    avx512::Avx512,
};
use crate::exact::fpstate::Exact;

/// The environment variable that forces a kernel, by name.
const VARIABLE: &str = "LMZ_KERNEL";

/// `LMZ_KERNEL` names no kernel that runs here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE}: expected one of {known} (those of this processor), found {found}")]
pub struct UnknownKernel {
    found: String,
    known: String,
}

/// An instruction set that kernels are written for. All give the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// No vector instructions but those that the compiler finds.
    Plain,
    /// x86-64 with AVX2.
    Avx2,
    /// AVX2 and `vpdpbusd` on 256 bits.
    AvxVnni,
    /// AVX-512 F, BW, DQ, VL and VNNI.
    Avx512,
    /// AArch64 without, and with, the dot product instruction `sdot`.
    Neon,
    NeonDot,
}

impl Kernel {
    /// From the slowest to the fastest.
    pub const ALL: [Self; 6] =
        [Self::Plain, Self::Avx2, Self::AvxVnni, Self::Neon, Self::NeonDot, Self::Avx512];

    /// The name that `LMZ_KERNEL` knows it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Avx2 => "avx2",
            Self::AvxVnni => "avxvnni",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
            Self::NeonDot => "neon-dot",
        }
    }

    /// Whether this processor has its instructions.
    pub fn available(self) -> bool {
        match self {
            Self::Plain => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::get().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => AvxVnni::get().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::get().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true,
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => NeonDot::get().is_some(),
            _ => false,
        }
    }

    /// The kernels that this processor has.
    pub fn all_available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|k| k.available())
    }

    /// The fastest of them.
    pub fn fastest() -> Self {
        Self::all_available().last().unwrap_or(Self::Plain)
    }

    /// What the environment variable `LMZ_KERNEL` names, and without it the fastest.
    ///
    /// # Errors
    ///
    /// If the variable names no kernel that this processor has.
    pub fn from_environment() -> Result<Self, UnknownKernel> {
        let Some(name) = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) else {
            return Ok(Self::fastest());
        };
        Self::all_available().find(|k| name == k.name()).ok_or_else(|| UnknownKernel {
            found: name.display().to_string(),
            known: Self::all_available().map(Self::name).collect::<Vec<_>>().join(", "),
        })
    }

    /// [`from_environment`](Self::from_environment), looked up once.
    ///
    /// # Errors
    ///
    /// If the variable names no kernel that this processor has.
    pub fn chosen() -> Result<Self, UnknownKernel> {
        static CHOSEN: LazyLock<Result<Kernel, UnknownKernel>> =
            LazyLock::new(Kernel::from_environment);
        CHOSEN.clone()
    }

    /// The layout of its weights.
    pub fn layout(self) -> Layout {
        struct Ask;
        impl Job for Ask {
            type Output = Layout;
            #[inline(always)]
            fn run<I: Isa>(self, _: I) -> Layout {
                I::LAYOUT
            }
        }
        self.dispatch(Ask)
    }

    /// Runs a job by this kernel, in the standard state.
    ///
    /// # Panics
    ///
    /// If the processor does not have it.
    pub fn run<J: Job>(self, _: Exact, job: J) -> J::Output {
        self.dispatch(job)
    }

    /// Runs a job that needs vectors alone: it is compiled once for instruction sets that have the
    /// same ones. With AVX-512 it runs by the vectors of AVX2: mixing, of which every vector is
    /// followed by single numbers, took 4% longer with registers of 512 bits.
    ///
    /// # Panics
    ///
    /// If the processor does not have the kernel.
    pub fn run_vectors<J: VectorJob>(self, _: Exact, job: J) -> J::Output {
        struct By<J, V>(J, V);
        impl<J: VectorJob, V: MixVectors> Job for By<J, V> {
            type Output = J::Output;
            #[inline(always)]
            fn run<I: Isa>(self, _: I) -> J::Output {
                self.0.run(self.1)
            }
        }
        match self {
            Self::Plain => Plain.run(By(job, Plain)),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 | Self::AvxVnni | Self::Avx512 => {
                let avx2 = Avx2::get().expect("AVX2");
                avx2.run(By(job, avx2))
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon | Self::NeonDot => Neon.run(By(job, Neon)),
            other => other.is_foreign(),
        }
    }

    fn dispatch<J: Job>(self, job: J) -> J::Output {
        match self {
            Self::Plain => Plain.run(job),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::get().expect("AVX2").run(job),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => AvxVnni::get().expect("AVX-VNNI").run(job),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::get().expect("AVX-512 with VNNI").run(job),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Neon.run(job),
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => NeonDot::get().expect("the dot product extension").run(job),
            other => other.is_foreign(),
        }
    }

    fn is_foreign(self) -> ! {
        panic!("the kernel {} is for another kind of processor", self.name())
    }
}
