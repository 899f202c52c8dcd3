//! Records of one kind that the model's search finds.

use std::collections::BTreeSet;

use crate::bundle::{Bundle, Record};
use crate::kind::Kind;
use crate::reference::Reference;
use crate::text::words;

use super::trace::Match;

/// What a search comes to, as positions in [`Bundle::records`].
pub(crate) struct Search {
    pub(crate) found: Vec<usize>,
    /// The others of the kind.
    pub(crate) passed_over: Vec<usize>,
    pub(crate) by: Match,
}

impl Search {
    /// The first of code, title and category by which any record of the patient's is found; all if none is, or if no terms
    /// are all that the model wants.
    pub(crate) fn new(
        bundle: &Bundle,
        patient: Option<&Reference>,
        kind: Kind,
        terms: Option<&[String]>,
    ) -> Self {
        let records = bundle.records();
        let of_kind = |at: &usize| {
            let record = &records[*at];
            record.kind() == kind && bundle.unfit(record, patient).is_none()
        };
        let all: Vec<usize> = (0..records.len()).filter(of_kind).collect();
        let by_nothing = match terms {
            Some([]) => Match::All,
            _ => Match::Everything,
        };
        let terms = terms.unwrap_or_default();
        let asked: Vec<BTreeSet<String>> = terms.iter().map(|term| words(term).collect()).collect();
        for by in [Match::Code, Match::Title, Match::Category] {
            let (found, passed_over): (Vec<usize>, Vec<usize>) = all
                .iter()
                .partition(|at| fits(&records[**at], by, terms, &asked));
            if !found.is_empty() {
                return Self {
                    found,
                    passed_over,
                    by,
                };
            }
        }
        Self {
            found: all,
            passed_over: Vec::new(),
            by: by_nothing,
        }
    }
}

/// Whether a record is one that the terms, or their words, name in this way.
fn fits(record: &Record, by: Match, terms: &[String], asked: &[BTreeSet<String>]) -> bool {
    let summary = record.summary();
    let is_one_of = |text: &str| terms.contains(&text.to_lowercase());
    match by {
        Match::Code => summary.codes.iter().any(|code| is_one_of(&code.code)),
        Match::Title => {
            let title: BTreeSet<String> = words(&summary.title).collect();
            asked
                .iter()
                .any(|term| !term.is_empty() && term.is_subset(&title))
        }
        Match::Category => summary.categories.iter().any(|it| is_one_of(it)),
        Match::Everything | Match::All => true,
    }
}
