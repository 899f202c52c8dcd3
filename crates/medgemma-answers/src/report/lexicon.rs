//! What reports speak of, and the words that deny, doubt or place it.

use serde::{Deserialize, Serialize};

/// Findings that are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// Air in the pleural space.
    Pneumothorax,
    /// Fluid in the pleural space.
    PleuralEffusion,
    /// Fluid around the heart.
    PericardialEffusion,
    /// Airspace filled.
    Consolidation,
    /// A shadow of unsaid kind; infiltrates count.
    Opacity,
    /// Collapsed lung.
    Atelectasis,
    /// An enlarged heart.
    Cardiomegaly,
    /// Fluid in the lungs; vascular congestion counts.
    PulmonaryEdema,
    /// Infection of the lungs.
    Pneumonia,
    /// A small round shadow.
    Nodule,
    /// A large one.
    Mass,
    /// A broken bone.
    Fracture,
    /// Destroyed lung tissue.
    Emphysema,
    /// A gap with something in it.
    Hernia,
    /// Scarring of the lungs.
    Fibrosis,
    /// Pleura thicker than it should be.
    PleuralThickening,
    /// Enlarged lymph nodes.
    Lymphadenopathy,
    /// Clot in a pulmonary artery.
    PulmonaryEmbolism,
    /// Bleeding.
    Hemorrhage,
    /// Tissue that died for want of blood.
    Infarction,
    /// A fluid-filled sac.
    Cyst,
    /// A widened renal pelvis.
    Hydronephrosis,
    /// Stones of kidney, ureter or gall bladder.
    Calculus,
}

/// Phrases for findings: words in a row, `*` at the end of one for any ending. The first that fits
/// counts, so longer ones come first.
pub(super) const FINDINGS: &[(&str, Finding)] = &[
    ("pericardial effusion*", Finding::PericardialEffusion),
    ("pleural effusion*", Finding::PleuralEffusion),
    ("effusion*", Finding::PleuralEffusion),
    ("pleural fluid", Finding::PleuralEffusion),
    ("pleural thickening", Finding::PleuralThickening),
    ("hydropneumothora*", Finding::Pneumothorax),
    ("pneumothora*", Finding::Pneumothorax),
    ("consolidat*", Finding::Consolidation),
    ("airspace disease", Finding::Consolidation),
    ("air space disease", Finding::Consolidation),
    ("opacit*", Finding::Opacity),
    ("opacification*", Finding::Opacity),
    ("infiltrat*", Finding::Opacity),
    ("atelectasis", Finding::Atelectasis),
    ("atelectases", Finding::Atelectasis),
    ("atelectatic", Finding::Atelectasis),
    ("cardiomegaly", Finding::Cardiomegaly),
    ("cardiac enlargement", Finding::Cardiomegaly),
    ("enlarged heart", Finding::Cardiomegaly),
    ("enlarged cardiac silhouette", Finding::Cardiomegaly),
    ("pulmonary edema", Finding::PulmonaryEdema),
    ("pulmonary oedema", Finding::PulmonaryEdema),
    ("vascular congestion", Finding::PulmonaryEdema),
    ("interstitial edema", Finding::PulmonaryEdema),
    ("pneumonia*", Finding::Pneumonia),
    ("nodul*", Finding::Nodule),
    ("mass", Finding::Mass),
    ("masses", Finding::Mass),
    ("fractur*", Finding::Fracture),
    ("emphysema*", Finding::Emphysema),
    ("hernia*", Finding::Hernia),
    ("fibrosis", Finding::Fibrosis),
    ("fibrotic", Finding::Fibrosis),
    ("lymphadenopathy", Finding::Lymphadenopathy),
    ("adenopathy", Finding::Lymphadenopathy),
    ("pulmonary embol*", Finding::PulmonaryEmbolism),
    ("hemorrhag*", Finding::Hemorrhage),
    ("haemorrhag*", Finding::Hemorrhage),
    ("infarct*", Finding::Infarction),
    ("cyst", Finding::Cyst),
    ("cysts", Finding::Cyst),
    ("hydronephrosis", Finding::Hydronephrosis),
    ("calculus", Finding::Calculus),
    ("calculi", Finding::Calculus),
    ("stone*", Finding::Calculus),
];

/// Words that hold the heart's size.
pub(super) const HEART: &[&str] = &["heart", "cardiac", "cardiomediastinal"];

/// Phrases in front of what is not there, as in Chapman's NegEx (J Biomed Inform 34:301, 2001).
pub(super) const DENY_BEFORE: &[&str] = &[
    "no evidence of",
    "no evidence for",
    "no sign of",
    "no signs of",
    "negative for",
    "free of",
    "clear of",
    "absence of",
    "resolution of",
    "clearing of",
    "without evidence of",
    "rather than",
    "no",
    "without",
    "not",
    "nor",
    "neither",
    "lack of",
    "nothing to suggest",
    "devoid of",
];

/// Phrases behind what is not there.
pub(super) const DENY_BEHIND: &[&str] = &[
    "not seen",
    "not identified",
    "not present",
    "not evident",
    "not visualized",
    "not visualised",
    "not detected",
    "not demonstrated",
    "not appreciated",
    "absent",
    "none",
    "negative",
    "has resolved",
    "have resolved",
    "has cleared",
    "have cleared",
    "resolved",
    "ruled out",
    "has been excluded",
    "have been excluded",
    "is excluded",
    "was excluded",
    "is gone",
    "are gone",
    "has disappeared",
    "have disappeared",
    "not found",
    "not visible",
];

/// Phrases that deny what is on either side of them.
pub(super) const DENY_EITHER: &[&str] = &["no longer"];

/// Phrases that begin as a denial and are none: what they speak of is there, or is not spoken of.
pub(super) const NOT_DENIED: &[&str] = &[
    "no change",
    "no interval change",
    "no significant change",
    "no significant interval change",
    "no appreciable change",
    "no substantial change",
    "no increase",
    "no interval increase",
    "no decrease",
    "no improvement",
    "no worsening",
    "no progression",
    "without change",
    "without significant change",
    "without interval change",
    "not only",
    "not significantly changed",
    "not changed",
    "not excluded",
    "not be excluded",
    "no further increase",
];

/// Phrases in front of what may be there, or was once.
pub(super) const DOUBT_BEFORE: &[&str] = &[
    "cannot exclude",
    "can not exclude",
    "could represent",
    "may represent",
    "might represent",
    "may reflect",
    "could reflect",
    "suspicious for",
    "suspicion of",
    "concern for",
    "concerning for",
    "question of",
    "rule out",
    "evaluate for",
    "assess for",
    "history of",
    "risk of",
    "versus",
    "vs",
    "possible",
    "possibly",
    "probable",
    "probably",
    "likely",
    "suspected",
    "questionable",
    "question",
    "equivocal",
    "if",
    "query",
    "differential diagnosis",
    "differential",
    "correlate",
    "correlation",
    "follow-up for",
    "followup for",
    "treated",
];

/// Phrases behind what may be there.
pub(super) const DOUBT_BEHIND: &[&str] = &[
    "cannot be excluded",
    "can not be excluded",
    "could not be excluded",
    "not excluded",
    "not entirely excluded",
    "is possible",
    "is suspected",
    "is questioned",
    "is considered",
    "is unlikely",
    "are unlikely",
    "unlikely",
    "less likely",
    "difficult to exclude",
    "hard to exclude",
    "not ruled out",
    "by report",
    "by history",
    "in the differential",
    "in the past",
    "would not be",
    "may not be",
    "might not be",
    "could not be",
];

/// Words between a denial and a finding that leave smaller or other ones possible.
pub(super) const QUALIFIERS: &[&str] = &[
    "large",
    "significant",
    "significantly",
    "sizable",
    "sizeable",
    "substantial",
    "new",
    "definite",
    "acute",
    "displaced",
    "tension",
    "additional",
    "other",
    "suspicious",
    "overt",
    "frank",
    "gross",
    "further",
    "discrete",
    "lobar",
    "confluent",
    "worsening",
    "recurrent",
];

/// Whether words from `at` on are the phrase; the number of its words.
pub(super) fn phrase_at(words: &[super::clause::Word], at: usize, phrase: &str) -> Option<usize> {
    let mut length = 0;
    for (offset, wanted) in phrase.split(' ').enumerate() {
        let word = words.get(at + offset)?;
        let fits = match wanted.strip_suffix('*') {
            Some(stem) => word.lower.starts_with(stem),
            None => word.lower == wanted,
        };
        if !fits {
            return None;
        }
        length = offset + 1;
    }
    Some(length)
}
