//! Weights that are infinite or no numbers, to be quantised: no block would show them.

use std::path::{Path, PathBuf};

use medgemma_tensor::checkpoint::{Loader, Precision, Quantize, SafetensorsDir};
use medgemma_tensor::{Device, Error, Result};
use safetensors::tensor::{Dtype, TensorView};

const TABLE: &[Quantize] = &[Quantize::layers("layers."), Quantize::embeddings("table")];

/// A matrix of a layer, the embeddings and one that no precision is for, as the file names them.
const NAMES: [&str; 3] = ["old.layers.w", "table", "vision.w"];

/// Columns that each format of blocks divides.
const SHAPE: [usize; 2] = [3, 256];

/// Writes the three matrices; `damage` stands in one of them, in the last column of the second row.
fn write(dir: &Path, damaged: &str, damage: f32) {
    let sound: Vec<f32> = [0.25, -0.5, 0.125].repeat(256);
    let bytes = NAMES.map(|name| {
        let mut values = sound.clone();
        if name == damaged {
            values[2 * SHAPE[1] - 1] = damage;
        }
        values
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect::<Vec<u8>>()
    });
    let views = NAMES.iter().zip(&bytes).map(|(name, bytes)| {
        let view = TensorView::new(Dtype::F32, SHAPE.to_vec(), bytes);
        (*name, view.expect("values fill the shape"))
    });
    safetensors::serialize_to_file(views, None, &dir.join("model.safetensors")).expect("writable");
}

fn load(dir: &Path, precision: Precision) -> Result<()> {
    let device = Device::cpu().expect("the feature cpu is on");
    let source = SafetensorsDir::open(dir)?;
    let renames = [medgemma_tensor::checkpoint::Rename::new("old.", "", "old")];
    let mut loader = Loader::new(&source, &renames, &device)?
        .with_precision(precision, TABLE)
        .with_cache(cache(dir))?;
    let mut scope = loader.scope("");
    for name in ["layers.w", "table", "vision.w"] {
        scope.weight(name, SHAPE)?;
    }
    loader.finish().map(drop)
}

fn cache(dir: &Path) -> PathBuf {
    dir.join("medgemma.cache")
}

#[test]
fn what_would_be_quantised_is_refused_by_its_name_and_nothing_is_cached() {
    for precision in [Precision::Int8, Precision::Int4] {
        for name in &NAMES[..2] {
            for damage in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let dir = tempfile::tempdir().expect("a scratch folder");
                write(dir.path(), name, damage);
                // A second time, as a cache of the first would be found.
                for _ in 0..2 {
                    let error = load(dir.path(), precision).expect_err("it is damaged");
                    let Error::NonFiniteWeights { path, key, .. } = &error else {
                        panic!("another error: {error}");
                    };
                    assert_eq!(*path, dir.path().join("model.safetensors"));
                    assert_eq!(key, name, "as the file has it");
                    let told = error.to_string();
                    for part in ["finite", precision.name(), "download"] {
                        assert!(told.contains(part), "`{part}` is not in: {told}");
                    }
                    assert!(!cache(dir.path()).exists());
                }
                let found = std::fs::read_dir(dir.path()).expect("readable").count();
                assert_eq!(found, 1, "no scratch file stays");
            }
        }
    }
}

#[test]
fn what_is_not_quantised_is_loaded_as_it_is() {
    let loads = |name: &str, damage, precision: Precision| {
        let dir = tempfile::tempdir().expect("a scratch folder");
        write(dir.path(), name, damage);
        let loaded = load(dir.path(), precision);
        loaded.unwrap_or_else(|error| panic!("{name} in {precision}: {error}"));
    };
    for name in NAMES {
        loads(name, f32::NAN, Precision::AsIs);
        loads(name, f32::NAN, Precision::Bf16);
        loads(name, f32::MAX, Precision::Int8);
    }
    loads("vision.w", f32::NAN, Precision::Int4);
}
