//! Calls, tokens and prompts keep to their limits.

use super::*;

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

/// An obedient model that is stopped in the call of this number, from 0, with `last` of its answer said.
fn stopped_in(call: usize, last: &'static str) -> Outcome {
    let mut calls = 0;
    let mut model = Script::answering(move |stage, prompt| {
        calls += 1;
        if calls > call {
            return Answer::stopped(last);
        }
        Answer::whole(match stage {
            Stage::Kinds => r#"["Observation", "Condition"]"#.to_owned(),
            Stage::Search => r#"{"codes": []}"#.to_owned(),
            Stage::Facts => {
                let line = prompt.lines().find_map(|line| line.strip_prefix('['));
                let name = line.and_then(|line| line.split_once(']'));
                format!("- it is so [{}]", name.expect("a record").0)
            }
            _ => "So it is.".to_owned(),
        })
    });
    let options = NavigatorOptions::default();
    let outcome = navigate(&bundle(), "HbA1c?", &mut model, &options).expect("an outcome");
    assert_eq!(model.asked.len(), outcome.calls);
    outcome
}

#[test]
fn a_caller_who_stops_gets_what_was_found_and_is_asked_no_more() {
    let whole = stopped_in(usize::MAX, "");
    // Kinds, and twice search and facts, and the answer.
    assert_eq!((whole.calls, whole.stopped), (6, None));
    for (call, facts) in [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 2)] {
        let outcome = stopped_in(call, "");
        assert_eq!((outcome.calls, outcome.facts.len()), (call + 1, facts));
        assert_eq!(outcome.facts[..], whole.facts[..facts]);
        assert_eq!(outcome.stopped, Some(Stop::Caller), "{call}");
        assert_eq!(outcome.answer, "");
        assert_eq!(outcome.answer_is_cut_off, call == 5);
        let [.., Step::Asked(last), Step::Stopped(Stop::Caller)] = &outcome.trace[..] else {
            panic!("{call}: {:?}", outcome.trace)
        };
        assert!(last.is_cut_off);
        // All that the model was not shown was not reached, but for kinds that it had passed over by then.
        let not_reached = |kind| {
            let of_kind = outcome.omitted.iter().filter(|it| it.kind == kind);
            of_kind.map(|it| it.reason).collect::<Vec<_>>()
        };
        let of_patient = vec![Reason::NotReached; usize::from(call < 5)];
        assert_eq!(not_reached(Kind::Patient), of_patient, "{call}");
        let of_conditions = vec![Reason::NotReached; if call < 5 { 4 } else { 0 }];
        assert_eq!(not_reached(Kind::Condition), of_conditions, "{call}");
    }
}

#[test]
fn whole_lines_of_an_answer_that_is_broken_off_count() {
    let said = "- sugar is high [Observation/#1]\n- it was lower [Observation/#2]\n- it wi";
    let outcome = stopped_in(2, said);
    let sources: Vec<&str> = outcome
        .facts
        .iter()
        .map(|fact| fact.source.as_str())
        .collect();
    assert_eq!(sources, ["Observation/#1", "Observation/#2"]);
    let omitted = outcome
        .omitted
        .iter()
        .filter(|it| it.reason == Reason::NotReached);
    // With what the list ended there may have been more of it.
    assert!(
        omitted
            .clone()
            .any(|it| it.reference.as_str() == "Observation/#2")
    );
    assert!(
        !omitted
            .clone()
            .any(|it| it.reference.as_str() == "Observation/#1")
    );
    let answered = stopped_in(5, "Sugar is high [Observation/#");
    assert_eq!(answered.answer, "Sugar is high [Observation/#");
    assert!(answered.answer_is_cut_off && answered.unfounded_citations.is_empty());
}
