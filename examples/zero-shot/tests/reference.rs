//! The shipped model against transformers on the same files: ids, embeddings, logits.
//!
//! `reference.json` is made by `../train/golden.py`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use medgemma::{Device, Embedding, Image, MedSigLip};
use serde::Deserialize;

/// f16 weights are computed in f32, as the reference computes them.
const TOLERANCE: f32 = 1e-4;

const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/images");
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/model");

#[derive(Deserialize)]
struct Reference {
    pictures: Vec<String>,
    texts: Vec<String>,
    input_ids: Vec<Vec<u32>>,
    image_embeds: Vec<Vec<f32>>,
    text_embeds: Vec<Vec<f32>>,
    logits_per_image: Vec<Vec<f32>>,
}

fn compare(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (found - expected).abs();
        assert!(off < TOLERANCE, "{what}[{index}]: {found}, not {expected}");
    }
}

#[test]
fn pictures_and_texts_have_the_reference_embeddings_and_logits() {
    let reference: Reference = serde_json::from_str(include_str!("reference.json")).unwrap();
    let model = MedSigLip::load(MODEL, &Device::cpu().unwrap()).unwrap();

    let texts: Vec<&str> = reference.texts.iter().map(String::as_str).collect();
    let texts = model.embed_texts(&texts).unwrap();
    for (row, text) in texts.iter().enumerate() {
        compare("text", text.as_slice(), &reference.text_embeds[row]);
    }
    let from_ids: Vec<Embedding> = model.embed_token_ids(&reference.input_ids).unwrap();
    assert_eq!(from_ids, texts, "the texts have other ids");

    let open = |name: &String| Image::open(format!("{IMAGES}/{name}")).unwrap();
    let images: Vec<Image> = reference.pictures.iter().map(open).collect();
    for (row, image) in model.embed_images(&images).unwrap().iter().enumerate() {
        compare("image", image.as_slice(), &reference.image_embeds[row]);
        let logits = model.logits(image, &texts).unwrap();
        compare("logits", &logits, &reference.logits_per_image[row]);
    }
}
