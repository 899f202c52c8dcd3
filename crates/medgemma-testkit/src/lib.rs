//! Test material of the workspace: golden reader, comparison, tiny checkpoints. Unpublished.
//!
//! The checkpoints (`checkpoints/`) are random Gemma 3 models with shapes chosen so that faults
//! show; the goldens (`golden/data/`) are what transformers 5.23.0 computes from them, stage by
//! stage. `golden/README.md` lists both, and `golden/generate.py` writes them.
//!
//! This crate serves tests only, so unlike the others it panics when its files are not as they
//! should be, with a message that names the file and the key.

mod broken;
mod close;
mod devices;
mod dialect;
mod gguf;
mod golden;
mod mutate;
mod paths;
mod scratch;
mod tensors;

// The public interface is:
pub use broken::Fault;
pub use close::{Mismatch, assert_close, closeness};
pub use devices::devices;
pub use dialect::{Dialect, dialect, narrow_window};
pub use gguf::{GgufFile, GgufTensor};
pub use golden::{Array, Golden};
pub use paths::{GEMMA, checkpoint, gguf, golden_names, golden_path, picture};
pub use scratch::Scratch;
pub use tensors::{Stored, Tensors};
