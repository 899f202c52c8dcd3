//! Tokenizers of other models are told from the model's own: by a GGUF file's vocabulary, by the ids
//! that end a text, by the rows of the embedding.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;

use medgemma_tokenizer::{Error, GgufVocabulary, SpecialTokens, Tokenizer};
use serde_json::{Value, json};

const JSON: &[u8] = include_bytes!("golden/tokenizer.json");

fn value() -> Value {
    serde_json::from_slice(JSON).unwrap()
}

fn tokenizer(json: &Value) -> Tokenizer {
    Tokenizer::from_bytes("tokenizer.json", json.to_string().as_bytes()).unwrap()
}

/// Pieces and types, as llama.cpp's converter writes those of a tokenizer.
fn rows(json: &Value) -> Vec<(String, i64)> {
    let mut pieces: Vec<_> = json["model"]["vocab"].as_object().unwrap().iter().collect();
    pieces.sort_by_key(|(_, id)| id.as_u64());
    let added = json["added_tokens"].as_array().unwrap();
    let added: HashSet<&str> = added.iter().filter_map(|t| t["content"].as_str()).collect();
    let row = |(piece, _): (&String, &Value)| match piece.as_str() {
        own if added.contains(own) => (own.replace('\u{2581}', " "), 4),
        byte if byte.starts_with("<0x") => (byte.to_owned(), 6),
        other => (other.to_owned(), 1),
    };
    pieces.into_iter().map(row).collect()
}

fn check(rows: &[(String, i64)], model: &str, tokenizer: &Tokenizer) -> Result<(), Error> {
    let vocabulary = GgufVocabulary {
        model,
        tokens: rows.iter().map(|row| row.0.as_str()).collect(),
        scores: Vec::new(),
        types: rows.iter().map(|row| row.1).collect(),
        unknown: None,
        add_space_prefix: false,
    };
    vocabulary.check("model.gguf", tokenizer)
}

/// The tokens `a` and `b` under each other's ids.
fn exchanged(mut json: Value, a: &str, b: &str) -> Value {
    let [ida, idb] = [a, b].map(|token| json["model"]["vocab"][token].clone());
    json["model"]["vocab"][a] = idb.clone();
    json["model"]["vocab"][b] = ida.clone();
    for token in json["added_tokens"].as_array_mut().unwrap() {
        if token["content"] == a {
            token["id"] = idb.clone();
        } else if token["content"] == b {
            token["id"] = ida.clone();
        }
    }
    json
}

#[test]
fn the_first_id_that_is_spelt_otherwise_is_named() {
    let rows = rows(&value());
    let own = tokenizer(&value());
    check(&rows, "llama", &own).unwrap();
    // Two that mean a turn, two ordinary pieces, two bytes.
    let ordinary: Vec<&str> = rows.iter().filter(|r| r.1 == 1).map(|r| &*r.0).collect();
    let [first, last] = [ordinary[0], ordinary[ordinary.len() - 1]];
    for (a, b) in [
        ("<start_of_turn>", "<end_of_turn>"),
        (first, last),
        ("<0x41>", "<0x42>"),
    ] {
        let other = tokenizer(&exchanged(value(), a, b));
        let error = check(&rows, "llama", &other).unwrap_err();
        let wanted = own.id(a).unwrap().min(own.id(b).unwrap());
        let Error::OtherVocabulary { id, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(id, wanted, "{a} {b}");
        let told = error.to_string();
        for part in ["model.gguf", "tokenizer.json", &id.to_string(), "take"] {
            assert!(told.contains(part), "`{part}` is not in: {told}");
        }
    }
    // A vocabulary of another kind spells pieces otherwise, but not its special tokens.
    let other = tokenizer(&exchanged(value(), first, last));
    check(&rows, "gpt2", &other).unwrap();
    let other = tokenizer(&exchanged(value(), "<start_of_turn>", "<end_of_turn>"));
    check(&rows, "gpt2", &other).unwrap_err();
}

#[test]
fn pieces_that_one_of_the_two_lacks_are_named() {
    let mut longer = rows(&value());
    longer.push(("nephrology".to_owned(), 1));
    let own = tokenizer(&value());
    let told = check(&longer, "llama", &own).unwrap_err().to_string();
    // Where Gemma's tokenizer has the token of pictures, which converters drop.
    assert!(told.contains("nephrology"), "{told}");
    longer.pop();
    // Rows that pad the embedding are no tokens.
    longer.push(("[PAD]".to_owned(), 5));
    longer.push(("[PAD]".to_owned(), 5));
    check(&longer, "llama", &own).unwrap();
}

#[test]
fn what_fine_tunes_rename_is_not_held_against_them() {
    let mut rows = rows(&value());
    let own = tokenizer(&value());
    let row = rows.iter_mut().find(|row| row.0 == "<mask>").unwrap();
    assert_eq!(row.1, 4);
    row.0 = "<|tool_call|>".to_owned();
    check(&rows, "llama", &own).unwrap();
    let row = rows.iter_mut().find(|row| row.0 == "<unused94>").unwrap();
    row.0 = "<|tool|>".to_owned();
    check(&rows, "llama", &own).unwrap();
    // Exporters that call every piece normal, rows without a token too.
    rows.push(("[PAD809]".to_owned(), 5));
    for row in &mut rows {
        row.1 = 1;
    }
    check(&rows, "llama", &own).unwrap();
    // What texts and turns are made of still counts.
    for (a, b) in [("<0x41>", "<0x42>"), ("<start_of_turn>", "<bos>")] {
        let other = tokenizer(&exchanged(value(), a, b));
        check(&rows, "llama", &other).unwrap_err();
    }
}

#[test]
fn ids_that_end_a_text_are_tokens_that_can() {
    let own = tokenizer(&value());
    let special = SpecialTokens::of(&own).unwrap();
    let end = special.end_of_turn.unwrap();
    let mask = own.id("<mask>").unwrap();
    special.check_ends(&own, &[]).unwrap();
    special.check_ends(&own, &[special.eos, end, mask]).unwrap();
    let beyond = u32::try_from(own.vocab_size()).unwrap();
    let unused = own.id("<unused94>").unwrap();
    let none = special.check_ends(&own, &[1, beyond, unused]).unwrap();
    assert_eq!(none, None);
    let piece = rows(&value()).iter().position(|row| row.1 == 1).unwrap();
    let piece = u32::try_from(piece).unwrap();
    let warned = special.check_ends(&own, &[1, piece]).unwrap();
    assert_eq!(warned, Some(piece));
    for wrong in ["\u{2581}\u{2581}", "\n\n"] {
        let wrong = own.id(wrong).unwrap();
        let error = special.check_ends(&own, &[special.eos, wrong]).unwrap_err();
        assert!(
            matches!(error, Error::EndId { id, .. } if id == wrong),
            "{error}"
        );
        let told = error.to_string();
        for part in ["eos_token_id", "<end_of_turn>", &wrong.to_string()] {
            assert!(told.contains(part), "`{part}` is not in: {told}");
        }
    }
}

/// Under the ids that the published tokenizer gives them.
#[test]
fn ends_of_gemma_2_are_told_from_those_of_gemma_3() {
    let mut json = value();
    let published = [
        ("<start_of_turn>", 105),
        ("<end_of_turn>", 106),
        ("\n", 107),
    ];
    for (token, id) in published {
        let vocab = json["model"]["vocab"].as_object().unwrap();
        let there = vocab.iter().find(|(_, found)| **found == id).unwrap();
        let there = there.0.clone();
        json = exchanged(json, token, &there);
    }
    let own = tokenizer(&json);
    for (token, id) in published {
        assert_eq!(own.id(token), Some(id));
    }
    let special = SpecialTokens::of(&own).unwrap();
    // As published, and of a trainer that stops where the next turn begins.
    for ends in [&[1][..], &[1, 106], &[1, 106, 105]] {
        special.check_ends(&own, ends).unwrap();
    }
    let error = special.check_ends(&own, &[1, 107]).unwrap_err();
    assert!(matches!(error, Error::EndId { id: 107, .. }), "{error}");
}

#[test]
fn an_embedding_has_rows_for_all_pieces_and_few_more() {
    let own = tokenizer(&value());
    let special = SpecialTokens::of(&own).unwrap();
    let ids = own.vocab_size();
    // The last id is that of `<image_soft_token>`, which text models have no row for.
    for rows in [ids - 1, ids, ids + 64, ids + 4096] {
        assert_eq!(special.check_rows(&own, rows).unwrap(), None, "{rows}");
    }
    // Behind the pieces are three added tokens.
    for rows in [ids - 4, ids + 4097, 0] {
        let told = special.check_rows(&own, rows).unwrap_err().to_string();
        for part in [rows.to_string(), ids.to_string()] {
            assert!(told.contains(&part), "`{part}` is not in: {told}");
        }
    }
    // A token was added behind it, and the model left as it was.
    let mut json = value();
    let tokens = json["added_tokens"].as_array_mut().unwrap();
    let mut more = tokens.last().unwrap().clone();
    assert_eq!(more["content"], json!("<image_soft_token>"));
    more["content"] = json!("<other>");
    more["id"] = json!(ids);
    tokens.push(more);
    let other = tokenizer(&json);
    let special = SpecialTokens::of(&other).unwrap();
    let first = special.check_rows(&other, ids - 1).unwrap();
    assert_eq!(first, u32::try_from(ids).ok());
    assert_eq!(special.check_rows(&other, ids + 1).unwrap(), None);
}
