//! GGUF files, the format of llama.cpp: typed metadata and tensors, of which many are stored as
//! blocks of small integers.
//!
//! [`Gguf`] maps and judges one model's file or files, [`GgufPair`] joins a text model and its
//! vision part (`mmproj`) to one [`WeightSource`](super::WeightSource). Nothing is believed on a
//! header's word: every count is held against the bytes that are there before anything is
//! reserved for it.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3,
//! little-endian.

mod file;
mod metadata;
mod pair;
mod reader;
mod tensors;

pub use file::Gguf;
pub use metadata::GgufMetadata;
pub use pair::GgufPair;
