//! Histology (haematoxylin and eosin): labels of Table A2, prompts of Table A5 of the report.

mod breast;
mod cervix;
mod prostate;
mod tissues;
mod tumours;

pub use self::breast::{
    BREAST_NUCLEAR_PLEOMORPHISM, BREAST_TUBULE_FORMATION, INVASIVE_BREAST_CANCER,
};
pub use self::cervix::CERVICAL_DYSPLASIA;
pub use self::prostate::{PROSTATE_NEEDLE_BIOPSY, RADICAL_PROSTATECTOMY};
pub use self::tissues::TISSUE_TYPES;
pub use self::tumours::TCGA_STUDY_TYPES;
use super::{ClassList, PromptedClass};

const fn list(
    name: &'static str,
    finding: &'static str,
    classes: &'static [PromptedClass],
) -> ClassList {
    ClassList {
        name,
        finding,
        source: "MedGemma Technical Report (arXiv 2507.05201v4), Tables A2 and A5",
        classes,
    }
}

const fn class(label: &'static str, prompts: &'static [&'static str]) -> PromptedClass {
    PromptedClass { label, prompts }
}
