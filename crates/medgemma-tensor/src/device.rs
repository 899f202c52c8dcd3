//! The device that a model runs on: an explicit run-time value among the backends compiled in.
//!
//! Burn's own default device consults the environment and panics when nothing fits; this type does
//! neither. Each constructor exists in every build: a backend that was left out is an error that
//! names the Cargo feature to enable.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// The burn backend behind a [`Device`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// burn-flex on the CPU (Cargo feature `cpu`).
    Cpu,
    /// burn-ndarray on the CPU, f32 only (Cargo feature `ndarray`).
    NdArray,
    /// burn-wgpu: Vulkan, Metal, DirectX 12 or a software rasteriser (Cargo feature `wgpu`).
    Wgpu,
    /// burn-cuda: NVIDIA GPUs (Cargo feature `cuda`).
    Cuda,
}

impl Backend {
    /// The Cargo feature of `medgemma` and `medgemma-tensor` that compiles this backend in.
    #[must_use]
    pub const fn feature(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::NdArray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Cuda => "cuda",
        }
    }

    /// Whether this build contains the backend.
    #[must_use]
    pub const fn is_compiled(self) -> bool {
        match self {
            Self::Cpu => cfg!(feature = "cpu"),
            Self::NdArray => cfg!(feature = "ndarray"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Cuda => cfg!(feature = "cuda"),
        }
    }
}

/// A place to compute. Cheap to clone; two devices are equal when they are the same resource.
#[derive(Clone, PartialEq)]
pub struct Device {
    inner: burn::tensor::Device,
    backend: Backend,
    name: String,
}

impl Device {
    /// The CPU through burn-flex: the default choice.
    ///
    /// # Errors
    /// [`Error::BackendNotCompiled`] without the feature `cpu`.
    pub fn cpu() -> Result<Self> {
        #[cfg(feature = "cpu")]
        return Ok(Self::wrap(
            burn::tensor::Device::flex(),
            Backend::Cpu,
            "cpu",
        ));
        #[cfg(not(feature = "cpu"))]
        Err(not_compiled("cpu", Backend::Cpu))
    }

    /// The CPU through burn-ndarray: a second, independent implementation. It stores only f32, so
    /// half-precision weights take twice their published size.
    ///
    /// # Errors
    /// [`Error::BackendNotCompiled`] without the feature `ndarray`.
    pub fn ndarray() -> Result<Self> {
        #[cfg(feature = "ndarray")]
        {
            #[allow(
                deprecated,
                reason = "burn-ndarray is deprecated upstream; kept as an independent check of the cpu backend"
            )]
            let inner = burn::tensor::Device::ndarray();
            Ok(Self::wrap(inner, Backend::NdArray, "ndarray"))
        }
        #[cfg(not(feature = "ndarray"))]
        Err(not_compiled("ndarray", Backend::NdArray))
    }

    /// The first GPU that wgpu finds: discrete before integrated before virtual. A software
    /// rasteriser is never taken for a GPU; ask for it with [`Device::wgpu_software`].
    ///
    /// # Errors
    /// [`Error::BackendNotCompiled`] without the feature `wgpu`, [`Error::DeviceUnavailable`] when
    /// no adapter answers.
    pub fn wgpu() -> Result<Self> {
        #[cfg(feature = "wgpu")]
        return wgpu::first_gpu();
        #[cfg(not(feature = "wgpu"))]
        Err(not_compiled("wgpu", Backend::Wgpu))
    }

    /// A software rasteriser under wgpu, such as Mesa's lavapipe: slow, but it runs the very
    /// shaders that a GPU runs, so continuous integration can check them.
    ///
    /// # Errors
    /// As [`Device::wgpu`].
    pub fn wgpu_software() -> Result<Self> {
        #[cfg(feature = "wgpu")]
        return wgpu::software();
        #[cfg(not(feature = "wgpu"))]
        Err(not_compiled("wgpu:software", Backend::Wgpu))
    }

    /// The NVIDIA GPU with this index.
    ///
    /// # Errors
    /// [`Error::BackendNotCompiled`] without the feature `cuda`, [`Error::DeviceUnavailable`] when
    /// the driver lists no such GPU.
    pub fn cuda(index: usize) -> Result<Self> {
        #[cfg(feature = "cuda")]
        return cuda::device(index);
        #[cfg(not(feature = "cuda"))]
        Err(not_compiled(&format!("cuda:{index}"), Backend::Cuda))
    }

    /// The fastest device that is compiled in and answers: CUDA, then a wgpu GPU, then the CPU,
    /// then ndarray. The choice never depends on the environment; [`Device::name`] tells it.
    ///
    /// # Errors
    /// [`Error::BackendNotCompiled`] when the build holds no backend at all; that of the last one when the build
    /// holds none that needs no GPU, and no GPU answers.
    pub fn best_available() -> Result<Self> {
        let backends = [Backend::Cuda, Backend::Wgpu, Backend::Cpu, Backend::NdArray];
        let compiled = backends.into_iter().filter(|b| b.is_compiled());
        let opened = first_of(compiled.map(|backend| match backend {
            Backend::Cuda => Self::cuda(0),
            Backend::Wgpu => Self::wgpu(),
            Backend::Cpu => Self::cpu(),
            Backend::NdArray => Self::ndarray(),
        }));
        // Without any backend: the error says what to turn on.
        opened.unwrap_or_else(Self::cpu)
    }

    /// Which backend this device belongs to.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The name that [`FromStr`] reads: `cpu`, `ndarray`, `wgpu`, `wgpu:software`, `cuda:0`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The burn device, for code that is written against burn directly.
    #[must_use]
    pub fn as_burn(&self) -> &burn::tensor::Device {
        &self.inner
    }

    #[cfg_attr(
        not(any(
            feature = "cpu",
            feature = "ndarray",
            feature = "wgpu",
            feature = "cuda"
        )),
        expect(dead_code, reason = "a build without a backend constructs no device")
    )]
    fn wrap(inner: burn::tensor::Device, backend: Backend, name: impl Into<String>) -> Self {
        Self {
            inner,
            backend,
            name: name.into(),
        }
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Device").field(&self.name).finish()
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Device {
    type Err = Error;

    /// Reads `cpu`, `ndarray`, `wgpu`, `wgpu:software`, `cuda`, `cuda:N` or `best`.
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "best" => Self::best_available(),
            "cpu" => Self::cpu(),
            "ndarray" => Self::ndarray(),
            "wgpu" => Self::wgpu(),
            "wgpu:software" => Self::wgpu_software(),
            "cuda" => Self::cuda(0),
            other => match other.strip_prefix("cuda:").map(str::parse::<usize>) {
                Some(Ok(index)) => Self::cuda(index),
                _ => Err(Error::DeviceUnavailable {
                    device: other.to_owned(),
                    reason: "unknown name; use best, cpu, ndarray, wgpu, wgpu:software or cuda:N"
                        .to_owned(),
                }),
            },
        }
    }
}

/// The first that opens, else the last error; `None` of nothing.
fn first_of<T>(opened: impl IntoIterator<Item = Result<T>>) -> Option<Result<T>> {
    let mut last = None;
    for opened in opened {
        match opened {
            Ok(first) => return Some(Ok(first)),
            Err(error) => {
                tracing::debug!(%error, "device passed over");
                last = Some(Err(error));
            }
        }
    }
    last
}

#[cfg(not(all(
    feature = "cpu",
    feature = "ndarray",
    feature = "wgpu",
    feature = "cuda"
)))]
fn not_compiled(device: &str, backend: Backend) -> Error {
    Error::BackendNotCompiled {
        device: device.to_owned(),
        feature: backend.feature(),
    }
}

#[cfg(feature = "wgpu")]
mod wgpu {
    //! Opening wgpu adapters once per process: the runtime refuses a second initialisation.

    use std::sync::{Mutex, PoisonError};

    use burn::tensor::{Device as BurnDevice, DeviceKind};

    use super::{Backend, Device};
    use crate::error::{Error, Result};

    static OPENED: Mutex<Vec<(DeviceKind, BurnDevice)>> = Mutex::new(Vec::new());

    pub(super) fn first_gpu() -> Result<Device> {
        let kinds = [
            DeviceKind::DiscreteGpu(0),
            DeviceKind::IntegratedGpu(0),
            DeviceKind::VirtualGpu(0),
        ];
        let mut reason = String::new();
        for kind in kinds {
            match open(&kind) {
                Ok(inner) => return Ok(Device::wrap(inner, Backend::Wgpu, "wgpu")),
                Err(error) => reason = error,
            }
        }
        Err(Error::DeviceUnavailable {
            device: "wgpu".to_owned(),
            reason,
        })
    }

    pub(super) fn software() -> Result<Device> {
        open(&DeviceKind::Cpu)
            .map(|inner| Device::wrap(inner, Backend::Wgpu, "wgpu:software"))
            .map_err(|reason| Error::DeviceUnavailable {
                device: "wgpu:software".to_owned(),
                reason,
            })
    }

    fn open(kind: &DeviceKind) -> std::result::Result<BurnDevice, String> {
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, device)) = opened.iter().find(|(known, _)| known == kind) {
            return Ok(device.clone());
        }
        let device = BurnDevice::wgpu_options()
            .device_kind(kind.clone())
            .init()
            .map_err(|error| error.to_string())?;
        opened.push((kind.clone(), device.clone()));
        Ok(device)
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    //! Listing CUDA devices; the driver library is loaded at run time and may be absent.

    use std::panic::catch_unwind;

    use burn::tensor::{Device as BurnDevice, DeviceType};

    use super::{Backend, Device};
    use crate::error::{Error, Result};

    pub(super) fn device(index: usize) -> Result<Device> {
        let name = format!("cuda:{index}");
        // Should the runtime panic for want of a driver, that is the caller's machine, not a bug, and must
        // surface as an error.
        let count =
            catch_unwind(|| BurnDevice::enumerate(DeviceType::Cuda).into_vec().len()).unwrap_or(0);
        if index >= count {
            let reason = format!("the NVIDIA driver lists {count} device(s)");
            return Err(Error::DeviceUnavailable {
                device: name,
                reason,
            });
        }
        Ok(Device::wrap(BurnDevice::cuda(index), Backend::Cuda, name))
    }
}

#[cfg(test)]
mod tests {
    use super::{Backend, Device, first_of};
    use crate::error::Error;

    #[test]
    fn a_backend_that_is_not_compiled_names_its_feature() {
        for (backend, made) in [
            (Backend::Cpu, Device::cpu()),
            (Backend::NdArray, Device::ndarray()),
            (Backend::Cuda, Device::cuda(0)),
        ] {
            match made {
                Err(Error::BackendNotCompiled { feature, .. }) => {
                    assert!(!backend.is_compiled());
                    assert_eq!(feature, backend.feature());
                }
                Ok(device) => assert_eq!(device.backend(), backend),
                Err(other) => assert!(backend.is_compiled(), "{other}"),
            }
        }
    }

    #[test]
    fn the_best_device_is_the_first_of_cuda_wgpu_cpu_and_ndarray() {
        let order = [
            Device::cuda(0),
            Device::wgpu(),
            Device::cpu(),
            Device::ndarray(),
        ];
        let first = order.into_iter().flatten().next();
        let first = first.map(|device| device.name().to_owned());
        let best = Device::best_available().ok();
        assert_eq!(best.map(|device| device.name().to_owned()), first);
    }

    #[test]
    fn the_first_device_that_answers_is_the_best_and_the_last_error_tells_why_none_does() {
        let absent = |name: &str| {
            let device = Err(Error::DeviceUnavailable {
                device: name.to_owned(),
                reason: "no adapter".to_owned(),
            });
            let opened: Result<u8, Error> = device;
            opened
        };
        let unasked = std::iter::from_fn(|| panic!("one had answered"));
        let found = first_of([absent("a"), Ok(7)].into_iter().chain(unasked));
        assert!(matches!(found, Some(Ok(7))));
        let error = first_of([absent("a"), absent("b")]).expect("two were tried");
        let told = error.expect_err("none answers").to_string();
        assert!(told.contains('b') && told.contains("no adapter"), "{told}");
        assert!(first_of::<u8>([]).is_none());
    }

    #[test]
    fn unknown_names_are_errors_that_list_the_known_ones() {
        let error = "tpu".parse::<Device>().expect_err("no such device");
        assert!(error.to_string().contains("wgpu:software"), "{error}");
    }
}
