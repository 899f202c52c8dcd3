//! What happens to which attribute: table E.1-1 of DICOM PS3.15, the options that change it, and what
//! the table leaves open.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::additions::ADDITIONS;
use super::profile_table::TABLE;

/// What the basic profile does with an attribute. Of several that the table allows, by what an
/// information object definition requires, the one that none forbids: of `X/Z/D` it is `D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Removed.
    X,
    /// Without a value.
    Z,
    /// A dummy value.
    D,
    /// Another UID, or in a sequence other UIDs.
    U,
}

/// Kept, or shifted, with dates.
pub(super) const DATES: u16 = 1;
/// Text that can be cleaned of identifiers.
pub(super) const TEXT: u16 = 1 << 1;
pub(super) const UIDS: u16 = 1 << 2;
pub(super) const DEVICE: u16 = 1 << 3;
pub(super) const INSTITUTION: u16 = 1 << 4;
pub(super) const PATIENT: u16 = 1 << 5;
/// Text about the patient that can be cleaned of identifiers.
pub(super) const PATIENT_CLEANED: u16 = 1 << 6;

/// Addresses that say what a code means, and not where the file is from.
const CODE_URLS: [Tag; 2] = [tags::CODING_SCHEME_URL, tags::URN_CODE_VALUE];

/// What the basic profile removes and one of its options lets stay: PS3.15 E.3. Options that this crate
/// does not offer need eyes (clean pixel data, visual features, graphics, structured content) or a list
/// of what is safe (safe private).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retain {
    /// UIDs as they are, and addresses that files are retrieved from: files can be told apart and found again
    /// in the archive they come from.
    Uids,
    /// Which device made the file.
    DeviceIdentity,
    /// Where the file was made.
    InstitutionIdentity,
    /// Age, sex, size, weight and the like, with ages above 89 as 90 years, and allergies and the like
    /// scrubbed as text.
    PatientCharacteristics,
    /// Dates and times as they are.
    FullDates,
    /// Dates shifted by whole days, as many for all files of a patient; times as they are. Where
    /// [`FullDates`](Self::FullDates) is asked for too, this one holds.
    ModifiedDates,
    /// Descriptions and comments, scrubbed as text by [`Scrubber`](crate::Scrubber), which misses some.
    CleanedDescriptors,
}

impl Retain {
    /// Its code of `DCM` and that code's meaning, PS3.16 CID 7050.
    #[must_use]
    pub fn code(self) -> (&'static str, &'static str) {
        match self {
            Self::CleanedDescriptors => ("113105", "Clean Descriptors Option"),
            Self::FullDates => (
                "113106",
                "Retain Longitudinal Temporal Information Full Dates Option",
            ),
            Self::ModifiedDates => (
                "113107",
                "Retain Longitudinal Temporal Information Modified Dates Option",
            ),
            Self::PatientCharacteristics => ("113108", "Retain Patient Characteristics Option"),
            Self::DeviceIdentity => ("113109", "Retain Device Identity Option"),
            Self::Uids => ("113110", "Retain UIDs Option"),
            Self::InstitutionIdentity => ("113112", "Retain Institution Identity Option"),
        }
    }
}

/// What is done with an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Remove,
    Empty,
    Replace,
    /// Other UIDs.
    Remap,
    Keep,
    /// Kept with dates shifted.
    Shift,
    /// Kept with identifiers scrubbed out of its text.
    Clean,
    /// Removed, unless it is relative, which leads nowhere out of the file.
    Address,
}

/// What is done with an attribute of this value representation. `retained` is free of contradictions.
pub(super) fn step(tag: Tag, vr: VR, retained: &[Retain]) -> Step {
    let number = (u32::from(tag.group()) << 16) | u32::from(tag.element());
    let row = |table: &[(u32, Action, u16)]| {
        let index = table.binary_search_by_key(&number, |row| row.0);
        index.ok().map(|index| table[index])
    };
    let Some((_, action, options)) = row(&TABLE).or_else(|| row(&ADDITIONS)) else {
        return unlisted(tag, vr, retained);
    };
    let has = |option: u16, retain: Retain| options & option != 0 && retained.contains(&retain);
    if has(UIDS, Retain::Uids)
        || has(DEVICE, Retain::DeviceIdentity) && options & DATES == 0
        || has(INSTITUTION, Retain::InstitutionIdentity)
        || has(PATIENT, Retain::PatientCharacteristics)
        || has(DATES, Retain::FullDates)
    {
        return Step::Keep;
    }
    if has(DATES, Retain::ModifiedDates) {
        match vr {
            VR::DA | VR::DT => return Step::Shift,
            VR::TM => return Step::Keep,
            // A version or a time zone: nothing that can be shifted.
            _ => {}
        }
    }
    if has(TEXT, Retain::CleanedDescriptors) || has(PATIENT_CLEANED, Retain::PatientCharacteristics)
    {
        return Step::Clean;
    }
    match action {
        Action::X => Step::Remove,
        Action::Z => Step::Empty,
        Action::D => Step::Replace,
        Action::U => Step::Remap,
    }
}

/// The table names what identifies in standard attributes, so that others stay. Those whose kind alone
/// makes them identifiers are not left to its completeness.
fn unlisted(tag: Tag, vr: VR, retained: &[Retain]) -> Step {
    let dates = |shifted| {
        if retained.contains(&Retain::ModifiedDates) {
            shifted
        } else if retained.contains(&Retain::FullDates) {
            Step::Keep
        } else {
            Step::Empty
        }
    };
    match vr {
        VR::PN => Step::Remove,
        VR::UI if !retained.contains(&Retain::Uids) => Step::Remap,
        // A host of the institution, and mostly the study's UIDs behind it.
        VR::UR if !retained.contains(&Retain::Uids) && !CODE_URLS.contains(&tag) => Step::Address,
        VR::DA | VR::DT => dates(Step::Shift),
        VR::TM => dates(Step::Keep),
        _ => Step::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_holds_what_everybody_expects_of_it() {
        assert!(TABLE.windows(2).all(|rows| rows[0].0 < rows[1].0));
        assert!(ADDITIONS.windows(2).all(|rows| rows[0].0 < rows[1].0));
        let twice = |row: &(u32, Action, u16)| TABLE.iter().any(|listed| listed.0 == row.0);
        assert!(!ADDITIONS.iter().any(twice), "the standard's row holds");
        let all = |group, element, vr, retained: &[Retain]| step(Tag(group, element), vr, retained);
        // PS3.15 table E.1-1: (0010,0010) Z, (0008,0050) Z, (0008,0018) U K, (0010,1010) X K.
        assert_eq!(all(0x0010, 0x0010, VR::PN, &[]), Step::Empty);
        assert_eq!(all(0x0008, 0x0050, VR::SH, &[]), Step::Empty);
        assert_eq!(all(0x0008, 0x0018, VR::UI, &[]), Step::Remap);
        assert_eq!(all(0x0008, 0x0018, VR::UI, &[Retain::Uids]), Step::Keep);
        assert_eq!(all(0x0010, 0x1010, VR::AS, &[]), Step::Remove);
        let characteristics = [Retain::PatientCharacteristics];
        assert_eq!(all(0x0010, 0x1010, VR::AS, &characteristics), Step::Keep);
        // (0010,2110) Allergies: X, and C with either option.
        assert_eq!(all(0x0010, 0x2110, VR::LO, &characteristics), Step::Clean);
        // (0008,0023) Content Date: Z/D, K and C.
        assert_eq!(all(0x0008, 0x0023, VR::DA, &[]), Step::Replace);
        assert_eq!(
            all(0x0008, 0x0023, VR::DA, &[Retain::ModifiedDates]),
            Step::Shift
        );
        // (0018,1200) Date of Last Calibration goes with dates, not with the device alone.
        assert_eq!(
            all(0x0018, 0x1200, VR::DA, &[Retain::DeviceIdentity]),
            Step::Remove
        );
        // Not in it: Rows, an unheard-of name, somebody's own UID.
        assert_eq!(all(0x0028, 0x0010, VR::US, &[]), Step::Keep);
        assert_eq!(all(0x0028, 0x9999, VR::PN, &[]), Step::Remove);
        assert_eq!(all(0x0028, 0x9999, VR::UI, &[]), Step::Remap);
        // Retrieve URL; the address of a code says nothing of a file.
        assert_eq!(all(0x0008, 0x1190, VR::UR, &[]), Step::Address);
        assert_eq!(all(0x0008, 0x1190, VR::UR, &[Retain::Uids]), Step::Keep);
        assert_eq!(all(0x0008, 0x0120, VR::UR, &[]), Step::Keep);
    }
}
