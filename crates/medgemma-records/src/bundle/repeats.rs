//! Resources that come several times: pages repeat what they include, and a bundle holds each once.

use std::collections::{BTreeMap, BTreeSet};

use crate::date::Date;
use crate::read::{Read, Unread, WhyUnread};

use super::names::unversioned;

/// Leaves of each resource that comes several times the newest version, or the first of equally new ones: pages repeat
/// what they include. What a dropped resource contains goes with it.
pub(crate) fn drop_repeated(read: &mut Read) {
    let mut newest: BTreeMap<String, usize> = BTreeMap::new();
    let mut dropped = BTreeSet::new();
    for (at, typed) in read.resources.iter().enumerate() {
        if typed.container.is_some() {
            continue;
        }
        let own = || Some(format!("{}/{}", typed.kind, typed.id.as_deref()?));
        let url = typed
            .full_url
            .as_deref()
            .map(|url| unversioned(url).to_owned());
        let Some(key) = url.or_else(own) else {
            continue;
        };
        let Some(before) = newest.get_mut(&key) else {
            newest.insert(key, at);
            continue;
        };
        let updated = |at: usize| {
            let updated = read.resources[at].last_updated.as_deref();
            updated.and_then(Date::parse)
        };
        dropped.insert(if updated(at) > updated(*before) {
            std::mem::replace(before, at)
        } else {
            at
        });
    }
    drop_all(read, &dropped, &WhyUnread::Repeated);
}

/// Takes resources out, with what they contain.
pub(crate) fn drop_all(read: &mut Read, dropped: &BTreeSet<usize>, why: &WhyUnread) {
    if dropped.is_empty() {
        return;
    }
    let mut moved = vec![None; read.resources.len()];
    let mut kept = Vec::with_capacity(read.resources.len() - dropped.len());
    for (at, mut typed) in std::mem::take(&mut read.resources).into_iter().enumerate() {
        let container = typed.container.map(|container| moved[container]);
        if dropped.contains(&at) || container == Some(None) {
            read.unread.push(Unread {
                place: typed.place,
                why: why.clone(),
            });
            continue;
        }
        typed.container = container.flatten();
        moved[at] = Some(kept.len());
        kept.push(typed);
    }
    read.resources = kept;
}
