//! Models that think aloud: `<unused94>thought\n … <unused95>` apart from the answer, whole, while
//! streaming, cut off, in batches and in the next turn.

use crate::support::{answers, ask, drain, essence, ids, load, speaker, up_to};
use medgemma::{FinishReason, MedGemma, NOTICE, Piece};

const THOUGHT_START: u32 = 6;
const THOUGHT_END: u32 = 7;

/// The start marker, "th", "ou", "g", "h", "t", a newline as a byte (the token `\n` ends the
/// prompt), " look", " show", the end marker, two newlines, "the", " picture", "!".
const WORDS: [u32; 14] = [
    THOUGHT_START,
    272,
    312,
    405,
    406,
    418,
    26,
    327,
    329,
    THOUGHT_END,
    11,
    273,
    328,
    335,
];

fn thinker() -> MedGemma {
    load(speaker(&WORDS).path())
}

fn without_markers(text: &str) {
    for marker in ["unused", "<", ">", "thought"] {
        assert!(!text.contains(marker), "{text:?} leaks {marker:?}");
    }
}

/// Pieces joined by kind, each checked to be there for a reason.
fn joined(pieces: &[Piece]) -> (String, String) {
    let (mut reasoning, mut answer) = (String::new(), String::new());
    for piece in pieces {
        match piece {
            Piece::Reasoning(text) => {
                assert!(answer.is_empty(), "reasoning after the answer began");
                assert!(!text.is_empty());
                reasoning.push_str(text);
            }
            Piece::Answer(text) => {
                assert!(!text.is_empty());
                answer.push_str(text);
            }
            _ => panic!("an unknown kind of piece"),
        }
    }
    (reasoning, answer)
}

#[test]
fn reasoning_and_answer_stream_apart() {
    let model = thinker();
    assert_eq!(model.special().thought_start, Some(THOUGHT_START));
    assert_eq!(model.special().thought_end, Some(THOUGHT_END));
    let mut chat = model.chat().with_thinking(true);
    let (pieces, reply) = drain(chat.stream(ask("hello"), &up_to(50)).unwrap());
    assert_eq!(ids(&reply), WORDS);
    assert_eq!(reply.text, "the picture!");
    assert_eq!(reply.reasoning.as_deref(), Some(" look show"));
    assert!(!reply.reasoning_cut_off);
    assert_eq!(reply.finish, FinishReason::Stop);
    assert_eq!(reply.usage.reply_tokens, WORDS.len(), "thoughts count");
    assert_eq!(
        joined(&pieces),
        (" look show".to_owned(), "the picture!".to_owned())
    );
    // Printed piece by piece or at once, the user reads the answer alone.
    let printed: String = pieces.iter().map(Piece::to_string).collect();
    assert_eq!(printed, reply.text);
    assert_eq!(reply.to_string(), reply.text);
    without_markers(&printed);
}

#[test]
fn a_thought_cut_off_anywhere_is_no_answer() {
    let model = thinker();
    for length in 0..=WORDS.len() {
        let mut chat = model.chat();
        let (pieces, reply) = drain(chat.stream(ask("hello"), &up_to(length)).unwrap());
        let (reasoning, answer) = joined(&pieces);
        without_markers(&reply.text);
        without_markers(&answer);
        assert_eq!(answer, reply.text, "after {length} tokens");
        assert_eq!(reply.finish, FinishReason::Length);
        assert_eq!(reasoning, reply.reasoning.clone().unwrap_or_default());
        // The marker is token 1, the end marker token 10.
        let inside = (1..10).contains(&length);
        assert_eq!(reply.reasoning_cut_off, inside, "after {length} tokens");
        let told = if inside {
            format!("Cut off after {length} tokens, still reasoning: there is no answer.\n{NOTICE}")
        } else {
            format!("Cut off after {length} tokens, this is not the whole answer.\n{NOTICE}")
        };
        assert_eq!(reply.footnote(), told);
        assert_eq!(reply.reasoning.is_some(), length > 0);
        if length <= 11 {
            assert_eq!(reply.text, "", "after {length} tokens");
        } else {
            assert!("the picture!".starts_with(&reply.text) && !reply.text.is_empty());
        }
        if length >= 8 {
            assert!(reasoning.starts_with(" look"), "after {length} tokens");
            without_markers(&reasoning);
        }
        let batch = model.generate_batch(&[vec![ask("hello")]], &up_to(length));
        assert_eq!(essence(&answers(batch)[0]), essence(&reply));
    }
}

#[test]
fn stop_strings_end_the_answer_and_not_the_thought() {
    let model = thinker();
    let reply = |stop: &str| {
        let options = up_to(50).with_stop_string(stop);
        model.generate(&[ask("hello")], &options).unwrap()
    };
    // In the thought only: nothing happens.
    let whole = reply(" show");
    assert_eq!(
        (whole.text.as_str(), whole.finish),
        ("the picture!", FinishReason::Stop)
    );
    let cut = reply(" pic");
    assert_eq!(
        (cut.text.as_str(), cut.finish),
        ("the", FinishReason::StopString)
    );
    assert_eq!(cut.reasoning.as_deref(), Some(" look show"));
    assert!(!cut.reasoning_cut_off);
}

#[test]
fn the_conversation_goes_on_after_a_thought() {
    let model = thinker();
    let mut chat = model.chat();
    let mut said = 0;
    for (turn, length) in [50, 8, 50].into_iter().enumerate() {
        let reply = chat.send_with(ask("and now?"), &up_to(length)).unwrap();
        assert_eq!(reply.reasoning_cut_off, length == 8, "turn {turn}");
        assert_eq!(reply.text.is_empty(), length == 8, "turn {turn}");
        // The thought stays in the context just as it was written.
        assert_eq!(
            reply.usage.cached_tokens + reply.usage.prompt_tokens + reply.tokens.len(),
            chat.context_len()
        );
        assert!(reply.usage.cached_tokens >= said, "turn {turn}");
        said = chat.context_len() - 1;
    }
}

#[test]
fn a_model_that_does_not_think_has_no_reasoning() {
    let scratch = speaker(&[327, 272, 329]);
    let model = load(scratch.path());
    let mut chat = model.chat().with_thinking(true);
    let reply = chat.send_with(ask("hello"), &up_to(9)).unwrap();
    assert_eq!(reply.text, " lookth show");
    assert_eq!(reply.reasoning, None);
    assert!(!reply.reasoning_cut_off);
    // An end marker without a beginning is dropped, and what follows is an answer.
    let scratch = speaker(&[327, THOUGHT_END, 329]);
    let reply = load(scratch.path())
        .generate(&[ask("hello")], &up_to(9))
        .unwrap();
    assert_eq!(reply.text, " look show");
    assert_eq!(reply.reasoning, None);
}
