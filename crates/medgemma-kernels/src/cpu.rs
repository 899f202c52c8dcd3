//! Which instructions to use, found out at run time, and the threads to use them on.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use crate::pool::Pool;

/// A set of instructions that a kernel is written in.
///
/// Every kernel exists at least as [`Path::Scalar`], which is its specification; a path that a
/// kernel has no code for runs the next lower one that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Path {
    /// Plain Rust: the specification that the other paths are tested against.
    Scalar,
    /// `AArch64` with Advanced SIMD.
    Neon,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX-512 F, BW, VL, DQ, VNNI and BF16.
    Avx512,
    /// [`Path::Avx512`] with VBMI, and the tile unit AMX with bf16, on Linux.
    Amx,
}

impl Path {
    /// All paths, slowest first.
    pub const ALL: [Self; 5] = [
        Self::Scalar,
        Self::Neon,
        Self::Avx2,
        Self::Avx512,
        Self::Amx,
    ];

    /// Whether this processor (and, for AMX, its operating system) runs this path. The answer does
    /// not change while a process lives.
    #[must_use]
    pub fn is_available(self) -> bool {
        static AVAILABLE: OnceLock<[bool; 5]> = OnceLock::new();
        AVAILABLE.get_or_init(|| Self::ALL.map(Self::detect))[self as usize]
    }

    /// The fastest path of this processor.
    #[must_use]
    pub fn best() -> Self {
        Self::available().last().unwrap_or(Self::Scalar)
    }

    /// The paths of this processor, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|path| path.is_available())
    }

    /// Those of [`Path::available`] that tests go through: all, or the ones that `MEDGEMMA_TEST_PATHS` names, with
    /// commas. An emulated processor takes long, and the code of other paths runs elsewhere.
    #[cfg(test)]
    pub(crate) fn tested() -> impl Iterator<Item = Self> {
        let only = std::env::var("MEDGEMMA_TEST_PATHS").ok();
        let only = only.map(|names| {
            let path = |name: &str| name.parse().unwrap_or_else(|error| panic!("{error}"));
            names.split(',').map(path).collect::<Vec<Self>>()
        });
        Self::available().filter(move |path| only.as_ref().is_none_or(|only| only.contains(path)))
    }

    /// The name that [`FromStr`] reads: `scalar`, `neon`, `avx2`, `avx512`, `amx`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Amx => "amx",
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn detect(self) -> bool {
        let avx2 = || {
            is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c")
        };
        let avx512 = || {
            avx2()
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vnni")
                && is_x86_feature_detected!("avx512bf16")
        };
        match self {
            Self::Scalar => true,
            Self::Neon => false,
            Self::Avx2 => avx2(),
            Self::Avx512 => avx512(),
            Self::Amx => avx512() && is_x86_feature_detected!("avx512vbmi") && crate::amx::usable(),
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn detect(self) -> bool {
        match self {
            Self::Scalar => true,
            // Part of every AArch64 processor that Rust's standard library runs on.
            Self::Neon => cfg!(target_arch = "aarch64"),
            Self::Avx2 | Self::Avx512 | Self::Amx => false,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no [`Path`], or a path that this processor lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPath(String);

impl fmt::Display for UnknownPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&str> = Path::available().map(Path::name).collect();
        write!(
            f,
            "instruction path '{}' is unknown or missing on this processor; use one of {}",
            self.0,
            known.join(", ")
        )
    }
}

impl std::error::Error for UnknownPath {}

impl FromStr for Path {
    type Err = UnknownPath;

    fn from_str(name: &str) -> Result<Self, UnknownPath> {
        Self::available()
            .find(|path| path.name() == name)
            .ok_or_else(|| UnknownPath(name.to_owned()))
    }
}

/// What every kernel is given: the threads and the instructions.
#[derive(Debug)]
pub struct Cpu {
    pool: Pool,
    path: Path,
}

impl Cpu {
    /// `threads` threads, the caller's included, or as many as [`Pool::new`] gives, running `path`.
    ///
    /// # Panics
    /// When the processor lacks `path`: its instructions would be illegal. [`Path::from_str`] and
    /// [`Path::available`] give only paths that it has.
    #[must_use]
    pub fn new(threads: usize, path: Path) -> Self {
        assert!(path.is_available(), "this processor has no {path}");
        Self {
            pool: Pool::new(threads),
            path,
        }
    }

    /// As many threads as the process may run at once, and the best path.
    #[must_use]
    pub fn detect() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::new(threads, Path::best())
    }

    /// The threads.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The instructions. A kernel may rely on the processor having them.
    #[must_use]
    pub fn path(&self) -> Path {
        self.path
    }
}

#[cfg(test)]
mod tests {
    use super::{Cpu, Path};

    #[test]
    fn the_scalar_path_is_everywhere_and_names_are_read_back() {
        assert!(Path::Scalar.is_available());
        for path in Path::available() {
            assert_eq!(path.name().parse(), Ok(path));
            assert_eq!(Cpu::new(2, path).path(), path);
        }
        let error = "mmx".parse::<Path>().expect_err("no such path");
        assert!(error.to_string().contains("scalar"), "{error}");
    }
}
