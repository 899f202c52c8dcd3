//! The kinds of resources that are read, and the words by which models and people call them. The list is that of the
//! published EHR navigator agent, with `Patient` and `Medication`, to which the others refer. The words are our own.

use std::fmt;

use serde::Serialize;

/// A kind of FHIR R4 resource that this crate reads. Serialised as [`name`](Self::name) has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub enum Kind {
    /// Whom the record is about.
    Patient,
    /// A diagnosis or problem.
    Condition,
    /// An allergy or intolerance.
    AllergyIntolerance,
    /// An order of a medication.
    MedicationRequest,
    /// What a patient is said to take.
    MedicationStatement,
    /// What was given.
    MedicationAdministration,
    /// A medication that the three kinds above refer to.
    Medication,
    /// A measured or observed value.
    Observation,
    /// A report over several observations.
    DiagnosticReport,
    /// What was done.
    Procedure,
    /// What was ordered.
    ServiceRequest,
    /// A visit or stay.
    Encounter,
    /// An illness of a relative.
    FamilyMemberHistory,
    /// Who treats.
    Practitioner,
}

impl Kind {
    /// All kinds, in the order in which an excerpt shows them.
    pub const ALL: [Self; 14] = [
        Self::Patient,
        Self::Condition,
        Self::AllergyIntolerance,
        Self::MedicationRequest,
        Self::MedicationStatement,
        Self::MedicationAdministration,
        Self::Medication,
        Self::Observation,
        Self::DiagnosticReport,
        Self::Procedure,
        Self::ServiceRequest,
        Self::Encounter,
        Self::FamilyMemberHistory,
        Self::Practitioner,
    ];

    /// The name in FHIR.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Patient => "Patient",
            Self::Condition => "Condition",
            Self::AllergyIntolerance => "AllergyIntolerance",
            Self::MedicationRequest => "MedicationRequest",
            Self::MedicationStatement => "MedicationStatement",
            Self::MedicationAdministration => "MedicationAdministration",
            Self::Medication => "Medication",
            Self::Observation => "Observation",
            Self::DiagnosticReport => "DiagnosticReport",
            Self::Procedure => "Procedure",
            Self::ServiceRequest => "ServiceRequest",
            Self::Encounter => "Encounter",
            Self::FamilyMemberHistory => "FamilyMemberHistory",
            Self::Practitioner => "Practitioner",
        }
    }

    /// The kind of exactly this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the navigator's model may ask for it. The patient is always shown, and a medication is part of what
    /// refers to it.
    #[must_use]
    pub fn can_be_picked(self) -> bool {
        !matches!(self, Self::Patient | Self::Medication)
    }

    /// The kinds that a name means as models write it: in any case, with any punctuation, in the plural, or by one of
    /// the everyday words of [`named_by`](Self::named_by). Empty for anything else.
    #[must_use]
    pub fn read(name: &str) -> Vec<Self> {
        let letters: String = name
            .chars()
            .filter(char::is_ascii_alphabetic)
            .map(|letter| letter.to_ascii_lowercase())
            .collect();
        let one_of = |letters: &str| {
            Self::ALL
                .into_iter()
                .find(|kind| kind.can_be_picked() && kind.name().eq_ignore_ascii_case(letters))
        };
        match one_of(&letters).or_else(|| one_of(letters.strip_suffix('s')?)) {
            Some(kind) => vec![kind],
            None => Self::named_by(&letters).to_vec(),
        }
    }

    /// The kinds that an everyday word of a question stands for, in lower case: `drugs`, `labs`, `mother`.
    #[must_use]
    pub fn named_by(word: &str) -> &'static [Self] {
        let singular = word.strip_suffix('s').unwrap_or(word);
        WORDS
            .iter()
            .find(|(words, _)| words.contains(&word) || words.contains(&singular))
            .map_or(&[], |(_, kinds)| kinds)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Words of questions, without a plural's `s`, and the kinds that answer them.
const WORDS: [(&[&str], &[Kind]); 11] = [
    (
        &[
            "medication",
            "medicine",
            "drug",
            "prescription",
            "prescribed",
            "tablet",
            "taking",
            "treatment",
            "therapy",
            "dose",
        ],
        &[
            Kind::MedicationRequest,
            Kind::MedicationStatement,
            Kind::MedicationAdministration,
        ],
    ),
    (
        &["allergy", "allergie", "allergic", "intolerance", "allergen"],
        &[Kind::AllergyIntolerance],
    ),
    (
        &[
            "diagnosis",
            "diagnose",
            "diagnosed",
            "problem",
            "disease",
            "illness",
            "disorder",
            "comorbidity",
            "comorbiditie",
        ],
        &[Kind::Condition],
    ),
    (
        &["lab", "laboratory", "test", "result"],
        &[Kind::Observation, Kind::DiagnosticReport],
    ),
    (
        &[
            "vital",
            "measurement",
            "value",
            "level",
            "smoking",
            "smoker",
        ],
        &[Kind::Observation],
    ),
    (
        &["report", "imaging", "radiology", "pathology", "scan"],
        &[Kind::DiagnosticReport],
    ),
    (
        &[
            "surgery",
            "surgerie",
            "surgical",
            "operation",
            "operated",
            "intervention",
        ],
        &[Kind::Procedure],
    ),
    (
        &["order", "ordered", "referral", "referred", "planned"],
        &[Kind::ServiceRequest],
    ),
    (
        &[
            "visit",
            "admission",
            "admitted",
            "discharge",
            "discharged",
            "hospital",
            "stay",
        ],
        &[Kind::Encounter],
    ),
    (
        &[
            "family",
            "mother",
            "father",
            "parent",
            "sibling",
            "sister",
            "brother",
            "relative",
            "hereditary",
            "inherited",
        ],
        &[Kind::FamilyMemberHistory],
    ),
    (
        &["doctor", "physician", "clinician", "nurse"],
        &[Kind::Practitioner],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(Kind::from_name("observation"), None);
    }

    #[test]
    fn models_write_names_in_many_ways() {
        for name in [
            "Observation",
            "observations",
            "`OBSERVATION`",
            "Obser vation:",
        ] {
            assert_eq!(Kind::read(name), [Kind::Observation], "{name}");
        }
        assert_eq!(Kind::read("medication_request"), [Kind::MedicationRequest]);
        assert_eq!(Kind::read("Medications").len(), 3);
        assert_eq!(Kind::read("Diagnosis"), [Kind::Condition]);
        for name in ["", "Immunization", "s", "Patient", "12"] {
            assert_eq!(Kind::read(name), [], "{name}");
        }
    }
}
