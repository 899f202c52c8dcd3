//! Quantising while loading: what is held in which format, and the cache file.

#![allow(clippy::expect_used, reason = "a test")]

use std::path::Path;

use medgemma_tensor::checkpoint::{Loader, Precision, Quantize, SafetensorsDir};
use medgemma_tensor::{Device, Weight, ops, vec_from};
use safetensors::tensor::{Dtype, TensorView};

const TABLE: &[Quantize] = &[Quantize::layers("layers."), Quantize::embeddings("table")];

/// Numbers that no format holds exactly.
fn numbers(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| {
            #[allow(clippy::cast_precision_loss, reason = "small whole numbers")]
            let x = (i * 7919 % 1009) as f32;
            (x / 504.5 - 1.0) * 0.37
        })
        .collect()
}

fn write(dir: &Path, factor: f32) {
    let bytes = |count| -> Vec<u8> {
        let scaled = numbers(count).into_iter().map(|x| x * factor);
        scaled.flat_map(f32::to_le_bytes).collect()
    };
    let (layer, table, other, odd) = (bytes(5 * 64), bytes(6 * 256), bytes(3 * 64), bytes(4 * 7));
    let view = |shape: [usize; 2], data| TensorView::new(Dtype::F32, shape.to_vec(), data);
    let views = [
        ("layers.w", view([5, 64], &layer)),
        ("table", view([6, 256], &table)),
        ("vision.w", view([3, 64], &other)),
        ("layers.odd", view([4, 7], &odd)),
    ];
    let views = views.map(|(name, view)| (name, view.expect("values fill the shape")));
    safetensors::serialize_to_file(views, None, &dir.join("model.safetensors")).expect("writable");
}

/// The four matrices, loaded in `precision`.
fn load(dir: &Path, precision: Precision, cache: Option<&Path>) -> [Weight; 4] {
    let device = Device::cpu().expect("the feature cpu is on");
    let source = SafetensorsDir::open(dir).expect("sound files");
    let mut loader = Loader::new(&source, &[], &device)
        .expect("distinct names")
        .with_precision(precision, TABLE);
    if let Some(path) = cache {
        loader = loader.with_cache(path.to_path_buf()).expect("readable");
    }
    let planned = loader.held_bytes();
    let mut scope = loader.scope("");
    let mut weight = |name, shape| scope.weight(name, shape).expect("it is there");
    let weights = [
        weight("layers.w", [5, 64]),
        weight("table", [6, 256]),
        weight("vision.w", [3, 64]),
        weight("layers.odd", [4, 7]),
    ];
    loader.finish().expect("everything is taken");
    let held: usize = weights.iter().map(Weight::bytes).sum();
    assert_eq!(
        held as u64, planned,
        "{precision}: the plan is what is held"
    );
    weights
}

/// All numbers of a weight as f32.
fn values(weight: &Weight) -> Vec<f32> {
    let device = Device::cpu().expect("the feature cpu is on");
    let rows = u32::try_from(weight.dims()[0]).expect("few rows");
    let ids: Vec<u32> = (0..rows).collect();
    vec_from(ops::embed_rows(weight, &ids, &device), "rows").expect("readable")
}

#[test]
fn each_precision_holds_the_matrices_of_its_table_and_no_others() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    write(dir.path(), 1.0);
    let bytes = |precision| load(dir.path(), precision, None).map(|weight| weight.bytes());
    let (other, odd) = (3 * 64 * 4, 4 * 7 * 4);
    assert_eq!(
        bytes(Precision::AsIs),
        [5 * 64 * 4, 6 * 256 * 4, other, odd]
    );
    assert_eq!(
        bytes(Precision::Bf16),
        [5 * 64 * 2, 6 * 256 * 2, other, 4 * 7 * 2]
    );
    assert_eq!(bytes(Precision::Int8), [5 * 2 * 34, 6 * 8 * 34, other, odd]);
    assert_eq!(bytes(Precision::Int4), [5 * 2 * 18, 6 * 210, other, odd]);
}

#[test]
fn numbers_stay_within_half_a_step_of_their_format() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    write(dir.path(), 1.0);
    let exact = load(dir.path(), Precision::AsIs, None).map(|weight| values(&weight));
    // Half a step: bf16 2⁻⁹ of the next power of two, 0.5; Q8_0 1/254, Q4_0 1/16 and Q6_K 1/64 of a block's largest
    // (0.37 here), the last two with room for a scale that was chosen for the sum of all errors.
    for (precision, layer, table) in [
        (Precision::Bf16, 0.5 / 512.0, 0.5 / 512.0),
        (Precision::Int8, 0.37 / 250.0, 0.37 / 250.0),
        (Precision::Int4, 0.37 / 7.0, 0.37 / 30.0),
    ] {
        let found = load(dir.path(), precision, None).map(|weight| values(&weight));
        for (index, limit) in [(0, layer), (1, table), (2, 0.0)] {
            let far = exact[index]
                .iter()
                .zip(&found[index])
                .fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
            assert!(far <= limit, "{precision} matrix {index}: {far} > {limit}");
            assert!(
                index == 2 || far > limit / 100.0,
                "{precision}: nothing was rounded"
            );
        }
    }
}

#[test]
fn a_cache_is_used_while_it_fits_and_made_again_when_it_does_not() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    let cache = dir.path().join("medgemma-int4.cache");
    write(dir.path(), 1.0);
    let plain = load(dir.path(), Precision::Int4, None).map(|weight| values(&weight));
    let cached = |precision| load(dir.path(), precision, Some(&cache)).map(|w| values(&w));
    assert_eq!(cached(Precision::Int4), plain);
    let made = std::fs::read(&cache).expect("the cache was written");
    assert_eq!(cached(Precision::Int4), plain, "read back");
    assert_eq!(
        std::fs::read(&cache).expect("still there"),
        made,
        "not written again"
    );

    // A number changed inside of the file shows that the rows do come from it.
    let mut changed = made.clone();
    let last = changed.len() - 3;
    changed[last] ^= 0x55;
    std::fs::write(&cache, &changed).expect("writable");
    assert_ne!(cached(Precision::Int4), plain, "the file is what is read");

    // Truncated, foreign, or of another precision: made again, never an error.
    for broken in [&made[..made.len() / 2], b"not a cache", b""] {
        std::fs::write(&cache, broken).expect("writable");
        assert_eq!(cached(Precision::Int4), plain);
        assert_eq!(std::fs::read(&cache).expect("written"), made);
    }
    let int8 = load(dir.path(), Precision::Int8, None).map(|weight| values(&weight));
    assert_eq!(cached(Precision::Int8), int8);

    // Other weights under the same name.
    write(dir.path(), 0.5);
    let halved = load(dir.path(), Precision::Int8, None).map(|weight| values(&weight));
    assert_eq!(cached(Precision::Int8), halved);
    assert_ne!(halved, int8);
    let left: Vec<_> = std::fs::read_dir(dir.path())
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name())
        .collect();
    assert_eq!(left.len(), 2, "no scratch file stays: {left:?}");
}

#[test]
fn as_is_writes_no_cache() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    let cache = dir.path().join("cache");
    write(dir.path(), 1.0);
    load(dir.path(), Precision::AsIs, Some(&cache));
    assert!(!cache.exists());
}

#[test]
fn names_are_read_back_and_a_wrong_one_lists_them() {
    for precision in [
        Precision::AsIs,
        Precision::Bf16,
        Precision::Int8,
        Precision::Int4,
    ] {
        assert_eq!(precision.name().parse::<Precision>().ok(), Some(precision));
    }
    let error = "int5".parse::<Precision>().expect_err("no such precision");
    assert!(error.to_string().contains("int8"), "{error}");
}
