//! Loading what is right: one file or shards, every dialect of names, every format, and weights
//! that outlive the files they came from.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;

use medgemma_tensor::checkpoint::{
    Loader, MappedBytes, Rename, SafetensorsDir, StoredDtype, WeightSource, canonical,
};
use medgemma_tensor::{Arithmetic, Device, Error, FloatFormat, ops, vec_from};
use safetensors::tensor::Dtype;

#[allow(dead_code, reason = "shared by several test binaries")]
mod checkpoint_files;
use checkpoint_files::{Entry, f32s, raw, valid, write, zeros};

const INDEX: &str = "model.safetensors.index.json";

fn device() -> Device {
    Device::best_available().unwrap()
}

#[test]
fn one_file_may_have_either_name() {
    for name in ["model.safetensors", "finetune.safetensors"] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[(name, &valid(&[f32s("w", &[2, 3], 0.0)]))]);
        let source = SafetensorsDir::open(dir.path()).unwrap();
        assert_eq!(source.names(), ["w"]);
        assert_eq!(source.file("w"), dir.path().join(name));
        let info = source.info("w").unwrap();
        assert_eq!(info.dtype, StoredDtype::Float(FloatFormat::F32));
        assert_eq!(
            (info.shape.as_slice(), info.bytes, info.elements()),
            (&[2, 3][..], 24, 6)
        );
        assert_eq!(source.bytes("w").unwrap()[4..8], 1f32.to_le_bytes());
    }
}

#[test]
fn shards_are_found_through_the_index_also_in_sub_directories() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    let index = r#"{"metadata":{"total_size":20},
        "weight_map":{"v":"a.safetensors","w":"sub/b.safetensors","x":"sub/b.safetensors"}}"#;
    let a = valid(&[f32s("v", &[1], 1.0)]);
    let b = valid(&[f32s("w", &[2], 2.0), f32s("x", &[2], 4.0)]);
    let stray = valid(&[f32s("stray", &[1], 0.0)]);
    write(
        dir.path(),
        &[
            (INDEX, index.as_bytes()),
            ("a.safetensors", &a),
            ("sub/b.safetensors", &b),
            ("adapter.safetensors", &stray),
        ],
    );
    let source = SafetensorsDir::open(dir.path()).unwrap();
    assert_eq!(source.names(), ["v", "w", "x"]);
    assert_eq!(source.bytes("x").unwrap()[..4], 4f32.to_le_bytes());
    assert_eq!(source.file("x"), dir.path().join("sub/b.safetensors"));

    // A whole file beside the index goes first, as in transformers.
    write(
        dir.path(),
        &[("model.safetensors", &valid(&[f32s("v", &[1], 9.0)]))],
    );
    let source = SafetensorsDir::open(dir.path()).unwrap();
    assert_eq!(source.names(), ["v"]);
}

const RENAMES: &[Rename] = &[
    Rename::new("base_model.model.", "", "PEFT"),
    Rename::new("model.language_model.", "language_model.", "4.52"),
    Rename::new("model.vision_tower.", "vision_tower.", "4.52"),
    Rename::new("vision_tower.vision_model.", "vision_tower.", "before 5"),
    Rename::new("language_model.model.", "language_model.", "2025"),
    Rename::new("language_model.lm_head.", "lm_head.", "2025"),
    Rename::new("model.", "language_model.", "text only"),
];

#[test]
fn every_dialect_ends_in_the_canonical_name() {
    let cases = [
        (
            "language_model.model.norm.weight",
            "language_model.norm.weight",
        ),
        (
            "model.language_model.norm.weight",
            "language_model.norm.weight",
        ),
        ("model.norm.weight", "language_model.norm.weight"),
        ("language_model.norm.weight", "language_model.norm.weight"),
        (
            "base_model.model.model.language_model.norm.weight",
            "language_model.norm.weight",
        ),
        ("language_model.lm_head.weight", "lm_head.weight"),
        ("lm_head.weight", "lm_head.weight"),
        (
            "vision_tower.vision_model.encoder.layers.0.x",
            "vision_tower.encoder.layers.0.x",
        ),
        (
            "model.vision_tower.vision_model.encoder.layers.0.x",
            "vision_tower.encoder.layers.0.x",
        ),
        (
            "model.vision_tower.encoder.layers.0.x",
            "vision_tower.encoder.layers.0.x",
        ),
        (
            "vision_tower.encoder.layers.0.x",
            "vision_tower.encoder.layers.0.x",
        ),
    ];
    for (key, expected) in cases {
        assert_eq!(canonical(key, RENAMES, |_| {}), expected, "{key}");
    }
    // A prefix is a whole part of the name, and only at its beginning.
    assert_eq!(canonical("modelx.norm", RENAMES, |_| {}), "modelx.norm");
    assert_eq!(canonical("a.model.norm", RENAMES, |_| {}), "a.model.norm");
}

#[test]
fn mixed_dialects_load_and_the_report_tells_them() {
    let dir = tempfile::tempdir().unwrap();
    let file = valid(&[
        f32s("model.language_model.norm.weight", &[2], 1.0),
        f32s("language_model.model.embed_tokens.weight", &[2, 2], 3.0),
        zeros("vision_tower.post_layernorm.bias", Dtype::BF16, 2, &[3]),
    ]);
    write(dir.path(), &[("model.safetensors", &file)]);
    let source = SafetensorsDir::open(dir.path()).unwrap();
    let calls = Mutex::new(Vec::new());
    let mut loader = Loader::new(&source, RENAMES, &device())
        .unwrap()
        .with_progress(Box::new(|done, total| {
            calls.lock().unwrap().push((done, total));
            ControlFlow::Continue(())
        }));
    let mut text = loader.scope("language_model");
    assert!(text.contains("norm.weight") && !text.contains("norm.bias"));
    assert_eq!(text.shape("embed_tokens.weight"), Some(&[2, 2][..]));
    let norm = text.scope("norm").vector("weight", 2).unwrap();
    let embed = text.weight("embed_tokens.weight", [2, 2]).unwrap();
    loader.ignore("vision_tower.", "only the text is wanted");
    let report = loader.finish().unwrap();

    assert_eq!(vec_from(norm, "norm").unwrap(), [1.0, 2.0]);
    let row = ops::embed_rows(&embed, &[1], &device());
    assert_eq!(vec_from(row, "row").unwrap(), [5.0, 6.0]);
    assert_eq!(
        (report.tensors, report.parameters, report.bytes),
        (2, 6, 24)
    );
    assert_eq!(
        report.formats.into_iter().collect::<Vec<_>>(),
        [("F32".to_owned(), 2)]
    );
    assert_eq!(report.dialects, [("4.52", 1), ("2025", 1)]);
    assert_eq!(report.ignored.len(), 1);
    assert_eq!(calls.into_inner().unwrap(), [(8, 30), (24, 30), (30, 30)]);
}

#[test]
fn an_observer_stops_a_load_where_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let file = valid(&[f32s("a", &[2], 1.0), f32s("b", &[3], 1.0)]);
    write(dir.path(), &[("model.safetensors", &file)]);
    let source = SafetensorsDir::open(dir.path()).unwrap();
    let mut loader = Loader::new(&source, RENAMES, &device())
        .unwrap()
        .with_progress(Box::new(|done, _| {
            if done < 12 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        }));
    let mut whole = loader.scope("");
    whole.vector("a", 2).unwrap();
    let error = whole.vector("b", 3).unwrap_err();
    let stopped = matches!(
        error,
        Error::Stopped {
            done: 20,
            total: 20,
            ..
        }
    );
    assert!(stopped, "{error}");
}

/// A one-tensor matrix of halves: 1, −2, 65504, 2⁻²⁴ in a format that has two bytes a number.
fn halves(dtype: Dtype) -> Entry {
    let values = [1.0, -2.0, 65504.0, 5.960_464_5e-8_f32];
    let bytes = values.iter().flat_map(|&v| match dtype {
        Dtype::F16 => half::f16::from_f32(v).to_le_bytes(),
        _ => half::bf16::from_f32(v).to_le_bytes(),
    });
    Entry {
        key: "w".into(),
        dtype,
        shape: vec![2, 2],
        bytes: bytes.collect(),
    }
}

#[test]
fn half_precision_is_computed_in_f32() {
    for (dtype, format) in [
        (Dtype::F16, FloatFormat::F16),
        (Dtype::BF16, FloatFormat::Bf16),
    ] {
        let file = MappedBytes::from_owner(valid(&[halves(dtype)]));
        let source = SafetensorsDir::from_bytes(Path::new("memory"), file).unwrap();
        let mut loader = Loader::new(&source, &[], &device()).unwrap();
        let weight = loader.scope("").weight("w", [2, 2]).unwrap();
        assert_eq!(weight.published(), format);
        // 65504 · 100 is beyond the range of a half: it must not become infinite.
        let x = medgemma_tensor::tensor_from(vec![100.0, 0.0], [1, 2], &device());
        let y = vec_from(ops::linear(x, &weight, None), "y").unwrap();
        let large = format.round(65504.0) * 100.0;
        assert_eq!(y, [100.0, large], "{format:?}");
    }
}

/// Of a matrix in f16: what a product with it is computed in, and the product.
#[cfg(feature = "cpu")]
fn product_of_f16(numbers: &[f32; 4], x: &[f32; 2]) -> (Arithmetic, Vec<f32>) {
    let bytes = numbers
        .iter()
        .flat_map(|&number| half::f16::from_f32(number).to_le_bytes());
    let entry = Entry {
        bytes: bytes.collect(),
        ..halves(Dtype::F16)
    };
    let file = MappedBytes::from_owner(valid(&[entry]));
    let source = SafetensorsDir::from_bytes(Path::new("memory"), file).unwrap();
    let device = medgemma_tensor::Device::cpu().unwrap();
    let mut loader = Loader::new(&source, &[], &device).unwrap();
    let planned = loader.arithmetic("w").unwrap();
    assert_eq!(loader.arithmetic("x").unwrap(), None);
    let weight = loader.scope("").weight("w", [2, 2]).unwrap();
    assert_eq!(planned, Some(weight.arithmetic()));
    assert_eq!(weight.published(), FloatFormat::F16);
    let x = medgemma_tensor::tensor_from(x.to_vec(), [1, 2], &device);
    let y = vec_from(ops::linear(x, &weight, None), "y").unwrap();
    (weight.arithmetic(), y)
}

/// A model in bf16 that somebody stored as f16 computes as it was published; one number more exact
/// than bf16 keeps the matrix as it is.
#[cfg(feature = "cpu")]
#[test]
fn f16_is_bf16_where_all_numbers_are() {
    let x = [1.0 + 0.003, 0.5]; // rounds to 1 in bf16
    let (arithmetic, y) = product_of_f16(&[1.5, 0.0, -0.25, 2.0], &x);
    assert_eq!((arithmetic, y), (Arithmetic::Bf16, vec![1.5, 0.75]));
    let (arithmetic, y) = product_of_f16(&[1.5, 0.0, -0.25, 2.001], &x);
    assert_eq!(arithmetic, Arithmetic::F32);
    assert!((y[0] - 1.5 * x[0]).abs() < 1e-6, "{y:?}");
}

#[test]
fn data_at_an_odd_offset_is_read_rightly() {
    let mut header = r#"{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#.to_owned();
    // JSON may end in spaces: so the data begins one byte after a multiple of four.
    while (8 + header.len()) % 4 != 1 {
        header.push(' ');
    }
    let mut file = raw(&header, 0);
    file.extend([1.5f32, -2.5].iter().flat_map(|v| v.to_le_bytes()));
    let source =
        SafetensorsDir::from_bytes(Path::new("memory"), MappedBytes::from_owner(file)).unwrap();
    let mut loader = Loader::new(&source, &[], &device()).unwrap();
    let weight = loader.scope("").weight("w", [1, 2]).unwrap();
    let row = ops::embed_rows(&weight, &[0], &device());
    assert_eq!(vec_from(row, "row").unwrap(), [1.5, -2.5]);
}

#[test]
fn a_kernel_is_the_matrix_of_its_numbers_in_order() {
    let file = MappedBytes::from_owner(valid(&[f32s("w", &[2, 3, 1, 2], 0.0)]));
    let source = SafetensorsDir::from_bytes(Path::new("memory"), file).unwrap();
    let mut loader = Loader::new(&source, &[], &device()).unwrap();
    let weight = loader
        .scope("")
        .weight_flattened("w", [2, 3, 1, 2])
        .unwrap();
    assert_eq!(weight.dims(), [2, 6]);
    let row = ops::embed_rows(&weight, &[1], &device());
    assert_eq!(
        vec_from(row, "row").unwrap(),
        [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]
    );
    let other = loader.scope("").weight_flattened("w", [2, 6]);
    assert!(
        other.is_err(),
        "the file's shape is checked, not the matrix's"
    );
}

#[test]
fn a_stack_is_cut_into_its_matrices_from_the_top() {
    let file = MappedBytes::from_owner(valid(&[f32s("w", &[6, 2], 0.0)]));
    let source = SafetensorsDir::from_bytes(Path::new("memory"), file).unwrap();
    let mut loader = Loader::new(&source, &[], &device()).unwrap();
    let stack: [_; 3] = loader.scope("").weight_stack("w", [2, 2]).unwrap();
    for (weight, first) in stack.iter().zip([0.0, 4.0, 8.0]) {
        assert_eq!(weight.dims(), [2, 2]);
        let rows = ops::embed_rows(weight, &[0, 1], &device());
        let expected = [first, first + 1.0, first + 2.0, first + 3.0];
        assert_eq!(vec_from(rows, "rows").unwrap(), expected);
    }
    let other = loader.scope("").weight_stack::<2>("w", [2, 2]);
    assert!(other.is_err(), "the file's shape is that of the whole");
    let report = loader.finish().unwrap();
    assert_eq!((report.tensors, report.parameters), (1, 12));
}

#[test]
fn identical_means_the_same_kind_shape_and_bytes() {
    let file = valid(&[
        f32s("a", &[2, 2], 0.0),
        f32s("same", &[2, 2], 0.0),
        f32s("shape", &[4], 0.0),
        f32s("value", &[2, 2], 1.0),
    ]);
    let source =
        SafetensorsDir::from_bytes(Path::new("memory"), MappedBytes::from_owner(file)).unwrap();
    let mut loader = Loader::new(&source, &[], &device()).unwrap();
    let mut scope = loader.scope("");
    assert!(scope.identical("a", "same").unwrap());
    for other in ["shape", "value", "absent"] {
        assert!(!scope.identical("a", other).unwrap(), "{other}");
        assert!(!scope.identical(other, "a").unwrap(), "{other}");
    }
}

#[cfg(unix)]
#[test]
fn weights_outlive_their_source_and_the_deleted_file() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[("model.safetensors", &valid(&[f32s("w", &[64, 64], 0.0)]))],
    );
    let source = SafetensorsDir::open(dir.path()).unwrap();
    let mut loader = Loader::new(&source, &[], &device()).unwrap();
    let weight = loader.scope("").weight("w", [64, 64]).unwrap();
    drop(loader);
    drop(source);
    drop(dir);
    let row = ops::embed_rows(&weight, &[63], &device());
    assert_eq!(vec_from(row, "row").unwrap()[63], 4095.0);
}
