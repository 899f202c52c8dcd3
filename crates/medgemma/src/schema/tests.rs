//! Which schemas are taken, and how those that are not are refused.

use serde_json::{Map, Value, json};

use super::Schema;

#[test]
fn what_cannot_be_followed_is_refused_with_its_reason() {
    for (schema, reason) in [
        (
            json!({"type": "string", "minLength": 3, "maxLength": 2}),
            "minLength",
        ),
        (json!({"if": {}}), "if"),
        (json!({"type": "text"}), "text"),
        (json!({"$ref": "#/$defs/absent"}), "absent"),
        (json!(false), "nsatisfiable"),
        (json!([1]), "object"),
        (json!({"type": "integer", "minimum": 3, "maximum": 2}), "3"),
        // The parser would take another number, or none, or stumble.
        (
            json!({"enum": [900_000_000_000_207_008_i64]}),
            "900000000000207008",
        ),
        (
            json!({"const": {"a": [-9_007_199_254_740_993_i64]}}),
            "text",
        ),
        (json!({"const": u64::MAX}), "text"),
        (json!({"const": 1e23}), "text"),
        (
            json!({"type": "string", "minLength": "é".repeat(60)}),
            "`minLength` must",
        ),
        (
            json!({"type": "array", "maxItems": "none"}),
            "`maxItems` must",
        ),
        (
            json!({"type": "number", "minimum": "none"}),
            "`minimum` must",
        ),
        (
            json!({"type": "integer", "exclusiveMaximum": "none"}),
            "`exclusiveMaximum` must",
        ),
        (
            json!({"type": "string", "pattern": ["é".repeat(60)]}),
            "`pattern` must",
        ),
        (json!({"properties": [1]}), "`properties` must"),
        (json!({"enum": 1}), "`enum` must"),
        (
            json!({"type": "number", "multipleOf": 0.07}),
            "units of the last decimal",
        ),
        (json!({"type": "integer", "multipleOf": 0}), "exactly"),
        (
            json!({"type": "integer", "allOf": [{"multipleOf": 100_000}, {"multipleOf": 99_999}]}),
            "least common multiple",
        ),
        (
            json!({"type": "number", "multipleOf": 9_999_999, "anyOf": [{"multipleOf": 0.001}]}),
            "least common multiple",
        ),
        (
            json!({"type": "integer", "allOf": [{"multipleOf": 100_000}, {"multipleOf": 100_000}]}),
            "least common multiple",
        ),
        (
            json!({"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}],
                "$defs": {"a": {"type": "integer", "multipleOf": 100_000}}}),
            "least common multiple",
        ),
        (
            json!({"allOf": [{"$ref": "#/$defs/a"}, {"multipleOf": 2000}, {"$ref": "#/$defs/a"}],
                "$defs": {"a": {"type": "integer", "multipleOf": 1999}}}),
            "least common multiple",
        ),
        (
            json!({"type": "integer", "anyOf": [{"multipleOf": 3}, {"multipleOf": 100_000}],
                "oneOf": [{"multipleOf": 99_999}, {"multipleOf": 2}]}),
            "least common multiple",
        ),
        (
            json!({"type": "null", "$defs": {"unused": {"items": {"minItems": -1}}}}),
            "`minItems` must be a whole number from 0 (in `$defs`, `unused`)",
        ),
        (
            json!({"type": "array", "items": {"$ref": "#/$defs/never"},
                "$defs": {"never": {"type": "string", "minLength": 3, "maxLength": 2}}}),
            "$defs/never",
        ),
        (
            json!({"type": "object", "additionalProperties": {"type": "number"}, "minProperties": 2}),
            "same name twice",
        ),
        (
            json!({"type": "object", "allOf": [{"minProperties": 3}, {"required": ["a"]}]}),
            "same name twice",
        ),
        // Another dialect, or what its draft does not have.
        (
            json!({"$schema": "https://example.org/schema"}),
            "`$schema`",
        ),
        (
            json!({"$schema": "http://json-schema.org/draft-07/schema#", "items": {"prefixItems": [true]}}),
            "older",
        ),
        (
            json!({"$schema": "http://json-schema.org/draft-04/schema", "if": {}}),
            "if",
        ),
        (
            json!({"prefixItems": [true], "items": [true]}),
            "leave one out",
        ),
    ] {
        let error = Schema::from_value(schema.clone()).expect_err("it cannot be followed");
        assert!(error.to_string().contains(reason), "{schema}: {error}");
    }
    assert!(
        Schema::from_json("{")
            .expect_err("no JSON")
            .to_string()
            .contains("no JSON")
    );
    for followed in [
        json!(true),
        json!({"enum": [9_007_199_254_740_992_i64, -1, 1.5, 1e17]}),
        json!({"type": "number", "multipleOf": 0.05, "allOf": [{"multipleOf": 0.02}]}),
        json!({"type": "object", "minProperties": 2, "required": ["a"]}),
        json!({"properties": {"prefixItems": true}, "$schema": "http://json-schema.org/draft-06/schema#"}),
        json!({"prefixItems": [true], "$schema": "https://json-schema.org/draft/2020-12/schema#"}),
        json!({"prefixItems": [true], "$schema": "http://json-schema.org/draft/2020-12/schema"}),
        json!({"type": "null", "$schema": "https://json-schema.org/draft-07/schema#"}),
        // Steps count once each, and one of alternatives.
        json!({"allOf": [{"type": "integer", "multipleOf": 100_000}, {"minimum": 0}]}),
        json!({"allOf": [{"$ref": "#/$defs/dose"}, {"maximum": 100_000}],
            "$defs": {"dose": {"type": "integer", "multipleOf": 2000}}}),
        json!({"type": "integer", "multipleOf": 100,
            "anyOf": [{"multipleOf": 250}, {"multipleOf": 300}, {"multipleOf": 700}]}),
        json!({"type": "number", "multipleOf": 0.5,
            "oneOf": [{"multipleOf": 0.01}, {"multipleOf": 0.02}, {"multipleOf": 0.25}, {"multipleOf": 0.2}]}),
        // Of a tuple, which has another place when it is narrowed.
        json!({"$ref": "#/definitions/pair/items/0",
            "definitions": {"pair": {"type": "array", "items": [{"type": "string"}]}}}),
        json!({"$ref": "#/$defs/a/properties/b", "$defs": {"a": {"properties": {
            "b": {"type": "object", "properties": {"again": {"$ref": "#/$defs/a/properties/b"}}},
        }}}}),
        // Patterns of alternatives may overlap.
        json!({"type": "object", "properties": {"id": {"type": "string"}}, "anyOf": [
            {"patternProperties": {"^x": {"type": "string"}}}, {"patternProperties": {"^x-": {"type": "integer"}}},
        ]}),
        json!({"type": "object", "minProperties": 1, "oneOf": [
            {"patternProperties": {"^x": {"type": "string"}}}, {"patternProperties": {"^x-": {"type": "integer"}}},
        ]}),
        json!({"type": "object", "maxProperties": 3, "allOf": [{"minProperties": 1}, {"anyOf": [
            {"patternProperties": {"^x": {"type": "string"}}}, {"patternProperties": {"^x-": {"type": "integer"}}},
        ]}]}),
    ] {
        Schema::from_value(followed.clone()).unwrap_or_else(|error| panic!("{followed}: {error}"));
    }
}

/// Copies of few definitions, very many; and references one after the other.
#[test]
fn what_stands_for_too_many_schemas_is_refused_before_it_takes_all_memory() {
    let chain = |next: &dyn Fn(usize) -> Value, length: usize| {
        let named = (0..length).map(|at| (format!("a{at}"), next(at + 1)));
        let mut named: Map<String, Value> = named.collect();
        named.insert(format!("a{length}"), json!({"type": "object"}));
        json!({"$ref": "#/$defs/a0", "properties": {}, "$defs": named})
    };
    let to = |at: usize| json!({"$ref": format!("#/$defs/a{at}")});
    let twice = chain(&|at| json!({"allOf": [to(at), to(at)]}), 40);
    let deep = chain(&|at| json!({"allOf": [to(at)]}), 20_000);
    let each: Vec<Value> = (0..12).map(to).collect();
    let named = each.iter().enumerate();
    let named = named.map(|(at, _)| (format!("a{at}"), json!({"properties": {}, "anyOf": each})));
    let named: Map<String, Value> = named.collect();
    let among = json!({"$ref": "#/$defs/a0", "properties": {}, "$defs": named});
    let itself = json!({"$ref": "#/$defs/a"});
    let a = json!({"properties": {}, "anyOf": [itself, itself, itself, itself]});
    let round = json!({"$ref": "#/$defs/a", "$defs": {"a": a}});
    for (schema, reason) in [
        (twice, "too large"),
        (deep, "too deep"),
        (among, "too large"),
        // Each reference is followed once, whatever becomes of it.
        (round, "circular"),
    ] {
        let error = Schema::from_value(schema).expect_err("too large");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_schema_is_shown_as_it_was_given_and_not_in_logs() {
    let given = json!({"type": "integer", "description": "of Zebulon"});
    let schema = Schema::from_value(given.clone()).expect("a form");
    assert_eq!(schema.json(), given.to_string());
    let debugged = format!("{schema:?}");
    assert!(!debugged.contains("Zebulon"), "{debugged}");
}
