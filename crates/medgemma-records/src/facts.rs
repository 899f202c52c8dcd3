//! Facts in a model's words, each held to the records that it cites.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::bundle::{Bundle, Record};
use crate::cite;
use crate::date::Date;
use crate::excerpt::Excerpt;
use crate::figures::Figures;
use crate::json;
use crate::reference::Reference;

/// Something that a model says of a record, with where it has it from. `Debug` shows no text.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Fact {
    /// What is said, without the citations.
    pub text: String,
    /// The first record cited: it exists, and the model was shown it.
    pub source: Reference,
    /// Further records cited, of which the same holds.
    pub more_sources: Vec<Reference>,
    /// The newest date of the records cited.
    pub date: Option<Date>,
    /// Numbers and dates of the text that stand in none of the records cited, signs and `<` included. Digits of ids, codes
    /// and dates found no number. Often a sum or a span of time, sometimes an invention: to be looked at first.
    pub unfounded_numbers: Vec<String>,
}

impl fmt::Debug for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fact")
            .field("source", &self.source)
            .field("more_sources", &self.more_sources)
            .field("unfounded_numbers", &self.unfounded_numbers.len())
            .finish_non_exhaustive()
    }
}

impl Fact {
    /// All records cited.
    pub fn sources(&self) -> impl Iterator<Item = &Reference> {
        std::iter::once(&self.source).chain(&self.more_sources)
    }
}

impl fmt::Display for Fact {
    /// The text, and the citations in brackets, as a prompt shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        for source in self.sources() {
            write!(f, " [{source}]")?;
        }
        Ok(())
    }
}

/// Something that a model says of a record without a citation that holds. `Debug` shows no text.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Unsupported {
    /// What is said, without citations.
    pub text: String,
    /// What is wrong with its citations.
    pub why: WhyUnsupported,
}

impl fmt::Debug for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsupported")
            .field("why", &self.why)
            .finish_non_exhaustive()
    }
}

/// What is wrong with citations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WhyUnsupported {
    /// There is none.
    NoCitation,
    /// So many of them name no record of the bundle.
    UnknownRecord(usize),
    /// This record exists, but the model was not shown it.
    NotShown(Reference),
}

/// What a model's answer comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Facts {
    /// What is supported, in the answer's order, each once.
    pub facts: Vec<Fact>,
    /// What is not.
    pub unsupported: Vec<Unsupported>,
}

impl Facts {
    /// Reads an answer: a fact a line, with citations in brackets, or a JSON list of objects with `fact` and
    /// `source`. Headings, fences, and lines that say that there is nothing are passed over. A fact is supported if
    /// it cites something, and all that it cites is in `excerpt`.
    #[must_use]
    pub fn read(answer: &str, bundle: &Bundle, excerpt: &Excerpt) -> Self {
        let shown: BTreeSet<&Reference> =
            excerpt.shown.iter().map(|shown| &shown.reference).collect();
        let mut facts = Self::default();
        let lines = json::facts(answer).unwrap_or_else(|| plain_lines(answer));
        for line in lines {
            let cited = cite::take(&line);
            // A citation alone says nothing.
            if !cited.text.chars().any(char::is_alphanumeric) {
                continue;
            }
            match supported(&cited, bundle, &shown) {
                Ok(fact) if !facts.facts.contains(&fact) => facts.facts.push(fact),
                Ok(_) => {}
                Err(why) => facts.unsupported.push(Unsupported {
                    text: cited.text,
                    why,
                }),
            }
        }
        facts
    }
}

fn supported(
    cited: &cite::Cited,
    bundle: &Bundle,
    shown: &BTreeSet<&Reference>,
) -> Result<Fact, WhyUnsupported> {
    let found: Vec<Option<&Record>> = cited.names.iter().map(|name| bundle.find(name)).collect();
    let unknown = found.iter().filter(|record| record.is_none()).count();
    if unknown > 0 {
        return Err(WhyUnsupported::UnknownRecord(unknown));
    }
    let records: Vec<&Record> = found.into_iter().flatten().collect();
    let mut sources: Vec<Reference> = Vec::new();
    for record in &records {
        let reference = record.reference();
        if !shown.contains(reference) {
            return Err(WhyUnsupported::NotShown(reference.clone()));
        }
        if !sources.contains(reference) {
            sources.push(reference.clone());
        }
    }
    let mut sources = sources.into_iter();
    let source = sources.next().ok_or(WhyUnsupported::NoCitation)?;
    let mut known = Figures::default();
    for record in &records {
        known.add(&record.summary().without_codes());
    }
    Ok(Fact {
        text: cited.text.clone(),
        source,
        more_sources: sources.collect(),
        date: records
            .iter()
            .filter_map(|record| record.summary().date.clone())
            .max(),
        unfounded_numbers: known.lack(&cited.text),
    })
}

/// The lines of an answer that may be facts, without bullets and numbering.
fn plain_lines(answer: &str) -> Vec<String> {
    let line = |line: &str| {
        let line = line.trim();
        let passed_over = line.starts_with('#') || line.starts_with("```") || line.ends_with(':');
        let line = without_bullet(line).replace("**", "");
        let letters: String = line.chars().filter(char::is_ascii_alphabetic).collect();
        let is_nothing = NOTHING
            .iter()
            .any(|nothing| letters.eq_ignore_ascii_case(nothing));
        (!passed_over && !line.is_empty() && !is_nothing).then_some(line)
    };
    answer.lines().filter_map(line).collect()
}

/// What models write when there is nothing, by its letters.
const NOTHING: [&str; 5] = [
    "none",
    "nofacts",
    "norelevantfacts",
    "norelevantinformation",
    "na",
];

fn without_bullet(line: &str) -> &str {
    let marked = line
        .strip_prefix(['-', '*', '•', '–'])
        .filter(|rest| rest.starts_with([' ', '\t']));
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let numbered = line[digits..]
        .strip_prefix(['.', ')'])
        .filter(|rest| digits > 0 && rest.starts_with(' '));
    marked.or(numbered).unwrap_or(line).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lose_their_bullets_and_headings_go() {
        let answer = "## Facts\nHere is what I found:\n- one [Observation/1]\n 2. two\n7.9 %\n* **three**\n-5 mmol\nNONE.\n```\n\n";
        assert_eq!(
            plain_lines(answer),
            ["one [Observation/1]", "two", "7.9 %", "three", "-5 mmol"]
        );
    }
}
