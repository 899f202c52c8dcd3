//! GGUF pairs through the facade: the goldens of the checkpoints that they were made from, where
//! the vision part and the tokenizer are found, and what is refused, by file and key.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{GoldenChat, ask, cpu, exactly, ids, image};
use medgemma::{Error, LoadOptions, MedGemma, Message, Precision};
use medgemma_gemma3::{Decoder, GenerateOptions, Segment};
use medgemma_tensor::checkpoint::{
    Gguf, GgufPair, Rename, SafetensorsDir, WeightSource, canonical,
};
use medgemma_testkit::{GgufFile, Golden, assert_close, checkpoint, gguf};
use serde_json::Value;
use tempfile::TempDir;

/// Variants with the tolerance of their arithmetic: see `medgemma-gemma3/tests/golden.rs`. Rounding
/// to bf16 falls otherwise than from the checkpoint itself (0.03 there, 0.06 here), because the
/// file's query norms are scaled (`golden/generate_gguf.py`); that the weights are the same ones is
/// tested for itself.
const PAIRS: [(&str, f32); 2] = [("mm-bf16", 1e-1), ("mm-f16", 1e-4)];

/// A folder with the pair as `model.gguf` and `mmproj-model.gguf`.
fn folder(variant: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::copy(gguf(variant), dir.path().join("model.gguf")).unwrap();
    let mmproj = gguf(&format!("mmproj-{variant}"));
    fs::copy(mmproj, dir.path().join("mmproj-model.gguf")).unwrap();
    dir
}

fn load(path: &Path) -> medgemma::Result<MedGemma> {
    MedGemma::load(path, &cpu())
}

/// The message of the error that loading ends with.
fn refusal(path: &Path) -> String {
    load(path).expect_err("it must be refused").to_string()
}

#[track_caller]
fn names(message: &str, what: &[&str]) {
    for part in what {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn soft_tokens_logits_and_answers_are_those_of_the_checkpoint() {
    for (variant, tolerance) in PAIRS {
        let dir = folder(variant);
        let model = load(dir.path()).unwrap();
        let model = model.model();
        for prompt in ["text", "two-images"] {
            let name = format!("{variant}.{prompt}");
            let golden = Golden::named(&name);
            let check = |what: &str, shape: &[usize], found: &[f32], key: &str| {
                let expected = golden.f32(key);
                assert_close(
                    &format!("{name} {what}"),
                    shape,
                    found,
                    &expected,
                    tolerance,
                );
            };
            let mut images = Vec::new();
            if golden.has("pixel_values") && golden.has("soft_tokens") {
                let mut all = Vec::new();
                for pixels in pixels(&golden) {
                    let encoded = model.encode(&pixels).unwrap();
                    all.extend(encoded.to_vec().unwrap());
                    images.push(encoded);
                }
                let shape = [&[images.len()][..], &images[0].dims()].concat();
                check("soft tokens", &shape, &all, "soft_tokens");
            } else if golden.has("pixel_values") {
                images.extend(pixels(&golden).iter().map(|p| model.encode(p).unwrap()));
            }
            let ids = golden.ids("input_ids");
            let segments = model.segments(&ids, &images).unwrap();
            let decoder = model.decoder();
            let logits = decoder
                .observe(
                    &segments,
                    &mut decoder.new_cache(),
                    ids.len(),
                    &mut |_, _| {},
                )
                .unwrap();
            let shape = logits.dims();
            let logits = medgemma_tensor::vec_from(logits, "logits").unwrap();
            check("logits", &shape, &logits, "logits");
            // Answers stand on gaps of 2e-3 of the largest logit, which bf16 arithmetic may close.
            if tolerance < 1e-3 {
                let expected = golden.ids("generated_ids");
                assert_eq!(
                    answer(decoder, segments, expected.len()),
                    expected,
                    "{name}"
                );
            }
        }
    }
}

/// The greedy continuation, `tokens` long.
fn answer(decoder: &Decoder, segments: Vec<Segment>, tokens: usize) -> Vec<u32> {
    let mut options = GenerateOptions::default();
    options.max_new_tokens = tokens;
    let mut cache = decoder.new_cache();
    let tokens = decoder.generate(segments, &mut cache, &options, Box::new(|_, _| true));
    tokens.unwrap().map(|token| token.unwrap().id).collect()
}

/// The pixels of a golden, one for each image.
fn pixels(golden: &Golden) -> Vec<medgemma::Pixels> {
    let array = golden.f32("pixel_values");
    let [_, c, h, w] = array.shape[..] else {
        panic!("pixels have four axes");
    };
    let images = array.data.chunks_exact(c * h * w);
    images
        .map(|data| medgemma::Pixels {
            data: data.to_vec(),
            shape: [c, h, w],
        })
        .collect()
}

#[test]
fn weights_are_the_bytes_of_the_checkpoint() {
    let renames: Vec<Rename> = [
        medgemma_siglip::RENAMES,
        medgemma_projector::RENAMES,
        medgemma_gemma3::RENAMES,
    ]
    .concat();
    let name = |key: &str| canonical(key, &renames, |_| {});
    for (variant, _) in PAIRS {
        let mmproj = Gguf::open(&gguf(&format!("mmproj-{variant}"))).unwrap();
        let pair = GgufPair::new(Gguf::open(&gguf(variant)).unwrap(), Some(mmproj)).unwrap();
        let published = SafetensorsDir::open(&checkpoint(variant)).unwrap();
        let keys = published.names();
        assert_eq!(pair.names().len(), keys.len(), "{variant}");
        let mut identical = 0;
        for key in pair.names() {
            let same = keys.iter().find(|other| name(other) == name(key));
            let same = same.unwrap_or_else(|| panic!("{variant} has no {key}"));
            let (found, expected) = (pair.info(key).unwrap(), published.info(same).unwrap());
            assert_eq!(found.shape, expected.shape, "{variant} {key}");
            if found.dtype == expected.dtype {
                assert_eq!(
                    *pair.bytes(key).unwrap(),
                    *published.bytes(same).unwrap(),
                    "{key}"
                );
                identical += 1;
            }
        }
        // The decoder's 7 matrices a layer and the embeddings, the tower's 6 a layer.
        assert!(identical > 8 * 7 + 3 * 6, "{variant}: {identical}");
    }
}

#[test]
fn a_conversation_is_the_same_from_either_format() {
    let case = GoldenChat::named("chat-two-images");
    for (variant, _) in PAIRS {
        let (dir, published) = (folder(variant), checkpoint(variant));
        let (one, other) = (load(dir.path()).unwrap(), load(&published).unwrap());
        assert_eq!(one.special(), other.special(), "{variant}");
        assert_eq!(one.tokenizer().vocab_size(), other.tokenizer().vocab_size());
        let messages = [&case.messages[..], &[ask("And now?")]].concat();
        let messages = &messages[messages.len() - 1..];
        for messages in [&case.messages[..], messages] {
            assert_eq!(
                one.prompt_ids(messages).unwrap(),
                other.prompt_ids(messages).unwrap(),
                "{variant}: the tokenizers differ"
            );
            let (a, b) = (
                one.generate(messages, &exactly(12)).unwrap(),
                other.generate(messages, &exactly(12)).unwrap(),
            );
            assert_eq!(ids(&a), ids(&b), "{variant}");
            assert_eq!(a.text, b.text, "{variant}");
        }
        let image = image("picture-a.png");
        let [a, b] = [&one, &other].map(|model| model.model().process(&image).unwrap());
        assert_eq!(
            a.pixels[0].data, b.pixels[0].data,
            "{variant}: the processors differ"
        );
    }
}

#[test]
fn the_vision_part_is_found_beside_the_model_or_named() {
    let dir = folder("mm-f16");
    let file = dir.path().join("model.gguf");
    let image = [Message::user().image(image("picture-a.png")).text("What?")];
    let answers = |model: &MedGemma| model.generate(&image, &exactly(2)).is_ok();
    assert!(answers(&load(&file).unwrap()));
    let none = LoadOptions::default().without_mmproj();
    let blind = MedGemma::load_with(&file, &cpu(), none).unwrap();
    let error = blind.generate(&image, &exactly(2)).unwrap_err();
    assert!(matches!(error, Error::TextOnlyModel { .. }), "{error}");

    // A configuration left beside it is not what says that safetensors files are meant.
    fs::write(dir.path().join("config.json"), "{}").unwrap();
    assert!(answers(&load(dir.path()).unwrap()));

    let elsewhere = TempDir::new().unwrap();
    let moved = elsewhere.path().join("vision.gguf");
    fs::rename(dir.path().join("mmproj-model.gguf"), &moved).unwrap();
    assert!(!answers(&load(dir.path()).unwrap()));
    let named = LoadOptions::default().with_mmproj(&moved);
    assert!(answers(
        &MedGemma::load_with(dir.path(), &cpu(), named).unwrap()
    ));

    for name in ["a-mmproj.gguf", "MMPROJ-b.gguf"] {
        fs::copy(&moved, dir.path().join(name)).unwrap();
    }
    names(
        &refusal(&file),
        &[
            "MMPROJ-b.gguf",
            "a-mmproj.gguf",
            "with_mmproj",
            "without_mmproj",
        ],
    );
    let named = LoadOptions::default().with_mmproj(&moved);
    assert!(answers(&MedGemma::load_with(&file, &cpu(), named).unwrap()));

    fs::copy(&file, dir.path().join("second.gguf")).unwrap();
    names(
        &refusal(dir.path()),
        &["model.gguf", "second.gguf", "the file to load"],
    );
}

#[test]
fn a_file_with_another_ending_is_known_by_how_it_begins() {
    let dir = folder("mm-f16");
    let blob = dir.path().join("sha256-5fd3b6");
    fs::rename(dir.path().join("model.gguf"), &blob).unwrap();
    let vision = LoadOptions::default().with_mmproj(dir.path().join("mmproj-model.gguf"));
    let (found, whole) = (
        MedGemma::load_with(&blob, &cpu(), vision).unwrap(),
        folder("mm-f16"),
    );
    let expected = load(whole.path()).unwrap();
    let question = [Message::user().image(image("picture-a.png")).text("What?")];
    let [a, b] = [found, expected].map(|m| m.generate(&question, &exactly(6)).unwrap());
    assert_eq!(ids(&a), ids(&b));
}

#[test]
fn a_folder_with_the_parts_of_a_model_is_that_model() {
    let dir = folder("mm-f16");
    let whole = dir.path().join("model.gguf");
    let file = GgufFile::read(&whole);
    let mut tensors = file.tensors.clone();
    let rest = tensors.split_off(tensors.len() / 2);
    for (number, tensors) in [(0_u16, tensors), (1, rest)] {
        let mut part = file.clone();
        part.tensors = tensors;
        if number > 0 {
            part.keys.clear();
        }
        part.set("split.no", 2, number.to_le_bytes().to_vec());
        part.set("split.count", 2, 2_u16.to_le_bytes().to_vec());
        let name = format!("model-{:05}-of-00002.gguf", number + 1);
        part.write(&dir.path().join(name));
    }
    fs::remove_file(&whole).unwrap();
    let (found, expected) = (load(dir.path()).unwrap(), folder("mm-f16"));
    let expected = load(expected.path()).unwrap();
    let question = [Message::user().image(image("picture-a.png")).text("What?")];
    let [a, b] = [found, expected].map(|m| m.generate(&question, &exactly(6)).unwrap());
    assert_eq!(ids(&a), ids(&b));
}

#[test]
fn a_cache_of_quantised_weights_bears_the_name_of_its_model() {
    let options = |cache| {
        let options = LoadOptions::default().with_precision(Precision::Int8);
        options.with_cache_quantized(cache)
    };
    let dir = folder("mm-f16");
    let answer = |cache| {
        let model = MedGemma::load_with(dir.path(), &cpu(), options(cache)).unwrap();
        ids(&model.generate(&[ask("What?")], &exactly(6)).unwrap())
    };
    let plain = answer(false);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "not unasked");
    for _ in 0..2 {
        assert_eq!(answer(true), plain);
        assert!(dir.path().join("model.medgemma-int8.cache").is_file());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }
}

#[test]
fn a_cache_of_quantised_weights_serves_with_and_without_the_vision_part() {
    let dir = folder("mm-f16");
    let cache = dir.path().join("model.medgemma-int8.cache");
    let load = |vision: bool| {
        let options = LoadOptions::default().with_precision(Precision::Int8);
        let options = options.with_cache_quantized(true);
        let options = if vision {
            options
        } else {
            options.without_mmproj()
        };
        MedGemma::load_with(dir.path(), &cpu(), options).unwrap();
    };
    load(true);
    let made = || fs::metadata(&cache).unwrap().modified().unwrap();
    let before = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    let file = fs::File::options().write(true).open(&cache).unwrap();
    file.set_modified(before).unwrap();
    for vision in [false, true, false] {
        load(vision);
        assert_eq!(made(), before, "with the vision part: {vision}");
    }
}

#[test]
fn a_plan_counts_what_the_files_hold() {
    let dir = folder("mm-f16");
    for precision in [Precision::AsIs, Precision::Int8] {
        let options = || LoadOptions::default().with_precision(precision);
        let error = MedGemma::load_with(dir.path(), &cpu(), options().with_memory_limit(1));
        let Error::NotEnoughMemory { plan, .. } = error.expect_err("a byte is not enough") else {
            panic!("another error");
        };
        let model = MedGemma::load_with(dir.path(), &cpu(), options()).unwrap();
        let read = model.model().report().bytes;
        assert_eq!(plan.weights == read, precision == Precision::AsIs, "{read}");
        assert!(plan.weights <= read, "{precision}");
    }
}

#[test]
fn a_head_of_its_own_is_used() {
    let (_dir, path) = edited("mm-f16", |file| {
        let mut head = file.tensor("token_embd.weight").clone();
        head.name = "output.weight".to_owned();
        let row = head.bytes.len() / usize::try_from(head.sizes[1]).unwrap();
        head.bytes = head.bytes.rchunks(row).flatten().copied().collect();
        file.tensors.push(head);
    });
    let dir = folder("mm-f16");
    let [(tied, mut expected), (untied, found)] = [dir.path(), &path].map(|path| {
        let model = load(path).unwrap();
        let decoder = model.model().decoder();
        let prompt = [Segment::Tokens(vec![2, 105, 300, 17])];
        let logits = decoder.prefill(&prompt, &mut decoder.new_cache(), 512, &mut |_, _| true);
        let logits = medgemma_tensor::vec_from(logits.unwrap().unwrap(), "logits").unwrap();
        (decoder.config().tie_word_embeddings, logits)
    });
    assert_eq!((tied, untied), (true, false));
    expected.reverse();
    let far = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    assert!(far.fold(0.0, f32::max) < 1e-4);
}

#[test]
fn a_tokenizer_beside_the_file_is_preferred() {
    let dir = folder("mm-f16");
    let beside = dir.path().join("tokenizer.json");
    fs::copy(checkpoint("mm-f16").join("tokenizer.json"), &beside).unwrap();
    let model = load(dir.path()).unwrap();
    assert_eq!(model.tokenizer().name(), beside.display().to_string());
    let change = |file: &mut GgufFile| file.unset("tokenizer.ggml.model");
    let path = edited("mm-f16", change);
    names(
        &refusal(&path.1),
        &["tokenizer.ggml.model", "tokenizer.json"],
    );
    fs::copy(&beside, path.0.path().join("tokenizer.json")).unwrap();
    // The ids of the pictures are then the published ones, which this tokenizer contradicts.
    names(&refusal(&path.1), &["boi_token_index", "255999", "429"]);
}

#[test]
fn a_tokenizer_of_another_model_beside_the_file_is_refused() {
    let dir = folder("mm-f16");
    let beside = dir.path().join("tokenizer.json");
    let own = fs::read_to_string(checkpoint("mm-f16").join("tokenizer.json")).unwrap();
    let mut other: Value = serde_json::from_str(&own).unwrap();
    let vocab = other["model"]["vocab"].as_object_mut().unwrap();
    let [a, b] = [300, 301].map(|id| {
        let piece = vocab.iter().find(|(_, found)| **found == id);
        piece.unwrap().0.clone()
    });
    vocab.insert(a, 301.into());
    vocab.insert(b, 300.into());
    fs::write(&beside, other.to_string()).unwrap();
    names(
        &refusal(dir.path()),
        &["model.gguf", "tokenizer.json", "id 300", "take"],
    );
    fs::write(&beside, own).unwrap();
    load(dir.path()).unwrap();
}

#[test]
fn other_paths_are_refused_with_what_to_do() {
    let dir = folder("mm-f16");
    let text = dir.path().join("notes.txt");
    fs::write(&text, "no model").unwrap();
    names(&refusal(&text), &["notes.txt", "GGUF file"]);
    let absent = refusal(&dir.path().join("absent.gguf"));
    names(&absent, &["absent.gguf", "cannot be read"]);
    let message = refusal(&dir.path().join("mmproj-model.gguf"));
    names(&message, &["general.architecture", "`gemma3`", "clip"]);
    let options = LoadOptions::default().with_mmproj(dir.path().join("mmproj-model.gguf"));
    let error = MedGemma::load_with(checkpoint("mm-f16"), &cpu(), options).unwrap_err();
    names(
        &error.to_string(),
        &["mmproj-model.gguf", "mm-f16", "no GGUF"],
    );
    let options = LoadOptions::default().with_mmproj(dir.path().join("model.gguf"));
    let error = MedGemma::load_with(dir.path(), &cpu(), options).unwrap_err();
    names(&error.to_string(), &["model.gguf"]);
}

/// A folder with the pair, the text model changed; and its path.
fn edited(variant: &str, change: impl FnOnce(&mut GgufFile)) -> (TempDir, PathBuf) {
    edited_file(variant, "model.gguf", change)
}

fn edited_file(
    variant: &str,
    file: &str,
    change: impl FnOnce(&mut GgufFile),
) -> (TempDir, PathBuf) {
    let dir = folder(variant);
    let path = dir.path().join(file);
    let mut content = GgufFile::read(&path);
    change(&mut content);
    content.write(&path);
    let model = dir.path().join("model.gguf");
    (dir, model)
}

#[test]
fn keys_that_are_missing_or_cannot_be_followed_are_named() {
    for key in [
        "general.architecture",
        "gemma3.block_count",
        "gemma3.embedding_length",
        "gemma3.feed_forward_length",
        "gemma3.context_length",
        "gemma3.attention.head_count",
        "gemma3.attention.layer_norm_rms_epsilon",
        "gemma3.rope.freq_base",
        "gemma3.rope.scaling.factor",
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.scores",
        "tokenizer.ggml.token_type",
    ] {
        let (_dir, path) = edited("mm-f16", |file| file.unset(key));
        names(&refusal(&path), &["model.gguf", key]);
    }
    for key in [
        "clip.projector_type",
        "clip.vision.image_size",
        "clip.vision.patch_size",
        "clip.vision.embedding_length",
        "clip.vision.feed_forward_length",
        "clip.vision.block_count",
        "clip.vision.attention.head_count",
        "clip.vision.attention.layer_norm_epsilon",
        "clip.vision.image_mean",
        "clip.vision.image_std",
    ] {
        let (_dir, path) = edited_file("mm-f16", "mmproj-model.gguf", |file| file.unset(key));
        names(&refusal(&path), &["mmproj-model.gguf", key]);
    }
    type Change = fn(&mut GgufFile);
    let cases: [(&str, Change); 12] = [
        ("general.architecture", |f| {
            f.set_text("general.architecture", "gemma3n")
        }),
        ("gemma3.block_count", |f| {
            f.set_u32("gemma3.block_count", 20_000)
        }),
        ("gemma3.block_count", |f| {
            f.set_text("gemma3.block_count", "8")
        }),
        ("gemma3.embedding_length", |f| {
            f.set_u32("gemma3.embedding_length", 0)
        }),
        ("gemma3.attention.head_count_kv", |f| {
            f.set_u32("gemma3.attention.head_count_kv", 3);
        }),
        ("gemma3.attention.value_length", |f| {
            f.set_u32("gemma3.attention.value_length", 16);
        }),
        ("gemma3.final_logit_softcapping", |f| {
            f.set_f32("gemma3.final_logit_softcapping", 30.0);
        }),
        ("gemma3.rope.freq_base", |f| {
            f.set_f32("gemma3.rope.freq_base", f32::NAN)
        }),
        ("gemma3.rope.scaling.type", |f| {
            f.set_text("gemma3.rope.scaling.type", "yarn")
        }),
        ("tokenizer.ggml.model", |f| {
            f.set_text("tokenizer.ggml.model", "gpt2")
        }),
        ("tokenizer.ggml.add_space_prefix", |f| {
            f.set("tokenizer.ggml.add_space_prefix", 7, vec![1]);
        }),
        ("tokenizer.ggml.tokens", |f| {
            f.set_texts("tokenizer.ggml.tokens", &["a"; 448])
        }),
    ];
    for (key, change) in cases {
        let (_dir, path) = edited("mm-f16", change);
        names(&refusal(&path), &["model.gguf", key]);
    }
    let cases: [(&str, Change); 4] = [
        ("clip.projector_type", |f| {
            f.set_text("clip.projector_type", "mlp")
        }),
        ("clip.vision.projection_dim", |f| {
            f.set_u32("clip.vision.projection_dim", 25)
        }),
        ("clip.vision.projector.scale_factor", |f| {
            f.set_u32("clip.vision.projector.scale_factor", 3);
        }),
        ("clip.vision.attention.head_count", |f| {
            f.set_u32("clip.vision.attention.head_count", 3);
        }),
    ];
    for (key, change) in cases {
        let (_dir, path) = edited_file("mm-f16", "mmproj-model.gguf", change);
        names(&refusal(&path), &["mmproj-model.gguf", key]);
    }
    // Nobody named that file: another model's may lie beside this one.
    let (dir, path) = edited_file("mm-f16", "mmproj-model.gguf", |file| {
        file.set_u32("clip.vision.projection_dim", 25);
    });
    let (named, none) = ("`with_mmproj`", "`without_mmproj`");
    names(
        &refusal(&path),
        &["25", "lies beside", "model.gguf", named, none],
    );
    let options = LoadOptions::default().with_mmproj(dir.path().join("mmproj-model.gguf"));
    let error = MedGemma::load_with(&path, &cpu(), options).unwrap_err();
    assert!(!error.to_string().contains(none), "{error}");
    let options = LoadOptions::default().without_mmproj();
    assert!(MedGemma::load_with(&path, &cpu(), options).is_ok());
}

#[test]
fn tensors_that_are_missing_surplus_or_misshaped_are_named() {
    let (_dir, path) = edited("mm-f16", |file| {
        file.tensors.retain(|t| t.name != "blk.3.attn_q.weight");
    });
    names(
        &refusal(&path),
        &["model.gguf", "layers.3.self_attn.q_proj.weight"],
    );
    let (_dir, path) = edited("mm-f16", |file| {
        file.tensor("blk.3.attn_q.weight").sizes.reverse();
    });
    names(
        &refusal(&path),
        &["blk.3.attn_q.weight", "[32, 24]", "[24, 32]"],
    );
    let (_dir, path) = edited("mm-f16", |file| {
        let mut bias = file.tensor("blk.0.attn_norm.weight").clone();
        bias.name = "blk.0.attn_q.bias".to_owned();
        file.tensors.push(bias);
    });
    names(&refusal(&path), &["blk.0.attn_q.bias"]);
    let (_dir, path) = edited_file("mm-f16", "mmproj-model.gguf", |file| {
        file.tensor("mm.input_projection.weight").sizes.reverse();
    });
    names(
        &refusal(&path),
        &["mmproj-model.gguf", "mm.input_projection.weight"],
    );
    let (_dir, path) = edited_file("mm-f16", "mmproj-model.gguf", |file| {
        let name = "output_norm.weight".to_owned();
        file.tensor("v.post_ln.weight").name = name;
    });
    names(
        &refusal(&path),
        &["mmproj-model.gguf", "model.gguf", "output_norm.weight"],
    );
}

#[test]
fn feed_forward_layers_under_each_others_names_are_set_right() {
    let (dir, path) = edited_file("mm-f16", "mmproj-model.gguf", |file| {
        for tensor in &mut file.tensors {
            if tensor.name.contains("ffn_up") {
                tensor.name = tensor.name.replace("ffn_up", "ffn_down");
            } else {
                tensor.name = tensor.name.replace("ffn_down", "ffn_up");
            }
        }
    });
    let swapped = GgufFile::read(&dir.path().join("mmproj-model.gguf"));
    assert!(
        swapped
            .tensors
            .iter()
            .any(|t| t.name == "v.blk.0.ffn_down.bias")
    );
    let (one, other) = (load(&path).unwrap(), load(folder("mm-f16").path()).unwrap());
    let image = image("picture-a.png");
    let [a, b] = [one, other].map(|model| {
        let processed = model.model().process(&image).unwrap();
        let encoded = model.model().encode(&processed.pixels[0]).unwrap();
        encoded.to_vec().unwrap()
    });
    assert_eq!(a, b);
}

#[test]
fn frequencies_are_left_aside_if_they_change_nothing() {
    let with = |values: [f32; 4]| {
        edited("mm-f16", move |file| {
            let mut tensor = file.tensor("output_norm.weight").clone();
            tensor.name = "rope_freqs.weight".to_owned();
            tensor.sizes = vec![4];
            tensor.bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            file.tensors.push(tensor);
        })
    };
    let (_dir, path) = with([1.0; 4]);
    let model = load(&path).unwrap();
    // Nor are they planned for.
    let one = LoadOptions::default().with_memory_limit(1);
    match MedGemma::load_with(&path, &cpu(), one) {
        Err(Error::NotEnoughMemory { plan, .. }) => {
            assert_eq!(plan.weights, model.model().report().bytes);
        }
        other => panic!("{other:?}"),
    }
    let ignored = &model.model().report().ignored;
    assert!(
        ignored.iter().any(|(name, _)| name == "rope_freqs.weight"),
        "{ignored:?}"
    );
    let (_dir, path) = with([1.0, 1.0, 2.0, 1.0]);
    names(&refusal(&path), &["rope_freqs.weight"]);
}
