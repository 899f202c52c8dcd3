//! What there is in a record, without what it says: kinds, numbers, titles with codes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::bundle::{Bundle, Record};
use crate::error::Result;
use crate::kind::Kind;
use crate::reference::Reference;

/// The kinds of one patient's record that can be picked, with what they are about. In the order of
/// [`Kind::ALL`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Manifest {
    /// Each kind once.
    pub kinds: Vec<KindEntry>,
}

/// One kind of a [`Manifest`]. `Debug` shows no title and no code, only how many there are.
#[derive(Clone)]
#[non_exhaustive]
pub struct KindEntry {
    /// The kind.
    pub kind: Kind,
    /// How many resources there are.
    pub records: usize,
    /// What they are about, with the first code, and how many of them; most first, then by title.
    pub titles: Vec<(String, usize)>,
    /// All of their codes, each once, in order.
    pub codes: BTreeSet<String>,
}

impl fmt::Debug for KindEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KindEntry")
            .field("kind", &self.kind)
            .field("records", &self.records)
            .field("titles", &self.titles.len())
            .field("codes", &self.codes.len())
            .finish()
    }
}

impl Bundle {
    /// What there is in a patient's record; whose may be left open where there is only one.
    ///
    /// # Errors
    /// Several patients and none chosen, or one that is not there; records that name no patient.
    pub fn manifest(&self, patient: Option<&Reference>) -> Result<Manifest> {
        let patient = self.chosen(patient)?;
        let mut found: BTreeMap<Kind, (BTreeMap<String, usize>, BTreeSet<String>)> =
            BTreeMap::new();
        for record in self.records() {
            if record.kind().can_be_picked() && self.unfit(record, patient).is_none() {
                let (titles, codes) = found.entry(record.kind()).or_default();
                codes.extend(record.summary().codes.iter().map(|it| it.code.clone()));
                *titles.entry(called(record)).or_default() += 1;
            }
        }
        let entry = |(kind, (titles, codes)): (Kind, (BTreeMap<String, usize>, _))| {
            let mut titles: Vec<(String, usize)> = titles.into_iter().collect();
            // Stable, so that titles stay in order among each other.
            titles.sort_by_key(|(_, records)| std::cmp::Reverse(*records));
            KindEntry {
                kind,
                records: titles.iter().map(|(_, records)| records).sum(),
                titles,
                codes,
            }
        };
        Ok(Manifest {
            kinds: found.into_iter().map(entry).collect(),
        })
    }
}

/// `Sodium [Moles/volume] in Serum or Plasma = 2951-2`.
fn called(record: &Record) -> String {
    let summary = record.summary();
    match summary.codes.first() {
        Some(code) if code.code != summary.title => format!("{} = {}", summary.title, code.code),
        _ => summary.title.clone(),
    }
}

impl Manifest {
    /// As the model reads it, in at most `budget` tokens: a line for each kind, with as many titles as fit in all lines
    /// alike. The kinds are always said, even where they alone take more.
    pub(crate) fn text(&self, budget: usize, count: &dyn Fn(&str) -> usize) -> String {
        let longest = self
            .kinds
            .iter()
            .map(|entry| entry.titles.len())
            .max()
            .unwrap_or(0);
        let fits = |titles: usize| {
            let text = self.with_titles(titles);
            (count(&text) <= budget).then_some(text)
        };
        if let Some(text) = fits(longest) {
            return text;
        }
        let mut best = self.with_titles(0);
        // More titles take more tokens: the largest number that fits lies between one that does and one that does not.
        let (mut fitting, mut too_many) = (0, longest);
        while too_many - fitting > 1 {
            let middle = fitting + (too_many - fitting) / 2;
            match fits(middle) {
                Some(text) => (best, fitting) = (text, middle),
                None => too_many = middle,
            }
        }
        best
    }

    /// The line of one kind, with as many titles as fit.
    pub(crate) fn line(&self, kind: Kind, budget: usize, count: &dyn Fn(&str) -> usize) -> String {
        let only = Self {
            kinds: self
                .kinds
                .iter()
                .filter(|entry| entry.kind == kind)
                .cloned()
                .collect(),
        };
        only.text(budget, count)
    }

    fn with_titles(&self, most: usize) -> String {
        let mut text = String::new();
        for entry in &self.kinds {
            text += &format!("{}: {}", entry.kind, entry.records);
            let listed = entry
                .titles
                .iter()
                .filter(|(title, _)| !title.is_empty())
                .take(most);
            let mut titles: Vec<String> = listed
                .map(|(title, records)| match records {
                    1 => title.clone(),
                    _ => format!("{title} ({records} times)"),
                })
                .collect();
            let more = entry.titles.len().saturating_sub(most);
            if more > 0 && most > 0 {
                titles.push(format!("and {more} others"));
            }
            if !titles.is_empty() {
                text += &format!("; {}", titles.join("; "));
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(observed: &[&str]) -> Manifest {
        let of = |kind: &str, title: &str| {
            format!(
                r#"{{"resource": {{"resourceType": "{kind}", "code": {{"text": "{title}"}}}}}}"#
            )
        };
        let entries: Vec<String> = observed
            .iter()
            .map(|title| of("Observation", title))
            .chain([of("Condition", "Asthma")])
            .collect();
        let page = format!(
            r#"{{"resourceType": "Bundle", "entry": [{}]}}"#,
            entries.join(",")
        );
        let bundle = Bundle::from_json(&[&page]).expect("a bundle");
        bundle.manifest(None).expect("a manifest")
    }

    #[test]
    fn what_there_is_most_of_comes_first_then_by_title() {
        let manifest = manifest(&["Urea", "Sodium", "Iron", "Sodium", "Calcium"]);
        let kinds: Vec<(Kind, usize)> = manifest
            .kinds
            .iter()
            .map(|it| (it.kind, it.records))
            .collect();
        assert_eq!(kinds, [(Kind::Condition, 1), (Kind::Observation, 5)]);
        let titles: Vec<(&str, usize)> = manifest.kinds[1]
            .titles
            .iter()
            .map(|(title, records)| (title.as_str(), *records))
            .collect();
        assert_eq!(
            titles,
            [("Sodium", 2), ("Calcium", 1), ("Iron", 1), ("Urea", 1)]
        );
    }

    #[test]
    fn as_many_titles_are_listed_as_fit() {
        let manifest = manifest(&["Urea", "Sodium", "Iron", "Sodium", "Calcium"]);
        let texts = [
            "Condition: 1\nObservation: 5\n",
            "Condition: 1; Asthma\nObservation: 5; Sodium (2 times); and 3 others\n",
            "Condition: 1; Asthma\nObservation: 5; Sodium (2 times); Calcium; and 2 others\n",
            "Condition: 1; Asthma\nObservation: 5; Sodium (2 times); Calcium; Iron; and 1 others\n",
            "Condition: 1; Asthma\nObservation: 5; Sodium (2 times); Calcium; Iron; Urea\n",
        ];
        for budget in 0..100 {
            let best = texts.iter().rev().find(|text| text.len() <= budget);
            let best = best.unwrap_or(&texts[0]);
            assert_eq!(&manifest.text(budget, &str::len), best, "{budget}");
        }
        let line = manifest.line(Kind::Observation, 30, &str::len);
        assert_eq!(line, "Observation: 5\n");
    }
}
