//! Records → the text that a model reads, within a budget of tokens, and a list of what is not in it. Own design.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::bundle::{Bundle, Record};
use crate::error::{Error, Result};
use crate::kind::Kind;
use crate::rank::{Wanted, Weights, ranked};
use crate::reference::Reference;

/// What goes into an excerpt.
#[derive(Clone)]
#[non_exhaustive]
pub struct ExcerptOptions {
    /// Tokens that the text may take at most, by the caller's counter. Default 4096.
    pub budget: usize,
    /// Whose records; needed where the bundle has several patients' ([`Bundle::patients`]).
    pub patient: Option<Reference>,
    /// Only records of these kinds, and the patient; all if empty, which is the default.
    pub kinds: Vec<Kind>,
    /// Codes that are asked for, of any system: their records come first.
    pub codes: Vec<String>,
    /// How records are ranked.
    pub weights: Weights,
}

impl Default for ExcerptOptions {
    fn default() -> Self {
        Self {
            budget: 4096,
            patient: None,
            kinds: Vec::new(),
            codes: Vec::new(),
            weights: Weights::default(),
        }
    }
}

impl fmt::Debug for ExcerptOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExcerptOptions")
            .field("budget", &self.budget)
            .field("patient", &self.patient)
            .field("kinds", &self.kinds)
            .field("weights", &self.weights)
            .finish_non_exhaustive()
    }
}

impl ExcerptOptions {
    /// Sets [`budget`](Self::budget).
    #[must_use]
    pub fn with_budget(mut self, tokens: usize) -> Self {
        self.budget = tokens;
        self
    }

    /// Sets [`patient`](Self::patient).
    #[must_use]
    pub fn with_patient(mut self, patient: Reference) -> Self {
        self.patient = Some(patient);
        self
    }

    /// Sets [`kinds`](Self::kinds).
    #[must_use]
    pub fn with_kinds(mut self, kinds: impl Into<Vec<Kind>>) -> Self {
        self.kinds = kinds.into();
        self
    }

    /// Adds one of the [`codes`](Self::codes).
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.codes.push(code.into());
        self
    }

    /// Sets [`weights`](Self::weights).
    #[must_use]
    pub fn with_weights(mut self, weights: Weights) -> Self {
        self.weights = weights;
        self
    }
}

/// Part of a record as a model reads it. `Debug` shows no text.
#[derive(Clone, Serialize)]
#[non_exhaustive]
pub struct Excerpt {
    /// A heading for each kind, a line for each record, newest first, and at the end how many were left out. Empty
    /// if nothing fits.
    pub text: String,
    /// Tokens of the text, by the caller's counter.
    pub tokens: usize,
    /// What is in the text, best first.
    pub shown: Vec<Shown>,
    /// What is not, in the order of the pages, but for what the budget left out: that comes first, best first.
    pub omitted: Vec<Omitted>,
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Excerpt")
            .field("tokens", &self.tokens)
            .field("shown", &self.shown.len())
            .field("omitted", &self.omitted.len())
            .finish_non_exhaustive()
    }
}

/// A record in an excerpt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Shown {
    /// Which.
    pub reference: Reference,
    /// Tokens of its line alone.
    pub tokens: usize,
    /// Its points ([`Weights`]).
    pub points: i64,
}

/// A record that is not in an excerpt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Omitted {
    /// Which.
    pub reference: Reference,
    /// Its kind.
    pub kind: Kind,
    /// Why.
    pub reason: Reason,
    /// Tokens that its line would take.
    pub tokens: usize,
}

/// Why a record is not in an excerpt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// There was no room for it.
    OverBudget,
    /// Its kind was not asked for.
    OtherKind,
    /// It is not among the codes that were searched.
    OtherCode,
    /// It is another patient's, or nobody's in a bundle of several.
    OtherPatient,
    /// It is a group's, a thing's, or somebody's who is given by an identifier only.
    OtherSubject,
    /// It was entered in error.
    EnteredInError,
    /// The navigator was stopped before it came to it, or the model's answer ended before, or with it and perhaps not all of it.
    NotReached,
}

impl Excerpt {
    /// Whether a record is in the text.
    #[must_use]
    pub fn shows(&self, reference: &Reference) -> bool {
        self.shown.iter().any(|shown| &shown.reference == reference)
    }
}

impl Bundle {
    /// The part of the record that matters most for `question`, in at most `options.budget` tokens as `count` counts
    /// them. The same arguments give the same text.
    ///
    /// `count` should count the text alone, without a begin-of-sequence id.
    ///
    /// # Errors
    /// Records of several patients and none chosen, or one that is not there; records that name no patient.
    pub fn excerpt(
        &self,
        question: &str,
        options: &ExcerptOptions,
        count: &dyn Fn(&str) -> usize,
    ) -> Result<Excerpt> {
        let patient = self.chosen(options.patient.as_ref())?;
        let (candidates, mut omitted) = self.candidates(patient, options, count);
        let wanted = Wanted::new(question, &options.codes);
        let ranked = ranked(self, patient, &candidates, &wanted, &options.weights);
        let mut excerpt = cut(self, &ranked, options.budget, count);
        excerpt.omitted.append(&mut omitted);
        Ok(excerpt)
    }

    /// Records that may be shown, and the others with why.
    fn candidates(
        &self,
        patient: Option<&Reference>,
        options: &ExcerptOptions,
        count: &dyn Fn(&str) -> usize,
    ) -> (Vec<usize>, Vec<Omitted>) {
        let (mut candidates, mut omitted) = (Vec::new(), Vec::new());
        for (at, record) in self.records().iter().enumerate() {
            let kind = record.kind();
            let of_kind =
                options.kinds.is_empty() || kind == Kind::Patient || options.kinds.contains(&kind);
            match self.unfit(record, patient) {
                None if of_kind => candidates.push(at),
                reason => omitted.push(Omitted::new(
                    record,
                    reason.unwrap_or(Reason::OtherKind),
                    count,
                )),
            }
        }
        (candidates, omitted)
    }

    /// Whose records are read: the one that was chosen, or the only one.
    pub(crate) fn chosen<'a>(
        &'a self,
        patient: Option<&'a Reference>,
    ) -> Result<Option<&'a Reference>> {
        match (patient, self.patients()) {
            (Some(chosen), patients) if patients.contains(chosen) => Ok(Some(chosen)),
            (Some(_), _) => Err(Error::UnknownPatient),
            (None, [patient]) => Ok(Some(patient)),
            (None, []) => self.names_its_patient().map(|()| None),
            (None, several) => Err(Error::SeveralPatients {
                found: several.len(),
            }),
        }
    }

    /// Refuses records of which those that are of anybody are all of nobody who is named: that they say nothing would be
    /// taken for there being nothing.
    fn names_its_patient(&self) -> Result<()> {
        let of_anybody =
            |record: &&Record| !matches!(record.kind(), Kind::Practitioner | Kind::Medication);
        let (others, own): (Vec<&Record>, Vec<&Record>) = self
            .records()
            .iter()
            .filter(of_anybody)
            .partition(|record| record.is_others());
        match others.len() {
            found @ 1.. if own.is_empty() => Err(Error::NoPatient { found }),
            _ => Ok(()),
        }
    }

    /// Why a record may not be shown with those of `patient`, whatever is asked for.
    pub(crate) fn unfit(&self, record: &Record, patient: Option<&Reference>) -> Option<Reason> {
        if record.summary().void {
            return Some(Reason::EnteredInError);
        }
        if record.is_others() {
            return Some(Reason::OtherSubject);
        }
        let of_nobody = matches!(record.kind(), Kind::Practitioner | Kind::Medication)
            || self.patients().len() < 2;
        let fits = match record.patient() {
            Some(of) => Some(of) == patient,
            None => of_nobody,
        };
        (!fits).then_some(Reason::OtherPatient)
    }
}

impl Omitted {
    pub(crate) fn new(record: &Record, reason: Reason, count: &dyn Fn(&str) -> usize) -> Self {
        Self {
            reference: record.reference().clone(),
            kind: record.kind(),
            reason,
            tokens: count(&line(record)),
        }
    }
}

fn line(record: &Record) -> String {
    record.line() + "\n"
}

fn heading(kind: Kind) -> String {
    format!("## {kind}\n")
}

/// The best of `ranked` that fit into `budget`. A record that is too long does not keep shorter ones behind it out.
pub(crate) fn cut(
    bundle: &Bundle,
    ranked: &[(usize, i64)],
    budget: usize,
    count: &dyn Fn(&str) -> usize,
) -> Excerpt {
    let records = bundle.records();
    let tokens: BTreeMap<usize, usize> = ranked
        .iter()
        .map(|(at, _)| (*at, count(&line(&records[*at]))))
        .collect();
    // What the parts take does not quite say what the whole takes, and the notice takes its share: the whole is counted,
    // and its parts get less room by as much as it is too long, until it fits.
    let mut room = budget;
    let (kept, text, whole) = loop {
        let (kept, used) = best(records, ranked, &tokens, room, count);
        let text = assemble(bundle, &kept, ranked);
        let whole = count(&text);
        if whole <= budget {
            break (kept, text, whole);
        }
        if used == 0 {
            break (Vec::new(), String::new(), 0);
        }
        // Less than was used, so that something goes each time.
        let share = room as u128 * budget as u128 / whole as u128;
        room = usize::try_from(share).map_or(used - 1, |share| share.min(used - 1));
    };
    let positions: BTreeSet<usize> = kept.iter().map(|(at, _)| *at).collect();
    let left_out = ranked.iter().filter(|(at, _)| !positions.contains(at));
    Excerpt {
        text,
        tokens: whole,
        omitted: left_out
            .map(|(at, _)| Omitted {
                reference: records[*at].reference().clone(),
                kind: records[*at].kind(),
                reason: Reason::OverBudget,
                tokens: tokens[at],
            })
            .collect(),
        shown: kept
            .iter()
            .map(|(at, points)| Shown {
                reference: records[*at].reference().clone(),
                tokens: tokens[at],
                points: *points,
            })
            .collect(),
    }
}

/// The best of `ranked` of which the lines, and a heading for each kind, fit into `room` tokens, and what they take of it.
fn best(
    records: &[Record],
    ranked: &[(usize, i64)],
    tokens: &BTreeMap<usize, usize>,
    room: usize,
    count: &dyn Fn(&str) -> usize,
) -> (Vec<(usize, i64)>, usize) {
    let mut headed = BTreeSet::new();
    let (mut kept, mut used) = (Vec::new(), 0_usize);
    for (at, points) in ranked {
        let kind = records[*at].kind();
        let head = if headed.contains(&kind) {
            0
        } else {
            count(&heading(kind))
        };
        let needed = used.saturating_add(tokens[at]).saturating_add(head);
        if needed <= room {
            used = needed;
            headed.insert(kind);
            kept.push((*at, *points));
        }
    }
    (kept, used)
}

/// Headings, lines, and what was left out of `ranked`.
fn assemble(bundle: &Bundle, kept: &[(usize, i64)], ranked: &[(usize, i64)]) -> String {
    let records = bundle.records();
    let mut text = String::new();
    let mut left_out = Vec::new();
    for kind in Kind::ALL {
        let of_kind = |at: &usize| records[*at].kind() == kind;
        let mut lines: Vec<usize> = kept.iter().map(|(at, _)| *at).filter(of_kind).collect();
        lines.sort_by(|a, b| {
            let by_date = records[*b].summary().date.cmp(&records[*a].summary().date);
            by_date.then(a.cmp(b))
        });
        if !lines.is_empty() {
            text += &heading(kind);
        }
        for at in &lines {
            text += &line(&records[*at]);
        }
        let missing = ranked.iter().filter(|(at, _)| of_kind(at)).count() - lines.len();
        if missing > 0 {
            left_out.push(format!("{missing} {kind}"));
        }
    }
    if !left_out.is_empty() {
        text += &format!("(Left out for lack of room: {}.)\n", left_out.join(", "));
    }
    text
}
