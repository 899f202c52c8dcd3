//! Answers as they come: pieces that add up to the reply, stop strings, early ends, batches and
//! scores that agree with single streams.

use std::io::{self, Write};
use std::ops::ControlFlow;

use crate::support::{
    GoldenChat, answered, answers, ask, assert_logprobs, drain, essence, exactly, ids, image,
    literate, load, model, speaker, up_to,
};
use medgemma::{
    BatchEvent, BatchRequest, Error, FinishReason, GenerateOptions, MedGemma, Message, NOTICE,
    Part, Piece, Progress,
};
use medgemma_testkit::{Scratch, Stored};

/// " look", "th", "e", " show", "(", " answer": words of `text-27b-like`, then the end of the turn.
const WORDS: [u32; 6] = [327, 272, 403, 329, 342, 322];

fn answer_of(pieces: &[Piece]) -> String {
    let text = pieces.iter().map(|piece| match piece {
        Piece::Answer(text) => text.as_str(),
        _ => panic!("this model does not think"),
    });
    text.collect()
}

#[test]
fn pieces_add_up_to_the_reply() {
    for name in ["chat-one-image", "chat-text"] {
        let case = GoldenChat::named(name);
        let mut chat = case.chat();
        let stream = chat.stream(case.messages[0].clone(), &exactly(24)).unwrap();
        let (pieces, reply) = drain(stream);
        assert_eq!(answer_of(&pieces), reply.text, "{name}");
        assert_eq!(reply.text, case.text("reply"), "{name}");
        for piece in &pieces {
            assert!(!piece.to_string().is_empty(), "{name}: an empty piece");
        }
    }
}

/// " look", the two bytes of Ú, " show".
const BYTES: [u32; 4] = [327, 211, 170, 329];

#[test]
fn a_character_of_two_tokens_comes_in_one_piece() {
    let scratch = speaker(&BYTES);
    let model = load(scratch.path());
    let mut chat = model.chat();
    let (pieces, reply) = drain(chat.stream(ask("hello"), &up_to(9)).unwrap());
    assert_eq!(reply.text, " lookÚ show");
    assert_eq!(ids(&reply), BYTES);
    let words = pieces.iter().map(Piece::to_string).collect::<Vec<_>>();
    assert_eq!(words, [" look", "Ú show"]);
}

#[test]
fn a_character_cut_off_by_the_limit_is_marked_and_can_end_a_stop_string() {
    let scratch = speaker(&BYTES);
    let model = load(scratch.path());
    let reply = model.generate(&[ask("hello")], &up_to(2)).unwrap();
    assert_eq!(reply.text, " look\u{fffd}");
    assert_eq!(reply.finish, FinishReason::Length);
    let options = up_to(2).with_stop_string("k\u{fffd}");
    let single = model.generate(&[ask("hello")], &options).unwrap();
    assert_eq!(single.text, " loo");
    assert_eq!(single.finish, FinishReason::StopString);
    let batch = answers(model.generate_batch(&[vec![ask("hello")]], &options));
    assert_eq!(essence(&batch[0]), essence(&single));
}

#[test]
fn an_answer_ends_where_the_model_ends_its_turn() {
    let scratch = speaker(&WORDS);
    let model = load(scratch.path());
    let mut chat = model.chat();
    for turn in 0..2 {
        let (pieces, reply) = drain(chat.stream(ask("hello"), &up_to(50)).unwrap());
        assert_eq!(reply.text, " lookthe show( answer");
        assert_eq!(answer_of(&pieces), reply.text);
        assert_eq!(reply.finish, FinishReason::Stop);
        assert_eq!(ids(&reply), WORDS, "the end of the turn is no part of it");
        assert_eq!(reply.usage.reply_tokens, WORDS.len());
        // Every token of the reply was read before the end of the turn was chosen.
        assert_eq!(reply.usage.cached_tokens == 0, turn == 0);
        assert_eq!(
            chat.context_len(),
            reply.usage.cached_tokens + reply.usage.prompt_tokens + WORDS.len()
        );
    }
}

#[test]
fn stop_strings_work_across_pieces_and_show_nothing_of_themselves() {
    let scratch = speaker(&WORDS);
    let model = load(scratch.path());
    // (stop string, text before it, tokens written until it was complete)
    for (stop, before, tokens) in [
        ("the", " look", 3),
        ("okthe s", " lo", 4),
        (" show( a", " lookthe", 6),
        (" ", "", 1),
        ("answer", " lookthe show( ", 6),
    ] {
        let options = up_to(50)
            .with_stop_string("never said")
            .with_stop_string(stop);
        let mut chat = model.chat();
        let (pieces, reply) = drain(chat.stream(ask("hello"), &options).unwrap());
        assert_eq!(reply.text, before, "{stop:?}");
        assert_eq!(answer_of(&pieces), before, "{stop:?}");
        assert_eq!(reply.finish, FinishReason::StopString, "{stop:?}");
        assert_eq!(reply.tokens.len(), tokens, "{stop:?}");
        let batch = answers(model.generate_batch(&[vec![ask("hello")]], &options));
        assert_eq!(essence(&batch[0]), essence(&reply), "{stop:?}");
    }
    // One that only begins is given out at the end.
    let options = up_to(50).with_stop_string("answers");
    let reply = model.generate(&[ask("hello")], &options).unwrap();
    assert_eq!(reply.text, " lookthe show( answer");
    assert_eq!(reply.finish, FinishReason::Stop);
}

#[test]
fn a_reply_taken_early_is_cancelled_and_keeps_what_came() {
    let mut chat = literate().chat();
    let mut stream = chat.stream(ask("look"), &exactly(100)).unwrap();
    let first: Vec<_> = stream.by_ref().take(2).map(Result::unwrap).collect();
    let reply = stream.into_reply();
    assert_eq!(reply.finish, FinishReason::Cancelled);
    assert_eq!(reply.text, answer_of(&first));
    assert_eq!(reply.usage.reply_tokens, 2);
    assert_eq!(chat.context_len(), reply.usage.prompt_tokens + 2);

    let mut chat = literate().chat();
    let reply = chat.stream(ask("look"), &exactly(9)).unwrap().into_reply();
    assert_eq!(reply.finish, FinishReason::Cancelled);
    assert_eq!((reply.text.as_str(), reply.tokens.len()), ("", 0));
    assert_eq!(chat.context_len(), 0, "nothing was asked yet");
}

/// A model that says " lookthe show" and then has no numbers, for the embedding of " show" has none.
fn breaking_off() -> Scratch {
    const WIDTH: usize = 30;
    let broken = usize::try_from(WORDS[3]).unwrap();
    speaker(&WORDS).edit(|tensors| {
        let key = "model.embed_tokens.weight";
        let (shape, mut rows) = tensors
            .get(key)
            .map(|stored| (stored.shape.clone(), stored.to_f32()))
            .unwrap();
        rows[broken * WIDTH..][..WIDTH].fill(f32::NAN);
        tensors.insert(key, Stored::from_f32(&shape, &rows));
    })
}

#[test]
fn what_an_error_broke_off_is_a_reply_with_its_tokens() {
    let scratch = breaking_off();
    let model = load(scratch.path());
    let mut chat = model.chat();
    let mut stream = chat.stream(ask("hello"), &up_to(50)).unwrap();
    assert!(stream.by_ref().any(|piece| piece.is_err()));
    let reply = stream.into_reply();
    assert_eq!(ids(&reply), WORDS[..4]);
    assert_eq!(reply.usage.reply_tokens, 4);
    assert_eq!(reply.finish, FinishReason::Cancelled);
    assert!(reply.is_cut_off());
}

#[test]
fn an_answer_is_written_with_its_footnote_whatever_ends_it() {
    let cut_off = |tokens: usize| {
        format!("Cut off after {tokens} tokens, this is not the whole answer.\n{NOTICE}\n")
    };
    let written = |model: &MedGemma, tokens: usize| {
        let (mut chat, mut out) = (model.chat(), Vec::new());
        let stream = chat.stream(ask("hello"), &up_to(tokens)).unwrap();
        let result = stream.write_to(&mut out);
        (String::from_utf8(out).unwrap(), result)
    };
    let scratch = speaker(&WORDS);
    let model = load(scratch.path());
    let (out, reply) = written(&model, 50);
    assert_eq!(out, format!(" lookthe show( answer\n{NOTICE}\n"));
    assert_eq!(reply.unwrap().finish, FinishReason::Stop);
    let (out, reply) = written(&model, 4);
    assert_eq!(out, format!(" lookthe show\n{}", cut_off(4)));
    assert_eq!(reply.unwrap().finish, FinishReason::Length);
    let scratch = breaking_off();
    let (out, reply) = written(&load(scratch.path()), 50);
    assert_eq!(out, format!(" lookthe show\n{}", cut_off(4)));
    assert!(matches!(reply, Err(Error::Decoder(_))), "{reply:?}");
    // What was held back, since a stop string might have begun, was written all the same.
    let (model, options) = (load(scratch.path()), up_to(50).with_stop_string(" show("));
    let (mut chat, mut out) = (model.chat(), Vec::new());
    let stream = chat.stream(ask("hello"), &options).unwrap();
    assert!(matches!(stream.write_to(&mut out), Err(Error::Decoder(_))));
    let out = String::from_utf8(out).unwrap();
    assert_eq!(out, format!(" lookthe show\n{}", cut_off(4)));
}

/// " look", five tokens without a text, " show".
#[test]
fn an_answer_of_which_nothing_can_be_shown_is_stopped() {
    let words = [327, 0, 3, 8, 429, 430, 329];
    let scratch = speaker(&words);
    let model = load(scratch.path());
    let whole = model.generate(&[ask("hello")], &up_to(50)).unwrap();
    assert_eq!(
        (ids(&whole), whole.text.as_str()),
        (words.to_vec(), " look show")
    );

    let mut told = Vec::new();
    let observer = Box::new(|progress| {
        if let Progress::Written { tokens } = progress {
            told.push(tokens);
            if tokens == 4 {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    let mut chat = model.chat();
    let mut stream = chat
        .stream_observed(ask("hello"), &up_to(50), observer)
        .unwrap();
    stream.by_ref().for_each(|piece| drop(piece.unwrap()));
    let reply = stream.into_reply();
    assert_eq!(
        (ids(&reply), reply.finish),
        (words[..4].to_vec(), FinishReason::Cancelled)
    );
    assert_eq!(told, [2, 3, 4]);

    let (messages, options) = ([ask("hello")], up_to(50));
    let request = BatchRequest {
        messages: &messages,
        options: &options,
    };
    let replies = model.generate_batch_observed(&[request], &mut |_, event| match event {
        BatchEvent::Progress(Progress::Written { tokens: 4 }) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let reply = replies.unwrap().remove(0).unwrap();
    assert_eq!(
        (ids(&reply), reply.finish),
        (words[..4].to_vec(), FinishReason::Cancelled)
    );
}

/// Takes so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_takes_nothing_more_is_an_error() {
    let scratch = speaker(&WORDS);
    let model = load(scratch.path());
    // In the answer, and in what stands below it.
    for bytes in [7, 30] {
        let mut chat = model.chat();
        let stream = chat.stream(ask("hello"), &up_to(50)).unwrap();
        let error = stream.write_to(&mut Full(bytes)).unwrap_err();
        assert!(matches!(error, Error::Output(_)), "{bytes}: {error}");
    }
    // What broke the answer off comes first.
    let scratch = breaking_off();
    let model = load(scratch.path());
    let mut chat = model.chat();
    let stream = chat.stream(ask("hello"), &up_to(50)).unwrap();
    let error = stream.write_to(&mut Full(30)).unwrap_err();
    assert!(matches!(error, Error::Decoder(_)), "{error}");
}

#[test]
fn nothing_is_computed_ahead_of_the_reader() {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    let reports = AtomicUsize::new(0);
    let mut chat = model().chat();
    let message = Message::user().image(image("picture-a.png"));
    let observer = Box::new(|progress: Progress| {
        let before = !matches!(progress, Progress::Written { .. });
        reports.fetch_add(usize::from(before), Relaxed);
        std::ops::ControlFlow::Continue(())
    });
    let mut stream = chat
        .stream_observed(message, &exactly(9), observer)
        .unwrap();
    assert_eq!(
        reports.load(Relaxed),
        0,
        "work before the first piece was asked for"
    );
    stream.next().unwrap().unwrap();
    assert_eq!(reports.load(Relaxed), 2, "one image and one chunk");
    drop(stream);
    assert_eq!(reports.load(Relaxed), 2);
}

fn conversations() -> Vec<Vec<Message>> {
    let one = GoldenChat::named("chat-one-image").messages;
    let two = GoldenChat::named("chat-two-images").messages;
    let long = "which part of the body is this and what does the picture show? ".repeat(4);
    vec![
        vec![ask("look")],
        two,
        vec![ask(&long)],
        one.clone(),
        one,
        vec![Message::user().image(image("picture-b.png"))],
    ]
}

#[test]
fn a_batch_equals_single_runs() {
    let mut sampled = exactly(17);
    sampled.sampling.temperature = 1.3;
    sampled.sampling.top_k = Some(50);
    sampled.sampling.seed = 4;
    let mut penalised = up_to(17);
    penalised.sampling.repetition_penalty = 1.7;
    let stopped = GenerateOptions::default()
        .with_max_new_tokens(17)
        .with_stop_string("W");
    let all = conversations();
    for options in [
        exactly(17),
        sampled,
        penalised,
        stopped,
        exactly(1),
        up_to(0),
    ] {
        let batch = answers(model().generate_batch(&all, &options));
        assert_eq!(batch.len(), all.len());
        for (index, (reply, messages)) in batch.iter().zip(&all).enumerate() {
            let single = model().generate(messages, &options).unwrap();
            assert_eq!(answered(reply), answered(&single), "conversation {index}");
            assert_logprobs(reply, &single);
        }
        assert_eq!(answered(&batch[3]), answered(&batch[4]));
        if options.max_new_tokens > 1 {
            assert!(batch.iter().all(|reply| !reply.timings.prefill.is_zero()));
            assert!(batch.iter().all(|reply| !reply.timings.decode.is_zero()));
        }
    }
    assert!(answers(model().generate_batch(&[], &exactly(3))).is_empty());
}

#[test]
fn an_answer_that_fails_leaves_the_others_of_a_batch() {
    let scratch = crate::support::blind();
    let model = load(scratch.path());
    let shown = Message::user().image(image("picture-a.png")).text("look");
    let all = [vec![ask("look")], vec![shown], vec![ask("what is it?")]];
    let options = exactly(5);
    let requests = all.each_ref().map(|messages| BatchRequest {
        messages,
        options: &options,
    });
    let (mut ended, mut failed) = (Vec::new(), None);
    let batch = model.generate_batch_observed(&requests, &mut |index, event| {
        match event {
            BatchEvent::Ended(_) => ended.push(index),
            BatchEvent::Failed { kind, message } => {
                assert!(ended.is_empty(), "told at once, not when the others end");
                assert!(failed.replace((index, kind, message.to_owned())).is_none());
            }
            _ => {}
        }
        std::ops::ControlFlow::Continue(())
    });
    let batch = batch.unwrap();
    assert_eq!((batch.len(), ended), (3, vec![0, 2]));
    let error = batch[1].as_ref().unwrap_err();
    assert_eq!(failed, Some((1, error.kind(), error.to_string())));
    for (reply, messages) in batch.iter().zip(&all) {
        match (reply, model.generate(messages, &exactly(5))) {
            (Ok(reply), Ok(single)) => assert_eq!(answered(reply), answered(&single)),
            (Err(error), Err(single)) => assert_eq!(error.to_string(), single.to_string()),
            other => panic!("{other:?}"),
        }
    }
}

/// What an observer was told of one conversation.
#[derive(Default)]
struct Told {
    images: Vec<(usize, usize)>,
    prefill: Vec<(usize, usize)>,
    text: String,
    ended: Option<String>,
}

#[test]
fn a_batch_tells_of_each_conversation_by_options_of_its_own() {
    let all = conversations();
    let options: Vec<_> = (0..all.len())
        .map(|index| {
            let mut options = up_to(9 + index);
            options.sampling.temperature = 1.2;
            options.sampling.seed = index as u64;
            options
        })
        .collect();
    let requests: Vec<_> = all
        .iter()
        .zip(&options)
        .map(|(messages, options)| BatchRequest { messages, options })
        .collect();
    let mut told: Vec<Told> = all.iter().map(|_| Told::default()).collect();
    let batch = model().generate_batch_observed(&requests, &mut |index, event| {
        let told = &mut told[index];
        assert!(told.ended.is_none(), "nothing comes behind the end");
        match event {
            BatchEvent::Progress(Progress::Images { done, total }) => {
                told.images.push((done, total));
            }
            BatchEvent::Progress(Progress::Prefill { done, total }) => {
                told.prefill.push((done, total));
            }
            BatchEvent::Progress(Progress::Written { .. }) => {}
            BatchEvent::Piece(piece) => told.text += &piece.to_string(),
            BatchEvent::Ended(reply) => told.ended = Some(reply.text.clone()),
            _ => panic!("{event:?}"),
        }
        std::ops::ControlFlow::Continue(())
    });
    let batch = answers(batch);
    for ((reply, told), request) in batch.iter().zip(&told).zip(&requests) {
        let single = model().generate(request.messages, request.options).unwrap();
        assert_eq!(answered(reply), answered(&single));
        assert_eq!(told.text, reply.text);
        assert_eq!(told.ended.as_deref(), Some(&*reply.text));
        let parts = request.messages.iter().flat_map(Message::parts);
        let images = parts.filter(|part| matches!(part, Part::Image(_))).count();
        let expected: Vec<_> = (1..=images).map(|done| (done, images)).collect();
        assert_eq!(told.images, expected);
        let read = reply.usage.prompt_tokens;
        assert_eq!(told.prefill.last(), Some(&(read, read)));
    }
    // The same question by two seeds; one of the answers is longer.
    let common = batch[3].tokens.len().min(batch[4].tokens.len());
    let [three, four] = [3, 4].map(|at: usize| ids(&batch[at])[..common].to_vec());
    assert_ne!(three, four);
}

#[test]
fn what_an_observer_breaks_off_ends_alone() {
    let all = conversations();
    let options = exactly(6);
    let requests: Vec<_> = all
        .iter()
        .map(|messages| BatchRequest {
            messages,
            options: &options,
        })
        .collect();
    // Among its images, while it is read, and with its first piece.
    let batch = model().generate_batch_observed(&requests, &mut |index, event| {
        let stops = match event {
            BatchEvent::Progress(Progress::Images { done, .. }) => index == 1 && done == 1,
            BatchEvent::Progress(Progress::Prefill { .. }) => index == 2,
            BatchEvent::Piece(_) => index == 3,
            _ => false,
        };
        match stops {
            true => std::ops::ControlFlow::Break(()),
            false => std::ops::ControlFlow::Continue(()),
        }
    });
    let batch = answers(batch);
    let whole = answers(model().generate_batch(&all, &options));
    for (index, (reply, whole)) in batch.iter().zip(&whole).enumerate() {
        match index {
            1..4 => {
                assert_eq!(reply.finish, FinishReason::Cancelled);
                assert!(reply.is_cut_off());
                assert!(whole.text.starts_with(&reply.text), "{index}");
                let read = reply.tokens.len();
                assert_eq!(read > 0, index == 3, "{read} tokens of {index}");
                assert!(read < 6);
                assert_eq!(reply.usage.prompt_tokens, whole.usage.prompt_tokens);
            }
            _ => assert_eq!(answered(reply), answered(whole)),
        }
    }
}

/// The last letter of the first word might begin the stop string, and is held back when the observer has enough.
#[test]
fn nothing_is_told_to_who_broke_an_answer_off_but_its_end() {
    let model = load(speaker(&WORDS).path());
    let options = up_to(6).with_stop_string("k\u{1}");
    let messages = [ask("hello")];
    let request = BatchRequest {
        messages: &messages,
        options: &options,
    };
    let (mut told, mut ended) = (Vec::new(), 0);
    let batch = model.generate_batch_observed(&[request], &mut |_, event| match event {
        BatchEvent::Piece(piece) => {
            told.push(piece.to_string());
            std::ops::ControlFlow::Break(())
        }
        BatchEvent::Ended(_) => {
            ended += 1;
            std::ops::ControlFlow::Continue(())
        }
        _ => std::ops::ControlFlow::Continue(()),
    });
    let reply = answers(batch).remove(0);
    assert_eq!((told.len(), ended), (1, 1), "{told:?}");
    assert_eq!(reply.finish, FinishReason::Cancelled);
    assert_eq!(reply.text, told[0].clone() + "k");
}

#[test]
fn lanes_of_a_batch_end_on_their_own() {
    // Both stop: at 57 the whole batch would stop at once, at 141 and 133 at different steps.
    let scratch = crate::support::stopping_at(&[141, 74, 247]);
    let model = load(scratch.path());
    let all = conversations();
    let batch = answers(model.generate_batch(&all, &up_to(20)));
    let lengths: std::collections::BTreeSet<_> = batch.iter().map(|r| r.tokens.len()).collect();
    assert!(lengths.len() > 1, "all lanes ended together: {lengths:?}");
    assert!(batch.iter().any(|reply| reply.finish == FinishReason::Stop));
    for (reply, messages) in batch.iter().zip(&all) {
        let single = model.generate(messages, &up_to(20)).unwrap();
        assert_eq!(answered(reply), answered(&single));
    }
}

#[test]
fn scores_are_the_log_probabilities_of_generation() {
    let mut compared = 0;
    for words in ["look", "bones", "x-ray", "CT of the chest", "Final answer"] {
        let picture = || image("picture-b.png");
        let message = if compared % 2 == 0 {
            Message::user().image(picture()).text(words)
        } else {
            ask(words)
        };
        let messages = [message];
        let reply = literate().generate(&messages, &exactly(8)).unwrap();
        let encoded = literate().tokenizer().encode(&reply.text).unwrap();
        if encoded != ids(&reply) {
            continue;
        }
        compared += 1;
        let short = &reply.text[..1];
        let scores = literate()
            .score(&messages, &[&reply.text, short, " answer"])
            .unwrap();
        assert_eq!(scores.len(), 3);
        assert_eq!(scores[0].token_logprobs.len(), 8);
        for (score, token) in scores[0].token_logprobs.iter().zip(&reply.tokens) {
            assert!((score - token.logprob).abs() < 1e-4);
        }
        assert!((scores[0].mean() * 8.0 - scores[0].total()).abs() < 1e-4);
        // The greedy first token is the likeliest, and answers do not see each other.
        assert!(scores[0].token_logprobs[0] > scores[2].token_logprobs[0]);
        let alone = literate().score(&messages, &[" answer"]).unwrap();
        let apart = (alone[0].total() - scores[2].total()).abs();
        assert!(apart < 1e-5, "{apart}");
    }
    assert!(compared >= 2, "{compared} replies encode back");
}
