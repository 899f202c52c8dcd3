//! Memory stays where it is over many short chats with images (trap T18 of `docs/parity.md`). Linux only: the
//! figure comes from `/proc/self/status`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use medgemma::Message;
use support::{ask, image, model, up_to};

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let figure = line.and_then(|line| line.split_whitespace().nth(1));
    figure.expect("a figure in kB").parse().unwrap()
}

fn chats(count: usize) {
    for index in 0..count {
        let name = ["picture-a.png", "picture-b.png"][index % 2];
        let mut chat = model().chat();
        let first = Message::user().image(image(name)).text("what is this?");
        chat.send_with(first, &up_to(6)).unwrap();
        let mut stream = chat.stream(ask("and now?"), &up_to(50)).unwrap();
        stream.next().unwrap().unwrap();
        drop(stream);
    }
}

#[test]
fn two_hundred_chats_leave_no_memory_behind() {
    chats(40);
    let before = resident();
    chats(200);
    let grown = resident().saturating_sub(before);
    // A picture's pixels and soft tokens are 10 KiB here, a conversation's keys and values 72 KiB:
    // two hundred of either, kept, would be seen.
    assert!(
        grown < 1500,
        "resident memory grew by {grown} KiB from {before}"
    );
}
