//! The navigator with scripted models, obedient and hostile.

use medgemma_records::{
    Ask, AskError, Bundle, Error, NavigatorOptions, Reason, Stage, StageOptions, Step, Stop,
    navigate,
};
use proptest::prelude::*;

/// Answers by stage; the last answer of a stage goes on for ever.
struct Script {
    say: Box<dyn FnMut(Stage, &str) -> String>,
    asked: Vec<(Stage, StageOptions)>,
}

impl Script {
    fn new(say: impl FnMut(Stage, &str) -> String + 'static) -> Self {
        Self {
            say: Box::new(say),
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
    ) -> Result<String, AskError> {
        self.asked.push((stage, *options));
        Ok((self.say)(stage, prompt))
    }

    fn count_tokens(&self, text: &str) -> usize {
        text.len().div_ceil(4)
    }
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
fn prompts_keep_to_their_tokens() {
    for tokens in [500, 700, 1000] {
        let mut model = Script::new(|_, _| "[\"Observation\"]".to_owned());
        let options = NavigatorOptions::default()
            .with_max_prompt_tokens(tokens)
            .with_max_excerpts(1);
        let outcome = navigate(&bundle(), "?", &mut model, &options).expect("an outcome");
        for step in &outcome.trace {
            if let Step::Asked(call) = step {
                assert!(call.prompt_tokens <= tokens);
            }
        }
        assert!(
            outcome
                .omitted
                .iter()
                .any(|omitted| omitted.reason == Reason::OverBudget)
        );
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
