//! What a conversation keeps, and what it counts.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use medgemma_image::Image;
use medgemma_tensor::Device;
use medgemma_testkit::checkpoint;

use super::Chat;
use crate::medgemma::MedGemma;
use crate::memory::Held;
use crate::message::Message;
use crate::options::GenerateOptions;

fn chat() -> Chat {
    let device = Device::cpu().expect("the feature cpu is on");
    MedGemma::load(checkpoint("mm-2025"), &device)
        .unwrap()
        .chat()
}

fn shown() -> Message {
    let picture = Image::from_gray8(2, 2, vec![7; 4]).unwrap();
    Message::user().image(picture).text("look")
}

fn two() -> GenerateOptions {
    let options = GenerateOptions::default().with_max_new_tokens(2);
    options.with_ignore_stop_ids(true)
}

/// Pictures are megabytes each, and were read.
#[test]
fn what_was_said_before_is_given_back_once_it_is_read() {
    let mut chat = chat().with_history([shown(), Message::assistant().text("bones")]);
    let given_up = chat.stream(Message::user().text("And?"), &two());
    drop(given_up.unwrap());
    assert_eq!(chat.earlier.len(), 2, "nothing was read");
    chat.send_with(Message::user().text("And?"), &two())
        .unwrap();
    assert!(chat.earlier.is_empty());
}

/// What was read is gone where a turn was given up that cannot be taken back; soft tokens stay for the next.
#[test]
fn images_count_after_a_request_that_is_refused() {
    let mut chat = chat();
    chat.send_with(shown(), &two()).unwrap();
    let held = chat.entry.held();
    assert!(held.cache > 0 && held.images == 1, "{held:?}");
    let long = Message::user().text("is it? ".repeat(500));
    chat.stream(long.clone(), &two()).map(drop).unwrap_err();
    assert_eq!(chat.entry.held(), held);
    chat.cache = chat.model.model().decoder().new_cache();
    chat.stream(long, &two()).map(drop).unwrap_err();
    assert_eq!(chat.entry.held(), Held { cache: 0, ..held });
}
