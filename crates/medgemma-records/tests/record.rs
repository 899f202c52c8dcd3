//! Reading, excerpts and facts: carebundle's bundles against lines written by another program, and cases by hand.

mod pages;

use medgemma_records::{
    Bundle, Error, ExcerptOptions, Facts, Kind, Limits, Malformed, ReadOptions, Reason, Shown,
    WhyUnread, WhyUnsupported,
};
use pages::{bundle, page, words};

#[test]
fn carebundles_records_are_written_as_another_program_writes_them() {
    for (json, lines) in [
        (
            include_str!("golden/type2_diabetes.json"),
            include_str!("golden/type2_diabetes.lines"),
        ),
        (
            include_str!("golden/ckd_stage3.json"),
            include_str!("golden/ckd_stage3.lines"),
        ),
    ] {
        let bundle = Bundle::from_json(&[json]).expect("a bundle");
        let found: Vec<String> = bundle
            .records()
            .iter()
            .map(|record| record.line())
            .collect();
        for line in lines.lines() {
            assert!(found.iter().any(|found| found == line), "lacks {line}");
        }
        assert!(lines.lines().count() > 5);
        assert_eq!(bundle.patients().len(), 1);
        assert_eq!(bundle.unread(), []);
    }
}

#[test]
fn a_budget_holds_at_its_bound_and_omissions_are_listed() {
    let bundle =
        Bundle::from_json(&[include_str!("golden/type2_diabetes.json")]).expect("a bundle");
    let all = bundle
        .excerpt(
            "glucose",
            &ExcerptOptions::default().with_budget(1 << 20),
            &str::len,
        )
        .expect("an excerpt");
    assert_eq!(all.tokens, all.text.len());
    assert!(all.omitted.is_empty());
    for budget in [all.tokens, all.tokens - 1, 900, 200, 1, 0] {
        let options = ExcerptOptions::default().with_budget(budget);
        let cut = bundle
            .excerpt("glucose", &options, &str::len)
            .expect("an excerpt");
        assert!(cut.text.len() <= budget);
        assert_eq!(cut.tokens, cut.text.len());
        assert_eq!(cut.omitted.is_empty(), budget == all.tokens);
        assert_eq!(cut.shown.len() + cut.omitted.len(), bundle.records().len());
        assert!(
            cut.omitted
                .iter()
                .all(|omitted| omitted.reason == Reason::OverBudget && omitted.tokens > 0)
        );
        assert_eq!(
            cut.text,
            bundle
                .excerpt("glucose", &options, &str::len)
                .expect("again")
                .text
        );
    }
}

#[test]
fn a_record_that_is_too_long_keeps_no_other_out() {
    let long = "severe ".repeat(50);
    let bundle = bundle(&[
        &format!(
            r#"{{"resourceType": "Condition", "id": "long", "code": {{"text": "Asthma"}}, "note": [{{"text": "{long}"}}]}}"#
        ),
        r#"{"resourceType": "Condition", "id": "short", "code": {"text": "Hay fever"}}"#,
        r#"{"resourceType": "Procedure", "id": "last", "code": {"text": "Spirometry"}}"#,
    ]);
    let options = ExcerptOptions::default().with_budget(40);
    let excerpt = bundle
        .excerpt("asthma?", &options, &words)
        .expect("an excerpt");
    let shown: Vec<&str> = excerpt
        .shown
        .iter()
        .map(|shown| shown.reference.as_str())
        .collect();
    assert_eq!(shown, ["Condition/short", "Procedure/last"]);
    assert_eq!(excerpt.omitted.len(), 1);
    assert_eq!(excerpt.omitted[0].reference.as_str(), "Condition/long");
    assert_eq!(excerpt.omitted[0].reason, Reason::OverBudget);
    assert!(
        excerpt
            .text
            .ends_with("(Left out for lack of room: 1 Condition.)\n")
    );
}

/// A text of many lines may take far more than its lines. It is not counted again for each of them: records come in tens of
/// thousands.
#[test]
fn the_whole_is_counted_a_few_times_however_much_has_to_go() {
    let all: Vec<String> = (0..300)
        .map(|id| {
            format!(
                r#"{{"resourceType": "Condition", "id": "{id}", "code": {{"text": "Asthma"}}}}"#
            )
        })
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let wholes = std::cell::Cell::new(0);
    let count = |text: &str| {
        let lines = text.lines().count();
        wholes.set(wholes.get() + usize::from(lines > 1));
        words(text) + 5 * (lines - 1)
    };
    let options = ExcerptOptions::default().with_budget(900);
    let excerpt = bundle(&all)
        .excerpt("", &options, &count)
        .expect("an excerpt");
    assert!(wholes.get() <= 4, "{}", wholes.get());
    assert!(excerpt.tokens <= 900 && excerpt.shown.len() > 40);
    assert_eq!(excerpt.shown.len() + excerpt.omitted.len(), 300);
}

#[test]
fn what_is_asked_for_comes_first_then_flags_then_time() {
    let observation = |id: &str, title: &str, date: &str, code: &str| {
        format!(
            r#"{{"resourceType": "Observation", "id": "{id}", "code": {{"text": "{title}"}}, "effectiveDateTime": "{date}",
            "interpretation": [{{"coding": [{{"code": "{code}"}}]}}]}}"#
        )
    };
    let all = [
        observation("old", "Glucose", "2016-01-01", "N"),
        observation("other", "Sodium", "2026-01-01", "N"),
        observation("flagged", "Potassium", "2026-01-01", "HH"),
        observation("new", "Glucose", "2026-01-01T01:00:00Z", "N"),
    ];
    let bundle = bundle(&all.each_ref().map(String::as_str));
    let excerpt = bundle
        .excerpt("glucose?", &ExcerptOptions::default(), &words)
        .expect("an excerpt");
    let order: Vec<&str> = excerpt
        .shown
        .iter()
        .map(|shown| shown.reference.as_str())
        .collect();
    assert_eq!(
        order,
        [
            "Observation/new",
            "Observation/flagged",
            "Observation/old",
            "Observation/other"
        ]
    );
    let lines: Vec<&str> = excerpt
        .text
        .lines()
        .skip(1)
        .map(|line| line.split(']').next().unwrap_or(""))
        .collect();
    assert_eq!(
        lines,
        [
            "[Observation/new",
            "[Observation/other",
            "[Observation/flagged",
            "[Observation/old"
        ]
    );
}

#[test]
fn what_holds_now_is_not_old_and_allergies_come_behind_the_patient() {
    let result = |id: &str, date: &str, code: &str| {
        format!(
            r#"{{"resourceType": "Observation", "id": "{id}", "code": {{"text": "Heart rate"}}, "effectiveDateTime": "{date}",
            "interpretation": [{{"coding": [{{"code": "{code}"}}]}}]}}"#
        )
    };
    let stated = |kind: &str, id: &str, members: &str| {
        format!(
            r#"{{"resourceType": "{kind}", "id": "{id}", "code": {{"text": "{id}"}}, {members}}}"#
        )
    };
    let is = |status: &str| format!(r#""clinicalStatus": {{"coding": [{{"code": "{status}"}}]}}"#);
    let since = format!(r#""onsetDateTime": "2010", {}"#, is("active"));
    let all = [
        result("normal", "2026-06-01", "N"),
        result("flagged", "2026-05-01", "HH"),
        result("old", "2022-06-01", "HH"),
        stated("Condition", "chronic", &since),
        stated("Condition", "over", &is("resolved")),
        stated("AllergyIntolerance", "penicillin", &since),
        stated("AllergyIntolerance", "latex", r#""onsetDateTime": "2010""#),
        stated("AllergyIntolerance", "outgrown", &is("resolved")),
        r#"{"resourceType": "Patient", "id": "p"}"#.to_owned(),
    ];
    let bundle = bundle(&all.each_ref().map(String::as_str));
    let order = |question: &str| {
        let excerpt = bundle.excerpt(question, &ExcerptOptions::default(), &words);
        let shown = excerpt.expect("an excerpt").shown;
        let of = |it: &Shown| (it.reference.as_str().to_owned(), it.points);
        shown.iter().map(of).collect::<Vec<_>>()
    };
    let expected = [
        ("Patient/p", 100),
        ("AllergyIntolerance/penicillin", 45),
        ("AllergyIntolerance/latex", 45),
        // An abnormal result of now is not pushed out by what began long ago.
        ("Observation/flagged", 35),
        ("Condition/chronic", 35),
        ("Observation/normal", 20),
        ("Observation/old", 19),
        ("Condition/over", -15),
        ("AllergyIntolerance/outgrown", -15),
    ];
    assert_eq!(
        order(""),
        expected.map(|(name, points)| (name.to_owned(), points))
    );
    // What is asked for by name still comes before an allergy.
    assert_eq!(order("heart rate?")[1].0, "Observation/flagged");
}

#[test]
fn allergies_push_nothing_out_that_is_recent_and_was_asked_for() {
    let allergy = |id: usize| {
        format!(
            r#"{{"resourceType": "AllergyIntolerance", "id": "{id}", "code": {{"text": "Food"}}, "onsetDateTime": "2025",
            "clinicalStatus": {{"coding": [{{"code": "active"}}]}}}}"#
        )
    };
    let result = |title: &str| {
        format!(
            r#"{{"resourceType": "Observation", "id": "{title}", "code": {{"text": "{title}"}}, "effectiveDateTime": "2026-01-05"}}"#
        )
    };
    let mut all: Vec<String> = (0..20).map(allergy).collect();
    all.extend([result("Potassium"), result("Sodium")]);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let options = ExcerptOptions::default().with_budget(40);
    for question in ["Potassium?", "Which values are there?"] {
        let excerpt = bundle(&all).excerpt(question, &options, &words);
        let first = &excerpt.expect("an excerpt").shown[0].reference;
        assert_eq!(first.as_str(), "Observation/Potassium", "{question}");
    }
}

#[test]
fn standing_and_errors_are_never_mistaken() {
    let condition = |id: &str, clinical: &str, verification: &str| {
        format!(
            r#"{{"resourceType": "Condition", "id": "{id}", "code": {{"text": "Asthma"}},
            "clinicalStatus": {{"coding": [{{"code": "{clinical}"}}]}},
            "verificationStatus": {{"coding": [{{"code": "{verification}"}}]}}}}"#
        )
    };
    let all = [
        condition("over", "resolved", "confirmed"),
        condition("now", "active", "confirmed"),
        condition("not", "active", "refuted"),
        condition("error", "active", "entered-in-error"),
    ];
    let bundle = bundle(&all.each_ref().map(String::as_str));
    let excerpt = bundle
        .excerpt("", &ExcerptOptions::default(), &words)
        .expect("an excerpt");
    let order: Vec<&str> = excerpt
        .shown
        .iter()
        .map(|shown| shown.reference.as_str())
        .collect();
    assert_eq!(order, ["Condition/now", "Condition/over", "Condition/not"]);
    assert!(
        excerpt
            .text
            .contains("[Condition/over] undated Asthma; status: resolved")
    );
    assert!(
        excerpt
            .text
            .contains("[Condition/not] undated Asthma; verification: refuted; status: active")
    );
    assert_eq!(excerpt.omitted[0].reason, Reason::EnteredInError);
}

#[test]
fn what_was_entered_in_error_is_shown_of_no_kind() {
    let of = |kind: &str, status: &str| {
        format!(r#"{{"resourceType": "{kind}", "id": "{status}", "status": "{status}"}}"#)
    };
    let kinds = [
        Kind::MedicationRequest,
        Kind::MedicationStatement,
        Kind::MedicationAdministration,
        Kind::Medication,
        Kind::Observation,
        Kind::DiagnosticReport,
        Kind::Procedure,
        Kind::ServiceRequest,
        Kind::Encounter,
        Kind::FamilyMemberHistory,
    ];
    let all = kinds.map(|kind| {
        [
            of(kind.name(), "entered-in-error"),
            of(kind.name(), "unknown"),
        ]
    });
    let all: Vec<&str> = all.iter().flatten().map(String::as_str).collect();
    let excerpt = bundle(&all)
        .excerpt("", &ExcerptOptions::default(), &words)
        .expect("an excerpt");
    assert!(!excerpt.text.contains("entered-in-error"));
    assert!(
        excerpt
            .shown
            .iter()
            .all(|it| kinds.contains(&it.reference.kind()))
    );
    assert_eq!(excerpt.shown.len(), kinds.len());
    let left_out: Vec<(Kind, Reason)> = excerpt
        .omitted
        .iter()
        .map(|it| (it.kind, it.reason))
        .collect();
    assert_eq!(left_out, kinds.map(|kind| (kind, Reason::EnteredInError)));
}

#[test]
fn values_ranges_and_contained_resources() {
    let bundle = bundle(&[
        r#"{"resourceType": "Observation", "id": "k", "code": {"text": "Potassium"}, "valueQuantity": {"value": 6.10, "unit": "mmol/L"},
            "referenceRange": [{"low": {"value": 3.5, "unit": "mmol/L"}, "high": {"value": 5.1, "unit": "mmol/L"}}]}"#,
        r##"{"resourceType": "MedicationRequest", "id": "m", "status": "stopped", "medicationReference": {"reference": "#x"},
            "doNotPerform": true, "contained": [{"resourceType": "Medication", "id": "x", "code": {"text": "Warfarin"}}]}"##,
    ]);
    let lines: Vec<String> = bundle
        .records()
        .iter()
        .map(|record| record.line())
        .collect();
    assert_eq!(
        lines,
        [
            "[Observation/k] undated Potassium: 6.10 mmol/L; reference range: 3.5 to 5.1 mmol/L; compared: above the reference range",
            "[MedicationRequest/m] undated Warfarin; order: DO NOT give or perform this; status: stopped",
            "[MedicationRequest/m#x] undated Warfarin",
        ]
    );
    assert!(bundle.records()[0].summary().abnormal);
}

#[test]
fn patients_are_not_mixed_and_repeated_resources_come_once() {
    let of = |id: &str, patient: &str, updated: &str| {
        format!(
            r#"{{"resourceType": "Procedure", "id": "{id}", "code": {{"text": "{updated}"}}, "meta": {{"lastUpdated": "{updated}"}},
            "subject": {{"reference": "Patient/{patient}"}}}}"#
        )
    };
    let first = page(&[
        r#"{"resourceType": "Patient", "id": "a"}"#,
        &of("1", "a", "2024"),
        &of("2", "b", "2024"),
    ]);
    let second = page(&[&of("1", "a", "2025"), r#"{"resourceType": "Immunization"}"#]);
    let bundle = Bundle::from_json(&[&first, &second]).expect("a bundle");
    assert_eq!(bundle.patients().len(), 2);
    assert!(matches!(
        bundle.excerpt("", &ExcerptOptions::default(), &words),
        Err(Error::SeveralPatients { found: 2 })
    ));
    let options = ExcerptOptions::default().with_patient(bundle.patients()[0].clone());
    let excerpt = bundle.excerpt("", &options, &words).expect("an excerpt");
    assert!(
        excerpt.text.contains("[Procedure/1] undated 2025")
            && !excerpt.text.contains("Procedure/2")
    );
    assert_eq!(excerpt.omitted[0].reason, Reason::OtherPatient);
    let why: Vec<&WhyUnread> = bundle.unread().iter().map(|unread| &unread.why).collect();
    assert_eq!(
        why,
        [
            &WhyUnread::OtherKind("Immunization".to_owned()),
            &WhyUnread::Repeated
        ]
    );
}

#[test]
fn errors_name_the_place_and_nothing_of_the_patient() {
    let bad = page(&[
        r#"{"resourceType": "Observation", "id": "SECRET", "valueQuantity": {"value": "SECRET, expected a string"}}"#,
    ]);
    let error = Bundle::from_json(&[&bad]).expect_err("no number");
    let Error::Resource {
        place,
        key,
        expected,
        found,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (place.entry, place.kind, key.as_str()),
        (0, Some(Kind::Observation), "valueQuantity.value")
    );
    assert_eq!((*expected, *found), ("a number", "a string"));
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains("SECRET"), "{text}");
    }
    let skip = ReadOptions::default().with_malformed(Malformed::Skip);
    let bundle = Bundle::from_json_with(&[&bad], &skip).expect("a bundle");
    assert_eq!(
        bundle.unread()[0].why,
        WhyUnread::Malformed("valueQuantity.value".to_owned())
    );
    assert!(matches!(
        Bundle::from_json(&["{"]),
        Err(Error::Syntax { line: 1, .. })
    ));
    assert!(matches!(
        Bundle::from_json(&[r#"{"resourceType": "Patient"}"#]),
        Err(Error::NotABundle { .. })
    ));
    let one = ReadOptions::default().with_limits(Limits::default().with_max_resources(1));
    let two = page(&[r#"{"resourceType": "Patient"}"#, r#"{"resourceType": "X"}"#]);
    assert!(matches!(
        Bundle::from_json_with(&[&two], &one),
        Err(Error::Limit {
            what: "max_resources",
            ..
        })
    ));
}

#[test]
fn facts_need_a_citation_of_what_was_shown() {
    let bundle = bundle(&[
        r#"{"resourceType": "Observation", "id": "1", "code": {"text": "HbA1c"}, "effectiveDateTime": "2026-01-05", "valueQuantity": {"value": 7.9}}"#,
        r#"{"resourceType": "Condition", "id": "2", "code": {"text": "Asthma"}}"#,
    ]);
    let options = ExcerptOptions::default().with_kinds([Kind::Observation]);
    let excerpt = bundle.excerpt("", &options, &words).expect("an excerpt");
    let answer = "- 7.9 [Observation/1]\n- 9.7 (observation/1)\n- asthma [Condition/2]\n- x [Observation/3]\n- y\nNONE";
    let facts = Facts::read(answer, &bundle, &excerpt);
    assert_eq!(facts.facts.len(), 2);
    assert!(facts.facts[0].unfounded_numbers.is_empty());
    assert_eq!(facts.facts[1].unfounded_numbers, ["9.7"]);
    assert_eq!(
        facts.facts[0].date.as_ref().map(|date| date.as_str()),
        Some("2026-01-05")
    );
    let why: Vec<&WhyUnsupported> = facts.unsupported.iter().map(|it| &it.why).collect();
    assert!(matches!(
        why[..],
        [
            WhyUnsupported::NotShown(_),
            WhyUnsupported::UnknownRecord(1),
            WhyUnsupported::NoCitation
        ]
    ));
}

#[test]
fn a_days_digits_found_no_value() {
    let bundle = bundle(&[
        r#"{"resourceType": "Observation", "id": "k", "code": {"text": "Potassium"}, "effectiveDateTime": "2026-01-05",
            "valueQuantity": {"value": 7.9, "comparator": ">", "unit": "mmol/L"}}"#,
    ]);
    let excerpt = bundle.excerpt("", &ExcerptOptions::default(), &words);
    let excerpt = excerpt.expect("an excerpt");
    for (said, unfounded) in [
        ("Potassium was 5 mmol/L", "5"),
        ("Potassium was 7.9 mmol/L", "7.9"),
        ("Potassium was above 7.9 mmol/L on 5 January 2026", ""),
        ("Potassium was >7.9 mmol/L on 2026-01-06", "2026-01-06"),
    ] {
        let facts = Facts::read(&format!("{said} [Observation/k]"), &bundle, &excerpt);
        assert_eq!(
            facts.facts[0].unfounded_numbers.join(" "),
            unfounded,
            "{said}"
        );
    }
}

#[test]
fn a_fact_that_is_said_again_is_one_fact() {
    let bundle = bundle(&[
        r#"{"resourceType": "Condition", "id": "1", "code": {"text": "Asthma"}}"#,
        r#"{"resourceType": "Condition", "id": "2", "code": {"text": "Asthma"}}"#,
    ]);
    let excerpt = bundle
        .excerpt("", &ExcerptOptions::default(), &words)
        .expect("an excerpt");
    let answer = "- asthma [Condition/1]\n1. **asthma** (condition/1)\n- asthma [Condition/2]";
    let facts = Facts::read(answer, &bundle, &excerpt);
    let said: Vec<String> = facts.facts.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["asthma [Condition/1]", "asthma [Condition/2]"]);
    assert_eq!(facts.unsupported, []);
}

#[test]
fn every_record_can_be_cited_as_it_is_shown() {
    let of = |id: &str| {
        format!(r#"{{"resourceType": "Condition", "id": "{id}", "code": {{"text": "Asthma"}}}}"#)
    };
    let all = [
        "a.b-c",
        "end.",
        "end-",
        "A.B-C",
        "0123456789abcdef",
        "0123456789abcdefg",
        "no id!",
    ]
    .map(of);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let bundle = bundle(&all);
    let names: Vec<&str> = bundle
        .records()
        .iter()
        .map(|it| it.reference().as_str())
        .collect();
    assert_eq!(
        names,
        [
            "Condition/a.b-c",
            "Condition/#2",
            "Condition/#3",
            "Condition/A.B-C",
            "Condition/0123456789abcdef",
            "Condition/#6",
            "Condition/#7",
        ]
    );
    let excerpt = bundle
        .excerpt("", &ExcerptOptions::default(), &words)
        .expect("an excerpt");
    for name in names {
        let answer = format!("Wheezes, as of {name}.");
        let facts = Facts::read(&answer, &bundle, &excerpt);
        let sources: Vec<&str> = facts
            .facts
            .iter()
            .map(|fact| fact.source.as_str())
            .collect();
        assert_eq!(sources, [name]);
    }
    // FHIR's own name is taken too; in another case only where one record can be meant.
    let found = |name: &str| bundle.find(name).map(|it| it.reference().as_str());
    assert_eq!(found("Condition/0123456789abcdefg"), Some("Condition/#6"));
    assert_eq!(
        found("condition/0123456789ABCDEF"),
        Some("Condition/0123456789abcdef")
    );
    assert_eq!(found("condition/a.b-c"), None);
}

#[test]
fn what_was_entered_in_error_is_not_named_by_others_nor_makes_them_old() {
    let bundle = bundle(&[
        r#"{"resourceType": "Condition", "id": "wrong", "code": {"text": "Gout"}, "recordedDate": "2099-01-01",
            "verificationStatus": {"coding": [{"code": "entered-in-error"}]}}"#,
        r#"{"resourceType": "Condition", "id": "right", "code": {"text": "Asthma"}}"#,
        r#"{"resourceType": "Observation", "id": "wrong", "status": "entered-in-error"}"#,
        r#"{"resourceType": "Observation", "id": "right", "status": "final"}"#,
        r#"{"resourceType": "Encounter", "id": "1", "period": {"start": "2026-01-01"}, "diagnosis": [
            {"condition": {"reference": "Condition/wrong"}}, {"condition": {"reference": "Condition/right"}}],
            "reasonReference": [{"reference": "Condition/wrong", "display": "Gout"}]}"#,
        r#"{"resourceType": "DiagnosticReport", "id": "1", "effectiveDateTime": "2025-06-01", "result": [
            {"reference": "Observation/wrong"}, {"reference": "Observation/right"}]}"#,
    ]);
    let excerpt = bundle
        .excerpt("", &ExcerptOptions::default(), &words)
        .expect("an excerpt");
    assert_eq!(
        excerpt.text,
        "## Condition\n[Condition/right] undated Asthma\n\
         ## Observation\n[Observation/right] undated unnamed; status: final\n\
         ## DiagnosticReport\n[DiagnosticReport/1] 2025-06-01 unnamed; results: Observation/right\n\
         ## Encounter\n[Encounter/1] 2026-01-01 unnamed; diagnosis: Asthma\n"
    );
    let points: Vec<i64> = excerpt.shown.iter().map(|shown| shown.points).collect();
    assert_eq!(points, [20, 20, 0, 0]);
}

#[test]
fn files_are_read_up_to_their_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("page.json");
    let text = page(&[r#"{"resourceType": "Condition", "code": {"text": "Ménière's disease"}}"#]);
    std::fs::write(&path, format!("\u{feff}{text}")).expect("a file");
    let bundle = Bundle::read(&[&path]).expect("a bundle");
    assert_eq!(bundle.records().len(), 1);
    let size = text.len() + 3;
    let within = |bytes| {
        let options = ReadOptions::default().with_limits(Limits::default().with_max_bytes(bytes));
        Bundle::read_with(&[&path], &options)
    };
    assert!(within(size).is_ok());
    // Some of these bounds lie within a letter.
    for bytes in 0..size {
        let error = within(bytes).expect_err("a limit");
        let at = error.to_string();
        assert!(matches!(error, Error::Limit { what: "max_bytes", limit, .. } if limit == bytes));
        assert!(at.starts_with(&path.display().to_string()));
    }
    std::fs::write(&path, b"\xff{}").expect("a file");
    assert!(matches!(Bundle::read(&[&path]), Err(Error::Io { .. })));
    std::fs::remove_file(&path).expect("to be removed");
    assert!(matches!(Bundle::read(&[&path]), Err(Error::Io { .. })));
}

/// It would be waited for.
#[cfg(unix)]
#[test]
fn a_pipe_is_no_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("page.json");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo").success());
    let error = Bundle::read(&[&path]).expect_err("no file");
    assert!(
        matches!(&error, Error::Io { path: found, .. } if *found == path),
        "{error}"
    );
    assert!(error.to_string().contains("not a regular file"), "{error}");
}

#[test]
fn texts_are_as_long_as_the_limit_lets_them_be() {
    let page = page(&[r#"{"resourceType": "Condition", "code": {"text": "Asthma"}}"#]);
    for (characters, title, cut) in [(6, "Asthma", 0), (4, "Asth … (2 more characters)", 2)] {
        let limits = Limits::default().with_max_text(characters);
        let options = ReadOptions::default().with_limits(limits);
        let bundle = Bundle::from_json_with(&[&page], &options).expect("a bundle");
        let summary = bundle.records()[0].summary();
        assert_eq!((summary.title.as_str(), summary.cut), (title, cut));
    }
}

/// Words of patients' records, in what has no text by itself: whoever logs it logs none of them.
#[test]
fn parts_of_a_record_are_debugged_without_what_they_say() {
    let bundle = bundle(&[
        r#"{"resourceType": "Condition", "id": "77", "subject": {"reference": "Patient/99172"}, "onsetDateTime": "1931-07-23",
            "code": {"text": "Quagmire's disease", "coding": [{"system": "http://loinc.org", "code": "5551-9"}]},
            "note": [{"text": "Quagmire"}]}"#,
    ]);
    let summary = bundle.records()[0].summary();
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        bundle.manifest(None).expect("a manifest"),
        summary.codes,
        summary.details,
        summary.date
    );
    assert_eq!(
        shown,
        "Manifest { kinds: [KindEntry { kind: Condition, records: 1, titles: 1, codes: 1 }] } \
         [Code { system: \"LOINC\", .. }] [Detail { label: \"note\", .. }] Some(Date { .. })"
    );
}

#[test]
fn a_fact_of_several_records_has_the_newest_date_and_each_source_once() {
    let bundle = bundle(&[
        r#"{"resourceType": "Observation", "id": "1", "effectiveDateTime": "2025-01-05", "valueQuantity": {"value": 7}}"#,
        r#"{"resourceType": "Observation", "id": "2", "effectiveDateTime": "2026-01-05", "valueQuantity": {"value": 8}}"#,
        r#"{"resourceType": "Observation", "id": "3"}"#,
    ]);
    let excerpt = bundle
        .excerpt("", &ExcerptOptions::default(), &words)
        .expect("an excerpt");
    let answer = "Rose from 7 [Observation/1] to 8 [Observation/2, observation/1, Observation/3]";
    let facts = Facts::read(answer, &bundle, &excerpt);
    let fact = &facts.facts[0];
    let sources: Vec<&str> = fact.sources().map(|it| it.as_str()).collect();
    assert_eq!(sources, ["Observation/1", "Observation/2", "Observation/3"]);
    assert_eq!(
        fact.date.as_ref().map(|date| date.as_str()),
        Some("2026-01-05")
    );
    assert!(fact.unfounded_numbers.is_empty());
}
