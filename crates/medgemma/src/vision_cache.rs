//! Encoded images kept by what they show, so that a second question about a volume does not encode
//! its slices again: soft tokens in memory, and if wanted in files, found by a hash of the pixels.
//!
//! Another thing than `prefix.rs`: that one keeps what the decoder has read, and serves prompts
//! that begin alike; this one keeps what the vision tower made, and serves the same image in any
//! prompt, for a quarter of the memory, and in the next process too.

mod folder;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use medgemma_image::Pixels;
use medgemma_tensor::Device;

use self::folder::Folder;
use crate::error::Result;
use crate::model::SoftTokens;

/// Whether and where encoded images are kept, for
/// [`LoadOptions::vision_cache`](crate::LoadOptions::vision_cache).
///
/// An image of MedGemma 4B takes 2.6 MB (256 × 2560 numbers in f32), a volume of 85 slices 223 MB.
///
/// What is kept is derived from patients' pictures and tells much of what they show. In memory it is
/// gone with the model or by [`Model::clear_vision_cache`](crate::Model::clear_vision_cache); the
/// folder is yours to protect and to delete. On Unix its files can be read by their owner only.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VisionCache {
    /// Bytes in memory; what was not used for longest makes room.
    pub memory: usize,
    /// A folder for files that later processes find again, made if it is missing.
    pub folder: Option<PathBuf>,
    /// Bytes of all files that are kept in [`folder`](Self::folder); what was not used for longest is deleted.
    pub folder_bytes: u64,
}

impl VisionCache {
    /// Keeps this many bytes in memory, and no files.
    #[must_use]
    pub fn in_memory(bytes: usize) -> Self {
        Self {
            memory: bytes,
            folder: None,
            folder_bytes: 0,
        }
    }

    /// Keeps files of this many bytes too, best in a folder of their own: files with other names than those
    /// given here are neither counted nor deleted.
    ///
    /// A file is named by a hash, 64 digits and `.soft`, of the pixels and of a fingerprint of the model: the soft tokens of
    /// a test pattern, made once per loaded model, so that other weights, devices or versions whose
    /// numbers differ in any bit never share files. It is written beside its place and renamed, so
    /// that a reader finds it whole or not at all; it holds a checksum, and one that is damaged is
    /// ignored and written again. A folder that cannot be written to later, or is full, costs only
    /// the time of encoding, and a warning in the log.
    #[must_use]
    pub fn with_folder(mut self, path: impl Into<PathBuf>, bytes: u64) -> Self {
        self.folder = Some(path.into());
        self.folder_bytes = bytes;
        self
    }
}

/// What a [`VisionCache`] has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct VisionCacheUse {
    /// Images in memory.
    pub images: usize,
    /// Bytes that they take.
    pub memory: usize,
    /// Images that were found in memory.
    pub from_memory: u64,
    /// Images that were found in the folder.
    pub from_folder: u64,
    /// Images that had to be encoded.
    pub encoded: u64,
}

/// The cache of one model, shared by its clones.
pub(crate) struct Encodings {
    limit: usize,
    folder: Option<Folder>,
    fingerprint: OnceLock<Fingerprint>,
    kept: Mutex<Kept>,
}

/// What the files of a model have in common.
struct Fingerprint {
    hash: blake3::Hash,
    dims: [usize; 2],
}

#[derive(Default)]
struct Kept {
    /// Counts uses; an entry's last one says how long ago it was.
    uses: u64,
    images: BTreeMap<[u8; 32], (u64, SoftTokens)>,
    told: VisionCacheUse,
}

impl Encodings {
    /// # Errors
    /// [`Error::VisionCacheFolder`](crate::Error::VisionCacheFolder) when the folder cannot be made.
    pub(crate) fn new(options: VisionCache) -> Result<Self> {
        let VisionCache {
            memory,
            folder,
            folder_bytes,
        } = options;
        let folder = folder.map(|path| Folder::new(path, folder_bytes));
        Ok(Self {
            limit: memory,
            folder: folder.transpose()?,
            fingerprint: OnceLock::new(),
            kept: Mutex::default(),
        })
    }

    /// The soft tokens of these pixels: those that are kept, else what `encode` makes of them.
    pub(crate) fn get(
        &self,
        pixels: &Pixels,
        device: &Device,
        encode: &dyn Fn(&Pixels) -> Result<SoftTokens>,
    ) -> Result<SoftTokens> {
        let key = key(pixels);
        if let Some(soft) = self.recall(&key) {
            return Ok(soft);
        }
        let Some(folder) = &self.folder else {
            let soft = encode(pixels)?;
            self.keep(key, soft.clone(), |told| told.encoded += 1);
            return Ok(soft);
        };
        let Fingerprint { hash, dims } = self.fingerprint(pixels.shape, device, encode)?;
        let name = file_key(hash, &key);
        if let Some(values) = folder.read(&name, *dims) {
            let soft = SoftTokens::from_vec(values, *dims, device);
            self.keep(key, soft.clone(), |told| told.from_folder += 1);
            return Ok(soft);
        }
        let soft = encode(pixels)?;
        folder.write(&name, soft.dims(), &soft.to_vec()?);
        self.keep(key, soft.clone(), |told| told.encoded += 1);
        Ok(soft)
    }

    /// Forgets what is in memory; the counts go on.
    pub(crate) fn clear(&self) {
        self.lock().images.clear();
    }

    pub(crate) fn told(&self) -> VisionCacheUse {
        let kept = self.lock();
        VisionCacheUse {
            images: kept.images.len(),
            memory: kept.bytes(),
            ..kept.told
        }
    }

    fn recall(&self, key: &[u8; 32]) -> Option<SoftTokens> {
        let mut kept = self.lock();
        kept.uses += 1;
        let uses = kept.uses;
        let (used, soft) = kept.images.get_mut(key)?;
        *used = uses;
        let soft = soft.clone();
        kept.told.from_memory += 1;
        Some(soft)
    }

    fn keep(&self, key: [u8; 32], soft: SoftTokens, count: impl Fn(&mut VisionCacheUse)) {
        let mut kept = self.lock();
        count(&mut kept.told);
        if bytes(&soft) > self.limit {
            return;
        }
        kept.uses += 1;
        let uses = kept.uses;
        kept.images.insert(key, (uses, soft));
        while kept.bytes() > self.limit {
            let images = kept.images.iter();
            let oldest = images.min_by_key(|(_, (used, _))| *used);
            let Some(key) = oldest.map(|(key, _)| *key) else {
                break;
            };
            kept.images.remove(&key);
        }
    }

    /// Encodes a test pattern once: a checksum of weights, configuration, device and arithmetic,
    /// at the price of one image, where one over the weights would read all of them.
    fn fingerprint(
        &self,
        shape: [usize; 3],
        device: &Device,
        encode: &dyn Fn(&Pixels) -> Result<SoftTokens>,
    ) -> Result<&Fingerprint> {
        if let Some(known) = self.fingerprint.get() {
            return Ok(known);
        }
        let soft = encode(&pattern(shape))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"medgemma vision model\0");
        hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
        hasher.update(b"\0");
        hasher.update(device.name().as_bytes());
        update(&mut hasher, &soft.dims(), &soft.to_vec()?);
        Ok(self.fingerprint.get_or_init(|| Fingerprint {
            hash: hasher.finalize(),
            dims: soft.dims(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // What a thread that panicked left behind is whole: entries are put in and out at once.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        self.images.values().map(|(_, soft)| bytes(soft)).sum()
    }
}

fn bytes(soft: &SoftTokens) -> usize {
    soft.dims().iter().product::<usize>() * size_of::<f32>()
}

/// What an image is known by: its numbers and their shape.
fn key(pixels: &Pixels) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"medgemma pixels\0");
    update(&mut hasher, &pixels.shape, &pixels.data);
    *hasher.finalize().as_bytes()
}

fn file_key(model: &blake3::Hash, pixels: &[u8; 32]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(model.as_bytes());
    hasher.update(pixels);
    hasher.finalize()
}

/// Hashes a shape and numbers, bit for bit.
fn update(hasher: &mut blake3::Hasher, shape: &[usize], values: &[f32]) {
    for &side in shape {
        hasher.update(&(side as u64).to_le_bytes());
    }
    let mut buffer = Vec::with_capacity(1 << 14);
    for chunk in values.chunks(1 << 12) {
        buffer.clear();
        buffer.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
        hasher.update(&buffer);
    }
}

/// Pixels without pattern, between -1 and 1, equal on every machine (an LCG with the constants of
/// Knuth's MMIX).
fn pattern(shape: [usize; 3]) -> Pixels {
    let mut state = 0x4d65_6447_656d_6d61_u64;
    let data = (0..shape.iter().product::<usize>()).map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let byte = state.to_be_bytes()[0];
        f32::from(byte) / 127.5 - 1.0
    });
    Pixels {
        data: data.collect(),
        shape,
    }
}

#[cfg(test)]
mod tests;
