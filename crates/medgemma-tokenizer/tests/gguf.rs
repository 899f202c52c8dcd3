//! A vocabulary as GGUF files hold it against the `tokenizer.json` that it stands for, and broken
//! ones. The published vocabulary is compared in `crates/medgemma/tests/gguf_real.rs`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::sync::OnceLock;

use medgemma_tokenizer::{Error, GgufVocabulary, SpecialTokens, Tokenizer};
use proptest::prelude::{any, prop, prop_oneof};
use proptest::strategy::{Just, Strategy};
use serde_json::{Value, json};

const JSON: &[u8] = include_bytes!("golden/tokenizer.json");

/// Pieces, scores and types, as llama.cpp's converter writes those of a tokenizer.
fn rows() -> &'static [(String, f64, i64)] {
    static ROWS: OnceLock<Vec<(String, f64, i64)>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let json: Value = serde_json::from_slice(JSON).unwrap();
        let mut pieces: Vec<_> = json["model"]["vocab"].as_object().unwrap().iter().collect();
        pieces.sort_by_key(|(_, id)| id.as_u64());
        let added: HashSet<_> = json["added_tokens"].as_array().unwrap().iter().collect();
        let added = |piece: &str| added.iter().find(|token| token["content"] == piece);
        let mut score = 0.0;
        let row = |(piece, _): (&String, &Value)| match added(piece) {
            Some(_) if piece == "<unk>" => (piece.clone(), -1000.0, 2),
            Some(token) if token["special"] == true => (piece.clone(), -1000.0, 3),
            Some(_) => (piece.replace('\u{2581}', " "), -1000.0, 4),
            None if piece.starts_with("<0x") => (piece.clone(), 0.0, 6),
            None => {
                score -= 1.0;
                (piece.clone(), score + 1.0, 1)
            }
        };
        pieces.into_iter().map(row).collect()
    })
}

fn vocabulary(rows: &[(String, f64, i64)]) -> GgufVocabulary<'_> {
    GgufVocabulary {
        model: "llama",
        tokens: rows.iter().map(|row| row.0.as_str()).collect(),
        scores: rows.iter().map(|row| row.1).collect(),
        types: rows.iter().map(|row| row.2).collect(),
        unknown: Some(3),
        add_space_prefix: false,
    }
}

fn read(rows: &[(String, f64, i64)]) -> Result<Tokenizer, Error> {
    Tokenizer::from_gguf("some.gguf", &vocabulary(rows))
}

/// The fixture with the merges of runs that the published file has: every cut, longest parts first.
fn published() -> Vec<u8> {
    let mut json: Value = serde_json::from_slice(JSON).unwrap();
    let mut merges = Vec::new();
    for blank in ["\u{2581}", "\n"] {
        let run = |length: usize| blank.repeat(length);
        let known = |length: usize| json["model"]["vocab"].get(run(length)).is_some();
        for length in (2..9).filter(|&length| known(length)) {
            let cuts = (1..length).filter(|&cut| known(cut) && known(length - cut));
            merges.extend(cuts.map(|cut| (cut, length - cut, blank)));
        }
    }
    merges.sort_by_key(|&(left, right, _)| std::cmp::Reverse((left, right)));
    let merges = merges
        .into_iter()
        .map(|(left, right, blank)| json!([blank.repeat(left), blank.repeat(right)]));
    let learnt = json["model"]["merges"].as_array_mut().unwrap();
    learnt.splice(0..0, merges);
    json.to_string().into_bytes()
}

fn both() -> &'static [Tokenizer; 2] {
    static BOTH: OnceLock<[Tokenizer; 2]> = OnceLock::new();
    BOTH.get_or_init(|| {
        let published = Tokenizer::from_bytes("tokenizer.json", &published()).unwrap();
        [read(rows()).unwrap(), published]
    })
}

#[test]
fn every_id_is_the_same_token() {
    let [found, expected] = both();
    assert_eq!(found.vocab_size(), expected.vocab_size());
    assert_eq!(
        SpecialTokens::of(found).unwrap(),
        SpecialTokens::of(expected).unwrap()
    );
    for id in 0..u32::try_from(expected.vocab_size()).unwrap() {
        assert_eq!(found.token(id), expected.token(id));
        assert_eq!(found.is_special(id), expected.is_special(id), "{id}");
        let token = expected.token(id).unwrap();
        if !token.contains('\u{2581}') {
            assert_eq!(vocabulary(rows()).id(&token), Some(id), "{token}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn texts_have_the_same_ids(
        parts in prop::collection::vec(
            prop_oneof![
                any::<String>(),
                "[ a-z\n\t]{0,20}",
                "[ \u{2581}]{0,9}",
                prop::sample::select(rows()).prop_map(|row| row.0),
                Just("<start_of_turn>user\n".to_owned()),
            ],
            0..12,
        ),
    ) {
        let [found, expected] = both();
        let text = parts.concat();
        let ids = expected.encode(&text).unwrap();
        assert_eq!(found.encode(&text).unwrap(), ids);
        assert_eq!(found.decode(&ids, true).unwrap(), expected.decode(&ids, true).unwrap());
    }
}

/// Unsloth's exports of Gemma 3 called the turns' tokens normal until April 2026 (unslothai/unsloth
/// 5070), and a turn was then spelt out like any text.
#[test]
fn what_special_tokens_are_does_not_depend_on_the_types_that_a_file_gives_them() {
    let tokens = [
        "<start_of_turn>",
        "<end_of_turn>",
        "<start_of_image>",
        "<end_of_image>",
        "<unused94>",
        "<unused95>",
        "<bos>",
        "<eos>",
        "<pad>",
    ];
    let expected = &both()[1];
    let text = tokens.concat() + "user\nWhat is it?";
    for kind in [1, 5] {
        let mut rows = rows().to_vec();
        for row in rows.iter_mut().filter(|row| tokens.contains(&&*row.0)) {
            // A score that would have it merged before all else.
            (row.1, row.2) = (1000.0, kind);
        }
        let found = read(&rows).unwrap();
        assert_eq!(
            found.encode(&text).unwrap(),
            expected.encode(&text).unwrap()
        );
        for token in tokens {
            let id = expected.id(token).unwrap();
            assert_eq!(found.id(token), Some(id), "{token}");
            assert_eq!(vocabulary(&rows).id(token), Some(id), "{token}");
            assert_eq!(found.is_special(id), expected.is_special(id), "{token}");
        }
    }
}

#[test]
fn padding_is_left_out_and_the_soft_token_follows_the_last_piece() {
    let soft = "<image_soft_token>";
    let mut rows = rows().to_vec();
    let expected = both()[1].id(soft).unwrap() as usize;
    assert_eq!(expected, rows.len(), "no piece, but an added token");
    for pad in 0..3 {
        rows.push((format!("[PAD{pad}]"), -1000.0, 5));
    }
    let found = read(&rows).unwrap();
    assert_eq!(found.id(soft).unwrap() as usize, expected);
    assert_eq!(vocabulary(&rows).id(soft).unwrap() as usize, expected);
    assert!(found.is_special(found.id(soft).unwrap()));
    assert_eq!(found.vocab_size(), both()[1].vocab_size());
    assert_eq!(found.id("[PAD0]"), None);
    assert_eq!(vocabulary(&rows).id("[PAD0]"), None);
    // A vocabulary without images needs none.
    let start = rows.iter().position(|row| row.0 == "<start_of_image>");
    "<no_image>".clone_into(&mut rows[start.unwrap()].0);
    assert_eq!(vocabulary(&rows).id(soft), None);
    assert_eq!(read(&rows).unwrap().id(soft), None);
}

#[test]
fn what_no_piece_spells_is_the_unknown_token_once() {
    // Without bytes, and without images, whose soft token would leave a gap.
    let mut rows = rows().to_vec();
    for row in &mut rows {
        match (row.2, row.0.as_str()) {
            (6, _) => row.2 = 5,
            (_, "<start_of_image>") => "<no_image>".clone_into(&mut row.0),
            _ => {}
        }
    }
    let tokenizer = read(&rows).unwrap();
    assert_eq!(tokenizer.token(3).as_deref(), Some("<unk>"));
    assert_eq!(tokenizer.encode("\u{2603}\u{2603}").unwrap(), [3]);
}

#[test]
fn of_equal_scores_the_longest_left_part_in_characters_is_merged_first() {
    let row = |piece: &str, score: f64| (piece.to_owned(), score, 1);
    let mut rows = vec![row("x", -9.0), row("\u{e9}", -9.0), row("a", -9.0)];
    rows.push(("<unk>".to_owned(), 0.0, 2));
    // One character each; of the second, the left part has more bytes.
    rows.extend([row("x\u{e9}", -1.0), row("\u{e9}a", -1.0)]);
    assert_eq!(read(&rows).unwrap().encode("x\u{e9}a").unwrap(), [4, 2]);
    // Two characters on the left come first, although the piece has the higher id.
    rows.extend([row("aa", -5.0), row("aaa", -1.0)]);
    rows.extend([row("\u{e9}\u{e9}", -1.0)]);
    let ids = read(&rows).unwrap().encode("aaa\u{e9}\u{e9}").unwrap();
    assert_eq!(ids, [7, 8]);
}

#[test]
fn what_cannot_be_read_is_named() {
    #[track_caller]
    fn refused(vocabulary: &GgufVocabulary<'_>, key: &str) {
        let error = Tokenizer::from_gguf("some.gguf", vocabulary).unwrap_err();
        let message = error.to_string();
        for part in ["some.gguf", &format!("tokenizer.ggml.{key}")] {
            assert!(message.contains(part), "{message}");
        }
    }
    let good = || vocabulary(rows());
    refused(
        &GgufVocabulary {
            model: "gpt2",
            ..good()
        },
        "model",
    );
    refused(
        &GgufVocabulary {
            add_space_prefix: true,
            ..good()
        },
        "add_space_prefix",
    );
    refused(
        &GgufVocabulary {
            scores: vec![0.0; 3],
            ..good()
        },
        "scores",
    );
    refused(
        &GgufVocabulary {
            types: Vec::new(),
            ..good()
        },
        "token_type",
    );
    refused(
        &GgufVocabulary {
            types: vec![7; rows().len()],
            ..good()
        },
        "token_type",
    );
    let with = |id: usize, text: &'static str| {
        let mut vocabulary = good();
        vocabulary.tokens[id] = text;
        vocabulary
    };
    refused(&with(300, ""), "tokens[300]");
    refused(&with(300, "<bos>"), "tokens[300]");
    let long = "x".repeat(5000);
    let mut vocabulary = good();
    vocabulary.tokens[300] = &long;
    refused(&vocabulary, "tokens[300]");
    // Without the unknown token, text needs bytes to be spelt in.
    let mut vocabulary = good();
    vocabulary.unknown = None;
    assert!(Tokenizer::from_gguf("some.gguf", &vocabulary).is_ok());
    vocabulary
        .types
        .iter_mut()
        .filter(|kind| **kind == 6)
        .for_each(|kind| *kind = 5);
    assert!(Tokenizer::from_gguf("some.gguf", &vocabulary).is_err());
    assert!(Tokenizer::from_gguf("some.gguf", &nothing()).is_err());
}

fn nothing() -> GgufVocabulary<'static> {
    GgufVocabulary {
        model: "llama",
        tokens: Vec::new(),
        scores: Vec::new(),
        types: Vec::new(),
        unknown: None,
        add_space_prefix: false,
    }
}
