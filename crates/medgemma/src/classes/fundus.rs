//! Fundus pictures: Tables A2 and A3 of the report.

use super::{ClassList, PromptedClass};

/// The grade of diabetic retinopathy (EyePACS): five grades, a prompt each.
pub const DIABETIC_RETINOPATHY: ClassList = ClassList {
    name: "fundus/diabetic-retinopathy",
    finding: "Diabetic Retinopathy (DR)",
    source: "MedGemma Technical Report (arXiv 2507.05201v4), Tables A2 and A3",
    classes: &[
        PromptedClass {
            label: "No DR",
            prompts: &["diabetic retinopathy severity: none."],
        },
        PromptedClass {
            label: "Mild DR",
            prompts: &["diabetic retinopathy severity: mild."],
        },
        PromptedClass {
            label: "Moderate DR",
            prompts: &["diabetic retinopathy severity: moderate."],
        },
        PromptedClass {
            label: "Severe DR",
            prompts: &["diabetic retinopathy severity: severe."],
        },
        PromptedClass {
            label: "Proliferative DR",
            prompts: &["diabetic retinopathy severity: proliferative."],
        },
    ],
};
