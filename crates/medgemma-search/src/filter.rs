//! Which vectors may be found, by their metadata.

use std::ops::{Bound, RangeBounds};

use crate::metadata::{Stored, StoredMetadata, Value};

/// A condition on metadata. `Debug` shows names and kinds of values, and no value. Values of different kinds are never equal and never ordered: a text
/// `"5"` is not the number 5. A name that a vector lacks fulfils only [`Filter::Not`].
///
/// ```
/// use medgemma_search::Filter;
///
/// let adults = Filter::range("age", 18.0..);
/// let frontal = Filter::is_in("view", ["PA", "AP"]);
/// let filter = adults.and(frontal).and(Filter::equals("portable", true).not());
/// # let _ = filter;
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Filter {
    /// The name has this value.
    Equals(String, Value),
    /// The name has one of these values. They are sorted once for each search, and looked up by halving: of n values, a
    /// vector costs about log₂ n comparisons, so that a list of a hundred thousand ids is none too long.
    In(String, Vec<Value>),
    /// The name's value lies between two of its own kind: numbers by size, text by code points
    /// (dates as `2024-05-31` order as they should), `false` before `true`.
    Range(String, Bound<Value>, Bound<Value>),
    /// The name has a value.
    Exists(String),
    /// All conditions hold; true where there are none.
    All(Vec<Filter>),
    /// Some condition holds; false where there are none.
    Any(Vec<Filter>),
    /// The condition does not hold.
    Not(Box<Filter>),
}

impl Filter {
    /// `name` has the value `value`.
    #[must_use]
    pub fn equals(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Equals(name.into(), value.into())
    }

    /// `name` has one of `values`.
    #[must_use]
    pub fn is_in<V: Into<Value>>(
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        Self::In(name.into(), values.into_iter().map(Into::into).collect())
    }

    /// The value of `name` lies in `range`, as in `18.0..65.0`, `18.0..` or `..="2024-12-31"`.
    #[must_use]
    pub fn range<V: Into<Value> + Clone>(
        name: impl Into<String>,
        range: impl RangeBounds<V>,
    ) -> Self {
        let value = |bound: Bound<&V>| bound.map(|value| value.clone().into());
        Self::Range(
            name.into(),
            value(range.start_bound()),
            value(range.end_bound()),
        )
    }

    /// `name` has a value.
    #[must_use]
    pub fn exists(name: impl Into<String>) -> Self {
        Self::Exists(name.into())
    }

    /// This and `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::All(mut all) => {
                all.push(other);
                Self::All(all)
            }
            first => Self::All(vec![first, other]),
        }
    }

    /// This or `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Any(mut any) => {
                any.push(other);
                Self::Any(any)
            }
            first => Self::Any(vec![first, other]),
        }
    }

    /// Not this.
    #[must_use]
    #[expect(
        clippy::should_implement_trait,
        reason = "`!filter` would need the trait in scope; the word reads like `and` and `or`"
    )]
    pub fn not(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// As a search asks it of one vector after another.
    pub(crate) fn prepare(&self) -> Prepared<'_> {
        fn each(filters: &[Filter]) -> Vec<Prepared<'_>> {
            filters.iter().map(Filter::prepare).collect()
        }
        match self {
            Self::Equals(name, value) => Prepared::Equals(name, value.borrowed()),
            Self::In(name, values) => Prepared::In(name, Values::new(values)),
            Self::Range(name, from, to) => Prepared::Range(name, from, to),
            Self::Exists(name) => Prepared::Exists(name),
            Self::All(all) => Prepared::All(each(all)),
            Self::Any(any) => Prepared::Any(each(any)),
            Self::Not(filter) => Prepared::Not(Box::new(filter.prepare())),
        }
    }
}

/// A [`Filter`] whose lists are sorted.
pub(crate) enum Prepared<'f> {
    Equals(&'f str, Stored<'f>),
    In(&'f str, Values<'f>),
    Range(&'f str, &'f Bound<Value>, &'f Bound<Value>),
    Exists(&'f str),
    All(Vec<Prepared<'f>>),
    Any(Vec<Prepared<'f>>),
    Not(Box<Prepared<'f>>),
}

impl Prepared<'_> {
    pub(crate) fn holds(&self, metadata: &StoredMetadata<'_>) -> bool {
        match self {
            Self::Equals(name, value) => metadata.find(name) == Some(*value),
            Self::In(name, values) => metadata
                .find(name)
                .is_some_and(|found| values.contains(found)),
            Self::Range(name, from, to) => metadata
                .find(name)
                .is_some_and(|found| between(found, from, to)),
            Self::Exists(name) => metadata.find(name).is_some(),
            Self::All(all) => all.iter().all(|filter| filter.holds(metadata)),
            Self::Any(any) => any.iter().any(|filter| filter.holds(metadata)),
            Self::Not(filter) => !filter.holds(metadata),
        }
    }
}

/// Values of a list, by kind: what `==` says of each of them.
pub(crate) struct Values<'f> {
    /// Sorted.
    texts: Vec<&'f [u8]>,
    /// Sorted; without those that are no number, which equal nothing, and with one zero, as `==` has it.
    numbers: Vec<f64>,
    /// Whether `false`, whether `true` is among them.
    bools: [bool; 2],
}

impl<'f> Values<'f> {
    fn new(values: &'f [Value]) -> Self {
        let mut sorted = Self {
            texts: Vec::new(),
            numbers: Vec::new(),
            bools: [false; 2],
        };
        for value in values {
            match value.borrowed() {
                Stored::Text(text) => sorted.texts.push(text),
                Stored::Number(number) if number.is_nan() => {}
                Stored::Number(number) => sorted.numbers.push(one_zero(number)),
                Stored::Bool(yes) => sorted.bools[usize::from(yes)] = true,
            }
        }
        sorted.texts.sort_unstable();
        sorted.numbers.sort_unstable_by(f64::total_cmp);
        sorted
    }

    fn contains(&self, found: Stored<'_>) -> bool {
        match found {
            Stored::Text(text) => self.texts.binary_search(&text).is_ok(),
            Stored::Number(number) => {
                let number = one_zero(number);
                let place = self.numbers.binary_search_by(|own| own.total_cmp(&number));
                place.is_ok()
            }
            Stored::Bool(yes) => self.bools[usize::from(yes)],
        }
    }
}

/// The number, with 0 for −0.
fn one_zero(number: f64) -> f64 {
    number + 0.0
}

fn between(found: Stored<'_>, from: &Bound<Value>, to: &Bound<Value>) -> bool {
    // The derived order puts all text before all numbers; a range is of one kind.
    let same = |value: &Value| value.borrowed().kind() == found.kind();
    let above = match from {
        Bound::Included(from) => same(from) && from.borrowed() <= found,
        Bound::Excluded(from) => same(from) && from.borrowed() < found,
        Bound::Unbounded => true,
    };
    let below = match to {
        Bound::Included(to) => same(to) && found <= to.borrowed(),
        Bound::Excluded(to) => same(to) && found < to.borrowed(),
        Bound::Unbounded => true,
    };
    above && below
}

#[cfg(test)]
mod tests {
    use super::{Filter, Prepared, Stored, Value};

    /// Kinds apart, zeros of both signs alike, what is no number equal to nothing.
    #[test]
    fn a_list_has_what_equals_one_of_it() {
        let texts = ["", "5", "a", "ab", "b", "ä", "true"].map(Value::from);
        let numbers = [0.0, -0.0, 5.0, -5.0, 1e-310, -1e-310, f64::MIN, f64::MAX];
        let odd = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -f64::NAN];
        let numbers = numbers.into_iter().chain(odd).map(Value::from);
        let bools = [false, true].map(Value::from);
        let all: Vec<Value> = texts.into_iter().chain(numbers).chain(bools).collect();
        let check = |list: Vec<Value>| {
            let filter = Filter::is_in("name", list.clone());
            let Prepared::In(_, values) = filter.prepare() else {
                panic!("another filter")
            };
            for found in &all {
                let found = found.borrowed();
                let expected = list.iter().any(|value| value.borrowed() == found);
                assert_eq!(values.contains(found), expected, "{found:?} in {list:?}");
            }
            // A log that was tampered with may have what is no text.
            assert!(!values.contains(Stored::Text(b"\xff")));
        };
        check(Vec::new());
        check(all.clone());
        check(all.iter().rev().chain(&all).cloned().collect());
        for (at, one) in all.iter().enumerate() {
            check(vec![one.clone()]);
            check(all[at..].to_vec());
            check(all.iter().skip(at % 3).step_by(3).cloned().collect());
        }
    }
}
