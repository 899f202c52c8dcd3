//! Requests beyond what a model was loaded for: refused with the figures before any work, or answered where
//! there is room.

use std::ops::ControlFlow;

use crate::support::{answers, ask, cpu, exactly, ids, image, up_to};
use medgemma::{
    Chat, Error, ErrorKind, LoadOptions, MedGemma, MemoryPlan, Message, Model, Progress, Workload,
};
use medgemma_testkit::{Scratch, checkpoint};
use serde_json::json;

fn load(workload: Workload, limit: u64) -> Result<MedGemma, Error> {
    let options = LoadOptions::default()
        .with_workload(workload)
        .with_memory_limit(limit);
    MedGemma::load_with(checkpoint("mm-2025"), &cpu(), options)
}

/// What a load for this workload needs, and a model loaded with exactly that.
fn exact(workload: Workload) -> (MemoryPlan, MedGemma) {
    let Err(Error::NotEnoughMemory { plan, .. }) = load(workload, 1) else {
        panic!("a byte is not enough");
    };
    let model = load(workload, plan.total()).expect("exactly enough");
    // Known before anything is loaded, too.
    let options = LoadOptions::default().with_workload(workload);
    let told = Model::plan(checkpoint("mm-2025"), &cpu(), &options).unwrap();
    assert_eq!((told, model.model().memory_plan()), (plan, plan));
    (plan, model)
}

/// The plan that a request was refused with.
#[track_caller]
fn refused<T>(result: Result<T, Error>, limit: MemoryPlan) -> MemoryPlan {
    let Err(error) = result else {
        panic!("it was not refused");
    };
    let told = error.to_string();
    for part in ["max_new_tokens", "memory_limit", "mm-2025"] {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
    let Error::NotEnoughMemory {
        plan, available, ..
    } = error
    else {
        panic!("another error: {error}");
    };
    assert_eq!(available, limit.total());
    assert!(plan.total() > available, "{plan}");
    assert_eq!(plan.weights, limit.weights);
    plan
}

#[test]
fn what_goes_beyond_the_workload_is_refused_before_any_work() {
    let (planned, model) = exact(Workload::new(64, 0));
    let asked = || [ask("hello")];
    let prompt = model.prompt_ids(&asked()).unwrap().len();
    assert!(prompt < 60, "{prompt}");
    let within = model.generate(&asked(), &exactly(64 - prompt)).unwrap();

    let long = || ask(&"is it? ".repeat(60));
    assert!(model.prompt_ids(&[long()]).unwrap().len() < 500);
    let more = |plan: MemoryPlan| {
        assert!(plan.kv_cache > planned.kv_cache);
        assert_eq!(plan.kept, planned.kept);
    };
    let mut chat = model.chat();
    for (message, tokens) in [
        (long(), 4),
        (ask("hello"), 65 - prompt),
        (ask("hello"), 400),
    ] {
        let observer = Box::new(|_| -> ControlFlow<()> { panic!("work was begun") });
        let stream = chat.stream_observed(message.clone(), &up_to(tokens), observer);
        more(refused(stream.map(drop), planned));
        more(refused(model.generate(&[message], &up_to(tokens)), planned));
        assert_eq!(chat.context_len(), 0);
    }
    more(refused(
        model.complete(&"is it? ".repeat(60), &[], &up_to(4)),
        planned,
    ));
    more(refused(model.score(&[long()], &["yes"]), planned));
    let longer = "yes".repeat(60);
    more(refused(model.score(&asked(), &["no", &longer]), planned));
    more(refused(
        chat.choose(&ask("hello"), &["no", &longer]),
        planned,
    ));
    // Two conversations, each within the workload's context.
    let two = [asked().to_vec(), asked().to_vec()];
    more(refused(model.generate_batch(&two, &up_to(4)), planned));
    let one = answers(model.generate_batch(&two[..1], &exactly(64 - prompt)));
    assert_eq!(ids(&one[0]), ids(&within));
    // An image that was not planned for: its soft tokens and the tower.
    let shown = Message::user().image(image("picture-a.png")).text("look");
    let plan = refused(model.generate(&[shown], &up_to(4)), planned);
    assert_eq!(plan.kept - planned.kept, 4 * 24 * 4);
    assert!(plan.activations > planned.activations);

    // Nothing of it has harmed the chat, which is refused where it has grown too long itself.
    let reply = chat.send_with(ask("hello"), &exactly(64 - prompt)).unwrap();
    assert_eq!(ids(&reply), ids(&within));
    let before = chat.context_len();
    more(refused(chat.send_with(ask("more"), &up_to(1)), planned));
    more(refused(chat.choose(&ask("more"), &["yes"]), planned));
    assert_eq!(chat.context_len(), before);
}

/// Each is within the workload, and two of them are not.
#[test]
fn what_other_conversations_hold_counts_until_they_are_dropped() {
    let (planned, model) = exact(Workload::new(64, 0));
    let prompt = model.prompt_ids(&[ask("hello")]).unwrap().len();
    let full = exactly(64 - prompt);
    let mut first = model.chat();
    let reply = first.send_with(ask("hello"), &full).unwrap();
    let mut second = model.chat();
    let more = |plan: MemoryPlan| assert!(plan.kv_cache > planned.kv_cache);
    more(refused(second.send_with(ask("hello"), &full), planned));
    more(refused(model.generate(&[ask("hello")], &full), planned));
    more(refused(model.score(&[ask("hello")], &["yes"]), planned));
    more(refused(second.choose(&ask("hello"), &["yes"]), planned));
    assert_eq!(second.context_len(), 0);
    // Another model has memory of its own, and what a copy holds is there when the original is not.
    let (_, other) = exact(Workload::new(64, 0));
    other.generate(&[ask("hello")], &full).unwrap();
    let copy = first.clone();
    drop(first);
    more(refused(second.send_with(ask("hello"), &full), planned));
    drop(copy);
    // While an answer is written, all that it may take counts.
    let mut stream = second.stream(ask("hello"), &full).unwrap();
    stream.next().unwrap().unwrap();
    more(refused(model.generate(&[ask("hello")], &up_to(1)), planned));
    drop(stream);
    drop(second);
    let again = model.generate(&[ask("hello")], &full).unwrap();
    assert_eq!(ids(&again), ids(&reply));
    // Two that were planned for.
    let (_, roomy) = exact(Workload::new(64, 0).with_conversations(2));
    let mut chats = [roomy.chat(), roomy.chat()];
    for chat in &mut chats {
        let reply = chat.send_with(ask("hello"), &full).unwrap();
        assert_eq!(ids(&reply), ids(&again));
    }
}

/// What was read of a turn that was given up is held until the chat is asked again.
#[test]
fn what_a_cancelled_turn_has_read_counts() {
    let (planned, model) = exact(Workload::new(300, 0).with_conversations(2));
    let long = || ask(&"is it? ".repeat(80));
    let prompt = model.prompt_ids(&[long()]).unwrap().len();
    assert!((200..380).contains(&prompt), "{prompt}");
    let options = up_to(4).with_prefill_chunk(100);
    let mut chat = model.chat();
    let observer = Box::new(|progress| match progress {
        Progress::Prefill { done, .. } if done >= 200 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let mut stream = chat.stream_observed(long(), &options, observer).unwrap();
    assert!(stream.next().is_none());
    drop(stream);
    assert_eq!(chat.context_len(), 0);
    refused(model.generate(&[long()], &options), planned);
    // Asked again, it holds what the answer took; one that was never begun has read nothing.
    chat.send_with(ask("hello"), &exactly(1)).unwrap();
    let mut other = model.chat();
    drop(other.stream(ask("hello"), &up_to(1)).unwrap());
    model.generate(&[long()], &options).unwrap();
}

/// A turn that was given up behind an earlier one is cut off, and its slots stay with the chat.
#[test]
fn slots_of_what_was_cut_off_count() {
    // No layer gives up what the earlier turn has read.
    let scratch = Scratch::of("mm-2025").edit_json("config.json", |config| {
        config["text_config"]["sliding_window"] = json!(500);
    });
    let load = |limit| {
        let options = LoadOptions::default()
            .with_workload(Workload::new(400, 0))
            .with_memory_limit(limit);
        MedGemma::load_with(scratch.path(), &cpu(), options)
    };
    let Err(Error::NotEnoughMemory { plan, .. }) = load(1) else {
        panic!("a byte is not enough");
    };
    let model = load(plan.total()).unwrap();
    let mut chat = model.chat();
    chat.send_with(ask("hello"), &exactly(1)).unwrap();
    let said = chat.context_len();
    let observer = Box::new(|progress| match progress {
        Progress::Prefill { done, .. } if done >= 200 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let long = ask(&"is it? ".repeat(80));
    let options = up_to(4).with_prefill_chunk(100);
    let mut stream = chat.stream_observed(long, &options, observer).unwrap();
    assert!(stream.next().is_none());
    drop(stream);
    assert_eq!(chat.context_len(), said);
    chat.send_with(ask("hello"), &exactly(1)).unwrap();
    assert!(chat.context_len() < 100, "{chat:?}");
    let rest = || {
        let prompt = model.prompt_ids(&[ask("hello")]).unwrap().len();
        model.generate(&[ask("hello")], &exactly(250 - prompt))
    };
    assert_eq!(rest().unwrap_err().kind(), ErrorKind::Busy);
    // A choice is made in a copy, beside those slots.
    let choose = |chat: &Chat| chat.choose(&ask(&"is it? ".repeat(30)), &["yes"]);
    assert!(matches!(choose(&chat), Err(Error::NotEnoughMemory { .. })));
    drop(chat);
    rest().unwrap();
    let mut chat = model.chat();
    for _ in 0..2 {
        chat.send_with(ask("hello"), &exactly(1)).unwrap();
    }
    choose(&chat).unwrap();
}

#[test]
fn a_choice_is_a_conversation_more() {
    let answers = ["yes", "no"];
    let (planned, model) = exact(Workload::new(300, 0));
    let (_, roomy) = exact(Workload::new(300, 0).with_conversations(2));
    let choose = |model: &MedGemma| {
        let mut chat = model.chat();
        chat.choose(&ask("hello"), &answers)
            .expect("nothing is read");
        chat.send_with(ask("hello"), &exactly(180)).unwrap();
        chat.choose(&ask("more"), &answers)
    };
    refused(choose(&model), planned);
    choose(&roomy).expect("it was planned for");
}

#[test]
fn where_there_is_room_more_than_planned_is_answered() {
    let long = || vec![ask(&"is it? ".repeat(60))];
    let answer = |model: &MedGemma| ids(&model.generate(&long(), &exactly(20)).unwrap());
    let (_, roomy) = exact(Workload::new(512, 1).with_conversations(4));
    let expected = answer(&roomy);
    // Turned off, and held to what the system has.
    let unlimited = load(Workload::new(1, 0), u64::MAX).unwrap();
    assert_eq!(answer(&unlimited), expected);
    let options = LoadOptions::default().with_workload(Workload::new(1, 0));
    let system = MedGemma::load_with(checkpoint("mm-2025"), &cpu(), options).unwrap();
    assert_eq!(answer(&system), expected);
    answers(system.generate_batch(&[long(), long()], &up_to(4)));
    answers(roomy.generate_batch(&[long(), long()], &up_to(4)));
}
