//! De-identification of a DICOM file as a whole: PS3.15 Annex E, Basic Application Level
//! Confidentiality Profile, with options by name.

mod additions;
mod burned_in;
mod compressed;
mod data_set;
mod echo;
mod embedded;
mod part10;
mod profile;
mod profile_table;
#[cfg(test)]
mod tests;
mod value;

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

pub use burned_in::Warning;
pub use profile::Retain;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::text::Scrubber;
use data_set::{Pass, is_uid, other_uid, patient};
use echo::Echoes;
use embedded::Embedded;
use value::{sequence, texts};

/// How much a file may ask for. Data that are read take up to some thirty times their own bytes where
/// they consist of very short values, else about as many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Sequences in each other. Default 32; the standard's own objects have fewer than ten.
    pub max_depth: u64,
    /// Elements in all. Default 4 million: an enhanced multi-frame object has some hundred for each frame.
    pub max_elements: u64,
    /// Bytes that a deflated data set may inflate to. Default 1 GiB.
    pub max_decompressed_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_depth: 32,
            max_elements: 4_000_000,
            max_decompressed_bytes: 1 << 30,
        }
    }
}

impl Limits {
    /// Sets [`max_depth`](Self::max_depth).
    #[must_use]
    pub fn with_max_depth(mut self, sequences: u64) -> Self {
        self.max_depth = sequences;
        self
    }

    /// Sets [`max_elements`](Self::max_elements).
    #[must_use]
    pub fn with_max_elements(mut self, elements: u64) -> Self {
        self.max_elements = elements;
        self
    }

    /// Sets [`max_decompressed_bytes`](Self::max_decompressed_bytes).
    #[must_use]
    pub fn with_max_decompressed_bytes(mut self, bytes: u64) -> Self {
        self.max_decompressed_bytes = bytes;
        self
    }
}

/// What was done to a file, in numbers: no value, no name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Attributes of the table that were removed.
    pub removed: usize,
    /// Attributes whose value was removed.
    pub emptied: usize,
    /// Attributes with a dummy or a pseudonym in place of their value.
    pub replaced: usize,
    /// UIDs that were replaced.
    pub uids: usize,
    /// Attributes whose dates were shifted.
    pub dates: usize,
    /// Texts that identifiers were scrubbed out of.
    pub cleaned: usize,
    /// Attributes of odd groups, all removed.
    pub private: usize,
    /// Attributes of overlays and curves, all removed.
    pub graphics: usize,
    /// Samples of the pixel data with something in their unused bits, which was cleared since overlays are there.
    pub samples: usize,
    /// Attributes that are in no dictionary, all removed: nobody can say what they hold.
    pub unknown: usize,
    /// Attributes that were removed because they could not be looked into.
    pub unreadable: usize,
    /// Texts that stay by the profile and were emptied because they repeat a name, number or UID of the file.
    pub echoes: usize,
    /// Signs that identifiers are in pixels or sound.
    pub warnings: Vec<Warning>,
}

/// A file without its patient.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deidentified {
    /// A DICOM file of the same transfer syntax, with the same samples.
    pub bytes: Vec<u8>,
    /// The SOP Instance UID that the file has now, and that it can be named by: the name that it had may tell the
    /// patient's, or the UID that it had.
    pub instance: String,
    /// What was done.
    pub report: Report,
}

impl std::fmt::Debug for Deidentified {
    /// Without the file.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deidentified")
            .field("bytes", &self.bytes.len())
            .field("report", &self.report)
            .finish()
    }
}

/// Takes out of DICOM files what identifies their patients, by table E.1-1 of PS3.15 (edition 2026c; the
/// options' columns are those of 2024e).
///
/// - Attributes of the table are removed, emptied, replaced or given other UIDs, in all sequences; where
///   the table allows several, what no object definition forbids.
/// - Private attributes, overlays, curves, group lengths and attributes of no dictionary are removed.
/// - So are some attributes that the table does not name: dates in other calendars, numbers of orders,
///   comments, what is encrypted (`src/dicom/additions.rs`).
/// - Names, UIDs, web addresses that are not relative, dates and times that the table does not list are treated as if
///   it did.
/// - Texts that stay and repeat a name, number or UID of the file are emptied.
/// - Patient's Name and Patient ID become pseudonyms made with the [`Key`]; UIDs become others made with
///   it, the same in all files, so that references hold.
/// - Preamble and file meta information are written anew.
/// - Patient Identity Removed, the method and its codes, and whether dates were modified are put in.
///
/// Pixel data are not touched, see [`Warning`], but for overlays in bits that no sample uses: these bits are cleared,
/// or repeat the sign above a signed sample.
#[derive(Debug, Clone)]
pub struct DicomDeidentifier {
    key: Key,
    retained: Vec<Retain>,
    limits: Limits,
    scrubber: Scrubber,
}

impl DicomDeidentifier {
    /// By the basic profile, without options.
    #[must_use]
    pub fn new(key: &Key) -> Self {
        Self {
            key: key.clone(),
            retained: Vec::new(),
            limits: Limits::default(),
            scrubber: Scrubber::new(),
        }
    }

    /// With one option more.
    #[must_use]
    pub fn retain(mut self, option: Retain) -> Self {
        self.retained.push(option);
        let modified = self.retained.contains(&Retain::ModifiedDates);
        self.retained
            .retain(|&kept| !(modified && kept == Retain::FullDates));
        self.retained.dedup();
        self
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// A whole file (PS3.10) without its patient.
    ///
    /// Dates are shifted by patient, known by Patient ID, else Patient's Name, else Study Instance UID:
    /// two files without an ID that spell a name differently are two patients to it.
    ///
    /// # Errors
    /// [`Error`], all of its kinds: of a file that cannot be read whole nothing is given out.
    pub fn deidentify(&self, file: &[u8]) -> Result<Deidentified> {
        let part10::Part10 { meta, mut object } = part10::read(file, &self.limits)?;
        let class = uid_of(
            &object,
            tags::SOP_CLASS_UID,
            meta.media_storage_sop_class_uid(),
        );
        let class = class.ok_or(Error::Missing {
            what: "SOP Class UID",
        })?;
        if class == uids::MEDIA_STORAGE_DIRECTORY_STORAGE {
            return Err(Error::Directory);
        }
        let mut warnings = burned_in::warnings(&object, &class, meta.transfer_syntax());
        let big_endian = meta.transfer_syntax() == part10::BIG_ENDIAN;
        let embedded = embedded::clear(&mut object, big_endian);
        if embedded == Embedded::Left {
            warnings.push(Warning::EmbeddedOverlay);
        }
        let mut pass = Pass {
            key: &self.key,
            retained: &self.retained,
            scrubber: &self.scrubber,
            days: self.key.days(&patient(&object)),
            echoes: self.echoes(&object, meta.media_storage_sop_instance_uid()),
            report: Report {
                warnings,
                samples: match embedded {
                    Embedded::Cleared(samples) => samples,
                    Embedded::No | Embedded::Left => 0,
                },
                ..Report::default()
            },
        };
        let elsewhere = has_pixel_address(&object);
        let mut object = pass.data_set(object);
        self.declare(&mut object);
        let mut report = pass.report;
        if elsewhere && !has_pixel_address(&object) {
            report.warnings.push(Warning::PixelsElsewhere);
        }
        // The meta information says what the data set now does; where that says nothing, its own.
        let class = self.other(&class);
        let instance = self.other(meta.media_storage_sop_instance_uid());
        let instance = uid_of(&object, tags::SOP_INSTANCE_UID, &instance);
        let instance = instance.ok_or(Error::Missing {
            what: "SOP Instance UID",
        })?;
        let bytes = part10::write(&object, meta.transfer_syntax(), &class, &instance)?;
        Ok(Deidentified {
            bytes,
            instance,
            report,
        })
    }

    /// A UID in place of another, unless they are retained.
    fn other(&self, uid: &str) -> String {
        if self.retained.contains(&Retain::Uids) {
            uid.to_owned()
        } else {
            other_uid(&self.key, uid)
        }
    }

    /// What texts that stay must not repeat: retained UIDs they may.
    fn echoes(&self, object: &InMemDicomObject, instance: &str) -> Echoes {
        if self.retained.contains(&Retain::Uids) {
            return Echoes::of(object);
        }
        Echoes::of(object).with_uids(object, instance)
    }

    /// Says in the file what was done to it: PS3.15 E.1.1, and (0028,0303) of its date options.
    fn declare(&self, object: &mut InMemDicomObject) {
        let version = env!("CARGO_PKG_VERSION");
        let profile = ("113100", "Basic Application Confidentiality Profile");
        let codes = [profile]
            .into_iter()
            .chain(self.retained.iter().map(|option| option.code()));
        let items = codes.map(|(code, meaning)| {
            InMemDicomObject::from_element_iter([
                DataElement::new(tags::CODE_VALUE, VR::SH, PrimitiveValue::from(code)),
                DataElement::new(
                    tags::CODING_SCHEME_DESIGNATOR,
                    VR::SH,
                    PrimitiveValue::from("DCM"),
                ),
                DataElement::new(tags::CODE_MEANING, VR::LO, PrimitiveValue::from(meaning)),
            ])
        });
        let dates = if self.retained.contains(&Retain::ModifiedDates) {
            "MODIFIED"
        } else if self.retained.contains(&Retain::FullDates) {
            "UNMODIFIED"
        } else {
            "REMOVED"
        };
        let one = |value: &str| vec![value.to_owned()];
        let elements = [
            texts(tags::PATIENT_IDENTITY_REMOVED, VR::CS, one("YES")),
            texts(
                tags::DEIDENTIFICATION_METHOD,
                VR::LO,
                one(&format!("PS3.15 E.1 2026c, medgemma-privacy {version}")),
            ),
            sequence(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE, items.collect()),
            texts(
                tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
                VR::CS,
                one(dates),
            ),
        ];
        for element in elements {
            object.put(element);
        }
    }
}

/// Of a file whose pixels a server has (JPIP).
fn has_pixel_address(object: &InMemDicomObject) -> bool {
    let address = object.get(tags::PIXEL_DATA_PROVIDER_URL);
    address.is_some_and(|address| {
        !address
            .value()
            .to_bytes()
            .is_ok_and(|value| value.is_empty())
    })
}

/// An attribute of the data set, or what stands for it elsewhere: the first that is a UID.
fn uid_of(object: &InMemDicomObject, tag: Tag, elsewhere: &str) -> Option<String> {
    let text = object.get(tag).and_then(|element| element.to_str().ok());
    let text = text.map(|text| text.trim_matches([' ', '\0']).to_owned());
    let mut candidates = text.into_iter().chain([elsewhere.to_owned()]);
    candidates.find(|uid| is_uid(uid))
}

/// A small made-up file, for examples in the documentation.
#[doc(hidden)]
#[must_use]
pub fn doc_example() -> Vec<u8> {
    let elements = [
        (tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE),
        (tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4"),
        (tags::STUDY_DATE, VR::DA, "20240503"),
        (tags::MODALITY, VR::CS, "CT"),
        (tags::PATIENT_NAME, VR::PN, "Doe^Jane"),
        (tags::PATIENT_ID, VR::LO, "123456"),
    ];
    let elements = elements.map(|(tag, vr, text)| texts(tag, vr, vec![text.to_owned()]));
    let object = InMemDicomObject::from_element_iter(elements);
    let syntax = uids::EXPLICIT_VR_LITTLE_ENDIAN;
    part10::write(&object, syntax, uids::CT_IMAGE_STORAGE, "1.2.3.4").unwrap_or_default()
}
