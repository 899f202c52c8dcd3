//! Which files of a mixed series the volume is made of: those that Google's serving code takes.

use crate::dicom::{Dicom, Facts};
use crate::error::{Error, Result};
use crate::remark::Remark;

/// The files of the volume within a mixed series.
pub(super) fn chosen<'a>(files: &'a [Dicom], remarks: &mut Vec<Remark>) -> Result<Vec<&'a Dicom>> {
    let facts: Vec<_> = files.iter().map(|file| (file, file.facts())).collect();
    if let Some(((_, first), rest)) = facts.split_first()
        && rest
            .iter()
            .any(|(_, other)| other.series_instance_uid != first.series_instance_uid)
    {
        return Err(Error::Series {
            slices: files.len(),
            expected: "files of one series; sort them by SeriesInstanceUID".to_owned(),
            found: "several series".to_owned(),
        });
    }
    let mut kept: Vec<_> = facts.iter().filter(|(file, _)| file.frames() > 0).collect();
    let mut drop_if = |unwanted: fn(&Facts) -> bool, remark: fn(usize) -> Remark| {
        let dropped = kept.iter().filter(|(_, facts)| unwanted(facts)).count();
        if dropped > 0 && dropped < kept.len() {
            kept.retain(|(_, facts)| !unwanted(facts));
            remarks.push(remark(dropped));
        }
    };
    drop_if(Facts::is_localizer, Remark::LocalizersDropped);
    drop_if(Facts::is_derived, Remark::DerivedDropped);
    let last = kept
        .iter()
        .filter_map(|(_, facts)| facts.acquisition_number)
        .max();
    let before = kept.len();
    kept.retain(|(_, facts)| facts.acquisition_number == last);
    if kept.len() < before {
        remarks.push(Remark::AcquisitionsDropped(before - kept.len()));
    }
    let mut seen = std::collections::BTreeSet::new();
    let before = kept.len();
    kept.retain(|(_, facts)| {
        facts
            .instance_number
            .is_none_or(|number| seen.insert(number))
    });
    if kept.len() < before {
        remarks.push(Remark::DuplicatesDropped(before - kept.len()));
    }
    Ok(kept.into_iter().map(|(file, _)| *file).collect())
}
