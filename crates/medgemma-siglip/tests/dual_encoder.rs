//! The dual encoder against transformers 5.23, stage by stage, on every backend of this build.
//!
//! The goldens are written by `crates/medgemma-testkit/golden/generate_siglip.py`, which also measures
//! how far known faults move the reference's own results.

use std::path::Path;

use medgemma_siglip::{DUAL_RENAMES, DualEncoder, IGNORED, SiglipConfig, Stage};
use medgemma_tensor::checkpoint::{Loader, SafetensorsDir};
use medgemma_tensor::{Backend, Device, Error, Tensor, ops, tensor_from, vec_from};
use medgemma_testkit::{Array, Golden, Scratch, Tensors, checkpoint, closeness};

/// Largest error relative to the golden's largest magnitude. The reference's own noise is 1.5e-6.
const TOLERANCE: f32 = 1e-4;

/// The same where the CPU rounds activations to bf16, as bf16 weights ask for.
const BF16_TOLERANCE: f32 = 2e-2;

/// Every device to test; see the test kit.
fn devices() -> Vec<Device> {
    medgemma_testkit::devices(|error| matches!(error, Error::BackendNotCompiled { .. }))
}

fn cpu() -> Device {
    Device::cpu().expect("compiled in")
}

fn load(directory: &Path, device: &Device) -> DualEncoder {
    let config = SiglipConfig::read(directory).expect("sound configuration");
    assert!(config.unknown_keys.is_empty(), "{:?}", config.unknown_keys);
    let source = SafetensorsDir::open(directory).expect("sound checkpoint");
    let loader = Loader::new(&source, DUAL_RENAMES, device).expect("distinct names");
    let mut loader = loader.with_ignored(IGNORED);
    let parameters = config.parameters();
    let model = DualEncoder::load(&mut loader, config).expect("every weight");
    let report = loader.finish().expect("no weight is left");
    assert_eq!(report.parameters, parameters);
    model
}

/// What the golden's stage is called, behind `vision.` or `text.`.
fn name(stage: Stage) -> String {
    match stage {
        Stage::Embeddings => "embeddings".to_owned(),
        Stage::Layer(i) => format!("layer.{i}"),
        Stage::PostLayernorm => "post_layernorm".to_owned(),
        Stage::FinalLayerNorm => "final_layer_norm".to_owned(),
        Stage::Attended => "attended".to_owned(),
        Stage::Pooled => "pooled".to_owned(),
        other => panic!("{other:?} has no golden"),
    }
}

/// One golden, and how each of its stages was met: key and error, in the order of computation.
struct Comparison {
    golden: Golden,
    name: &'static str,
    tolerance: f32,
    found: Vec<(String, Result<f32, String>)>,
}

impl Comparison {
    /// Runs the whole model on what the golden holds.
    fn of(model: &DualEncoder, name: &'static str) -> Self {
        let rounds = model.device().backend() == Backend::Cpu && name.starts_with("siglip-bf16");
        let mut this = Self {
            golden: Golden::named(name),
            name,
            tolerance: if rounds { BF16_TOLERANCE } else { TOLERANCE },
            found: Vec::new(),
        };
        let images = this.images(model);
        let texts = this.texts(model);
        let logits = model.logits_per_image(images, texts).expect("comparable");
        this.compare("logits_per_image", logits, None);
        this
    }

    fn images(&mut self, model: &DualEncoder) -> Tensor<2> {
        let pixels = pixels(&self.golden);
        let &[images, c, h, w] = pixels.shape.as_slice() else {
            panic!("pixels of shape {:?}", pixels.shape)
        };
        let mut embeds = Vec::new();
        for (image, values) in pixels.data.chunks_exact(c * h * w).enumerate() {
            let input = tensor_from(values.to_vec(), [c, h, w], model.device());
            let observe = &mut |stage, x: &Tensor<2>| {
                let key = format!("vision.{}", name(stage));
                self.compare(&key, x.clone(), Some((image, images)));
            };
            let embedded = model.embed_image_observed(input, observe);
            embeds.push(embedded.expect("the golden's pixels fit"));
        }
        let embeds = Tensor::cat(embeds, 0);
        self.compare("image_embeds", embeds.clone(), None);
        embeds
    }

    fn texts(&mut self, model: &DualEncoder) -> Tensor<2> {
        let texts = texts(&self.golden);
        let observe = &mut |stage, x: &Tensor<2>| {
            self.compare(&format!("text.{}", name(stage)), x.clone(), None);
        };
        let embedded = model.embed_texts_observed(&texts, observe);
        let embeds = embedded.expect("the golden's ids fit");
        self.compare("text_embeds", embeds.clone(), None);
        embeds
    }

    /// Compares rows with those of `key`; with `part` (i, n), with the i-th of n equal parts.
    fn compare(&mut self, key: &str, found: Tensor<2>, part: Option<(usize, usize)>) {
        let mut expected = self.golden.f32(key);
        let width = expected.shape.last().copied().expect("at least one axis");
        if let Some((i, n)) = part {
            let one = expected.data.len() / n;
            expected.data = expected.data[i * one..][..one].to_vec();
        }
        expected.shape = vec![expected.data.len() / width, width];
        let shape = found.dims();
        let found = vec_from(found, "stage").expect("readable");
        let result = closeness(&shape, &found, &expected, self.tolerance);
        let told = result.map_err(|e| format!("{} {key}: {e}", self.name));
        self.found.push((key.to_owned(), told));
    }

    #[track_caller]
    fn assert(self, device: &Device) {
        let distinct = self.golden.names().filter(|key| key.contains("embed"));
        assert!(
            distinct.count() >= 4,
            "embeddings and embeds of both towers"
        );
        for (_, result) in self.found {
            if let Err(message) = result {
                panic!("{device}: {message}");
            }
        }
    }

    /// Where an error first shows.
    fn first(&self) -> Option<&str> {
        let mut wrong = self.found.iter().filter(|(_, result)| result.is_err());
        wrong.next().map(|(key, _)| key.as_str())
    }

    /// The largest error of those that are allowed.
    fn worst(&self) -> f32 {
        let errors = self.found.iter().filter_map(|(_, e)| e.as_ref().ok());
        errors.fold(0.0, |worst, e| worst.max(*e))
    }
}

/// `[n, c, h, w]`; where the golden would be too large, it holds the lines that the pixels are sums of.
fn pixels(golden: &Golden) -> Array<f32> {
    if golden.has("pixel_values") {
        return golden.f32("pixel_values");
    }
    let (down, across) = (golden.f32("pixels_down"), golden.f32("pixels_across"));
    let lines = down.rows().zip(across.rows());
    let data = lines.flat_map(|(down, across)| {
        let rows = down.iter();
        rows.flat_map(move |y| across.iter().map(move |x| y + x))
    });
    Array {
        shape: vec![1, down.shape[0], down.shape[1], across.shape[1]],
        data: data.collect(),
    }
}

/// The ids of each text, without the padding that the model has to add.
fn texts(golden: &Golden) -> Vec<Vec<u32>> {
    let length = golden.i64("input_ids").shape[1];
    let ids = golden.ids("input_ids");
    let unpadded = |row: &[u32]| {
        let end = row.iter().rposition(|&id| id != 1).map_or(0, |i| i + 1);
        row[..end].to_vec()
    };
    ids.chunks_exact(length).map(unpadded).collect()
}

/// Stages of one picture, stages of all texts, embeddings of both, logits.
const fn stages(pictures: usize, vision_layers: usize, text_layers: usize) -> usize {
    pictures * (vision_layers + 4) + 1 + text_layers + 3 + 1 + 1
}

#[test]
fn every_stage_equals_the_reference() {
    for device in devices() {
        let model = load(&checkpoint("siglip"), &device);
        let found = Comparison::of(&model, "siglip.native");
        assert_eq!(found.found.len(), stages(3, 3, 4));
        found.assert(&device);
    }
}

#[test]
fn pictures_of_other_sizes_equal_the_reference() {
    for device in devices() {
        let model = load(&checkpoint("siglip"), &device).with_interpolation(true);
        Comparison::of(&model, "siglip.larger").assert(&device);
        Comparison::of(&model, "siglip.flat").assert(&device);
        // Its own size is nothing to be interpolated.
        Comparison::of(&model, "siglip.native").assert(&device);
    }
}

#[test]
fn what_a_config_leaves_out_is_the_class_default() {
    for device in devices() {
        let model = load(&checkpoint("siglip-defaults"), &device);
        let found = Comparison::of(&model, "siglip-defaults.native");
        assert_eq!(found.found.len(), stages(1, 2, 12));
        found.assert(&device);
    }
}

#[test]
fn half_precision_weights_are_as_good_as_their_arithmetic() {
    for device in devices() {
        let model = load(&checkpoint("siglip-bf16"), &device);
        let found = Comparison::of(&model, "siglip-bf16.native");
        assert!(found.worst() > 0.0, "nothing was compared");
        found.assert(&device);
    }
}

/// A published checkpoint in one file, behind a wrapper's prefix, with a buffer that old releases save.
#[test]
fn one_file_and_other_dialects_load_the_same_model() {
    let scratch = Scratch::of("siglip").edit(|tensors| {
        let mut renamed =
            std::mem::take(tensors).renamed(|key| Some(format!("base_model.model.{key}")));
        let ids = renamed
            .get("base_model.model.logit_bias")
            .expect("there")
            .clone();
        renamed.insert("text_model.embeddings.position_ids", ids.clone());
        renamed.insert("vision_model.embeddings.position_ids", ids);
        *tensors = renamed;
    });
    let model = load(scratch.path(), &cpu());
    Comparison::of(&model, "siglip.native").assert(&cpu());
}

/// What each fault in the weights leaves untouched, and where it first shows.
#[test]
fn the_goldens_have_teeth() {
    type Break = fn(&mut Tensors);
    const HEAD: &str = "vision_model.head.";
    let faults: [(&str, &str, Break); 20] = [
        ("probe left out", "vision.attended", |t| {
            t.scale("vision_model.head.probe", 0.0);
        }),
        ("in_proj as queries, values, keys", "vision.attended", |t| {
            in_proj(t, [0, 2, 1]);
        }),
        ("in_proj as keys, queries, values", "vision.attended", |t| {
            in_proj(t, [1, 0, 2]);
        }),
        ("in_proj as values, keys, queries", "vision.attended", |t| {
            in_proj(t, [2, 1, 0]);
        }),
        ("in_proj bias left out", "vision.attended", |t| {
            t.scale("vision_model.head.attention.in_proj_bias", 0.0);
        }),
        (
            "lanes of the pooling heads in turn",
            "vision.attended",
            |t| {
                let key = "vision_model.head.attention.in_proj_weight";
                t.permute_rows(key, |row, _| match row {
                    0..60 => row,
                    _ => 60 + (row - 60) % 3 * 10 + (row - 60) / 3,
                });
            },
        ),
        ("out_proj bias left out", "vision.attended", |t| {
            t.scale("vision_model.head.attention.out_proj.bias", 0.0);
        }),
        ("norm of the head with 1 + weight", "vision.pooled", |t| {
            t.map(&format!("{HEAD}layernorm.weight"), |w| 1.0 + w);
        }),
        ("norm's bias of the head left out", "vision.pooled", |t| {
            t.scale(&format!("{HEAD}layernorm.bias"), 0.0);
        }),
        ("MLP of the head left out", "vision.pooled", |t| {
            t.scale(&format!("{HEAD}mlp.fc2.weight"), 0.0);
            t.scale(&format!("{HEAD}mlp.fc2.bias"), 0.0);
        }),
        ("text positions left out", "text.embeddings", |t| {
            t.scale("text_model.embeddings.position_embedding.weight", 0.0);
        }),
        ("text positions off by one", "text.embeddings", |t| {
            let key = "text_model.embeddings.position_embedding.weight";
            t.permute_rows(key, |row, rows| (row + 1) % rows);
        }),
        ("token rows in reverse", "text.embeddings", |t| {
            t.reverse_rows("text_model.embeddings.token_embedding.weight");
        }),
        ("text queries and keys exchanged", "text.layer.2", |t| {
            let layer = "text_model.encoder.layers.2.self_attn.";
            t.exchange(
                &format!("{layer}q_proj.weight"),
                &format!("{layer}k_proj.weight"),
            );
        }),
        ("text norms exchanged", "text.layer.1", |t| {
            let norm = |n| format!("text_model.encoder.layers.1.layer_norm{n}.weight");
            t.exchange(&norm(1), &norm(2));
        }),
        ("final norm with 1 + weight", "text.final_layer_norm", |t| {
            t.map("text_model.final_layer_norm.weight", |w| 1.0 + w);
        }),
        ("bias of the text head left out", "text.pooled", |t| {
            t.scale("text_model.head.bias", 0.0);
        }),
        ("logit_scale without exp", "logits_per_image", |t| {
            t.map("logit_scale", f32::ln);
        }),
        ("logit_bias left out", "logits_per_image", |t| {
            t.scale("logit_bias", 0.0);
        }),
        ("logit_bias subtracted", "logits_per_image", |t| {
            t.scale("logit_bias", -1.0);
        }),
    ];
    for (fault, first, change) in faults {
        let scratch = Scratch::of("siglip").edit(change);
        let found = Comparison::of(&load(scratch.path(), &cpu()), "siglip.native");
        assert_eq!(found.first(), Some(first), "{fault}");
    }
}

/// Puts the thirds of the head's stacked projections in another order.
fn in_proj(tensors: &mut Tensors, order: [usize; 3]) {
    for part in ["in_proj_weight", "in_proj_bias"] {
        let key = format!("vision_model.head.attention.{part}");
        tensors.permute_rows(&key, |row, rows| {
            order[row / (rows / 3)] * (rows / 3) + row % (rows / 3)
        });
    }
}

/// Each tower has an epsilon of its own, and the pooling head that of the vision tower.
#[test]
fn epsilons_other_than_the_configs_are_noticed() {
    for (part, first) in [
        ("vision_config", "vision.layer.0"),
        ("text_config", "text.layer.0"),
    ] {
        let scratch = Scratch::of("siglip").edit_json("config.json", |config| {
            config[part]["layer_norm_eps"] = 1e-6.into();
        });
        let found = Comparison::of(&load(scratch.path(), &cpu()), "siglip.native");
        assert_eq!(found.first(), Some(first), "{part}");
        let vision = found.found.iter().filter(|(key, _)| key == "vision.pooled");
        let wrong = vision.filter(|(_, result)| result.is_err()).count();
        assert_eq!(wrong, if part == "vision_config" { 3 } else { 0 });
    }
}

/// The positions of the interpolated golden are of the grid: row by row, and the same ones.
#[test]
fn interpolated_positions_are_noticed() {
    type Break = fn(&mut Tensors);
    const POSITIONS: &str = "vision_model.embeddings.position_embedding.weight";
    let faults: [(&str, Break); 3] = [
        ("column by column", |t| {
            t.permute_rows(POSITIONS, |row, _| row % 4 * 4 + row / 4);
        }),
        ("in reverse", |t| t.reverse_rows(POSITIONS)),
        ("left out", |t| t.scale(POSITIONS, 0.0)),
    ];
    for (fault, change) in faults {
        let scratch = Scratch::of("siglip").edit(change);
        let model = load(scratch.path(), &cpu()).with_interpolation(true);
        let found = Comparison::of(&model, "siglip.larger");
        assert_eq!(found.first(), Some("vision.embeddings"), "{fault}");
    }
}

/// A grid of as many patches as the model's, or of as many rows, is another grid all the same.
#[test]
fn positions_follow_the_grid_of_the_picture() {
    const EMBEDDINGS: &str = "vision_model.embeddings.";
    // Nothing is left of the patches, so that the embeddings are the positions.
    let scratch = Scratch::of("siglip").edit(|t| {
        t.scale(&format!("{EMBEDDINGS}patch_embedding.weight"), 0.0);
        t.scale(&format!("{EMBEDDINGS}patch_embedding.bias"), 0.0);
    });
    let learned = scratch.tensors();
    let learned = learned.get(&format!("{EMBEDDINGS}position_embedding.weight"));
    let learned = learned.expect("there").to_f32();
    for device in devices() {
        let model = load(scratch.path(), &device).with_interpolation(true);
        let numbers = |x: Tensor<2>| vec_from(x, "positions").expect("readable");
        for [rows, columns] in [[2, 8], [8, 2], [4, 3], [3, 4], [1, 1], [4, 4]] {
            let shape = [3, 6 * rows + 5, 6 * columns];
            let pixels = tensor_from(vec![0.5; shape.iter().product()], shape, &device);
            let mut found = Vec::new();
            let observe = &mut |stage, x: &Tensor<2>| {
                if stage == Stage::Embeddings {
                    found = numbers(x.clone());
                }
            };
            model.embed_image_observed(pixels, observe).expect("fits");
            let grid = tensor_from(learned.clone(), [16, 30], &device);
            let expected = numbers(ops::interpolate_grid(grid, 4, [rows, columns], &device));
            assert_eq!(found.len(), rows * columns * 30);
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-5, "{device} {rows}x{columns}: {a} {b}");
            }
        }
    }
}

/// More texts than run together are the same as each alone, in their order; texts never see each other.
#[test]
fn many_texts_are_encoded_as_each_alone() {
    let texts: Vec<Vec<u32>> = (0..19)
        .map(|text| {
            (0..text % 10)
                .map(|i| 2 + (7 * text + 11 * i) % 99)
                .collect()
        })
        .collect();
    for device in devices() {
        let model = load(&checkpoint("siglip"), &device);
        let numbers = |x: Tensor<2>| vec_from(x, "embeddings").expect("readable");
        let together = numbers(model.embed_texts(&texts).expect("they fit"));
        assert_eq!(together.len(), 19 * 30);
        for (text, row) in texts.iter().zip(together.chunks_exact(30)) {
            let alone = model.embed_texts(std::slice::from_ref(text));
            let alone = numbers(alone.expect("it fits"));
            let length: f32 = row.iter().map(|x| x * x).sum();
            assert!((length - 1.0).abs() < 1e-5, "{device}: length² {length}");
            for (a, b) in row.iter().zip(&alone) {
                assert!((a - b).abs() < 1e-5, "{device}: {a} {b}");
            }
        }
    }
}

/// Full rows are taken as they are, and shorter ones are filled with the configuration's id.
#[test]
fn padding_is_the_configurations() {
    let full = vec![
        vec![5, 7, 1, 1, 1, 1, 1, 1, 1],
        vec![5, 7, 0, 0, 0, 0, 0, 0, 0],
    ];
    let numbers = |model: &DualEncoder, texts: &[Vec<u32>]| {
        vec_from(model.embed_texts(texts).expect("they fit"), "embeddings").expect("readable")
    };
    let model = load(&checkpoint("siglip"), &cpu());
    let scratch = Scratch::of("siglip").edit_json("config.json", |config| {
        config["text_config"]["pad_token_id"] = 0.into();
    });
    let other = load(scratch.path(), &cpu());
    let rows = numbers(&model, &full);
    assert_eq!(rows, numbers(&other, &full));
    assert_eq!(rows[..30], numbers(&model, &[vec![5, 7]]));
    assert_eq!(rows[..30], numbers(&model, &[vec![5, 7, 1]]));
    assert_eq!(rows[30..], numbers(&other, &[vec![5, 7]]));
    assert_ne!(rows[..30], rows[30..]);
}
