//! Boxes in all the forms that models give them.

use proptest::prelude::*;

use super::{BoxProblem, Boxes, Region, boxes};

/// Numbers in the order of the text, and labels.
fn found(text: &str) -> Vec<([f64; 4], Option<String>)> {
    let Boxes { boxes, .. } = boxes(text);
    boxes
        .into_iter()
        .map(|found| {
            let Region { y0, x0, y1, x1 } = found.region;
            ([y0, x0, y1, x1], found.label)
        })
        .collect()
}

fn labelled(numbers: [f64; 4], label: &str) -> ([f64; 4], Option<String>) {
    (numbers, Some(label.to_owned()))
}

const HEART: [f64; 4] = [400.0, 300.0, 800.0, 700.0];
const CLAVICLE: [f64; 4] = [100.0, 520.0, 180.0, 910.5];

#[test]
fn a_fenced_list_of_objects() {
    let text = "The heart is seen.\nFinal Answer: ```json\n[\n  {\"box_2d\": [400, 300, 800, 700], \
        \"label\": \"heart\"},\n {\"label\": \"left \\u0063lavicle\", \"box_2d\": [100, 520, 180, 910.5]}\n]\n```";
    assert_eq!(
        found(text),
        [
            labelled(HEART, "heart"),
            labelled(CLAVICLE, "left clavicle")
        ]
    );
    let single = "```json[{\"box_2d\": [400, 300, 800, 700]}]```";
    assert_eq!(found(single), [(HEART, None)]);
    let alone =
        "{\"box_2d\": [\"400\", \"300\", \" 800\", \"700\"], \"label\": \"heart\"} is my answer.";
    assert_eq!(found(alone), [labelled(HEART, "heart")]);
    let within =
        "{\"answer\": {\"boxes\": [{\"bbox\": [400, 300, 800, 700], \"name\": \"heart\"}]}}";
    assert_eq!(found(within), [labelled(HEART, "heart")]);
}

#[test]
fn lists_without_keys() {
    for text in [
        "[400, 300, 800, 700]",
        "The heart is at [400,300,800,700].",
        "[[400, 300, 800, 700]]",
        "Final Answer: [400, 300, 800, 700]",
        "Final Answer: (400, 300, 800, 700)",
        "**Final Answer:** 400, 300, 800, 700.",
        "final answer: 400 300 800 700\nThank you",
        "Final Answer: [400 300 800 700]",
        "Final Answer: [400., 300., 800., 700.]",
        "[0.4, 0.3, 0.8, 0.7]",
    ] {
        assert_eq!(found(text), [(HEART, None)], "{text}");
    }
    let two = "[[400, 300, 800, 700], [100, 520, 180, 910.5]]";
    assert_eq!(found(two), [(HEART, None), (CLAVICLE, None)]);
    assert_eq!(
        found("[0, 1, 800, 700]"),
        [([0.0, 1.0, 800.0, 700.0], None)]
    );
    assert_eq!(found("[0, 0, 1, 1]"), [([0.0, 0.0, 1000.0, 1000.0], None)]);
}

#[test]
fn location_tokens() {
    let text = "<loc0256><loc0512><loc0768><loc1023> left lung ; <loc0000><loc0000><loc0512><loc0512> mass\nrest";
    let most = 1023.0 / 1024.0 * 1000.0;
    assert_eq!(
        found(text),
        [
            labelled([250.0, 500.0, 750.0, most], "left lung"),
            labelled([0.0, 0.0, 500.0, 500.0], "mass")
        ]
    );
    // All four are below one thousandth's worth of 1: tokens, not fractions.
    let corner = found("<loc0000><loc0000><loc0001><loc0001>");
    assert_eq!(corner, [([0.0, 0.0, 0.976_562_5, 0.976_562_5], None)]);
    assert_eq!(found("<loc0256><loc0512><loc0768> three"), []);
    assert_eq!(found("<loc0256><loc0512><loc0768><locfour>"), []);
}

#[test]
fn the_final_answer_counts_alone_if_it_has_a_box() {
    let text = "First I thought [1, 2, 300, 400]. Final Answer: [1, 2, 3, 4] no. FINAL ANSWER: [400, 300, 800, 700]";
    assert_eq!(found(text), [(HEART, None)]);
    assert_eq!(
        found("It is at [400, 300, 800, 700]. Final Answer: the heart"),
        [(HEART, None)]
    );
    let keyed = "As in [1, 2, 300, 400]: {\"box_2d\": [400, 300, 800, 700]} (5, 6, 700, 800)";
    assert_eq!(
        found(keyed),
        [(HEART, None)],
        "references are no boxes beside a key"
    );
}

#[test]
fn an_answer_of_nothing_gives_no_box_of_the_reasoning() {
    for answer in [
        "Final Answer: []",
        "**Final Answer:** ```json\n[ ]\n```",
        "Final Answer: [] (as [5, 6, 70, 80] is the heart)",
        "Final Answer: {\"boxes\": []}",
        "Final Answer: [[]]",
        "Final Answer: None.",
        "Final Answer: no fracture is visible.\nThis is my final answer.",
    ] {
        let text = format!("At first I took [400, 300, 800, 700] for it. {answer}");
        assert_eq!(boxes(&text), Boxes::default(), "{text}");
    }
}

#[test]
fn a_no_with_a_box_behind_it_is_not_none() {
    let text = "Final Answer:\nNo fracture; heart at [400, 300, 800, 700]";
    assert_eq!(found(text), [(HEART, None)]);
    let text = "Final Answer: No abnormality but the effusion:\n\
        [{\"box_2d\":[400,300,800,700],\"label\":\"effusion\"}]";
    assert_eq!(found(text), [labelled(HEART, "effusion")]);
}

#[test]
fn words_after_the_answer_do_not_hide_it() {
    for end in [
        "This is my final answer.",
        "That is the final answer, and the final answer has no other box.",
    ] {
        let text = format!("Not [1, 2, 300, 400]. Final Answer: [400, 300, 800, 700]. {end}");
        assert_eq!(found(&text), [(HEART, None)], "{text}");
    }
}

#[test]
fn one_that_is_cut_off_leaves_those_before_it() {
    let text =
        "```json\n[{\"box_2d\": [400, 300, 800, 700], \"label\": \"heart\"}, {\"box_2d\": [100, 52";
    assert_eq!(found(text), [labelled(HEART, "heart")]);
    let repeated = "[{\"box_2d\": [400, 300, 800, 700]}, {\"box_2d\": [400, 300, 800, 700]}]";
    assert_eq!(found(repeated), [(HEART, None)]);
}

#[test]
fn what_is_no_box_is_told_and_not_mended() {
    let problem = |text: &str| {
        let Boxes { boxes, skipped } = boxes(text);
        assert_eq!(boxes, [], "{text}");
        skipped
            .into_iter()
            .map(|skipped| skipped.problem)
            .collect::<Vec<_>>()
    };
    assert_eq!(problem("[800, 300, 400, 700]"), [BoxProblem::NoArea]);
    assert_eq!(problem("[400, 300, 400, 700]"), [BoxProblem::NoArea]);
    assert_eq!(problem("[400, 300, 800, 1001]"), [BoxProblem::OutOfRange]);
    assert_eq!(problem("[-1, 300, 800, 700]"), [BoxProblem::OutOfRange]);
    assert_eq!(problem("Final Answer: [1e999, 0, 1, 1]"), []);
    assert_eq!(problem("[1, 2, 3]  [1, 2, 3, 4, 5] (12, 13)  no box"), []);
    assert_eq!(problem("Final Answer: 1, 2, 3, 4, 5"), []);
    assert_eq!(
        problem("measured (400, 300, 800, 700 mm) and [400 300 800 700"),
        []
    );
}

#[test]
fn labels_may_say_anything() {
    let text =
        r#"[{"box_2d": [400, 300, 800, 700], "label": "a [1, 2, 3, 4] \"b\" } Final answer"}]"#;
    // The mark within the label has nothing behind it: the whole text counts.
    assert_eq!(
        found(text),
        [labelled(HEART, "a [1, 2, 3, 4] \"b\" } Final answer")]
    );
}

proptest! {
    #[test]
    fn any_text_is_read_and_every_box_is_one(text in "(?s).{0,80}|[\\[\\]{}(),.0-9 \"<>loc:-]{0,80}") {
        for found in boxes(&text).boxes {
            let Region { y0, x0, y1, x1 } = found.region;
            prop_assert!(0.0 <= y0 && y0 < y1 && y1 <= 1000.0);
            prop_assert!(0.0 <= x0 && x0 < x1 && x1 <= 1000.0);
            prop_assert!(text.get(found.span).is_some());
        }
    }
}
