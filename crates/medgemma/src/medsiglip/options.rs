//! What can be chosen when a dual encoder is loaded.

use std::fmt;
use std::ops::ControlFlow;

use medgemma_image::{Resize, Resizer};
use medgemma_tensor::checkpoint::LoadObserver;

use crate::memory::SiglipWorkload;

/// How a [`MedSigLip`](crate::MedSigLip) is loaded.
#[derive(Default)]
#[non_exhaustive]
pub struct SiglipOptions<'a> {
    /// Told how far the loading is.
    pub progress: Option<LoadObserver<'a>>,
    /// Which reference's resizing is followed bit for bit. `None`: [`Resizer::TfBilinear`], as
    /// MedSigLIP was evaluated, whatever `resample` of the directory's files says
    /// ([`ImageProcessor::from_siglip_dir`](medgemma_image::ImageProcessor::from_siglip_dir)).
    pub resize: Option<Resize>,
    /// Centre pictures on a black square instead of stretching them. `None`: stretch, as the
    /// reference does.
    pub pad_to_square: Option<bool>,
    /// Whether pixels of other sizes than the model's are encoded, with interpolated positions
    /// (`interpolate_pos_encoding` of the reference). Off by default: then they are an error, and so is a directory whose
    /// processor makes such.
    pub interpolate: bool,
    /// What the model is wanted for: on a CPU, loading refuses what does not fit into
    /// [`memory_limit`](Self::memory_limit) together with it. Afterwards a step that takes more than this and than
    /// there is is refused, as large pixels do with [`interpolate`](Self::interpolate). Each step is looked at by itself: what
    /// other threads encode at the same time is not counted.
    pub workload: SiglipWorkload,
    /// Bytes that model and [`workload`](Self::workload) may take on a CPU. `None`: what the system
    /// has available, where it tells (Linux).
    pub memory_limit: Option<u64>,
}

impl<'a> SiglipOptions<'a> {
    /// Sets [`progress`](Self::progress): bytes done, bytes in all.
    #[must_use]
    pub fn with_progress(
        mut self,
        observer: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'a,
    ) -> Self {
        self.progress = Some(Box::new(observer));
        self
    }

    /// Sets [`resize`](Self::resize).
    #[must_use]
    pub fn with_resize(mut self, resize: Resize) -> Self {
        self.resize = Some(resize);
        self
    }

    /// Sets [`resize`](Self::resize) to one resizer, whatever the directory says.
    #[must_use]
    pub fn with_resizer(self, resizer: Resizer) -> Self {
        self.with_resize(resizer.into())
    }

    /// Sets [`pad_to_square`](Self::pad_to_square).
    #[must_use]
    pub fn with_pad_to_square(mut self, pad: bool) -> Self {
        self.pad_to_square = Some(pad);
        self
    }

    /// Sets [`interpolate`](Self::interpolate).
    #[must_use]
    pub fn with_interpolate(mut self, interpolate: bool) -> Self {
        self.interpolate = interpolate;
        self
    }

    /// Sets [`workload`](Self::workload).
    #[must_use]
    pub fn with_workload(mut self, workload: SiglipWorkload) -> Self {
        self.workload = workload;
        self
    }

    /// Sets [`memory_limit`](Self::memory_limit).
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }
}

impl fmt::Debug for SiglipOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SiglipOptions")
            .field("progress", &self.progress.is_some())
            .field("resize", &self.resize)
            .field("pad_to_square", &self.pad_to_square)
            .field("interpolate", &self.interpolate)
            .field("workload", &self.workload)
            .field("memory_limit", &self.memory_limit)
            .finish()
    }
}
