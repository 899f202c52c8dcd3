//! Arbitrary and mutated files never panic, never hang, and never make the loader reserve memory
//! that the file does not hold. Alone in its binary, because the peak is the process's.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use medgemma_tensor::checkpoint::{Loader, MappedBytes, SafetensorsDir, WeightSource};
use medgemma_tensor::{Device, Error};
use proptest::prelude::{any, prop, prop_oneof};
use proptest::strategy::{Just, Strategy};
use safetensors::tensor::Dtype;

#[allow(dead_code, reason = "shared by several test binaries")]
mod checkpoint_files;
use checkpoint_files::{f32s, raw, valid, write, zeros};

/// Opens `file` and loads whatever it holds; any error is fine.
fn load_all(file: Vec<u8>) -> Result<(), Error> {
    let length = file.len() as u64;
    let source = SafetensorsDir::from_bytes(Path::new("hostile"), MappedBytes::from_owner(file))?;
    let device = Device::best_available()?;
    let mut loader = Loader::new(&source, &[], &device)?;
    for name in source.names() {
        let info = source.info(name).unwrap();
        assert!(info.bytes < length, "{name} is larger than its file");
        assert_eq!(source.bytes(name)?.len() as u64, info.bytes);
        match info.shape[..] {
            // Burn has no empty tensors; neither has any model.
            _ if info.elements() == 0 => loader.ignore(name, "empty"),
            [n] => drop(loader.scope("").vector(name, n)),
            [m, n] => drop(loader.scope("").weight(name, [m, n])),
            _ => loader.ignore(name, "no shape that a model has"),
        }
    }
    loader.finish().map(|_| ())
}

fn sample() -> Vec<u8> {
    valid(&[
        f32s("a", &[3], 0.0),
        f32s("b.c", &[2, 5], 0.0),
        zeros("d", Dtype::BF16, 2, &[4, 4]),
        zeros("e", Dtype::F16, 2, &[7]),
        zeros("f", Dtype::I64, 8, &[1]),
    ])
}

/// Numbers where format parsers break.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..20u64,
        any::<u64>(),
        Just(u64::MAX),
        Just(1 << 32),
        Just(1 << 40),
        Just(1 << 62)
    ]
}

/// Well-formed headers that lie about everything.
fn lying_header() -> impl Strategy<Value = String> {
    let dtype = prop_oneof![
        Just("F32"),
        Just("BF16"),
        Just("F16"),
        Just("F4"),
        Just("I64"),
        Just("??")
    ];
    let entry = (
        "[a-c]{1,2}",
        dtype,
        prop::collection::vec(number(), 0..4),
        number(),
        number(),
    );
    prop::collection::vec(entry, 0..4).prop_map(|entries| {
        let entry = |(key, dtype, shape, a, b)| {
            format!(r#""{key}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{a},{b}]}}"#)
        };
        let entries: Vec<_> = entries.into_iter().map(entry).collect();
        format!("{{{}}}", entries.join(","))
    })
}

/// The most address space that this process ever had, in bytes; untouched reservations count.
#[cfg(target_os = "linux")]
fn peak_reserved() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmPeak:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() * 1024
}

#[cfg(not(target_os = "linux"))]
fn peak_reserved() -> u64 {
    0
}

/// What `cases` inputs of `strategy` may cost together. glibc reserves 64 MB per thread.
fn within_bounds<S: Strategy>(cases: u32, strategy: &S, run: impl Fn(S::Value)) {
    const MOST: u64 = 1 << 30;
    let before = peak_reserved();
    let config = proptest::test_runner::Config {
        cases,
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(strategy, |value| {
        run(value);
        Ok(())
    });
    outcome.unwrap();
    assert!(
        peak_reserved() - before < MOST,
        "hostile files reserve memory"
    );
}

#[test]
fn the_sample_itself_is_refused_only_for_its_integer() {
    let error = load_all(sample()).unwrap_err();
    assert!(
        matches!(&error, Error::SurplusTensors { keys, .. } if keys == &["f"]),
        "{error}"
    );
}

#[test]
fn arbitrary_bytes_never_panic() {
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    within_bounds(2000, &bytes, |file| {
        assert!(load_all(file).is_err(), "noise is no checkpoint");
    });
}

#[test]
fn lying_headers_never_panic() {
    let file = (lying_header(), 0..40usize);
    within_bounds(4000, &file, |(header, data)| {
        drop(load_all(raw(&header, data)))
    });
}

#[test]
fn mutated_files_never_panic() {
    let mutation = (
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        any::<prop::sample::Index>(),
        prop::collection::vec(any::<u8>(), 0..12),
        any::<bool>(),
    );
    within_bounds(4000, &mutation, |(flips, at, insert, cut)| {
        let mut file = sample();
        for (place, value) in flips {
            let place = place.index(file.len());
            file[place] = value;
        }
        let at = at.index(file.len());
        if cut {
            file.truncate(at);
        } else {
            file.splice(at..at, insert);
        }
        drop(load_all(file));
    });
}

#[test]
fn arbitrary_indices_never_leave_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("inside");
    fs::create_dir(&inside).unwrap();
    let good = valid(&[f32s("v", &[1], 0.0)]);
    write(dir.path(), &[("out.safetensors", &good)]);
    write(&inside, &[("in.safetensors", &good)]);
    let part = prop_oneof![
        Just("."),
        Just(".."),
        Just("/"),
        Just("in.safetensors"),
        Just("out.safetensors"),
        Just("inside")
    ];
    let shard = prop::collection::vec(part, 0..5).prop_map(|parts| parts.join("/"));
    within_bounds(500, &shard, |shard| {
        let index = format!(r#"{{"weight_map":{{"v":"{shard}"}}}}"#);
        write(
            &inside,
            &[("model.safetensors.index.json", index.as_bytes())],
        );
        if let Ok(source) = SafetensorsDir::open(&inside) {
            let file = fs::canonicalize(source.file("v")).unwrap();
            assert!(
                file.starts_with(fs::canonicalize(&inside).unwrap()),
                "{shard} leads out"
            );
        }
    });
}
