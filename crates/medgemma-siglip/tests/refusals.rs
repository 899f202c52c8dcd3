//! What the dual encoder refuses: checkpoints that are not whole, and inputs that it was not made for.
//! Each message names the key or the argument, what was expected and what was found.

use std::path::Path;

use medgemma_siglip::{DUAL_RENAMES, DualEncoder, Error, IGNORED, SiglipConfig};
use medgemma_tensor::checkpoint::{Loader, SafetensorsDir};
use medgemma_tensor::{DType, Device, Error as TensorError, tensor_from};
use medgemma_testkit::{Scratch, Stored, Tensors, checkpoint};
use serde_json::Value;

/// Every device to test; see the test kit.
fn devices() -> Vec<Device> {
    medgemma_testkit::devices(|error| matches!(error, TensorError::BackendNotCompiled { .. }))
}

fn cpu() -> Device {
    Device::cpu().expect("compiled in")
}

fn load(directory: &Path, device: &Device) -> Result<DualEncoder, Error> {
    let config = SiglipConfig::read(directory)?;
    let source = SafetensorsDir::open(directory)?;
    let mut loader = Loader::new(&source, DUAL_RENAMES, device)?.with_ignored(IGNORED);
    let model = DualEncoder::load(&mut loader, config)?;
    loader.finish()?;
    Ok(model)
}

fn model() -> DualEncoder {
    load(&checkpoint("siglip"), &cpu()).expect("sound")
}

/// The error of loading `siglip` with these tensors.
fn refusal(tensors: &Tensors) -> TensorError {
    let scratch = Scratch::of("siglip");
    scratch.replace(tensors);
    match load(scratch.path(), &cpu()) {
        Err(Error::Tensor(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("loaded"),
    }
}

#[test]
fn every_key_is_needed_in_its_shape() {
    let whole = Tensors::read_dir(&checkpoint("siglip"));
    let keys: Vec<String> = whole.keys().map(str::to_owned).collect();
    // 16 of a layer, 3 and 4 layers, 16 beside the layers of the vision tower and its head, 6 of the
    // text tower's, and two numbers.
    assert_eq!(keys.len(), 16 * 7 + 5 + 11 + 6 + 2);
    for key in keys {
        let mut without = whole.clone();
        let tensor = without.remove(&key);
        match refusal(&without) {
            TensorError::MissingTensor { key: named, .. } => assert_eq!(named, key),
            other => panic!("{key}: {other}"),
        }
        // One row more than there should be.
        let mut shape = tensor.shape.clone();
        shape[0] += 1;
        let zeros = vec![0.0; shape.iter().product()];
        without.insert(&key, Stored::from_f32(&shape, &zeros));
        match refusal(&without) {
            TensorError::WrongShape {
                key: named,
                expected,
                found,
                ..
            } => assert_eq!((named, expected, found), (key, tensor.shape, shape)),
            other => panic!("{key}: {other}"),
        }
    }
}

#[test]
fn what_no_part_takes_is_refused() {
    for key in [
        "text_model.encoder.layers.4.layer_norm1.weight",
        "vision_model.head.attention.bias_k",
        "vision_model.head.attention.in_proj.weight",
        "text_projection.weight",
        "classifier.weight",
        "logit_scale2",
    ] {
        let mut tensors = Tensors::read_dir(&checkpoint("siglip"));
        tensors.insert(key, Stored::from_f32(&[1], &[1.0]));
        match refusal(&tensors) {
            TensorError::SurplusTensors { keys, .. } => assert_eq!(keys, [key]),
            other => panic!("{key}: {other}"),
        }
    }
}

#[test]
fn weights_that_are_no_floats_are_refused() {
    let mut tensors = Tensors::read_dir(&checkpoint("siglip"));
    let key = "vision_model.head.attention.in_proj_weight";
    let mut tensor = tensors.remove(key);
    tensor.dtype = safetensors::Dtype::I32;
    tensors.insert(key, tensor);
    match refusal(&tensors) {
        TensorError::WrongDtype { key: named, .. } => assert_eq!(named, key),
        other => panic!("{other}"),
    }
}

#[test]
fn configurations_that_do_not_fit_the_weights_are_refused() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 8] = [
        ("layers.4.layer_norm1.weight", |c| {
            c["text_config"]["num_hidden_layers"] = 5.into();
        }),
        ("text_model.encoder.layers.3", |c| {
            c["text_config"]["num_hidden_layers"] = 3.into();
        }),
        ("token_embedding.weight", |c| {
            c["text_config"]["vocab_size"] = 102.into();
        }),
        ("position_embedding.weight", |c| {
            c["text_config"]["max_position_embeddings"] = 64.into();
        }),
        ("position_embedding.weight", |c| {
            c["vision_config"]["image_size"] = 30.into();
        }),
        ("projection_size", |c| {
            c["text_config"]["projection_size"] = Value::Null;
        }),
        ("vision_use_head", |c| {
            c["vision_config"]["vision_use_head"] = false.into();
        }),
        ("model_type", |c| c["model_type"] = "clip".into()),
    ];
    for (named, change) in changes {
        let scratch = Scratch::of("siglip").edit_json("config.json", change);
        let error = load(scratch.path(), &cpu()).expect_err(named).to_string();
        assert!(error.contains(named), "{named}: {error}");
    }
    let scratch = Scratch::of("siglip");
    std::fs::remove_file(scratch.file("config.json")).expect("it was there");
    let error = load(scratch.path(), &cpu()).expect_err("no configuration");
    assert!(error.to_string().contains("config.json"), "{error}");
}

#[test]
fn texts_that_do_not_fit_are_refused_before_any_work() {
    let model = model();
    let fits = vec![100, 2, 1];
    assert!(matches!(model.embed_texts(&[]), Err(Error::NoTexts)));
    let error = model
        .embed_texts(&[fits.clone(), vec![2; 10]])
        .expect_err("ten tokens");
    assert!(
        matches!(
            error,
            Error::TextTooLong {
                text: 1,
                tokens: 10,
                limit: 9
            }
        ),
        "{error}"
    );
    let error = model
        .embed_texts(&[fits.clone(), fits.clone(), vec![5, 101]])
        .expect_err("no such id");
    assert!(
        matches!(
            error,
            Error::TokenOutOfRange {
                text: 2,
                position: 1,
                id: 101,
                vocab_size: 101
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("vocabulary of 101"), "{error}");
    // The longest, the emptiest and the last id are none of these.
    let texts = [vec![100; 9], Vec::new(), fits];
    assert_eq!(model.embed_texts(&texts).expect("fits").dims(), [3, 30]);
}

#[test]
fn pixels_that_do_not_fit_are_refused() {
    let (own, any) = (model(), model().with_interpolation(true));
    let pixels = |shape: [usize; 3]| {
        let values = vec![0.1; shape.iter().product()];
        tensor_from(values, shape, &cpu())
    };
    for shape in [[3, 28, 29], [3, 24, 24], [1, 28, 28], [3, 27, 28]] {
        let error = own.embed_image(pixels(shape)).expect_err("another shape");
        assert!(
            matches!(error, Error::PixelShape { expected: [3, 28, 28], found } if found == shape),
            "{error}"
        );
    }
    for shape in [[3, 5, 28], [3, 28, 5], [1, 28, 28], [4, 28, 28], [3, 0, 28]] {
        let error = any.embed_image(pixels(shape)).expect_err("no patch");
        let fits = matches!(
            error,
            Error::TooFewPixels { channels: 3, patch: 6, found } if found == shape
        );
        assert!(fits, "{error}");
    }
    let smallest = any.embed_image(pixels([3, 6, 11])).expect("one patch");
    assert_eq!(smallest.dims(), [1, 30]);
}

#[test]
fn only_the_models_own_embeddings_are_compared() {
    let devices = devices();
    for (model_on, other_on) in devices
        .iter()
        .flat_map(|a| devices.iter().map(move |b| (a, b)))
    {
        let model = load(&checkpoint("siglip"), model_on).expect("sound");
        let rows = |shape: [usize; 2], device: &Device| {
            tensor_from(vec![0.5; shape[0] * shape[1]], shape, device)
        };
        let right = rows([2, 30], model_on);
        for shape in [[2, 24], [2, 31], [0, 30]] {
            let wrong = rows(shape, model_on);
            for (images, texts) in [(right.clone(), wrong.clone()), (wrong, right.clone())] {
                let error = model.logits_per_image(images, texts).expect_err("width");
                let fits = matches!(
                    error,
                    Error::EmbeddingShape { expected: 30, found } if found == shape
                );
                assert!(fits, "{error}");
            }
        }
        let result = model.logits_per_image(right, rows([4, 30], other_on));
        if model_on == other_on {
            assert_eq!(result.expect("comparable").dims(), [2, 4]);
        } else {
            let error = result.expect_err("another device").to_string();
            assert!(error.contains(model_on.name()), "{error}");
        }
    }
}

#[test]
fn numbers_of_another_format_are_refused() {
    let model = model();
    let halves = |shape: [usize; 2]| {
        tensor_from(vec![0.5; shape[0] * shape[1]], shape, &cpu()).cast(DType::BF16)
    };
    let side = model.config().vision_config.image_size;
    let pixels = halves([3 * side, side]).reshape([3, side, side]);
    let error = model.embed_image(pixels).expect_err("bf16").to_string();
    assert_eq!(error, "pixels are BF16, expected F32: cast them");
    let whole = tensor_from(vec![0.5; 60], [2, 30], &cpu());
    for (images, texts) in [
        (halves([2, 30]), whole.clone()),
        (whole.clone(), halves([2, 30])),
    ] {
        let error = model.logits_per_image(images, texts).expect_err("bf16");
        assert_eq!(
            error.to_string(),
            "embeddings are BF16, expected F32: cast them"
        );
    }
}
