//! Damaged and foreign tokenizer files are errors that name the fault; none makes the reader panic.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use medgemma_tokenizer::{
    Detokenizer, Error, GgufVocabulary, MAX_FILE_BYTES, SpecialTokens, Tokenizer,
};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use serde_json::{Value, json};

const FILE: &[u8] = include_bytes!("golden/tokenizer.json");

fn read(file: &Value) -> Result<Tokenizer, Error> {
    Tokenizer::from_bytes("the-file", &serde_json::to_vec(file).unwrap())
}

/// The golden file with the value at `pointer` replaced, or appended for a pointer ending in `-`.
fn with(pointer: &str, value: Value) -> Value {
    let mut file: Value = serde_json::from_slice(FILE).unwrap();
    match pointer.rsplit_once('/').unwrap() {
        (parent, "-") => file
            .pointer_mut(parent)
            .unwrap()
            .as_array_mut()
            .unwrap()
            .push(value),
        (parent, key) => match file.pointer_mut(parent).unwrap() {
            Value::Object(map) => drop(map.insert(key.to_owned(), value)),
            Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
            _ => panic!("{pointer}"),
        },
    }
    file
}

fn added(id: u32, content: &str) -> Value {
    json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
           "normalized": false, "special": false})
}

#[test]
fn contradictions_in_the_vocabulary_are_named() {
    let long = "radiologist";
    let cases = [
        (
            with("/model/merges/-", json!(["\u{2581}a", "nowhere"])),
            "model.merges[474]",
            "nowhere",
        ),
        // The library's own loader panics on this one: the merged text is longer than any token.
        (
            with("/model/merges/-", json!([long, long])),
            "model.merges[474]",
            "radiologist",
        ),
        // Old files spell a merge as one line.
        (
            with("/model/merges/-", json!("unparted")),
            "model.merges[474]",
            "unparted",
        ),
        (with("/model/vocab/new", json!(5)), "model.vocab", ""),
        // Whoever walks through all ids would not come to an end.
        (
            with("/model/vocab/zzz", json!(u32::MAX)),
            "model.vocab",
            "zzz",
        ),
        (
            with("/model/vocab/zzz", json!(810 + 24 + (1 << 20))),
            "model.vocab",
            "zzz",
        ),
        (
            with("/model/unk_token", json!("<none>")),
            "model.unk_token",
            "<none>",
        ),
        (
            with("/added_tokens/-", added(4, "<bos>")),
            "added_tokens[24]",
            "<bos>",
        ),
        (
            with("/added_tokens/-", added(810, "")),
            "added_tokens[24]",
            "",
        ),
        (
            with("/added_tokens/2/id", json!(3)),
            "added_tokens[2]",
            "<bos>",
        ),
        (
            with("/added_tokens/-", added(811, "<new>")),
            "added_tokens[24]",
            "<new>",
        ),
        (
            with("/added_tokens/-", added(3, "<new>")),
            "added_tokens[24]",
            "<new>",
        ),
    ];
    for (file, at, about) in cases {
        match read(&file) {
            Err(Error::Vocabulary {
                name,
                key,
                token,
                fault,
            }) => {
                assert_eq!((name.as_str(), key.as_str()), ("the-file", at));
                assert!(token.contains(about), "{token:?} {fault}");
            }
            other => panic!("{at} {about}: {other:?}"),
        }
    }
    assert!(
        read(&with("/added_tokens/-", added(810, "<new>"))).is_ok(),
        "the next id is fine"
    );
    // So is a gap.
    let mut gap = with("/model/vocab/zzz", json!(5000));
    gap["added_tokens"].as_array_mut().unwrap().pop();
    assert_eq!(read(&gap).unwrap().vocab_size(), 5001);
    gap["model"]["vocab"]["zzz"] = json!(u32::MAX);
    assert!(read(&gap).is_err());
    assert!(
        read(&with("/model/merges/0", json!("\u{2581} t"))).is_ok(),
        "a merge in the old spelling is read"
    );
}

#[test]
fn parts_that_gemma_does_not_have_are_refused() {
    let replace = json!({"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "});
    let (bytes, fuse) = (json!({"type": "ByteFallback"}), json!({"type": "Fuse"}));
    let mut bare = with("/model/unk_token", Value::Null);
    bare["model"]["byte_fallback"] = json!(false);
    let cases = [
        (with("/version", json!("2.0")), "version"),
        (with("/model/type", json!("Unigram")), "model.type"),
        (with("/model/dropout", json!(0.1)), "model.dropout"),
        (
            with("/model/continuing_subword_prefix", json!("##")),
            "model.continuing_subword_prefix",
        ),
        (
            with("/model/end_of_word_suffix", json!("</w>")),
            "model.end_of_word_suffix",
        ),
        (bare, "model.unk_token"),
        (
            with("/normalizer/pattern", json!({"Regex": "(a+)+$"})),
            "normalizer.pattern",
        ),
        (
            with("/normalizer/pattern", json!({"String": ""})),
            "normalizer.pattern",
        ),
        (
            with("/pre_tokenizer/pattern", json!({"Regex": "(a+)+$"})),
            "pre_tokenizer.pattern",
        ),
        (with("/decoder", Value::Null), "decoder"),
        (
            with("/decoder/decoders", json!([bytes, replace])),
            "decoder.decoders[1]",
        ),
        (
            with("/decoder/decoders", json!([replace, replace])),
            "decoder.decoders[1]",
        ),
        (
            with("/decoder/decoders", json!([fuse, bytes])),
            "decoder.decoders[1]",
        ),
        (
            with("/decoder/decoders", json!([bytes, bytes])),
            "decoder.decoders[1]",
        ),
    ];
    for (file, at) in cases {
        match read(&file) {
            Err(Error::Unsupported { name, key, .. }) => {
                assert_eq!((name.as_str(), key.as_str()), ("the-file", at))
            }
            other => panic!("{at}: {other:?}"),
        }
    }
}

/// A file has megabytes where a word belongs.
#[test]
fn messages_do_not_grow_with_the_file() {
    let long = "\u{e9}".repeat(1 << 19);
    let files = [
        with("/version", json!(long)),
        with("/model/type", json!(long)),
        with("/model/unk_token", json!(long)),
        with("/model/end_of_word_suffix", json!(long)),
        with("/model/merges/-", json!(long)),
        with("/model/dropout", json!(long)),
        with("/added_tokens/-", added(4, &long)),
        with(&format!("/{long}"), json!(1)),
    ];
    let mut messages: Vec<_> = files.iter().map(|file| read(file).unwrap_err()).collect();
    let vocabulary = GgufVocabulary {
        model: &long,
        tokens: Vec::new(),
        scores: Vec::new(),
        types: Vec::new(),
        unknown: None,
        add_space_prefix: false,
    };
    messages.push(Tokenizer::from_gguf("the-file", &vocabulary).unwrap_err());
    let piece = GgufVocabulary {
        model: "llama",
        tokens: vec![&long],
        scores: vec![0.0],
        types: vec![1],
        ..vocabulary
    };
    messages.push(Tokenizer::from_gguf("the-file", &piece).unwrap_err());
    for message in messages {
        let told = message.to_string();
        assert!(
            told.len() < 1000 && told.contains('\u{2026}'),
            "{}",
            told.len()
        );
    }
}

#[test]
fn files_without_unknown_token_need_every_byte() {
    let mut file = with("/model/unk_token", Value::Null);
    assert!(read(&file).is_ok());
    file["model"]["vocab"]
        .as_object_mut()
        .unwrap()
        .remove("<0xE5>");
    assert!(matches!(read(&file), Err(Error::Vocabulary { token, .. }) if token == "<0xE5>"));
}

#[test]
fn unknown_text_is_fused_as_the_file_says() {
    let mut file = with("/model/byte_fallback", json!(false));
    for (fuse, count) in [(true, 1), (false, 2)] {
        file["model"]["fuse_unk"] = json!(fuse);
        let tokenizer = read(&file).unwrap();
        assert_eq!(
            tokenizer.encode("\u{1f600}\u{1f600}").unwrap(),
            vec![3; count]
        );
    }
}

#[test]
fn settings_that_would_change_ids_are_ignored() {
    let tokenizer = Tokenizer::from_bytes("golden", FILE).unwrap();
    let file: Value = serde_json::from_slice(FILE).unwrap();
    assert_eq!(file["truncation"]["max_length"], 7);
    assert_eq!(file["padding"]["strategy"]["Fixed"], 64);
    assert_eq!(tokenizer.encode(&"7".repeat(50)).unwrap().len(), 50);
    assert!(tokenizer.encode("").unwrap().is_empty());
}

#[test]
fn unreadable_files_are_named() {
    let missing = Path::new("no/such/tokenizer.json");
    let error = Tokenizer::from_file(missing).unwrap_err();
    assert!(
        error.to_string().contains("no/such/tokenizer.json"),
        "{error}"
    );
    assert!(matches!(error, Error::Read { path, .. } if path == missing));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, FILE).unwrap();
    assert_eq!(Tokenizer::from_file(&path).unwrap().vocab_size(), 810);
    std::fs::write(&path, &FILE[..1000]).unwrap();
    match Tokenizer::from_file(&path) {
        Err(Error::Parse { name, line: 1, .. }) => assert_eq!(name, path.display().to_string()),
        other => panic!("{other:?}"),
    }

    let unknown = Tokenizer::from_bytes(
        "the-file",
        &serde_json::to_vec(&with("/surprise", json!(1))).unwrap(),
    );
    assert!(
        matches!(unknown, Err(Error::Parse { source, .. }) if source.to_string().contains("surprise"))
    );
    let size = usize::try_from(MAX_FILE_BYTES).unwrap() + 1;
    assert!(matches!(
        Tokenizer::from_bytes("huge", &vec![0; size]),
        Err(Error::TooLarge { .. })
    ));
}

/// Whatever can be read can be used.
fn use_it(tokenizer: &Tokenizer) {
    let text = "<bos>The lungs\n\n\nare clear. \u{80ba}\u{1f600}\u{0} <unused94>thought";
    let ids = tokenizer.encode(text).unwrap();
    let _ = (tokenizer.encode_prompt(text), SpecialTokens::of(tokenizer));
    for keep_special in [true, false] {
        let mut stream = Detokenizer::new(tokenizer, keep_special);
        let streamed: String = ids.iter().map(|&id| stream.push(id)).collect();
        assert_eq!(
            streamed + &stream.finish(),
            tokenizer.decode(&ids, keep_special).unwrap()
        );
    }
}

/// The `n`th place of a JSON value in depth-first order, counted down.
fn place<'a>(value: &'a mut Value, n: &mut usize) -> Option<&'a mut Value> {
    if *n == 0 {
        return Some(value);
    }
    *n -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| place(item, n)),
        Value::Object(map) => map.values_mut().find_map(|item| place(item, n)),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bytes_never_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..4)) {
        let mut bytes = FILE.to_vec();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, byte),
            }
        }
        if let Ok(tokenizer) = Tokenizer::from_bytes("damaged", &bytes) {
            use_it(&tokenizer);
        }
    }

    #[test]
    fn swapped_values_never_panic(edits in prop::collection::vec((0usize..4000, 0usize..4000), 1..4)) {
        let mut file: Value = serde_json::from_slice(FILE).unwrap();
        for (mut from, mut to) in edits {
            let value = place(&mut file, &mut from).map(|value| value.clone()).unwrap_or_default();
            if let Some(target) = place(&mut file, &mut to) {
                *target = value;
            }
        }
        if let Ok(tokenizer) = read(&file) {
            use_it(&tokenizer);
        }
    }
}

/// It would be waited for.
#[cfg(unix)]
#[test]
fn a_pipe_is_no_tokenizer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tokenizer.json");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let error = Tokenizer::from_file(&path).unwrap_err();
    assert!(
        matches!(&error, Error::Read { path: found, .. } if *found == path),
        "{error}"
    );
}
