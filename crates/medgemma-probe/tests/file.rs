//! Probes on disk: what is written is read, what is damaged is refused.

mod support;

use std::fs;
use std::path::Path;

use medgemma_probe::{ClassWeights, Error, FitOptions, Kind, Probe};
use serde_json::{Value, json};
use support::noisy_rows;

fn probe() -> Probe {
    let (rows, classes) = noisy_rows(40, 5, 3);
    let options = FitOptions::default()
        .with_c(0.1)
        .with_class_weights(ClassWeights::Given(vec![1.0, 0.3, 2.0]))
        .with_standardize(true);
    let fitted = Probe::fit_classes(&["a", "µ \"b\"", "c"], &rows, &classes, &options);
    let probe = fitted
        .expect("a fit")
        .probe
        .with_encoder("google/medsiglip-448");
    probe
        .with_thresholds([0.1, 0.5, 1.0 / 3.0])
        .expect("probabilities")
}

fn saved(folder: &Path) -> Vec<u8> {
    let path = folder.join("probe.json");
    probe().save(&path).expect("a file");
    fs::read(path).expect("a file")
}

/// Writes and loads.
fn load(folder: &Path, text: impl AsRef<[u8]>) -> Result<Probe, Error> {
    let path = folder.join("changed.json");
    // Some file systems wait for the disk where a file is written over.
    let _ = fs::remove_file(&path);
    fs::write(&path, text).expect("a file");
    Probe::load(path)
}

#[test]
fn what_was_saved_is_loaded_to_the_last_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = saved(folder.path());
    let loaded = Probe::load(folder.path().join("probe.json")).expect("a probe");
    assert_eq!(loaded, probe());
    assert_eq!(loaded.encoder(), Some("google/medsiglip-448"));
    assert_eq!(loaded.penalty().expect("fitted here").c, 0.1);
    assert!(loaded.penalty().expect("fitted here").standardized);
    assert_eq!(loaded.thresholds(), Some(&[0.1, 0.5, 1.0 / 3.0][..]));
    loaded
        .save(folder.path().join("again.json"))
        .expect("a file");
    assert_eq!(
        fs::read(folder.path().join("again.json")).expect("a file"),
        bytes
    );
    let plain = Probe::new(Kind::MultiLabel, &["a"], &[[0.1, -2e-300]], &[5e300]).expect("a probe");
    plain
        .save(folder.path().join("plain.json"))
        .expect("a file");
    assert_eq!(
        Probe::load(folder.path().join("plain.json")).expect("a probe"),
        plain
    );
}

#[test]
fn a_file_is_replaced_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("probe.json");
    fs::write(&path, "something else").expect("a file");
    saved(folder.path());
    assert_eq!(Probe::load(&path).expect("a probe"), probe());
    let names = || fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(names(), 1);
    // A folder stands where the file should go: the error names it, and nothing is left.
    let taken = folder.path().join("taken");
    fs::create_dir_all(taken.join("full")).expect("a folder");
    let error = probe().save(&taken).expect_err("a folder is there");
    assert!(
        matches!(&error, Error::Io { path, .. } if *path == taken),
        "{error}"
    );
    assert_eq!(names(), 2);
    let missing = folder.path().join("missing/probe.json");
    let error = probe()
        .save(missing)
        .expect_err("no such folder")
        .to_string();
    assert!(error.contains("missing/probe.json"), "{error}");
    let Err(Error::Io { source, .. }) = Probe::load(folder.path().join("none")) else {
        panic!("no such file");
    };
    assert!(error.contains(&source.to_string()), "{error}");
}

/// A pipe would be waited for; a device stands for it.
#[test]
#[cfg(unix)]
fn what_is_no_file_is_not_opened() {
    for other in ["/dev/null", "/"] {
        let error = Probe::load(other).expect_err("no file").to_string();
        let said = format!("{other}: cannot open the file (it is no file);");
        assert!(error.starts_with(&said), "{error}");
    }
}

/// A probe is shared as any other file is: the umask of the process decides who may read it.
#[test]
#[cfg(unix)]
fn a_file_may_be_read_by_whom_a_plain_one_may() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a folder");
    saved(folder.path());
    let plain = folder.path().join("plain");
    fs::write(&plain, "").expect("a file");
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode();
    assert_eq!(mode(&folder.path().join("probe.json")), mode(&plain));
}

/// A byte that is another one, or missing, is noticed, unless it means the same.
#[test]
fn every_damaged_byte_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = saved(folder.path());
    let whole = probe();
    for at in 0..bytes.len() {
        // Another digit or letter; upper and lower case, or a quote gone; no character at all.
        for flip in [1, 0x20, 0x80] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            if let Ok(loaded) = load(folder.path(), &damaged) {
                assert_eq!(loaded, whole, "byte {at}");
            }
        }
        if at + 1 < bytes.len() {
            assert!(load(folder.path(), &bytes[..at]).is_err(), "cut at {at}");
        }
    }
}

#[test]
fn each_fault_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = saved(folder.path());
    let good: Value = serde_json::from_slice(&bytes).expect("JSON");
    let refused = |change: &dyn Fn(&mut Value), expected: [&str; 2]| {
        let mut document = good.clone();
        // Files of other programs need none.
        document
            .as_object_mut()
            .expect("an object")
            .remove("checksum");
        change(&mut document);
        let error = load(folder.path(), document.to_string()).expect_err(expected[0]);
        let text = error.to_string();
        assert!(matches!(error, Error::File { .. }), "{text}");
        assert!(text.contains("changed.json"), "{text}");
        for part in expected {
            assert!(text.contains(part), "{part}: {text}");
        }
    };
    refused(
        &|d| d["format"] = json!("other"),
        ["format", "`other`".trim_matches('`')],
    );
    refused(&|d| d["version"] = json!(2), ["version", "found 2"]);
    refused(
        &|d| d["checksum"] = json!("00000000"),
        ["checksum", "00000000"],
    );
    refused(&|d| d["surplus"] = json!(1), ["surplus", "unknown field"]);
    refused(
        &|d| d["probe"]["surplus"] = json!(1),
        ["surplus", "unknown field"],
    );
    refused(
        &|d| d["probe"]["penalty"]["surplus"] = json!(1),
        ["surplus", "unknown field"],
    );
    refused(
        &|d| d["probe"]["penalty"]["prevalence"] = json!([0.5, 0.5]),
        ["penalty.prevalence", "3 in all"],
    );
    refused(
        &|d| d["probe"]["penalty"]["prevalence"][1] = json!(1.5),
        ["penalty.prevalence[1]", "1.5"],
    );
    // As files were when balanced fits said what holds of classes that are equally frequent.
    refused(
        &|d| {
            d["probe"]["penalty"] =
                json!({"c": 1.0, "class_weights": "balanced", "standardized": true})
        },
        ["JSON", "prevalence"],
    );
    refused(
        &|d| d["probe"]["kind"] = json!("regression"),
        ["regression", "multi-label"],
    );
    refused(
        &|d| d["probe"]["labels"][2] = json!("a"),
        ["labels", "`a` twice"],
    );
    refused(
        &|d| d["probe"]["labels"] = json!(["a", "b"]),
        ["weights", "2 in all"],
    );
    refused(
        &|d| d["probe"]["dimension"] = json!(4),
        ["weights[0]", "4 in all"],
    );
    refused(
        &|d| d["probe"]["dimension"] = json!(0),
        ["weights[0]", "0 in all"],
    );
    refused(
        &|d| d["probe"]["intercepts"] = json!([0.0]),
        ["intercepts", "1 entries"],
    );
    refused(
        &|d| d["probe"]["weights"][1] = json!([0.5]),
        ["weights[1]", "5 numbers"],
    );
    refused(
        &|d| d["probe"]["weights"][1][0] = Value::Null,
        ["JSON", "null"],
    );
    refused(
        &|d| d["probe"]["thresholds"] = json!([0.1]),
        ["thresholds", "1 entries"],
    );
    refused(
        &|d| d["probe"]["thresholds"][0] = json!(1.5),
        ["thresholds[0]", "1.5"],
    );
    let error = load(folder.path(), bytes.repeat(2)).expect_err("two documents");
    assert!(error.to_string().contains("trailing"), "{error}");
    for text in ["", "[]", "{}", "null", "not JSON"] {
        assert!(
            matches!(load(folder.path(), text), Err(Error::File { .. })),
            "{text}"
        );
    }
}

/// As scikit-learn's weights are written from Python: no checksum, whole numbers, spaces, other order.
#[test]
fn files_of_other_programs_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"{"version": 1, "format": "medgemma-probe",
        "probe": {"weights": [[0, 0], [1, -2.5e-1]], "intercepts": [0, 1], "dimension": 2,
        "labels": ["normal", "effusion"], "kind": "multi-class"}}"#;
    let loaded = load(folder.path(), text).expect("a probe");
    let weights = [[0.0, 0.0], [1.0, -0.25]];
    let expected = Probe::new(
        Kind::MultiClass,
        &["normal", "effusion"],
        &weights,
        &[0.0, 1.0],
    );
    assert_eq!(loaded, expected.expect("a probe"));
    assert_eq!(
        (loaded.encoder(), loaded.penalty(), loaded.thresholds()),
        (None, None, None)
    );
}
