//! What this crate adds to table E.1-1 of DICOM PS3.15: attributes that the table does not name, up to its
//! edition 2026c, and that hold what it takes out elsewhere. None is part of the standard's profile.

use super::profile::Action::{self, X};

/// As [`TABLE`](super::profile_table::TABLE): tag, action, the options that say otherwise; by tag.
pub(super) const ADDITIONS: [(u32, Action, u16); 3] = [
    // Texts, so that they are no dates to anything here; in no calendar that could be shifted.
    (0x0010_0033, X, 0), // Patient's Birth Date in Alternative Calendar
    (0x0010_0034, X, 0), // Patient's Death Date in Alternative Calendar
    (0x0010_0035, X, 0), // Patient's Alternative Calendar
];
