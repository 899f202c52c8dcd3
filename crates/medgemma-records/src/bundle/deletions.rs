//! Resources that a history says were deleted: <https://hl7.org/fhir/R4/http.html#history>.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::date::Date;
use crate::read::{Deletion, Read, Typed, WhyUnread};

use super::names::unversioned;
use super::repeats::drop_all;

/// Drops the versions before a deletion. What was written again after it stays, and so does that of which it is not told.
pub(crate) fn drop_deleted(read: &mut Read) {
    // What was deleted by URL, and by name whatever its server: one of two that does not tell its server may be the other.
    let (mut by_url, mut by_name) = (BTreeMap::new(), BTreeMap::new());
    for deletion in &read.deletions {
        let url = unversioned(&deletion.url);
        let when = deletion.when.as_deref().and_then(Date::parse);
        for (of, key) in [(&mut by_url, url), (&mut by_name, name(url))] {
            let deleted: &mut Deleted = of.entry(key).or_default();
            deleted.add(deletion, when.as_ref());
        }
    }
    let mut dropped = BTreeSet::new();
    for (at, typed) in read.resources.iter().enumerate() {
        let own = format!("{}/{}", typed.kind, typed.id.as_deref().unwrap_or_default());
        let url = typed.full_url.as_deref().map_or(own.as_str(), unversioned);
        let name = name(url);
        let of = match name == url {
            true => [by_name.get(name), None],
            false => [by_url.get(url), by_url.get(name)],
        };
        let mut of = of.into_iter().flatten();
        if typed.container.is_none() && of.any(|deleted| deleted.was_before(typed, at)) {
            dropped.insert(at);
        }
    }
    drop_all(read, &dropped, &WhyUnread::Deleted);
}

/// `AllergyIntolerance/1` of a URL that ends so.
fn name(url: &str) -> &str {
    url.rmatch_indices('/')
        .nth(1)
        .map_or(url, |(at, _)| &url[at + 1..])
}

/// The deletions of one resource.
#[derive(Default)]
struct Deleted {
    last: Option<Date>,
    /// What stands behind the first of each page, of all and of those without a time.
    behind: Places,
    behind_untimed: Places,
}

impl Deleted {
    fn add(&mut self, deletion: &Deletion, when: Option<&Date>) {
        self.behind.add(&deletion.behind);
        match when {
            Some(when) if self.last.as_ref().is_none_or(|last| last < when) => {
                self.last = Some(when.clone());
            }
            Some(_) => {}
            None => self.behind_untimed.add(&deletion.behind),
        }
    }

    /// By the times of both where they are told, else by their places on one page. Pages come in any order, and another one
    /// may be of a search.
    fn was_before(&self, typed: &Typed, at: usize) -> bool {
        match typed.last_updated.as_deref().and_then(Date::parse) {
            Some(updated) => {
                self.last.as_ref().is_some_and(|last| updated <= *last)
                    || self.behind_untimed.have(at)
            }
            None => self.behind.have(at),
        }
    }
}

/// Parts of pages, in their order.
#[derive(Default)]
struct Places(Vec<Range<usize>>);

impl Places {
    fn add(&mut self, behind: &Range<usize>) {
        // The first of a page has all that the others have.
        if self.0.last().is_none_or(|last| last.end != behind.end) {
            self.0.push(behind.clone());
        }
    }

    fn have(&self, at: usize) -> bool {
        let page = self.0.partition_point(|places| places.end <= at);
        self.0.get(page).is_some_and(|places| places.contains(&at))
    }
}
