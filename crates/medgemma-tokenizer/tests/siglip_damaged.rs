//! Damaged and foreign files of a SigLIP tokenizer are errors that name the fault; none makes the reader panic.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use medgemma_tokenizer::{
    Error, MAX_FILE_BYTES, SiglipNormalization, SiglipTextOptions, SiglipTokenizer, Tokenizer,
};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use serde_json::{Value, json};

const JSON: &[u8] = include_bytes!("golden/siglip/tokenizer.json");
const MODEL: &[u8] = include_bytes!("golden/siglip/spiece.model");

fn read(file: &Value) -> Result<SiglipTokenizer, Error> {
    SiglipTokenizer::from_bytes("the-file", &serde_json::to_vec(file).unwrap())
}

/// The golden file with the value at `pointer` replaced.
fn with(pointer: &str, value: Value) -> Value {
    let mut file: Value = serde_json::from_slice(JSON).unwrap();
    *file.pointer_mut(pointer).unwrap() = value;
    file
}

#[test]
fn parts_that_siglip_does_not_have_are_refused_by_name() {
    let replace = |pattern: &str, content: &str| json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": content});
    let step = |index: usize| format!("normalizer.normalizers[{index}]");
    let at = |index: usize, value| {
        (
            with(&format!("/normalizer/normalizers/{index}"), value),
            step(index),
        )
    };
    let cases = [
        (with("/version", json!("2.0")), "version".to_owned()),
        (with("/model/type", json!("BPE")), "model.type".to_owned()),
        (with("/model/unk_id", json!(0)), "model.unk_id".to_owned()),
        (
            with("/model/unk_id", json!(999_999)),
            "model.unk_id".to_owned(),
        ),
        (
            with("/model/unk_id", Value::Null),
            "model.unk_id".to_owned(),
        ),
        (
            with("/normalizer/normalizers", json!([])),
            "normalizer.normalizers".to_owned(),
        ),
        at(0, replace("a", "b")),
        at(1, replace("(a+)+$", "")),
        at(
            1,
            replace(
                r##"[!"\#\$%\&'\(\)\*\+,\-\./:;<=>\?@\[\\\]\^_`\{\|\}\~]"##,
                "",
            ),
        ),
        at(2, replace(r"\s", " ")),
        at(2, replace(r"\s+", "")),
        at(
            3,
            json!({"type": "Strip", "strip_left": false, "strip_right": true}),
        ),
        at(4, json!({"type": "Lowercase"})),
        at(5, replace(" {2,}", "")),
        at(
            5,
            json!({"type": "Replace", "pattern": {"String": " {2,}"}, "content": " "}),
        ),
        (
            with("/pre_tokenizer/replacement", json!("_")),
            "pre_tokenizer".to_owned(),
        ),
        (
            with("/pre_tokenizer/prepend_scheme", json!("first")),
            "pre_tokenizer".to_owned(),
        ),
        (
            with("/pre_tokenizer/split", json!(false)),
            "pre_tokenizer".to_owned(),
        ),
        (
            with("/added_tokens/0/content", json!("<s>")),
            "added_tokens[0]".to_owned(),
        ),
        (
            with("/added_tokens/0/lstrip", json!(true)),
            "added_tokens[0]".to_owned(),
        ),
        (
            with("/added_tokens/1/rstrip", json!(false)),
            "added_tokens[1]".to_owned(),
        ),
        (
            with("/added_tokens/1/single_word", json!(true)),
            "added_tokens[1]".to_owned(),
        ),
        (
            with("/added_tokens/2/normalized", json!(true)),
            "added_tokens[2]".to_owned(),
        ),
    ];
    for (file, at) in cases {
        match read(&file) {
            Err(Error::Unsupported { name, key, .. }) => {
                assert_eq!((name.as_str(), key), ("the-file", at))
            }
            other => panic!("{at}: {other:?}"),
        }
    }
    for pointer in ["/normalizer", "/pre_tokenizer", "/model", "/added_tokens"] {
        let error = read(&with(pointer, Value::Null)).unwrap_err();
        assert!(matches!(error, Error::Parse { .. }), "{pointer}: {error}");
    }
    // A file of 2023 has another key for the same setting.
    let old = json!({"type": "Metaspace", "replacement": "\u{2581}", "add_prefix_space": true});
    assert!(read(&with("/pre_tokenizer", old.clone())).is_ok());
    let mut without = old;
    without["add_prefix_space"] = json!(false);
    assert!(read(&with("/pre_tokenizer", without)).is_err());
}

#[test]
fn pieces_that_contradict_each_other_are_named() {
    let cases = [
        (
            with("/model/vocab/300", json!(["\u{2581}", -1.0])),
            "piece",
            "\u{2581}",
        ),
        (with("/model/vocab/300", json!(["", -1.0])), "piece 300", ""),
        (
            with("/model/vocab/300", json!(["x".repeat(1025), -1.0])),
            "piece 300",
            "xxx",
        ),
        (
            with("/model/vocab/300", json!(["new", 1e39])),
            "piece 300",
            "new",
        ),
        (
            with("/model/vocab/3", json!(["new", -1.0])),
            "piece",
            "<0x00>",
        ),
        (
            with("/added_tokens/1/id", json!(7)),
            "added_tokens[1]",
            "</s>",
        ),
        (
            with(
                "/normalizer/normalizers/4/precompiled_charsmap",
                json!("AAA"),
            ),
            "normalizer.normalizers[4].precompiled_charsmap",
            "AAA",
        ),
        (
            with(
                "/normalizer/normalizers/4/precompiled_charsmap",
                json!("////AAAA"),
            ),
            "normalizer.normalizers[4].precompiled_charsmap",
            "////AAAA",
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
                assert_eq!(name, "the-file");
                assert!(
                    key.starts_with(at) && token.contains(about),
                    "{key} {token:?} {fault}"
                );
            }
            other => panic!("{at} {about}: {other:?}"),
        }
    }
    let missing = read(&with("/model/vocab/1", json!(["new", -1.0]))).unwrap_err();
    assert!(
        matches!(missing, Error::MissingToken { token: "</s>", .. }),
        "{missing}"
    );
}

#[test]
fn an_empty_charsmap_and_no_byte_pieces_are_no_fault() {
    let empty = read(&with(
        "/normalizer/normalizers/4/precompiled_charsmap",
        json!(""),
    ))
    .unwrap();
    let whole = SiglipTokenizer::from_bytes("golden", JSON).unwrap();
    let options =
        SiglipTextOptions::default().with_normalization(SiglipNormalization::TokenizerJson);
    let row = |tokenizer: &SiglipTokenizer, text| tokenizer.encode(text, &options).unwrap();
    assert_eq!(row(&empty, "melanoma"), row(&whole, "melanoma"));
    assert_ne!(row(&empty, "\u{fb01}"), row(&whole, "\u{fb01}"));
    let no_bytes = read(&with("/model/byte_fallback", json!(false))).unwrap();
    // Two unknown characters in a row are one `<unk>`; a word apart is another.
    let blank = no_bytes.id("\u{2581}").unwrap();
    assert_eq!(
        row(&no_bytes, "\u{80ba}\u{708e} \u{80ba}")[..5],
        [blank, 2, blank, 2, 1]
    );
}

#[test]
fn every_truncation_of_a_model_is_an_error() {
    for length in 0..MODEL.len() {
        let cut = SiglipTokenizer::from_bytes("the-file", &MODEL[..length]);
        match cut {
            Err(error) => assert!(error.to_string().contains("the-file"), "{length}: {error}"),
            Ok(_) => panic!("{length} of {} bytes are read", MODEL.len()),
        }
    }
    let error = SiglipTokenizer::from_bytes("the-file", &MODEL[..1000]).unwrap_err();
    let Error::SentencePiece { name, at, length } = &error else {
        panic!("{error}");
    };
    assert_eq!((name.as_str(), *length), ("the-file", 1000));
    assert!((980..1000).contains(at), "{at}");
    assert!(error.to_string().contains(&format!("byte {at}")), "{error}");
}

/// A field of the wire format: key, length, bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap();
    assert!(length < 128);
    [&[number << 3 | 2, length], bytes].concat()
}

fn piece(text: &str, kind: u8) -> Vec<u8> {
    let mut message = field(1, text.as_bytes());
    message.extend([2 << 3 | 5]);
    message.extend((-1.0f32).to_le_bytes());
    message.extend([3 << 3, kind]);
    field(1, &message)
}

#[test]
fn settings_of_a_model_that_siglip_does_not_have_are_refused_by_name() {
    let small = [
        piece("<pad>", 3),
        piece("</s>", 3),
        piece("<unk>", 2),
        piece("a", 1),
        field(2, &[]),
        field(3, &[]),
    ]
    .concat();
    let read = |extra: &[u8]| SiglipTokenizer::from_bytes("the-file", &[&small, extra].concat());
    // What the `.proto` file's defaults leave out is as SigLIP has it.
    let tokenizer = read(&[]).unwrap();
    assert_eq!(tokenizer.vocab_size(), 4);
    let row = tokenizer.encode("A", &SiglipTextOptions::default().with_length(4));
    assert_eq!(row.unwrap(), [3, 1, 1, 1]);
    let cases: [(&[u8], &str); 6] = [
        (&field(2, &[3 << 3, 2]), "trainer_spec.model_type"),
        (
            &field(2, &[0xC0, 0x01, 1]),
            "trainer_spec.treat_whitespace_as_suffix",
        ),
        (&field(3, &[3 << 3, 0]), "normalizer_spec.add_dummy_prefix"),
        (
            &field(3, &[4 << 3, 0]),
            "normalizer_spec.remove_extra_whitespaces",
        ),
        (
            &field(3, &[5 << 3, 0]),
            "normalizer_spec.escape_whitespaces",
        ),
        (&piece("b", 4), "pieces[4].type"),
    ];
    for (extra, at) in cases {
        match read(extra) {
            Err(Error::Unsupported { key, .. }) => assert_eq!(key, at),
            other => panic!("{at}: {other:?}"),
        }
    }
    assert!(
        matches!(read(&field(2, &[0x98, 0x02, 1])), Err(Error::Vocabulary { token, .. }) if token == "<0x00>")
    );
    // Only what no text spells may be the user's.
    let extra = read(&piece("\u{2581}<extra_id_0>", 4)).unwrap();
    assert_eq!(extra.id("\u{2581}<extra_id_0>"), Some(4));
    for other in [
        "\u{2581}<extra_id_>",
        "<extra_id_0>",
        "\u{2581}<extra_id_x>",
    ] {
        assert!(
            matches!(read(&piece(other, 4)), Err(Error::Unsupported { .. })),
            "{other}"
        );
    }
    let not_utf8 = field(1, &field(1, &[0xFF]));
    assert!(matches!(read(&not_utf8), Err(Error::Unsupported { key, .. }) if key == "pieces[4]"));
    for wire in [[3 << 3 | 3, 0], [0xFF, 0xFF]] {
        assert!(matches!(read(&wire), Err(Error::SentencePiece { .. })));
    }
}

#[test]
fn messages_do_not_grow_with_the_file() {
    let long = "x".repeat(1 << 20);
    let mut key: Value = serde_json::from_slice(JSON).unwrap();
    key[&long] = json!(1);
    let files = [
        key,
        with("/version", json!(long)),
        with("/model/type", json!(long)),
        with("/model/vocab/300", json!([long, -1.0])),
        with("/model/vocab/300", json!(long)),
        with("/added_tokens/0/content", json!(long)),
        with("/normalizer/normalizers/1/content", json!(long)),
        with(
            "/normalizer/normalizers/4/precompiled_charsmap",
            json!(long),
        ),
        with("/pre_tokenizer/prepend_scheme", json!(long)),
    ];
    for file in files {
        let told = read(&file).unwrap_err().to_string();
        assert!(
            told.len() < 1000 && told.contains('\u{2026}'),
            "{}",
            told.len()
        );
    }
}

#[test]
fn files_of_another_kind_are_refused() {
    let gemma = include_bytes!("golden/tokenizer.json");
    assert!(SiglipTokenizer::from_bytes("gemma", gemma).is_err());
    assert!(Tokenizer::from_bytes("siglip", JSON).is_err());
    for bytes in [&b""[..], b" ", b"{", b"[1]", b"hello"] {
        assert!(SiglipTokenizer::from_bytes("other", bytes).is_err());
    }
    let size = usize::try_from(MAX_FILE_BYTES).unwrap() + 1;
    let huge = SiglipTokenizer::from_bytes("huge", &vec![0; size]);
    assert!(matches!(huge, Err(Error::TooLarge { .. })));
}

/// Whatever can be read can be used.
fn use_it(tokenizer: &SiglipTokenizer) {
    let text = "</s> The lungs\n/ are <90 clear. \u{80ba}\u{1f600}\u{0}\u{fb01} a\u{308}\u{304}<unk><UNK>\u{2034}";
    for normalization in SiglipNormalization::ALL {
        let options = SiglipTextOptions::default()
            .with_normalization(normalization)
            .with_truncate(true);
        assert_eq!(tokenizer.encode(text, &options).unwrap().len(), 64);
    }
}

fn damage(bytes: &[u8], edits: Vec<(prop::sample::Index, u8, u8)>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, byte, kind) in edits {
        let at = at.index(bytes.len());
        match kind {
            0 => bytes[at] = byte,
            1 => bytes.truncate(at.max(1)),
            _ => bytes.insert(at, byte),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bytes_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..4),
    ) {
        for file in [JSON, MODEL] {
            if let Ok(tokenizer) = SiglipTokenizer::from_bytes("damaged", &damage(file, edits.clone())) {
                use_it(&tokenizer);
            }
        }
    }

    /// Bytes overwritten in place keep most of a model's structure, so that the character map is reached.
    #[test]
    fn overwritten_bytes_of_a_model_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
    ) {
        let edits = edits.into_iter().map(|(at, byte)| (at, byte, 0)).collect();
        if let Ok(tokenizer) = SiglipTokenizer::from_bytes("damaged", &damage(MODEL, edits)) {
            use_it(&tokenizer);
        }
    }

    #[test]
    fn any_text_has_a_row(text in "\\PC{0,80}") {
        let tokenizer = SiglipTokenizer::from_bytes("golden", MODEL).unwrap();
        for normalization in SiglipNormalization::ALL {
            let options = SiglipTextOptions::default().with_normalization(normalization).with_truncate(true);
            let row = tokenizer.encode(&text, &options).unwrap();
            assert_eq!((row.len(), row[63]), (64, 1));
            assert!(row.iter().all(|&id| tokenizer.piece(id).is_some()));
        }
    }
}
