//! Laboratory reports: a table in any of the usual forms to typed rows, and flags held against ranges.

mod check;
mod column;
mod json;
mod line;
mod number;
mod row;
mod table;

pub use check::{FlagConflict, FlagProblem};
pub use row::{Flag, LabReport, LabRow, LabValue, ReferenceRange, SkippedLine};
pub use table::lab_report;
