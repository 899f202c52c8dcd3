//! No `Debug` of a conversation or a reply tells what it says. `{:?}` ends in logs and panics.

use std::fmt::Debug;

use medgemma_tokenizer::{Message, ReplyPiece, StopStrings, ThoughtParser, split_thoughts};

#[track_caller]
fn silent(what: &impl Debug) -> String {
    let text = format!("{what:?} {what:#?}").to_lowercase();
    // The bytes of "Zeb", too, which a list of numbers would tell.
    for word in ["zeb", "quagm", "90, 101", "113, 117"] {
        assert!(!text.contains(word), "{word:?} is in {text}");
    }
    format!("{what:?}")
}

#[test]
fn debug_of_a_conversation_has_sizes_only() {
    let message = Message::user().text("Zebulon has quagm").image();
    let expected = "Message { role: User, parts: [Text(17 bytes), Image] }";
    assert_eq!(silent(&message), expected);
    assert_eq!(silent(&message.parts[0]), "Text(17 bytes)");
}

#[test]
fn debug_of_a_reply_has_sizes_only() {
    let split = split_thoughts("<unused94>thought\nZebulon<unused95>quagm");
    let expected = "SplitReply { reasoning_bytes: Some(7), answer_bytes: 5, cut_off: false }";
    assert_eq!(silent(&split), expected);
    assert_eq!(
        silent(&ReplyPiece::Reasoning("Zebulon".to_owned())),
        "Reasoning(7 bytes)"
    );
    assert_eq!(
        silent(&ReplyPiece::Answer("quagm".to_owned())),
        "Answer(5 bytes)"
    );
    let mut parser = ThoughtParser::new();
    silent(&parser.push("Zeb<unused94>quagm <unus"));
    // A part of a header is held.
    let _ = parser.push("ed95>quagm<unused94>thought");
    silent(&parser);
    assert!(
        format!("{parser:?}").contains("held_bytes: 7"),
        "{parser:?}"
    );
}

#[test]
fn debug_of_stop_strings_has_sizes_only() -> medgemma_tokenizer::Result<()> {
    let mut stops = StopStrings::new(&["Zebulon"])?;
    assert_eq!(stops.push("quagm Zebul"), "quagm ");
    assert_eq!(
        silent(&stops),
        "StopStrings { stops: 1, held_bytes: 5, matched: None }"
    );
    Ok(())
}
