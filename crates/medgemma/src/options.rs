//! How a model is loaded and how an answer is written. Every choice is an argument; nothing is read
//! from the environment.

use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;

use medgemma_audit::Audit;
use medgemma_gemma3::{DEFAULT_CHUNK, Sampling, Speculation};
use medgemma_image::Resizer;
use medgemma_tensor::KvPrecision;
use medgemma_tensor::checkpoint::{LoadObserver, Precision};

use crate::memory::Workload;
use crate::vision_cache::VisionCache;

/// How an answer is written. The default is greedy with 512 tokens: the same question gets the
/// same answer, as in the official examples. `Debug` counts the stop strings: they may be words of a record.
#[derive(Clone)]
#[non_exhaustive]
pub struct GenerateOptions {
    /// Tokens after which the answer is cut off, reasoning included. Prompt and answer must fit
    /// into the model's context together. Default 512; thinking models want 1500 and more.
    pub max_new_tokens: usize,
    /// Temperature, top-k, top-p, min-p, repetition penalty and seed. Default greedy.
    pub sampling: Sampling,
    /// Texts that end the answer and are not part of it, besides the model's own end of turn.
    pub stop_strings: Vec<String>,
    /// Whether the model's own stop tokens are taken for ordinary ones. Only for benchmarks and
    /// comparisons. Default `false`.
    pub ignore_stop_ids: bool,
    /// Rows of one prefill pass: more is faster and takes more memory. Default 512.
    pub prefill_chunk: usize,
    /// Whether tokens are guessed from what was said before and verified together: faster where an
    /// answer repeats its input, as in extraction and rewriting. Greedy answers only, and not in
    /// batches. Off by default, since several tokens at once are summed in another order than one,
    /// which can decide between two that are equally likely but for rounding.
    pub speculation: Speculation,
    /// The schema that the answer fulfils as JSON, see [`Schema`](crate::Schema). Not together with
    /// [`stop_strings`](Self::stop_strings) and [`ignore_stop_ids`](Self::ignore_stop_ids). Default
    /// `None`.
    #[cfg(feature = "structured")]
    pub schema: Option<crate::Schema>,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            max_new_tokens: 512,
            sampling: Sampling::default(),
            stop_strings: Vec::new(),
            ignore_stop_ids: false,
            prefill_chunk: DEFAULT_CHUNK,
            speculation: Speculation::Off,
            #[cfg(feature = "structured")]
            schema: None,
        }
    }
}

impl fmt::Debug for GenerateOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("GenerateOptions");
        shown
            .field("max_new_tokens", &self.max_new_tokens)
            .field("sampling", &self.sampling)
            .field("stop_strings", &self.stop_strings.len())
            .field("ignore_stop_ids", &self.ignore_stop_ids)
            .field("prefill_chunk", &self.prefill_chunk)
            .field("speculation", &self.speculation);
        #[cfg(feature = "structured")]
        shown.field("schema", &self.schema);
        shown.finish()
    }
}

impl GenerateOptions {
    /// Sets [`schema`](Self::schema).
    #[cfg(feature = "structured")]
    #[must_use]
    pub fn with_schema(mut self, schema: crate::Schema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Whether the answer is written by a schema.
    pub(crate) fn has_schema(&self) -> bool {
        #[cfg(feature = "structured")]
        let found = self.schema.is_some();
        #[cfg(not(feature = "structured"))]
        let found = false;
        found
    }

    /// Sets [`max_new_tokens`](Self::max_new_tokens).
    #[must_use]
    pub fn with_max_new_tokens(mut self, tokens: usize) -> Self {
        self.max_new_tokens = tokens;
        self
    }

    /// Sets [`sampling`](Self::sampling).
    #[must_use]
    pub fn with_sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// Adds a text to [`stop_strings`](Self::stop_strings).
    #[must_use]
    pub fn with_stop_string(mut self, text: impl Into<String>) -> Self {
        self.stop_strings.push(text.into());
        self
    }

    /// Sets [`ignore_stop_ids`](Self::ignore_stop_ids).
    #[must_use]
    pub fn with_ignore_stop_ids(mut self, ignore: bool) -> Self {
        self.ignore_stop_ids = ignore;
        self
    }

    /// Sets [`prefill_chunk`](Self::prefill_chunk).
    #[must_use]
    pub fn with_prefill_chunk(mut self, rows: usize) -> Self {
        self.prefill_chunk = rows;
        self
    }

    /// Sets [`speculation`](Self::speculation).
    #[must_use]
    pub fn with_speculation(mut self, speculation: Speculation) -> Self {
        self.speculation = speculation;
        self
    }
}

/// Where the vision part of a GGUF model is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Mmproj {
    /// In the only file beside the model whose name has `mmproj` in it. Where a folder was named, with
    /// several files that may be the model by their names, and the header of one alone says that it is, a
    /// vision part among the others will do too, if it fits. Without one, the model takes no images.
    /// Several are an error.
    #[default]
    Beside,
    /// In this file.
    File(PathBuf),
    /// Nowhere: the model takes no images.
    Absent,
}

/// How a model is loaded.
#[derive(Default)]
#[non_exhaustive]
pub struct LoadOptions<'a> {
    /// Told the bytes loaded so far and in all; it may end the load, with an error of the kind
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped).
    pub progress: Option<LoadObserver<'a>>,
    /// Which reference's resizing is followed bit for bit. `None`: Pillow's.
    pub resizer: Option<Resizer>,
    /// Centre images on a black square instead of stretching them, as Google did when it trained
    /// and evaluated chest X-rays. `None`: as the Hugging Face processor does, stretch.
    pub pad_to_square: Option<bool>,
    /// Whether long images are also shown in crops. `None`: as `preprocessor_config.json` says.
    pub pan_and_scan: Option<bool>,
    /// Bytes for what conversations that begin alike have in common: keys and values of their first
    /// prompts, and encoded images. A later one reads only what is new; its answer is that of a whole
    /// reading wherever the two likeliest tokens are further apart than the rounding of a sum, since
    /// other numbers of rows may be summed in another order. `None`, the default, keeps
    /// nothing: what is kept is patients' text and pictures, in memory until others take its place,
    /// [`MedGemma::clear_prefix_cache`](crate::MedGemma::clear_prefix_cache) is called, or the last
    /// clone of the model is gone. What counts is allocated memory: up to two and a half times what the
    /// positions need, and at least 64 positions in each layer (or fewer, where a window is shorter). A prompt that
    /// needs more than the whole budget is not kept. Batches, scores and choices take only encoded images from it, no
    /// keys and values. (Within one batch, prompts that begin alike are still read once.)
    pub prefix_cache: Option<usize>,
    /// Where encoded images are kept, so that the same image in another prompt is not encoded again:
    /// a second question about a volume. `None`, the default, keeps nothing.
    pub vision_cache: Option<VisionCache>,
    /// What the model is wanted for: on a CPU, loading refuses what does not fit into
    /// [`memory_limit`](Self::memory_limit) together with it and with all that
    /// [`prefix_cache`](Self::prefix_cache) and [`vision_cache`](Self::vision_cache) may hold in memory.
    ///
    /// Later requests may exceed the workload. Before any work, the prompt and `max_new_tokens` of a request (of a
    /// batch: all of them) are added up; a request beyond the workload is refused with
    /// [`Error::NotEnoughMemory`](crate::Error::NotEnoughMemory) unless it still fits into memory. Keys and values,
    /// images and the widest step count each by itself: one that takes less than planned sets off nothing. What the model's other
    /// conversations hold counts until they are dropped, a clone's as its original's, and so does all that an answer under
    /// way may come to. What is asked of a [`Model`](crate::Model)'s decoder
    /// itself does not count.
    pub workload: Workload,
    /// Bytes that model and [`workload`](Self::workload), or what a request asks beyond it, may take on a CPU.
    /// `None`: what the system has available, where it tells (Linux). With [`u64::MAX`] nothing is refused.
    pub memory_limit: Option<u64>,
    /// How the decoder's matrices are held; as the files have them by default.
    pub precision: Precision,
    /// How keys and values of what was read are held; as the weights are computed by default.
    /// [`KvPrecision::Int8`] halves what a long conversation takes, at the price of a rounding that
    /// answers may show. Only the device `cpu` saves memory by it.
    pub kv_cache: KvPrecision,
    /// Whether what [`precision`](Self::precision) makes of the weights is kept in a file beside
    /// them, `medgemma-<precision>.cache`, so that the next load has nothing to compute. The file is
    /// as large as the quantised weights, and may be read by whoever may read them. Off by default: a
    /// library does not fill disks unasked. Where the folder cannot be written to, the model is loaded all
    /// the same, with a warning in the log, and quantised anew each time. What shows that a file no longer
    /// fits the weights, and what does not, is told by
    /// [`Loader::with_cache`](medgemma_tensor::checkpoint::Loader::with_cache).
    pub cache_quantized: bool,
    /// Where the vision part is, if the model is a GGUF file.
    pub mmproj: Mmproj,
    /// A log of what the model is asked and answers, in digests: see [`audit`](crate::audit). Loading
    /// hashes the model's files for it, seconds for some gigabytes. `None`, the default, records nothing.
    pub audit: Option<Audit>,
}

impl<'a> LoadOptions<'a> {
    /// Sets [`progress`](Self::progress).
    #[must_use]
    pub fn with_progress(
        mut self,
        observer: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'a,
    ) -> Self {
        self.progress = Some(Box::new(observer));
        self
    }

    /// Sets [`resizer`](Self::resizer).
    #[must_use]
    pub fn with_resizer(mut self, resizer: Resizer) -> Self {
        self.resizer = Some(resizer);
        self
    }

    /// Sets [`pad_to_square`](Self::pad_to_square).
    #[must_use]
    pub fn with_pad_to_square(mut self, pad: bool) -> Self {
        self.pad_to_square = Some(pad);
        self
    }

    /// Sets [`workload`](Self::workload).
    #[must_use]
    pub fn with_workload(mut self, workload: Workload) -> Self {
        self.workload = workload;
        self
    }

    /// Sets [`memory_limit`](Self::memory_limit).
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Sets [`precision`](Self::precision).
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Sets [`kv_cache`](Self::kv_cache).
    #[must_use]
    pub fn with_kv_cache(mut self, precision: KvPrecision) -> Self {
        self.kv_cache = precision;
        self
    }

    /// Sets [`cache_quantized`](Self::cache_quantized).
    #[must_use]
    pub fn with_cache_quantized(mut self, keep: bool) -> Self {
        self.cache_quantized = keep;
        self
    }

    /// Takes the vision part of a GGUF model from this file.
    #[must_use]
    pub fn with_mmproj(mut self, path: impl Into<PathBuf>) -> Self {
        self.mmproj = Mmproj::File(path.into());
        self
    }

    /// Loads a GGUF model without a vision part, whatever lies beside it.
    #[must_use]
    pub fn without_mmproj(mut self) -> Self {
        self.mmproj = Mmproj::Absent;
        self
    }

    /// Sets [`prefix_cache`](Self::prefix_cache).
    #[must_use]
    pub fn with_prefix_cache(mut self, bytes: usize) -> Self {
        self.prefix_cache = Some(bytes);
        self
    }

    /// Sets [`vision_cache`](Self::vision_cache).
    #[must_use]
    pub fn with_vision_cache(mut self, cache: VisionCache) -> Self {
        self.vision_cache = Some(cache);
        self
    }

    /// Sets [`audit`](Self::audit).
    #[must_use]
    pub fn with_audit(mut self, audit: Audit) -> Self {
        self.audit = Some(audit);
        self
    }

    /// Sets [`pan_and_scan`](Self::pan_and_scan).
    #[must_use]
    pub fn with_pan_and_scan(mut self, on: bool) -> Self {
        self.pan_and_scan = Some(on);
        self
    }
}

impl fmt::Debug for LoadOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadOptions")
            .field("progress", &self.progress.is_some())
            .field("resizer", &self.resizer)
            .field("pad_to_square", &self.pad_to_square)
            .field("pan_and_scan", &self.pan_and_scan)
            .field("prefix_cache", &self.prefix_cache)
            .field("vision_cache", &self.vision_cache)
            .field("workload", &self.workload)
            .field("memory_limit", &self.memory_limit)
            .field("precision", &self.precision)
            .field("kv_cache", &self.kv_cache)
            .field("cache_quantized", &self.cache_quantized)
            .field("mmproj", &self.mmproj)
            .field("audit", &self.audit)
            .finish()
    }
}

/// How far the work is where there is no text to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Images encoded, of those in the prompt (pan-and-scan crops count).
    Images {
        /// Encoded so far.
        done: usize,
        /// In all.
        total: usize,
    },
    /// Tokens read, of those that are new in the prompt (soft tokens count).
    Prefill {
        /// Read so far.
        done: usize,
        /// In all.
        total: usize,
    },
    /// A token was written of which nothing can be shown yet, or ever: part of a character, of what may be a stop
    /// string, or without a text.
    Written {
        /// Written so far.
        tokens: usize,
    },
}

/// Told [`Progress`]; [`ControlFlow::Break`] stops the work at that point.
pub type Observer<'a> = Box<dyn FnMut(Progress) -> ControlFlow<()> + Send + 'a>;
