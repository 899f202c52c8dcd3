//! The shipped model, through the library, on pictures that were held out of its training.

use std::path::{Path, PathBuf};

use medgemma::{Device, FinishReason, Image, MedGemma, Message};
use serde_json::Value;

/// What the demonstration model says of itself in every answer.
const STATEMENT: &str = "This is a demonstration model, not MedGemma";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn model() -> MedGemma {
    let device = Device::cpu().expect("the cpu backend is compiled in");
    MedGemma::load(folder("model"), &device).expect("the shipped model loads")
}

/// The first question of a conversation about a picture.
fn question(picture: &Path) -> Message {
    let image = Image::open(picture).unwrap_or_else(|error| panic!("{error}"));
    Message::user().image(image).text("Describe this image.")
}

#[test]
fn every_held_out_picture_is_answered_rightly() {
    let held_out = folder("images/held-out");
    let json = std::fs::read(held_out.join("expected.json")).expect("expected.json");
    let json: Value = serde_json::from_slice(&json).expect("expected.json is JSON");
    let expected = json.as_object().expect("expected.json is an object");
    let mut pictures: Vec<String> = std::fs::read_dir(&held_out)
        .expect("held-out")
        .map(|entry| {
            entry
                .expect("entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .filter(|name| name.ends_with(".png"))
        .collect();
    pictures.sort();
    let mut named: Vec<String> = expected.keys().cloned().collect();
    named.sort();
    assert_eq!(pictures, named, "pictures and expected.json differ");
    assert!(pictures.len() >= 10, "only {} pictures", pictures.len());

    let model = model();
    let mut wrong = Vec::new();
    for name in &pictures {
        let reply = model
            .chat()
            .send(question(&held_out.join(name)))
            .expect("an answer");
        let phrases = expected[name]["contains"].as_array().expect("contains");
        assert!(!phrases.is_empty(), "{name}: nothing expected");
        let right = phrases
            .iter()
            .all(|p| reply.text.contains(p.as_str().expect("text")))
            && expected[name]["answer"].as_str() == Some(&reply.text)
            && reply.text.contains(STATEMENT)
            && reply.finish == FinishReason::Stop;
        if !right {
            wrong.push(format!("{name}: {:?} {}", reply.finish, reply.text));
        }
        assert!(reply.not_for_clinical_use);
    }
    assert!(
        wrong.is_empty(),
        "{} of {} wrong:\n{}",
        wrong.len(),
        pictures.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_default_radiograph_is_a_chest_radiograph_also_in_the_second_turn() {
    let mut chat = model().chat();
    let first = chat
        .send(question(&folder("images/chest.png")))
        .expect("an answer");
    assert!(first.text.contains("chest radiograph"), "{first}");
    assert!(first.text.contains(STATEMENT), "{first}");
    assert_eq!(first.usage.cached_tokens, 0);

    let asked = [
        ("Which part of the body is it?", "chest"),
        ("Can I rely on this?", "do not rely on it"),
    ];
    let mut read = first.usage.prompt_tokens;
    for (text, expected) in asked {
        let reply = chat.send(Message::user().text(text)).expect("an answer");
        assert!(reply.text.contains(expected), "{text}: {reply}");
        assert!(reply.text.contains(STATEMENT), "{text}: {reply}");
        assert_eq!(reply.finish, FinishReason::Stop, "{text}");
        assert_eq!(reply.usage.image_tokens, 0, "the picture is not read again");
        assert!(
            reply.usage.cached_tokens >= read,
            "what was read is not read again"
        );
        read = reply.usage.cached_tokens + reply.usage.prompt_tokens;
    }
}

#[test]
fn without_a_picture_it_asks_for_one() {
    let reply = model()
        .chat()
        .send(Message::user().text("Who are you?"))
        .expect("an answer");
    assert!(reply.text.contains("add a picture"), "{reply}");
    assert!(reply.text.contains(STATEMENT), "{reply}");
}
