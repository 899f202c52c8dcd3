//! Conversations that begin alike read their beginning once, and are otherwise as if each had been
//! held alone.

use std::ops::ControlFlow;

use crate::support::{
    answered, answers, ask, assert_logprobs, cpu, drain, exactly, ids, image, literate,
    literate_with, load, model, up_to,
};
use medgemma::{
    BatchEvent, BatchRequest, Chat, LoadOptions, MedGemma, Message, Progress, Reply, Sampling,
    Speculation,
};
use medgemma_testkit::{Scratch, checkpoint};
use serde_json::json;

const SYSTEM: &str =
    "You are an expert radiologist. Answer briefly, and say when you are not sure.";
const MEGABYTE: usize = 1 << 20;

fn keeping(bytes: usize) -> MedGemma {
    let options = LoadOptions::default().with_prefix_cache(bytes);
    MedGemma::load_with(checkpoint("mm-2025"), &cpu(), options).unwrap()
}

/// Two models of one kind whose window is longer than the prompts: one that keeps, one that does
/// not. The second shows what is right.
fn with_long_window() -> [MedGemma; 2] {
    let scratch = Scratch::of("mm-2025").edit_json("config.json", |config| {
        config["text_config"]["sliding_window"] = json!(200);
    });
    let options = LoadOptions::default().with_prefix_cache(MEGABYTE);
    let keeping = MedGemma::load_with(scratch.path(), &cpu(), options).unwrap();
    [keeping, load(scratch.path())]
}

fn shown(name: &str, text: &str) -> Message {
    Message::user().image(image(name)).text(text)
}

fn chat(model: &MedGemma) -> Chat {
    model.chat().with_system(SYSTEM)
}

/// Asks both, who must agree; the reply of the one that keeps.
#[track_caller]
fn agree(kept: &mut Chat, plain: &mut Chat, message: &Message) -> Reply {
    let found = kept.send_with(message.clone(), &exactly(8)).unwrap();
    let expected = plain.send_with(message.clone(), &exactly(8)).unwrap();
    assert_eq!(ids(&found), ids(&expected));
    assert_logprobs(&found, &expected);
    assert_eq!(kept.context_len(), plain.context_len());
    let tokens = |reply: &Reply| reply.usage.cached_tokens + reply.usage.prompt_tokens;
    assert_eq!(tokens(&found), tokens(&expected));
    found
}

/// Leading ids that the first prompts of two fresh chats share.
fn shared(model: &MedGemma, a: &Message, b: &Message) -> usize {
    let [a, b] = [a, b].map(|message| chat(model).prompt_ids(message).unwrap());
    a.iter().zip(&b).take_while(|(a, b)| a == b).count()
}

#[test]
fn the_second_chat_reads_only_what_is_new_and_later_turns_stay_apart() {
    let [kept, plain] = with_long_window();
    let questions = [
        shown("picture-a.png", "heart"),
        shown("picture-a.png", "bones and joints"),
    ];
    let common = shared(&plain, &questions[0], &questions[1]);
    let soft = plain.model().config().multimodal.as_ref().unwrap();
    let mut chats = Vec::new();
    for (index, question) in questions.iter().enumerate() {
        let (mut one, mut other) = (chat(&kept), chat(&plain));
        let usage = agree(&mut one, &mut other, question).usage;
        if index == 0 {
            assert_eq!(usage.cached_tokens, 0);
            assert_eq!(usage.image_tokens, soft.mm_tokens_per_image);
        } else {
            assert_eq!(usage.cached_tokens, common);
            assert_eq!(usage.image_tokens, 0, "the image was read already");
        }
        chats.push((one, other));
    }
    // Each goes on with words of its own, in turns.
    for round in 0..2 {
        for (index, (one, other)) in chats.iter_mut().enumerate() {
            let question = ask(["and now?", "why?", "compare", "which side?"][2 * round + index]);
            let usage = agree(one, other, &question).usage;
            assert!(usage.cached_tokens > common, "only what is new is read");
        }
    }
    // The same question again: all but its last token is known.
    let usage = agree(&mut chat(&kept), &mut chat(&plain), &questions[0]).usage;
    assert_eq!(usage.prompt_tokens, 1);
}

#[test]
fn what_was_read_apart_is_penalised_all_the_same() {
    let sampling = Sampling::default().with_repetition_penalty(1.3);
    let options = exactly(16).with_sampling(sampling);
    let texts = [
        "heart heart heart and bones",
        "heart heart heart and bones, and which side?",
        "heart heart heart and lungs",
    ];
    let questions = texts.map(|text| shown("picture-a.png", text));
    // The long window adopts what another chat has read; the short one also reads apart what two share.
    let short = [keeping(16 * MEGABYTE), model().clone()];
    let mut adopted = 0;
    for [kept, plain] in [with_long_window(), short] {
        for question in questions.iter().chain(&questions) {
            let (mut one, mut other) = (chat(&kept), chat(&plain));
            // A later turn has seen all of the first.
            for message in [question.clone(), ask("and now?")] {
                let found = one.send_with(message.clone(), &options).unwrap();
                let expected = other.send_with(message, &options).unwrap();
                assert_eq!(ids(&found), ids(&expected));
                adopted += found.usage.cached_tokens - expected.usage.cached_tokens;
            }
        }
    }
    assert!(adopted > 100, "{adopted}");
}

#[test]
fn what_was_read_apart_is_guessed_from_all_the_same() {
    let plain = literate();
    let kept = literate_with(LoadOptions::default().with_prefix_cache(16 * MEGABYTE));
    let options = exactly(40).with_speculation(Speculation::PromptLookup);
    let mut drafted = 0;
    for words in ["look", "bones", "heart heart"] {
        // A question with the model's own words: it is from the prompt that the first guesses are.
        let said = plain.generate(&[ask(words)], &exactly(60)).unwrap().text;
        let question = [shown("picture-a.png", &format!("{words} {said}"))];
        let expected = plain.generate(&question, &options).unwrap();
        drafted += expected.usage.drafted_tokens;
        for round in 0..2 {
            let found = kept.generate(&question, &options).unwrap();
            assert_eq!(found.usage.prompt_tokens == 1, round == 1);
            assert_eq!(ids(&found), ids(&expected));
            let [a, b] = [&found, &expected].map(|reply| reply.usage);
            assert_eq!(a.drafted_tokens, b.drafted_tokens, "{words}");
            assert_eq!(a.accepted_tokens, b.accepted_tokens, "{words}");
        }
    }
    assert!(drafted > 10, "{drafted}");
}

#[test]
fn beyond_the_window_the_third_chat_starts_where_the_first_two_parted() {
    // A window of 6: what the first chat leaves cannot be cut back to what the second shares.
    let kept = keeping(MEGABYTE);
    let questions = [
        "heart",
        "bones and joints",
        "is there a fracture?",
        "which side?",
    ];
    let questions = questions.map(|text| {
        let tail = "Please describe everything that you see, in the order of its importance.";
        shown("picture-a.png", &format!("{text} {tail}"))
    });
    let cached = questions.iter().enumerate().map(|(index, question)| {
        let reply = agree(&mut chat(&kept), &mut chat(model()), question);
        let before = &questions[..index];
        let common = before.iter().map(|old| shared(model(), old, question));
        (reply.usage.cached_tokens, common.max().unwrap_or(0))
    });
    let cached: Vec<_> = cached.collect();
    assert_eq!((cached[0].0, cached[1].0), (0, 0), "{cached:?}");
    let kept = keeping(MEGABYTE);
    for question in &questions[..3] {
        let (mut chat, mut told) = (chat(&kept), vec![0]);
        let observer = |progress| {
            if let Progress::Prefill { done, total } = progress {
                assert!(done <= total);
                told.push(done);
            }
            ControlFlow::Continue(())
        };
        let stream = chat.stream_observed(question.clone(), &exactly(1), Box::new(observer));
        let (_, reply) = drain(stream.unwrap());
        assert!(told.is_sorted(), "progress goes on where it was: {told:?}");
        assert_eq!(told.last(), Some(&reply.usage.prompt_tokens));
    }
    let parted = shared(model(), &questions[0], &questions[1]);
    assert!(parted > 50, "system text and image are shared: {parted}");
    assert_eq!((cached[2].0, cached[3].0), (parted, parted), "{cached:?}");
}

#[test]
fn another_picture_or_text_is_not_taken_for_the_same() {
    let [kept, plain] = with_long_window();
    let first = shown("picture-a.png", "what is this?");
    agree(&mut chat(&kept), &mut chat(&plain), &first);
    // The ids are equal, the pixels are not: what precedes the image is all that is shared.
    let other = shown("picture-b.png", "what is this?");
    let prompt = chat(&plain).prompt_ids(&first).unwrap();
    assert_eq!(prompt, chat(&plain).prompt_ids(&other).unwrap());
    let soft = plain
        .model()
        .config()
        .multimodal
        .as_ref()
        .unwrap()
        .image_token_id;
    let begins = prompt.iter().position(|&id| id == soft).unwrap();
    let usage = agree(&mut chat(&kept), &mut chat(&plain), &other).usage;
    assert_eq!(usage.cached_tokens, begins);
    // Two pictures where there was one, and in the other order.
    for names in [
        ["picture-a.png", "picture-b.png"],
        ["picture-b.png", "picture-a.png"],
    ] {
        let [a, b] = names.map(image);
        let both = Message::user().image(a).image(b).text("compare");
        let usage = agree(&mut chat(&kept), &mut chat(&plain), &both).usage;
        assert!(usage.cached_tokens > begins, "the first picture is shared");
        assert!(usage.image_tokens > 0, "the second is not");
    }
    // Another system text shares less than is worth anything.
    let mut one = kept.chat().with_system("Be kind.");
    let mut other = plain.chat().with_system("Be kind.");
    let usage = agree(&mut one, &mut other, &first).usage;
    assert_eq!(usage.cached_tokens, 0);
}

#[test]
fn a_picture_is_encoded_and_kept_once() {
    let held = |systems: &[&str]| {
        let kept = keeping(16 * MEGABYTE);
        for &system in systems {
            let mut chat = kept.chat().with_system(system);
            chat.send_with(shown("picture-a.png", "look"), &exactly(1))
                .unwrap();
        }
        kept.prefix_cache_bytes()
    };
    let [one, other] = [
        SYSTEM,
        "Be kind to those who ask, whatever they ask of you, and brief.",
    ];
    let picture = {
        let pixels = &model()
            .model()
            .process(&image("picture-a.png"))
            .unwrap()
            .pixels[0];
        let soft = model().model().encode(pixels).unwrap().to_vec().unwrap();
        (pixels.data.len() + soft.len()) * size_of::<f32>()
    };
    assert_eq!(held(&[one, other]) + picture, held(&[one]) + held(&[other]));
    assert_eq!(held(&[one, one]), held(&[one]), "a prompt is kept once");
}

#[test]
fn nothing_is_kept_unasked_beyond_the_limit_or_after_it_was_cleared() {
    let question = || shown("picture-a.png", "what is this?");
    let cached = |model: &MedGemma| {
        let reply = chat(model).send_with(question(), &exactly(2)).unwrap();
        reply.usage.cached_tokens
    };
    assert_eq!((cached(model()), cached(model())), (0, 0));
    assert_eq!(model().prefix_cache_bytes(), 0);
    model().clear_prefix_cache();

    for limit in [0, 1000, 20_000] {
        let small = keeping(limit);
        assert_eq!((cached(&small), cached(&small)), (0, 0), "{limit} bytes");
        assert!(small.prefix_cache_bytes() <= limit);
    }

    let kept = keeping(MEGABYTE);
    let twin = kept.clone();
    let mut going = chat(&kept);
    going.send_with(question(), &exactly(2)).unwrap();
    let bytes = kept.prefix_cache_bytes();
    assert!(bytes > 0 && cached(&twin) > 0, "clones share what is kept");
    twin.clear_prefix_cache();
    assert_eq!(kept.prefix_cache_bytes(), 0);
    assert_eq!(cached(&kept), 0);
    let mut undisturbed = chat(model());
    undisturbed.send_with(question(), &exactly(2)).unwrap();
    agree(&mut going, &mut undisturbed, &ask("and now?"));

    // Room for one prompt only: the one used last stays.
    let tight = keeping(bytes + bytes / 2);
    let other = || ask("bones and joints, please, and whatever else there is to be seen in it");
    chat(&tight).send_with(question(), &exactly(1)).unwrap();
    tight.chat().send_with(other(), &exactly(1)).unwrap();
    assert!(tight.prefix_cache_bytes() <= bytes + bytes / 2);
    let reply = tight.chat().send_with(other(), &exactly(1)).unwrap();
    assert_eq!(reply.usage.prompt_tokens, 1);
    assert_eq!(cached(&tight), 0, "the older one made room");
}

#[test]
fn cancelled_and_stateless_conversations_share_too() {
    let [kept, plain] = with_long_window();
    let question = shown("picture-a.png", SYSTEM);
    let options = exactly(6);
    let expected = plain
        .generate(std::slice::from_ref(&question), &options)
        .unwrap();
    let mut given_up = kept.chat();
    drop(given_up.stream(question.clone(), &options).unwrap());
    let first = kept
        .generate(std::slice::from_ref(&question), &options)
        .unwrap();
    let again = kept
        .generate(std::slice::from_ref(&question), &options)
        .unwrap();
    assert_eq!(
        (first.usage.cached_tokens, again.usage.prompt_tokens),
        (0, 1)
    );
    for reply in [&first, &again] {
        assert_eq!(ids(reply), ids(&expected));
        assert_logprobs(reply, &expected);
    }
    // Given up after it had started from what another left, then asked again.
    drop(given_up.stream(question.clone(), &options).unwrap());
    let reply = given_up.send_with(question.clone(), &options).unwrap();
    assert_eq!(ids(&reply), ids(&expected));
    assert_eq!(reply.usage.prompt_tokens, 1);
    // Batches take encoded images from it, and nothing else.
    let batch = answers(kept.generate_batch(&[vec![question]], &options));
    assert_eq!(ids(&batch[0]), ids(&expected));
    assert_eq!(batch[0].usage.cached_tokens, 0);
}

#[test]
fn chats_of_several_threads_share_a_prefix() {
    let [kept, plain] = with_long_window();
    std::thread::scope(|scope| {
        for index in 0..4 {
            let (kept, plain) = (&kept, &plain);
            scope.spawn(move || {
                for (round, words) in ["heart", "bones", "x-ray"].into_iter().enumerate() {
                    let question = shown("picture-b.png", &format!("{words} {index}"));
                    let (mut one, mut other) = (chat(kept), chat(plain));
                    let first = agree(&mut one, &mut other, &question);
                    // By then this thread itself has kept a prompt that begins so.
                    assert!(round == 0 || first.usage.cached_tokens > 0, "{first:?}");
                    agree(&mut one, &mut other, &ask("and now?"));
                }
            });
        }
    });
}

#[test]
fn a_cloned_chat_goes_its_own_way() {
    let mut first = chat(model());
    first
        .send_with(shown("picture-a.png", "heart"), &exactly(5))
        .unwrap();
    let mut twin = first.clone();
    let (a, b) = (ask("which side?"), ask("bones"));
    let mut again = chat(model());
    again
        .send_with(shown("picture-a.png", "heart"), &exactly(5))
        .unwrap();
    for question in [&a, &b] {
        let found = twin.send_with(question.clone(), &exactly(5)).unwrap();
        let expected = again.send_with(question.clone(), &exactly(5)).unwrap();
        assert_eq!(ids(&found), ids(&expected));
    }
    let mut third = chat(model());
    third
        .send_with(shown("picture-a.png", "heart"), &exactly(5))
        .unwrap();
    let found = first.send_with(b.clone(), &exactly(5)).unwrap();
    let expected = third.send_with(b, &exactly(5)).unwrap();
    assert_eq!(ids(&found), ids(&expected));
    assert!(found.usage.cached_tokens > 0);
}

/// Leading ids that both prompts have.
fn common(model: &MedGemma, a: &[Message], b: &[Message]) -> usize {
    let [a, b] = [a, b].map(|said| model.prompt_ids(said).unwrap());
    a.iter().zip(&b).take_while(|(a, b)| a == b).count()
}

/// Questions about one picture: the batch reads it once.
#[test]
fn what_conversations_of_a_batch_begin_with_is_read_once() {
    let [keeping, plain] = with_long_window();
    let system = || Message::system(SYSTEM);
    let asked = |name: &str, text: &str| vec![system(), shown(name, text)];
    let all = [
        asked("picture-a.png", "which part of the body is this?"),
        asked("picture-b.png", "which part of the body is this?"),
        asked("picture-a.png", "is there a fracture?"),
        // Too little to share.
        vec![Message::system(&SYSTEM[..12]), ask("look")],
        asked("picture-b.png", "which part of the body is this?"),
        asked("picture-a.png", "is there an effusion?"),
    ];
    let prompts = all.each_ref().map(|said| plain.prompt_ids(said).unwrap());
    let common = |a: usize, b: usize| common(&plain, &all[a], &all[b]);
    // Of another picture the text before it.
    let multimodal = plain.model().config().multimodal.as_ref().unwrap();
    let soft = |id: &u32| *id == multimodal.image_token_id;
    let before = prompts[1].iter().position(soft).unwrap();
    let expected = [
        0,
        before,
        common(0, 2),
        0,
        prompts[4].len() - 1,
        common(2, 5).max(common(0, 5)),
    ];
    assert!((8..32).contains(&common(0, 3)));
    assert!(
        expected[1] >= 32 && expected[2] > expected[1],
        "{expected:?}"
    );
    for (model, tokens) in [(&plain, 12), (&plain, 1), (&keeping, 12)] {
        let batch = answers(model.generate_batch(&all, &exactly(tokens)));
        for (index, (reply, said)) in batch.iter().zip(&all).enumerate() {
            let single = plain.generate(said, &exactly(tokens)).unwrap();
            assert_eq!(answered(reply), answered(&single), "{index}");
            assert_logprobs(reply, &single);
            assert_eq!(reply.usage.cached_tokens, expected[index], "{index}");
            let image = if expected[index] > expected[1] {
                0
            } else {
                single.usage.image_tokens
            };
            assert_eq!(reply.usage.image_tokens, image, "{index}");
        }
    }
    // Nothing was read of the first.
    let batch = answers(plain.generate_batch(&all, &up_to(0)));
    assert!(batch.iter().all(|reply| reply.usage.cached_tokens == 0));
}

/// One is broken off among its images, one while it is read: the third is read whole, and those behind from there.
#[test]
fn what_is_broken_off_in_a_batch_leaves_the_others_to_share() {
    let [_, plain] = with_long_window();
    let options = exactly(5).with_prefill_chunk(40);
    let asked = |name, text| vec![Message::system(SYSTEM), shown(name, text)];
    let all = [
        asked("picture-b.png", "where?"),
        asked("picture-a.png", "where?"),
        asked("picture-a.png", "bones?"),
        asked("picture-a.png", "chest?"),
        asked("picture-a.png", "chest or not?"),
    ];
    let common = |a: usize, b: usize| common(&plain, &all[a], &all[b]);
    let expected = [0, 0, 0, common(2, 3), common(3, 4)];
    assert!(expected[3] == common(1, 3) && expected[3] > 40 && expected[4] > expected[3]);
    let requests = all.each_ref().map(|messages| BatchRequest {
        messages,
        options: &options,
    });
    let batch = plain.generate_batch_observed(&requests, &mut |index, event| match event {
        BatchEvent::Progress(Progress::Images { .. }) if index == 0 => ControlFlow::Break(()),
        BatchEvent::Progress(Progress::Prefill { .. }) if index == 1 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let batch = answers(batch);
    let cached = [0, 1, 2, 3, 4].map(|index: usize| batch[index].usage.cached_tokens);
    assert_eq!(cached, expected);
    for index in [2, 3, 4] {
        let single = plain.generate(&all[index], &options).unwrap();
        assert_eq!(answered(&batch[index]), answered(&single), "{index}");
        assert_logprobs(&batch[index], &single);
    }
}
