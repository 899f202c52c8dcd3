//! A second question about the same images encodes none of them, and is answered as if it had.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod support;

use std::time::{Duration, Instant};

use medgemma::{Image, LoadOptions, MedGemma, Message, VisionCache};
use medgemma_testkit::{Scratch, checkpoint};
use support::{answers, assert_logprobs, cpu, exactly, ids, image, model};

fn keeping(cache: VisionCache) -> MedGemma {
    let options = LoadOptions::default().with_vision_cache(cache);
    MedGemma::load_with(checkpoint("mm-2025"), &cpu(), options).unwrap()
}

/// Slices of a volume, with a question.
fn volume(slices: &[Image], question: &str) -> Message {
    let message = slices
        .iter()
        .enumerate()
        .fold(Message::user(), |message, (i, slice)| {
            message
                .image(slice.clone())
                .text(format!("SLICE {}", i + 1))
        });
    message.text(question)
}

/// Asks both, who must agree.
#[track_caller]
fn agree(kept: &MedGemma, message: &Message) {
    let messages = std::slice::from_ref(message);
    let found = kept.generate(messages, &exactly(6)).unwrap();
    let expected = model().generate(messages, &exactly(6)).unwrap();
    assert_eq!(ids(&found), ids(&expected));
    assert_logprobs(&found, &expected);
}

#[test]
fn other_questions_in_other_orders_and_batches_encode_nothing_again() {
    let kept = keeping(VisionCache::in_memory(1 << 20));
    let [a, b] = ["picture-a.png", "picture-b.png"].map(image);
    agree(&kept, &volume(&[a.clone(), b.clone()], "heart"));
    // Before the images stands another text, and they stand in another order: no prefix is shared.
    let other = volume(&[b.clone(), a.clone()], "bones");
    agree(&kept, &other);
    let batch = [vec![other.clone()], vec![volume(&[a], "lungs")]];
    answers(kept.generate_batch(&batch, &exactly(2)));
    let told = kept.model().vision_cache_use().unwrap();
    // The batch shows one picture twice, which is asked for once.
    assert_eq!((told.encoded, told.from_memory), (2, 4));
    assert_eq!(told.images, 2);
    kept.model().clear_vision_cache();
    agree(&kept, &other);
    assert_eq!(kept.model().vision_cache_use().unwrap().encoded, 4);
    assert!(
        model().model().vision_cache_use().is_none(),
        "off by default"
    );
}

#[test]
fn the_next_load_of_the_model_reads_files_and_another_model_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let cache = || VisionCache::in_memory(1 << 20).with_folder(folder.path(), 1 << 20);
    let message = volume(&["picture-a.png", "picture-b.png"].map(image), "heart");
    agree(&keeping(cache()), &message);
    let next = keeping(cache());
    agree(&next, &message);
    let told = next.model().vision_cache_use().unwrap();
    assert_eq!((told.encoded, told.from_folder), (0, 2));

    // One tensor of the vision tower, and that by little.
    let scratch = Scratch::of("mm-2025").edit(|tensors| {
        let mut keys = tensors.keys().map(str::to_owned);
        let key = keys
            .find(|key| key.ends_with("post_layernorm.weight"))
            .unwrap();
        drop(keys);
        tensors.scale(&key, 1.000_01);
    });
    let options = LoadOptions::default().with_vision_cache(cache());
    let other = MedGemma::load_with(scratch.path(), &cpu(), options).unwrap();
    other
        .generate(std::slice::from_ref(&message), &exactly(1))
        .unwrap();
    let told = other.model().vision_cache_use().unwrap();
    assert_eq!((told.encoded, told.from_folder), (2, 0));
}

/// Prints what the cache saves on a volume of 85 slices: the figures of `docs/medical-input.md`. A slice that is kept has
/// to take less than half of the time. `MODEL=DIR cargo test --release --workspace --test vision_cache -- --ignored --nocapture`
#[test]
#[ignore = "needs a model: MODEL=DIR; .ci/run runs it"]
fn a_second_question_about_85_slices() {
    let dir = std::env::var("MODEL").expect("MODEL names the model's directory");
    let folder = tempfile::tempdir().unwrap();
    let slices: Vec<Image> = (0..85).map(slice).collect();
    let cache = || VisionCache::in_memory(1 << 30).with_folder(folder.path(), 1 << 30);
    let load = |cache: Option<VisionCache>| {
        let mut options = LoadOptions::default();
        options.vision_cache = cache;
        MedGemma::load_with(&dir, &cpu(), options).unwrap()
    };
    let ask = |model: &MedGemma, question: &str| {
        let begun = Instant::now();
        let message = volume(&slices, question);
        let reply = model.generate(&[message], &exactly(1)).unwrap();
        (reply.timings.images, begun.elapsed())
    };
    let show = |what: &str, (images, whole): (Duration, Duration)| {
        println!("{what:<36} images {images:>10.3?}  in all {whole:>10.3?}");
        images
    };
    let without = load(None);
    show("without, first question", ask(&without, "heart"));
    let again = show("without, second question", ask(&without, "bones"));
    drop(without);
    let kept = load(Some(cache()));
    show("with memory and folder, first", ask(&kept, "heart"));
    let from_memory = show("with memory, second question", ask(&kept, "bones"));
    drop(kept);
    let later = load(Some(cache()));
    let from_folder = show("from the folder, a later process", ask(&later, "bones"));
    assert!(from_memory < again / 2 && from_folder < again / 2);
}

/// Some grey picture of 512 x 512, another for each number.
fn slice(number: usize) -> Image {
    let grey = (0..512 * 512).map(|i| ((i % 512) * (i / 512 + number * 7) / 64 + number) as u8);
    Image::from_gray8(512, 512, grey.collect()).unwrap()
}
