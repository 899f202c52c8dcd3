//! Every way in which a file, an index or a whole checkpoint can be wrong is an error that names
//! file and key, and says what was expected and found.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use medgemma_tensor::checkpoint::{
    Ignore, Loader, MAX_HEADER_BYTES, Rename, SafetensorsDir, WeightSource,
};
use medgemma_tensor::{Device, Error};
use safetensors::tensor::Dtype;

#[allow(dead_code, reason = "shared by several test binaries")]
mod checkpoint_files;
use checkpoint_files::{Entry, f32s, raw, valid, write, zeros};

/// Opens a directory with these files, expects an error and returns it.
fn refused(files: &[(&str, &[u8])]) -> Error {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), files);
    SafetensorsDir::open(dir.path()).unwrap_err()
}

/// The message has all of `parts`.
#[track_caller]
fn says(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

#[test]
fn a_directory_must_hold_weights_and_no_doubt_which() {
    let nowhere = SafetensorsDir::open(Path::new("/no/such/directory")).unwrap_err();
    says(&nowhere, &["/no/such/directory", "cannot be read"]);
    assert!(matches!(refused(&[]), Error::NoWeights { .. }));
    let one = valid(&[f32s("a", &[1], 0.0)]);
    let error = refused(&[("x.safetensors", &one), ("y.safetensors", &one)]);
    says(&error, &["`x.safetensors`", "`y.safetensors`", "index"]);
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("model.safetensors")).unwrap();
    let error = SafetensorsDir::open(dir.path()).unwrap_err();
    assert!(matches!(error, Error::NotAFile { .. }), "{error}");
    says(
        &error,
        &["model.safetensors is not", "name the file itself"],
    );
}

/// `header`, `data` bytes behind it → what the message must say.
const LYING_HEADERS: &[(&str, usize, &[&str])] = &[
    ("", 0, &["corrupt", "header"]),
    ("{", 0, &["corrupt", "header"]),
    ("[1]", 0, &["corrupt", "header"]),
    (
        r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        4,
        &["`w` twice"],
    ),
    (r#"{"w":3}"#, 0, &["`w`", "no `shape`"]),
    (
        r#"{"w":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}"#,
        4,
        &["`w`", "\"F33\""],
    ),
    (
        r#"{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
        4,
        &["`w`", "[-1]"],
    ),
    (
        r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#,
        4,
        &["`w`", "two byte offsets", "[0]"],
    ),
    (
        r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
        4,
        &["`w`", "4..0"],
    ),
    (
        r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
        4,
        &["`w`", "4 data bytes", "0..8"],
    ),
    (
        r#"{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
        8,
        &["`w`", "12 bytes for F32 [3]", "8 bytes"],
    ),
    (
        r#"{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#,
        8,
        &["`w`", "more bytes than can be addressed"],
    ),
    (
        r#"{"v":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
        6,
        &["`w`", "begin at byte"],
    ),
    (
        r#"{"v":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[6,10]}}"#,
        10,
        &["`w`", "begin at byte"],
    ),
    (
        r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        5,
        &["should have", "download"],
    ),
    // Only the reference reader objects: metadata must be text.
    (
        r#"{"__metadata__":{"a":1},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        4,
        &["corrupt", "safetensors"],
    ),
];

#[test]
fn lying_headers_are_caught_with_their_key() {
    for (header, data, parts) in LYING_HEADERS {
        let error = refused(&[("model.safetensors", &raw(header, *data))]);
        says(&error, &["model.safetensors"]);
        says(&error, parts);
    }
}

#[test]
fn more_than_any_header_says_is_refused_while_it_is_read() {
    let told = |header: String| {
        let error = refused(&[("model.safetensors", &raw(&header, 4))]);
        says(&error, &["model.safetensors"]);
        error.to_string()
    };
    let shaped = |shape: &str| {
        format!(r#"{{"w":{{"dtype":"F32","shape":[{shape}],"data_offsets":[0,4]}}}}"#)
    };
    let longer = told(shaped("1,1,1,1,1,1,1,1,1"));
    assert!(longer.contains("`w`: more than 8 sizes"), "{longer}");
    let deep = told(shaped("[1]"));
    assert!(deep.contains("`w`: lists within its lists"), "{deep}");
    let numbered = |count: usize| {
        let members = (0..count).map(|i| format!("\"{i}\":\"\""));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    };
    let wide = told(format!("{{\"w\":{}}}", numbered(9)));
    assert!(wide.contains("`w`: more than 8"), "{wide}");
    for (count, refused) in [(1 << 16, false), ((1 << 16) + 1, true)] {
        let tensors = told(numbered(count));
        assert_eq!(tensors.contains("more than 65536 tensors"), refused);
        let metadata = told(format!(r#"{{"__metadata__":{},"w":3}}"#, numbered(count)));
        assert_eq!(metadata.contains("more than 65536 texts"), refused);
    }
    let dir = tempfile::tempdir().unwrap();
    let eight = raw(&shaped("1,1,1,1,1,1,1,1"), 4);
    write(dir.path(), &[("model.safetensors", &eight)]);
    SafetensorsDir::open(dir.path()).unwrap();
    let index = format!("{{\"weight_map\":{}}}", numbered((1 << 16) + 1));
    let error = refused_index(&index);
    says(&error, &[INDEX, "more than 65536 tensors"]);
}

#[test]
fn every_cut_of_a_valid_file_is_caught() {
    let whole = valid(&[f32s("v", &[3], 0.0), f32s("w", &[2, 2], 0.0)]);
    for length in 0..whole.len() {
        let error = refused(&[("model.safetensors", &whole[..length])]);
        says(&error, &["model.safetensors", "download"]);
    }
}

#[test]
fn a_giant_header_is_refused_before_it_is_read() {
    for length in [MAX_HEADER_BYTES + 1, u64::MAX] {
        let error = refused(&[("model.safetensors", &length.to_le_bytes())]);
        assert!(
            matches!(error, Error::HeaderTooLarge { found, .. } if found == length),
            "{error}"
        );
    }
    let error = refused(&[("model.safetensors", &MAX_HEADER_BYTES.to_le_bytes())]);
    assert!(matches!(error, Error::Truncated { .. }), "{error}");
}

const INDEX: &str = "model.safetensors.index.json";

fn refused_index(index: &str) -> Error {
    let a = valid(&[f32s("v", &[1], 0.0), f32s("w", &[1], 0.0)]);
    refused(&[(INDEX, index.as_bytes()), ("a.safetensors", &a)])
}

#[test]
fn an_index_cannot_lead_out_of_the_directory() {
    for shard in [
        r#""../a.safetensors""#,
        r#""/etc/passwd""#,
        r#""x/../../a.safetensors""#,
        r#""./..""#,
        r#""""#,
        r#"".""#,
        r#""..\\a.safetensors""#,
        r#""C:a.safetensors""#,
        "7",
    ] {
        let error = refused_index(&format!(r#"{{"weight_map":{{"v":{shard}}}}}"#));
        assert!(matches!(error, Error::ShardPath { .. }), "{shard}: {error}");
        says(&error, &[INDEX, "`v`", "inside the model directory"]);
    }
}

#[test]
fn index_and_shards_must_agree() {
    for index in ["", "[]", "{}", r#"{"weight_map":[]}"#] {
        says(&refused_index(index), &[INDEX, "weight_map"]);
    }
    let twice = r#"{"weight_map":{"v":"a.safetensors","v":"a.safetensors"}}"#;
    says(&refused_index(twice), &[INDEX, "`v` twice"]);
    let missing = r#"{"weight_map":{"v":"b.safetensors"}}"#;
    says(
        &refused_index(missing),
        &["b.safetensors", "cannot be read"],
    );
    let absent = r#"{"weight_map":{"v":"a.safetensors","w":"a.safetensors","x":"a.safetensors"}}"#;
    says(
        &refused_index(absent),
        &[INDEX, "`x`", "a.safetensors", "found no such"],
    );
    let unlisted = r#"{"weight_map":{"v":"a.safetensors"}}"#;
    says(
        &refused_index(unlisted),
        &[INDEX, "`w`", "a.safetensors", "found one"],
    );
}

const RENAMES: &[Rename] = &[Rename::new("model.", "decoder.", "outer prefix")];

/// Loads `entries` by `load` and returns the error of it or of finishing.
fn load_error(
    entries: &[Entry],
    load: impl FnOnce(&mut Loader<'_>) -> medgemma_tensor::Result<()>,
) -> Error {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("model.safetensors", &valid(entries))]);
    let source = SafetensorsDir::open(dir.path()).unwrap();
    let device = Device::best_available().unwrap();
    let mut loader = match Loader::new(&source, RENAMES, &device) {
        Ok(loader) => loader,
        Err(error) => return error,
    };
    match load(&mut loader) {
        Err(error) => error,
        Ok(()) => loader.finish().unwrap_err(),
    }
}

#[test]
fn a_missing_tensor_is_named_with_the_closest_one() {
    let entries = [f32s("model.layers.0.mlp.weight", &[2, 2], 0.0)];
    let error = load_error(&entries, |loader| {
        let mut layer = loader.scope("decoder.layers.1");
        layer.scope("mlp").weight("weight", [2, 2]).map(|_| ())
    });
    says(
        &error,
        &[
            "`decoder.layers.1.mlp.weight`",
            "closest is `model.layers.0.mlp.weight`",
            "check that the configuration belongs to these weights",
        ],
    );
}

#[test]
fn a_misshaped_tensor_is_named_with_both_shapes() {
    let entries = [f32s("model.w", &[2, 3], 0.0)];
    let expected = ["model.safetensors", "`model.w`", "[3, 2]", "[2, 3]"];
    let weight = |l: &mut Loader<'_>| l.scope("decoder").weight("w", [3, 2]).map(|_| ());
    says(&load_error(&entries, weight), &expected);
    let vector = |l: &mut Loader<'_>| l.scope("decoder").vector("w", 6).map(|_| ());
    says(
        &load_error(&entries, vector),
        &["`model.w`", "[6]", "[2, 3]"],
    );
}

#[test]
fn a_wrong_typed_tensor_is_named_with_both_types() {
    for (dtype, size) in [
        (Dtype::I64, 8),
        (Dtype::F64, 8),
        (Dtype::U8, 1),
        (Dtype::F8_E4M3, 1),
    ] {
        let entries = [zeros("model.w", dtype, size, &[2])];
        let load = |l: &mut Loader<'_>| l.scope("decoder").vector("w", 2).map(|_| ());
        let found = dtype.to_string();
        says(
            &load_error(&entries, load),
            &["model.safetensors", "`model.w`", "F32, F16, BF16", &found],
        );
    }
}

#[test]
fn surplus_tensors_are_all_listed() {
    let entries = [
        f32s("model.v", &[1], 0.0),
        f32s("x", &[1], 0.0),
        f32s("y", &[1], 0.0),
    ];
    let error = load_error(&entries, |l| l.scope("decoder").vector("v", 1).map(|_| ()));
    let Error::SurplusTensors { keys, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(keys, &["x", "y"]);
    says(&error, &["2 more: `x`, `y`"]);
}

#[test]
fn two_keys_for_one_weight_are_refused() {
    let entries = [f32s("model.v", &[1], 0.0), f32s("decoder.v", &[1], 1.0)];
    let error = load_error(&entries, |_| Ok(()));
    says(&error, &["`decoder.v`", "`model.v`", "both"]);
}

#[test]
fn ignoring_is_by_rule_and_no_further() {
    let entries = [
        zeros("model.embeddings.position_ids", Dtype::I64, 8, &[1, 4]),
        f32s("model.head.w", &[1], 0.0),
        f32s("model.header", &[1], 0.0),
    ];
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("model.safetensors", &valid(&entries))]);
    let source = SafetensorsDir::open(dir.path()).unwrap();
    let device = Device::best_available().unwrap();
    let table = [Ignore::new(".position_ids", "counts up from 0")];
    let mut loader = Loader::new(&source, RENAMES, &device)
        .unwrap()
        .with_ignored(&table);
    loader.ignore("decoder.head.", "not used here");
    let error = loader.finish().unwrap_err();
    assert!(matches!(&error, Error::SurplusTensors { keys, .. } if keys == &["model.header"]));

    let mut loader = Loader::new(&source, RENAMES, &device)
        .unwrap()
        .with_ignored(&table);
    loader.ignore("decoder.head", "not used here");
    let ignored = loader.finish().unwrap().ignored;
    let expected = [
        ("model.embeddings.position_ids", "counts up from 0"),
        ("model.head.w", "not used here"),
        ("model.header", "not used here"),
    ];
    assert_eq!(ignored, expected.map(|(key, why)| (key.to_owned(), why)));
}

#[test]
fn asking_the_source_for_an_unknown_name_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        &[("model.safetensors", &valid(&[f32s("a", &[1], 0.0)]))],
    );
    let source = SafetensorsDir::open(dir.path()).unwrap();
    assert!(matches!(source.bytes("b"), Err(Error::MissingTensor { key, .. }) if key == "b"));
    assert!(source.info("b").is_none());
    assert_eq!(source.file("b"), dir.path());
}
