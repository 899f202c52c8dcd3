//! The navigator with scripted models, obedient and hostile.

mod bounds;
mod missing;

use medgemma_records::{
    Answer, Ask, AskError, Bundle, Call, Error, Kind, Malformed, Match, NavigatorOptions, Omitted,
    Outcome, ReadOptions, Reason, Stage, StageOptions, Step, Stop, navigate,
};
use proptest::prelude::*;
use serde_json::json;

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
    Bundle::from_json(&[include_str!("../golden/type2_diabetes.json")]).expect("a bundle")
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

/// For whoever has to check it, somewhere else: the names of keys and variants are as in the other crates' output.
#[test]
fn an_outcome_can_be_written_down_as_it_is() {
    let mut model = Script::new(|stage, prompt| match stage {
        Stage::Kinds => r#"["Observation"]"#.to_owned(),
        Stage::Search => r#"{"codes": ["4548-4"]}"#.to_owned(),
        Stage::Facts => {
            let line = prompt.lines().find_map(|line| line.strip_prefix('['));
            let name = line.and_then(|line| line.split_once(']'));
            let name = name.expect("a record").0;
            format!("- HbA1c is 7 of 9 [{name}]\n- he smokes\n- old [Condition/#1]")
        }
        _ => "High. [Observation/#99]".to_owned(),
    });
    let options = NavigatorOptions::default().with_max_calls(4);
    let outcome = navigate(&bundle(), "HbA1c?", &mut model, &options).expect("an outcome");
    let written = serde_json::to_value(&outcome).expect("JSON");
    let fact = &outcome.facts[0];
    assert_eq!(
        written["facts"],
        json!([{
            "text": "HbA1c is 7 of 9",
            "source": fact.source.as_str(),
            "more_sources": [],
            "date": fact.date.as_ref().expect("a date").as_str(),
            "unfounded_numbers": fact.unfounded_numbers
        }])
    );
    assert_eq!(
        written["unsupported"],
        json!([
            {"text": "he smokes", "why": "no_citation"},
            {"text": "old", "why": {"not_shown": "Condition/#1"}}
        ])
    );
    let omitted = &outcome.omitted[0];
    assert_eq!(
        written["omitted"][0],
        json!({
            "reference": omitted.reference.as_str(),
            "kind": omitted.kind.name(),
            "reason": "other_kind",
            "tokens": omitted.tokens
        })
    );
    let trace = written["trace"].as_array().expect("steps");
    assert_eq!(trace.len(), 6);
    assert_eq!(
        trace[1],
        json!({"kinds": {"kinds": ["Observation"], "picked": true}})
    );
    assert_eq!(
        trace[3],
        json!({"found": {"kind": "Observation", "records": 1, "by": "code"}})
    );
    let calls: Vec<&Call> = asked(&outcome).collect();
    assert_eq!(
        trace[4],
        json!({"asked": {
            "stage": "facts",
            "kind": "Observation",
            "attempt": 0,
            "options": {"temperature": 0.6, "max_tokens": 1000},
            "prompt": calls[2].prompt,
            "prompt_tokens": calls[2].prompt_tokens,
            "answer": calls[2].answer,
            "answer_tokens": calls[2].answer_tokens,
            "is_cut_off": false,
            "was_read": true
        }})
    );
    assert_eq!(written["answer"], "High. [Observation/#99]");
    assert_eq!(written["unfounded_citations"], json!(["Observation/#99"]));
    assert_eq!(written["stopped"], json!(null));
    let stop = serde_json::to_value(Step::Stopped(Stop::Tokens)).expect("JSON");
    assert_eq!(stop, json!({"stopped": "tokens"}));
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

/// A call that could take what is set aside for the answer is not made; one that just leaves it is.
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
        let whole = include_str!("../golden/ckd_stage3.json");
        let cut = cut.min(whole.len() - 2);
        if whole.is_char_boundary(cut) {
            prop_assert!(Bundle::from_json(&[&whole[..cut]]).is_err());
        }
    }
}
