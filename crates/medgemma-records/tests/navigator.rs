//! The navigator with scripted models, obedient and hostile.

use medgemma_records::{
    Answer, Ask, AskError, Bundle, Call, Error, Malformed, Match, NavigatorOptions, Omitted,
    Outcome, ReadOptions, Reason, Stage, StageOptions, Step, Stop, navigate,
};
use proptest::prelude::*;

type Say = dyn FnMut(Stage, &str) -> Answer;

/// Answers by stage; the last answer of a stage goes on for ever.
struct Script {
    say: Box<Say>,
    count: fn(&str) -> usize,
    asked: Vec<(Stage, StageOptions)>,
}

impl Script {
    fn new(mut say: impl FnMut(Stage, &str) -> String + 'static) -> Self {
        Self::answering(move |stage, prompt| Answer::whole(say(stage, prompt)))
    }

    fn answering(say: impl FnMut(Stage, &str) -> Answer + 'static) -> Self {
        Self {
            say: Box::new(say),
            count: |text| text.len().div_ceil(4),
            asked: Vec::new(),
        }
    }
}

impl Ask for Script {
    fn ask(
        &mut self,
        stage: Stage,
        prompt: &str,
        options: &StageOptions,
    ) -> Result<Answer, AskError> {
        self.asked.push((stage, *options));
        Ok((self.say)(stage, prompt))
    }

    fn count_tokens(&self, text: &str) -> usize {
        (self.count)(text)
    }
}

fn asked(outcome: &Outcome) -> impl Iterator<Item = &Call> {
    outcome.trace.iter().filter_map(|step| match step {
        Step::Asked(call) => Some(call),
        _ => None,
    })
}

fn bundle() -> Bundle {
    Bundle::from_json(&[include_str!("golden/type2_diabetes.json")]).expect("a bundle")
}

#[test]
fn an_obedient_model_is_led_to_a_cited_answer() {
    let mut model = Script::new(|stage, prompt| match stage {
        Stage::Kinds => "```json\n[\"observations\"]\n```".to_owned(),
        Stage::Search => r#"{"name": "get", "args": {"filter_code": "4548-4"}}"#.to_owned(),
        Stage::Facts => {
            let line = prompt
                .lines()
                .find(|line| line.starts_with("[Observation/"))
                .expect("a record");
            let name = &line[..=line.find(']').expect("its end")];
            format!("- HbA1c is high {name}\n- he smokes")
        }
        _ => "High. [Observation/#99] [Condition/#1]".to_owned(),
    });
    let outcome = navigate(
        &bundle(),
        "HbA1c?",
        &mut model,
        &NavigatorOptions::default(),
    )
    .expect("an outcome");
    assert_eq!(
        (
            outcome.facts.len(),
            outcome.unsupported.len(),
            outcome.calls
        ),
        (1, 1, 4)
    );
    assert_eq!(
        outcome.unfounded_citations,
        ["Observation/#99", "Condition/#1"]
    );
    assert!(outcome.stopped.is_none());
    let found = outcome.trace.iter().find_map(|step| match step {
        Step::Found { records, .. } => Some(*records),
        _ => None,
    });
    assert_eq!(found, Some(1));
    let temperatures: Vec<f64> = model
        .asked
        .iter()
        .map(|(_, options)| options.temperature)
        .collect();
    assert_eq!(temperatures, [0.0, 0.0, 0.6, 0.1]);
    assert_eq!(model.asked[3].1.max_tokens, 8000);
    let reasons = [Reason::OtherKind, Reason::OtherCode];
    assert!(
        outcome
            .omitted
            .iter()
            .all(|omitted| reasons.contains(&omitted.reason))
    );
    assert_eq!(outcome.omitted.len() + 2, bundle().records().len());
}

#[test]
fn a_model_that_picks_nothing_is_helped() {
    let mut model = Script::new(|_, _| String::new());
    let outcome = navigate(
        &bundle(),
        "Which drugs?",
        &mut model,
        &NavigatorOptions::default(),
    )
    .expect("an outcome");
    let Some((kinds, picked)) = outcome.trace.iter().find_map(|step| match step {
        Step::Kinds { kinds, picked } => Some((kinds, *picked)),
        _ => None,
    }) else {
        panic!("no kinds")
    };
    assert!(!picked);
    assert_eq!(kinds[0].name(), "MedicationRequest");
    assert_eq!(outcome.answer, "");
}

#[test]
fn calls_are_bounded_and_the_last_is_the_answer() {
    for max_calls in 1..12 {
        let mut model = Script::new(|_, _| "[\"Observation\", \"Condition\"] words".to_owned());
        let options = NavigatorOptions::default()
            .with_max_calls(max_calls)
            .with_retries(50);
        let outcome = navigate(&bundle(), "?", &mut model, &options).expect("an outcome");
        assert!(outcome.calls <= max_calls && model.asked.len() == outcome.calls);
        assert_eq!(model.asked.last().map(|asked| asked.0), Some(Stage::Answer));
        assert_eq!(outcome.stopped, Some(Stop::Calls));
        assert!(
            outcome
                .omitted
                .iter()
                .any(|omitted| omitted.reason == Reason::NotReached)
        );
    }
}

#[test]
fn all_tokens_together_are_bounded_and_the_answers_are_set_aside() {
    let stages = |options: NavigatorOptions| {
        let set = |options: NavigatorOptions, stage| {
            options.with_stage(stage, StageOptions::new(0.0, 50))
        };
        Stage::ALL.into_iter().fold(options, set)
    };
    let of = |total| {
        let options = NavigatorOptions::default()
            .with_max_prompt_tokens(1000)
            .with_max_total_tokens(total);
        stages(options).with_retries(5).with_max_calls(200)
    };
    let talk = || Script::new(|_, _| "word ".repeat(40));
    let mut ended = Vec::new();
    for total in (1050..9000).step_by(250) {
        let mut model = talk();
        let outcome = navigate(&bundle(), "HbA1c?", &mut model, &of(total)).expect("an outcome");
        let counted: usize = asked(&outcome)
            .map(|call| call.prompt_tokens + call.answer_tokens)
            .sum();
        assert_eq!(outcome.tokens, counted);
        assert!(counted <= total, "{counted} of {total}");
        assert_eq!(model.asked.last().map(|asked| asked.0), Some(Stage::Answer));
        assert!(!outcome.answer.is_empty());
        ended.push(outcome.stopped);
    }
    assert_eq!(ended.first(), Some(&Some(Stop::Tokens)));
    assert!(ended.iter().all(|stop| *stop == Some(Stop::Tokens)));
    let outcome = navigate(&bundle(), "HbA1c?", &mut talk(), &of(100_000)).expect("an outcome");
    assert_eq!(outcome.stopped, None);
    let refused = |options: &NavigatorOptions| match navigate(&bundle(), "?", &mut talk(), options)
    {
        Err(Error::Option { option, .. }) => option,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&of(1049)), "max_total_tokens");
    assert_eq!(refused(&of(2000).with_max_calls(0)), "max_calls");
    for stage in [
        StageOptions::new(f64::NAN, 1),
        StageOptions::new(-0.1, 1),
        StageOptions::new(0.0, 0),
    ] {
        assert_eq!(refused(&of(2000).with_stage(Stage::Facts, stage)), "stages");
    }
}

/// A call that could take what is set aside for the answer is not made; one that just leaves it is.
#[test]
fn tokens_are_bounded_by_what_a_call_may_take() {
    let of = |total| {
        let options = NavigatorOptions::default()
            .with_max_prompt_tokens(1000)
            .with_max_total_tokens(total)
            .with_max_calls(200);
        Stage::ALL.into_iter().fold(options, |options, stage| {
            options.with_stage(stage, StageOptions::new(0.0, 60))
        })
    };
    let run = |total| {
        // It says less than it may.
        let mut model = Script::new(|_, _| "[\"Observation\"]".to_owned());
        navigate(&bundle(), "HbA1c?", &mut model, &of(total)).expect("an outcome")
    };
    let before_the_answer = |outcome: &Outcome| {
        asked(outcome)
            .filter(|call| call.stage != Stage::Answer)
            .count()
    };
    let free = run(100_000);
    assert!(free.stopped.is_none() && before_the_answer(&free) >= 4);
    let mut taken = 0;
    let calls: Vec<&Call> = asked(&free)
        .filter(|call| call.stage != Stage::Answer)
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        let least = taken + call.prompt_tokens + 60 + 1000 + 60;
        taken += call.prompt_tokens + call.answer_tokens;
        let tight = run(least);
        assert!(before_the_answer(&tight) > number, "{least}");
        let tighter = run(least - 1);
        assert_eq!(before_the_answer(&tighter), number, "{least}");
        assert_eq!(tighter.stopped, Some(Stop::Tokens));
        assert!(!tighter.answer.is_empty());
    }
}

#[test]
fn a_model_that_talks_too_much_is_still_asked_for_the_answer() {
    let mut model = Script::new(|stage, _| match stage {
        Stage::Answer => "Unknown.".to_owned(),
        _ => "é".repeat(1 << 20),
    });
    let set_aside = 8192 + 8000;
    let options = NavigatorOptions::default().with_max_total_tokens(set_aside + 4000);
    let outcome = navigate(&bundle(), "?", &mut model, &options).expect("an outcome");
    assert_eq!(outcome.stopped, Some(Stop::Tokens));
    assert_eq!(outcome.answer, "Unknown.");
    assert!(outcome.tokens > set_aside + 4000);
    assert!(asked(&outcome).all(|call| call.answer.len() <= 1 << 18));
}

#[test]
fn an_answer_that_cannot_be_asked_for_again_is_no_stop() {
    let run = |max_calls| {
        let mut model = Script::new(|stage, _| match stage {
            Stage::Answer => String::new(),
            _ => "[\"Condition\"]".to_owned(),
        });
        let options = NavigatorOptions::default().with_max_calls(max_calls);
        navigate(&bundle(), "?", &mut model, &options).expect("an outcome")
    };
    let all = run(32).calls;
    let outcome = run(all - 1);
    assert_eq!((outcome.calls, outcome.stopped), (all - 1, None));
    assert_eq!(run(all - 2).stopped, Some(Stop::Calls));
}

#[test]
fn the_answer_is_told_what_is_missing_and_may_cite_the_patient() {
    let page = r#"{"resourceType": "Bundle", "link": [{"relation": "next"}], "entry": [
        {"resource": {"resourceType": "Patient", "id": "p", "gender": "female"}},
        {"resource": {"resourceType": "Condition", "id": "c", "verificationStatus": {"coding": [{"code": "entered-in-error"}]}}},
        {"resource": {"resourceType": "Observation", "id": "1", "note": [{"text": "NOTE"}]}},
        {"resource": {"resourceType": "Observation", "id": "2"}}]}"#;
    let run = |note: &str, max_prompt| {
        let page = page.replace("NOTE", note);
        let bundle = Bundle::from_json(&[&page]).expect("a bundle");
        let mut model = Script::new(|stage, _| match stage {
            Stage::Answer => "A woman [Patient/p], see [Observation/1].".to_owned(),
            _ => "[\"Observation\"]".to_owned(),
        });
        let options = NavigatorOptions::default().with_max_prompt_tokens(max_prompt);
        navigate(&bundle, "?", &mut model, &options).expect("an outcome")
    };
    let prompt = |outcome: &Outcome| {
        asked(outcome)
            .last()
            .map(|call| call.prompt.clone())
            .unwrap_or_default()
    };
    let whole = run("short", 8192);
    assert!(prompt(&whole).contains("The record has further pages"));
    assert!(!prompt(&whole).contains("Not all was read"));
    let cited: Vec<&str> = whole.cited.iter().map(|it| it.as_str()).collect();
    assert_eq!(cited, ["Patient/p"]);
    assert_eq!(whole.unfounded_citations, ["Observation/1"]);
    let reasons = |outcome: &Outcome| {
        let omitted = outcome.omitted.iter();
        omitted
            .map(|it| (it.reference.to_string(), it.reason))
            .collect::<Vec<_>>()
    };
    let error = || ("Condition/c".to_owned(), Reason::EnteredInError);
    assert_eq!(reasons(&whole), [error()]);
    let cut = run(&"long ".repeat(700), 600);
    assert!(prompt(&cut).contains("Not all was read: 1 resources"));
    assert_eq!(
        reasons(&cut),
        [error(), ("Observation/1".to_owned(), Reason::OverBudget)]
    );
}

/// Resources of each kind, observations as many as given, and what else a page has.
fn page_of(observations: usize, others: &str) -> Bundle {
    let observation = |id| {
        format!(
            r#"{{"resource": {{"resourceType": "Observation", "id": "o{id}", "code": {{"coding": [{{"code": "c{id}"}}]}}}}}}"#
        )
    };
    let entries: Vec<String> = (1..=observations).map(observation).collect();
    let page = format!(
        r#"{{"resourceType": "Bundle", "entry": [{others}{}]}}"#,
        entries.join(",")
    );
    let skip = ReadOptions::default().with_malformed(Malformed::Skip);
    Bundle::from_json_with(&[&page], &skip).expect("a bundle")
}

/// The names that stand at the beginning of a prompt's lines.
fn names(prompt: &str) -> Vec<&str> {
    let lines = prompt.lines().filter_map(|line| line.strip_prefix('['));
    lines
        .filter_map(|line| Some(line.split_once(']')?.0))
        .collect()
}

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

#[test]
fn a_manifest_has_the_codes_of_what_may_be_shown_and_no_others() {
    let of = |id: &str, patient: &str, status: &str| {
        format!(
            r#"{{"resource": {{"resourceType": "Observation", "status": "{status}", "subject": {{"reference": "Patient/{patient}"}},
            "code": {{"coding": [{{"code": "{id}"}}, {{"code": "{id}-too"}}]}}}}}}, "#
        )
    };
    let others = r#"{"resource": {"resourceType": "Patient", "id": "a"}}, "#.to_owned()
        + &of("mine", "a", "final")
        + &of("wrong", "a", "entered-in-error")
        + &of("theirs", "b", "final");
    let bundle = page_of(1, &others);
    let manifest = bundle
        .manifest(Some(&bundle.patients()[0]))
        .expect("a manifest");
    let codes: Vec<&str> = manifest.kinds[0].codes.iter().map(String::as_str).collect();
    assert_eq!(codes, ["mine", "mine-too"]);
}

#[test]
fn kinds_excerpts_and_retries_are_bounded() {
    let run = |options: &NavigatorOptions| {
        let mut model = Script::new(|stage, _| match stage {
            Stage::Kinds => r#"["Condition", "Observation", "Encounter"]"#.to_owned(),
            Stage::Search => "no search".to_owned(),
            _ => "NONE".to_owned(),
        });
        let outcome = navigate(&bundle(), "?", &mut model, options).expect("an outcome");
        let calls = |stage| model.asked.iter().filter(|asked| asked.0 == stage).count();
        (Stage::ALL.map(calls), outcome)
    };
    let options = NavigatorOptions::default();
    assert_eq!(run(&options).0, [1, 6, 3, 1]);
    assert_eq!(run(&options.clone().with_retries(0)).0, [1, 3, 3, 1]);
    assert_eq!(run(&options.clone().with_max_kinds(2)).0, [1, 4, 2, 1]);
    assert_eq!(run(&options.clone().with_max_kinds(0)).0, [0, 0, 0, 1]);
    // The observations need two prompts of this size.
    let narrow = options.with_retries(0).with_max_prompt_tokens(480);
    for (excerpts, observed) in [(1, 1), (2, 2), (5, 2)] {
        let (calls, outcome) = run(&narrow.clone().with_max_excerpts(excerpts));
        assert_eq!(calls, [1, 3, 2 + observed, 1]);
        // Records are shown once, and those that no prompt had room for are listed.
        let shown: usize = asked(&outcome)
            .filter(|call| call.stage == Stage::Facts)
            .map(|call| call.prompt.matches("\n[").count())
            .sum();
        let left = outcome
            .omitted
            .iter()
            .filter(|omitted| omitted.reason == Reason::OverBudget);
        assert_eq!(shown + left.count(), 4 + 13 + 1);
    }
}

#[test]
fn a_search_goes_by_code_then_title_then_category_then_takes_all() {
    for (search, by, records) in [
        (r#"{"codes": ["4548-4", "8302-2"]}"#, Match::Code, 2),
        (r#"{"codes": ["Body weight", "4548-4"]}"#, Match::Code, 1),
        (r#"{"codes": ["cholesterol"]}"#, Match::Title, 3),
        (r#"{"category": "vital-signs"}"#, Match::Category, 8),
        (r#"{"codes": ["nothing"]}"#, Match::Everything, 13),
        ("all", Match::Everything, 13),
        (r#"{"codes": []}"#, Match::All, 13),
        (r#"{"codes": ["all"]}"#, Match::All, 13),
    ] {
        let mut model = Script::new(move |stage, _| match stage {
            Stage::Kinds => r#"["Observation"]"#.to_owned(),
            _ => search.to_owned(),
        });
        let outcome = navigate(&bundle(), "?", &mut model, &NavigatorOptions::default());
        let outcome = outcome.expect("an outcome");
        let found = outcome.trace.iter().find_map(|step| match step {
            Step::Found { records, by, .. } => Some((*by, *records)),
            _ => None,
        });
        assert_eq!(found, Some((by, records)), "{search}");
    }
}

#[test]
fn prompts_keep_to_their_tokens() {
    for (tokens, all_fit) in [(440, false), (480, false), (1000, true)] {
        let mut model = Script::new(|_, _| "[\"Observation\"]".to_owned());
        let options = NavigatorOptions::default()
            .with_max_prompt_tokens(tokens)
            .with_max_excerpts(1);
        let outcome = navigate(&bundle(), "?", &mut model, &options).expect("an outcome");
        let longest = asked(&outcome).map(|call| call.prompt_tokens).max();
        assert!(longest <= Some(tokens));
        let left_out = |omitted: &Omitted| omitted.reason == Reason::OverBudget;
        assert_eq!(!outcome.omitted.iter().any(left_out), all_fit, "{tokens}");
    }
    let options = NavigatorOptions::default().with_max_prompt_tokens(50);
    let error = navigate(
        &bundle(),
        "?",
        &mut Script::new(|_, _| String::new()),
        &options,
    )
    .expect_err("no room");
    assert!(matches!(error, Error::NoRoom { .. }));
}

/// Parts of a prompt may take less each than they take together.
#[test]
fn prompts_keep_to_their_tokens_where_lines_are_dear_together() {
    let answers = |stage: Stage, prompt: &str| match stage {
        Stage::Kinds => r#"["Observation"]"#.to_owned(),
        Stage::Search => "{\"codes\": []}".to_owned(),
        Stage::Facts => {
            let names = prompt
                .lines()
                .filter_map(|line| line.strip_prefix('[')?.split_once(']'));
            let facts = names.map(|(name, said)| format!("-{said} [{name}]"));
            facts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    };
    let run = |limit| {
        let mut model = Script::new(answers);
        model.count = |text| text.len() / 4 + 20 * text.lines().count().saturating_sub(1);
        let options = NavigatorOptions::default().with_max_prompt_tokens(limit);
        navigate(&bundle(), "?", &mut model, &options)
    };
    // What is said to be needed is enough, and one less is not.
    let mut least = 50;
    let mut too_long = Vec::new();
    while let Err(error) = run(least) {
        let Error::NoRoom {
            stage,
            needed,
            limit,
            ..
        } = error
        else {
            panic!("{error}")
        };
        assert!(needed > limit && limit == least);
        let one_less = run(needed - 1);
        assert!(matches!(one_less, Err(Error::NoRoom { needed: again, .. }) if again == needed));
        too_long.push(stage);
        least = needed;
    }
    assert_eq!(too_long.first(), Some(&Stage::Kinds));
    let mut left_out = 0;
    for limit in (least..least + 700).step_by(7) {
        let outcome = run(limit).expect("an outcome");
        for call in asked(&outcome) {
            assert!(call.prompt_tokens <= limit, "{:?} in {limit}", call.stage);
        }
        // What is too long at first is shortened, not given up.
        let was_read = asked(&outcome).any(|call| call.stage == Stage::Facts);
        assert!(was_read || limit < least + 280, "{limit}, {least}");
        // A fact was left out because it, and the request for a second answer, have no room.
        if let Some(fact) = outcome.left_out.first() {
            let answered = asked(&outcome).last().map_or(0, |call| call.prompt_tokens);
            let fact = fact.to_string().len() / 4 + 20;
            assert!(answered + fact + 30 > limit, "{answered} of {limit}");
            left_out += 1;
        }
    }
    assert!(left_out > 0, "{least}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_a_model_says_it_ends(answers in prop::collection::vec("(\\PC|[\\[\\]{}\"':,/#]|Observation|Condition/#1|\n){0,60}", 1..8)) {
        let mut next = answers.into_iter().cycle();
        let mut model = Script::new(move |_, _| next.next().unwrap_or_default());
        let options = NavigatorOptions::default().with_max_calls(9).with_retries(3);
        let outcome = navigate(&bundle(), "HbA1c?", &mut model, &options).expect("an outcome");
        prop_assert!(outcome.calls <= 9);
    }

    #[test]
    fn any_text_is_a_bundle_or_an_error(text in "\\PC{0,200}", cut in 0_usize..20_000) {
        let _ = Bundle::from_json(&[&text]);
        let whole = include_str!("golden/ckd_stage3.json");
        let cut = cut.min(whole.len() - 2);
        if whole.is_char_boundary(cut) {
            prop_assert!(Bundle::from_json(&[&whole[..cut]]).is_err());
        }
    }
}
