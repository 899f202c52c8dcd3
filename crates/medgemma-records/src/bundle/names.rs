//! What resources are called, and which one a reference of FHIR's points at: <https://hl7.org/fhir/R4/references.html>.

use std::collections::{BTreeMap, BTreeSet};

use super::subjects::subject_of;
use crate::fhir::Resource;
use crate::kind::Kind;
use crate::read::Typed;
use crate::reference::{Reference, is_id};

/// A URL without the version that it may end with.
pub(crate) fn unversioned(url: &str) -> &str {
    url.split_once("/_history/")
        .map_or(url, |(resource, _)| resource)
}

/// Names of resources, and what references between them point at.
pub(crate) struct Names<'a> {
    pub(crate) resources: &'a [Typed],
    pub(crate) references: Vec<Reference>,
    /// By `fullUrl`, and by `Kind/id`; `None` where several are called so.
    targets: BTreeMap<String, Option<usize>>,
    /// Contained resources by container and id.
    contained: BTreeMap<(usize, &'a str), usize>,
    /// For each `Patient/id` the URL by which subjects name it, if all of them name it by the same. A patient who is
    /// referred to, or came, without a server is then taken to be that one. `None` where the URLs differ: it could be any of
    /// them.
    pub(super) servers: BTreeMap<String, Option<String>>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(resources: &'a [Typed]) -> Self {
        let mut names = Self {
            resources,
            references: Vec::with_capacity(resources.len()),
            targets: BTreeMap::new(),
            contained: BTreeMap::new(),
            servers: BTreeMap::new(),
        };
        let (mut taken, mut numbers) = (BTreeSet::new(), BTreeMap::new());
        for (at, typed) in resources.iter().enumerate() {
            let number = numbers
                .entry((typed.kind, typed.container))
                .or_insert(0_usize);
            *number += 1;
            let id = typed
                .id
                .as_deref()
                .map(|id| id.trim_start_matches('#'))
                .filter(|id| is_id(id));
            // Behind a citation these two are a sentence's.
            let is_plain = |id: &&str| id.len() <= Reference::MAX_ID && !id.ends_with(['.', '-']);
            let short = id.filter(is_plain);
            let (by_id, by_number) = match typed.container {
                Some(container) => {
                    let container = names.references[container].as_str();
                    (
                        short.map(|id| format!("{container}#{id}")),
                        format!("{container}#{}{number}", typed.kind),
                    )
                }
                None => (
                    short.map(|id| format!("{}/{id}", typed.kind)),
                    format!("{}/#{number}", typed.kind),
                ),
            };
            let name = by_id
                .filter(|name| !taken.contains(name))
                .unwrap_or(by_number);
            taken.insert(name.clone());
            names.references.push(Reference::new(typed.kind, &name));
            match (typed.container, id) {
                (Some(container), Some(id)) => {
                    names.contained.entry((container, id)).or_insert(at);
                }
                (None, id) => {
                    let own = id.map(|id| format!("{}/{id}", typed.kind));
                    let url = typed
                        .full_url
                        .as_deref()
                        .map(|url| unversioned(url).to_owned());
                    for target in own.into_iter().chain(url) {
                        let entry = names.targets.entry(target).or_insert(Some(at));
                        *entry = entry.filter(|first| *first == at);
                    }
                }
                (Some(_), None) => {}
            }
        }
        names.servers = names.servers_of_subjects();
        names
    }

    /// See [`Names::servers`].
    fn servers_of_subjects(&self) -> BTreeMap<String, Option<String>> {
        let mut servers: BTreeMap<String, Option<String>> = BTreeMap::new();
        for (at, typed) in self.resources.iter().enumerate() {
            let subject = subject_of(&typed.resource).and_then(|it| it.reference.as_deref());
            let Some(url) = subject.map(|reference| self.absolute(reference, at)) else {
                continue;
            };
            if let Some((_, id)) = url.rsplit_once("/Patient/") {
                let of = servers.entry(format!("Patient/{id}"));
                let of = of.or_insert_with(|| Some(url.clone()));
                *of = of.take().filter(|first| *first == url);
            }
        }
        servers
    }

    /// The resource that `reference` points at from the resource `from`.
    pub(crate) fn target(&self, reference: &str, from: usize) -> Option<usize> {
        let typed = &self.resources[from];
        let outer = typed.container.unwrap_or(from);
        if let Some(id) = reference.strip_prefix('#') {
            return self.contained.get(&(outer, id)).copied();
        }
        let absolute = self.absolute(reference, from);
        if let Some(found) = self.targets.get(&absolute) {
            return *found;
        }
        let reference = unversioned(reference);
        if absolute != reference {
            // Another server's resource of the same short name is another one.
            let found = (*self.targets.get(reference)?)?;
            return self.base(found).is_none().then_some(found);
        }
        // An absolute URL to a page whose entries have lost theirs.
        let mut parts = reference.rsplitn(3, '/');
        let (id, kind) = (parts.next()?, parts.next()?);
        let name = format!("{kind}/{id}");
        let at = (*self.targets.get(&name)?)?;
        let is_contested = matches!(self.servers.get(&name), Some(None));
        (self.base(at).is_none() && !is_contested).then_some(at)
    }

    /// A reference without a version, and a relative one behind the server that the resource `from` came from, where
    /// that is known.
    pub(crate) fn absolute(&self, reference: &str, from: usize) -> String {
        let reference = unversioned(reference);
        let is_relative = !reference.starts_with("urn:") && !reference.contains("://");
        let outer = self.resources[from].container.unwrap_or(from);
        match self.base(outer).filter(|_| is_relative) {
            Some(base) => format!("{base}{reference}"),
            None => reference.to_owned(),
        }
    }

    /// The server that a resource came from, if its URL tells.
    fn base(&self, at: usize) -> Option<&'a str> {
        let typed = &self.resources[at];
        let own = format!("{}/{}", typed.kind, typed.id.as_deref()?);
        let base = unversioned(typed.full_url.as_deref()?).strip_suffix(&own)?;
        (!base.is_empty()).then_some(base)
    }

    /// The resource that a reference points at.
    pub(crate) fn resource(&self, reference: &str, from: usize) -> Option<&'a Resource> {
        Some(&self.resources[self.target(reference, from)?].resource)
    }

    /// Whether a reference points at what was entered in error, or is contained in such.
    pub(crate) fn is_void(&self, reference: &str, from: usize) -> bool {
        self.target(reference, from)
            .is_some_and(|at| self.is_void_at(at))
    }

    /// The same of a resource. What it contains has no life outside of it, and no status of its own to trust.
    pub(crate) fn is_void_at(&self, at: usize) -> bool {
        let typed = &self.resources[at];
        let container = typed.container.map(|at| &self.resources[at].resource);
        typed.resource.is_void() || container.is_some_and(Resource::is_void)
    }

    /// The name of the resource that a reference points at.
    pub(crate) fn name(&self, reference: &str, from: usize) -> Option<&Reference> {
        Some(&self.references[self.target(reference, from)?])
    }

    /// The names, and which record each may be cited by: as shown, as in FHIR, and both in lower case.
    pub(crate) fn into_parts(self) -> (Vec<Reference>, BTreeMap<String, Option<usize>>) {
        let mut cited: BTreeMap<String, Option<usize>> = BTreeMap::new();
        let shown = self
            .references
            .iter()
            .enumerate()
            .map(|(at, name)| (name.to_string(), Some(at)));
        cited.extend(shown.clone());
        let is_own = |name: &String| {
            name.split_once('/')
                .is_some_and(|(kind, _)| Kind::from_name(kind).is_some())
        };
        let fhir = self.targets.into_iter().filter(|(name, _)| is_own(name));
        let others: Vec<(String, Option<usize>)> = fhir.chain(shown).collect();
        for (name, at) in &others {
            cited.entry(name.clone()).or_insert(*at);
        }
        let mut lower: BTreeMap<String, Option<usize>> = BTreeMap::new();
        for (name, at) in others {
            let entry = lower.entry(name.to_ascii_lowercase()).or_insert(at);
            *entry = entry.filter(|first| Some(*first) == at);
        }
        for (name, at) in lower {
            cited.entry(name).or_insert(at);
        }
        (self.references, cited)
    }
}
