//! Numbers as every reader takes them: with bounds, and integers without `-0`.

use serde_json::{Map, Number, Value, json};

use super::keywords::refused;
use super::narrow::is;
use crate::error::Result;

/// Numbers without a bound of their own end here: 2⁵³ − 1, up to which every integer is the same in
/// every JSON reader (RFC 7493 §2.2).
const LARGEST: i128 = (1 << 53) - 1;

/// The parser counts in `i64` and takes bounds as `f64`: the largest that is both.
const END: i128 = (1 << 63) - (1 << 10);

/// Names of `format` for integers that no reader takes all others for; those of 64 bits and more have
/// bounds of their own or the usual ones.
const WIDTHS: [(&str, i128, i128); 6] = [
    ("int8", i8::MIN as i128, i8::MAX as i128),
    ("int16", i16::MIN as i128, i16::MAX as i128),
    ("int32", i32::MIN as i128, i32::MAX as i128),
    ("uint8", 0, u8::MAX as i128),
    ("uint16", 0, u16::MAX as i128),
    ("uint32", 0, u32::MAX as i128),
];

/// Keywords that become `minimum` and `maximum`.
const EXCLUSIVE: [&str; 2] = ["exclusiveMinimum", "exclusiveMaximum"];

/// Gives both bounds to a schema of numbers, inclusive ones, and parts integers at zero.
pub(super) fn narrow(map: &mut Map<String, Value>) {
    let (integers, numbers) = (is(map, "integer"), is(map, "number"));
    if listed(map) || !(integers || numbers) {
        return;
    }
    if numbers {
        bound(map);
    } else {
        part(map);
    }
}

/// Whether the values are given one by one.
pub(super) fn listed(map: &Map<String, Value>) -> bool {
    map.contains_key("enum") || map.contains_key("const")
}

/// The bound of a side that excludes itself: `true` says so of the other keyword (draft 4).
fn exclusive<'a>(map: &'a Map<String, Value>, key: &str, inclusive: &str) -> Option<&'a Number> {
    let bound = match map.get(key)? {
        Value::Bool(true) => map.get(inclusive)?,
        bound => bound,
    };
    bound.as_number()
}

/// Numbers that may have a fraction. An exclusive bound becomes the next number that a reader tells
/// from it: what lies between is read as the bound.
fn bound(map: &mut Map<String, Value>) {
    let given = |key: &str| map.get(key).and_then(Value::as_f64);
    let beyond = |key, inclusive| exclusive(map, key, inclusive).and_then(Number::as_f64);
    let least = [given("minimum"), beyond(EXCLUSIVE[0], "minimum").map(above)];
    let most = [
        given("maximum"),
        beyond(EXCLUSIVE[1], "maximum").map(|bound| -above(-bound)),
    ];
    let least = least.into_iter().flatten().reduce(f64::max);
    let most = most.into_iter().flatten().reduce(f64::min);
    let largest = LARGEST as f64;
    // A bound beyond the usual ones says that larger numbers are wanted.
    let usual_least = most.is_none_or(|most| most >= -largest).then_some(-largest);
    let usual_most = least
        .is_none_or(|least| least <= largest)
        .then_some(largest);
    for (key, bound) in [
        ("minimum", least.or(usual_least)),
        ("maximum", most.or(usual_most)),
    ] {
        if let Some(bound) = bound {
            map.insert(key.to_owned(), json!(bound));
        }
    }
    map.retain(|key, _| !EXCLUSIVE.contains(&key.as_str()));
}

/// The next number; beside 0 one that is not written with three hundred digits.
fn above(bound: f64) -> f64 {
    const BESIDE_ZERO: f64 = 1e-15;
    if bound.abs() < f64::MIN_POSITIVE {
        BESIDE_ZERO
    } else {
        bound.next_up()
    }
}

/// Integers, negative ones and others apart: one range of both would have `-0`, which no integer type
/// of serde takes.
fn part(map: &mut Map<String, Value>) {
    let (least, most) = integer_bounds(map);
    // `NonZeroI32` and the like.
    let no_zero = map.get("not") == Some(&json!({"const": 0}));
    map.retain(|key, _| !(EXCLUSIVE.contains(&key.as_str()) || no_zero && key == "not"));
    let (below, above) = (
        (least, most.min(-1)),
        (least.max(i128::from(no_zero)), most),
    );
    let within = |map: &mut Map<String, Value>, (least, most): (i128, i128)| {
        for (key, bound) in [("minimum", least), ("maximum", most)] {
            // In i64: `integer_bounds` ends there, and the parts lie within.
            let bound = Number::from_i128(bound).map_or(Value::Null, Value::Number);
            map.insert(key.to_owned(), bound);
        }
    };
    match (below.0 <= below.1, above.0 <= above.1) {
        (true, true) => {}
        (true, false) => return within(map, below),
        (false, true) => return within(map, above),
        // Nothing fulfils it: the parser says so, in its words.
        (false, false) => return within(map, (least, most.min(least - 1))),
    }
    let mut rest = map.clone();
    let definitions = ["$defs", "definitions"];
    map.retain(|key, _| definitions.contains(&key.as_str()));
    rest.retain(|key, _| !definitions.contains(&key.as_str()));
    let mut negative = rest.clone();
    negative.insert("type".to_owned(), json!("integer"));
    within(&mut negative, below);
    within(&mut rest, above);
    map.insert("anyOf".to_owned(), json!([negative, rest]));
}

/// The least and the largest integer of a schema.
fn integer_bounds(map: &Map<String, Value>) -> (i128, i128) {
    let given = |key: &str| map.get(key).and_then(Value::as_number);
    let width = map.get("format").and_then(Value::as_str);
    let width = WIDTHS.iter().find(|(name, ..)| Some(*name) == width);
    let least = [
        given("minimum").map(ceil),
        exclusive(map, EXCLUSIVE[0], "minimum").map(|bound| floor(bound).saturating_add(1)),
        width.map(|(_, least, _)| *least),
    ];
    let most = [
        given("maximum").map(floor),
        exclusive(map, EXCLUSIVE[1], "maximum").map(|bound| ceil(bound).saturating_sub(1)),
        width.map(|(.., most)| *most),
    ];
    let least = least.into_iter().flatten().max();
    let most = most.into_iter().flatten().min();
    // As for numbers: a bound beyond the usual ones says that larger numbers are wanted.
    let usual = |other: Option<i128>, toward: i128| match other {
        Some(other) if other * toward.signum() > LARGEST => END * toward.signum(),
        _ => toward,
    };
    let (least, most) = (
        least.unwrap_or_else(|| usual(most, -LARGEST)),
        most.unwrap_or_else(|| usual(least, LARGEST)),
    );
    (-exact(-least), exact(most))
}

/// The largest integer up to this one that is exact in `f64`.
fn exact(most: i128) -> i128 {
    if most > END {
        return END;
    }
    // 53 bits of the 63.
    let spare = (i128::BITS - most.unsigned_abs().leading_zeros()).saturating_sub(53);
    most >> spare << spare
}

fn floor(number: &Number) -> i128 {
    whole(number, f64::floor)
}

fn ceil(number: &Number) -> i128 {
    whole(number, f64::ceil)
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "what is larger than any integer of serde ends where it is clear that it is"
)]
fn whole(number: &Number, round: fn(f64) -> f64) -> i128 {
    let fraction = || number.as_f64().map_or(0, |number| round(number) as i128);
    let whole = number.as_i128().unwrap_or_else(fraction);
    whole.clamp(-4 * END, 4 * END)
}

/// Refuses numbers of `enum` and `const`, however deep, that the parser would write as others: it goes through `f64`,
/// and a code beyond 2⁵³ would be another code. One beyond `u64` has lost its digits already, when it was read.
pub(super) fn exact_literal(value: &Value) -> Result<()> {
    match value {
        Value::Array(values) => values.iter().try_for_each(exact_literal),
        Value::Object(values) => values.values().try_for_each(exact_literal),
        Value::Number(number) => {
            let written = match number.as_i128().map(i128::saturating_abs) {
                Some(whole) => exact(whole) == whole,
                None => whole(number, f64::trunc).abs() <= END,
            };
            if written {
                return Ok(());
            }
            Err(refused(format!(
                "{number} would be written as another number: beyond 2⁵³ give it as a text"
            )))
        }
        _ => Ok(()),
    }
}

/// The `multipleOf` of one value as the parser counts: whole numbers of the last decimal of any, multiplied.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    /// At most.
    product: u64,
    /// How many they are.
    count: u32,
    decimals: u32,
}

impl Default for Steps {
    fn default() -> Self {
        Self {
            product: 1,
            count: 0,
            decimals: 0,
        }
    }
}

impl Steps {
    /// One.
    ///
    /// # Errors
    /// For 0, and what has too many digits.
    pub(super) fn one(number: &Number) -> Result<Self> {
        let mut digits = number.as_f64().map_or(0.0, f64::abs);
        let mut decimals = 0;
        while digits.fract() != 0.0 {
            digits *= 10.0;
            decimals += 1;
        }
        if digits == 0.0 || digits > f64::from(u32::MAX) {
            return Err(refused(format!(
                "`multipleOf` {number} cannot be followed exactly: ask for an integer, in units of the last decimal, and divide"
            )));
        }
        #[allow(clippy::cast_possible_truncation, reason = "whole, and within u32")]
        let product = digits as u64;
        Ok(Self {
            product,
            count: 1,
            decimals,
        })
    }

    /// All of these and all of those.
    pub(super) fn and(self, other: Self) -> Self {
        let decimals = self.decimals.max(other.decimals);
        Self {
            product: self.with(decimals).saturating_mul(other.with(decimals)),
            count: self.count.saturating_add(other.count),
            decimals,
        }
    }

    /// These or those.
    pub(super) fn or(self, other: Self) -> Self {
        let decimals = self.decimals.max(other.decimals);
        Self {
            product: self.with(decimals).max(other.with(decimals)),
            count: self.count.max(other.count),
            decimals,
        }
    }

    /// The product with so many decimals.
    fn with(self, decimals: u32) -> u64 {
        let more = (decimals - self.decimals).saturating_mul(self.count);
        10_u64.saturating_pow(more).saturating_mul(self.product)
    }

    /// Refuses what the parser cannot count: it would wrap.
    pub(super) fn check(self) -> Result<()> {
        if self.product <= u64::from(u32::MAX) {
            return Ok(());
        }
        Err(refused(
            "the `multipleOf` of one value are too many or too large to hold together: say their least common multiple",
        ))
    }
}
