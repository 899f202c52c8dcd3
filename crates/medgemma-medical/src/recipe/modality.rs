//! What a file says that it is (0008,0060): a recipe refuses values that mean something else than what it was made for.

use crate::dicom::Dicom;
use crate::error::{Error, Result};
use crate::volume::Volume;

/// Projection radiography, and `OT`, which secondary captures of radiographs bear. The serving code takes the first two.
const RADIOGRAPHS: [&str; 9] = ["CR", "DX", "MG", "RF", "XA", "IO", "PX", "RG", "OT"];

/// Names of PS3.3, C.7.3.1.1.1, that an error may repeat; anything else could be free text of the file.
const NAMED: [&str; 16] = [
    "CT", "MR", "PT", "NM", "US", "OT", "CR", "DX", "MG", "RF", "XA", "SM", "GM", "XC", "SEG",
    "RTDOSE",
];

/// Refuses a file that says it is no radiograph. One that says nothing is taken.
pub(super) fn check_radiograph(file: &Dicom) -> Result<()> {
    let modality = file.facts().modality;
    let Some(other) = modality.filter(|modality| !RADIOGRAPHS.contains(&modality.as_str())) else {
        return Ok(());
    };
    let todo = match other.as_str() {
        "CT" => "CtRecipe reads CT, of a Volume",
        "MR" => "MrRecipe reads MR, of a Volume",
        _ => "no recipe is published for others; Dicom::display and Dicom::rgb show them",
    };
    Err(file.other_modality(format!("a radiograph: {todo}"), name(&other)))
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
    let known = NAMED.contains(&modality);
    (if known { modality } else { "another modality" }).to_owned()
}
