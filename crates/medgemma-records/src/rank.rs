//! Which records matter for a question: a sum of points, each for a reason that can be read off the record. Own design.

use crate::bundle::{Bundle, Record};
use crate::date::Date;
use crate::kind::Kind;
use crate::reference::Reference;
use crate::summary::Standing;
use crate::text::{synonyms, words};

/// Points that a record gets for each reason to show it. The defaults put the patient first, what was asked for by name
/// above what was asked for by kind, that above allergies and everything flagged, and time last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Weights {
    /// It is the patient's own line, with sex and date of birth, on which the meaning of most others depends. Default 100.
    pub patient: u32,
    /// One of its codes stands in the question, or is asked for. Default 80.
    pub code: u32,
    /// For each word of the question in its title, at most three times. Default 30.
    pub word: u32,
    /// The question asks for its kind. Default 40.
    pub kind: u32,
    /// Its value is flagged, or outside of its reference range. Default 15.
    pub abnormal: u32,
    /// What it says holds now; taken off if it does not any more. Default 15.
    pub current: u32,
    /// It is an allergy that is not over, which gets `current` and `recent` too, however old it is: by default all three put
    /// it above whatever was not asked for, and below what was and is recent. Default 10.
    pub allergy: u32,
    /// It is the newest of the record, or holds now, since whenever; half after one year, a third after two, and so on.
    /// Default 20.
    pub recent: u32,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            patient: 100,
            code: 80,
            word: 30,
            kind: 40,
            abnormal: 15,
            current: 15,
            allergy: 10,
            recent: 20,
        }
    }
}

impl Weights {
    /// Sets [`patient`](Self::patient).
    #[must_use]
    pub fn with_patient(mut self, points: u32) -> Self {
        self.patient = points;
        self
    }

    /// Sets [`code`](Self::code).
    #[must_use]
    pub fn with_code(mut self, points: u32) -> Self {
        self.code = points;
        self
    }

    /// Sets [`word`](Self::word).
    #[must_use]
    pub fn with_word(mut self, points: u32) -> Self {
        self.word = points;
        self
    }

    /// Sets [`kind`](Self::kind).
    #[must_use]
    pub fn with_kind(mut self, points: u32) -> Self {
        self.kind = points;
        self
    }

    /// Sets [`abnormal`](Self::abnormal).
    #[must_use]
    pub fn with_abnormal(mut self, points: u32) -> Self {
        self.abnormal = points;
        self
    }

    /// Sets [`current`](Self::current).
    #[must_use]
    pub fn with_current(mut self, points: u32) -> Self {
        self.current = points;
        self
    }

    /// Sets [`allergy`](Self::allergy).
    #[must_use]
    pub fn with_allergy(mut self, points: u32) -> Self {
        self.allergy = points;
        self
    }

    /// Sets [`recent`](Self::recent).
    #[must_use]
    pub fn with_recent(mut self, points: u32) -> Self {
        self.recent = points;
        self
    }
}

/// What a question asks for, as far as it can be read off its words.
pub(crate) struct Wanted {
    /// Each word with the others that say the same.
    words: Vec<Vec<String>>,
    kinds: Vec<Kind>,
    /// In lower case: what stands in the question, and what the caller asks for.
    codes: Vec<String>,
}

impl Wanted {
    pub(crate) fn new(question: &str, codes: &[String]) -> Self {
        let mut said: Vec<String> = Vec::new();
        for word in words(question) {
            if !said.contains(&word) {
                said.push(word);
            }
        }
        let kinds = said
            .iter()
            .flat_map(|word| Kind::named_by(word))
            .copied()
            .collect();
        let alike = |word: String| {
            let others = synonyms(&word).iter().map(|other| (*other).to_owned());
            std::iter::once(word.clone()).chain(others).collect()
        };
        let trimmed = |word: &str| {
            word.trim_matches(|letter: char| !letter.is_alphanumeric())
                .to_lowercase()
        };
        let mentioned = question
            .split_whitespace()
            .map(trimmed)
            .filter(|word| !word.is_empty());
        Self {
            words: said.into_iter().map(alike).collect(),
            kinds,
            codes: codes
                .iter()
                .map(|code| code.to_lowercase())
                .chain(mentioned)
                .collect(),
        }
    }

    /// A record's points. `newest` is the record's newest date of all.
    pub(crate) fn points(&self, record: &Record, newest: Option<&Date>, weights: &Weights) -> i64 {
        let summary = record.summary();
        let mut points = 0;
        let mut add = |when: bool, weight: u32| {
            if when {
                points += i64::from(weight);
            }
        };
        add(record.kind() == Kind::Patient, weights.patient);
        add(self.kinds.contains(&record.kind()), weights.kind);
        let has = |code: &str| {
            self.codes
                .iter()
                .any(|wanted| wanted == &code.to_lowercase())
        };
        add(
            summary.codes.iter().any(|code| has(&code.code)),
            weights.code,
        );
        let title: Vec<String> = words(&summary.title).collect();
        let found = self
            .words
            .iter()
            .filter(|alike| alike.iter().any(|word| title.contains(word)));
        found.take(3).for_each(|_| add(true, weights.word));
        add(summary.abnormal, weights.abnormal);
        let is_allergy = record.kind() == Kind::AllergyIntolerance;
        let is_live_allergy = is_allergy && summary.standing != Standing::Past;
        let holds = summary.standing == Standing::Current || is_live_allergy;
        add(holds, weights.current);
        add(is_live_allergy, weights.allergy);
        if summary.standing == Standing::Past {
            points -= i64::from(weights.current);
        }
        // The date of what holds now is its beginning: time takes nothing from a penicillin allergy.
        let age = match (&summary.date, newest) {
            (_, Some(_)) if holds => Some(0),
            (Some(date), Some(newest)) => Some(newest.days_since(date) / 365),
            _ => None,
        };
        if let Some(years) = age {
            points += i64::from(weights.recent) / (1 + years);
        }
        points
    }
}

/// `candidates`, best first: by points, then the newer, then as they stand in the pages. Undated ones are the oldest.
pub(crate) fn ranked(
    bundle: &Bundle,
    patient: Option<&Reference>,
    candidates: &[usize],
    wanted: &Wanted,
    weights: &Weights,
) -> Vec<(usize, i64)> {
    let records = bundle.records();
    let newest = newest(bundle, patient);
    let points = |at: &usize| (*at, wanted.points(&records[*at], newest, weights));
    let mut ranked: Vec<(usize, i64)> = candidates.iter().map(points).collect();
    ranked.sort_by(|(a, points_a), (b, points_b)| {
        let by_date = || records[*b].summary().date.cmp(&records[*a].summary().date);
        points_b.cmp(points_a).then_with(by_date).then(a.cmp(b))
    });
    ranked
}

/// The newest date of all that may be shown of a patient, of whatever kind: what is recent is measured from there, never
/// from today. A record that is dated in the future makes the others old; it is what the record says.
fn newest<'a>(bundle: &'a Bundle, patient: Option<&Reference>) -> Option<&'a Date> {
    let may_be_shown = |record: &&Record| bundle.unfit(record, patient).is_none();
    bundle
        .records()
        .iter()
        .filter(may_be_shown)
        .filter_map(|record| record.summary().date.as_ref())
        .max()
}

#[cfg(test)]
mod tests {
    use super::{Wanted, Weights};
    use crate::Bundle;

    /// Each reason has a decimal place of its own.
    #[test]
    fn each_weight_counts_for_its_own_reason() {
        let weights = Weights::default()
            .with_patient(1)
            .with_code(10)
            .with_word(100)
            .with_kind(1_000)
            .with_abnormal(10_000)
            .with_current(100_000)
            .with_allergy(1_000_000)
            .with_recent(10_000_000);
        let page = r#"{"resourceType": "Bundle", "entry": [
            {"resource": {"resourceType": "Patient", "id": "p"}},
            {"resource": {"resourceType": "Observation", "effectiveDateTime": "2026", "code": {"text": "Sodium",
                "coding": [{"code": "2951-2"}]}, "interpretation": [{"coding": [{"code": "H"}]}]}},
            {"resource": {"resourceType": "AllergyIntolerance", "code": {"text": "Latex"},
                "clinicalStatus": {"coding": [{"code": "active"}]}}},
            {"resource": {"resourceType": "Condition", "code": {"text": "Gout"},
                "clinicalStatus": {"coding": [{"code": "active"}]}}},
            {"resource": {"resourceType": "Observation", "effectiveDateTime": "2024", "code": {"text": "Iron"}}}]}"#;
        let bundle = Bundle::from_json(&[page]).expect("a bundle");
        let wanted = Wanted::new("Allergies? Sodium?", &["2951-2".to_owned()]);
        let newest = bundle.records()[1].summary().date.as_ref();
        let points: Vec<i64> = bundle
            .records()
            .iter()
            .map(|record| wanted.points(record, newest, &weights))
            .collect();
        assert_eq!(points, [1, 10_010_110, 11_101_000, 10_100_000, 3_333_333]);
    }

    /// Points of an undated condition of this title and clinical status.
    fn points(question: &str, title: &str, status: &str) -> i64 {
        let json = format!(
            r#"{{"resourceType": "Bundle", "type": "collection", "entry": [{{"resource": {{
                "resourceType": "Condition", "id": "c", "subject": {{"reference": "Patient/p"}},
                "clinicalStatus": {{"coding": [{{"code": "{status}"}}]}},
                "code": {{"text": "{title}"}}}}}}]}}"#
        );
        let bundle = Bundle::from_json(&[&json]).expect("a bundle");
        let record = bundle.records().first().expect("a record");
        Wanted::new(question, &[]).points(record, None, &Weights::default())
    }

    #[test]
    fn words_count_each_and_at_most_three_times() {
        let title = "Acute bacterial lobar pneumonia";
        let of = |question: &str| points(question, title, "unknown");
        assert_eq!(of("fracture?"), 0);
        for (question, words) in [
            ("pneumonia?", 1),
            ("lobar pneumonia?", 2),
            ("bacterial lobar pneumonia?", 3),
            ("acute bacterial lobar pneumonia?", 3),
            ("pneumonia, pneumonia, pneumonia?", 1),
        ] {
            assert_eq!(of(question), words * 30, "{question}");
        }
    }

    #[test]
    fn what_is_over_loses_what_holds_now_gains() {
        for (status, expected) in [("active", 15), ("resolved", -15), ("unknown", 0)] {
            assert_eq!(points("anything?", "Asthma", status), expected, "{status}");
        }
    }

    /// Whether an observation of `value` mg against a range up to 10 of `unit` is taken for abnormal.
    fn is_abnormal(value: &str, unit: &str) -> bool {
        let json = format!(
            r#"{{"resourceType": "Bundle", "type": "collection", "entry": [{{"resource": {{
                "resourceType": "Observation", "id": "o", "subject": {{"reference": "Patient/p"}},
                "status": "final", "code": {{"text": "Glucose"}},
                "valueQuantity": {{{value}, "unit": "mg"}},
                "referenceRange": [{{"high": {{"value": 10, "unit": "{unit}"}}}}]}}}}]}}"#
        );
        let bundle = Bundle::from_json(&[&json]).expect("a bundle");
        bundle.records()[0].summary().abnormal
    }

    #[test]
    fn only_what_is_beyond_doubt_is_abnormal() {
        assert!(is_abnormal(r#""value": 10.5"#, "mg"));
        assert!(!is_abnormal(r#""value": 10"#, "mg"), "the bound itself");
        assert!(!is_abnormal(r#""value": 10.5"#, "g"), "another unit");
        let above = r#""value": 10.5, "comparator": "<""#;
        assert!(!is_abnormal(above, "mg"), "less than a number");
    }
}
