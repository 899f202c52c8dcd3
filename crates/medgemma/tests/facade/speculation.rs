//! Speculation through the facade: the same words, pieces, stops and conversations.

use crate::support::{
    answers, ask, assert_logprobs, drain, exactly, ids, image, literate, model, up_to,
};
use medgemma::{FinishReason, GenerateOptions, Message, Reply, Speculation};

fn guessing(options: &GenerateOptions) -> GenerateOptions {
    options.clone().with_speculation(Speculation::PromptLookup)
}

#[track_caller]
fn assert_same(found: &Reply, expected: &Reply) {
    assert_eq!(ids(found), ids(expected));
    assert_eq!(found.text, expected.text);
    assert_eq!(found.finish, expected.finish);
    assert_eq!(found.usage.cached_tokens, expected.usage.cached_tokens);
    assert_eq!(found.usage.prompt_tokens, expected.usage.prompt_tokens);
    assert_eq!(found.usage.reply_tokens, expected.usage.reply_tokens);
    assert_logprobs(found, expected);
    assert_eq!(expected.usage.drafted_tokens, 0);
}

#[test]
fn conversations_and_their_pieces_are_the_same() {
    let mut spared = 0;
    for model in [model(), literate()] {
        let (mut one, mut other) = (model.chat(), model.chat());
        let picture = || image("picture-a.png");
        let turns = [
            Message::user().image(picture()).text("heart heart heart"),
            ask("and now?"),
            Message::user().text("compare").image(picture()),
        ];
        for (turn, length) in turns.into_iter().zip([60, 7, 40]) {
            let options = exactly(length);
            let stream = one.stream(turn.clone(), &guessing(&options)).unwrap();
            let (pieces, found) = drain(stream);
            let (same_pieces, expected) = drain(other.stream(turn, &options).unwrap());
            assert_eq!(pieces, same_pieces);
            assert_same(&found, &expected);
            assert_eq!(one.context_len(), other.context_len());
            assert!(found.usage.accepted_tokens <= found.usage.drafted_tokens);
            spared += found.usage.accepted_tokens;
        }
    }
    assert!(spared > 30, "{spared} passes were spared");
}

#[test]
fn a_stream_dropped_among_guesses_leaves_the_same_conversation() {
    for taken in 1..30 {
        let (mut one, mut other) = (literate().chat(), literate().chat());
        let options = exactly(60);
        let mut stream = one.stream(ask("look"), &guessing(&options)).unwrap();
        stream.by_ref().take(taken).for_each(drop);
        drop(stream);
        let mut stream = other.stream(ask("look"), &options).unwrap();
        stream.by_ref().take(taken).for_each(drop);
        drop(stream);
        assert_eq!(one.context_len(), other.context_len(), "{taken} pieces");
        let found = one.send_with(ask("bones"), &guessing(&exactly(9))).unwrap();
        let expected = other.send_with(ask("bones"), &exactly(9)).unwrap();
        assert_same(&found, &expected);
    }
}

#[test]
fn stop_strings_and_stop_ids_end_an_answer_at_the_same_token() {
    let long = literate().generate(&[ask("look")], &exactly(60)).unwrap();
    let mut stopped = 0;
    for (at, _) in long.text.char_indices().step_by(5) {
        let stop: String = long.text[at..].chars().take(3).collect();
        let options = exactly(60).with_stop_string(stop);
        let expected = literate().generate(&[ask("look")], &options).unwrap();
        let found = literate()
            .generate(&[ask("look")], &guessing(&options))
            .unwrap();
        assert_same(&found, &expected);
        stopped += usize::from(found.finish == FinishReason::StopString);
    }
    assert!(stopped > 5, "{stopped} were stopped");
    let scratch = crate::support::stopping_at(&ids(&long)[10..12]);
    let stopping = crate::support::load(scratch.path());
    for words in ["look", "bones", "heart", "x-ray x-ray"] {
        let expected = stopping.generate(&[ask(words)], &up_to(80)).unwrap();
        let found = stopping
            .generate(&[ask(words)], &guessing(&up_to(80)))
            .unwrap();
        assert_same(&found, &expected);
    }
}

#[test]
fn a_batch_takes_no_notice_of_it() {
    let conversations = [vec![ask("look")], vec![ask("bones bones bones")]];
    let expected = answers(model().generate_batch(&conversations, &exactly(30)));
    let found = answers(model().generate_batch(&conversations, &guessing(&exactly(30))));
    for (found, expected) in found.iter().zip(&expected) {
        assert_same(found, expected);
        assert_eq!(found.usage.drafted_tokens, 0);
    }
}
