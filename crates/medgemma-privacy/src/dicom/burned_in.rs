//! Signs that identifiers are in pixels or sound, where no profile of attributes reaches. They are read off
//! attributes; pixels are not looked at and sound is not listened to.

use std::fmt;

use dicom_core::Tag;
use dicom_core::value::Value;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::compressed;
use super::value::strings;

/// A reason to look at the pixels, or to listen, before a file is given away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Warning {
    /// Burned In Annotation (0028,0301) is `YES`.
    BurnedInAnnotation,
    /// Recognizable Visual Features (0028,0302) is `YES`.
    RecognizableFeatures,
    /// A modality whose devices write names into the picture (ultrasound, endoscopy, photography,
    /// secondary capture, film, documents), without a statement that there is no such text.
    Modality,
    /// Image Type (0008,0008) calls it derived, secondary or a screen, without such a statement.
    Derived,
    /// A class of objects that are made from others or from paper, without such a statement.
    SecondaryCapture,
    /// A frame is a JPEG with a comment or application data, or a JPEG 2000 with a comment or boxes beside the picture,
    /// which are kept as they are. What encoders say of themselves is none.
    CompressedMetadata,
    /// Overlays lie in the bits of the pixel data, or may, where they could not be cleared: the data are compressed,
    /// the bits are the samples' own, or Pixel Padding Value needs them.
    EmbeddedOverlay,
    /// Sound is in the file: an audio waveform, or a video in MPEG or HEVC, which may have a track. A voice is a
    /// person's, and may say names.
    Sound,
    /// Pixel Data Provider URL (0028,7FE0) was removed: the file has no pixels but those, at that address.
    PixelsElsewhere,
    /// A picture of a slide's label; one of a slide with it, without a statement that there is no text in it; or
    /// Specimen Label In Image (0048,0010) is `YES`.
    SlideLabel,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BurnedInAnnotation => "the file says that identifying text is burned into its pixels",
            Self::RecognizableFeatures => "the file says that a person can be recognised in its pixels",
            Self::Modality => "devices of this modality write names and dates into pixels, and the file does not say that there are none",
            Self::Derived => "a derived or secondary image, which may be a screen with names on it",
            Self::SecondaryCapture => "a secondary capture, which may be a screen or paper with names on it",
            Self::CompressedMetadata => "a compressed frame holds a comment or application data, which was kept",
            Self::Sound => "there may be sound in the file, which was kept: a voice can be recognised and may say names",
            Self::PixelsElsewhere => "the file had the address of its pixels, which was removed, in place of pixels",
            Self::SlideLabel => "a picture of a slide's label, or with it, which names the specimen or the patient",
            Self::EmbeddedOverlay => "overlays in bits of the pixels could not be cleared: decompress the file first, or look at these bits",
        })
    }
}

/// Of devices that show whom they examine, and of scans of paper.
const MODALITIES: [&str; 16] = [
    "US", "IVUS", "BDUS", "ES", "XC", "GM", "OP", "DOC", "OT", "SC", "DG", "HC", "FID", "RF",
    "SMR", "ECG",
];
/// Parts of Image Type that say so.
const DERIVED: [&str; 4] = ["DERIVED", "SECONDARY", "SCREEN SAVE", "OTHER"];
/// Parts of Image Type of whole slide images that are of the label, whatever else the file says, or show it.
const LABEL: [&str; 1] = ["LABEL"];
const WITH_LABEL: [&str; 1] = ["OVERVIEW"];
/// Secondary Capture Image Storage, with its multi-frame kinds below it; encapsulated documents. `…1.1.77` is
/// photography.
const SECONDARY: [&str; 2] = ["1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.104"];
/// Audio waveforms.
const AUDIO: &str = "1.2.840.10008.5.1.4.1.1.9.4";
/// Transfer syntaxes of MPEG-2, MPEG-4 and HEVC: PS3.5 A.4.5 to A.4.9.
const VIDEO: [&str; 9] = [
    "1.2.840.10008.1.2.4.100",
    "1.2.840.10008.1.2.4.101",
    "1.2.840.10008.1.2.4.102",
    "1.2.840.10008.1.2.4.103",
    "1.2.840.10008.1.2.4.104",
    "1.2.840.10008.1.2.4.105",
    "1.2.840.10008.1.2.4.106",
    "1.2.840.10008.1.2.4.107",
    "1.2.840.10008.1.2.4.108",
];

/// Whether a UID is this one, or one below it.
fn is_under(uid: &str, root: &str) -> bool {
    let rest = uid.strip_prefix(root);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What speaks for identifiers in the pixels of a file, before it was changed. `class` is its SOP class.
pub(super) fn warnings(object: &InMemDicomObject, class: &str, syntax: &str) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let values = |tag: Tag| -> Vec<String> {
        let values = object.get(tag).map(strings).unwrap_or_default();
        let values = values
            .iter()
            .map(|text| text.trim_matches([' ', '\0']).to_owned());
        values.collect()
    };
    let says = |tag, what| values(tag).iter().any(|text| text == what);
    let clear = says(tags::BURNED_IN_ANNOTATION, "NO");
    let holds = |tag, list: &[&str]| values(tag).iter().any(|text| list.contains(&text.as_str()));
    let mut warn = |warning, when: bool| {
        if when {
            warnings.push(warning);
        }
    };
    warn(
        Warning::BurnedInAnnotation,
        says(tags::BURNED_IN_ANNOTATION, "YES"),
    );
    warn(
        Warning::RecognizableFeatures,
        says(tags::RECOGNIZABLE_VISUAL_FEATURES, "YES"),
    );
    warn(
        Warning::Modality,
        !clear && holds(tags::MODALITY, &MODALITIES),
    );
    warn(
        Warning::Derived,
        !clear && holds(tags::IMAGE_TYPE, &DERIVED),
    );
    let secondary = SECONDARY.iter().any(|root| is_under(class, root));
    warn(Warning::SecondaryCapture, !clear && secondary);
    let audio = is_under(class, AUDIO) || holds(tags::MODALITY, &["AU"]);
    let video = VIDEO.iter().any(|root| is_under(syntax, root));
    warn(Warning::Sound, audio || video);
    warn(
        Warning::SlideLabel,
        says(tags::SPECIMEN_LABEL_IN_IMAGE, "YES")
            || holds(tags::IMAGE_TYPE, &LABEL)
            || !clear && holds(tags::IMAGE_TYPE, &WITH_LABEL),
    );
    let fragments = object.get(tags::PIXEL_DATA).map(|element| element.value());
    if let Some(Value::PixelSequence(pixels)) = fragments {
        let marked = compressed::holds_metadata(pixels.fragments());
        warn(Warning::CompressedMetadata, marked);
    }
    warnings
}
