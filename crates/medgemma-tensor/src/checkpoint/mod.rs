//! Checkpoints: from a directory of files to the weights of a model, strictly and without copies.
//!
//! [`SafetensorsDir`] and [`GgufPair`] map and judge the files; [`Rename`] tables turn any dialect of tensor names
//! into the canonical one; a [`Loader`] hands the model each tensor it asks for, checked for shape
//! and kind, and in the end complains of every tensor nobody asked for.
//!
//! Nothing here trusts a file: corrupt, truncated or lying ones are errors that name file and key.

mod cache;
mod convert;
mod gguf;
mod header;
mod index;
mod json;
mod loader;
mod map;
mod members;
mod names;
mod precision;
mod safetensors;
mod source;

pub use gguf::{Gguf, GgufMetadata, GgufPair};
pub use header::MAX_HEADER_BYTES;
pub use json::{ConfigObject, MAX_CONFIG_LAYERS, MAX_CONFIG_SIZE, MAX_JSON_BYTES, read_json};
pub use loader::{LoadObserver, LoadReport, Loader, Scope};
pub use map::{MappedBytes, map_file};
pub use names::{Ignore, Rename, canonical};
pub use precision::{Precision, Quantize};
pub use safetensors::{SafetensorsDir, is_adapter};
pub use source::{StoredDtype, TensorInfo, WeightSource};
