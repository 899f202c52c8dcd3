//! What MedGemma says, as data: boxes on pictures, laboratory tables, sections of reports and their
//! contradictions. No model and no burn: texts come from the caller.
//!
//! **Not for clinical use.** What is read out of a model's answer is as right as the answer; a
//! qualified person must verify both.
//!
//! `Debug` shows sizes, kinds and places in the text, no word and no number of it, since `{:?}` ends in
//! logs and panic messages. Fields and `serde` have it all.
//!
//! # Boxes
//! ```
//! use medgemma_answers::{Fit, Frame, Mark, boxes, draw, localization_prompt};
//!
//! # fn main() -> Result<(), medgemma_answers::Error> {
//! let question = localization_prompt("left clavicle"); // after the picture, padded to a square
//! # assert!(question.contains("left clavicle"));
//! let answer = r#"Final Answer: ```json
//! [{"box_2d": [290, 520, 360, 910], "label": "left clavicle"}]
//! ```"#;
//!
//! let (width, height) = (300, 240);
//! let radiograph = vec![0; width * height * 3]; // 8-bit RGB
//! let frame = Frame::new(width, height, Fit::PadCentred)?;
//! let mut marks = Vec::new();
//! for found in boxes(answer).boxes {
//!     if let Some(place) = frame.pixels(&found.region) {
//!         marks.push(Mark::new(place, found.label.unwrap_or_default()));
//!     }
//! }
//! assert_eq!((marks[0].place.x0, marks[0].place.y0), (156.0, 57.0));
//! let png = draw(&radiograph, width, height, &marks)?;
//! # assert!(png.starts_with(b"\x89PNG"));
//! # Ok(())
//! # }
//! ```
//!
//! # Laboratory reports
//! ```
//! use medgemma_answers::{FlagProblem, LabValue, lab_report};
//!
//! let report = lab_report(
//!     "| Test | Result | Unit | Reference range | Flag |
//!      |---|---|---|---|---|
//!      | Haemoglobin | 10.2 | g/dL | 12.0-16.0 | L |
//!      | Potassium | 5.9 | mmol/L | 3.5-5.1 | L |",
//! );
//! assert_eq!(report.rows[0].value, LabValue::Number(10.2));
//! let conflicts = report.conflicts();
//! assert_eq!((conflicts[0].row, conflicts[0].problem), (1, FlagProblem::WrongDirection));
//! println!("{}", serde_json::to_string_pretty(&report).unwrap());
//! ```
//!
//! # Reports
//! ```
//! use medgemma_answers::{SectionKind, contradictions, sections};
//!
//! let text = "FINDINGS: Small left pleural effusion. No pneumothorax.
//! IMPRESSION: Small right pleural effusion.";
//! let parts = sections(text);
//! assert_eq!(parts[1].kind, SectionKind::Impression);
//! for found in contradictions(text) {
//!     println!("{:?}: {:?}, {:?}", found.kind, &text[found.first.span], &text[found.second.span]);
//!     // Laterality: "Small left pleural effusion", "Small right pleural effusion"
//! }
//! # assert_eq!(contradictions(text).len(), 1);
//! ```

mod boxes;
mod error;
mod laboratory;
mod report;

// The public interface is: boxes,
pub use boxes::{
    BoxProblem, Boxes, Fit, Frame, Located, MAX_SIDE, Mark, PixelBox, Region, SkippedBox, boxes,
    draw, localization_prompt,
};
// laboratory reports,
pub use laboratory::{
    Flag, FlagConflict, FlagProblem, LabReport, LabRow, LabValue, ReferenceRange, SkippedLine,
    lab_report,
};
// reports in words,
pub use report::{
    Contradiction, ContradictionKind, Finding, Mention, Polarity, Section, SectionKind, Side,
    contradictions, mentions, sections,
};
// and errors.
pub use error::{Error, Result};
