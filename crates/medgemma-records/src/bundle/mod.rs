//! A patient's record: resources of all pages, with names, references resolved, and each with its patient.

mod deletions;
mod names;
mod repeats;
mod subjects;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::error::{Error, Origin, Place, Result};
use crate::kind::Kind;
use crate::limits::Limits;
use crate::read::{Read, ReadOptions, Unread};
use crate::reference::Reference;
use crate::summary::Summary;

pub(crate) use names::{Names, unversioned};
use subjects::Whose;
pub(crate) use subjects::subject_of;

/// One resource of a bundle. `Debug` shows no content.
#[derive(Clone)]
pub struct Record {
    reference: Reference,
    id: Option<String>,
    full_url: Option<String>,
    place: Place,
    whose: Whose,
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
        self.whose.patient()
    }

    /// Whether it says that it is of somebody or something that is no patient of the bundle.
    pub(crate) fn is_others(&self) -> bool {
        matches!(self.whose, Whose::Others)
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
            let origin = Origin::File(path.to_owned());
            let text = text_of(path, &origin, &options.limits)?;
            read.page(&text, &origin, options)?;
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
        deletions::drop_deleted(&mut read);
        repeats::drop_repeated(&mut read);
        let resources = read.resources;
        let names = Names::new(&resources);
        let (mut patients, of) = subjects::patients(&resources, &names);
        patients.extend(
            of.iter()
                .filter_map(Whose::patient)
                .cloned()
                .collect::<BTreeSet<_>>(),
        );
        let mut seen = BTreeSet::new();
        patients.retain(|patient| seen.insert(patient.clone()));

        let summaries: Vec<Summary> = resources
            .iter()
            .enumerate()
            .map(|(at, typed)| Summary::of(&typed.resource, &names, at, limits.max_text))
            .collect();
        let (references, cited) = names.into_parts();
        let parts = resources.into_iter().zip(summaries).zip(references).zip(of);
        let records = parts.map(|(((typed, summary), reference), whose)| Record {
            reference,
            id: typed.id,
            full_url: typed.full_url,
            place: typed.place,
            whose,
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
fn text_of(path: &Path, origin: &Origin, limits: &Limits) -> Result<String> {
    let failed = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    // A pipe would be waited for.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
        return Err(failed(source));
    }
    let file = File::open(path).map_err(failed)?;
    let most = u64::try_from(limits.max_bytes)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    // Before the text is looked at: where reading stopped may be within a letter.
    if bytes.len() > limits.max_bytes {
        return Err(Error::Limit {
            origin: origin.clone(),
            what: "max_bytes",
            limit: limits.max_bytes,
            found: bytes.len(),
        });
    }
    String::from_utf8(bytes).map_err(|error| failed(io::Error::other(error.utf8_error())))
}
