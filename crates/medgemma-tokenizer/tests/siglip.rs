//! The SigLIP tokenizer gives what `SiglipTokenizer` of transformers 5.23 and the `tokenizers` package give: the tiny one of
//! `tests/golden/siglip/` always, MedSigLIP's published one where `MEDGEMMA_SIGLIP_TOKENIZER` names the folder of its files.
//! Goldens are written by `tests/golden/siglip/generate.py`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::explicit_write,
    reason = "goes past the test harness's capture, so that a gap is seen"
)]

use std::io::Write;
use std::path::Path;

use medgemma_tokenizer::{
    Error, MAX_SIGLIP_TEXT_LENGTH, SIGLIP_TEXT_LENGTH, SiglipNormalization, SiglipTextOptions,
    SiglipTokenizer,
};
use serde_json::Value;

const JSON: &[u8] = include_bytes!("golden/siglip/tokenizer.json");
const MODEL: &[u8] = include_bytes!("golden/siglip/spiece.model");
const TINY: &str = include_str!("golden/siglip/tiny.json");
const PUBLISHED: &str = include_str!("golden/siglip/published.json");
const EXTRA_JSON: &[u8] = include_bytes!("golden/siglip/extra/tokenizer.json");
const EXTRA_MODEL: &[u8] = include_bytes!("golden/siglip/extra/spiece.model");
const EXTRA: &str = include_str!("golden/siglip/extra/extra.json");

fn tiny() -> [SiglipTokenizer; 2] {
    [("tokenizer.json", JSON), ("spiece.model", MODEL)]
        .map(|(name, bytes)| SiglipTokenizer::from_bytes(name, bytes).unwrap())
}

fn options(normalization: SiglipNormalization) -> SiglipTextOptions {
    SiglipTextOptions::default().with_normalization(normalization)
}

fn ids(value: &Value) -> Vec<u32> {
    let ids = value.as_array().unwrap().iter();
    ids.map(|id| u32::try_from(id.as_u64().unwrap()).unwrap())
        .collect()
}

/// Every row of a golden file, under both normalisations: the ids, the padding, the error and the cut.
fn check(tokenizer: &SiglipTokenizer, goldens: &str, count: usize) {
    let goldens: Value = serde_json::from_str(goldens).unwrap();
    assert_eq!(goldens["transformers"], "5.23.0");
    let rows = goldens["rows"].as_array().unwrap();
    assert_eq!(rows.len(), count);
    for row in rows {
        let text = row["text"].as_str().unwrap();
        for normalization in SiglipNormalization::ALL {
            let at = format!("{text:?} {normalization} {}", tokenizer.name());
            let golden = &row[normalization.name()];
            let expected = ids(&golden["ids"]);
            let plain = options(normalization);
            let cut = tokenizer.encode(text, &plain.with_truncate(true)).unwrap();
            // Without a limit there is room for every id.
            let whole = tokenizer.encode(text, &plain.with_length(1024)).unwrap();
            let mut padded = expected.clone();
            padded.resize(1024, 1);
            assert_eq!(whole, padded, "{at}");
            if let Some(truncated) = golden.get("truncated") {
                assert_eq!(cut, ids(truncated), "{at}");
                match tokenizer.encode(text, &plain) {
                    Err(Error::TextTooLong { limit, found }) => {
                        assert_eq!((limit, found), (64, expected.len()), "{at}");
                    }
                    other => panic!("{at}: {other:?}"),
                }
            } else {
                padded.truncate(64);
                assert_eq!(cut, padded, "{at}");
                assert_eq!(tokenizer.encode(text, &plain).unwrap(), padded, "{at}");
            }
        }
    }
}

#[test]
fn encodes_as_both_references_from_either_file() {
    for tokenizer in tiny() {
        assert_eq!((tokenizer.eos(), tokenizer.id("<pad>")), (1, Some(0)));
        check(&tokenizer, TINY, 139);
    }
    let [json, model] = tiny();
    assert_eq!(json.vocab_size(), model.vocab_size());
    for id in 0..=u32::try_from(json.vocab_size()).unwrap() {
        assert_eq!(json.piece(id), model.piece(id));
    }
}

/// The multilingual SigLIP has a hundred pieces that are the user's, and a `tokenizer.json` of it declares them as added tokens.
#[test]
fn pieces_of_t5_are_those_of_the_references() {
    for (name, bytes) in [
        ("tokenizer.json", EXTRA_JSON),
        ("spiece.model", EXTRA_MODEL),
    ] {
        let tokenizer = SiglipTokenizer::from_bytes(name, bytes).unwrap();
        check(&tokenizer, EXTRA, 18);
    }
}

#[test]
fn the_published_tokenizer_encodes_as_both_references() {
    let Some(folder) = std::env::var_os("MEDGEMMA_SIGLIP_TOKENIZER") else {
        let line = "skipped: MEDGEMMA_SIGLIP_TOKENIZER not set (the published SigLIP tokenizer)";
        writeln!(std::io::stderr(), "{line}").unwrap();
        return;
    };
    let folder = Path::new(&folder);
    for file in ["tokenizer.json", "spiece.model"] {
        let tokenizer = SiglipTokenizer::from_file(&folder.join(file)).unwrap();
        assert_eq!((tokenizer.vocab_size(), tokenizer.eos()), (32_000, 1));
        check(&tokenizer, PUBLISHED, 139);
        // medgemma.md 2.6, computed there with the file itself.
        let text = "chest X-ray with pleural effusion";
        let row = tokenizer.encode(text, &SiglipTextOptions::default());
        let mut expected = vec![5819, 262, 497, 3036, 275, 262, 5640, 8270, 19159, 13890, 1];
        expected.resize(64, 1);
        assert_eq!(row.unwrap(), expected);
    }
}

#[test]
fn a_row_is_the_text_its_end_and_the_end_again_up_to_64() {
    assert_eq!(SIGLIP_TEXT_LENGTH, 64);
    for tokenizer in tiny() {
        for normalization in SiglipNormalization::ALL {
            let row = |text: &str| tokenizer.encode(text, &options(normalization)).unwrap();
            assert_eq!(row(""), [1; 64], "an empty text is its end");
            assert_eq!(row(" .!\n"), [1; 64], "nothing is left of it");
            let row = row("melanoma");
            assert_eq!(row.len(), 64);
            let ended = row.iter().position(|&id| id == 1).unwrap();
            assert!(ended > 0 && row[ended..].iter().all(|&id| id == 1));
            assert_eq!(
                row[..ended]
                    .iter()
                    .map(|&id| tokenizer.piece(id).unwrap())
                    .collect::<String>(),
                "\u{2581}melanoma"
            );
        }
    }
}

/// `a` is one id, so that 63 of them and the end are 64.
#[test]
fn the_limit_counts_the_end_of_the_text() {
    let [tokenizer, _] = tiny();
    let options = SiglipTextOptions::default();
    let text = |n| "a ".repeat(n);
    let full = tokenizer.encode(&text(63), &options).unwrap();
    assert_eq!(full.iter().filter(|&&id| id == 1).count(), 1);
    let error = tokenizer.encode(&text(64), &options).unwrap_err();
    assert!(matches!(
        error,
        Error::TextTooLong {
            limit: 64,
            found: 65
        }
    ));
    let message = error.to_string();
    assert!(
        message.contains("65 tokens") && message.contains("the 64"),
        "{message}"
    );
    assert!(!message.contains("a a"), "no text in an error: {message}");
    let cut = tokenizer.encode(&text(64), &options.with_truncate(true));
    assert_eq!(cut.unwrap(), full, "the last id is still the end");

    let short = options.with_length(3);
    assert!(tokenizer.encode(&text(2), &short).is_ok());
    assert!(matches!(
        tokenizer.encode(&text(3), &short),
        Err(Error::TextTooLong { limit: 3, found: 4 })
    ));
    let one = options.with_length(1).with_truncate(true);
    assert_eq!(tokenizer.encode(&text(9), &one).unwrap(), [1]);
    for length in [0, MAX_SIGLIP_TEXT_LENGTH + 1, usize::MAX] {
        let error = tokenizer.encode("a", &options.with_length(length));
        assert!(matches!(error, Err(Error::TextLength { found, .. }) if found == length));
    }
}

#[test]
fn only_one_normalisation_tells_a_slash_or_an_angle_from_nothing() {
    let same = |tokenizer: &SiglipTokenizer, normalization, a: &str, b: &str| {
        let row = |text: &str| tokenizer.encode(text, &options(normalization)).unwrap();
        row(a) == row(b)
    };
    let (class, json) = (
        SiglipNormalization::SiglipTokenizer,
        SiglipNormalization::TokenizerJson,
    );
    for tokenizer in tiny() {
        for (a, b) in [("SpO2 <90", "SpO2 90"), ("w/o", "wo"), ("a>b", "ab")] {
            assert!(same(&tokenizer, class, a, b), "{a}");
            assert!(!same(&tokenizer, json, a, b), "{a}");
        }
        for normalization in [class, json] {
            for sign in r##"!"#$%&'()*+,-.:;=?@[\]^_`{|}~"##.chars() {
                let text = format!("nor{sign}mal");
                assert!(same(&tokenizer, normalization, &text, "normal"), "{sign}");
            }
            assert!(same(&tokenizer, normalization, "NORMAL", "normal"));
        }
    }
    assert_eq!(SiglipTextOptions::default().normalization, class);
}

#[test]
fn a_normalisation_has_one_name_both_ways() {
    let names = ["siglip-tokenizer", "tokenizer-json"];
    assert_eq!(
        SiglipNormalization::ALL.map(SiglipNormalization::name),
        names
    );
    for (normalization, name) in SiglipNormalization::ALL.into_iter().zip(names) {
        assert_eq!(normalization.to_string(), name);
        assert_eq!(name.parse::<SiglipNormalization>().unwrap(), normalization);
    }
    let error = "slow".parse::<SiglipNormalization>().unwrap_err();
    let message = error.to_string();
    assert!(message.contains("`slow`") && names.iter().all(|name| message.contains(name)));
}

#[test]
fn a_directory_is_read_by_its_json_file_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    match SiglipTokenizer::from_dir(folder.path()) {
        Err(Error::Read { path: at, .. }) => assert_eq!(at, path("tokenizer.json")),
        other => panic!("{other:?}"),
    }
    let named = || {
        SiglipTokenizer::from_dir(folder.path())
            .unwrap()
            .name()
            .to_owned()
    };
    std::fs::write(path("spiece.model"), MODEL).unwrap();
    assert_eq!(named(), path("spiece.model").display().to_string());
    std::fs::write(path("tokenizer.json"), JSON).unwrap();
    let config = r#"{"do_lower_case": true, "tokenizer_class": "SiglipTokenizer"}"#;
    std::fs::write(path("tokenizer_config.json"), config).unwrap();
    assert_eq!(named(), path("tokenizer.json").display().to_string());
    let config = config.replace("true", "false");
    std::fs::write(path("tokenizer_config.json"), config).unwrap();
    match SiglipTokenizer::from_dir(folder.path()) {
        Err(Error::Unsupported { name, key, .. }) => {
            assert_eq!(name, path("tokenizer_config.json").display().to_string());
            assert_eq!(key, "do_lower_case");
        }
        other => panic!("{other:?}"),
    }
}

/// `SiglipTokenizer` finds what is declared there in a text, and pads with what is named there; `spiece.model` has none of it.
#[test]
fn tokens_declared_beside_a_model_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("spiece.model"), MODEL).unwrap();
    let read = |file: &str, value: &Value| {
        std::fs::write(path(file), value.to_string()).unwrap();
        let read = SiglipTokenizer::from_dir(folder.path());
        std::fs::remove_file(path(file)).unwrap();
        read
    };
    let refused = |file: &str, value: Value, at: &str| match read(file, &value) {
        Err(Error::Unsupported { name, key, .. }) => {
            assert_eq!((name, key.as_str()), (path(file).display().to_string(), at));
        }
        other => panic!("{file} {value}: {other:?}"),
    };
    let token = |text: &str| serde_json::json!({"content": text, "lstrip": false, "special": true});
    let (config, map) = ("tokenizer_config.json", "special_tokens_map.json");
    let published = serde_json::json!({
        "added_tokens_decoder": {"0": token("<pad>"), "1": token("</s>"), "2": token("<unk>")},
        "additional_special_tokens": null, "extra_special_tokens": [], "do_lower_case": true,
        "eos_token": "</s>", "pad_token": token("</s>"), "unk_token": "<unk>", "model_max_length": 64,
    });
    assert!(read(config, &published).is_ok());
    let with = |key: &str, value: Value| {
        let mut config = published.clone();
        config[key] = value;
        config
    };
    let decoder = |id: &str, text: &str| {
        let mut config = published.clone();
        config["added_tokens_decoder"][id] = token(text);
        config
    };
    refused(config, decoder("420", "<mass>"), "added_tokens_decoder.420");
    refused(config, decoder("300", "nodule"), "added_tokens_decoder.300");
    refused(config, decoder("5", "</s>"), "added_tokens_decoder.5");
    refused(config, with("pad_token", "<pad>".into()), "pad_token");
    refused(config, with("pad_token", token("<pad>")), "pad_token");
    refused(config, with("eos_token", "<eos>".into()), "eos_token");
    refused(config, with("unk_token", "[UNK]".into()), "unk_token");
    for (key, value) in [
        ("additional_special_tokens", serde_json::json!(["<mass>"])),
        ("extra_special_tokens", serde_json::json!([token("<mass>")])),
        (
            "extra_special_tokens",
            serde_json::json!({"mass_token": "<mass>"}),
        ),
    ] {
        refused(config, with(key, value), key);
    }
    // Not written by 5.23, but read where the other has no tokens.
    refused(
        map,
        serde_json::json!({"pad_token": token("<pad>")}),
        "pad_token",
    );
    std::fs::write(path(map), r#"{"pad_token": "<pad>"}"#).unwrap();
    assert!(read(config, &published).is_ok());
    std::fs::remove_file(path(map)).unwrap();

    let added = "added_tokens.json";
    assert!(read(added, &serde_json::json!({})).is_ok());
    assert!(read(added, &serde_json::json!({"</s>": 1})).is_ok());
    refused(added, serde_json::json!({"<mass>": 420}), "<mass>");
    // The other file's own are no excuse.
    std::fs::write(path("tokenizer.json"), JSON).unwrap();
    refused(config, decoder("420", "<mass>"), "added_tokens_decoder.420");
    refused(added, serde_json::json!({"<mass>": 420}), "<mass>");
}

/// A `tokenizer.json` of another kind is no reason not to take the good `spiece.model` beside it; alone it is.
#[test]
fn a_json_file_that_is_not_understood_leaves_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let read = || SiglipTokenizer::from_dir(folder.path());
    let strip = r#"{"type":"Strip","strip_left":true,"strip_right":true},"#;
    let json = String::from_utf8(JSON.to_vec()).unwrap();
    let fewer = json.replacen(strip, "", 1);
    assert_ne!(fewer, json);
    for (bad, unsupported) in [(fewer.as_str(), true), (&json[..json.len() / 2], false)] {
        std::fs::write(path("tokenizer.json"), bad).unwrap();
        for model in [None, Some(&MODEL[..MODEL.len() / 2])] {
            if let Some(model) = model {
                std::fs::write(path("spiece.model"), model).unwrap();
            }
            let error = read().unwrap_err();
            assert_eq!(matches!(error, Error::Unsupported { .. }), unsupported);
            let at = path("tokenizer.json").display().to_string();
            assert!(error.to_string().contains(&at), "{error}");
        }
        std::fs::write(path("spiece.model"), MODEL).unwrap();
        let found = read().unwrap();
        assert_eq!(found.name(), path("spiece.model").display().to_string());
        let passed_over = found.passed_over().unwrap();
        assert_eq!(
            matches!(passed_over, Error::Unsupported { .. }),
            unsupported
        );
        // The normaliser of a file that is not understood is not the published one.
        let row = |normalization| found.encode("w/o", &options(normalization));
        assert_eq!(
            row(SiglipNormalization::SiglipTokenizer).unwrap(),
            tiny()[1]
                .encode("wo", &SiglipTextOptions::default())
                .unwrap()
        );
        match row(SiglipNormalization::TokenizerJson) {
            Err(Error::NoNormalizer { name, reason }) => {
                assert_eq!(name, found.name());
                assert_eq!(reason, passed_over.to_string());
            }
            other => panic!("{other:?}"),
        }
        std::fs::remove_file(path("spiece.model")).unwrap();
    }
    std::fs::write(path("tokenizer.json"), JSON).unwrap();
    assert!(read().unwrap().passed_over().is_none());
}

/// `spiece.model` knows nothing of what a fine-tune added to `tokenizer.json`: its ids would be others.
#[test]
fn a_json_file_with_other_pieces_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("spiece.model"), MODEL).unwrap();
    let refused = |file: &Value, at: &str| {
        std::fs::write(path("tokenizer.json"), file.to_string()).unwrap();
        let error = SiglipTokenizer::from_dir(folder.path()).unwrap_err();
        let told = error.to_string();
        let named = path("tokenizer.json").display().to_string();
        assert!(told.contains(&named) && told.contains(at), "{at}: {told}");
    };
    let good: Value = serde_json::from_slice(JSON).unwrap();
    let mut other_normaliser = good.clone();
    other_normaliser["normalizer"] = serde_json::json!({"type": "NFKC"});
    for known in [&good, &other_normaliser] {
        std::fs::write(path("tokenizer.json"), known.to_string()).unwrap();
        assert!(SiglipTokenizer::from_dir(folder.path()).is_ok());
        let with = |change: fn(&mut Value)| {
            let mut file = known.clone();
            change(&mut file);
            file
        };
        let file = with(|file| {
            let mut token = file["added_tokens"][1].clone();
            token["content"] = "<mass>".into();
            token["id"] = 9.into();
            file["added_tokens"].as_array_mut().unwrap().push(token);
        });
        refused(&file, "added_tokens[3]");
        refused(&with(|file| file["version"] = "2.0".into()), "version");
        refused(
            &with(|file| file["model"]["type"] = "BPE".into()),
            "model.type",
        );
        refused(
            &with(|file| file["model"]["vocab"][300][0] = "".into()),
            "piece 300",
        );
        refused(&with(|file| file["model"] = Value::Null), "");
        refused(&with(|file| file["added_tokens"] = Value::Null), "");
    }
    // Not understood, and of another vocabulary than the file beside it.
    other_normaliser["model"]["vocab"][300][0] = "mass".into();
    refused(&other_normaliser, "");
}

#[test]
fn a_json_file_that_cannot_be_read_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("spiece.model"), MODEL).unwrap();
    std::fs::create_dir(path("tokenizer.json")).unwrap();
    match SiglipTokenizer::from_dir(folder.path()) {
        Err(Error::Read { path: at, .. }) => assert_eq!(at, path("tokenizer.json")),
        other => panic!("{other:?}"),
    }
    std::fs::remove_dir(path("tokenizer.json")).unwrap();
    let huge = std::fs::File::create(path("tokenizer.json")).unwrap();
    huge.set_len(medgemma_tokenizer::MAX_FILE_BYTES + 1)
        .unwrap();
    let error = SiglipTokenizer::from_dir(folder.path()).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[test]
fn a_tokenizer_is_shared_between_threads() {
    let [tokenizer, _] = tiny();
    let row = |text: &str| {
        tokenizer
            .encode(text, &SiglipTextOptions::default())
            .unwrap()
    };
    let alone = row("benign nevus");
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| row("benign nevus")))
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), alone);
        }
    });
}
