//! What can go wrong between a model directory, a device and a tensor.

use std::io;
use std::path::PathBuf;

use crate::checkpoint::Precision;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors of devices, checkpoints and read-back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The build lacks the backend of a device.
    #[error(
        "device `{device}` is not in this build: enable the Cargo feature `{feature}` of medgemma"
    )]
    BackendNotCompiled {
        /// The device asked for.
        device: String,
        /// The Cargo feature that adds it.
        feature: &'static str,
    },
    /// The backend is compiled in, but the machine has no such device.
    #[error("device `{device}` is not available: {reason}; choose another device")]
    DeviceUnavailable {
        /// The device asked for.
        device: String,
        /// What the backend answered.
        reason: String,
    },
    /// A name that is no precision.
    #[error("precision `{found}` is unknown; use as-is, bf16, int8 or int4")]
    UnknownPrecision {
        /// The name given.
        found: String,
    },
    /// A name that is no precision of a cache.
    #[error("cache precision `{found}` is unknown; use as-weights or int8")]
    UnknownKvPrecision {
        /// The name given.
        found: String,
    },
    /// A tensor could not be read back from the device.
    #[error(
        "reading {what} back from the device failed ({source}); the device may have run out of memory"
    )]
    ReadBack {
        /// Which result was being read.
        what: &'static str,
        /// The backend's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file or directory could not be read.
    #[error("{} cannot be read: {source}; check that it exists and may be read", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
    /// Something other than a regular file stands where one is read: a directory, a pipe.
    #[error("{} is not a regular file, expected one; name the file itself", path.display())]
    NotAFile {
        /// What was found instead of a file.
        path: PathBuf,
    },
    /// The directory holds no weights.
    #[error("{} holds no *.safetensors or .gguf file; point to a model directory as published or to a GGUF file", dir.display())]
    NoWeights {
        /// The directory searched.
        dir: PathBuf,
    },
    /// Several weight files and no index that says how they belong together.
    #[error("{} holds several safetensors files ({}) but neither model.safetensors nor model.safetensors.index.json; add the index or leave one file", dir.display(), some_of(found))]
    AmbiguousWeights {
        /// The directory searched.
        dir: PathBuf,
        /// The files found.
        found: Vec<String>,
    },
    /// A file is not what its name says.
    #[error("{} is corrupt: expected {expected}, found something else ({source}); download it again", path.display())]
    Malformed {
        /// The corrupt file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// What the parser said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file's size contradicts its header.
    #[error("{} should have {expected} bytes, found {found}; the download is incomplete or the file was altered, download it again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The bytes that its header asks for, at least.
        expected: u64,
        /// The bytes there are.
        found: u64,
    },
    /// A header or index is far larger than any real one.
    #[error("{} claims a header or index of {found} bytes, expected at most {limit}; it is not a safetensors file or is corrupt, download it again", path.display())]
    HeaderTooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit: u64,
        /// The size claimed.
        found: u64,
    },
    /// A tensor's entry in a header contradicts itself or the file.
    #[error("{}: tensor `{key}`: expected {expected}, found {found}; the file is corrupt, download it again", path.display())]
    BadEntry {
        /// The file.
        path: PathBuf,
        /// The tensor's key in it.
        key: String,
        /// What would be right.
        expected: String,
        /// What the entry says.
        found: String,
    },
    /// A header or index lists one key twice.
    #[error("{}: expected every tensor once, found `{key}` twice; the file is corrupt, download it again", path.display())]
    DuplicateKey {
        /// The file.
        path: PathBuf,
        /// The doubled key.
        key: String,
    },
    /// An index names a shard outside its own directory, or something that is no name at all.
    #[error("{}: tensor `{key}`: expected a shard inside the model directory, found `{found}`; do not use this checkpoint unless you trust its source and correct the index", path.display())]
    ShardPath {
        /// The index.
        path: PathBuf,
        /// The tensor whose shard it is.
        key: String,
        /// What the index says.
        found: String,
    },
    /// An index promises a tensor that the shard lacks.
    #[error("{} expects tensor `{key}` in {}, found no such tensor there; index and shards are of different downloads, download both again", index.display(), shard.display())]
    IndexedTensorAbsent {
        /// The index.
        index: PathBuf,
        /// The shard.
        shard: PathBuf,
        /// The tensor's key.
        key: String,
    },
    /// A shard holds a tensor that the index does not place there.
    #[error("{} expects no tensor `{key}` in {}, found one; index and shards are of different downloads, download both again", index.display(), shard.display())]
    UnindexedTensor {
        /// The index.
        index: PathBuf,
        /// The shard.
        shard: PathBuf,
        /// The tensor's key.
        key: String,
    },
    /// A key of a config file cannot be used.
    #[error("{}: `{key}`: expected {expected}, found {found}; correct the file or use another checkpoint", path.display())]
    Config {
        /// The config file.
        path: PathBuf,
        /// The key, with the objects it lies in.
        key: String,
        /// What can be used.
        expected: String,
        /// What the file says.
        found: String,
    },
    /// Two tensors of a checkpoint mean the same weight.
    #[error("{}: expected one tensor for `{canonical}`, found both `{first}` and `{second}`; remove one of them from the checkpoint", location.display())]
    NameCollision {
        /// The checkpoint.
        location: PathBuf,
        /// The canonical name.
        canonical: String,
        /// One file key.
        first: String,
        /// The other file key.
        second: String,
    },
    /// A tensor that the model needs is not in the checkpoint.
    #[error("{}: expected a tensor `{key}`, found none{}; check that the configuration belongs to these weights and that no shard is missing", location.display(), closest_hint(closest.as_deref()))]
    MissingTensor {
        /// The checkpoint.
        location: PathBuf,
        /// The canonical key.
        key: String,
        /// The most similar key that is there.
        closest: Option<String>,
    },
    /// Numbers given to a model are not f32.
    #[error("{what} are {found}, expected F32: cast them")]
    NotF32 {
        /// What was given.
        what: &'static str,
        /// Its format, as burn names it.
        found: String,
    },
    /// A tensor's shape is not the one that the config implies.
    #[error("{}: tensor `{key}`: expected shape {expected:?}, found {found:?}; check that the configuration belongs to these weights", path.display())]
    WrongShape {
        /// The file.
        path: PathBuf,
        /// The tensor's key in it.
        key: String,
        /// The shape that the config implies.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor's numbers are of a kind that cannot be loaded.
    #[error("{}: tensor `{key}`: expected dtype {expected}, found {found}; convert the checkpoint to one of these", path.display())]
    WrongDtype {
        /// The file.
        path: PathBuf,
        /// The tensor's key in it.
        key: String,
        /// The kinds that can be loaded.
        expected: &'static str,
        /// The kind in the file.
        found: String,
    },
    /// A matrix that is to be quantised has numbers that no block can hold, and that none should.
    #[error("{}: tensor `{key}`: expected finite numbers to make {precision} of, found some that are infinite or no number; the weights are damaged, download them again", path.display())]
    NonFiniteWeights {
        /// The file.
        path: PathBuf,
        /// The tensor's key in it.
        key: String,
        /// What it was to be held in.
        precision: Precision,
    },
    /// The checkpoint holds tensors that the model does not have.
    #[error("{}: expected no tensors beyond the model's, found {} more: {}; check that the configuration belongs to these weights", location.display(), keys.len(), some_of(keys))]
    SurplusTensors {
        /// The checkpoint.
        location: PathBuf,
        /// All surplus keys as the files spell them.
        keys: Vec<String>,
    },
    /// The caller's observer ended the load.
    #[error("{}: loading was stopped by its observer after {done} of {total} bytes; nothing is loaded, load again", location.display())]
    Stopped {
        /// The checkpoint.
        location: PathBuf,
        /// Bytes handled until then.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
}

/// The first few of `names`, for messages.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        text.push_str(", …");
    }
    text
}

/// A parenthesis about a similar key, if there is one.
fn closest_hint(closest: Option<&str>) -> String {
    closest.map_or_else(String::new, |key| format!(" (the closest is `{key}`)"))
}
