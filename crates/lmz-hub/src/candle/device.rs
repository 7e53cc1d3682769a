//! Where a model is computed, and what is to be known of that.

use candle_core::{DType, Device};

use super::failed;
use lmz::format::Numerics;
use lmz::lm::device::DeviceError;

/// The library that computes; its version is that of Cargo.lock, which a test compares.
pub const BACKEND: &str = "candle 0.11.1";

/// A device by its name: auto, cpu, cuda, cuda:N or metal.
pub fn find(name: &str) -> Result<Device, DeviceError> {
    let (kind, number) = name.split_once(':').unwrap_or((name, "0"));
    let number: Option<usize> = number.parse().ok();
    match (kind, number) {
        ("auto", Some(0)) if cfg!(feature = "cuda") => {
            Ok(Device::new_cuda(0).unwrap_or(Device::Cpu))
        }
        ("auto", Some(0)) if cfg!(feature = "metal") => {
            Ok(Device::new_metal(0).unwrap_or(Device::Cpu))
        }
        ("auto" | "cpu", Some(0)) => Ok(Device::Cpu),
        ("cuda", Some(number)) if cfg!(feature = "cuda") => {
            Device::new_cuda(number).map_err(failed)
        }
        ("metal", Some(number)) if cfg!(feature = "metal") => {
            Device::new_metal(number).map_err(failed)
        }
        ("cuda" | "metal", Some(_)) => Err(DeviceError::Failed(format!(
            "device {name}: this build has no {kind}; build with the feature {kind}"
        ))),
        _ => Err(DeviceError::Failed(format!(
            "device: expected auto, cpu, cuda, cuda:N or metal, found {name}"
        ))),
    }
}

/// The type of numbers to compute in: as asked for, or else as the device does best: on a CPU f32,
/// elsewhere that of the weights.
pub fn dtype(
    asked: Option<&str>,
    stated: Option<&str>,
    device: &Device,
) -> Result<DType, DeviceError> {
    let name = asked.or(stated.filter(|_| !device.is_cpu())).unwrap_or("f32");
    let found = match name {
        "f32" | "float32" => DType::F32,
        "f16" | "float16" => DType::F16,
        "bf16" | "bfloat16" => DType::BF16,
        _ => {
            return Err(DeviceError::Failed(format!(
                "type of numbers: expected f32, f16 or bf16, found {name}"
            )));
        }
    };
    if device.is_cpu() && found == DType::BF16 {
        return Err(DeviceError::Failed(
            "type of numbers bf16: candle multiplies no matrices of bf16 on a CPU; take f32 or f16"
                .into(),
        ));
    }
    Ok(found)
}

/// What decides which kernels run, as far as a program can tell.
pub fn numerics(device: &Device, dtype: DType) -> Numerics {
    Numerics { backend: BACKEND.into(), device: describe(device), dtype: dtype.as_str().into() }
}

fn describe(device: &Device) -> String {
    match device {
        Device::Cpu => {
            let mut out = format!("cpu {} {}", std::env::consts::ARCH, std::env::consts::OS);
            #[cfg(target_arch = "x86_64")]
            {
                // What the matrix products choose by.
                let known = [
                    ("fma", std::is_x86_feature_detected!("fma")),
                    ("avx2", std::is_x86_feature_detected!("avx2")),
                    ("avx512f", std::is_x86_feature_detected!("avx512f")),
                ];
                for (name, _) in known.iter().filter(|(_, there)| *there) {
                    out += &format!(" {name}");
                }
            }
            out
        }
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => {
            let context = device.cuda_stream().context().clone();
            let name = context.name().unwrap_or_else(|_| "unknown".into());
            let (major, minor) = context.compute_capability().unwrap_or_default();
            format!("cuda {name}, compute capability {major}.{minor}")
        }
        #[cfg(feature = "metal")]
        Device::Metal(_) => format!("metal {}", std::env::consts::ARCH),
        #[allow(unreachable_patterns)] // depends on the features
        other => format!("{other:?}"),
    }
}

/// Bytes of memory that are free on a device, if that can be found out.
pub fn free(device: &Device) -> Option<u64> {
    match device {
        Device::Cpu => lmz::lm::memory::available(),
        #[cfg(feature = "cuda")]
        Device::Cuda(_) => {
            let (free, _) =
                candle_core::cuda_backend::cudarc::driver::result::mem_get_info().ok()?;
            Some(free as u64)
        }
        _ => None,
    }
}
