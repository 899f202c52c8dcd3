//! GGUF files as they are written and as they are broken: each fault is an error that names the
//! file and what is wrong with it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use medgemma_tensor::checkpoint::{
    Gguf, GgufPair, Loader, MappedBytes, Rename, StoredDtype, WeightSource,
};
use medgemma_tensor::{Device, Error, FloatFormat, Format, vec_from};
use medgemma_testkit::{GgufFile, GgufTensor, gguf};

/// A file with one tensor of each kind, and values of every type.
fn sample() -> GgufFile {
    let tensor = |name: &str, sizes: &[u64], kind: u32, bytes: Vec<u8>| GgufTensor {
        name: name.to_owned(),
        sizes: sizes.to_vec(),
        kind,
        bytes,
        offset: None,
    };
    let floats: Vec<u8> = (0..6_u16)
        .flat_map(|i| f32::from(i).to_le_bytes())
        .collect();
    let mut file = GgufFile {
        version: 3,
        keys: Vec::new(),
        tensors: vec![
            tensor("a.weight", &[3, 2], 0, floats),
            tensor("b.norm", &[5], 1, vec![0; 10]),
            tensor("c.blocks", &[64, 3], 8, vec![1; 3 * 2 * 34]),
            tensor("d.conv", &[2, 2, 3, 4], 30, vec![2; 96]),
        ],
        alignment: 32,
    };
    file.set_text("general.architecture", "test");
    file.set_u32("count", 7);
    file.set_f32("eps", 1e-6);
    file.set_texts("words", &["one", "", "drei€"]);
    file.set("yes", 7, vec![1]);
    file.set("negative", 1, vec![0xFF]);
    file.set("wide", 12, 0.1_f64.to_le_bytes().to_vec());
    let mut scores = 6_u32.to_le_bytes().to_vec();
    scores.extend(2_u64.to_le_bytes());
    scores.extend([1.5_f32, -2.0].iter().flat_map(|v| v.to_le_bytes()));
    file.set("scores", 9, scores);
    file
}

fn open(bytes: Vec<u8>) -> Result<Gguf, Error> {
    Gguf::from_bytes(Path::new("some.gguf"), MappedBytes::from_owner(bytes))
}

/// The message of the error that opening ends with.
#[track_caller]
fn refusal(bytes: Vec<u8>, what: &[&str]) -> Error {
    let error = open(bytes).expect_err("it must be refused");
    let message = error.to_string();
    for part in ["some.gguf"].iter().chain(what) {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    error
}

fn changed(change: impl FnOnce(&mut GgufFile)) -> Vec<u8> {
    let mut file = sample();
    change(&mut file);
    file.to_bytes()
}

#[test]
fn every_type_of_value_is_read() {
    for version in [2, 3] {
        let file = open(changed(|file| file.version = version)).unwrap();
        let metadata = file.metadata();
        assert_eq!(metadata.text("general.architecture").unwrap(), Some("test"));
        assert_eq!(metadata.size("count").unwrap(), Some(7));
        assert_eq!(metadata.id("count").unwrap(), Some(7));
        assert_eq!(metadata.number("eps").unwrap(), Some(1e-6));
        assert_eq!(metadata.number("wide").unwrap(), Some(0.1));
        assert_eq!(metadata.flag("yes").unwrap(), Some(true));
        assert_eq!(
            metadata.texts("words").unwrap(),
            Some(vec!["one", "", "drei€"])
        );
        assert_eq!(metadata.numbers("scores").unwrap(), Some(vec![1.5, -2.0]));
        assert_eq!(metadata.text("absent").unwrap(), None);
        assert!(metadata.contains("negative"));
        for error in [
            metadata.size("negative").unwrap_err(),
            metadata.size("eps").unwrap_err(),
            metadata.number("count").unwrap_err(),
            metadata.text("count").unwrap_err(),
            metadata.flag("count").unwrap_err(),
            metadata.texts("scores").unwrap_err(),
            metadata.numbers("words").unwrap_err(),
            metadata.integers("scores").unwrap_err(),
        ] {
            assert!(matches!(&error, Error::Config { path, .. } if path.ends_with("some.gguf")));
        }
        let message = metadata.error("negative", "more").to_string();
        assert!(
            message.contains("`negative`: expected more, found -1"),
            "{message}"
        );
    }
}

#[test]
fn values_out_of_their_range_are_refused() {
    let array = |kind: u32, values: &[&[u8]]| {
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend((values.len() as u64).to_le_bytes());
        bytes.extend(values.concat());
        bytes
    };
    let bytes = changed(|file| {
        file.set("odd", 7, vec![2]);
        file.set("yes", 7, vec![1]);
        file.set("huge", 10, (1_u64 << 25).to_le_bytes().to_vec());
        file.set("none", 4, vec![0; 4]);
        file.set("latin", 8, b"\x01\0\0\0\0\0\0\0\xE9".to_vec());
        file.set("latins", 9, array(8, &[b"\x01\0\0\0\0\0\0\0\xE9"]));
        file.set(
            "scores",
            9,
            array(6, &[&1_f32.to_le_bytes(), &f32::NAN.to_le_bytes()]),
        );
        file.set("wides", 9, array(12, &[&0.1_f64.to_le_bytes()]));
        file.set("shorts", 9, array(3, &[&(-3_i16).to_le_bytes()]));
        file.set("types", 9, array(5, &[&(-4_i32).to_le_bytes()]));
        file.set("beyond", 9, array(10, &[&u64::MAX.to_le_bytes()]));
    });
    let file = open(bytes).unwrap();
    let metadata = file.metadata();
    for (key, message) in [
        ("odd", metadata.flag("odd").unwrap_err()),
        ("yes", metadata.count("yes").unwrap_err()),
        ("huge", metadata.size("huge").unwrap_err()),
        ("huge", metadata.count("huge").unwrap_err()),
        ("huge", metadata.id("huge").unwrap_err()),
        ("none", metadata.size("none").unwrap_err()),
        ("latin", metadata.text("latin").unwrap_err()),
        ("latins", metadata.texts("latins").unwrap_err()),
        ("scores", metadata.numbers("scores").unwrap_err()),
        ("beyond", metadata.integers("beyond").unwrap_err()),
    ] {
        let message = message.to_string();
        assert!(message.contains(&format!("`{key}`")), "{message}");
    }
    assert_eq!(metadata.count("none").unwrap(), Some(0));
    assert_eq!(metadata.numbers("wides").unwrap(), Some(vec![0.1]));
    assert_eq!(metadata.integers("shorts").unwrap(), Some(vec![-3]));
    assert_eq!(metadata.integers("types").unwrap(), Some(vec![-4]));
}

#[test]
fn each_type_of_tensor_has_its_number() {
    // `ggml_type` in ggml.h, with the bytes of 256 numbers.
    let (float, blocks) = (StoredDtype::Float, StoredDtype::Blocks);
    for (number, dtype, bytes) in [
        (0, float(FloatFormat::F32), 1024),
        (1, float(FloatFormat::F16), 512),
        (2, blocks(Format::Q4_0), 144),
        (3, blocks(Format::Q4_1), 160),
        (6, blocks(Format::Q5_0), 176),
        (7, blocks(Format::Q5_1), 192),
        (8, blocks(Format::Q8_0), 272),
        (12, blocks(Format::Q4K), 144),
        (13, blocks(Format::Q5K), 176),
        (14, blocks(Format::Q6K), 210),
        (30, float(FloatFormat::Bf16), 512),
    ] {
        let file = open(changed(|file| {
            let tensor = &mut file.tensors[2];
            tensor.kind = number;
            tensor.sizes = vec![256, 1];
            tensor.bytes = vec![0; bytes];
        }));
        let file = file.unwrap();
        let info = file.info("c.blocks").unwrap();
        assert_eq!(
            (&info.dtype, info.bytes),
            (&dtype, bytes as u64),
            "{number}"
        );
    }
}

#[test]
fn tensors_have_the_shapes_of_their_checkpoint() {
    let file = open(sample().to_bytes()).unwrap();
    assert_eq!(file.names(), ["a.weight", "b.norm", "c.blocks", "d.conv"]);
    let of = |name: &str| {
        let info = file.info(name).unwrap();
        (info.dtype.clone(), info.shape.clone(), info.bytes)
    };
    let float = StoredDtype::Float;
    assert_eq!(of("a.weight"), (float(FloatFormat::F32), vec![2, 3], 24));
    assert_eq!(of("b.norm"), (float(FloatFormat::F16), vec![5], 10));
    assert_eq!(
        of("c.blocks"),
        (StoredDtype::Blocks(Format::Q8_0), vec![3, 64], 204)
    );
    assert_eq!(
        of("d.conv"),
        (float(FloatFormat::Bf16), vec![4, 3, 2, 2], 96)
    );
    for tensor in &sample().tensors {
        assert_eq!(*file.bytes(&tensor.name).unwrap(), tensor.bytes[..]);
    }
    assert!(file.bytes("e").is_err());
    assert!(file.norms_hold_one_plus());
}

#[test]
fn a_gain_is_taken_as_it_is() {
    let file = open(sample().to_bytes()).unwrap();
    let device = Device::cpu().unwrap();
    let renames = [Rename::new("b.", "block.", "test")];
    let mut loader = Loader::new(&file, &renames, &device).unwrap();
    let gain = loader.scope("block").norm_gain("norm", 5).unwrap();
    assert_eq!(vec_from(gain, "gain").unwrap(), [0.0; 5]);
}

#[test]
fn the_committed_files_open() {
    for name in ["mm-bf16", "mm-f16"] {
        let text = Gguf::open(&gguf(name)).unwrap();
        let mmproj = Gguf::open(&gguf(&format!("mmproj-{name}"))).unwrap();
        let count = text.names().len() + mmproj.names().len();
        let pair = GgufPair::new(text, Some(mmproj)).unwrap();
        assert_eq!(pair.names().len(), count);
        assert!(pair.names().is_sorted());
        assert_eq!(pair.location(), gguf(name));
        assert_eq!(pair.file("v.post_ln.bias"), gguf(&format!("mmproj-{name}")));
        assert_eq!(pair.bytes("v.post_ln.bias").unwrap().len(), 80);
        assert_eq!(pair.info("output_norm.weight").unwrap().shape, [24]);
    }
}

#[test]
fn what_is_no_gguf_is_called_so() {
    refusal(b"".to_vec(), &["0"]);
    refusal(b"GG".to_vec(), &["2"]);
    refusal(b"PK\x03\x04 a zip file".to_vec(), &["GGUF"]);
    refusal(
        changed(|file| file.version = 1),
        &["`version`", "2 or 3", "found 1"],
    );
    refusal(changed(|file| file.version = 4), &["`version`", "found 4"]);
    let big = 3_u32.swap_bytes();
    refusal(
        changed(|file| file.version = big),
        &["`version`", "3, big-endian"],
    );
    let dir = tempfile::tempdir().unwrap();
    let error = Gguf::open(dir.path()).expect_err("a directory");
    assert!(matches!(error, Error::NotAFile { .. }), "{error}");
    // No word of another kind of file than the one that was asked for.
    let text = error.to_string();
    assert!(text.contains("name the file itself"), "{text}");
    assert!(!text.contains("safetensors"), "{text}");
    let absent = Gguf::open(&dir.path().join("absent.gguf"));
    assert!(matches!(absent, Err(Error::Io { .. })));
}

#[test]
fn a_file_cut_off_anywhere_is_an_error() {
    let whole = sample().to_bytes();
    let last = &sample().tensors[3];
    let needed = whole.len() - (last.bytes.len().next_multiple_of(32) - last.bytes.len());
    for length in 0..needed {
        refusal(whole[..length].to_vec(), &[]);
    }
    // Only padding is missing.
    open(whole[..needed].to_vec()).unwrap();
}

#[test]
fn counts_and_lengths_beyond_the_file_reserve_nothing() {
    let whole = sample().to_bytes();
    // Tensors, keys, the first key's length, and those of an array of texts and of one of numbers,
    // whose size in bytes would be 0 again if it were let overflow.
    let count_of = |key: &[u8]| {
        let at = whole.windows(key.len()).position(|w| w == key).unwrap();
        at + key.len() + 4 + 4
    };
    for (at, what) in [
        (8, "a table of tensors that fits"),
        (16, "metadata that fits"),
        (24, "should have"),
        (count_of(b"words"), "an array that fits"),
        (count_of(b"scores"), "an array that fits"),
    ] {
        for value in [1 << 24, 1 << 40, 1 << 62, u64::MAX] {
            let mut bytes = whole.clone();
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            refusal(bytes, &[what]);
        }
    }
    let deep = |levels: usize| {
        let mut value = Vec::new();
        for _ in 0..levels {
            value.extend(9_u32.to_le_bytes());
            value.extend(1_u64.to_le_bytes());
        }
        value.extend(0_u32.to_le_bytes());
        value.extend(1_u64.to_le_bytes());
        value.push(7);
        changed(|file| file.set("deep", 9, value))
    };
    open(deep(2)).unwrap();
    refusal(deep(3), &["arrays"]);
    refusal(deep(100_000), &["arrays"]);
    refusal(
        changed(|file| file.set("odd", 13, vec![0; 8])),
        &["type of value"],
    );
}

#[test]
fn more_entries_or_longer_names_than_any_file_has_are_refused() {
    let most = 1_u64 << 16;
    for (at, least, what) in [
        (8, 32, "at most 65536 tensors"),
        (16, 14, "at most 65536 keys"),
    ] {
        let told = |count: u64| {
            let mut bytes = sample().to_bytes();
            bytes[at..at + 8].copy_from_slice(&count.to_le_bytes());
            // Room for so many that have no names.
            bytes.resize(bytes.len() + usize::try_from(least * count).unwrap(), 0);
            open(bytes).expect_err("there are none").to_string()
        };
        let message = told(most + 1);
        for part in ["some.gguf", what, "65537"] {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
        assert!(!told(most).contains(what), "so many may be");
    }
    let name = |length: usize| "n".repeat(length);
    for key in [false, true] {
        let named = |length: usize| {
            changed(|file| {
                if key {
                    file.set_u32(&name(length), 1);
                } else {
                    file.tensors[0].name = name(length);
                }
            })
        };
        open(named(1024)).unwrap();
        refusal(named(1025), &["at most 1024 bytes", "1025"]);
    }
}

#[test]
fn doubled_names_are_refused() {
    let bytes = changed(|file| {
        let key = file.keys[0].clone();
        file.keys.push(key);
    });
    refusal(bytes, &["general.architecture", "twice"]);
    let bytes = changed(|file| file.tensors[1].name = "a.weight".to_owned());
    refusal(bytes, &["a.weight", "twice"]);
}

#[test]
fn tensors_outside_of_the_file_or_over_each_other_are_named() {
    let at = |offset: u64| changed(move |file| file.tensors[3].offset = Some(offset));
    refusal(at(0), &["d.conv", "a.weight"]);
    refusal(at(1 << 40), &["d.conv", "cut off"]);
    refusal(at(u64::MAX - 31), &["d.conv", "offset"]);
    refusal(at(100), &["d.conv", "multiple of 32"]);
    let sized = |sizes: &[u64]| {
        let sizes = sizes.to_vec();
        changed(move |file| file.tensors[2].sizes = sizes)
    };
    refusal(sized(&[64, 30]), &["c.blocks"]);
    refusal(sized(&[63, 3]), &["c.blocks", "multiple of 32"]);
    refusal(sized(&[64, 0]), &["c.blocks", "at least 1"]);
    refusal(sized(&[1 << 40, 1 << 40]), &["c.blocks"]);
    refusal(sized(&[u64::MAX, 1]), &["c.blocks"]);
    // Three times this is 1, if it were let overflow.
    refusal(sized(&[64, 3, 0xAAAA_AAAA_AAAA_AAAB]), &["addressable"]);
    refusal(sized(&[]), &["c.blocks", "axes"]);
    refusal(sized(&[32, 1, 1, 1, 1]), &["c.blocks", "axes"]);
}

#[test]
fn types_that_are_not_read_are_named_with_those_that_are() {
    for (kind, name) in [
        (11, "Q3_K"),
        (15, "Q8_K"),
        (23, "IQ4_XS"),
        (4, "type 4"),
        (999, "type 999"),
    ] {
        let bytes = changed(|file| file.tensors[2].kind = kind);
        let error = refusal(bytes, &["c.blocks", name, "Q4_K", "BF16"]);
        assert!(matches!(error, Error::WrongDtype { .. }));
    }
}

#[test]
fn other_alignments_are_followed_if_they_can_be() {
    for alignment in [1_usize, 8, 64, 4096] {
        let bytes = changed(|file| {
            file.alignment = alignment;
            file.set_u32("general.alignment", u32::try_from(alignment).unwrap());
        });
        let file = open(bytes).unwrap();
        for tensor in &sample().tensors {
            assert_eq!(*file.bytes(&tensor.name).unwrap(), tensor.bytes[..]);
        }
    }
    for wrong in [0, 24, 1 << 20] {
        let bytes = changed(|file| file.set_u32("general.alignment", wrong));
        refusal(bytes, &["general.alignment"]);
    }
}

/// A folder with the sample as `m-0000N-of-00002.gguf`.
fn split() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let whole = sample();
    for (number, tensors) in whole.tensors.chunks(2).enumerate() {
        let mut part = whole.clone();
        part.tensors = tensors.to_vec();
        if number > 0 {
            part.keys.clear();
        }
        let number = u16::try_from(number).unwrap();
        part.set("split.no", 2, number.to_le_bytes().to_vec());
        part.set("split.count", 2, 2_u16.to_le_bytes().to_vec());
        part.write(
            &dir.path()
                .join(format!("m-{:05}-of-00002.gguf", number + 1)),
        );
    }
    dir
}

#[test]
fn a_split_model_is_one_model() {
    let dir = split();
    for part in ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"] {
        let file = Gguf::open(&dir.path().join(part)).unwrap();
        assert_eq!(file.names().len(), 4);
        assert_eq!(file.metadata().size("count").unwrap(), Some(7));
        for tensor in &sample().tensors {
            assert_eq!(*file.bytes(&tensor.name).unwrap(), tensor.bytes[..]);
        }
        assert!(file.file("d.conv").ends_with("m-00002-of-00002.gguf"));
        let parts = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"];
        let parts = parts.map(|part| dir.path().join(part));
        assert!(file.files().eq(&parts));
    }
}

#[test]
fn parts_that_do_not_belong_together_are_named() {
    let fault = |change: &dyn Fn(&Path), what: &str| {
        let dir = split();
        change(dir.path());
        let first = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap();
        let message = Gguf::open(&first.path()).unwrap_err().to_string();
        assert!(message.contains(what), "`{what}` is not in: {message}");
    };
    let second = "m-00002-of-00002.gguf";
    let edit = |dir: &Path, change: &dyn Fn(&mut GgufFile)| {
        let mut part = GgufFile::read(&dir.join(second));
        change(&mut part);
        part.write(&dir.join(second));
    };
    fault(&|dir| fs::remove_file(dir.join(second)).unwrap(), second);
    fault(
        &|dir| {
            fs::remove_file(dir.join(second)).unwrap();
            let first = dir.join("m-00001-of-00002.gguf");
            fs::rename(first, dir.join("renamed.gguf")).unwrap();
        },
        "-00001-of-00002.gguf",
    );
    let no = |n: u16| move |part: &mut GgufFile| part.set("split.no", 2, n.to_le_bytes().to_vec());
    fault(&|dir| edit(dir, &no(0)), "split.no");
    fault(
        &|dir| edit(dir, &|part| part.set_u32("split.count", 3)),
        "split.count",
    );
    fault(
        &|dir| edit(dir, &|part| part.tensors[0].name = "a.weight".to_owned()),
        "a.weight",
    );
    let part = fs::read(split().path().join(second)).unwrap();
    let error = open(part).unwrap_err().to_string();
    assert!(error.contains("split.count"), "{error}");
}

#[test]
fn one_name_in_both_files_of_a_pair_is_refused() {
    let pair = GgufPair::new(
        open(sample().to_bytes()).unwrap(),
        Some(open(sample().to_bytes()).unwrap()),
    );
    let message = pair.unwrap_err().to_string();
    assert!(message.contains("a.weight"), "{message}");
}

#[test]
fn only_feed_forward_layers_of_the_tower_that_tell_change_names() {
    // Of blocks [out, 4]: a square one tells nothing, another part's is none of the tower's.
    let names = [
        "v.blk.0.ffn_down",
        "v.blk.0.ffn_up",
        "a.blk.0.ffn_down",
        "a.blk.0.ffn_up",
    ];
    let mut file = sample();
    file.set_u32("clip.vision.embedding_length", 4);
    file.tensors.clear();
    for ((name, rows), value) in names.into_iter().zip([4, 4, 6, 6]).zip(1_u8..) {
        file.tensors.push(GgufTensor {
            name: format!("{name}.weight"),
            sizes: vec![4, rows],
            kind: 0,
            bytes: vec![value; usize::try_from(16 * rows).unwrap()],
            offset: None,
        });
    }
    let mmproj = open(file.to_bytes()).unwrap();
    let pair = GgufPair::new(open(sample().to_bytes()).unwrap(), Some(mmproj)).unwrap();
    for tensor in &file.tensors {
        assert_eq!(
            *pair.bytes(&tensor.name).unwrap(),
            tensor.bytes[..],
            "{}",
            tensor.name
        );
    }
}
