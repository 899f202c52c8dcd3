//! What the answer is told of what was not read: lists that are cut off, gaps.

use super::*;

fn not_reached(outcome: &Outcome) -> usize {
    let reasons = outcome.omitted.iter().map(|omitted| omitted.reason);
    reasons
        .filter(|reason| *reason == Reason::NotReached)
        .count()
}

#[test]
fn a_list_of_facts_that_is_cut_off_is_not_taken_for_a_whole_one() {
    let mut model = Script::answering(|stage, prompt| match stage {
        Stage::Facts => {
            let facts: Vec<String> = names(prompt)
                .iter()
                .map(|name| format!("- is high [{name}]"))
                .collect();
            let text = facts.join("\n");
            // The fourth has lost the end of its citation.
            let cut = facts
                .iter()
                .take(4)
                .map(|fact| fact.len() + 1)
                .sum::<usize>()
                - 3;
            match facts.len() {
                ..4 => Answer::whole(text),
                _ => Answer::cut_off(&text[..cut]),
            }
        }
        Stage::Answer => Answer::whole("High."),
        _ => Answer::whole(r#"["Observation"]"#),
    });
    let options = NavigatorOptions::default();
    let outcome = navigate(&page_of(20, ""), "?", &mut model, &options).expect("an outcome");
    let facts: Vec<&Call> = asked(&outcome)
        .filter(|call| call.stage == Stage::Facts)
        .collect();
    let shown: Vec<usize> = facts.iter().map(|call| names(&call.prompt).len()).collect();
    // Those that were left come again, fewer at once.
    assert_eq!(shown, [20, 10]);
    assert!(facts.iter().all(|call| call.is_cut_off));
    // Of the third, and then of the fifth, there may have been more to say.
    assert_eq!((outcome.facts.len(), outcome.unsupported.len()), (5, 0));
    assert_eq!((not_reached(&outcome), outcome.omitted.len()), (16, 16));
    let answer = asked(&outcome).last().expect("a call");
    assert!(answer.prompt.contains("Not all was read: 16 resources"));
    assert!(!answer.is_cut_off && !outcome.answer_is_cut_off);
    // With more excerpts it comes to all of them.
    let options = options.with_max_excerpts(10);
    let outcome = navigate(&page_of(20, ""), "?", &mut model, &options).expect("an outcome");
    assert_eq!((outcome.facts.len(), outcome.omitted.len()), (20, 0));
}

#[test]
fn a_record_that_a_cut_off_list_ended_with_is_not_read() {
    let mut model = Script::answering(|stage, _| match stage {
        Stage::Facts => {
            Answer::cut_off("- is high [Observation/o1]\n- is old [Observation/o1]\n- i")
        }
        Stage::Answer => Answer::whole("High."),
        _ => Answer::whole(r#"["Observation"]"#),
    });
    let options = NavigatorOptions::default();
    let outcome = navigate(&page_of(1, ""), "?", &mut model, &options).expect("an outcome");
    assert_eq!((outcome.facts.len(), not_reached(&outcome)), (2, 1));
}

#[test]
fn a_record_without_an_end_keeps_no_other_from_being_read() {
    let mut endless = None;
    let mut model = Script::answering(move |stage, prompt| match stage {
        Stage::Facts => {
            let first = names(prompt)[0].to_owned();
            let endless = endless.get_or_insert_with(|| first.clone());
            if *endless == first {
                Answer::cut_off(format!("- is high [{first}]\n- is h"))
            } else {
                Answer::whole(format!("- is low [{first}]"))
            }
        }
        Stage::Answer => Answer::whole("High."),
        _ => Answer::whole(r#"["Observation"]"#),
    });
    let options = NavigatorOptions::default();
    let outcome = navigate(&page_of(2, ""), "?", &mut model, &options).expect("an outcome");
    assert_eq!((outcome.facts.len(), not_reached(&outcome)), (2, 1));
}

#[test]
fn reasoning_without_an_end_is_no_word_that_there_is_nothing() {
    let mut model = Script::answering(|stage, _| match stage {
        Stage::Facts => Answer::cut_off(""),
        Stage::Answer => Answer::cut_off("As in [Observation/o1], and as Observation/o"),
        _ => Answer::whole(r#"["Observation"]"#),
    });
    let options = NavigatorOptions::default();
    let outcome = navigate(&page_of(5, ""), "?", &mut model, &options).expect("an outcome");
    assert_eq!(not_reached(&outcome), 5);
    assert!(outcome.answer_is_cut_off);
    // The first was in no facts; of the second there is only a part.
    assert_eq!(outcome.unfounded_citations, ["Observation/o1"]);
    let mut silent = Script::new(|stage, _| match stage {
        Stage::Facts => String::new(),
        _ => r#"["Observation"]"#.to_owned(),
    });
    let outcome = navigate(&page_of(5, ""), "?", &mut silent, &options).expect("an outcome");
    assert_eq!(
        (not_reached(&outcome), outcome.answer_is_cut_off),
        (0, false)
    );
    // What is too long to be kept is cut off, too.
    let mut endless = Script::new(|_, _| "x".repeat(1 << 20));
    let outcome = navigate(&page_of(1, ""), "?", &mut endless, &options).expect("an outcome");
    assert!(outcome.answer_is_cut_off);
}

#[test]
fn the_answer_is_told_what_was_not_looked_into_and_cannot_be_read() {
    let others = r#"{"resource": {"resourceType": "Patient", "id": "p"}}, {"resource": {"resourceType": "Practitioner"}},
        {"resource": {"resourceType": "Condition"}}, {"resource": {"resourceType": "Immunization"}},
        {"resource": {"resourceType": "DocumentReference"}}, {"resource": {"resourceType": "Immunization"}},
        {"resource": {"resourceType": "Condition", "code": 1}}, {"resource": {}},
        {"resource": {"resourceType": "AllergyIntolerance", "patient": {"identifier": {"value": "4711"}}}},
        {"resource": {"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient?identifier=4711"}}}, "#;
    let bundle = page_of(4, others);
    let run = |tokens| {
        let mut model = Script::new(|stage, prompt| match stage {
            Stage::Kinds => r#"["Observation"]"#.to_owned(),
            Stage::Search => r#"{"codes": ["c1", "c2", "c3"]}"#.to_owned(),
            Stage::Facts => {
                let facts = names(prompt)
                    .into_iter()
                    .map(|name| format!("- {} [{name}]", "high ".repeat(120)));
                facts.collect::<Vec<_>>().join("\n")
            }
            _ => "High.".to_owned(),
        });
        let options = NavigatorOptions::default().with_max_prompt_tokens(tokens);
        let outcome = navigate(&bundle, "?", &mut model, &options).expect("an outcome");
        let prompt = asked(&outcome).last().map(|call| call.prompt.clone());
        (prompt.expect("a prompt"), outcome.left_out.len())
    };
    let gaps = "2 resources do not name a patient and were not read: 2 AllergyIntolerance.\n\
        Not looked into: 1 Condition, 1 Observation, 1 Practitioner.\n\
        Kinds that cannot be read: 2 Immunization, 1 DocumentReference.\n\
        2 resources are broken and could not be read.\n>>>";
    let (prompt, left_out) = run(8192);
    assert!(prompt.contains(gaps) && left_out == 0, "{prompt}");
    assert!(!prompt.contains("had no room"));
    let (prompt, left_out) = run(480);
    assert!((1..3).contains(&left_out), "{left_out}");
    let without_room = format!("{left_out} facts that were found had no room here.\n{gaps}");
    assert!(prompt.contains(&without_room), "{prompt}");
}

#[test]
fn gaps_that_have_no_room_are_said_in_one_line() {
    let others: Vec<String> = (0..12)
        .map(|kind| {
            let letter = char::from(b'A' + kind).to_string();
            format!(
                r#"{{"resource": {{"resourceType": "{}"}}}}, "#,
                letter.repeat(40)
            )
        })
        .collect();
    let bundle = page_of(1, &others.concat());
    let prompt = |limit| {
        let mut model = Script::new(|stage, _| match stage {
            Stage::Facts => "NONE".to_owned(),
            Stage::Answer => "Nothing.".to_owned(),
            _ => r#"["Observation"]"#.to_owned(),
        });
        let options = NavigatorOptions::default().with_max_prompt_tokens(limit);
        let outcome = navigate(&bundle, "?", &mut model, &options)?;
        Ok(asked(&outcome)
            .last()
            .map(|call| call.prompt.clone())
            .expect("a prompt"))
    };
    let mut limit = 50;
    let prompt_of_least = loop {
        match prompt(limit) {
            Ok(prompt) => break prompt,
            Err(Error::NoRoom { needed, stage, .. }) => {
                assert_ne!(stage, Stage::Answer, "{needed}");
                limit = needed;
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert!(prompt_of_least.contains("(none)\nNot all of the record was read.\n>>>"));
    let whole = prompt(8192).expect("an outcome");
    assert!(
        whole.contains("Kinds that cannot be read") && !whole.contains("Not all of the record")
    );
}
