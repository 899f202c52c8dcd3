//! A patient's record: resources of all pages, with names, references resolved, and each with its patient.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::error::{Error, Origin, Place, Result};
use crate::fhir::{self, Resource};
use crate::kind::Kind;
use crate::limits::Limits;
use crate::read::{Read, ReadOptions, Typed, Unread, WhyUnread};
use crate::reference::{Reference, is_id};
use crate::summary::Summary;

/// One resource of a bundle. `Debug` shows no content.
#[derive(Clone)]
pub struct Record {
    reference: Reference,
    id: Option<String>,
    full_url: Option<String>,
    place: Place,
    patient: Option<Reference>,
    summary: Summary,
}

impl Record {
    /// Its name in prompts and citations.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.reference.kind()
    }

    /// `Resource.id`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// `Bundle.entry.fullUrl`.
    #[must_use]
    pub fn full_url(&self) -> Option<&str> {
        self.full_url.as_deref()
    }

    /// Where it was read.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Whose it is; `None` for what is of no one patient, and where the resource does not say.
    #[must_use]
    pub fn patient(&self) -> Option<&Reference> {
        self.patient.as_ref()
    }

    /// What it says.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The line of an excerpt: name in brackets, date, title, codes, value, details, status.
    #[must_use]
    pub fn line(&self) -> String {
        format!("[{}] {}", self.reference, self.summary.line())
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// All records of one or more pages, in their order. `Debug` shows no content.
#[derive(Clone)]
pub struct Bundle {
    records: Vec<Record>,
    patients: Vec<Reference>,
    unread: Vec<Unread>,
    names: BTreeMap<String, Option<usize>>,
    has_more_pages: bool,
}

impl Bundle {
    /// Reads pages of one record from files, with the default options.
    ///
    /// # Errors
    /// As [`read_with`](Self::read_with).
    pub fn read<P: AsRef<Path>>(paths: &[P]) -> Result<Self> {
        Self::read_with(paths, &ReadOptions::default())
    }

    /// Reads pages of one record from files.
    ///
    /// # Errors
    /// A file that cannot be read, is no JSON or no bundle, is larger than the limits, or holds a resource against
    /// the rules of FHIR R4 ([`Malformed`](crate::Malformed)).
    pub fn read_with<P: AsRef<Path>>(paths: &[P], options: &ReadOptions) -> Result<Self> {
        let mut read = Read::default();
        for path in paths {
            let path = path.as_ref();
            let text = text_of(path, &options.limits)?;
            read.page(&text, &Origin::File(path.to_owned()), options)?;
        }
        Ok(Self::new(read, &options.limits))
    }

    /// Reads pages of one record from texts, with the default options. Errors count pages from 1.
    ///
    /// # Errors
    /// As [`read_with`](Self::read_with).
    pub fn from_json(pages: &[&str]) -> Result<Self> {
        Self::from_json_with(pages, &ReadOptions::default())
    }

    /// Reads pages of one record from texts. Errors count pages from 1.
    ///
    /// # Errors
    /// As [`read_with`](Self::read_with).
    pub fn from_json_with(pages: &[&str], options: &ReadOptions) -> Result<Self> {
        let mut read = Read::default();
        for (at, page) in pages.iter().enumerate() {
            read.page(page, &Origin::Page(at + 1), options)?;
        }
        Ok(Self::new(read, &options.limits))
    }

    fn new(mut read: Read, limits: &Limits) -> Self {
        drop_repeated(&mut read);
        let resources = read.resources;
        let names = Names::new(&resources);
        let (mut patients, of) = patients(&resources, &names);
        patients.extend(of.iter().flatten().cloned().collect::<BTreeSet<_>>());
        let mut seen = BTreeSet::new();
        patients.retain(|patient| seen.insert(patient.clone()));

        let summaries: Vec<Summary> = resources
            .iter()
            .enumerate()
            .map(|(at, typed)| Summary::of(&typed.resource, &names, at, limits.max_text))
            .collect();
        let (references, cited) = names.into_parts();
        let parts = resources.into_iter().zip(summaries).zip(references).zip(of);
        let records = parts.map(|(((typed, summary), reference), patient)| Record {
            reference,
            id: typed.id,
            full_url: typed.full_url,
            place: typed.place,
            patient,
            summary,
        });
        Self {
            records: records.collect(),
            patients,
            unread: read.unread,
            names: cited,
            // Every page but the last says that another follows.
            has_more_pages: read.pages > 0 && read.followed >= read.pages,
        }
    }

    /// All records, in the order of the pages; contained ones behind what contains them.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The record of this name.
    #[must_use]
    pub fn get(&self, reference: &Reference) -> Option<&Record> {
        self.find(reference.as_str())
    }

    /// The record that a citation names, as prompts show it or as FHIR does (`Observation/` and the id); in any case,
    /// unless two differ in case only.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Record> {
        let exact = self.names.get(name);
        let at = exact.or_else(|| self.names.get(&name.to_ascii_lowercase()));
        Some(&self.records[(*at?)?])
    }

    /// Whose records these are: the patients among the records, then those that are only referred to.
    #[must_use]
    pub fn patients(&self) -> &[Reference] {
        &self.patients
    }

    /// Resources that are not among the records, each with why: what a prompt from this bundle cannot know.
    #[must_use]
    pub fn unread(&self) -> &[Unread] {
        &self.unread
    }

    /// Whether the last page says that another one follows: the record is not whole.
    #[must_use]
    pub fn has_more_pages(&self) -> bool {
        self.has_more_pages
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle")
            .field("records", &self.records.len())
            .field("patients", &self.patients.len())
            .field("unread", &self.unread.len())
            .field("has_more_pages", &self.has_more_pages)
            .finish_non_exhaustive()
    }
}

/// The text of a file, of which no more is read than the limit allows.
fn text_of(path: &Path, limits: &Limits) -> Result<String> {
    let failed = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let most = u64::try_from(limits.max_bytes)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut text = String::new();
    file.take(most).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// A URL without the version that it may end with.
fn unversioned(url: &str) -> &str {
    url.split_once("/_history/")
        .map_or(url, |(resource, _)| resource)
}

/// Leaves of each resource that comes several times the newest version, or the first of equally new ones: pages repeat
/// what they include. What a dropped resource contains goes with it.
fn drop_repeated(read: &mut Read) {
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
            updated.and_then(crate::date::Date::parse)
        };
        dropped.insert(if updated(at) > updated(*before) {
            std::mem::replace(before, at)
        } else {
            at
        });
    }
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
                why: WhyUnread::Repeated,
            });
            continue;
        }
        typed.container = container.flatten();
        moved[at] = Some(kept.len());
        kept.push(typed);
    }
    read.resources = kept;
}

/// Names of resources, and what references between them point at.
pub(crate) struct Names<'a> {
    resources: &'a [Typed],
    references: Vec<Reference>,
    /// By `fullUrl`, and by `Kind/id`; `None` where several are called so.
    targets: BTreeMap<String, Option<usize>>,
    /// Contained resources by container and id.
    contained: BTreeMap<(usize, &'a str), usize>,
}

impl<'a> Names<'a> {
    fn new(resources: &'a [Typed]) -> Self {
        let mut names = Self {
            resources,
            references: Vec::with_capacity(resources.len()),
            targets: BTreeMap::new(),
            contained: BTreeMap::new(),
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
            let short = id.filter(|id| id.len() <= Reference::MAX_ID);
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
        names
    }

    /// The resource that `reference` points at from the resource `from`.
    fn target(&self, reference: &str, from: usize) -> Option<usize> {
        let typed = &self.resources[from];
        let outer = typed.container.unwrap_or(from);
        if let Some(id) = reference.strip_prefix('#') {
            return self.contained.get(&(outer, id)).copied();
        }
        let reference = unversioned(reference);
        // Relative to the server that the resource itself came from, where its URL tells.
        let own = format!("{}/{}", typed.kind, typed.id.as_deref().unwrap_or_default());
        let base = self.resources[outer]
            .full_url
            .as_deref()
            .and_then(|url| unversioned(url).strip_suffix(&own));
        let beside = base.and_then(|base| self.targets.get(&format!("{base}{reference}")));
        if let Some(found) = beside.or_else(|| self.targets.get(reference)) {
            return *found;
        }
        // An absolute URL to a page whose entries have lost theirs.
        let mut parts = reference.rsplitn(3, '/');
        let (id, kind) = (parts.next()?, parts.next()?);
        let at = (*self.targets.get(&format!("{kind}/{id}"))?)?;
        self.resources[at].full_url.is_none().then_some(at)
    }

    /// The resource that a reference points at.
    pub(crate) fn resource(&self, reference: &str, from: usize) -> Option<&'a Resource> {
        Some(&self.resources[self.target(reference, from)?].resource)
    }

    /// The name of the resource that a reference points at.
    pub(crate) fn name(&self, reference: &str, from: usize) -> Option<&Reference> {
        Some(&self.references[self.target(reference, from)?])
    }

    /// The names, and which record each may be cited by: as shown, as in FHIR, and both in lower case.
    fn into_parts(self) -> (Vec<Reference>, BTreeMap<String, Option<usize>>) {
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

/// The patients among the resources, and whose each resource is.
fn patients(resources: &[Typed], names: &Names<'_>) -> (Vec<Reference>, Vec<Option<Reference>>) {
    let mut elsewhere: BTreeMap<String, Reference> = BTreeMap::new();
    let mut of: Vec<Option<Reference>> = Vec::with_capacity(resources.len());
    let mut patients = Vec::new();
    for (at, typed) in resources.iter().enumerate() {
        let patient = match subject(&typed.resource) {
            Subject::Itself => {
                // A contained patient is one that is known to nobody else.
                patients.push(names.references[at].clone());
                Some(names.references[at].clone())
            }
            Subject::Named(reference) => match names.target(reference, at) {
                Some(target) => (names.resources[target].kind == Kind::Patient)
                    .then(|| names.references[target].clone()),
                None => absent(reference, &mut elsewhere),
            },
            Subject::None => typed.container.and_then(|container| of[container].clone()),
        };
        of.push(patient);
    }
    (patients, of)
}

/// A name for a patient who is referred to and is not in the pages.
fn absent(reference: &str, elsewhere: &mut BTreeMap<String, Reference>) -> Option<Reference> {
    let reference = unversioned(reference);
    let id = reference.rsplit_once("Patient/").map(|(_, id)| id);
    if id.is_none() && !reference.starts_with("urn:") {
        return None; // a group, a device, a place
    }
    let next = elsewhere.len() + 1;
    let short = id.filter(|id| is_id(id) && id.len() <= Reference::MAX_ID);
    let name = short.map_or_else(
        || format!("Patient/#absent-{next}"),
        |id| format!("Patient/{id}"),
    );
    let named = elsewhere
        .entry(reference.to_owned())
        .or_insert_with(|| Reference::new(Kind::Patient, &name));
    Some(named.clone())
}

/// Whom a resource is about.
enum Subject<'a> {
    Itself,
    Named(&'a str),
    None,
}

fn subject(resource: &Resource) -> Subject<'_> {
    let subject: Option<&fhir::Reference> = match resource {
        Resource::Patient(_) => return Subject::Itself,
        Resource::Practitioner(_) | Resource::Medication(_) => None,
        Resource::Encounter(encounter) => encounter.subject.as_ref(),
        Resource::Condition(condition) => condition.subject.as_ref(),
        Resource::Observation(observation) => observation.subject.as_ref(),
        Resource::AllergyIntolerance(allergy) => allergy.patient.as_ref(),
        Resource::FamilyMemberHistory(history) => history.patient.as_ref(),
        Resource::MedicationRequest(request) => request.subject.as_ref(),
        Resource::MedicationStatement(statement) => statement.subject.as_ref(),
        Resource::MedicationAdministration(given) => given.subject.as_ref(),
        Resource::DiagnosticReport(report) => report.subject.as_ref(),
        Resource::Procedure(procedure) => procedure.subject.as_ref(),
        Resource::ServiceRequest(request) => request.subject.as_ref(),
    };
    subject
        .and_then(|subject| subject.reference.as_deref())
        .map_or(Subject::None, Subject::Named)
}
