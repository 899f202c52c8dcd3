//! Answers by a schema, from models that know nothing of JSON: what comes out is JSON of the schema
//! all the same, or an error that says why there is none. And given answers, compared.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{
    answers, ask, cpu, essence, ids, image, literate, load, model, speaker, up_to,
};
use medgemma::{
    Error, FinishReason, GenerateOptions, Image, Message, Reply, Sampling, Schema, Speculation,
};
use medgemma_gemma3::TokenSet;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The tiny models would begin a thought by chance and never end it.
fn by(schema: Value, tokens: usize) -> GenerateOptions {
    up_to(tokens).with_schema(Schema::from_value(schema).unwrap().without_reasoning())
}

fn thinking_by(schema: Value, tokens: usize) -> GenerateOptions {
    up_to(tokens).with_schema(Schema::from_value(schema).unwrap())
}

fn written(schema: Value) -> Reply {
    model()
        .chat()
        .send_with(ask("Say it."), &by(schema, 400))
        .unwrap()
}

/// `<eos>` and `<end_of_turn>` of `mm-2025`.
const STOPS: [u32; 2] = [1, 9];

/// Whether a value fulfils a schema, for the keywords that these tests use.
fn fulfils(value: &Value, schema: &Value) -> bool {
    if let Some(options) = schema["enum"].as_array() {
        return options.contains(value);
    }
    if let Some(options) = schema["anyOf"].as_array() {
        return options.iter().any(|schema| fulfils(value, schema));
    }
    let size = |key: &str, usual: usize| {
        schema[key]
            .as_u64()
            .map_or(usual, |size| usize::try_from(size).unwrap())
    };
    let within = |number: f64| {
        number
            >= schema["minimum"]
                .as_f64()
                .unwrap_or(-9_007_199_254_740_991.0)
            && number
                <= schema["maximum"]
                    .as_f64()
                    .unwrap_or(9_007_199_254_740_991.0)
    };
    match (schema["type"].as_str().unwrap(), value) {
        ("null", Value::Null) | ("boolean", Value::Bool(_)) => true,
        ("integer", Value::Number(number)) => {
            number.as_i64().is_some() && within(number.as_f64().unwrap())
        }
        ("number", Value::Number(number)) => within(number.as_f64().unwrap()),
        ("string", Value::String(text)) => {
            let length = text.chars().count();
            (size("minLength", 0)..=size("maxLength", usize::MAX)).contains(&length)
        }
        ("array", Value::Array(items)) => {
            (size("minItems", 0)..=size("maxItems", usize::MAX)).contains(&items.len())
                && items.iter().all(|item| fulfils(item, &schema["items"]))
        }
        ("object", Value::Object(map)) => {
            let none = Map::new();
            let named = schema["properties"].as_object().unwrap_or(&none);
            let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
            required
                .iter()
                .all(|name| map.contains_key(name.as_str().unwrap()))
                && map.iter().all(|(name, value)| match named.get(name) {
                    Some(schema) => fulfils(value, schema),
                    None => {
                        let others = &schema["additionalProperties"];
                        others.is_object() && fulfils(value, others)
                    }
                })
        }
        _ => false,
    }
}

/// Schemas of up to three levels, bounded so that most answers come to an end.
fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "null"})),
        Just(json!({"type": "boolean"})),
        (-300_i32..300, 0_i32..500).prop_map(|(low, wide)| {
            json!({"type": "integer", "minimum": low, "maximum": low + wide})
        }),
        (-9_i32..9, 0_i32..9).prop_map(|(low, wide)| {
            json!({"type": "number", "minimum": f64::from(low) / 2.0, "maximum": f64::from(low + wide) / 2.0 + 0.25})
        }),
        (0_usize..4, 0_usize..6).prop_map(|(least, more)| {
            json!({"type": "string", "minLength": least, "maxLength": least + more})
        }),
        prop::collection::vec("[a-zäß肺😀\"\\\\\n/ {}\\[\\],:<>]{0,8}", 1..5)
            .prop_map(|words| json!({"enum": words})),
        Just(json!({"enum": [1, "1", null, true, [1, {"a": -2.5}]]})),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            (inner.clone(), 0_usize..3, 0_usize..3).prop_map(|(items, least, more)| {
                json!({"type": "array", "items": items, "minItems": least, "maxItems": least + more})
            }),
            (prop::collection::vec((inner.clone(), any::<bool>()), 1..4)).prop_map(|properties| {
                let name = |index: usize| ["finding", "größe \"x\"", "肺", "a:b"][index];
                let required: Vec<&str> = properties.iter().enumerate()
                    .filter(|(_, (_, required))| *required).map(|(index, _)| name(index)).collect();
                let named: Map<String, Value> = properties.iter().enumerate()
                    .map(|(index, (schema, _))| (name(index).to_owned(), schema.clone())).collect();
                json!({"type": "object", "properties": named, "required": required})
            }),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|options| json!({"anyOf": options})),
            inner.prop_map(|others| {
                json!({"type": "object", "additionalProperties": others, "maxProperties": 2})
            }),
        ]
    })
}

#[test]
fn random_models_write_json_of_any_schema() {
    let (complete, all) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let thinker = load(&medgemma_testkit::checkpoint("text-27b-like"));
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(160)
    };
    let cases = (schemas(), any::<u64>(), 0_u8..4, any::<bool>());
    TestRunner::new(config)
        .run(&cases, |(schema, seed, heat, other)| {
            let sampling = Sampling::default()
                .with_temperature([0.0, 0.7, 1.5, 4.0][usize::from(heat)])
                .with_seed(seed);
            let options = by(schema.clone(), 160).with_sampling(sampling);
            let model = if other { &thinker } else { model() };
            let reply = model.generate(&[ask("hello")], &options).unwrap();
            all.fetch_add(1, Ordering::Relaxed);
            match reply.parse::<Value>() {
                Ok(value) => {
                    complete.fetch_add(1, Ordering::Relaxed);
                    prop_assert!(fulfils(&value, &schema), "{} by {schema}", reply.text);
                    prop_assert!(!reply.text.contains('\n'));
                }
                // Where names are free.
                Err(Error::RepeatedName { .. })
                    if schema.to_string().contains("additionalProperties") => {}
                Err(Error::AnswerCutOff {
                    finish: FinishReason::Length,
                    tokens: 160,
                    ..
                }) => {}
                Err(error) => prop_assert!(false, "{error}: {} by {schema}", reply.text),
            }
            Ok(())
        })
        .unwrap();
    let (complete, all) = (complete.into_inner(), all.into_inner());
    assert!(10 * complete > 7 * all, "{complete} of {all}");
}

#[test]
fn one_id_is_judged_as_all_are() {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(40)
    };
    TestRunner::new(config)
        .run(
            &(schemas(), any::<u64>(), any::<bool>()),
            |(schema, seed, reasoning)| {
                let schema = Schema::from_value(schema).unwrap();
                let schema = if reasoning {
                    schema
                } else {
                    schema.without_reasoning()
                };
                let form = model().constraint(&schema).unwrap();
                let mut state = form.begin().unwrap();
                let ids = u32::try_from(model().model().config().text.vocab_size).unwrap();
                for step in 0..30_u64 {
                    if state.finished() {
                        break;
                    }
                    let mut allowed = TokenSet::empty(ids as usize);
                    state.allow(&mut allowed).unwrap();
                    let mut next = Vec::new();
                    for id in 0..ids {
                        let permitted = state.permits(id).unwrap();
                        prop_assert_eq!(permitted, allowed.contains(id), "{} at {}", id, step);
                        if permitted && !STOPS.contains(&id) {
                            next.push(id);
                        }
                    }
                    prop_assert!(!state.permits(ids + 5).unwrap());
                    if next.is_empty() {
                        break;
                    }
                    let drawn =
                        seed.rotate_left(u32::try_from(step).unwrap() * 7) % next.len() as u64;
                    state.accept(next[usize::try_from(drawn).unwrap()]).unwrap();
                }
                Ok(())
            },
        )
        .unwrap();
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Laterality {
    Left,
    Right,
    Bilateral,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Lesion {
    side: Laterality,
    #[schemars(range(min = 1, max = 99))]
    millimetres: u8,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Verdict {
    Normal,
    Abnormal { certain: bool },
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
struct Answered {
    verdict: Verdict,
    #[schemars(length(max = 2))]
    lesions: Vec<Lesion>,
    #[schemars(length(max = 5))]
    comment: Option<String>,
}

#[test]
fn a_rust_type_is_asked_for_and_comes() {
    for seed in 0..6 {
        let sampling = Sampling::default().with_temperature(2.0).with_seed(seed);
        let schema = Schema::of::<Answered>().unwrap().without_reasoning();
        let options = up_to(300).with_sampling(sampling).with_schema(schema);
        let message = Message::user()
            .image(image("picture-a.png"))
            .text("What is seen?");
        let mut chat = model().chat();
        let answer = chat.ask_with::<Answered>(message, &options).unwrap();
        assert_eq!(answer.reply.finish, FinishReason::Complete);
        assert_eq!(answer.reply.parse::<Answered>().unwrap(), answer.value);
        assert!(answer.value.lesions.len() <= 2);
        assert!(
            answer
                .value
                .lesions
                .iter()
                .all(|lesion| (1..=99).contains(&lesion.millimetres))
        );
        let told = format!("{answer:?} {:?}", answer.reply);
        assert!(!told.contains("lesions"), "{told}");
        // The conversation goes on behind it, without a schema.
        let second = chat.send_with(ask("And now?"), &up_to(4)).unwrap();
        assert!(second.usage.cached_tokens > answer.reply.tokens.len());
    }
}

#[test]
fn an_answer_that_is_cut_off_is_told_before_it_is_parsed() {
    let whole = written(json!({"enum": ["a long answer of the model"]}));
    assert_eq!(whole.text, "\"a long answer of the model\"");
    assert_eq!(whole.finish, FinishReason::Complete);
    let length = whole.tokens.len();
    for tokens in [0, 1, length - 1, length] {
        let options = by(json!({"enum": ["a long answer of the model"]}), tokens);
        let reply = model().chat().send_with(ask("Say it."), &options).unwrap();
        let parsed = reply.parse::<String>();
        if tokens == length {
            assert_eq!(parsed.unwrap(), "a long answer of the model");
            continue;
        }
        let error = parsed.unwrap_err();
        let expected = Error::AnswerCutOff {
            finish: FinishReason::Length,
            tokens,
            reasoning: false,
        };
        assert_eq!(error.to_string(), expected.to_string());
        assert!(error.to_string().contains("max_new_tokens"));
    }
    // Given up by the caller.
    let mut chat = model().chat();
    let options = by(json!({"enum": ["a long answer of the model"]}), 40);
    let stream = chat.stream(ask("Say it."), &options).unwrap();
    let error = stream.into_reply().parse::<String>().unwrap_err();
    assert!(
        matches!(
            error,
            Error::AnswerCutOff {
                finish: FinishReason::Cancelled,
                ..
            }
        ),
        "{error}"
    );
    let told = error.to_string();
    let advised = ["stopped it", "max_new_tokens"].map(|words| told.contains(words));
    assert_eq!(advised, [true, false], "{told}");
    // A number could go on until the limit, and be JSON by chance: it is cut off all the same.
    let options = by(
        json!({"type": "integer", "minimum": 100_000, "maximum": 999_999}),
        3,
    );
    let reply = model().chat().send_with(ask("Say it."), &options).unwrap();
    assert!(
        matches!(reply.parse::<u32>(), Err(Error::AnswerCutOff { .. })),
        "{}",
        reply.text
    );
}

#[test]
fn json_of_another_type_is_an_error_without_a_word_of_it() {
    let reply = written(json!({"enum": ["Erika Mustermann"]}));
    let error = reply.parse::<Answered>().unwrap_err();
    assert!(matches!(error, Error::OtherType { line: 1, .. }), "{error}");
    let told = format!("{error} {error:?}");
    assert!(
        told.contains("Answered") && !told.contains("Erika"),
        "{told}"
    );
    let reply = written(json!({"enum": [300]}));
    assert!(matches!(reply.parse::<u8>(), Err(Error::OtherType { .. })));
    assert_eq!(reply.parse::<u16>().unwrap(), 300);
    let mut twice = written(json!({"type": "null"}));
    twice.text = r#"{"Hb": 9.1, "Hb": 13.5}"#.to_owned();
    let error = twice.parse::<Value>().unwrap_err();
    let told = format!("{error} {error:?}");
    assert!(
        told.contains("a name twice") && told.contains("column 16"),
        "{told}"
    );
    assert!(!told.contains("Hb") && !told.contains("13"), "{told}");
    let free = model().chat().send_with(ask("hello"), &up_to(3)).unwrap();
    assert!(matches!(
        free.parse::<Value>(),
        Err(Error::AnswerCutOff { .. })
    ));
}

#[test]
fn text_of_every_kind_comes_through() {
    for text in [
        "肺 é ß 😀 \u{10ffff}",
        "\"quoted\" \\ / \n\r\t\u{8}\u{c}",
        // What looks like the marks of a thought, of a turn, of an image.
        "<unused94>thought\nhidden<unused95>\nseen<end_of_turn>",
        "<start_of_image><0x41>",
        "",
    ] {
        let reply = written(json!({"enum": [text]}));
        assert_eq!(reply.parse::<String>().unwrap(), text, "{}", reply.text);
        assert_eq!(reply.reasoning, None);
    }
    let open = json!({"type": "string", "minLength": 3, "maxLength": 30});
    for seed in 0..20 {
        let options = by(open.clone(), 200)
            .with_sampling(Sampling::default().with_temperature(5.0).with_seed(seed));
        let reply = model().chat().send_with(ask("hello"), &options).unwrap();
        let length = reply.parse::<String>().unwrap().chars().count();
        assert!((3..=30).contains(&length), "{length}");
    }
}

#[test]
fn numbers_without_bounds_are_those_that_every_reader_takes() {
    for (kind, seed) in [("integer", 1), ("integer", 2), ("number", 3), ("number", 4)] {
        let options = by(
            json!({"type": "array", "items": {"type": kind}, "minItems": 5, "maxItems": 5}),
            400,
        )
        .with_sampling(Sampling::default().with_temperature(9.0).with_seed(seed));
        let reply = model().chat().send_with(ask("hello"), &options).unwrap();
        if let Ok(numbers) = reply.parse::<Vec<f64>>() {
            assert!(
                numbers
                    .iter()
                    .all(|number| number.abs() <= 9_007_199_254_740_991.0)
            );
        }
        assert!(!reply.text.contains(['e', 'E']), "{}", reply.text);
    }
}

#[test]
fn integers_have_no_negative_zero() {
    let schema = json!({
        "type": "array", "minItems": 8, "maxItems": 8,
        "items": {"type": "integer", "minimum": -1, "maximum": 1},
    });
    let mut seen = [false; 3];
    for seed in 0..12 {
        let hot = Sampling::default().with_temperature(9.0).with_seed(seed);
        let options = by(schema.clone(), 60).with_sampling(hot);
        let reply = model().generate(&[ask("hello")], &options).unwrap();
        for integer in reply.parse::<Vec<i8>>().unwrap() {
            seen[usize::try_from(integer + 1).unwrap()] = true;
        }
    }
    assert_eq!(seen, [true; 3]);
}

/// The start marker, "th", "ou", "g", "h", "t", a newline as a byte, " look", " show", the end marker.
const THOUGHT: [u32; 10] = [6, 272, 312, 405, 406, 418, 26, 327, 329, 7];

#[test]
fn a_thinking_model_reasons_first_and_in_any_words() {
    let thinker = load(speaker(&THOUGHT).path());
    let schema = json!({"enum": ["left", "right"]});
    let options = thinking_by(schema.clone(), 60);
    let reply = thinker.chat().send_with(ask("hello"), &options).unwrap();
    assert_eq!(reply.reasoning.as_deref(), Some(" look show"));
    assert!(["left", "right"].contains(&reply.parse::<String>().unwrap().as_str()));
    assert_eq!(ids(&reply)[..10], THOUGHT);
    let batch = answers(thinker.generate_batch(&[vec![ask("hello")]], &options));
    assert_eq!(essence(&batch[0]), essence(&reply));

    // A thought that only spells the marker that would end it: `<unused95>`, letter by letter.
    let spelling = [
        6, 272, 312, 405, 406, 418, 26, 362, 419, 412, 133, 417, 403, 402, 359, 355, 364, 327, 7,
    ];
    let options = thinking_by(json!({"enum": ["left"]}), 60);
    let speller = load(speaker(&spelling).path());
    let reply = speller.chat().send_with(ask("hello"), &options).unwrap();
    assert_eq!(reply.parse::<String>().unwrap(), "left");
    assert_eq!(reply.reasoning.as_deref(), Some("<unused95> look"));

    let cut = thinker
        .chat()
        .send_with(ask("hello"), &thinking_by(schema.clone(), 5))
        .unwrap();
    let error = cut.parse::<String>().unwrap_err();
    assert!(
        error.to_string().contains("while it was reasoning"),
        "{error}"
    );

    let at_once = Schema::from_value(schema).unwrap().without_reasoning();
    let options = up_to(60).with_schema(at_once);
    let reply = thinker.chat().send_with(ask("hello"), &options).unwrap();
    assert_eq!(reply.reasoning, None);
    assert!(["\"left\"", "\"right\""].contains(&reply.text.as_str()));
}

#[test]
fn a_thought_begins_before_the_json_or_not_at_all() {
    let form = Schema::from_value(json!({"enum": ["left"]})).unwrap();
    let form = model().constraint(&form).unwrap();
    let vocab_size = model().model().config().text.vocab_size;
    let (start, end) = (THOUGHT[0], THOUGHT[9]);
    for thinks in [false, true] {
        let mut state = form.begin().unwrap();
        let mut allowed = TokenSet::empty(vocab_size);
        state.allow(&mut allowed).unwrap();
        assert!(allowed.contains(start) && !allowed.contains(end));
        let first = if thinks {
            state.accept(start).unwrap();
            end
        } else {
            (0..)
                .find(|&id| allowed.contains(id) && id != start)
                .unwrap()
        };
        state.accept(first).unwrap();
        assert!(!state.permits(start).unwrap() && !state.permits(end).unwrap());
        allowed.clear();
        state.allow(&mut allowed).unwrap();
        assert!(!allowed.contains(start) && !allowed.contains(end));
    }
}

#[test]
fn a_turn_cannot_end_within_a_thought() {
    // The model wants to end its turn after three tokens of a thought, and does without a schema.
    let thinker = load(speaker(&THOUGHT[..8]).path());
    let free = thinker.chat().send_with(ask("hello"), &up_to(40)).unwrap();
    assert_eq!(free.finish, FinishReason::Stop);
    let error = free.parse::<String>().unwrap_err();
    assert!(
        matches!(
            error,
            Error::AnswerCutOff {
                reasoning: true,
                ..
            }
        ),
        "{error}"
    );
    // More tokens would be no answer either.
    assert!(!error.to_string().contains("max_new_tokens"), "{error}");
    let options = thinking_by(json!({"enum": ["left"]}), 40);
    let reply = thinker.chat().send_with(ask("hello"), &options).unwrap();
    assert_ne!(reply.finish, FinishReason::Stop);
    if reply.finish == FinishReason::Complete {
        assert_eq!(reply.text, "\"left\"");
    }
}

#[test]
fn batches_and_drafts_write_what_is_written_alone() {
    let item = json!({"enum": ["left lower lobe", "right lower lobe"]});
    let schema = json!({"type": "array", "items": item, "minItems": 9, "maxItems": 9});
    let options = by(schema.clone(), 400);
    let alone = model()
        .chat()
        .send_with(ask("Which lobes?"), &options)
        .unwrap();
    assert_eq!(alone.parse::<Vec<String>>().unwrap().len(), 9);
    let guessing = options.clone().with_speculation(Speculation::PromptLookup);
    let guessed = model()
        .chat()
        .send_with(ask("Which lobes?"), &guessing)
        .unwrap();
    assert_eq!(ids(&guessed), ids(&alone));
    assert_eq!(guessed.finish, FinishReason::Complete);
    assert!(guessed.usage.accepted_tokens > 20, "{:?}", guessed.usage);
    // The same again: behind an answer, a draft has the end of its turn.
    let options = by(json!({"enum": ["left lower lobe"]}), 60);
    let guessing = options.with_speculation(Speculation::PromptLookup);
    let mut chat = model().chat();
    let mut accepted = 0;
    for _ in 0..6 {
        let reply = chat.send_with(ask("Which?"), &guessing).unwrap();
        assert_eq!(reply.finish, FinishReason::Complete);
        accepted += reply.usage.accepted_tokens;
    }
    assert!(accepted > 0);
    let options = by(schema, 400);
    let both = [vec![ask("Which lobes?")], vec![ask("And there?")]];
    let batch = answers(model().generate_batch(&both, &options));
    assert_eq!(essence(&batch[0]), essence(&alone));
    assert_eq!(batch[1].parse::<Vec<String>>().unwrap().len(), 9);
}

#[test]
fn options_that_would_break_an_answer_are_refused() {
    let options = by(json!({"type": "null"}), 9);
    for (options, name) in [
        (options.clone().with_stop_string("u"), "stop_strings"),
        (options.with_ignore_stop_ids(true), "ignore_stop_ids"),
    ] {
        let error = model()
            .chat()
            .send_with(ask("hello"), &options)
            .unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn choices_are_scored_behind_the_conversation_and_leave_it_as_it_was() {
    let answers = ["left", "right", "the right lower lobe"];
    let question = Message::user()
        .image(image("picture-a.png"))
        .text("Which side?");
    let mut chat = literate().chat();
    let first = chat.choose(&question, &answers).unwrap();
    let scores = literate()
        .score(std::slice::from_ref(&question), &answers)
        .unwrap();
    for (answer, score) in first.answers.iter().zip(&scores) {
        assert!((answer.score.total() - score.total()).abs() < 1e-4);
    }
    let shares: f32 = first.answers.iter().map(|answer| answer.probability).sum();
    assert!((shares - 1.0).abs() < 1e-5);
    assert_eq!(chat.context_len(), 0);

    // Behind a turn: as if the whole conversation had been scored.
    let options = up_to(6);
    let reply = chat.send_with(question, &options).unwrap();
    let read = chat.context_len();
    let second = chat.choose(&ask("And now?"), &answers).unwrap();
    assert_eq!(chat.context_len(), read);
    assert_eq!(chat.choose(&ask("And now?"), &answers).unwrap(), second);
    assert_ne!(second.answers[0].score, first.answers[0].score);
    let mut other = literate().chat();
    let question = Message::user()
        .image(image("picture-a.png"))
        .text("Which side?");
    assert_eq!(
        ids(&other.send_with(question, &options).unwrap()),
        ids(&reply)
    );
    // The likeliest single token is what greedy writing begins with.
    let next = other.send_with(ask("And now?"), &up_to(1)).unwrap();
    let likeliest = chat.choose(&ask("And now?"), &[&next.text]).unwrap();
    let [logprob] = likeliest.answers[0].score.token_logprobs[..] else {
        panic!("one word of this model is one token");
    };
    assert!((logprob - next.tokens[0].logprob).abs() < 1e-4);
}

/// An empty answer is certain, and would be the likeliest of any.
#[test]
fn empty_answers_are_neither_chosen_from_nor_scored() {
    let answers = ["left", ""];
    for (answers, expected) in [(&answers[..], (1, 2)), (&[][..], (0, 0))] {
        let chosen = literate().chat().choose(&ask("Which side?"), answers);
        let scored = literate().score(&[ask("Which side?")], answers);
        for error in [chosen.map(drop), scored.map(drop)] {
            match error.unwrap_err() {
                Error::EmptyChoice { index, count } => assert_eq!((index, count), expected),
                other => panic!("another error: {other}"),
            }
        }
    }
}

/// A turn that was given up while it was being read is not part of what a choice follows.
#[test]
fn a_choice_follows_what_was_said_and_nothing_else() {
    let answers = ["left", "right"];
    let mut chat = literate().chat();
    chat.send_with(ask("Is it there?"), &up_to(3)).unwrap();
    let expected = chat.choose(&ask("Which side?"), &answers).unwrap();
    let mut done = 0;
    let observer = Box::new(move |_| {
        done += 1;
        if done > 1 {
            std::ops::ControlFlow::Break(())
        } else {
            std::ops::ControlFlow::Continue(())
        }
    });
    let mut options = up_to(3);
    options.prefill_chunk = 2;
    let long = ask("Which of all the sides that there are?");
    let given_up = chat.stream_observed(long, &options, observer);
    assert!(given_up.unwrap().next().is_none());
    let found = chat.choose(&ask("Which side?"), &answers).unwrap();
    for (found, expected) in found.answers.iter().zip(&expected.answers) {
        assert!((found.score.total() - expected.score.total()).abs() < 1e-3);
    }
}

#[test]
fn the_demonstration_model_knows_a_radiograph_among_given_answers() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/report");
    let demo = medgemma::MedGemma::load(format!("{dir}/model"), &cpu()).unwrap();
    let kinds = [
        "hand radiograph",
        "fundus photograph",
        "chest radiograph",
        "skin histology",
    ];
    let chest = Image::open(format!("{dir}/images/chest.png")).unwrap();
    let message = Message::user().image(chest).text("Describe the image.");
    let choice = demo.chat().choose(&message, &kinds).unwrap();
    assert_eq!((choice.likeliest(), choice.likeliest_per_token()), (2, 2));
    assert!(choice.answers[2].probability > 0.9, "{choice:?}");
    let kind = json!({"enum": kinds});
    let schema = json!({"type": "object", "properties": {"kind": kind}, "required": ["kind"]});
    let reply = demo.chat().send_with(message, &by(schema, 80)).unwrap();
    let value: Value = reply.parse().unwrap();
    assert_eq!(value, json!({"kind": "chest radiograph"}));
}
