//! Loading the tiny checkpoints and cutting golden prompts into segments.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::Path;

use medgemma_gemma3::{Decoder, IGNORED, RENAMES, Segment, TextConfig};
use medgemma_tensor::checkpoint::{Loader, SafetensorsDir, read_json};
use medgemma_tensor::{Device, Error, tensor_from};
use medgemma_testkit::Golden;

/// Every device to test; see the test kit.
pub(crate) fn devices() -> Vec<Device> {
    medgemma_testkit::devices(|error| matches!(error, Error::BackendNotCompiled { .. }))
}

/// The decoder of a checkpoint directory, multimodal or not; only the pictures' part is left aside.
pub(crate) fn decoder(dir: &Path, device: &Device) -> Decoder {
    let file = dir.join("config.json");
    let json = read_json(&file).expect("the checkpoint has a config.json");
    let config = match json.get("text_config") {
        Some(text) => TextConfig::from_json(&file, "text_config.", text),
        None => TextConfig::from_json(&file, "", &json),
    };
    let source = SafetensorsDir::open(dir).expect("the checkpoint opens");
    let renames: Vec<_> = PICTURES.iter().chain(RENAMES).copied().collect();
    let mut loader = Loader::new(&source, &renames, device)
        .expect("names are unambiguous")
        .with_ignored(IGNORED);
    loader.ignore("vision_tower.", "only the decoder is tested");
    loader.ignore("multi_modal_projector.", "only the decoder is tested");
    let decoder = Decoder::load(
        &mut loader,
        config.expect("the configuration is valid"),
        device,
    )
    .expect("the decoder loads");
    loader
        .finish()
        .expect("no tensor of the decoder is left over");
    decoder
}

const PICTURES: &[medgemma_tensor::checkpoint::Rename] = &[
    medgemma_tensor::checkpoint::Rename::new("model.vision_tower.", "vision_tower.", "in memory"),
    medgemma_tensor::checkpoint::Rename::new(
        "model.multi_modal_projector.",
        "multi_modal_projector.",
        "in memory",
    ),
];

/// The prompt of a golden: its ids, with each run of soft tokens replaced by the reference's
/// embeddings of its images. Images without an id between them form one segment, as in the
/// reference.
pub(crate) fn prompt(golden: &Golden, soft_token: u32, device: &Device) -> Vec<Segment> {
    let ids = golden.ids("input_ids");
    let mut rows = golden
        .has("soft_tokens")
        .then(|| golden.f32("soft_tokens"))
        .map_or(Vec::new(), |soft| {
            soft.rows().map(<[f32]>::to_vec).collect::<Vec<_>>()
        });
    ids.chunk_by(|a, b| (*a == soft_token) == (*b == soft_token))
        .map(|run| {
            if run[0] != soft_token {
                return Segment::Tokens(run.to_vec());
            }
            let rest = rows.split_off(run.len());
            let image = std::mem::replace(&mut rows, rest);
            let shape = [image.len(), image[0].len()];
            Segment::Embeddings(tensor_from(image.concat(), shape, device))
        })
        .collect()
}

/// `image_token_index` of the tiny multimodal checkpoints.
pub(crate) fn soft_token(dir: &Path) -> u32 {
    let json = read_json(&dir.join("config.json")).expect("the checkpoint has a config.json");
    let id = json
        .get("image_token_index")
        .or_else(|| json.get("image_token_id"));
    id.and_then(serde_json::Value::as_u64)
        .map_or(u32::MAX, |id| u32::try_from(id).expect("ids are small"))
}
