//! Any text cut at any place through stop strings and the thought parser: joined, what the whole gives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use medgemma_tokenizer::{ReplyPiece, StopStrings, ThoughtParser, split_thoughts};

fuzz_target!(|input: (Vec<String>, Vec<String>)| {
    let (pieces, stops) = input;
    let text = pieces.concat();
    let mut parser = ThoughtParser::new();
    let mut given: Vec<ReplyPiece> = pieces.iter().flat_map(|piece| parser.push(piece)).collect();
    given.extend(parser.finish());
    let (mut reasoning, mut answer) = (String::new(), String::new());
    for piece in given {
        match piece {
            ReplyPiece::Reasoning(text) => reasoning.push_str(&text),
            ReplyPiece::Answer(text) => answer.push_str(&text),
            other => panic!("{other:?}"),
        }
    }
    let whole = split_thoughts(&text);
    assert_eq!(
        (reasoning, answer),
        (whole.reasoning.unwrap_or_default(), whole.answer)
    );

    let Ok(mut watch) = StopStrings::new(&stops) else {
        return;
    };
    let mut whole = watch.clone();
    let mut streamed: String = pieces.iter().map(|piece| watch.push(piece)).collect();
    streamed.push_str(&watch.finish());
    let mut expected = whole.push(&text);
    expected.push_str(&whole.finish());
    assert_eq!(streamed, expected);
    assert!(stops.iter().all(|stop| !expected.contains(stop.as_str())));
});
