//! Whole excerpts in tokens of Gemma's kind of tokenizer, against those that `golden/excerpts.py` makes without this crate.

use medgemma_records::{Bundle, Excerpt, ExcerptOptions, Kind};
use medgemma_tokenizer::Tokenizer;
use serde_json::{Value, json};

fn tokenizer() -> Tokenizer {
    let file = include_bytes!("../../../examples/report/model/tokenizer.json");
    Tokenizer::from_bytes("tokenizer.json", file).expect("a tokenizer")
}

fn bundle(name: &str) -> Bundle {
    let page = match name {
        "type2_diabetes" => include_str!("golden/type2_diabetes.json"),
        _ => include_str!("golden/ckd_stage3.json"),
    };
    Bundle::from_json(&[page]).expect("a bundle")
}

fn texts(value: &Value) -> Vec<&str> {
    let list = value.as_array().expect("a list");
    list.iter()
        .map(|text| text.as_str().expect("a text"))
        .collect()
}

/// In the form of the golden file.
fn described(excerpt: &Excerpt) -> [Value; 4] {
    let shown = excerpt
        .shown
        .iter()
        .map(|it| json!([it.reference.as_str(), it.points, it.tokens]));
    let omitted = excerpt
        .omitted
        .iter()
        .map(|it| json!([it.reference.as_str(), format!("{:?}", it.reason), it.tokens]));
    let lines: Vec<&str> = excerpt.text.lines().collect();
    [
        json!(lines),
        json!(excerpt.tokens),
        shown.collect(),
        omitted.collect(),
    ]
}

#[test]
fn whole_excerpts_are_as_another_program_makes_them() {
    let tokenizer = tokenizer();
    let count = |text: &str| tokenizer.encode(text).expect("ids").len();
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("golden/excerpts.json")).expect("cases");
    assert_eq!(cases.len(), 5);
    for case in &cases {
        let kinds = texts(&case["kinds"]).into_iter().map(Kind::from_name);
        let kinds: Vec<Kind> = kinds.collect::<Option<_>>().expect("kinds");
        let budget = usize::try_from(case["budget"].as_u64().expect("a number")).expect("a budget");
        let options = ExcerptOptions::default()
            .with_budget(budget)
            .with_kinds(kinds);
        let question = case["question"].as_str().expect("a text");
        let excerpt = bundle(case["bundle"].as_str().expect("a name"))
            .excerpt(question, &options, &count)
            .expect("an excerpt");
        let expected = ["text", "tokens", "shown", "omitted"];
        for (found, key) in described(&excerpt).iter().zip(expected) {
            assert_eq!(found, &case[key], "{key} of `{question}` in {budget}");
        }
        assert_eq!(
            excerpt.text,
            excerpt.text.trim_start().trim_end().to_owned() + "\n"
        );
    }
}

#[test]
fn a_budget_in_tokens_holds_exactly() {
    let tokenizer = tokenizer();
    let count = |text: &str| tokenizer.encode(text).expect("ids").len();
    let bundle = bundle("ckd_stage3");
    let within = |budget: usize| {
        let options = ExcerptOptions::default().with_budget(budget);
        bundle
            .excerpt("HbA1c", &options, &count)
            .expect("an excerpt")
    };
    let whole = within(usize::MAX).tokens;
    assert!(whole > 1000);
    for budget in (0..=whole).rev().step_by(11).chain([whole - 1, 1, 0]) {
        let excerpt = within(budget);
        assert!(excerpt.tokens <= budget);
        assert_eq!(excerpt.tokens, count(&excerpt.text));
        assert_eq!(excerpt.omitted.is_empty(), budget == whole, "{budget}");
        assert_eq!(
            excerpt.shown.len() + excerpt.omitted.len(),
            bundle.records().len()
        );
        // Room that is left is too small for whatever comes first of the rest, its heading and the notice of the others.
        if let Some(next) = excerpt.omitted.first().filter(|_| budget > 300) {
            assert!(budget - excerpt.tokens < next.tokens + 150, "{budget}");
        }
    }
}
