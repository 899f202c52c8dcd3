//! Conversations: equal to the reference from message to reply, and equal to themselves whichever
//! way they are held: turn by turn, at once, cancelled and taken up again, side by side.

use std::ops::ControlFlow;

use crate::support::{
    GoldenChat, ask, assert_logprobs, drain, essence, exactly, ids, image, literate, model, up_to,
};
use medgemma::{
    BatchEvent, Chat, Error, FinishReason, LoadOptions, MedGemma, Message, Model, Progress, Reply,
    Stream, THINK,
};
use medgemma_testkit::Golden;

#[test]
fn golden_conversations_give_the_reference_ids_and_words() {
    for name in ["chat-one-image", "chat-two-images", "chat-text"] {
        let (golden, case) = (Golden::named(name), GoldenChat::named(name));
        let expected = golden.ids("input_ids");
        let reply = match case.messages.as_slice() {
            [only] => {
                let mut chat = case.chat();
                assert_eq!(chat.prompt_ids(only).unwrap(), expected, "{name}");
                let reply = chat.send_with(only.clone(), &exactly(24)).unwrap();
                assert_eq!(chat.context_len(), expected.len() + 24, "{name}");
                reply
            }
            messages => {
                assert_eq!(model().prompt_ids(messages).unwrap(), expected, "{name}");
                model().generate(messages, &exactly(24)).unwrap()
            }
        };
        assert_eq!(ids(&reply), golden.ids("generated_ids"), "{name}");
        assert_eq!(reply.text, case.text("reply"), "{name}");
        assert_eq!(reply.finish, FinishReason::Length, "{name}");
        let bos = expected.iter().filter(|&&id| id == 2).count();
        let soft = expected.iter().filter(|&&id| id == 431).count();
        assert_eq!(bos, 1, "{name}");
        let usage = reply.usage;
        assert_eq!(
            [
                usage.cached_tokens,
                usage.prompt_tokens,
                usage.image_tokens,
                usage.reply_tokens
            ],
            [0, expected.len(), soft, 24],
            "{name}"
        );
        // The golden's logits after the whole prompt give the first token's log-probability.
        let logits = golden.f32("logits");
        let last = logits.rows().next_back().unwrap();
        let sum: f32 = last.iter().map(|x| x.exp()).sum();
        let first = reply.tokens[0];
        let expected = last[usize::try_from(first.id).unwrap()] - sum.ln();
        assert!((first.logprob - expected).abs() < 1e-4, "{name}");
    }
}

#[test]
fn the_pixels_of_the_golden_conversation_are_the_references() {
    let golden = Golden::named("chat-two-images").f32("pixel_values");
    let mut found = Vec::new();
    for name in ["picture-a.png", "picture-b.png"] {
        let processed = model().model().process(&image(name)).unwrap();
        assert_eq!(processed.num_crops, 0);
        found.extend(processed.pixels[0].data.clone());
    }
    medgemma_testkit::assert_close("pixels", &[2, 3, 28, 28], &found, &golden, 1e-6);
}

/// Pairs of messages. Where the first reply can be encoded back to the ids it came from, the
/// conversation as text is the conversation as ids.
fn two_turns() -> Vec<[Message; 2]> {
    vec![
        [ask("look"), ask("bones")],
        [
            Message::user().image(image("picture-b.png")).text("look"),
            ask("which part of the body is this?"),
        ],
        [
            ask("Final answer"),
            Message::user()
                .text("and here")
                .image(image("picture-a.png"))
                .text("x-ray"),
        ],
        [
            Message::user().image(image("picture-a.png")).text("heart"),
            Message::user().image(image("picture-b.png")),
        ],
    ]
}

#[test]
fn the_second_turn_reads_only_what_is_new_and_equals_the_whole() {
    for (case, [first, second]) in two_turns().into_iter().enumerate() {
        let mut compared = 0;
        for length in 1..=8 {
            let mut chat = literate().chat();
            let one = chat.send_with(first.clone(), &exactly(length)).unwrap();
            let said = &one.text;
            if literate().tokenizer().encode(said).unwrap() != ids(&one) || said.trim() != said {
                continue;
            }
            compared += 1;

            let new = chat.prompt_ids(&second).unwrap().len();
            let two = chat.send_with(second.clone(), &exactly(8)).unwrap();
            let read = one.usage.prompt_tokens + length - 1;
            assert_eq!(two.usage.cached_tokens, read, "case {case}");
            // The last token of the reply was written but not read yet.
            assert_eq!(two.usage.prompt_tokens, 1 + new, "case {case}");

            let whole = [
                first.clone(),
                Message::assistant().text(said.as_str()),
                second.clone(),
            ];
            let at_once = literate().generate(&whole, &exactly(8)).unwrap();
            assert_eq!(at_once.usage.cached_tokens, 0);
            assert_eq!(at_once.usage.prompt_tokens, read + 1 + new, "case {case}");
            assert_eq!(ids(&two), ids(&at_once), "case {case}, {length} tokens");
            assert_logprobs(&two, &at_once);
            // A model that did not look back would pass all of the above.
            let alone = literate()
                .generate(std::slice::from_ref(&second), &exactly(8))
                .unwrap();
            let effect = (alone.tokens[0].logprob - two.tokens[0].logprob).abs();
            assert!(effect > 1e-3, "case {case}: the context has no effect");
        }
        assert!(compared >= 3, "case {case}: {compared} replies encode back");
    }
}

#[test]
fn a_conversation_held_again_goes_the_same_way() {
    let hold = |chunk: usize| -> Vec<Reply> {
        let mut chat = model().chat().with_system("You are careful.");
        let options = up_to(9).with_prefill_chunk(chunk);
        let [a, b] = ["picture-a.png", "picture-b.png"].map(image);
        let turns = [
            Message::user().image(a).text("what is this?"),
            ask("and the bones?"),
            Message::user().text("compare").image(b),
        ];
        turns
            .map(|turn| chat.send_with(turn, &options).unwrap())
            .into()
    };
    let first = hold(512);
    for (once, again) in first.iter().zip(&hold(512)) {
        assert_eq!(essence(once), essence(again));
    }
    for (whole, cut) in first.iter().zip(&hold(5)) {
        assert_eq!(ids(whole), ids(cut));
        assert_logprobs(whole, cut);
    }
}

#[test]
fn system_text_and_thinking_come_in_any_order() {
    let question = ask("what is this?");
    let prompt = |chat: Chat| {
        let ids = chat.prompt_ids(&question).unwrap();
        model().tokenizer().decode(&ids, true).unwrap()
    };
    let whole = |system: &str| {
        format!(
            "<bos><start_of_turn>user\n{system}\n\nwhat is this?<end_of_turn>\n<start_of_turn>model\n"
        )
    };
    let both = whole(&format!("{THINK} Be brief."));
    let chat = || model().chat();
    assert_eq!(
        prompt(chat().with_system("Be brief.").with_thinking(true)),
        both
    );
    assert_eq!(
        prompt(chat().with_thinking(true).with_system("Be brief.")),
        both
    );
    assert_eq!(prompt(chat().with_thinking(true)), whole(THINK));
    assert_eq!(prompt(chat().with_system("Be brief.")), whole("Be brief."));
}

#[test]
fn a_stream_dropped_midway_leaves_a_usable_chat() {
    let turn = || Message::user().image(image("picture-a.png")).text("heart");
    let mut chat = literate().chat();
    let mut stream = chat.stream(turn(), &exactly(200)).unwrap();
    let mut seen = String::new();
    for _ in 0..3 {
        seen.push_str(&stream.next().unwrap().unwrap().to_string());
    }
    drop(stream);
    // Exactly what was written is part of the conversation, and nothing was written ahead.
    let prompt = literate().chat().prompt_ids(&turn()).unwrap().len();
    assert_eq!(chat.context_len(), prompt + 3);
    let next = chat.send_with(ask("bones"), &exactly(8)).unwrap();
    assert_eq!(next.usage.cached_tokens, prompt + 2);

    let mut short = literate().chat();
    let cut = short.send_with(turn(), &exactly(3)).unwrap();
    assert_eq!(cut.text, seen);
    let same = short.send_with(ask("bones"), &exactly(8)).unwrap();
    assert_eq!(essence(&next), essence(&same));
}

/// Sends a message and breaks the work at the `at`-th report; the reports made until then.
fn cancel(chat: &mut Chat, message: Message, at: usize, chunk: usize) -> Vec<Progress> {
    let mut reports = Vec::new();
    let options = exactly(4).with_prefill_chunk(chunk);
    let observer = Box::new(|progress| {
        reports.push(progress);
        if reports.len() == at {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    let stream = chat.stream_observed(message, &options, observer).unwrap();
    let (pieces, reply) = drain(stream);
    assert!(pieces.is_empty(), "{pieces:?}");
    assert_eq!(reply.finish, FinishReason::Cancelled);
    assert_eq!(reply.text, "");
    reports
}

#[test]
fn a_cancelled_prefill_leaves_the_conversation_as_it_was() {
    let second = || {
        let [a, b] = ["picture-a.png", "picture-b.png"].map(image);
        Message::user().image(a).text("or").image(b)
    };
    for opened in [false, true] {
        let open = || {
            let mut chat = model().chat();
            if opened {
                chat.send_with(ask("hello"), &exactly(5)).unwrap();
            }
            chat
        };
        let mut undisturbed = open();
        let expected = undisturbed.send_with(second(), &exactly(6)).unwrap();
        for chunk in [1, 7, 512] {
            let mut chat = open();
            let before = chat.context_len();
            // After the first image, after the second, after the first chunk, again and again.
            for at in [1, 2, 3, 3, 1, 3] {
                let reports = cancel(&mut chat, second(), at, chunk);
                assert_eq!(reports.len(), at, "the work went on after it was stopped");
                let images = reports
                    .iter()
                    .filter(|report| matches!(report, Progress::Images { total: 2, .. }));
                assert_eq!(images.count(), at.min(2));
                assert_eq!(chat.context_len(), before, "chunk {chunk}, report {at}");
            }
            let reply = chat.send_with(second(), &exactly(6)).unwrap();
            assert_eq!(
                ids(&reply),
                ids(&expected),
                "opened {opened}, chunk {chunk}"
            );
            assert_logprobs(&reply, &expected);
            assert_eq!(chat.context_len(), undisturbed.context_len());
        }
    }
}

fn assert_shareable<T: Send + Sync + Clone>() {}
fn assert_movable<T: Send>() {}

#[test]
fn chats_of_several_threads_share_one_model() {
    assert_shareable::<MedGemma>();
    assert_shareable::<Model>();
    assert_movable::<Chat>();
    assert_movable::<Stream<'_>>();
    assert_movable::<LoadOptions<'_>>();
    let hold = |index: usize| {
        let name = ["picture-a.png", "picture-b.png"][index % 2];
        let words = ["heart", "bones", "x-ray", "CT of the chest"][index];
        let mut chat = model().chat();
        let first = Message::user().image(image(name)).text(words);
        [first, ask("and now?")].map(|turn| essence(&chat.send_with(turn, &exactly(12)).unwrap()))
    };
    let alone: Vec<_> = (0..4).map(hold).collect();
    assert_ne!(alone[0], alone[2]);
    let together = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|index| scope.spawn(move || hold(index)))
            .collect();
        let join = threads.into_iter().map(|thread| thread.join().unwrap());
        join.collect::<Vec<_>>()
    });
    assert_eq!(alone, together);
}

#[test]
fn bare_text_is_completed_without_a_template() {
    let chat = model().generate(&[ask("Findings:")], &exactly(8)).unwrap();
    let bare = model().complete("Findings:", &[], &exactly(8)).unwrap();
    assert_eq!(
        bare.usage.prompt_tokens,
        1 + model().tokenizer().encode("Findings:").unwrap().len()
    );
    assert_ne!(ids(&chat), ids(&bare));
    // The place of an image is wherever the text puts it.
    let picture = || [image("picture-a.png")];
    let rendered = "<start_of_turn>user\nlook<start_of_image><end_of_turn>\n<start_of_turn>model\n";
    let typed = Message::user().text("look").image(image("picture-a.png"));
    assert_eq!(
        essence(&model().complete(rendered, &picture(), &exactly(8)).unwrap()),
        essence(&model().generate(&[typed], &exactly(8)).unwrap()),
    );
}

#[test]
fn a_bare_text_is_told_piece_by_piece_and_stopped() {
    let text = "look <start_of_image> Findings:";
    let pictures = [image("picture-a.png")];
    let whole = model().complete(text, &pictures, &exactly(8)).unwrap();
    let (mut told, mut work) = (String::new(), Vec::new());
    let observed = model()
        .complete_observed(text, &pictures, &exactly(8), |event| {
            match event {
                BatchEvent::Piece(piece) => told += &piece.to_string(),
                // The tiny model writes parts of characters.
                BatchEvent::Progress(Progress::Written { .. }) => {}
                BatchEvent::Progress(progress) => work.push(progress),
                other => panic!("{other:?}"),
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(essence(&observed), essence(&whole));
    assert_eq!(told, whole.text);
    assert_eq!(work[0], Progress::Images { done: 1, total: 1 });
    let total = whole.usage.prompt_tokens;
    assert_eq!(work[1..], [Progress::Prefill { done: total, total }]);

    let stop = |at: fn(&BatchEvent<'_>) -> bool| {
        let stopped = model().complete_observed(text, &pictures, &exactly(8), |event| {
            if at(&event) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        stopped.unwrap()
    };
    let unread = stop(|event| matches!(event, BatchEvent::Progress(_)));
    assert_eq!(
        (unread.finish, unread.tokens.len()),
        (FinishReason::Cancelled, 0)
    );
    let begun = stop(|event| matches!(event, BatchEvent::Piece(_)));
    assert_eq!(begun.finish, FinishReason::Cancelled);
    assert!(
        !begun.tokens.is_empty() && begun.tokens.len() < 8,
        "{begun:?}"
    );
    assert!(whole.text.starts_with(&begun.text));
}

#[test]
fn a_system_message_goes_where_a_chat_puts_its_instruction() {
    let question = || {
        let picture = image("picture-a.png");
        Message::user().image(picture).text("Describe this image.")
    };
    let chat = model().chat().with_system("Answer briefly.");
    let from_chat = chat.prompt_ids(&question()).unwrap();
    let whole = [Message::system("Answer briefly."), question()];
    assert_eq!(model().prompt_ids(&whole).unwrap(), from_chat);
    assert_ne!(model().prompt_ids(&whole[1..]).unwrap(), from_chat);

    let late = [
        question(),
        Message::assistant().text("Yes."),
        Message::system("Late."),
        question(),
    ];
    let error = model().prompt_ids(&late).unwrap_err();
    assert!(matches!(error, Error::SystemMessage), "{error}");
    // Misplaced, it is told before what the conversation ends with.
    let last = model().prompt_ids(&late[..3]).unwrap_err();
    assert!(matches!(last, Error::SystemMessage), "{last}");
    for (messages, found) in [
        (&whole[..1], "a system message"),
        (&late[..2], "the model's"),
    ] {
        let error = model().prompt_ids(messages).unwrap_err();
        assert!(matches!(error, Error::NothingToAnswer { .. }), "{error}");
        assert!(error.to_string().contains(found), "{error}");
    }
    // It is one text: nothing of it is left out, or grows together.
    let picture = image("picture-a.png");
    let prior = Message::system("Compare.").image(picture);
    for (system, counts) in [
        (prior, (1, 1)),
        (Message::system("Answer").text("briefly."), (0, 2)),
    ] {
        let error = model().prompt_ids(&[system, question()]).unwrap_err();
        let Error::SystemParts { images, texts } = error else {
            panic!("{error}");
        };
        assert_eq!((images, texts), counts);
    }
}

/// A conversation that began elsewhere is read as [`MedGemma::generate`] reads it, and goes on from there.
#[test]
fn a_chat_goes_on_from_what_was_said_elsewhere() {
    let shown = || Message::user().image(image("picture-a.png")).text("look");
    let said = || Message::assistant().text("A chest.");
    for system in [None, Some("Answer briefly.")] {
        let mut earlier: Vec<Message> = system.map(Message::system).into_iter().collect();
        earlier.extend([shown(), said()]);
        let asked = [earlier.clone(), vec![ask("Which side?")]].concat();
        let whole = model().generate(&asked, &exactly(6)).unwrap();
        let mut chat = model().chat().with_history(earlier.clone());
        assert_eq!(chat.context_len(), 0);
        let last = ask("Which side?");
        assert_eq!(
            chat.prompt_ids(&last).unwrap(),
            model().prompt_ids(&asked).unwrap()
        );
        let choice = chat.choose(&last, &["left", "right"]).unwrap();
        let scores = model().score(&asked, &["left", "right"]).unwrap();
        for (found, score) in choice.answers.iter().zip(&scores) {
            assert!((found.score.total() - score.total()).abs() < 1e-4);
        }
        let reply = chat.send_with(last, &exactly(6)).unwrap();
        assert_eq!(essence(&reply), essence(&whole));
        // The second turn reads what is new alone, and has the same history as a chat of its own.
        let second = chat.send_with(ask("Sure?"), &exactly(4)).unwrap();
        assert!(second.usage.cached_tokens >= whole.usage.prompt_tokens);
        assert_eq!(second.usage.image_tokens, 0);
        // By `with_system` it is the same.
        if let Some(system) = system {
            let by_option = model().chat().with_system(system);
            let mut by_option = by_option.with_history(earlier.split_off(1));
            let reply = by_option.send_with(ask("Which side?"), &exactly(6));
            assert_eq!(essence(&reply.unwrap()), essence(&whole));
        }
    }
}

#[test]
fn what_was_said_elsewhere_can_be_refused_and_stopped_like_a_message() {
    let earlier = [ask("look"), Message::assistant().text("A chest.")];
    let chat = |earlier: &[Message]| model().chat().with_history(earlier.to_vec());
    let refused = |mut chat: Chat, message: Message| {
        let error = chat.send_with(message, &exactly(2)).unwrap_err();
        assert_eq!(chat.context_len(), 0);
        error.to_string()
    };
    for (earlier, message, told) in [
        (&earlier[..1], ask("again"), "message 1"),
        (&earlier[1..], ask("again"), "message 0"),
        (
            &earlier[..1],
            earlier[1].clone(),
            "the last message is the model's",
        ),
    ] {
        let error = refused(chat(earlier), message);
        assert!(error.contains(told), "{error}");
    }
    let system = [&[Message::system("Be brief.")], &earlier[..]].concat();
    let error = refused(chat(&system).with_system("Be long."), ask("again"));
    assert!(error.contains("system"), "{error}");

    // It is stopped while it is read, and asked again.
    let mut stopped = chat(&earlier);
    let mut passes = 0;
    let observer = Box::new(|_| {
        passes += 1;
        match passes {
            1 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    });
    let options = exactly(3).with_prefill_chunk(4);
    let mut stream = stopped.stream_observed(ask("again"), &options, observer);
    assert!(stream.as_mut().unwrap().next().is_none());
    drop(stream);
    assert_eq!((passes, stopped.context_len()), (2, 0));
    let reply = stopped.send_with(ask("again"), &options).unwrap();
    let whole = [&earlier[..], &[ask("again")]].concat();
    let whole = model().generate(&whole, &options).unwrap();
    assert_eq!(ids(&reply), ids(&whole));
}
