//! What there is in a record, without what it says: kinds, numbers, titles with codes.

use std::collections::BTreeMap;

use crate::bundle::{Bundle, Record};
use crate::error::Result;
use crate::kind::Kind;
use crate::reference::Reference;

/// The kinds of one patient's record that can be picked, with what they are about. In the order of
/// [`Kind::ALL`].
#[derive(Clone)]
#[non_exhaustive]
pub struct Manifest {
    /// Each kind once.
    pub kinds: Vec<KindEntry>,
}

/// One kind of a [`Manifest`].
#[derive(Clone)]
#[non_exhaustive]
pub struct KindEntry {
    /// The kind.
    pub kind: Kind,
    /// How many resources there are.
    pub records: usize,
    /// What they are about, with the first code, and how many of them; most first, then by title.
    pub titles: Vec<(String, usize)>,
}

impl Bundle {
    /// What there is in a patient's record; whose may be left open where there is only one.
    ///
    /// # Errors
    /// Several patients and none chosen, or one that is not there.
    pub fn manifest(&self, patient: Option<&Reference>) -> Result<Manifest> {
        let patient = self.chosen(patient)?;
        let mut found: BTreeMap<Kind, BTreeMap<String, usize>> = BTreeMap::new();
        for record in self.records() {
            if record.kind().can_be_picked() && self.unfit(record, patient).is_none() {
                let titles = found.entry(record.kind()).or_default();
                *titles.entry(called(record)).or_default() += 1;
            }
        }
        let entry = |(kind, titles): (Kind, BTreeMap<String, usize>)| {
            let mut titles: Vec<(String, usize)> = titles.into_iter().collect();
            // Stable, so that titles stay in order among each other.
            titles.sort_by_key(|(_, records)| std::cmp::Reverse(*records));
            KindEntry {
                kind,
                records: titles.iter().map(|(_, records)| records).sum(),
                titles,
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
    /// alike. `None` if not even the kinds fit.
    pub(crate) fn text(&self, budget: usize, count: &dyn Fn(&str) -> usize) -> Option<String> {
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
            return Some(text);
        }
        let mut best = fits(0)?;
        // More titles take more tokens: the largest number that fits lies between one that does and one that does not.
        let (mut fitting, mut too_many) = (0, longest);
        while too_many - fitting > 1 {
            let middle = fitting + (too_many - fitting) / 2;
            match fits(middle) {
                Some(text) => (best, fitting) = (text, middle),
                None => too_many = middle,
            }
        }
        Some(best)
    }

    /// The line of one kind, with as many titles as fit.
    pub(crate) fn line(
        &self,
        kind: Kind,
        budget: usize,
        count: &dyn Fn(&str) -> usize,
    ) -> Option<String> {
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
