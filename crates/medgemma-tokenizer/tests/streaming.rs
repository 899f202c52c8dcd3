//! What streams gives, joined, what the whole gives: detokeniser, thoughts and stop strings, over generated input cut
//! at any place.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use medgemma_tokenizer::{
    Detokenizer, Error, ReplyPiece, SplitReply, StopStrings, ThoughtParser, Tokenizer,
    split_thoughts,
};
use proptest::prelude::{
    ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

fn tokenizer() -> Tokenizer {
    Tokenizer::from_bytes("tiny", include_bytes!("golden/tokenizer.json")).unwrap()
}

/// Ids of all kinds: any token, some without a token, many bytes, and byte spellings of characters of 1 to 4 bytes.
fn ids() -> impl Strategy<Value = Vec<u32>> {
    let byte0 = tokenizer().id("<0x00>").unwrap();
    let spelt = prop::sample::select(vec!["a", "é", "肺", "😀"]).prop_map(move |c| {
        c.bytes()
            .map(|byte| byte0 + u32::from(byte))
            .collect::<Vec<_>>()
    });
    let one = prop_oneof![0u32..820, byte0..byte0 + 256].prop_map(|id| vec![id]);
    prop::collection::vec(prop_oneof![2 => one, 1 => spelt], 0..24).prop_map(|ids| ids.concat())
}

/// A text made of fragments, cut into pieces at character boundaries chosen by `cuts`.
fn pieces(fragments: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let text = prop::collection::vec(prop::sample::select(fragments), 0..12)
        .prop_map(|fragments| fragments.concat());
    (text, prop::collection::vec(any::<bool>(), 16)).prop_map(|(text, cuts)| {
        let mut pieces = vec![String::new()];
        for (c, cut) in text.chars().zip(cuts.into_iter().cycle()) {
            if cut {
                pieces.push(String::new());
            }
            pieces.last_mut().unwrap().push(c);
        }
        pieces
    })
}

const THOUGHTS: &[&str] = &[
    "<unused94>",
    "<unused95>",
    "<unused94>thought\n",
    "thought",
    "\n",
    "thoughtful",
    "tho",
    "<unused9",
    "<",
    "a",
    "肺",
    " ",
];
const STOPPABLE: &[&str] = &["a", "b", "ab", "aab", "肺", "é", "\n", "aa"];

/// Joins a stream's pieces into reasoning and answer.
fn joined(parser: &mut ThoughtParser, pieces: &[&str]) -> (String, String) {
    let (mut reasoning, mut answer) = (String::new(), String::new());
    let mut given: Vec<ReplyPiece> = pieces.iter().flat_map(|piece| parser.push(piece)).collect();
    given.extend(parser.finish());
    for piece in given {
        match piece {
            ReplyPiece::Reasoning(text) => reasoning.push_str(&text),
            ReplyPiece::Answer(text) => answer.push_str(&text),
            other => panic!("{other:?}"),
        }
    }
    (reasoning, answer)
}

/// Where the first completed stop string ends the text, by trying each end in turn.
fn naive_stop<'a>(text: &'a str, stops: &[String]) -> (&'a str, Option<usize>) {
    for end in (0..=text.len()).filter(|&end| text.is_char_boundary(end)) {
        let matches = stops
            .iter()
            .enumerate()
            .filter(|(_, stop)| text[..end].ends_with(stop.as_str()));
        // The first of the longest, as two stop strings may be the same.
        if let Some((index, stop)) = matches.rev().max_by_key(|(_, stop)| stop.len()) {
            return (&text[..end - stop.len()], Some(index));
        }
    }
    (text, None)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn detokeniser_is_batch_decoding(ids in ids(), keep_special in any::<bool>()) {
        let tokenizer = tokenizer();
        let mut stream = Detokenizer::new(&tokenizer, keep_special);
        let mut text = String::new();
        for (index, &id) in ids.iter().enumerate() {
            text.push_str(&stream.push(id));
            // What is out never changes, whatever follows.
            let whole = tokenizer.decode(&ids, keep_special).unwrap();
            prop_assert!(whole.starts_with(&text), "{text:?} after {index} of {whole:?}");
        }
        text.push_str(&stream.finish());
        prop_assert_eq!(text, tokenizer.decode(&ids, keep_special).unwrap());
        prop_assert_eq!(stream.finish(), "");
    }

    #[test]
    fn a_token_of_text_is_given_at_once(ids in ids()) {
        let tokenizer = tokenizer();
        let byte = |id: u32| tokenizer.token(id).is_some_and(|token| token.starts_with("<0x") && token.len() == 6);
        let mut stream = Detokenizer::new(&tokenizer, true);
        let mut text = String::new();
        for end in 1..=ids.len() {
            text.push_str(&stream.push(ids[end - 1]));
            if !byte(ids[end - 1]) && tokenizer.token(ids[end - 1]).is_some() {
                prop_assert_eq!(&text, &tokenizer.decode(&ids[..end], true).unwrap());
            }
        }
    }

    #[test]
    fn thought_stream_is_the_split_whole(pieces in pieces(THOUGHTS)) {
        let whole = split_thoughts(&pieces.concat());
        let mut parser = ThoughtParser::new();
        let (reasoning, answer) = joined(&mut parser, &pieces.iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert_eq!(&reasoning, &whole.reasoning.unwrap_or_default());
        prop_assert_eq!(&answer, &whole.answer);
        prop_assert_eq!(parser.in_thought(), whole.cut_off);
    }

    #[test]
    fn stop_stream_is_naive_search(
        pieces in pieces(STOPPABLE),
        stops in prop::collection::vec(prop::collection::vec(prop::sample::select(STOPPABLE), 1..4), 0..4),
    ) {
        let stops: Vec<String> = stops.into_iter().map(|parts| parts.concat()).collect();
        let text = pieces.concat();
        let (expected, index) = naive_stop(&text, &stops);
        let mut watch = StopStrings::new(&stops).unwrap();
        let (mut out, mut seen) = (String::new(), String::new());
        for piece in &pieces {
            out.push_str(&watch.push(piece));
            seen.push_str(piece);
            if watch.matched().is_none() {
                let may_begin_a_stop = |at: &usize| stops.iter().any(|stop| stop.starts_with(&seen[*at..]));
                let held_from = (0..=seen.len()).filter(|&at| seen.is_char_boundary(at)).find(may_begin_a_stop);
                prop_assert_eq!(&out, &seen[..held_from.unwrap_or(seen.len())], "holds back no more than it must");
            }
        }
        prop_assert_eq!(watch.matched(), index);
        let rest = watch.finish();
        out.push_str(&rest);
        prop_assert_eq!(out, expected);
        prop_assert!(index.is_none() || rest.is_empty());
        prop_assert_eq!(watch.matched(), None, "ready for another text");
        prop_assert_eq!(&watch.push(&text), &StopStrings::new(&stops).unwrap().push(&text));
    }
}

#[test]
fn thoughts_are_split_as_documented() {
    let cases: [(&str, Option<&str>, &str, bool); 19] = [
        ("No pneumothorax.", None, "No pneumothorax.", false),
        ("\nNo.\n", None, "\nNo.\n", false),
        ("", None, "", false),
        (
            "<unused94>thought\nOk<unused95>No.",
            Some("Ok"),
            "No.",
            false,
        ),
        (
            "<unused94>thought\nOk\n<unused95>\n\nNo.\n",
            Some("Ok\n"),
            "No.\n",
            false,
        ),
        ("<unused94><unused95>No.", Some(""), "No.", false),
        ("<unused94>thought\n<unused95>No.", Some(""), "No.", false),
        ("<unused94>thought<unused95>No.", Some(""), "No.", false),
        (
            "<unused94>thought\n\nOk<unused95>No.",
            Some("\nOk"),
            "No.",
            false,
        ),
        (
            "<unused94>thoughtful<unused95>No.",
            Some("thoughtful"),
            "No.",
            false,
        ),
        ("<unused94>Ok<unused95>No.", Some("Ok"), "No.", false),
        ("<unused94>thought\nThe heart", Some("The heart"), "", true),
        ("<unused94>", Some(""), "", true),
        ("<unused94>thought", Some(""), "", true),
        (
            "Well, <unused94>thought\nOk<unused95>no.",
            Some("Ok"),
            "Well, no.",
            false,
        ),
        (
            "<unused94>a<unused95>b<unused94>c<unused95>d",
            Some("ac"),
            "bd",
            false,
        ),
        ("a<unused95>\nb", None, "ab", false),
        (
            "<unused94>a<unused94>thought\nb<unused95>c",
            Some("athought\nb"),
            "c",
            false,
        ),
        ("<unused9 <unused94", None, "<unused9 <unused94", false),
    ];
    for (text, reasoning, answer, cut_off) in cases {
        let SplitReply {
            reasoning: r,
            answer: a,
            cut_off: c,
            ..
        } = split_thoughts(text);
        assert_eq!(
            (r.as_deref(), a.as_str(), c),
            (reasoning, answer, cut_off),
            "{text:?}"
        );
        let mut parser = ThoughtParser::new();
        let streamed = joined(&mut parser, &[text]);
        assert_eq!(
            streamed,
            (reasoning.unwrap_or_default().to_owned(), answer.to_owned()),
            "{text:?}"
        );
        assert_eq!(parser.in_thought(), cut_off);
    }
}

/// One marker alone, 10 MB at once: with a search for the other, or a copy of what is left, from each it would take
/// an hour.
#[test]
fn a_long_reply_is_split_in_one_pass() {
    for marker in ["<unused94>", "<unused95>"] {
        let mut parser = ThoughtParser::new();
        let text = format!("{}x", marker.repeat(1 << 20));
        assert_eq!(parser.push(&text).len(), 1);
        assert_eq!(parser.in_thought(), marker == "<unused94>");
    }
}

#[test]
fn thought_text_is_given_as_soon_as_it_is_certain() {
    let mut parser = ThoughtParser::new();
    assert_eq!(parser.push("Well"), [ReplyPiece::Answer("Well".into())]);
    assert_eq!(parser.push("<unused94>"), []);
    assert!(parser.in_thought());
    assert_eq!(parser.push("thou"), []);
    assert_eq!(parser.push("ght"), []);
    assert_eq!(parser.push("\n"), []);
    assert_eq!(
        parser.push("Heart <"),
        [ReplyPiece::Reasoning("Heart ".into())]
    );
    assert_eq!(parser.push("3"), [ReplyPiece::Reasoning("<3".into())]);
    assert_eq!(
        parser.push("!<unused95>\nN"),
        [
            ReplyPiece::Reasoning("!".into()),
            ReplyPiece::Answer("N".into())
        ]
    );
    assert!(!parser.in_thought());
    assert_eq!(parser.push("o\n"), [ReplyPiece::Answer("o\n".into())]);
    assert_eq!(parser.finish(), []);
}

#[test]
fn an_empty_stop_string_is_refused() {
    assert!(matches!(
        StopStrings::new(&["a", ""]),
        Err(Error::EmptyStopString { index: 1 })
    ));
    let mut none = StopStrings::new::<&str>(&[]).unwrap();
    assert_eq!(none.push("all of it"), "all of it");
}

#[test]
fn the_bytes_of_ids_are_the_text_that_is_streamed() {
    let tokenizer = tokenizer();
    let text = "The left lung, \u{80ba} \u{1f600} \"quoted\"\n\n\tend  ";
    let ids = tokenizer.encode(text).unwrap();
    let bytes: Vec<u8> = ids
        .iter()
        .flat_map(|&id| tokenizer.token_bytes(id).unwrap())
        .collect();
    assert_eq!(String::from_utf8(bytes).unwrap(), text);
    let count = u32::try_from(tokenizer.vocab_size()).unwrap();
    for id in 0..count + 9 {
        let text = tokenizer.token_bytes(id);
        let none = tokenizer.is_special(id) || tokenizer.token(id).is_none();
        assert_eq!(text.is_none(), none, "{id}");
        let mut stream = Detokenizer::new(&tokenizer, false);
        let streamed = stream.push(id) + &stream.finish();
        let shown = text.unwrap_or_default();
        // A byte of several that spell a character is none alone.
        if let Ok(shown) = String::from_utf8(shown) {
            assert_eq!(streamed, shown, "{id}");
        }
    }
}
