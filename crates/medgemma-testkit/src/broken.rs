//! Checkpoints that a loader must refuse, each with what its error has to name.

use std::fs;

use safetensors::Dtype;
use serde_json::json;

use crate::{Scratch, Stored, Tensors};

const NORM: &str = "language_model.model.norm.weight";
const QUERY: &str = "language_model.model.layers.3.self_attn.q_proj.weight";
const PROJECTION: &str = "multi_modal_projector.mm_input_projection_weight";
const SURPLUS: &str = "language_model.model.layers.0.self_attn.q_proj.bias";
const SECOND: &str = "model-00002-of-00002.safetensors";

/// One way in which a checkpoint directory can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A tensor that the configuration calls for is absent.
    MissingTensor,
    /// A whole decoder layer more than the configuration has.
    SurplusLayer,
    /// A tensor that no field of the model takes.
    SurplusTensor,
    /// A tensor with its two axes exchanged.
    TransposedTensor,
    /// A tensor with one row too many.
    ExtraRow,
    /// A tensor of integers where floats belong.
    IntegerTensor,
    /// The last weight file ends before its last tensor does.
    TruncatedFile,
    /// A weight file shorter than the eight bytes of its header's length.
    TinyFile,
    /// A header length of 2⁶³.
    EndlessHeader,
    /// A header that is no JSON.
    GarbledHeader,
    /// A header that puts a tensor past the end of the file.
    LyingOffsets,
    /// A header whose shape needs more bytes than its offsets give.
    LyingShape,
    /// The index names a file that is not there.
    MissingShard,
    /// The index puts a tensor in a file that does not hold it.
    WrongShard,
    /// No configuration.
    MissingConfig,
    /// A configuration that is cut off.
    GarbledConfig,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 16] = [
        Self::MissingTensor,
        Self::SurplusLayer,
        Self::SurplusTensor,
        Self::TransposedTensor,
        Self::ExtraRow,
        Self::IntegerTensor,
        Self::TruncatedFile,
        Self::TinyFile,
        Self::EndlessHeader,
        Self::GarbledHeader,
        Self::LyingOffsets,
        Self::LyingShape,
        Self::MissingShard,
        Self::WrongShard,
        Self::MissingConfig,
        Self::GarbledConfig,
    ];

    /// What the loader's error must name: the last part of the tensor's key, or the file.
    #[must_use]
    pub fn must_name(self) -> &'static str {
        match self {
            Self::MissingTensor => "norm.weight",
            Self::SurplusLayer => "layers.8.",
            Self::SurplusTensor => "layers.0.self_attn.q_proj.bias",
            Self::TransposedTensor => "mm_input_projection_weight",
            Self::ExtraRow | Self::IntegerTensor => "layers.3.self_attn.q_proj.weight",
            Self::MissingShard => "model-00003-of-00003.safetensors",
            Self::MissingConfig | Self::GarbledConfig => "config.json",
            _ => SECOND,
        }
    }

    /// `mm-2025` with this fault and no other.
    ///
    /// # Panics
    /// If the directory cannot be written.
    #[must_use]
    pub fn directory(self) -> Scratch {
        let scratch = Scratch::of("mm-2025");
        match self {
            Self::MissingTensor
            | Self::SurplusLayer
            | Self::SurplusTensor
            | Self::TransposedTensor
            | Self::ExtraRow
            | Self::IntegerTensor => scratch.edit(|tensors| self.in_tensors(tensors)),
            Self::MissingShard | Self::WrongShard => self.in_index(scratch),
            Self::MissingConfig => {
                fs::remove_file(scratch.file("config.json")).expect("the copy has a configuration");
                scratch
            }
            Self::GarbledConfig => {
                rewrite(&scratch, "config.json", |bytes| {
                    bytes.truncate(bytes.len() / 2)
                });
                scratch
            }
            _ => {
                rewrite(&scratch, SECOND, |bytes| self.in_bytes(bytes));
                scratch
            }
        }
    }

    fn in_tensors(self, tensors: &mut Tensors) {
        match self {
            Self::MissingTensor => drop(tensors.remove(NORM)),
            Self::SurplusTensor => {
                drop(tensors.insert(SURPLUS, Stored::from_f32(&[32], &[0.0; 32])))
            }
            Self::SurplusLayer => {
                let layer: Vec<_> = tensors
                    .0
                    .iter()
                    .filter(|(key, _)| key.contains("layers.7."))
                    .collect();
                let copies: Vec<_> = layer
                    .iter()
                    .map(|(k, t)| (k.replace("layers.7.", "layers.8."), (*t).clone()))
                    .collect();
                tensors.0.extend(
                    copies
                        .into_iter()
                        .filter(|(key, _)| key.starts_with("language_model")),
                );
            }
            Self::TransposedTensor => {
                let mut tensor = tensors.remove(PROJECTION);
                tensor.shape.reverse();
                tensors.insert(PROJECTION, tensor);
            }
            Self::ExtraRow => {
                let mut tensor = tensors.remove(QUERY);
                tensor
                    .bytes
                    .extend_from_within(..tensor.bytes.len() / tensor.shape[0]);
                tensor.shape[0] += 1;
                tensors.insert(QUERY, tensor);
            }
            _ => {
                let mut tensor = tensors.remove(QUERY);
                tensor.dtype = Dtype::I32;
                tensors.insert(QUERY, tensor);
            }
        }
    }

    fn in_index(self, scratch: Scratch) -> Scratch {
        scratch.edit_json("model.safetensors.index.json", |index| {
            let file = if self == Self::MissingShard {
                self.must_name()
            } else {
                SECOND
            };
            // the embedding lies in the first file
            index["weight_map"]["language_model.model.embed_tokens.weight"] = json!(file);
        })
    }

    fn in_bytes(self, bytes: &mut Vec<u8>) {
        match self {
            Self::TruncatedFile => bytes.truncate(bytes.len() - 5),
            Self::TinyFile => bytes.truncate(7),
            Self::EndlessHeader => bytes[..8].copy_from_slice(&(1_u64 << 63).to_le_bytes()),
            Self::GarbledHeader => bytes[9] = b'!',
            Self::LyingOffsets => in_header(bytes, |header| {
                header["data_offsets"][1] = json!(1_u64 << 40)
            }),
            _ => in_header(bytes, |header| header["shape"][0] = json!(1_u64 << 40)),
        }
    }
}

/// Changes the header's entry of the file's first tensor.
fn in_header(bytes: &mut Vec<u8>, change: impl FnOnce(&mut serde_json::Value)) {
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
    let end = 8 + usize::try_from(length).expect("the header of a tiny checkpoint is small");
    let mut header: serde_json::Value =
        serde_json::from_slice(&bytes[8..end]).expect("a committed header is JSON");
    let entries = header.as_object_mut().expect("a header is an object");
    let (_, entry) = entries
        .iter_mut()
        .find(|(key, _)| *key != "__metadata__")
        .expect("a file holds tensors");
    change(entry);
    let text = header.to_string().into_bytes();
    let mut out = (text.len() as u64).to_le_bytes().to_vec();
    out.extend_from_slice(&text);
    out.extend_from_slice(&bytes[end..]);
    *bytes = out;
}

fn rewrite(scratch: &Scratch, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = scratch.file(name);
    let mut bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    change(&mut bytes);
    fs::write(&path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}
