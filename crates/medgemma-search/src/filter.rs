//! Which vectors may be found, by their metadata.

use std::ops::{Bound, RangeBounds};

use crate::metadata::{Stored, StoredMetadata, Value};

/// A condition on metadata. Values of different kinds are never equal and never ordered: a text
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
    /// The name has one of these values.
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

    pub(crate) fn holds(&self, metadata: &StoredMetadata<'_>) -> bool {
        match self {
            Self::Equals(name, value) => metadata.find(name) == Some(value.borrowed()),
            Self::In(name, values) => metadata
                .find(name)
                .is_some_and(|found| values.iter().any(|value| value.borrowed() == found)),
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
