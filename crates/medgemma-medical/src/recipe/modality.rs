//! What a file says that it is (0008,0060): a recipe refuses values that mean something else than what it was made for.

use crate::dicom::{Dicom, WHOLE_SLIDE};
use crate::error::{Error, Result};
use crate::volume::Volume;

/// Projection radiography, and `OT`, which secondary captures of radiographs bear. The serving code takes the first two.
const RADIOGRAPHS: [&str; 9] = ["CR", "DX", "MG", "RF", "XA", "IO", "PX", "RG", "OT"];

/// Pictures in visible light or drawn in colour. The serving code takes the first three.
const PHOTOGRAPHS: [&str; 9] = ["XC", "GM", "SM", "DMS", "ES", "OP", "US", "IVUS", "OT"];

/// Names of PS3.3, C.7.3.1.1.1, that an error may repeat beside those above; anything else could be free text of the file.
const NAMED: [&str; 6] = ["CT", "MR", "PT", "NM", "SEG", "RTDOSE"];

const NO_RECIPE: &str =
    "no recipe is published for others; Dicom::display and Dicom::rgb show them";

/// Refuses a file that says it is no radiograph, or one that is yet to be processed. One that says nothing is taken.
pub(super) fn check_radiograph(file: &Dicom) -> Result<()> {
    let facts = file.facts();
    let modality = facts.modality;
    // Whatever the file is otherwise: it is the more telling error.
    if facts.for_processing == Some(true) {
        return Err(file.of_detector(
            "FOR PRESENTATION: take the processed picture of the same exposure, usually a file beside this one; a recipe \
             that is made by hand (XrayRecipe::default) shows raw values, which the model was not trained with",
        ));
    }
    let Some(other) = modality.filter(|modality| !RADIOGRAPHS.contains(&modality.as_str())) else {
        return Ok(());
    };
    let todo = match other.as_str() {
        "CT" => "CtRecipe reads CT, of a Volume",
        "MR" => "MrRecipe reads MR, of a Volume",
        other if PHOTOGRAPHS.contains(&other) => {
            "PhotoRecipe reads it in colour; Dicom::display shows it in grey"
        }
        _ => NO_RECIPE,
    };
    Err(file.other_modality(format!("a radiograph: {todo}"), name(&other)))
}

/// Refuses a file that says it is no picture in colour, and whole slides. One that says nothing is taken.
pub(super) fn check_photograph(file: &Dicom) -> Result<()> {
    let facts = file.facts();
    let expected = |todo: &str| format!("a photograph or another picture in colour: {todo}");
    if facts.sop_class_uid.as_deref() == Some(WHOLE_SLIDE) {
        let todo = expected("Slide::open reads whole slides, PatchRecipe shows them");
        return Err(file.other_modality(todo, "a whole slide".to_owned()));
    }
    let other = facts.modality;
    let Some(other) = other.filter(|other| !PHOTOGRAPHS.contains(&other.as_str())) else {
        return Ok(());
    };
    let todo = match other.as_str() {
        "CT" => "CtRecipe reads CT, in grey",
        "MR" => "MrRecipe reads MR, in grey",
        other if RADIOGRAPHS.contains(&other) => "XrayRecipe reads radiographs, in grey",
        _ => NO_RECIPE,
    };
    Err(file.other_modality(expected(todo), name(&other)))
}

/// Refuses a volume that says it is of another modality. NIfTI says nothing and is taken.
pub(super) fn check_volume(volume: &Volume, wanted: &str) -> Result<()> {
    let Some(other) = volume.modality.as_deref().filter(|&other| other != wanted) else {
        return Ok(());
    };
    let todo = match other {
        "CT" => "CtRecipe reads CT",
        "MR" => "MrRecipe reads MR",
        _ => "no recipe is published for others",
    };
    Err(Error::argument(
        "volume",
        format!("a volume of {wanted}: {todo}"),
        name(other),
    ))
}

fn name(modality: &str) -> String {
    let mut known = NAMED.iter().chain(&RADIOGRAPHS).chain(&PHOTOGRAPHS);
    let known = known.any(|&known| known == modality);
    (if known { modality } else { "another modality" }).to_owned()
}
