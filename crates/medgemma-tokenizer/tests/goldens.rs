//! The tiny Gemma-format tokenizer of `tests/golden/` gives what transformers 5.23 gives: ids, texts, chats, images.
//! Goldens are written by `tests/golden/generate.py`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use medgemma_tokenizer::{
    ConfiguredIds, Detokenizer, Error, Message, Part, Role, SpecialTokens, Tokenizer,
    expand_images, image_spans, render,
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Goldens {
    transformers: String,
    vocab_size: usize,
    encode: Vec<Encoded>,
    decode: Vec<Decoded>,
    chat: Vec<Chat>,
    images: Vec<Images>,
}

#[derive(Deserialize)]
struct Encoded {
    text: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Decoded {
    ids: Vec<u32>,
    kept: String,
    skipped: String,
}

#[derive(Deserialize)]
struct Chat {
    messages: Vec<Value>,
    add_generation_prompt: bool,
    text: String,
}

#[derive(Deserialize)]
struct Images {
    text: String,
    tokens_per_image: usize,
    crops: Vec<usize>,
    ids: Vec<u32>,
    /// 1 on soft tokens: the reference's `token_type_ids`.
    soft: Vec<u8>,
}

fn goldens() -> Goldens {
    let goldens: Goldens = serde_json::from_str(include_str!("golden/goldens.json")).unwrap();
    assert_eq!(goldens.transformers, "5.23.0");
    goldens
}

fn tokenizer() -> Tokenizer {
    Tokenizer::from_bytes(
        "golden/tokenizer.json",
        include_bytes!("golden/tokenizer.json"),
    )
    .unwrap()
}

fn text_of(content: &Value) -> Vec<Part> {
    match content {
        Value::String(text) => vec![Part::Text(text.clone())],
        Value::Array(items) => items
            .iter()
            .map(|item| match item["type"].as_str() {
                Some("image") => Part::Image,
                _ => Part::Text(item["text"].as_str().unwrap().to_owned()),
            })
            .collect(),
        _ => panic!("content is a text or a list"),
    }
}

/// The typed form of a golden conversation: system text and messages.
fn typed(messages: &[Value]) -> (Option<String>, Vec<Message>) {
    let (system, turns) = match messages[0]["role"].as_str() {
        Some("system") => (Some(&messages[0]["content"]), &messages[1..]),
        _ => (None, messages),
    };
    let system = system.map(|content| match &text_of(content)[0] {
        Part::Text(text) => text.clone(),
        _ => panic!("a system instruction is text"),
    });
    let role = |turn: &Value| {
        if turn["role"] == "assistant" {
            Role::Assistant
        } else {
            Role::User
        }
    };
    let turns = turns
        .iter()
        .map(|turn| Message::new(role(turn), text_of(&turn["content"])))
        .collect();
    (system, turns)
}

#[test]
fn encodes_as_the_reference() {
    let (tokenizer, goldens) = (tokenizer(), goldens());
    assert_eq!(tokenizer.vocab_size(), goldens.vocab_size);
    assert!(goldens.encode.len() > 20);
    for row in goldens.encode {
        assert_eq!(
            tokenizer.encode(&row.text).unwrap(),
            row.ids,
            "{:?}",
            row.text
        );
    }
}

#[test]
fn decodes_as_the_reference_at_once_and_streamed() {
    let (tokenizer, goldens) = (tokenizer(), goldens());
    assert!(goldens.decode.len() > 40);
    for row in goldens.decode {
        for (keep_special, expected) in [(true, &row.kept), (false, &row.skipped)] {
            assert_eq!(
                &tokenizer.decode(&row.ids, keep_special).unwrap(),
                expected,
                "{:?}",
                row.ids
            );
            let mut stream = Detokenizer::new(&tokenizer, keep_special);
            let mut text: String = row.ids.iter().map(|&id| stream.push(id)).collect();
            text.push_str(&stream.finish());
            assert_eq!(&text, expected, "streamed {:?}", row.ids);
        }
    }
}

#[test]
fn renders_chats_as_apply_chat_template() {
    let (tokenizer, goldens) = (tokenizer(), goldens());
    assert!(goldens.chat.len() >= 14);
    for row in goldens.chat {
        let (system, messages) = typed(&row.messages);
        let text = render(system.as_deref(), &messages, row.add_generation_prompt).unwrap();
        assert_eq!(text, row.text);
        assert_eq!(
            tokenizer.encode(&text).unwrap()[0],
            tokenizer.id("<bos>").unwrap()
        );
    }
}

#[test]
fn image_prompts_as_gemma3_processor() {
    let (tokenizer, goldens) = (tokenizer(), goldens());
    let soft = tokenizer.id("<image_soft_token>").unwrap();
    assert!(
        goldens.images.iter().any(|row| row.crops.contains(&2)),
        "pan & scan is covered"
    );
    for row in goldens.images {
        let text = expand_images(&row.text, row.tokens_per_image, &row.crops).unwrap();
        let ids = tokenizer.encode_prompt(&text).unwrap();
        assert_eq!(ids, row.ids, "{:?}", row.text);
        let spans = image_spans(&ids, soft, row.tokens_per_image).unwrap();
        assert_eq!(spans.len(), row.crops.iter().map(|n| n + 1).sum::<usize>());
        let inside: Vec<u8> = (0..ids.len())
            .map(|i| u8::from(spans.iter().any(|span| span.contains(&i))))
            .collect();
        assert_eq!(inside, row.soft);
    }
}

#[test]
fn a_prompt_has_exactly_one_bos() {
    let tokenizer = tokenizer();
    let bos = tokenizer.id("<bos>").unwrap();
    let with = tokenizer.encode_prompt("<bos>clear").unwrap();
    assert_eq!(with, tokenizer.encode_prompt("clear").unwrap());
    assert_eq!(
        with,
        [&[bos][..], &tokenizer.encode("clear").unwrap()].concat()
    );
    assert_eq!(tokenizer.encode_prompt("").unwrap(), [bos]);
    for (text, expected) in [("<bos><bos>clear", 1), ("<bos>5<bos>", 2), ("5<bos>", 2)] {
        match tokenizer.encode_prompt(text) {
            Err(Error::RepeatedBos { position }) => assert_eq!(position, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn special_tokens_by_name_and_against_a_configuration() {
    let special = SpecialTokens::of(&tokenizer()).unwrap();
    assert_eq!((special.pad, special.eos, special.bos), (0, 1, 2));
    assert_eq!(
        (special.thought_start, special.thought_end),
        (Some(6), Some(7))
    );
    assert_eq!(
        (special.start_of_turn, special.end_of_turn),
        (Some(8), Some(9))
    );
    let images = (
        special.start_of_image,
        special.end_of_image,
        special.image_soft_token,
    );
    assert_eq!(images, (Some(807), Some(808), Some(809)));

    let right = ConfiguredIds {
        bos_token_id: Some(2),
        boi_token_index: Some(807),
        eoi_token_index: Some(808),
        image_token_index: Some(809),
    };
    special.check(&right).unwrap();
    special.check(&ConfiguredIds::default()).unwrap();
    let wrong = [
        (
            "bos_token_id",
            2,
            ConfiguredIds {
                bos_token_id: Some(5),
                ..right
            },
        ),
        (
            "boi_token_index",
            807,
            ConfiguredIds {
                boi_token_index: Some(5),
                ..right
            },
        ),
        (
            "eoi_token_index",
            808,
            ConfiguredIds {
                eoi_token_index: Some(5),
                ..right
            },
        ),
        (
            "image_token_index",
            809,
            ConfiguredIds {
                image_token_index: Some(5),
                ..right
            },
        ),
    ];
    for (name, id, configured) in wrong {
        match special.check(&configured) {
            Err(Error::IdMismatch {
                key,
                expected: 5,
                found,
                ..
            }) => assert_eq!((key, found), (name, id)),
            other => panic!("{name}: {other:?}"),
        }
    }
    let mut text_only = special;
    text_only.image_soft_token = None;
    assert!(matches!(
        text_only.check(&right),
        Err(Error::IdUnknown {
            key: "image_token_index",
            expected: 809,
            ..
        })
    ));
}

#[test]
fn placeholders_and_images_must_be_equally_many() {
    for (text, crops) in [
        ("<start_of_image>", &[][..]),
        ("", &[0]),
        ("<start_of_image>a<start_of_image>", &[0]),
    ] {
        let found = text.matches("<start_of_image>").count();
        match expand_images(text, 4, crops) {
            Err(Error::ImageCount {
                placeholders,
                images,
            }) => assert_eq!((placeholders, images), (found, crops.len())),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(matches!(
        expand_images("<start_of_image>", 0, &[0]),
        Err(Error::NoSoftTokens)
    ));
    for crops in [usize::MAX, usize::MAX - 1, 1 << 20] {
        assert!(matches!(
            expand_images("<start_of_image>", 256, &[crops]),
            Err(Error::TooManySoftTokens { .. })
        ));
    }
    assert_eq!(expand_images("no image", 0, &[]).unwrap(), "no image");
}

#[test]
fn a_soft_run_has_the_length_of_an_image() {
    assert_eq!(
        image_spans(&[1, 9, 9, 1, 9, 9], 9, 2).unwrap(),
        [1..3, 4..6]
    );
    assert!(image_spans(&[], 9, 2).unwrap().is_empty());
    for (ids, at, length) in [
        (&[9, 1][..], 0, 1),
        (&[1, 9, 9, 9], 1, 3),
        (&[9, 9, 1, 9], 3, 1),
    ] {
        match image_spans(ids, 9, 2) {
            Err(Error::ImageSpan {
                start,
                expected: 2,
                found,
            }) => assert_eq!((start, found), (at, length)),
            other => panic!("{ids:?}: {other:?}"),
        }
    }
}

#[test]
fn ids_and_tokens_are_inverse() {
    let tokenizer = tokenizer();
    for id in 0..810 {
        let token = tokenizer.token(id).unwrap();
        assert_eq!(tokenizer.id(&token), Some(id), "{token:?}");
    }
    assert_eq!(tokenizer.token(810), None);
    assert_eq!(tokenizer.id("no such token"), None);
    assert!(
        tokenizer.is_special(2) && !tokenizer.is_special(6),
        "<unused94> is an ordinary token"
    );
}

#[test]
fn a_tokenizer_is_shared_between_threads() {
    let tokenizer = tokenizer();
    let expected = tokenizer.encode("The lungs are clear.").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (tokenizer, expected) = (tokenizer.clone(), &expected);
            scope.spawn(move || {
                assert_eq!(&tokenizer.encode("The lungs are clear.").unwrap(), expected)
            });
        }
    });
}
