//! What becomes of a schema before the parser reads it.

use serde_json::{Value, json};

use super::ANY;

fn narrowed(schema: &Value) -> Value {
    super::narrowed(schema, false).expect("it can be followed")
}

fn text() -> Value {
    json!({"type": "string"})
}

#[test]
fn objects_with_named_properties_are_closed_unless_they_say_otherwise() {
    let closed = |schema: Value| narrowed(&schema)["additionalProperties"] == json!(false);
    assert!(closed(json!({"properties": {"a": text()}})));
    assert!(closed(json!({"type": "object", "properties": {}})));
    let either = narrowed(&json!({"type": "object", "anyOf": [
        {"type": "object", "properties": {}}, {"properties": {}, "additionalProperties": text()},
    ]}));
    assert_eq!(either["anyOf"][0]["additionalProperties"], json!(false));
    assert_eq!(either["anyOf"][1]["additionalProperties"], text());
    let beside = narrowed(&json!({"type": "object", "properties": {}, "anyOf": [
        {"required": ["a"]}, {"maxProperties": 0},
    ]}));
    assert_eq!(beside["anyOf"][1]["additionalProperties"], json!(false));
    let part = narrowed(&json!({"allOf": [{"properties": {}}, {"type": "object"}]}));
    assert_eq!(part["allOf"][1]["additionalProperties"], json!(false));
    assert!(!closed(
        json!({"properties": {"a": text()}, "additionalProperties": true})
    ));
    assert!(!closed(
        json!({"properties": {"a": text()}, "patternProperties": {"^x": text()}})
    ));
    assert!(
        !closed(json!({"type": "object"})),
        "a map of anything stays one"
    );
    let inner = json!({"properties": {"a": text()}});
    let no = json!(false);
    for (schema, path) in [
        (json!({"items": inner}), "/items"),
        (json!({"items": [inner]}), "/prefixItems/0"),
        (json!({"items": [], "additionalItems": inner}), "/items"),
        (json!({"prefixItems": [inner]}), "/prefixItems/0"),
        (
            json!({"additionalProperties": inner}),
            "/additionalProperties",
        ),
        (
            json!({"patternProperties": {"^x": inner}}),
            "/patternProperties/^x",
        ),
        (json!({"properties": {"b": inner}}), "/properties/b"),
        (json!({"anyOf": [inner]}), "/anyOf/0"),
        (json!({"oneOf": [inner]}), "/oneOf/0"),
        (json!({"allOf": [inner]}), "/allOf/0"),
        (json!({"$defs": {"b": inner}}), "/$defs/b"),
        (json!({"definitions": {"b": inner}}), "/definitions/b"),
    ] {
        let narrowed = narrowed(&schema);
        let found = narrowed.pointer(path).expect("it is still there");
        assert_eq!(found["additionalProperties"], no, "{schema}");
    }
    for kept in [
        json!({"enum": [inner]}),
        json!({"const": inner}),
        json!({"type": "object", "additionalProperties": true, "default": inner}),
    ] {
        let narrowed = narrowed(&kept).to_string();
        assert!(!narrowed.contains("false"), "{narrowed}");
    }
}

/// Alone, each would forbid the names of the others.
#[test]
fn schemas_of_one_object_are_closed_together() {
    let yes = json!(true);
    let one = json!({"type": "object", "properties": {"b": text()}});
    let tagged = narrowed(&json!({
        "properties": {"kind": text()},
        "oneOf": [one, {"type": "object"}, {"required": ["kind"]}, text()],
    }));
    let no = json!(false);
    assert_eq!(
        tagged["properties"],
        json!({"kind": text(), "b": yes}),
        "in their order"
    );
    assert_eq!(tagged["additionalProperties"], no);
    assert_eq!(
        tagged["oneOf"][0]["properties"],
        json!({"b": text(), "kind": yes})
    );
    assert_eq!(tagged["oneOf"][0]["additionalProperties"], no);
    assert_eq!(
        tagged["oneOf"][1],
        json!({"type": "object", "properties": {"kind": yes}, "additionalProperties": false}),
        "and none of the alternative's"
    );
    let other = &tagged["oneOf"][2];
    assert_eq!(
        other["properties"],
        json!({"kind": yes}),
        "of any type, too"
    );
    assert_eq!(other["additionalProperties"], no);
    assert_eq!(tagged["oneOf"][3], text());

    let both = narrowed(&json!({"allOf": [one, {"properties": {"c": text()}}]}));
    assert_eq!(
        both["allOf"][1],
        json!({"properties": {"c": text(), "b": yes}, "additionalProperties": false})
    );
    assert_eq!(
        both["allOf"][0]["properties"],
        json!({"b": text(), "c": yes})
    );

    let two = narrowed(&json!({"anyOf": [one], "oneOf": [{"properties": {"c": text()}}]}));
    assert_eq!(
        two["anyOf"][0]["properties"],
        json!({"b": text(), "c": yes})
    );
    let three = narrowed(&json!({
        "properties": {"kind": text()}, "allOf": [{"properties": {"d": text()}}],
        "anyOf": [one, {"properties": {"c": text()}}],
    }));
    assert_eq!(
        three["anyOf"][0]["properties"],
        json!({"b": text(), "kind": yes, "d": yes})
    );
    assert_eq!(
        three["allOf"][0]["properties"],
        json!({"d": text(), "kind": yes, "b": yes, "c": yes})
    );
    let deep = narrowed(&json!({
        "properties": {"kind": text()}, "allOf": [{"anyOf": [one, text()]}],
    }));
    assert_eq!(
        deep["allOf"][0]["anyOf"][0]["properties"],
        json!({"b": text(), "kind": yes})
    );

    // A reference beside others is copied, and stays as it is for those who refer to it alone.
    let copied = narrowed(&json!({
        "properties": {"kind": text()}, "$ref": "#/$defs/one",
        "$defs": {"one": one, "two": {"$ref": "#/$defs/one"}},
    }));
    assert_eq!(copied.get("$ref"), None);
    assert_eq!(
        copied["allOf"][0]["properties"],
        json!({"b": text(), "kind": yes})
    );
    assert_eq!(copied["$defs"]["one"]["properties"], json!({"b": text()}));
    assert_eq!(copied["$defs"]["two"], json!({"$ref": "#/$defs/one"}));
    let alone = json!({"$ref": "#/$defs/one", "description": "one", "$defs": {"one": false}});
    assert_eq!(narrowed(&alone), alone);

    let named = narrowed(&json!({
        "properties": {"kind": text()}, "$ref": "#/$defs/one",
        "$defs": {"one": {"$id": "urn:one", "properties": {}, "$defs": {"x": text()}}},
    }));
    let copy = &named["allOf"][0];
    assert_eq!(
        (copy.get("$id"), copy.get("$defs")),
        (None, None),
        "an address would be another's"
    );
    let each = narrowed(&json!({
        "properties": {"kind": text()}, "oneOf": [{"$ref": "#/$defs/one"}, text()],
        "$defs": {"one": one},
    }));
    assert_eq!(each["properties"], json!({"kind": text(), "b": yes}));
    assert_eq!(
        each["oneOf"][0]["allOf"][0]["properties"],
        json!({"b": text(), "kind": yes})
    );

    // Nor is what is no definition narrowed where it is.
    let elsewhere = json!({"$ref": "#/components/one", "components": {"one": one}});
    assert_eq!(narrowed(&elsewhere)["allOf"][0]["additionalProperties"], no);

    // One that takes other names: all do, but for its alternatives.
    for open in [
        json!({"additionalProperties": text()}),
        json!({"patternProperties": {"^x": text()}}),
        json!({"anyOf": [{"properties": {}, "additionalProperties": true}]}),
    ] {
        let all = narrowed(&json!({"properties": {"a": text()}, "allOf": [one, open]}));
        assert_ne!(all.get("additionalProperties"), Some(&no));
        assert_eq!(all["allOf"][0].get("additionalProperties"), None);
        let any = narrowed(&json!({"properties": {"a": text()}, "anyOf": [one, open]}));
        assert_ne!(any.get("additionalProperties"), Some(&no));
        assert_eq!(any["anyOf"][0]["additionalProperties"], no);
    }
    // One that forbids others itself has its own names alone, but from a type of Rust.
    let strict = json!({"properties": {"b": text()}, "additionalProperties": false});
    let both = json!({"properties": {"a": text()}, "allOf": [strict]});
    let own = narrowed(&both);
    assert_eq!(own["properties"], json!({"a": text(), "b": yes}));
    assert_eq!(own["additionalProperties"], no);
    assert_eq!(own["allOf"][0], strict);
    let derived = super::narrowed(&both, true).expect("it can be followed");
    assert_eq!(
        derived["allOf"][0]["properties"],
        json!({"b": text(), "a": yes})
    );
    let outer = narrowed(&json!({
        "type": "object", "properties": {"a": text()}, "additionalProperties": false, "anyOf": [one],
    }));
    assert_eq!(outer["properties"], json!({"a": text()}));

    // What refers to itself beside others ends.
    let round = json!({
        "$ref": "#/$defs/a",
        "$defs": {"a": {"properties": {"b": {"properties": {"c": text()}, "$ref": "#/$defs/a"}}}},
    });
    let _ = narrowed(&round);
}

#[test]
fn values_of_any_kind_are_spelled_out() {
    let any = json!({"$ref": ANY.1});
    let number = json!({"minimum": -9_007_199_254_740_991.0, "maximum": 9_007_199_254_740_991.0});
    let types = json!(["null", "boolean", "number", "string", "array", "object"]);
    let whole = |schema: Value| {
        assert_eq!(schema["type"], types);
        assert_eq!(schema["minimum"], number["minimum"]);
        assert_eq!(schema["maximum"], number["maximum"]);
        assert_eq!(schema["items"], any);
        assert_eq!(schema["additionalProperties"], any);
    };
    whole(narrowed(&json!({})));
    whole(narrowed(&json!({}))["$defs"][ANY.0].clone());
    whole(narrowed(&json!({"description": "whatever"})));
    let least = narrowed(&json!({"minimum": 3}));
    assert_eq!((&least["type"], &least["minimum"]), (&types, &json!(3.0)));
    let list = narrowed(&json!({"type": "array", "prefixItems": [true]}));
    assert_eq!((&list["items"], &list["prefixItems"][0]), (&any, &any));
    let old = narrowed(&json!({"type": "array", "items": [true]}));
    assert_eq!((&old["items"], &old["prefixItems"]), (&any, &json!([any])));
    let none = json!({"type": "array", "items": false});
    assert_eq!(narrowed(&none), none);
    let map = narrowed(&json!({"type": ["object", "null"], "additionalProperties": true}));
    assert_eq!(map["additionalProperties"], any);
    let definitions = narrowed(&json!({"type": "array", "$defs": {"a": text()}}));
    assert_eq!(definitions["$defs"]["a"], text());
    assert!(definitions["$defs"].get(ANY.0).is_some());
    for said in [
        json!({"enum": [1]}),
        json!({"const": 1}),
        json!({"anyOf": [text()]}),
        json!({"oneOf": [text()]}),
        json!({"allOf": [text()]}),
        json!({"$ref": "#"}),
    ] {
        assert_eq!(narrowed(&said), said);
    }
}

/// By one schema alone: two would have to be fulfilled together, without end.
#[test]
fn values_of_any_kind_are_spelled_out_where_schemas_are_combined() {
    let (any, yes) = (json!({"$ref": ANY.1}), json!(true));
    let once = |schema: Value, path: &str, expected: &Value| {
        let mut narrowed = narrowed(&schema);
        narrowed["$defs"] = Value::Null;
        let found = narrowed.pointer(path);
        assert_eq!(found, Some(expected), "{schema}: {narrowed}");
        let times = narrowed.to_string().matches(ANY.1).count();
        assert_eq!(
            times,
            expected.to_string().matches(ANY.1).count(),
            "{narrowed}"
        );
    };
    let (a, b) = (json!({"required": ["a"]}), json!({"required": ["b"]}));
    let open = json!({"type": "object", "allOf": [a, b]});
    once(open, "/additionalProperties", &any);
    let list = json!({"type": "array", "allOf": [{"minItems": 1}, {"maxItems": 3}]});
    once(list, "/items", &any);
    let tuple = json!({"allOf": [
        {"type": "array", "prefixItems": [text(), text()]}, {"prefixItems": [text()]},
    ]});
    once(tuple.clone(), "/items", &any);
    assert_eq!(narrowed(&tuple)["prefixItems"], json!([yes, yes]));
    let patterns = json!({"type": "object", "allOf": [
        {"patternProperties": {"^x": text()}}, {"properties": {"c": text()}},
    ]});
    once(patterns.clone(), "/additionalProperties", &any);
    let patterns = narrowed(&patterns);
    assert_eq!(
        (&patterns["properties"], &patterns["patternProperties"]),
        (&json!({"c": yes}), &json!({"^x": yes}))
    );
    let numbered =
        json!({"type": "object", "allOf": [{"patternProperties": {r"^\d+$": text()}}, a]});
    let numbered = narrowed(&numbered);
    let again = &numbered["allOf"][0]["patternProperties"];
    assert!(again.get(r"^(0|[1-9]\d{0,14})$").is_some());
    assert_eq!(
        numbered["patternProperties"],
        json!({r"^(0|[1-9]\d{0,14})$": yes})
    );
    // Where an alternative says what the others do not, these do.
    let some = json!({"type": "object", "minProperties": 1, "anyOf": [a, {"additionalProperties": text()}]});
    once(some, "/anyOf/0/additionalProperties", &any);
    let none = narrowed(&json!({"allOf": [{}, {"description": "x"}]}));
    assert_eq!(none["type"].as_array().map(Vec::len), Some(6));
    assert_eq!(
        (&none["items"], &none["additionalProperties"]),
        (&any, &any)
    );
    assert!(none["maximum"].is_number());
    let one = narrowed(&json!({"type": "object", "minProperties": 1, "anyOf": [true]}));
    assert_eq!(one["anyOf"], json!([{}]));

    let own = json!({"type": "array", "items": text(), "allOf": [{"minItems": 1}]});
    once(own, "/allOf/0", &json!({"minItems": 1}));
    let first = json!({"type": "array", "prefixItems": [text()], "allOf": [{"minItems": 1}]});
    once(first, "/items", &any);

    // Where alternatives describe different names, each of them says it, of one list.
    let patterns = |pattern: &str| json!({"patternProperties": {pattern: text()}});
    let second =
        narrowed(&json!({"type": "object", "anyOf": [a, b], "oneOf": [patterns("^x"), a]}));
    assert_eq!(second["anyOf"], json!([a, b]));
    assert_eq!(second["oneOf"][0]["additionalProperties"], any);
    assert_eq!(second["oneOf"][1]["additionalProperties"], any);
    assert_eq!(second["oneOf"][1].get("patternProperties"), None);
    let both = narrowed(&json!({
        "type": "object", "anyOf": [patterns("^x"), a], "oneOf": [patterns("^y"), b],
    }));
    assert_eq!(both["anyOf"][1]["additionalProperties"], any);
    assert_eq!(both["oneOf"][1], b);
    let places = narrowed(&json!({
        "type": "array", "prefixItems": [text()],
        "anyOf": [{"prefixItems": [text(), text()]}, {"maxItems": 3}],
    }));
    assert_eq!(places.get("items"), None);
    assert_eq!(places["prefixItems"], json!([text()]));
    assert_eq!(places["anyOf"][1]["items"], any);

    // Names that must be there are known.
    let apart =
        json!({"type": "object", "required": ["a"], "anyOf": [{"properties": {"c": text()}}]});
    once(apart, "/properties", &json!({"c": yes, "a": any}));
    let asked = json!({"type": "object", "properties": {"c": text()}, "required": ["c", "a"]});
    once(
        asked.clone(),
        "/properties",
        &json!({"c": text(), "a": any}),
    );
    assert_eq!(narrowed(&asked)["additionalProperties"], json!(false));
    let part = json!({"type": "object", "properties": {"c": text()}, "allOf": [a]});
    once(part.clone(), "/properties", &json!({"c": text(), "a": any}));
    assert_eq!(
        narrowed(&part)["allOf"][0],
        json!({"required": ["a"], "properties": {"c": yes, "a": yes}, "additionalProperties": false})
    );
    let or = json!({"type": "object", "properties": {"c": text()}, "anyOf": [
        a, {"properties": {"a": text()}},
    ]});
    once(or, "/anyOf/0/properties", &json!({"c": yes, "a": any}));
    let never = json!({"type": "object", "properties": {}, "required": ["a"], "additionalProperties": false});
    assert_eq!(narrowed(&never), never);
}

/// As drafts before 2020 have them, too.
#[test]
fn tuples_are_followed_whatever_the_draft() {
    for schema in [
        json!({"type": "array", "prefixItems": [text()], "additionalItems": false, "items": false}),
        json!({"type": "array", "items": [text()], "additionalItems": false}),
    ] {
        let expected = json!({"type": "array", "prefixItems": [text()], "items": false});
        assert_eq!(narrowed(&schema), expected);
    }
    let ignored = json!({"type": "array", "prefixItems": [text()], "additionalItems": false});
    assert_eq!(narrowed(&ignored)["items"], json!({"$ref": ANY.1}));
    assert_eq!(narrowed(&ignored).get("additionalItems"), None);
    let old = json!({"$schema": "http://json-schema.org/draft-04/schema#", "const": 1});
    assert_eq!(
        narrowed(&old),
        json!({"const": 1}),
        "followed, not passed over"
    );
}

#[test]
fn numbers_get_the_bounds_they_lack() {
    let largest = 9_007_199_254_740_991.0;
    for (schema, least, most) in [
        (
            json!({"type": ["number", "null"]}),
            Some(-largest),
            Some(largest),
        ),
        (
            json!({"type": "number", "minimum": 3}),
            Some(3.0),
            Some(largest),
        ),
        (
            json!({"type": "number", "maximum": 3}),
            Some(-largest),
            Some(3.0),
        ),
        (json!({"type": "number", "minimum": 1e17}), Some(1e17), None),
        (
            json!({"type": "number", "maximum": -1e17}),
            None,
            Some(-1e17),
        ),
        (
            json!({"type": "number", "minimum": largest}),
            Some(largest),
            Some(largest),
        ),
        (
            json!({"type": "number", "maximum": -largest}),
            Some(-largest),
            Some(-largest),
        ),
        // What a reader tells from the bound, and lies within.
        (
            json!({"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 2}),
            Some(1.000_000_000_000_000_2),
            Some(1.999_999_999_999_999_8),
        ),
        (
            json!({"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
            Some(1e-15),
            Some(1.0),
        ),
        (
            json!({"type": "number", "minimum": -1, "exclusiveMaximum": 0}),
            Some(-1.0),
            Some(-1e-15),
        ),
        (
            json!({"type": "number", "minimum": 1, "exclusiveMinimum": true, "maximum": 2,
            "exclusiveMaximum": false}),
            Some(1.000_000_000_000_000_2),
            Some(2.0),
        ),
        (
            json!({"type": "number", "minimum": 1, "exclusiveMinimum": 3, "maximum": 9,
            "exclusiveMaximum": 20}),
            Some(3.000_000_000_000_000_4),
            Some(9.0),
        ),
    ] {
        let found = narrowed(&schema);
        let bound = |key: &str| found.get(key).and_then(Value::as_f64);
        assert_eq!(
            (bound("minimum"), bound("maximum")),
            (least, most),
            "{schema}"
        );
        assert!(!found.to_string().contains("exclusive"), "{found}");
    }
    for kept in [
        json!({"type": "integer", "enum": [-1, 2]}),
        json!({"type": "number", "enum": [1, 2]}),
        json!({"type": "integer", "const": 2}),
        json!({"type": "number", "const": 2}),
        json!({"type": ["string", "null"], "minimum": 2}),
    ] {
        assert_eq!(narrowed(&kept), kept);
    }
}

/// Bounds of the parts: negative ones, and others.
fn parts(schema: &Value) -> [Option<(i64, i64)>; 2] {
    let found = narrowed(schema);
    let bounds = |part: &Value| {
        let bound = |key: &str| part[key].as_i64().expect("an integer");
        (bound("minimum"), bound("maximum"))
    };
    match found.get("anyOf") {
        Some(parts) => [Some(bounds(&parts[0])), Some(bounds(&parts[1]))],
        None if bounds(&found).1 < 0 => [Some(bounds(&found)), None],
        None => [None, Some(bounds(&found))],
    }
}

#[test]
fn integers_of_either_sign_are_parted_at_zero() {
    let largest = (1_i64 << 53) - 1;
    // The parser counts in i64, and takes bounds as f64.
    let end = i64::MAX - 1023;
    for (bounds, below, others) in [
        (json!({}), Some((-largest, -1)), Some((0, largest))),
        (
            json!({"minimum": -5, "maximum": 7}),
            Some((-5, -1)),
            Some((0, 7)),
        ),
        (
            json!({"minimum": -1, "maximum": 0}),
            Some((-1, -1)),
            Some((0, 0)),
        ),
        (
            json!({"exclusiveMinimum": -5, "maximum": 7}),
            Some((-4, -1)),
            Some((0, 7)),
        ),
        (
            json!({"minimum": -1, "exclusiveMaximum": 1}),
            Some((-1, -1)),
            Some((0, 0)),
        ),
        (
            json!({"minimum": -1.5, "maximum": 1.5}),
            Some((-1, -1)),
            Some((0, 1)),
        ),
        (
            json!({"exclusiveMinimum": -1.5, "exclusiveMaximum": 1.5}),
            Some((-1, -1)),
            Some((0, 1)),
        ),
        (
            json!({"minimum": -3, "exclusiveMinimum": true, "maximum": 3}),
            Some((-2, -1)),
            Some((0, 3)),
        ),
        (
            json!({"minimum": -3, "maximum": 3, "exclusiveMaximum": true}),
            Some((-3, -1)),
            Some((0, 2)),
        ),
        (json!({"minimum": -0.5, "maximum": 3}), None, Some((0, 3))),
        (
            json!({"exclusiveMinimum": -1, "maximum": 3}),
            None,
            Some((0, 3)),
        ),
        (
            json!({"minimum": -9, "maximum": -0.5}),
            Some((-9, -1)),
            None,
        ),
        (
            json!({"minimum": -9, "exclusiveMaximum": 0}),
            Some((-9, -1)),
            None,
        ),
        (
            json!({"minimum": -9, "exclusiveMinimum": -3, "maximum": 9}),
            Some((-2, -1)),
            Some((0, 9)),
        ),
        (
            json!({"minimum": -9, "maximum": 9, "exclusiveMaximum": 3}),
            Some((-9, -1)),
            Some((0, 2)),
        ),
        // Zero is left out.
        (
            json!({"not": {"const": 0}}),
            Some((-largest, -1)),
            Some((1, largest)),
        ),
        (
            json!({"not": {"const": 0}, "minimum": 0, "maximum": 9}),
            None,
            Some((1, 9)),
        ),
        (
            json!({"not": {"const": 0}, "minimum": -9, "maximum": 0}),
            Some((-9, -1)),
            None,
        ),
        // The width of the type that reads it.
        (json!({"format": "int8"}), Some((-128, -1)), Some((0, 127))),
        (
            json!({"format": "int16"}),
            Some((-32_768, -1)),
            Some((0, 32_767)),
        ),
        (
            json!({"format": "int32"}),
            Some((-2_147_483_648, -1)),
            Some((0, 2_147_483_647)),
        ),
        (json!({"format": "uint8"}), None, Some((0, 255))),
        (json!({"format": "uint16"}), None, Some((0, 65_535))),
        (
            json!({"format": "uint32", "minimum": 0}),
            None,
            Some((0, 4_294_967_295)),
        ),
        (
            json!({"format": "uint32", "minimum": 9, "maximum": 1e12}),
            None,
            Some((9, 4_294_967_295)),
        ),
        (
            json!({"format": "int64"}),
            Some((-largest, -1)),
            Some((0, largest)),
        ),
        (
            json!({"format": "uint64", "minimum": 0}),
            None,
            Some((0, largest)),
        ),
        // Larger ones only where a bound says so.
        (
            json!({"minimum": 0, "maximum": u64::MAX}),
            None,
            Some((0, end)),
        ),
        (
            json!({"minimum": i64::MIN, "maximum": i64::MAX}),
            Some((-end, -1)),
            Some((0, end)),
        ),
        (
            json!({"minimum": -1e300, "maximum": 1e300}),
            Some((-end, -1)),
            Some((0, end)),
        ),
        (
            json!({"minimum": 1e17}),
            None,
            Some((100_000_000_000_000_000, end)),
        ),
        (
            json!({"maximum": -1e17}),
            Some((-end, -100_000_000_000_000_000)),
            None,
        ),
        (json!({"minimum": largest}), None, Some((largest, largest))),
        (
            json!({"maximum": -largest}),
            Some((-largest, -largest)),
            None,
        ),
        (
            json!({"exclusiveMinimum": largest + 1, "maximum": largest + 6}),
            None,
            Some((largest + 3, largest + 5)),
        ),
        (
            json!({"minimum": -largest - 6, "maximum": -largest - 2}),
            Some((-largest - 5, -largest - 3)),
            None,
        ),
    ] {
        let mut schema = bounds;
        schema["type"] = json!("integer");
        assert_eq!(parts(&schema), [below, others], "{schema}");
        assert!(!narrowed(&schema).to_string().contains("not"), "{schema}");
    }
    for definitions in ["$defs", "definitions"] {
        let several = json!({
            "type": ["integer", "null"], "minimum": -5, "maximum": 7,
            definitions: {"a": {"type": "null"}},
        });
        let negative = json!({"type": "integer", "minimum": -5, "maximum": -1});
        let others = json!({"type": ["integer", "null"], "minimum": 0, "maximum": 7});
        let expected = json!({"anyOf": [negative, others], definitions: {"a": {"type": "null"}}});
        assert_eq!(narrowed(&several), expected);
    }
    let number = json!({"type": ["integer", "number"], "minimum": -9.0, "maximum": 9.0});
    assert_eq!(narrowed(&number), number);
}

#[test]
fn names_that_are_numbers_are_those_that_integers_are_read_from() {
    let map = json!({"type": "object", "patternProperties": {
        r"^\d+$": text(), "^x": text(), r"^-?\d+$": text(),
    }, "additionalProperties": false});
    let names = narrowed(&map)["patternProperties"].clone();
    let names: Vec<&str> = names
        .as_object()
        .expect("a map")
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [r"^(0|[1-9]\d{0,14})$", "^x", r"^(0|-?[1-9]\d{0,14})$"];
    assert!(
        expected.iter().all(|name| names.contains(name)),
        "{names:?}"
    );
    assert_eq!(names.len(), 3);
}
