//! Resources that a history says were deleted: <https://hl7.org/fhir/R4/http.html#history>.

use std::collections::{BTreeMap, BTreeSet};

use crate::date::Date;
use crate::read::{Deletion, Read, Typed, WhyUnread};

use super::names::unversioned;
use super::repeats::drop_all;

/// Drops the versions before a deletion. What was written again after it stays.
pub(crate) fn drop_deleted(read: &mut Read) {
    let mut by_name: BTreeMap<&str, Vec<&Deletion>> = BTreeMap::new();
    for deletion in &read.deletions {
        let of = by_name.entry(name(&deletion.url)).or_default();
        of.push(deletion);
    }
    let mut dropped = BTreeSet::new();
    for (at, typed) in read.resources.iter().enumerate() {
        let own = format!("{}/{}", typed.kind, typed.id.as_deref().unwrap_or_default());
        let url = typed.full_url.as_deref().map_or(own.as_str(), unversioned);
        let of = by_name.get(name(url)).into_iter().flatten();
        let mut of = of.filter(|deletion| is_of(deletion, url));
        if typed.container.is_none() && of.any(|deletion| is_before(typed, at, deletion)) {
            dropped.insert(at);
        }
    }
    drop_all(read, &dropped, &WhyUnread::Deleted);
}

/// `AllergyIntolerance/1` of a URL that ends so.
fn name(url: &str) -> &str {
    let url = unversioned(url);
    url.rmatch_indices('/')
        .nth(1)
        .map_or(url, |(at, _)| &url[at + 1..])
}

/// Of the same server, or of one that either does not tell.
fn is_of(deletion: &Deletion, url: &str) -> bool {
    let deleted = unversioned(&deletion.url);
    deleted == url || deleted == name(deleted) || url == name(url)
}

/// By the times of both where they are told, else by their places: a history has the newest first.
fn is_before(typed: &Typed, at: usize, deletion: &Deletion) -> bool {
    let time = |text: &Option<String>| text.as_deref().and_then(Date::parse);
    match (time(&typed.last_updated), time(&deletion.when)) {
        (Some(updated), Some(deleted)) => updated <= deleted,
        _ => at >= deletion.at,
    }
}
