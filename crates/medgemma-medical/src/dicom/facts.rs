//! What a DICOM file says of itself beside its pixels, as far as a recipe needs it. Nothing here names a patient.

use std::fmt;

use dicom_dictionary_std::tags;

use super::Dicom;
use super::element::{View, name};
use super::layout::Photometric;
use crate::error::Error;

/// VL Whole Slide Microscopy Image Storage: what (0008,0016) of a slide's files says.
pub(crate) const WHOLE_SLIDE: &str = "1.2.840.10008.5.1.4.1.1.77.1.6";

/// Digital X-Ray, Mammography, Intra-Oral X-Ray and Breast Projection X-Ray Image Storage: each For Presentation, and For
/// Processing.
const INTENTS: [[&str; 2]; 4] = [
    [
        "1.2.840.10008.5.1.4.1.1.1.1",
        "1.2.840.10008.5.1.4.1.1.1.1.1",
    ],
    [
        "1.2.840.10008.5.1.4.1.1.1.2",
        "1.2.840.10008.5.1.4.1.1.1.2.1",
    ],
    [
        "1.2.840.10008.5.1.4.1.1.1.3",
        "1.2.840.10008.5.1.4.1.1.1.3.1",
    ],
    [
        "1.2.840.10008.5.1.4.1.1.13.1.4",
        "1.2.840.10008.5.1.4.1.1.13.1.5",
    ],
];

/// Typed attributes. Absent and empty ones are none.
///
/// `Debug` leaves the identifiers out: with them a study can be found in its archive.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// `CT`, `MR`, `CR`, `DX`, … (0008,0060).
    pub modality: Option<String>,
    /// What the samples mean (0028,0004); none without pixels.
    pub photometric: Option<Photometric>,
    /// The kind of object (0008,0016).
    pub sop_class_uid: Option<String>,
    /// This object (0008,0018).
    pub sop_instance_uid: Option<String>,
    /// The study (0020,000D).
    pub study_instance_uid: Option<String>,
    /// The series (0020,000E).
    pub series_instance_uid: Option<String>,
    /// The number within the series (0020,0013).
    pub instance_number: Option<i64>,
    /// The number of the acquisition (0020,0012).
    pub acquisition_number: Option<i64>,
    /// `ORIGINAL` or `DERIVED`, `PRIMARY` or `SECONDARY`, and more (0008,0008).
    pub image_type: Vec<String>,
    /// (0018,0015).
    pub body_part_examined: Option<String>,
    /// `PA`, `AP`, `LL`, … (0018,5101).
    pub view_position: Option<String>,
    /// Whether values are those of the detector, from which a picture to look at is yet to be made (0008,0068), else by the
    /// kind of object; none if neither says it.
    pub for_processing: Option<bool>,
    /// Whether the picture holds text that may name the patient (0028,0301).
    pub burned_in_annotation: Option<bool>,
}

impl Facts {
    pub(crate) fn read(view: &View<'_>, photometric: Option<Photometric>) -> Self {
        let sop_class_uid = view.text(tags::SOP_CLASS_UID);
        let of_detector = |class: &str| {
            let mut all = INTENTS.iter();
            let intents = all.find(|intents| intents.contains(&class))?;
            Some(intents[1] == class)
        };
        Self {
            for_processing: match view.text(tags::PRESENTATION_INTENT_TYPE).as_deref() {
                Some("FOR PROCESSING") => Some(true),
                Some("FOR PRESENTATION") => Some(false),
                _ => sop_class_uid.as_deref().and_then(of_detector),
            },
            modality: view.text(tags::MODALITY),
            photometric,
            sop_class_uid,
            sop_instance_uid: view.text(tags::SOP_INSTANCE_UID),
            study_instance_uid: view.text(tags::STUDY_INSTANCE_UID),
            series_instance_uid: view.text(tags::SERIES_INSTANCE_UID),
            instance_number: view.integer(tags::INSTANCE_NUMBER),
            acquisition_number: view.integer(tags::ACQUISITION_NUMBER),
            image_type: view.texts(tags::IMAGE_TYPE),
            body_part_examined: view.text(tags::BODY_PART_EXAMINED),
            view_position: view.text(tags::VIEW_POSITION),
            burned_in_annotation: match view.text(tags::BURNED_IN_ANNOTATION).as_deref() {
                Some("YES") => Some(true),
                Some("NO") => Some(false),
                _ => None,
            },
        }
    }

    /// Whether the image was computed from others (the first value of the image type).
    #[must_use]
    pub fn is_derived(&self) -> bool {
        self.image_type
            .first()
            .is_some_and(|kind| kind == "DERIVED")
    }

    /// Whether the image shows where slices lie rather than being one.
    #[must_use]
    pub fn is_localizer(&self) -> bool {
        self.image_type.iter().any(|kind| kind == "LOCALIZER")
    }
}

impl Dicom {
    /// The error of a recipe for finished pictures.
    pub(crate) fn of_detector(&self, expected: &str) -> Error {
        let attribute = name(tags::PRESENTATION_INTENT_TYPE);
        Error::file(&self.origin, attribute, expected, "FOR PROCESSING")
    }

    /// The error of a recipe that is for another modality.
    pub(crate) fn other_modality(&self, expected: String, found: String) -> Error {
        Error::file(&self.origin, name(tags::MODALITY), expected, found)
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("modality", &self.modality)
            .field("photometric", &self.photometric)
            .field("burned_in_annotation", &self.burned_in_annotation)
            .finish_non_exhaustive()
    }
}
