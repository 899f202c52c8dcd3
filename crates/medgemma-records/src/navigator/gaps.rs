//! What the model must know that it does not know, so that it does not take what is missing for what is not so.

use std::collections::BTreeMap;

use crate::bundle::{Bundle, Record};
use crate::excerpt::Reason;
use crate::read::WhyUnread;

/// Kinds of one list that are named. A bundle may have any names.
const MAX_NAMED: usize = 12;

/// What is said in place of all gaps where a prompt has no room for them.
pub(crate) const SHORT: &str = "Not all of the record was read.\n";

/// A line for each sort of gap: what was not read of what was asked for, what was not asked for, and what cannot be read.
pub(crate) fn gaps<'b>(
    bundle: &Bundle,
    omitted: impl Iterator<Item = (&'b Record, Reason)>,
) -> String {
    let (mut missing, mut passed_over) = (0_usize, BTreeMap::new());
    let (mut unnamed, mut of_unnamed) = (0_usize, BTreeMap::new());
    for (record, reason) in omitted {
        let kind = record.kind();
        match reason {
            Reason::OverBudget | Reason::NotReached => missing += 1,
            Reason::OtherKind | Reason::OtherCode if kind.can_be_picked() => {
                *passed_over.entry(kind.name()).or_insert(0_usize) += 1;
            }
            Reason::OtherSubject => {
                unnamed += 1;
                *of_unnamed.entry(kind.name()).or_insert(0_usize) += 1;
            }
            _ => {}
        }
    }
    let (mut unread, mut broken) = (BTreeMap::new(), 0_usize);
    for resource in bundle.unread() {
        match &resource.why {
            WhyUnread::OtherKind(name) => *unread.entry(name.as_str()).or_insert(0_usize) += 1,
            WhyUnread::NoKind | WhyUnread::Malformed(_) => broken += 1,
            WhyUnread::Repeated | WhyUnread::Deleted => {}
        }
    }
    let mut gaps = String::new();
    if missing > 0 {
        gaps += &format!("Not all was read: {missing} resources that may matter had no room.\n");
    }
    if let Some(kinds) = named(&of_unnamed) {
        gaps += &format!("{unnamed} resources do not name a patient and were not read: {kinds}.\n");
    }
    if let Some(kinds) = named(&passed_over) {
        gaps += &format!("Not looked into: {kinds}.\n");
    }
    if let Some(kinds) = named(&unread) {
        gaps += &format!("Kinds that cannot be read: {kinds}.\n");
    }
    if broken > 0 {
        gaps += &format!("{broken} resources are broken and could not be read.\n");
    }
    if bundle.has_more_pages() {
        gaps += "The record has further pages that were not given.\n";
    }
    gaps
}

/// `3 Encounter, 1 Procedure`, most first.
fn named(kinds: &BTreeMap<&str, usize>) -> Option<String> {
    let mut most_first: Vec<(&str, usize)> =
        kinds.iter().map(|(name, many)| (*name, *many)).collect();
    most_first.sort_by_key(|(_, many)| std::cmp::Reverse(*many));
    let others = most_first.len().saturating_sub(MAX_NAMED);
    let listed = most_first.iter().take(MAX_NAMED);
    let mut texts: Vec<String> = listed
        .map(|(name, many)| format!("{many} {name}"))
        .collect();
    if others > 0 {
        texts.push(format!("{others} other kinds"));
    }
    (!texts.is_empty()).then(|| texts.join(", "))
}
