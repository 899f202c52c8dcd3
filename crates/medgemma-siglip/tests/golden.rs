//! The vision tower against transformers 5.23, stage by stage, on every backend of this build.
//!
//! The goldens are written by `crates/medgemma-testkit/golden/generate.py`. Backends other than
//! the CPU's join with `--features medgemma-tensor/ndarray` or `medgemma-tensor/wgpu`.

use std::fs::File;
use std::path::Path;

use medgemma_siglip::{RENAMES, Stage, VisionConfig, VisionTower};
use medgemma_tensor::checkpoint::{Loader, SafetensorsDir};
use medgemma_tensor::{Backend, Device, Error, tensor_from, vec_from};
use medgemma_testkit::{Dialect, Golden, Scratch, Tensors, checkpoint, closeness, dialect};

/// Largest error relative to the golden's largest magnitude. The reference's own noise is 1.5e-6.
const TOLERANCE: f32 = 1e-4;

/// The same where the CPU rounds activations to bf16, as bf16 weights ask for: 2⁻⁹ a product, three
/// layers. The other backends hold these goldens to [`TOLERANCE`].
const BF16_TOLERANCE: f32 = 2e-2;

fn tolerance(name: &str, device: &Device) -> f32 {
    if name.starts_with("mm-bf16") && device.backend() == Backend::Cpu {
        BF16_TOLERANCE
    } else {
        TOLERANCE
    }
}

const PATCHES: &str = "vision_tower.vision_model.embeddings.";
const LAYERS: &str = "vision_tower.vision_model.encoder.layers.";

/// Every device to test; see the test kit.
fn devices() -> Vec<Device> {
    medgemma_testkit::devices(|error| matches!(error, Error::BackendNotCompiled { .. }))
}

fn load(directory: &Path, device: &Device) -> VisionTower {
    let file = directory.join("config.json");
    let json = serde_json::from_reader(File::open(&file).expect("config.json")).expect("JSON");
    let json: serde_json::Value = json;
    let config = VisionConfig::from_json(&file, "vision_config.", &json["vision_config"]);
    let source = SafetensorsDir::open(directory).expect("sound checkpoint");
    let mut loader = Loader::new(&source, RENAMES, device).expect("distinct names");
    for part in [
        "language_model",
        "model.language_model",
        "multi_modal",
        "model.multi_modal",
        "lm_head",
    ] {
        loader.ignore(part, "not the vision tower");
    }
    let tower = VisionTower::load(
        &mut loader.scope("vision_tower"),
        &config.expect("sound config"),
    )
    .expect("every weight of the tower");
    loader
        .finish()
        .expect("the tower takes every tensor of its part");
    tower
}

/// Every stage's error in golden `name`, in order; `Err` where one is above [`tolerance`].
fn stages(tower: &VisionTower, name: &str) -> Vec<(Stage, Result<f32, String>)> {
    let golden = Golden::named(name);
    let pixels = golden.f32("pixel_values");
    let &[images, c, h, w] = pixels.shape.as_slice() else {
        panic!("{name}: pixels of shape {:?}", pixels.shape)
    };
    let mut compared = Vec::new();
    for (image, values) in pixels.data.chunks_exact(c * h * w).enumerate() {
        let input = tensor_from(values.to_vec(), [c, h, w], tower.device());
        let output = tower.forward_observed(input, &mut |stage, x| {
            let key = match stage {
                Stage::Embeddings => "vision.embeddings".to_owned(),
                Stage::Layer(i) => format!("vision.layer.{i}"),
                Stage::PostLayernorm => "vision.post_layernorm".to_owned(),
                other => panic!("{other:?} has no golden"),
            };
            let mut expected = golden.f32(&key);
            assert_eq!(expected.shape.remove(0), images);
            let one = expected.data.len() / images;
            expected.data = expected.data[image * one..][..one].to_vec();
            let found = vec_from(x.clone(), "stage").expect("readable");
            let result = closeness(
                &x.dims(),
                &found,
                &expected,
                tolerance(name, tower.device()),
            );
            compared.push((
                stage,
                result.map_err(|e| format!("{name} {key} image {image}: {e}")),
            ));
        });
        output.expect("the golden's pixels fit");
    }
    assert_eq!(
        compared.len(),
        images * 5,
        "embeddings, three layers, last norm"
    );
    compared
}

fn assert_golden(tower: &VisionTower, name: &str) {
    for (_, result) in stages(tower, name) {
        if let Err(message) = result {
            panic!("{}: {message}", tower.device());
        }
    }
}

#[test]
fn every_stage_equals_the_reference() {
    for device in devices() {
        let tower = load(&checkpoint("mm-2025"), &device);
        for name in [
            "mm-2025.image-first",
            "mm-2025.image-last",
            "mm-2025.two-images",
        ] {
            assert_golden(&tower, name);
        }
    }
}

#[test]
fn half_precision_weights_are_as_good_as_their_arithmetic() {
    for device in devices() {
        let tower = load(&checkpoint("mm-bf16"), &device);
        assert_golden(&tower, "mm-bf16.two-images");
    }
}

#[test]
fn every_dialect_of_names_loads_the_same_tower() {
    let device = Device::cpu().expect("compiled in");
    for spelling in Dialect::ALL.into_iter().filter(|d| d.is_multimodal()) {
        let directory = dialect(spelling);
        assert_golden(&load(directory.path(), &device), "mm-2025.image-first");
    }
}

/// What each fault in the weights leaves untouched, and where it first shows.
#[test]
fn the_goldens_have_teeth() {
    type Break = fn(&mut Tensors);
    let faults: [(&str, Stage, Break); 12] = [
        ("positions in reverse", Stage::Embeddings, |t| {
            t.reverse_rows(&format!("{PATCHES}position_embedding.weight"));
        }),
        ("positions column by column", Stage::Embeddings, |t| {
            let key = format!("{PATCHES}position_embedding.weight");
            t.permute_rows(&key, |row, _| row % 4 * 4 + row / 4);
        }),
        ("patch bias left out", Stage::Embeddings, |t| {
            t.scale(&format!("{PATCHES}patch_embedding.bias"), 0.0);
        }),
        ("queries scaled twice", Stage::Layer(0), |t| {
            t.scale(
                &format!("{LAYERS}0.self_attn.q_proj.weight"),
                10_f32.powf(-0.5),
            );
        }),
        ("queries and keys exchanged", Stage::Layer(1), |t| {
            let (q, k) = ("1.self_attn.q_proj.weight", "1.self_attn.k_proj.weight");
            t.exchange(&format!("{LAYERS}{q}"), &format!("{LAYERS}{k}"));
        }),
        ("lanes of the heads in turn", Stage::Layer(0), |t| {
            let key = format!("{LAYERS}0.self_attn.v_proj.weight");
            t.permute_rows(&key, |row, rows| row % 2 * (rows / 2) + row / 2);
        }),
        ("value bias left out", Stage::Layer(2), |t| {
            t.scale(&format!("{LAYERS}2.self_attn.v_proj.bias"), 0.0);
        }),
        ("query bias left out", Stage::Layer(0), |t| {
            t.scale(&format!("{LAYERS}0.self_attn.q_proj.bias"), 0.0);
        }),
        ("norms exchanged", Stage::Layer(1), |t| {
            for part in ["weight", "bias"] {
                let norm = |n| format!("{LAYERS}1.layer_norm{n}.{part}");
                t.exchange(&norm(1), &norm(2));
            }
        }),
        ("norm with 1 + weight", Stage::Layer(0), |t| {
            t.map(&format!("{LAYERS}0.layer_norm2.weight"), |w| 1.0 + w);
        }),
        ("bias of the MLP left out", Stage::Layer(2), |t| {
            t.scale(&format!("{LAYERS}2.mlp.fc2.bias"), 0.0);
        }),
        ("last norm with 1 + weight", Stage::PostLayernorm, |t| {
            t.map("vision_tower.vision_model.post_layernorm.weight", |w| {
                1.0 + w
            });
        }),
    ];
    let device = Device::cpu().expect("compiled in");
    for (fault, first, change) in faults {
        let scratch = Scratch::of("mm-2025").edit(change);
        let compared = stages(&load(scratch.path(), &device), "mm-2025.image-first");
        let broken = compared.iter().find(|(_, result)| result.is_err());
        let (stage, _) = broken.unwrap_or_else(|| panic!("no golden notices: {fault}"));
        assert_eq!(*stage, first, "{fault}");
    }
}

#[test]
fn epsilons_other_than_the_configs_break_every_layer() {
    let device = Device::cpu().expect("compiled in");
    let scratch = Scratch::of("mm-2025").edit_json("config.json", |config| {
        config["vision_config"]["layer_norm_eps"] = 1e-6.into();
    });
    let compared = stages(&load(scratch.path(), &device), "mm-2025.image-first");
    for (stage, result) in compared {
        assert_eq!(
            result.is_ok(),
            stage == Stage::Embeddings,
            "{stage:?}: {result:?}"
        );
    }
}

#[test]
fn pixels_are_taken_only_from_the_device_of_the_weights() {
    let devices = devices();
    for (tower_on, pixels_on) in devices
        .iter()
        .flat_map(|a| devices.iter().map(move |b| (a, b)))
    {
        let tower = load(&checkpoint("mm-2025"), tower_on);
        let result = tower.forward(tensor_from(vec![0.5; 3 * 28 * 28], [3, 28, 28], pixels_on));
        if tower_on == pixels_on {
            assert_eq!(result.expect("fits").dims(), [16, 20]);
        } else {
            let error = result.expect_err("another device").to_string();
            assert!(error.contains(tower_on.name()), "{error}");
        }
    }
}
