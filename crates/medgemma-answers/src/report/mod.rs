//! Reports in words: sections, findings with polarity and side, contradictions between them.

mod answer;
mod check;
mod clause;
mod cue;
mod lexicon;
mod mention;
mod organs;
mod scope;
mod sections;
mod side;
#[cfg(test)]
mod words;

pub use check::{Contradiction, ContradictionKind, contradictions};
pub use lexicon::Finding;
pub use mention::{Mention, Polarity, Side, mentions};
pub use sections::{Section, SectionKind, sections};
