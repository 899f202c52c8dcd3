//! Twice the text takes about twice the time, whatever it is made of.

use std::hint::black_box;

use cpu_time::ThreadTime;
use medgemma_answers::{boxes, contradictions, lab_report, mentions};

/// Four times the text takes less than twelve times as long.
#[track_caller]
fn grows_with(what: &str, text: impl Fn(usize) -> String, read: impl Fn(&str)) {
    let time = |bytes: usize| {
        let text = text(bytes);
        let begun = ThreadTime::now();
        read(&text);
        begun.elapsed().as_secs_f64()
    };
    // What others do with the caches and the core's other thread is in it: once more, where it took long.
    let (short, mut long) = (time(100_000), time(400_000));
    for _ in 0..3 {
        if long < 12.0 * short.max(0.02) {
            return;
        }
        long = long.min(time(400_000));
    }
    panic!("{what:?}: {short} s, {long} s");
}

#[test]
fn reports_are_read_in_time_that_grows_with_them() {
    for piece in [
        "effusion ",
        "no ",
        "and the ",
        ", a ",
        "no effusion ",
        "likely ",
        "is absent ",
        "left ",
        "small ",
        "\n",
        "\n ",
        " ",
        ".",
        "? ",
        "heart ",
        "lungs clear ",
        "effusion likely ",
        "resolved ",
        "impression: ",
        "left x ",
        "base left ",
        "x left effusion ",
        "e.g. ",
        "not resolved ",
        "no effusion, small ",
        "effusion: no, ",
        "effusion\nX ",
    ] {
        for begin in ["", "no ", "effusion ", "comparison:\n"] {
            let text = |bytes| begin.to_owned() + &piece.repeat(bytes / piece.len()) + " effusion";
            grows_with(piece, text, |text| {
                black_box(mentions(text, 0..text.len()));
            });
        }
    }
    // Places of which no two speak of the same.
    let apart = |bytes: usize| {
        let times = bytes / 60;
        let (there, not) = (
            "Left effusion. ".repeat(times),
            "No right effusion. ".repeat(times),
        );
        format!(
            "Findings: {there}{not}Impression: {}",
            "Right effusion. ".repeat(times)
        )
    };
    grows_with("sides", apart, |text| {
        black_box(contradictions(text));
    });
    let apart = |bytes: usize| {
        let times = bytes / 30;
        let (seen, concluded) = (
            "Left effusion. ".repeat(times),
            "Right effusion. ".repeat(times),
        );
        format!("Findings: {seen}Impression: {concluded}")
    };
    grows_with("parts", apart, |text| {
        black_box(contradictions(text));
    });
}

#[test]
fn tables_are_read_in_time_that_grows_with_them() {
    for piece in [
        "\"", "\",", ",", "\"a,", "1 234 ", "1'", "a: 1 ", "(", "x 10", "|", "\n",
    ] {
        let header = "test,value\n";
        let text = |bytes| header.to_owned() + &piece.repeat(bytes / piece.len());
        grows_with(piece, text, |text| {
            black_box(lab_report(text));
        });
    }
}

#[test]
fn boxes_are_read_in_time_that_grows_with_them() {
    for piece in [
        "[",
        "[1,",
        "{\"a\":",
        "[\"",
        "(1,2,3,",
        "<loc",
        "<loc00",
        "[1,2,3,4]",
        "Final Answer:",
    ] {
        let text = |bytes| piece.repeat(bytes / piece.len());
        grows_with(piece, text, |text| {
            black_box(boxes(text));
        });
    }
}
