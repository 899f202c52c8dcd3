//! What else may lie beside a GGUF model: files of the same format that are none, adapters, a vision
//! part under another name or inside.

use std::fs;
use std::path::Path;

use crate::support::{cpu, exactly, image};
use medgemma::{Error, MedGemma, Message};
use medgemma_testkit::{GgufFile, Scratch, gguf};
use tempfile::TempDir;

/// A folder with the text model as `model.gguf`.
fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::copy(gguf("mm-f16"), dir.path().join("model.gguf")).unwrap();
    dir
}

/// Its vision part, under a name that says nothing.
fn with_vision(dir: &Path) {
    fs::copy(gguf("mmproj-mm-f16"), dir.join("vision.gguf")).unwrap();
}

/// A file without tensors that says what it is.
fn header(path: &Path, keys: &[(&str, &str)]) {
    let mut file = GgufFile {
        version: 3,
        keys: Vec::new(),
        tensors: Vec::new(),
        alignment: 32,
    };
    for (key, value) in keys {
        file.set_text(key, value);
    }
    file.write(path);
}

fn imatrix(dir: &Path) {
    header(&dir.join("a-imatrix.gguf"), &[("general.type", "imatrix")]);
}

fn adapter(dir: &Path, name: &str) {
    let keys = [
        ("general.type", "adapter"),
        ("general.architecture", "gemma3"),
    ];
    header(&dir.join(name), &keys);
}

/// What peft writes beside its configuration; nobody looks into it.
fn peft(dir: &Path) {
    fs::write(dir.join("adapter_model.safetensors"), "a few matrices").unwrap();
}

fn sees(model: &MedGemma) -> bool {
    let shown = [Message::user().image(image("picture-a.png")).text("What?")];
    model.generate(&shown, &exactly(2)).is_ok()
}

#[track_caller]
fn refusal(path: &Path) -> (Error, String) {
    let error = MedGemma::load(path, &cpu()).expect_err("it must be refused");
    let told = error.to_string();
    (error, told)
}

#[test]
fn files_that_are_no_text_model_do_not_make_it_ambiguous() {
    let dir = folder();
    imatrix(dir.path());
    adapter(dir.path(), "b-lora.gguf");
    let other = [("general.architecture", "llama")];
    header(&dir.path().join("other-model.gguf"), &other);
    peft(dir.path());
    let model = MedGemma::load(dir.path(), &cpu()).unwrap();
    assert!(!sees(&model), "there is no vision part");
    with_vision(dir.path());
    let model = MedGemma::load(dir.path(), &cpu()).unwrap();
    assert!(sees(&model), "there is one");
    // Of a file that is named itself, only the names beside it are looked at.
    let model = MedGemma::load(dir.path().join("model.gguf"), &cpu()).unwrap();
    assert!(!sees(&model), "none was named");
    // Two of the family are still one too many.
    let model = dir.path().join("model.gguf");
    fs::copy(&model, dir.path().join("second.gguf")).unwrap();
    let (_, told) = refusal(dir.path());
    assert!(
        told.contains("model.gguf, second.gguf") && !told.contains("imatrix"),
        "{told}"
    );
    // And one that cannot be read may be one.
    fs::write(dir.path().join("second.gguf"), "half of a download").unwrap();
    assert!(matches!(refusal(dir.path()).0, Error::SeveralFiles { .. }));
}

#[test]
fn each_of_them_beside_the_model_is_left_aside() {
    type Put = fn(&Path);
    let all: [Put; 4] = [imatrix, |dir| adapter(dir, "lora.gguf"), with_vision, peft];
    for (at, put) in all.into_iter().enumerate() {
        let dir = folder();
        put(dir.path());
        let model = MedGemma::load(dir.path(), &cpu());
        let model = model.unwrap_or_else(|error| panic!("{at}: {error}"));
        assert_eq!(sees(&model), at == 2);
    }
}

#[test]
fn a_vision_part_of_another_model_is_none_unless_its_name_says_so() {
    let dir = folder();
    with_vision(dir.path());
    let path = dir.path().join("vision.gguf");
    let mut file = GgufFile::read(&path);
    file.set_u32("clip.vision.projection_dim", 25);
    file.write(&path);
    assert!(!sees(&MedGemma::load(dir.path(), &cpu()).unwrap()));
    fs::rename(&path, dir.path().join("mmproj.gguf")).unwrap();
    let (error, _) = refusal(dir.path());
    assert!(matches!(error, Error::MmprojBeside { .. }), "{error}");
}

#[test]
fn a_vision_part_that_no_one_named_is_done_without_if_it_is_damaged() {
    let dir = folder();
    with_vision(dir.path());
    let path = dir.path().join("vision.gguf");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(!sees(&MedGemma::load(dir.path(), &cpu()).unwrap()));
    fs::rename(&path, dir.path().join("mmproj.gguf")).unwrap();
    let (error, _) = refusal(dir.path());
    assert!(matches!(error, Error::Tensor(_)), "{error}");
}

#[test]
fn a_text_model_is_not_its_own_vision_part() {
    let dir = folder();
    let renamed = dir.path().join("model-for-mmproj.gguf");
    fs::rename(dir.path().join("model.gguf"), &renamed).unwrap();
    assert!(!sees(&MedGemma::load(&renamed, &cpu()).unwrap()));
}

#[test]
fn an_adapter_without_its_model_is_named() {
    let dir = TempDir::new().unwrap();
    peft(dir.path());
    let (error, told) = refusal(dir.path());
    assert!(matches!(error, Error::AdapterAlone { .. }), "{error}");
    assert!(told.contains("adapter_model.safetensors") && told.contains("merge"));

    let dir = TempDir::new().unwrap();
    for name in ["a.gguf", "b.gguf"] {
        adapter(dir.path(), name);
    }
    let (error, told) = refusal(dir.path());
    assert!(matches!(error, Error::AdapterAlone { .. }), "{error}");
    assert!(told.contains("a.gguf"), "{told}");
    let (_, told) = refusal(&dir.path().join("b.gguf"));
    assert!(told.contains("general.type") && told.contains("merge"));

    let dir = TempDir::new().unwrap();
    imatrix(dir.path());
    let (_, told) = refusal(dir.path());
    assert!(told.contains("general.type") && told.contains("imatrix"));
}

#[test]
fn an_adapter_beside_a_published_directory_is_no_second_model() {
    let scratch = Scratch::of("mm-bf16");
    let weights = scratch.file("weights.safetensors");
    fs::rename(scratch.file("model.safetensors"), weights).unwrap();
    peft(scratch.path());
    for name in ["adapters.safetensors", "0000100_adapters.safetensors"] {
        fs::write(scratch.file(name), "MLX's, of a step").unwrap();
    }
    MedGemma::load(scratch.path(), &cpu()).unwrap();
}

#[test]
fn a_file_with_both_parts_inside_is_told_from_a_damaged_one() {
    let dir = folder();
    let path = dir.path().join("model.gguf");
    let sound = GgufFile::read(&path);
    const KEY: &str = "gemma3.vision.block_count";
    const TENSOR: &str = "v.blk.0.layer_norm1.weight";
    for (key, named) in [(false, TENSOR), (true, KEY)] {
        let mut file = sound.clone();
        if key {
            file.set_u32(KEY, 27);
        }
        let mut tensor = file.tensor("output_norm.weight").clone();
        tensor.name = TENSOR.to_owned();
        file.tensors.push(tensor);
        file.write(&path);
        let (error, told) = refusal(&path);
        assert!(matches!(error, Error::VisionInside { .. }), "{error}");
        for part in ["model.gguf", named, "Ollama", "llama.cpp", "mmproj"] {
            assert!(told.contains(part), "`{part}` is not in: {told}");
        }
    }
    // A key without tensors was left over when the vision part was taken out.
    let mut file = sound;
    file.set_u32(KEY, 27);
    file.write(&path);
    assert!(!sees(&MedGemma::load(&path, &cpu()).unwrap()));
}
