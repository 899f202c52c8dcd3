//! Requests against a plan, and what is left for them.

use medgemma_tensor::{Arithmetic, Device};

use super::{Budget, Held, Request};
use crate::config::ModelConfig;
use crate::error::Error;
use crate::memory::Workload;
use crate::memory::tests::config;
use crate::options::LoadOptions;

fn cpu() -> Device {
    Device::cpu().expect("the feature cpu is on")
}

/// Weights that stay in the file.
const MAPPED: u64 = 1 << 33;

/// A load for three conversations of 4096 tokens with an image each.
fn budget(config: &ModelConfig, limit: Option<u64>) -> Budget {
    let workload = Workload::new(4096, 1).with_conversations(3);
    let mut options = LoadOptions::default().with_workload(workload);
    options.memory_limit = limit;
    Budget::new(
        config,
        &cpu(),
        &options,
        vec![Arithmetic::Bf16; 62],
        [1 << 34, MAPPED],
    )
}

fn request(contexts: &[usize]) -> Request<'_> {
    Request {
        contexts,
        at_once: contexts.len(),
        scored: 0,
        images: 0,
        images_held: 0,
        prefill_chunk: 512,
        cache_bytes: 0,
        entered: Held::default(),
    }
}

#[test]
fn a_request_takes_more_only_where_it_goes_beyond_the_workload() {
    let config = config();
    let budget = budget(&config, None);
    let more = |request: &Request<'_>| {
        let plan = budget.with(&config, request, Held::default());
        let planned = &budget.plan;
        [
            plan.kv_cache - planned.kv_cache,
            plan.kept - planned.kept,
            plan.activations - planned.activations,
        ]
    };
    // As long as all three together, by the bytes.
    for contexts in [
        &[][..],
        &[4096],
        &[0, 0, 0, 0, 4096],
        &[4096; 3],
        &[8192],
        &[100; 4],
    ] {
        assert_eq!(more(&request(contexts)), [0; 3], "{contexts:?}");
    }
    // By hand: 10 global layers of 62 have 8192 slots of 5/4 and of local layers 52 have 1536, of which one
    // moves; each slot has keys and values of 16 heads of 128 numbers in bf16.
    let of = |global: u64, moving: u64| {
        (10 * global + 52 * 1536) * 2 * 16 * 128 * 2 + moving * 16 * 128 * 2
    };
    let planned = 3 * of(5120, 4096);
    let long = more(&request(&[100_000]));
    assert_eq!(long, [of(125_000, 100_000) - planned, 0, 0]);
    let many = more(&request(&[4096; 64]));
    assert_eq!(many[..2], [61 * of(5120, 4096), 0]);
    // 64 rows of logits; without images a chunk of 512 tokens is the widest step, in which there is room.
    assert_eq!(many[2], 0);
    let images = Request {
        images: 5,
        ..request(&[4096])
    };
    assert_eq!(more(&images), [0, 2 * 256 * 5376 * 4, 0]);
    let wide = Request {
        prefill_chunk: 4096,
        ..request(&[4096])
    };
    assert!(more(&wide)[2] > 1 << 28, "a pass of 4096 rows");
}

/// In a narrow model with the whole vocabulary, 64 rows of logits are more than a chunk takes.
#[test]
fn logits_of_given_answers_count_where_they_are_the_widest_step() {
    let activations = |config: &ModelConfig, scored| {
        let asked = Request {
            scored,
            ..request(&[4096])
        };
        let budget = budget(config, None);
        let plan = budget.with(config, &asked, Held::default());
        (plan.activations, budget.plan.activations)
    };
    let mut small = config();
    small.multimodal = None;
    // The sizes of the 270M; its layers leave behind what two results of a chunk in each take.
    (small.text.hidden_size, small.text.intermediate_size) = (640, 2048);
    let (row, vocab, kept) = (4 * 640 + 3 * 2048, 262_208, 2 * 62 * 512 * 640);
    let (short, planned) = activations(&small, 1);
    assert_eq!(planned, 4 * (512 * row + 4 * vocab + kept));
    assert_eq!(short, planned);
    let (long, _) = activations(&small, 64);
    assert_eq!(long, 4 * (64 * row + 65 * vocab + kept));
    assert!(long > planned);
    // Of the 27B a chunk takes more.
    let (long, planned) = activations(&config(), 64);
    assert_eq!(long, planned);
}

#[test]
fn what_goes_beyond_is_held_to_the_limit_with_the_figures() {
    let config = config();
    let (path, device) = ("model".as_ref(), cpu());
    let planned = budget(&config, None).plan.total();
    let long = request(&[100_000]);
    let needed = budget(&config, None)
        .with(&config, &long, Held::default())
        .total();
    assert!(needed > planned);
    let check = |limit, request: &Request<'_>| {
        let entered = budget(&config, Some(limit)).enter(path, &config, &device, request);
        entered.map(drop)
    };
    check(needed, &long).expect("exactly enough");
    check(u64::MAX, &request(&[usize::MAX])).expect("it is turned off");
    // What was planned was held against it when the model was loaded.
    check(1, &request(&[4096])).expect("within the plan");
    match check(needed - 1, &long).expect_err("a byte is missing") {
        Error::NotEnoughMemory {
            plan,
            available,
            busy,
            ..
        } => assert_eq!(
            (plan.total(), available, busy),
            (needed, needed - 1, false),
            "nobody else asks"
        ),
        other => panic!("another error: {other}"),
    }
}

#[test]
fn what_is_taken_of_the_plan_is_not_asked_for_again() {
    let config = config();
    let budget = budget(&config, None);
    let (planned, room) = (budget.plan.total(), 1_u64 << 30);
    let left =
        |own, request: &Request<'_>| budget.left(room, own, request, Held::default(), &config);
    let long = request(&[100_000]);
    assert_eq!(left(Some(0), &long), room, "nothing is taken so far");
    assert_eq!(left(Some(5000), &long), room + 5000);
    // What the process holds beyond the plan is not the plan's, nor is it what is planned to stay in the file.
    let own = planned - MAPPED;
    assert_eq!(left(Some(u64::MAX), &long), room + own);
    assert_eq!(left(None, &long), room + planned);
    // But what these conversations hold beyond it is part of what they need.
    let within = budget.plan.kv_cache + budget.plan.kept;
    let held = usize::try_from(within).expect("a few gigabytes") + 700;
    let grown = Request {
        cache_bytes: held,
        ..request(&[100_000])
    };
    assert_eq!(left(Some(u64::MAX), &grown), room + own + 700);
    let shown = Request {
        images: 9,
        images_held: 2,
        cache_bytes: held - 700,
        ..request(&[100_000])
    };
    let soft = 2 * 256 * 5376 * 4;
    assert_eq!(left(Some(u64::MAX), &shown), room + own + soft);
}

/// Three conversations were planned, so that a fourth of the same length goes beyond.
#[test]
fn what_other_conversations_hold_counts() {
    let config = config();
    let (path, device) = ("model".as_ref(), cpu());
    let planned = budget(&config, None).plan;
    let one = Held {
        cache: planned.kv_cache / 3,
        images: 1,
    };
    let budget = budget(&config, Some(planned.total()));
    let enter = |entered: Held, context: usize, images: usize| {
        let contexts = [context];
        let request = Request {
            images,
            entered,
            ..request(&contexts)
        };
        budget.enter(path, &config, &device, &request)
    };
    let none = Held::default();
    let mut chats = [0; 3].map(|_| enter(none, 4096, 1).expect("it was planned"));
    assert!(chats.iter().all(|chat| chat.held() == one));
    for (context, images) in [(4096, 0), (1, 0), (0, 1)] {
        let Err(error) = enter(none, context, images) else {
            panic!("a fourth is not planned");
        };
        match error {
            Error::NotEnoughMemory {
                plan,
                available,
                busy,
                ..
            } => {
                assert!(busy, "alone it was planned");
                assert_eq!(available, planned.total());
                assert_eq!(plan.kv_cache > planned.kv_cache, context > 0);
                assert_eq!(plan.kept > planned.kept, images > 0);
            }
            other => panic!("another error: {other}"),
        }
    }
    // Of the conversation itself only what it takes more.
    let more = enter(chats[0].held(), 4096, 1).expect("nothing more");
    assert_eq!(more.held(), none);
    drop(more);
    let busy = |context| match enter(chats[0].held(), context, 1).err() {
        Some(Error::NotEnoughMemory { busy, .. }) => busy,
        other => panic!("{other:?}"),
    };
    // Alone it would fit, or not even then.
    assert!(busy(5000) && !busy(40_000));
    // A shorter one leaves room, and one that is over leaves all of its own.
    chats[1].set(budget.planned_for(&config, 1000, 0));
    let more = enter(chats[0].held(), 4500, 2).expect("there is room");
    assert_eq!(
        more.held(),
        Held {
            cache: budget.cache_bytes(&config, 4500) - one.cache,
            images: 1
        }
    );
    drop(more);
    drop(chats);
    enter(none, 3 * 4096, 3).expect("alone");
}

/// What other conversations hold is in the plan that is held against what is left, so it is not asked for again.
#[test]
fn what_other_conversations_hold_is_taken_already() {
    let config = config();
    let budget = budget(&config, None);
    let (planned, room) = (budget.plan.total(), 1_u64 << 30);
    let within = budget.plan.kv_cache + budget.plan.kept;
    let others = Held {
        cache: within + 900,
        images: 1,
    };
    let left = budget.left(room, Some(u64::MAX), &request(&[4096]), others, &config);
    assert_eq!(left, room + planned - MAPPED + 900 + 256 * 5376 * 4);
}
