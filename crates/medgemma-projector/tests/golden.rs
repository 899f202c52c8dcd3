//! The projector against transformers 5.23, stage by stage, on every backend of this build.
//!
//! The goldens are written by `crates/medgemma-testkit/golden/generate.py`. Backends other than
//! the CPU's join with `--features medgemma-tensor/ndarray` or `medgemma-tensor/wgpu`.

use std::path::Path;

use medgemma_projector::{Error, Projector, ProjectorConfig, RENAMES, Stage};
use medgemma_tensor::checkpoint::{Loader, SafetensorsDir};
use medgemma_tensor::{DType, Device, Error as TensorError, tensor_from, vec_from};
use medgemma_testkit::{Dialect, Golden, Scratch, Tensors, checkpoint, closeness, dialect};

/// Largest error relative to the golden's largest magnitude. The reference's own noise is 1.5e-6.
const TOLERANCE: f32 = 1e-4;

const NORM: &str = "multi_modal_projector.mm_soft_emb_norm.weight";
const WEIGHT: &str = "multi_modal_projector.mm_input_projection_weight";

/// The sizes in the tiny checkpoints' config.json; epsilon is the vision tower's (0.02), not the
/// decoder's (0.001).
fn config() -> ProjectorConfig {
    ProjectorConfig::new(20, 24, 4, 4, 0.02).expect("sound")
}

/// Every device to test; see the test kit.
fn devices() -> Vec<Device> {
    medgemma_testkit::devices(|error| matches!(error, TensorError::BackendNotCompiled { .. }))
}

fn load(directory: &Path, config: &ProjectorConfig, device: &Device) -> Projector {
    let source = SafetensorsDir::open(directory).expect("sound checkpoint");
    let mut loader = Loader::new(&source, RENAMES, device).expect("distinct names");
    for part in [
        "language_model",
        "model.language_model",
        "vision_tower",
        "model.vision",
        "lm_head",
    ] {
        loader.ignore(part, "not the projector");
    }
    let projector = Projector::load(&mut loader.scope("multi_modal_projector"), config)
        .expect("every weight of the projector");
    loader
        .finish()
        .expect("the projector takes every tensor of its part");
    projector
}

/// Every stage's error in golden `name`, in order; `Err` where one is above [`TOLERANCE`]. The
/// input is the reference's own vision output, so nothing of the tower's error adds up.
fn stages(projector: &Projector, name: &str) -> Vec<(Stage, Result<f32, String>)> {
    let golden = Golden::named(name);
    let features = golden.f32("vision.post_layernorm");
    let &[images, patches, d] = features.shape.as_slice() else {
        panic!("{name}: features of shape {:?}", features.shape)
    };
    let mut compared = Vec::new();
    for (image, values) in features.data.chunks_exact(patches * d).enumerate() {
        let input = tensor_from(values.to_vec(), [patches, d], projector.device());
        let output = projector.forward_observed(input, &mut |stage, x| {
            let key = match stage {
                Stage::Pooled => "pooled",
                Stage::Normed => "pooled_norm",
                Stage::SoftTokens => "soft_tokens",
                other => panic!("{other:?} has no golden"),
            };
            let mut expected = golden.f32(key);
            assert_eq!(expected.shape.remove(0), images);
            let one = expected.data.len() / images;
            expected.data = expected.data[image * one..][..one].to_vec();
            let found = vec_from(x.clone(), "stage").expect("readable");
            let result = closeness(&x.dims(), &found, &expected, TOLERANCE);
            compared.push((
                stage,
                result.map_err(|e| format!("{name} {key} image {image}: {e}")),
            ));
        });
        output.expect("the golden's features fit");
    }
    assert_eq!(compared.len(), images * 3, "pooled, normed, soft tokens");
    compared
}

fn assert_golden(projector: &Projector, name: &str) {
    for (_, result) in stages(projector, name) {
        if let Err(message) = result {
            panic!("{}: {message}", projector.device());
        }
    }
}

#[test]
fn every_stage_equals_the_reference() {
    for device in devices() {
        let projector = load(&checkpoint("mm-2025"), &config(), &device);
        for name in [
            "mm-2025.image-first",
            "mm-2025.image-last",
            "mm-2025.two-images",
        ] {
            assert_golden(&projector, name);
        }
    }
}

#[test]
fn half_precision_weights_are_computed_in_f32() {
    for device in devices() {
        let projector = load(&checkpoint("mm-bf16"), &config(), &device);
        assert_golden(&projector, "mm-bf16.two-images");
    }
}

#[test]
fn every_dialect_of_names_loads_the_same_projector() {
    let device = Device::cpu().expect("compiled in");
    for spelling in Dialect::ALL.into_iter().filter(|d| d.is_multimodal()) {
        let directory = dialect(spelling);
        let projector = load(directory.path(), &config(), &device);
        assert_golden(&projector, "mm-2025.image-first");
    }
}

/// The first stage of `mm-2025.image-first` that is off.
fn first_broken(projector: &Projector) -> Option<Stage> {
    let compared = stages(projector, "mm-2025.image-first");
    compared
        .into_iter()
        .find(|(_, result)| result.is_err())
        .map(|(stage, _)| stage)
}

#[test]
fn the_goldens_have_teeth() {
    type Break = fn(&mut Tensors);
    let faults: [(&str, Stage, Break); 4] = [
        ("norm without 1 +", Stage::Normed, |t| {
            t.map(NORM, |w| w - 1.0)
        }),
        ("norm with 1 + twice", Stage::Normed, |t| {
            t.map(NORM, |w| w + 1.0)
        }),
        (
            "rows of the projection in reverse",
            Stage::SoftTokens,
            |t| t.reverse_rows(WEIGHT),
        ),
        ("soft tokens scaled like text", Stage::SoftTokens, |t| {
            t.scale(WEIGHT, 24_f32.sqrt())
        }),
    ];
    let device = Device::cpu().expect("compiled in");
    for (fault, first, change) in faults {
        let scratch = Scratch::of("mm-2025").edit(change);
        let projector = load(scratch.path(), &config(), &device);
        assert_eq!(first_broken(&projector), Some(first), "{fault}");
    }
}

#[test]
fn the_epsilon_is_the_vision_towers_not_the_decoders() {
    let device = Device::cpu().expect("compiled in");
    let mut decoders = config();
    decoders.eps = 1e-3;
    let projector = load(&checkpoint("mm-2025"), &decoders, &device);
    assert_eq!(first_broken(&projector), Some(Stage::Normed));
}

#[test]
fn a_transposed_weight_does_not_load() {
    let device = Device::cpu().expect("compiled in");
    let source = SafetensorsDir::open(&checkpoint("mm-2025")).expect("sound checkpoint");
    let mut loader = Loader::new(&source, RENAMES, &device).expect("distinct names");
    let exchanged = ProjectorConfig::new(24, 20, 4, 4, 0.02).expect("sound");
    let error = Projector::load(&mut loader.scope("multi_modal_projector"), &exchanged)
        .expect_err("[in, out] is not [out, in]");
    assert!(
        matches!(
            &error,
            Error::Tensor(TensorError::WrongShape { expected, found, .. })
                if expected == &[24, 20] && found == &[20, 24]
        ),
        "{error}"
    );
}

#[test]
fn features_of_another_shape_are_an_error_that_tells_both() {
    let device = Device::cpu().expect("compiled in");
    let projector = load(&checkpoint("mm-2025"), &config(), &device);
    for shape in [[15, 20], [17, 20], [4, 80], [16, 24], [0, 20]] {
        let features = tensor_from(vec![0.0; shape[0] * shape[1]], shape, &device);
        let error = projector.forward(features).expect_err("does not fit");
        assert!(
            matches!(error, Error::FeatureShape { expected: [16, 20], found } if found == shape),
            "{error}"
        );
    }
}

#[test]
fn features_are_taken_only_from_the_device_of_the_weights() {
    let devices = devices();
    for (projector_on, features_on) in devices
        .iter()
        .flat_map(|a| devices.iter().map(move |b| (a, b)))
    {
        let projector = load(&checkpoint("mm-2025"), &config(), projector_on);
        let result = projector.forward(tensor_from(vec![0.5; 16 * 20], [16, 20], features_on));
        if projector_on == features_on {
            assert_eq!(result.expect("fits").dims(), [4, 24]);
        } else {
            let error = result.expect_err("another device").to_string();
            assert!(error.contains(projector_on.name()), "{error}");
        }
    }
}

#[test]
fn features_of_another_format_are_refused() {
    let device = Device::cpu().expect("compiled in");
    let projector = load(&checkpoint("mm-2025"), &config(), &device);
    let features = tensor_from(vec![0.5; 16 * 20], [16, 20], &device).cast(DType::BF16);
    let error = projector.forward(features).expect_err("bf16").to_string();
    assert_eq!(error, "features are BF16, expected F32: cast them");
}

#[test]
fn an_unsound_configuration_does_not_load() {
    let device = Device::cpu().expect("compiled in");
    let source = SafetensorsDir::open(&checkpoint("mm-2025")).expect("sound checkpoint");
    let mut loader = Loader::new(&source, RENAMES, &device).expect("distinct names");
    let mut uneven = config();
    uneven.mm_tokens_per_image = 9;
    let error = Projector::load(&mut loader.scope("multi_modal_projector"), &uneven)
        .expect_err("4 patches do not make 3 tokens");
    assert!(matches!(error, Error::UnevenGrid { .. }), "{error}");
}
