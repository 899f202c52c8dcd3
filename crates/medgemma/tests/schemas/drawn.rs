//! Schemas drawn at random.

use medgemma::Schema;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Bounds of either kind around one number, or of the far ends of integers, or none.
fn integers() -> impl Strategy<Value = Value> {
    let near = [0, -9, 255, 1 << 31, 1 << 53, i64::MAX, i64::MIN];
    let middle = prop::sample::select(near.to_vec());
    let around = (middle, -12_i64..12, 0_i64..40).prop_map(|(middle, low, wide)| {
        let low = middle.saturating_add(low);
        (low, low.saturating_add(wide))
    });
    let kinds = (around, 0_u8..9, 0_u8..4).prop_map(|((low, high), bounds, kind)| {
        let mut schema = match bounds {
            0 | 1 => json!({"minimum": low, "maximum": high}),
            2 => json!({"exclusiveMinimum": low, "maximum": high}),
            3 => json!({"minimum": low, "exclusiveMaximum": high}),
            4 => json!({"exclusiveMinimum": low, "exclusiveMaximum": high}),
            5 => json!({"minimum": low}),
            6 => json!({"exclusiveMaximum": high}),
            7 => json!({"minimum": low, "maximum": high, "multipleOf": 3}),
            _ => json!({}),
        };
        schema["type"] = [
            json!("integer"),
            json!(["integer", "null"]),
            json!(["string", "integer"]),
            json!("integer"),
        ][usize::from(kind)]
        .clone();
        if kind == 3 {
            schema["format"] = json!("int32");
        }
        schema
    });
    kinds.prop_filter("some integer fulfils it", |schema| {
        Schema::from_value(schema.clone()).is_ok()
    })
}

fn numbers() -> impl Strategy<Value = Value> {
    let step = prop::sample::select(vec![1.0, 0.25, 0.1, 1e-3]);
    let kinds = (-9_i32..9, 0_i32..9, step, 0_u8..9);
    let kinds = kinds.prop_map(|(low, wide, step, bounds)| {
        let (low, high) = (f64::from(low) * step, f64::from(low + wide) * step);
        let mut schema = match bounds {
            0 | 1 => json!({"minimum": low, "maximum": high}),
            2 => json!({"exclusiveMinimum": low, "maximum": high}),
            3 => json!({"minimum": low, "exclusiveMaximum": high}),
            4 => json!({"exclusiveMinimum": low, "exclusiveMaximum": high}),
            5 => json!({"exclusiveMinimum": low}),
            6 => json!({"maximum": high}),
            7 => json!({"minimum": low, "maximum": high, "multipleOf": 0.5}),
            _ => json!({}),
        };
        schema["type"] = json!("number");
        schema
    });
    kinds.prop_filter("some number fulfils it", |schema| {
        Schema::from_value(schema.clone()).is_ok()
    })
}

pub(super) fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        3 => integers(),
        3 => numbers(),
        1 => prop::sample::select(vec![
            json!(true),
            json!({}),
            json!({"type": "array", "maxItems": 3}),
            json!({"type": "boolean"}),
            json!({"const": [1, -2, {"a": null}]}),
            json!({"enum": [-3, 0, 1.5, "x", null]}),
            json!({"type": "string", "pattern": "^[A-Z]{2}[0-9]{1,3}$"}),
            json!({"type": "string", "pattern": "[0-9]{2}", "maxLength": 5}),
            json!({"type": "string", "minLength": 1, "maxLength": 3}),
            json!({"type": "string", "format": "date"}),
            json!({"type": "string", "format": "date-time"}),
            json!({"type": "string", "format": "uuid"}),
        ]),
    ];
    let value = leaf.prop_recursive(3, 10, 3, |inner| {
        let named = prop::collection::vec((inner.clone(), any::<bool>()), 1..4);
        let named = named.prop_map(|named| {
            let name = |at: usize| ["b", "größe", "a"][at];
            let must: Vec<&str> = (0..named.len()).filter(|&at| named[at].1).map(name).collect();
            let named = named.into_iter().enumerate();
            let named: Map<String, Value> = named.map(|(at, (one, _))| (name(at).to_owned(), one)).collect();
            json!({"type": "object", "properties": named, "required": must})
        });
        prop_oneof![
            (inner.clone(), 0_usize..3, 0_usize..2).prop_map(|(items, least, more)| {
                json!({"type": "array", "items": items, "minItems": least, "maxItems": least + more})
            }),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|items| {
                json!({"type": "array", "minItems": items.len(), "prefixItems": items, "items": false})
            }),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|options| json!({"anyOf": options})),
            inner.clone().prop_map(|others| json!({"type": "object", "additionalProperties": others})),
            (named.clone(), named.clone()).prop_map(|(one, other)| {
                json!({
                    "type": "object", "properties": {"kind": {"enum": ["x", "y"]}}, "required": ["kind"],
                    "oneOf": [one, other],
                })
            }),
            named,
        ]
    });
    (value, any::<bool>()).prop_map(|(value, again)| {
        if again {
            let more = json!({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/one"}]});
            let named = json!({"value": value, "next": more});
            let one = json!({"type": "object", "properties": named, "required": ["value", "next"]});
            json!({"$ref": "#/$defs/one", "$defs": {"one": one}})
        } else {
            value
        }
    })
}
