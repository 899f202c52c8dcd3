//! Answers drawn from all that a schema allows, as no model would write them: each fulfils the schema, and
//! the type that the schema is of reads it. `MEDGEMMA_SCHEMA_CASES` sets how many are drawn.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod drawn;
mod judge;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroI32, NonZeroI64, NonZeroU8};
use std::ops::{Bound, Range};
use std::time::Duration;

use drawn::schemas;
use judge::fulfils;
use medgemma::Schema;
use medgemma_gemma3::TokenSet;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value, json};
use support::model;

fn cases(usual: u32) -> u32 {
    let wanted = std::env::var("MEDGEMMA_SCHEMA_CASES").ok();
    wanted.map_or(usual, |wanted| wanted.parse().unwrap())
}

/// `<eos>` and `<end_of_turn>` of `mm-2025`.
const STOPS: [u32; 2] = [1, 9];

/// Numbers without pattern (xorshift64).
struct Draws(u64);

impl Draws {
    fn new(seed: u64) -> Self {
        let mut draws = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..9 {
            draws.below(2);
        }
        draws
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % limit
    }
}

/// An answer drawn among the allowed ids, digits and signs more often than others, and after some tokens
/// whatever closes something; `None` for one without an end.
fn draw(schema: &Schema, seed: u64) -> Option<String> {
    let model = model();
    let mut state = model.constraint(schema).unwrap().begin().unwrap();
    let mut draws = Draws::new(seed);
    let mut allowed = TokenSet::empty(model.model().config().text.vocab_size);
    let mut text = Vec::new();
    let calm = draws.below(60);
    for step in 0..500 {
        allowed.clear();
        if !state.finished() {
            state.allow(&mut allowed).unwrap();
        }
        let ids = 0..u32::try_from(allowed.vocab_size()).unwrap();
        let (stops, next): (Vec<u32>, Vec<u32>) = ids
            .filter(|&id| allowed.contains(id))
            .partition(|id| STOPS.contains(id));
        let may_end = state.finished() || !stops.is_empty();
        if may_end && (next.is_empty() || step > calm || draws.below(4) == 0) {
            return Some(String::from_utf8(text).unwrap());
        }
        let bytes = |id: &u32| model.tokenizer().token_bytes(*id).unwrap();
        let such = |bytes_of: &dyn Fn(&[u8]) -> bool| -> Vec<u32> {
            let such = next.iter().copied();
            such.filter(|id| bytes_of(&bytes(id))).collect()
        };
        let closing = such(&|bytes| matches!(bytes, b"\"" | b"]" | b"}"));
        let number = such(&|bytes| matches!(bytes, [b'0'..=b'9' | b'-' | b'.' | b'e' | b'E']));
        let among = if step > calm && !closing.is_empty() {
            &closing
        } else if !number.is_empty() && draws.below(3) > 0 {
            &number
        } else {
            &next
        };
        let id = among[draws.below(among.len())];
        text.extend(bytes(&id));
        state.accept(id).unwrap();
    }
    None
}

/// Every answer to a type's schema that comes to an end is one of that type; all of them.
fn read<T: DeserializeOwned + JsonSchema>() -> Vec<T> {
    let schema = Schema::of::<T>().unwrap().without_reasoning();
    let drawn = (0..u64::from(cases(60))).filter_map(|seed| draw(&schema, seed));
    let read: Vec<T> = drawn
        .map(|text| {
            let wanted = std::any::type_name::<T>();
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{wanted}: {error}: {text}"))
        })
        .collect();
    assert!(!read.is_empty());
    read
}

macro_rules! read {
    ($($wanted:ty),* $(,)?) => { $( read::<$wanted>(); )* };
}

#[derive(Debug, Deserialize, JsonSchema)]
#[allow(dead_code, reason = "the fields are read by serde")]
struct Size {
    millimetres: u8,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[allow(dead_code, reason = "the fields are read by serde")]
struct Doubt {
    why: Option<i16>,
    certain: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", deny_unknown_fields)]
#[allow(dead_code, reason = "the fields are read by serde")]
enum Inside {
    Size(Size),
    Doubt(Doubt),
    Plain { change: i8 },
    Nothing,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "what")]
#[allow(dead_code, reason = "the fields are read by serde")]
enum Beside {
    Size(Size),
    Pair(u8, i32),
    Nothing,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the fields are read by serde")]
enum Untagged {
    Size(Size),
    Count(i32),
    Words(String),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[allow(dead_code, reason = "the fields are read by serde")]
enum Outside {
    Size(Size),
    Doubt(Doubt),
    Pair(u8, u32),
    Nothing,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[allow(dead_code, reason = "the fields are read by serde")]
struct Flat {
    count: u32,
    #[serde(flatten)]
    inside: Inside,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the fields are read by serde")]
struct Only {
    depth: u8,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the fields are read by serde")]
enum Either {
    Only(Only),
    Size(Size),
}

/// The schema of `Only` is beside `count`, and forbids it; serde reads both.
#[derive(Debug, Deserialize, JsonSchema)]
#[allow(dead_code, reason = "the fields are read by serde")]
struct Mixed {
    count: u8,
    #[serde(flatten)]
    either: Either,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the fields are read by serde")]
struct Branch {
    value: i8,
    #[schemars(length(max = 2))]
    branches: Vec<Branch>,
    next: Option<Box<Branch>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[allow(dead_code, reason = "the fields are read by serde")]
struct Open {
    whatever: Value,
    #[serde(flatten)]
    others: HashMap<String, i32>,
}

/// What `schemars` says of these types is enough to write what `serde` reads.
#[test]
fn types_read_what_their_schemas_allow() {
    read![
        u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, u128, i128, f32, f64
    ];
    read![
        bool,
        char,
        String,
        (),
        NonZeroU8,
        NonZeroI32,
        NonZeroI64,
        Number
    ];
    read![
        Option<i32>,
        Vec<u16>,
        VecDeque<i32>,
        [i8; 3],
        (u8, i16, f32),
        Box<u32>
    ];
    read![HashMap<String, i32>, BTreeMap<u64, bool>, BTreeMap<i64, i8>];
    read![Value, Map<String, Value>, Vec<Value>, Result<i32, String>];
    read![Duration, Range<i32>, Bound<u8>, Ipv4Addr, Ipv6Addr];
    read![Size, Beside, Untagged, Outside, Branch, Open];
}

/// Each variant can come, and nothing else with it.
#[test]
fn enums_with_a_tag_inside_have_all_their_variants() {
    let mut seen = [false; 4];
    let flat = read::<Flat>().into_iter().map(|flat| flat.inside);
    for variant in read::<Inside>().into_iter().chain(flat) {
        seen[match variant {
            Inside::Size(_) => 0,
            Inside::Doubt(_) => 1,
            Inside::Plain { .. } => 2,
            Inside::Nothing => 3,
        }] = true;
    }
    assert_eq!(seen, [true; 4]);
    let mixed = read::<Mixed>();
    let only = |mixed: &Mixed| matches!(mixed.either, Either::Only(_));
    assert!(mixed.iter().any(only) && !mixed.iter().all(only));
}

/// By the standard, and as every reader takes them: no `1e999`.
#[test]
fn what_several_schemas_say_of_one_value_holds() {
    let strict = json!({
        "type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"],
        "additionalProperties": false,
    });
    let more = json!({"type": "object", "properties": {"b": {"type": "integer"}}});
    let itself = json!({"properties": {"next": {"$ref": "#"}}});
    for schema in [
        json!({"allOf": [strict, more]}),
        json!({"type": "object", "allOf": [{"required": ["a"]}, {"required": ["b"]}]}),
        json!({"type": "array", "allOf": [{"minItems": 1}, {"maxItems": 3}]}),
        json!({"allOf": [{}, {"description": "of any kind"}]}),
        json!({"type": "object", "allOf": [itself, {"required": ["next2"]}]}),
        json!({"type": "object", "allOf": [{"patternProperties": {"^x": {"$ref": "#"}}}, {}]}),
        json!({"type": "object", "properties": {"c": {"type": "null"}}, "anyOf": [
            {"required": ["a"]}, {"properties": {"a": {"type": "boolean"}}}, true,
        ]}),
        json!({"allOf": [{"minItems": 2}, {"prefixItems": [{"type": "integer"}]}, {"type": "array"}]}),
        // What one alternative describes is of any kind by the other, and none by one that is closed.
        json!({"type": "object", "allOf": [
            {"anyOf": [{"additionalProperties": {"type": "integer"}}, {"minProperties": 1}]}, {"required": ["b"]},
        ]}),
        json!({"type": "object", "allOf": [{"properties": {"a": {"type": "integer"}}}, {"anyOf": [
            {"properties": {"b": {"type": "integer"}}, "required": ["b"]},
            {"properties": {"c": {"type": "integer"}}, "required": ["c"]},
        ]}]}),
        json!({"type": "object", "patternProperties": {"^x": {"type": "integer"}}, "anyOf": [
            {"properties": {"q": {"type": "boolean"}}, "required": ["q"]}, {"required": ["z"]},
        ]}),
        json!({"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}], "oneOf": [
            {"patternProperties": {"^x": {"type": "integer"}}, "minProperties": 2}, {"required": ["x"]},
        ]}),
        json!({"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}], "anyOf": [
            {"patternProperties": {"^x": {"type": "integer"}}, "minProperties": 2}, {"required": ["x"]},
        ]}),
        json!({"type": "array", "prefixItems": [{"type": "null"}], "anyOf": [
            {"prefixItems": [{"type": "null"}, {"type": "boolean"}]}, {"maxItems": 3},
        ]}),
    ] {
        let form =
            Schema::from_value(schema.clone()).unwrap_or_else(|error| panic!("{schema}: {error}"));
        let form = form.without_reasoning();
        let drawn: Vec<String> = (0..60).filter_map(|seed| draw(&form, seed)).collect();
        assert!(drawn.len() > 9, "{schema}");
        for text in drawn {
            let value: Value =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert!(fulfils(&value, &schema, &schema), "{text} by {schema}");
        }
    }
    let either = json!({
        "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false,
        "anyOf": [{"properties": {"b": {"type": "integer"}}, "required": ["b"]}, {"minProperties": 1}],
        "type": "object",
    });
    let either = Schema::from_value(either).unwrap().without_reasoning();
    assert!(allows(&either, r#"{"a":1}"#) && !allows(&either, r#"{"a":1,"b":2}"#));
}

/// The form itself: on one line, a space behind commas and colons or none, no `\u`.
#[test]
fn there_is_one_line_with_few_spaces_and_no_numbered_escapes() {
    let yes = json!({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 2});
    let two = json!({"type": "object", "properties": {"a": yes}, "required": ["a"]});
    let schema = Schema::from_value(two).unwrap().without_reasoning();
    let (mut narrow, mut wide) = (0, 0);
    for seed in 0..200 {
        let text = draw(&schema, seed).unwrap();
        let tight = text.replace(": ", ":").replace(", ", ",");
        assert!(!tight.contains(char::is_whitespace), "{text}");
        narrow += usize::from(text.contains(":[") && text.contains(",t"));
        wide += usize::from(text.contains(": [") && text.contains(", t"));
    }
    assert!(narrow > 5 && wide > 5, "{narrow} and {wide}");

    let model = model();
    let text = Schema::from_value(json!({"type": "string"})).unwrap();
    let form = model.constraint(&text.without_reasoning()).unwrap();
    let mut state = form.begin().unwrap();
    for next in *b"\"\\" {
        assert!(state.permits(byte(next)).unwrap());
        state.accept(byte(next)).unwrap();
    }
    assert!(state.permits(byte(b'n')).unwrap() && state.permits(byte(b'"')).unwrap());
    assert!(!state.permits(byte(b'u')).unwrap() && !state.permits(byte(b'/')).unwrap());
    // What cannot follow is an error, which has no word of the answer; it ends nothing as if complete.
    let error = state.accept(byte(b'u')).unwrap_err();
    assert!(!state.finished());
    let told = format!("{error} {error:?}");
    assert!(
        told.contains("parser stopped") && !told.contains('\\'),
        "{told}"
    );
    let mut allowed = TokenSet::empty(model.model().config().text.vocab_size);
    assert!(state.allow(&mut allowed).is_err() && state.permits(byte(b'n')).is_err());
}

/// The token of one byte.
fn byte(byte: u8) -> u32 {
    let model = model();
    let mut ids = 0..u32::try_from(model.model().config().text.vocab_size).unwrap();
    ids.find(|id| model.tokenizer().token_bytes(*id).as_deref() == Some(&[byte]))
        .unwrap()
}

/// Whether a text can be written by a schema, byte by byte.
fn allows(schema: &Schema, text: &str) -> bool {
    let mut state = model().constraint(schema).unwrap().begin().unwrap();
    let followed = text.bytes().all(|next| {
        let id = byte(next);
        let permitted = state.permits(id).unwrap();
        if permitted {
            state.accept(id).unwrap();
        }
        permitted
    });
    followed && (state.finished() || state.permits(STOPS[0]).unwrap())
}

#[test]
fn dates_are_of_days_that_there_are() {
    for (format, time) in [("date", ""), ("date-time", "T07:30:00Z")] {
        let schema = json!({"type": "string", "format": format});
        let schema = Schema::from_value(schema).unwrap().without_reasoning();
        for (date, real) in [
            ("2024-02-29", true),
            ("2023-02-29", false),
            ("1900-02-29", false),
            ("2000-02-29", true),
            ("1996-02-29", true),
            ("1998-02-29", false),
            ("2023-02-28", true),
            ("2023-02-30", false),
            ("2023-11-30", true),
            ("2023-11-31", false),
            ("2023-12-31", true),
            ("2023-10-09", true),
            ("2023-01-29", true),
            ("2023-13-01", false),
            ("2023-00-01", false),
            ("2023-02-00", false),
        ] {
            let text = format!("\"{date}{time}\"");
            assert_eq!(allows(&schema, &text), real, "{text}");
        }
    }
    // A pattern of one's own is followed beside the format, as it is.
    let own = json!({"type": "string", "format": "date", "pattern": "^2023"});
    let own = Schema::from_value(own).unwrap().without_reasoning();
    assert!(allows(&own, "\"2023-02-29\"") && !allows(&own, "\"2024-02-29\""));
}

/// Every token that ends a turn may end an answer that is one, and none before.
#[test]
fn any_stop_ends_an_answer_that_could_go_on() {
    let model = model();
    let number = json!({"type": "integer", "minimum": 0, "maximum": 99});
    let form = Schema::from_value(number).unwrap().without_reasoning();
    let mut state = model.constraint(&form).unwrap().begin().unwrap();
    let vocab_size = model.model().config().text.vocab_size;
    for complete in [false, true] {
        let mut allowed = TokenSet::empty(vocab_size);
        state.allow(&mut allowed).unwrap();
        for stop in STOPS {
            assert_eq!(allowed.contains(stop), complete);
            assert_eq!(state.permits(stop).unwrap(), complete);
        }
        state.accept(byte(b'5')).unwrap();
    }
    assert!(state.finished(), "two digits are all");
}

#[test]
fn alternatives_that_overlap_are_read_as_any_of_them() {
    let low = json!({"type": "integer", "minimum": 0, "maximum": 5});
    let high = json!({"type": "integer", "minimum": 3, "maximum": 9});
    let schema = Schema::from_value(json!({"oneOf": [low, high]})).unwrap();
    let schema = schema.without_reasoning();
    let drawn = (0..100).map(|seed| draw(&schema, seed).unwrap());
    let drawn: std::collections::BTreeSet<String> = drawn.collect();
    assert_eq!(drawn.len(), 10, "{drawn:?}");
}

#[test]
fn whatever_is_drawn_fulfils_the_schema() {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases(200))
    };
    let mut runner = TestRunner::new(config);
    let ran = runner.run(&(schemas(), any::<u64>()), |(schema, seed)| {
        let form = Schema::from_value(schema.clone())
            .unwrap()
            .without_reasoning();
        for seed in [seed, !seed] {
            let Some(text) = draw(&form, seed) else {
                continue;
            };
            let value: Value = match serde_json::from_str(&text) {
                Ok(value) => value,
                Err(error) => return Err(TestCaseError::fail(format!("{error}: {text}"))),
            };
            prop_assert!(fulfils(&value, &schema, &schema), "{text} by {schema}");
        }
        Ok(())
    });
    ran.unwrap();
}
