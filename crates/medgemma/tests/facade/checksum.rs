//! What changes a model's checksum, and what does not.

use std::fs;
use std::path::Path;

use crate::support::cpu;
use medgemma::{Error, LoadOptions, MedGemma, MedSigLip, Resizer, SiglipOptions};
use medgemma_testkit::{Scratch, checkpoint, gguf};
use tempfile::TempDir;

/// Files that are published beside a model and not read, or made by this library.
const BESIDE: [&str; 6] = [
    "README.md",
    "chat_template.jinja",
    "tokenizer.model",
    "special_tokens_map.json",
    "medgemma-int8.cache",
    ".gitattributes",
];

fn medgemma(path: &Path) -> String {
    MedGemma::load(path, &cpu()).unwrap().checksum().unwrap()
}

fn medsiglip(path: &Path) -> String {
    MedSigLip::load(path, &cpu()).unwrap().checksum().unwrap()
}

/// One bit of the last byte turned, which is a weight's.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}

/// A space before or after a JSON file: another content, the same model.
fn space(path: &Path, [before, after]: [&str; 2]) {
    let json = fs::read_to_string(path).unwrap();
    fs::write(path, format!("{before}{json}{after}")).unwrap();
}

/// By `b3sum`'s Python twin, over `checkpoints/siglip` and `checkpoints/mm-2025`:
///
/// ```python
/// def checksum(folder):
///     ends = (".safetensors", ".safetensors.index.json", "config.json", "tokenizer.json", "spiece.model")
///     files = sorted(file for file in folder.iterdir() if file.name.endswith(ends))
///     both = lambda file: blake3(file.name.encode()).digest() + blake3(file.read_bytes()).digest()
///     return blake3(b"".join(map(both, files))).hexdigest()
/// ```
#[test]
fn a_checksum_is_the_same_in_every_version() {
    assert_eq!(
        medsiglip(&checkpoint("siglip")),
        "6ece9443dd3a5e39595ea6e92bfef318ed717583b77a95e91b50f13dd9eebe9d"
    );
    assert_eq!(
        medgemma(&checkpoint("mm-2025")),
        "48c032cf1394558309d65c52b4cc8a03ea80d5bd24971b7d37a8c632f7745e0a"
    );
}

#[test]
fn a_copy_of_a_model_has_its_checksum_whatever_lies_beside_it() {
    for (name, checksum) in [
        ("siglip", medsiglip as fn(&Path) -> String),
        ("mm-2025", medgemma),
    ] {
        let copy = Scratch::of(name);
        for file in BESIDE {
            fs::write(copy.file(file), "of no concern").unwrap();
        }
        assert_eq!(checksum(copy.path()), checksum(&checkpoint(name)), "{name}");
    }
}

#[test]
fn every_file_that_a_model_is_loaded_from_changes_its_checksum() {
    let golden = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../medgemma-tokenizer/tests/golden/siglip"
    );
    let before = medsiglip(&checkpoint("siglip"));
    let changed = |change: &dyn Fn(&Scratch)| {
        let copy = Scratch::of("siglip");
        change(&copy);
        medsiglip(copy.path())
    };
    let mut found = vec![
        before.clone(),
        changed(&|copy| flip(&copy.file("model-00001-of-00002.safetensors"))),
        changed(&|copy| flip(&copy.file("model-00002-of-00002.safetensors"))),
    ];
    for file in [
        "config.json",
        "preprocessor_config.json",
        "model.safetensors.index.json",
    ] {
        found.push(changed(&|copy| space(&copy.file(file), ["", " "])));
    }
    for file in ["spiece.model", "tokenizer.json"] {
        found.push(changed(&|copy| {
            fs::copy(Path::new(golden).join(file), copy.file(file)).unwrap();
        }));
    }
    // The same tokenizer by another name is read as another format, or not at all.
    found.push(changed(&|copy| {
        let from = Path::new(golden).join("tokenizer.json");
        fs::copy(&from, copy.file("spiece.model")).unwrap();
    }));
    for file in ["processor_config.json", "tokenizer_config.json"] {
        found.push(changed(&|copy| fs::write(copy.file(file), "{}").unwrap()));
    }
    let different: std::collections::BTreeSet<&String> = found.iter().collect();
    assert_eq!(different.len(), found.len(), "{found:?}");

    let before = medgemma(&checkpoint("mm-2025"));
    for file in [
        "generation_config.json",
        "processor_config.json",
        "tokenizer.json",
    ] {
        let copy = Scratch::of("mm-2025");
        space(&copy.file(file), ["", " "]);
        assert_ne!(medgemma(copy.path()), before, "{file}");
    }
}

/// These two files follow each other in the order of names.
#[test]
fn what_moves_from_one_file_to_the_next_is_noticed() {
    let [ends, begins] = [(["", " "], ["", ""]), (["", ""], [" ", ""])].map(|(first, second)| {
        let copy = Scratch::of("mm-2025");
        space(&copy.file("preprocessor_config.json"), first);
        space(&copy.file("processor_config.json"), second);
        medgemma(copy.path())
    });
    assert_ne!(ends, begins);
}

#[test]
fn a_gguf_model_is_its_parts_and_the_tokenizer_that_was_read() {
    let folder = || {
        let dir = TempDir::new().unwrap();
        fs::copy(gguf("mm-bf16"), dir.path().join("model.gguf")).unwrap();
        let mmproj = gguf("mmproj-mm-bf16");
        fs::copy(mmproj, dir.path().join("mmproj-model.gguf")).unwrap();
        dir
    };
    let dir = folder();
    let before = medgemma(dir.path());
    fs::write(dir.path().join("config.json"), "{}").unwrap();
    assert_eq!(medgemma(dir.path()), before, "it is not read");
    assert_eq!(medgemma(folder().path()), before);
    for file in ["model.gguf", "mmproj-model.gguf"] {
        let dir = folder();
        flip(&dir.path().join(file));
        assert_ne!(medgemma(dir.path()), before, "{file}");
    }
    let tokenizer = checkpoint("mm-bf16").join("tokenizer.json");
    fs::copy(tokenizer, dir.path().join("tokenizer.json")).unwrap();
    assert_ne!(medgemma(dir.path()), before);

    let dir = folder();
    let text_only = || {
        let options = LoadOptions::default().without_mmproj();
        let model = MedGemma::load_with(dir.path(), &cpu(), options).unwrap();
        model.checksum().unwrap()
    };
    let alone = text_only();
    assert_ne!(alone, before);
    flip(&dir.path().join("mmproj-model.gguf"));
    assert_eq!(text_only(), alone);
}

#[test]
fn a_file_that_is_gone_is_named() {
    let copy = Scratch::of("siglip");
    let model = MedSigLip::load(copy.path(), &cpu()).unwrap();
    fs::remove_file(copy.file("preprocessor_config.json")).unwrap();
    let error = model.checksum().unwrap_err();
    assert!(matches!(error, Error::Tensor(_)), "{error}");
    assert!(
        error.to_string().contains("preprocessor_config.json"),
        "{error}"
    );
}

#[test]
fn embeddings_of_other_processing_have_another_id() {
    let path = checkpoint("siglip");
    let id = |options: SiglipOptions<'_>| {
        let model = MedSigLip::load_with(&path, &cpu(), options).unwrap();
        model.embedding_id().unwrap()
    };
    let options = SiglipOptions::default;
    let plain = medsiglip(&path);
    // What is asked for by name and done anyway, and what changes no embedding.
    let same = options()
        .with_resizer(Resizer::TfBilinear)
        .with_pad_to_square(false)
        .with_memory_limit(1 << 40);
    assert_eq!([id(options()), id(same)], [plain.clone(), plain.clone()]);
    let mut found = vec![plain.clone()];
    for (options, done) in [
        (
            options().with_resizer(Resizer::PilBicubic),
            "resize=pil-bicubic\npad_to_square=false\ninterpolate=false",
        ),
        (
            options().with_pad_to_square(true),
            "resize=tf-bilinear\npad_to_square=true\ninterpolate=false",
        ),
        (
            options().with_interpolate(true),
            "resize=tf-bilinear\npad_to_square=false\ninterpolate=true",
        ),
    ] {
        let expected = blake3::hash(format!("{plain}\n{done}\n").as_bytes()).to_string();
        found.push(id(options));
        assert_eq!(found.last(), Some(&expected), "{done}");
    }
    let different: std::collections::BTreeSet<&String> = found.iter().collect();
    assert_eq!(different.len(), 4, "{found:?}");
    // Of other weights the same processing has another id, too.
    let copy = Scratch::of("siglip");
    flip(&copy.file("model-00002-of-00002.safetensors"));
    let padded = options().with_pad_to_square(true);
    let model = MedSigLip::load_with(copy.path(), &cpu(), padded).unwrap();
    assert!(!found.contains(&model.embedding_id().unwrap()));
}
