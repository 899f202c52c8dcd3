//! Pages of JSON → typed resources, in the order of the pages. Own design.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::decode::{Fault, decode};
use crate::error::{Error, Origin, Place, Result};
use crate::fhir::{Component, Observation, Resource};
use crate::kind::Kind;
use crate::limits::Limits;
use crate::scan;

/// What happens to a resource that breaks the rules of FHIR R4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Malformed {
    /// The bundle is refused, and the error says why. The default: what is missing from a record is seen by nobody.
    #[default]
    Refuse,
    /// The resource is left out and stands in [`Bundle::unread`](crate::Bundle::unread).
    Skip,
}

/// How pages are read.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// How much is read.
    pub limits: Limits,
    /// What happens to malformed resources.
    pub malformed: Malformed,
}

impl ReadOptions {
    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets [`malformed`](Self::malformed).
    #[must_use]
    pub fn with_malformed(mut self, malformed: Malformed) -> Self {
        self.malformed = malformed;
        self
    }
}

/// A resource of the pages that is not in the bundle's records.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unread {
    /// Which one.
    pub place: Place,
    /// Why.
    pub why: WhyUnread,
}

/// Why a resource was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhyUnread {
    /// It is of a kind that this crate does not read. The name, if it is one: up to 40 letters.
    OtherKind(String),
    /// It says of no kind that it is one of it.
    NoKind,
    /// The same resource comes again, here or later, in a version that is newer or as new.
    Repeated,
    /// A history says that it was deleted.
    Deleted,
    /// It breaks the rules of FHIR R4 at this key; [`Malformed::Skip`] was set.
    Malformed(String),
}

/// A resource with what a bundle knows of it.
pub(crate) struct Typed {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
    pub(crate) id: Option<String>,
    pub(crate) full_url: Option<String>,
    pub(crate) last_updated: Option<String>,
    pub(crate) resource: Resource,
    /// Whether an extension, which is not read, changes what it means.
    pub(crate) is_modified: bool,
    /// The resource that contains this one: its position among those that were read.
    pub(crate) container: Option<usize>,
}

/// A deletion that a history tells of.
pub(crate) struct Deletion {
    /// The resource's URL, or the end of it.
    pub(crate) url: String,
    pub(crate) when: Option<String>,
    /// Which resources stand behind it on its page: a history has the newest first.
    pub(crate) behind: Range<usize>,
}

/// What was read of all pages.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) resources: Vec<Typed>,
    pub(crate) unread: Vec<Unread>,
    pub(crate) deletions: Vec<Deletion>,
    pub(crate) pages: usize,
    /// Pages that say that another follows.
    pub(crate) followed: usize,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
struct Page<'a> {
    resource_type: Option<String>,
    r#type: Option<String>,
    link: Vec<Link>,
    #[serde(borrow)]
    entry: Vec<Entry<'a>>,
}

impl<'a> Page<'a> {
    /// The page that a text is, if it is a bundle's.
    fn of(text: &'a str, origin: &Origin) -> Result<Self> {
        let page: Self = decode(text).map_err(|fault| match fault {
            Fault::Syntax { line, column } => Error::Syntax {
                origin: origin.clone(),
                line,
                column,
            },
            Fault::Type { key, found, .. } => Error::NotABundle {
                origin: origin.clone(),
                key,
                found,
            },
        })?;
        if page.resource_type.as_deref() != Some("Bundle") {
            return Err(Error::NotABundle {
                origin: origin.clone(),
                key: "resourceType".to_owned(),
                found: match page.resource_type {
                    Some(_) => "the name of another resource",
                    None => "nothing",
                },
            });
        }
        Ok(page)
    }
}

#[derive(Deserialize, Default)]
#[serde(default, expecting = "an object")]
struct Link {
    relation: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
struct Entry<'a> {
    full_url: Option<String>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    request: Option<Request>,
    response: Option<Response>,
}

impl Entry<'_> {
    fn is_deletion(&self) -> bool {
        let method = self.request.as_ref().and_then(|it| it.method.as_deref());
        method == Some("DELETE")
    }
}

/// What an entry of a history tells of.
#[derive(Deserialize, Default)]
#[serde(default, expecting = "an object")]
struct Request {
    method: Option<String>,
    url: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
struct Response {
    last_modified: Option<String>,
}

/// What every resource has.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
struct Head<'a> {
    resource_type: Option<String>,
    id: Option<String>,
    meta: Option<Meta>,
    #[serde(borrow)]
    contained: Vec<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
struct Meta {
    last_updated: Option<String>,
}

impl Read {
    /// Reads one more page.
    pub(crate) fn page(
        &mut self,
        text: &str,
        origin: &Origin,
        options: &ReadOptions,
    ) -> Result<()> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        scan::check(text, origin, &options.limits)?;
        let page = Page::of(text, origin)?;
        self.pages += 1;
        let is_next = |link: &Link| link.relation.as_deref() == Some("next");
        self.followed += usize::from(page.link.iter().any(is_next));
        let deletions = self.deletions.len();
        let is_history = page.r#type.as_deref() == Some("history");
        for (at, entry) in page.entry.into_iter().enumerate() {
            let place = Place {
                origin: origin.clone(),
                entry: at,
                contained: None,
                kind: None,
            };
            if is_history && entry.is_deletion() {
                let why = WhyUnread::Deleted;
                let given = entry.resource.is_some();
                self.unread.extend(given.then_some(Unread { place, why }));
                let of_request = entry.request.and_then(|request| request.url);
                self.deletions
                    .extend(entry.full_url.or(of_request).map(|url| Deletion {
                        url,
                        when: entry.response.and_then(|response| response.last_modified),
                        behind: self.resources.len()..usize::MAX,
                    }));
                continue;
            }
            // An entry without a resource tells of a request.
            if let Some(raw) = entry.resource {
                self.entry(raw, entry.full_url, place, options)?;
            }
        }
        for deletion in &mut self.deletions[deletions..] {
            deletion.behind.end = self.resources.len();
        }
        Ok(())
    }

    /// A resource and those that it contains.
    fn entry(
        &mut self,
        raw: &RawValue,
        full_url: Option<String>,
        place: Place,
        options: &ReadOptions,
    ) -> Result<()> {
        let Some(contained) = self.resource(raw, full_url, place.clone(), None, options)? else {
            return Ok(());
        };
        let container = self.resources.len() - 1;
        for (at, raw) in contained.into_iter().enumerate() {
            let place = Place {
                contained: Some(at),
                ..place.clone()
            };
            // What a contained resource would contain is against the standard and ignored.
            self.resource(raw, None, place, Some(container), options)?;
        }
        Ok(())
    }

    /// One resource; gives back what it contains, or `None` if it was not read.
    fn resource<'a>(
        &mut self,
        raw: &'a RawValue,
        full_url: Option<String>,
        mut place: Place,
        container: Option<usize>,
        options: &ReadOptions,
    ) -> Result<Option<Vec<&'a RawValue>>> {
        let limit = options.limits.max_resources;
        if self.resources.len() + self.unread.len() >= limit {
            return Err(Error::Limit {
                origin: place.origin,
                what: "max_resources",
                limit,
                found: limit + 1,
            });
        }
        let read = decode(raw.get()).and_then(|head: Head<'a>| {
            let name = head.resource_type.as_deref().unwrap_or_default();
            let Some(kind) = Kind::from_name(name) else {
                return Ok((head, None));
            };
            place.kind = Some(kind);
            Ok((head, Some((kind, typed(kind, raw.get())?))))
        });
        let why = match read {
            Ok((head, Some((kind, resource)))) => {
                let contained = head.contained.iter().map(|raw| modifiers(raw)).sum();
                self.resources.push(Typed {
                    is_modified: modifiers(raw) > contained,
                    place,
                    kind,
                    id: head.id,
                    full_url,
                    last_updated: head.meta.and_then(|meta| meta.last_updated),
                    resource,
                    container,
                });
                return Ok(Some(head.contained));
            }
            Ok((head, None)) => match head.resource_type {
                Some(name) if is_name(&name) => WhyUnread::OtherKind(name),
                _ => WhyUnread::NoKind,
            },
            Err(fault) => {
                let (key, expected, found) = fault.in_resource();
                if options.malformed == Malformed::Refuse {
                    return Err(Error::Resource {
                        place,
                        key,
                        expected,
                        found,
                    });
                }
                WhyUnread::Malformed(key)
            }
        };
        self.unread.push(Unread { place, why });
        Ok(None)
    }
}

/// Modifier extensions of a resource and of what it contains, at whatever depth: a dose, too, may not be given. Within a
/// text the quotes would be escaped.
fn modifiers(raw: &RawValue) -> usize {
    raw.get().matches(r#""modifierExtension""#).count()
}

/// Whether a text can be the name of a kind, and not a patient's.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// The resource of `kind` in `json`.
fn typed(kind: Kind, json: &str) -> std::result::Result<Resource, Fault> {
    Ok(match kind {
        Kind::Patient => Resource::Patient(decode(json)?),
        Kind::Condition => Resource::Condition(Box::new(decode(json)?)),
        Kind::AllergyIntolerance => Resource::AllergyIntolerance(decode(json)?),
        Kind::MedicationRequest => Resource::MedicationRequest(decode(json)?),
        Kind::MedicationStatement => Resource::MedicationStatement(decode(json)?),
        Kind::MedicationAdministration => Resource::MedicationAdministration(decode(json)?),
        Kind::Medication => Resource::Medication(decode(json)?),
        Kind::Observation => Resource::Observation(Box::new(Observation {
            measured: decode::<Component>(json)?,
            ..decode(json)?
        })),
        Kind::DiagnosticReport => Resource::DiagnosticReport(decode(json)?),
        Kind::Procedure => Resource::Procedure(decode(json)?),
        Kind::ServiceRequest => Resource::ServiceRequest(Box::new(decode(json)?)),
        Kind::Encounter => Resource::Encounter(decode(json)?),
        Kind::FamilyMemberHistory => Resource::FamilyMemberHistory(decode(json)?),
        Kind::Practitioner => Resource::Practitioner(decode(json)?),
    })
}
