//! Chest radiographs: Table A4 of the report. It separates the prompts of a cell by line breaks, so that where one ends
//! is read off its sense.

use super::{ClassList, PromptedClass};

/// No finding at all.
const NONE: &str = "no acute cardiopulmonary process";
/// Nothing to be seen.
const NORMAL: &str = "normal study";

/// The two classes of a finding.
const fn finding(
    name: &'static str,
    finding: &'static str,
    classes: &'static [PromptedClass; 2],
) -> ClassList {
    ClassList {
        name,
        finding,
        source: "MedGemma Technical Report (arXiv 2507.05201v4), Table A4",
        classes,
    }
}

const fn absent(prompts: &'static [&'static str]) -> PromptedClass {
    PromptedClass {
        label: "absent",
        prompts,
    }
}

const fn present(prompts: &'static [&'static str]) -> PromptedClass {
    PromptedClass {
        label: "present",
        prompts,
    }
}

/// Thirteen findings, each a question of its own: `absent` or `present`. A radiograph may have several.
pub const CHEST_XRAY: [ClassList; 13] = [
    finding(
        "chest-x-ray/atelectasis",
        "Atelectasis",
        &[
            absent(&["no atelectasis", NONE]),
            present(&[
                "adjacent atelectasis",
                "bibasilar atelectasis",
                "there is atelectasis",
            ]),
        ],
    ),
    finding(
        "chest-x-ray/cardiomegaly",
        "Cardiomegaly",
        &[
            absent(&[
                "heart size is normal",
                "cardiac size is within normal limits",
                "cardiothoracic ratio within normal limits",
                NONE,
                NORMAL,
                "no evidence of cardiomegaly",
            ]),
            present(&[
                "mild cardiomegaly",
                "moderate cardiomegaly",
                "severe cardiomegaly",
                "enlarged cardiac silhouette",
            ]),
        ],
    ),
    finding(
        "chest-x-ray/consolidation",
        "Consolidation",
        &[
            absent(&["no focal consolidation", NONE, NORMAL]),
            present(&[
                "alveolar consolidation",
                "densely consolidated",
                "lobe consolidation",
                "airspace consolidation",
                "bibasilar consolidations",
                "suggestive of consolidation",
            ]),
        ],
    ),
    finding(
        "chest-x-ray/edema",
        "Edema",
        &[
            absent(&["no pulmonary edema", NONE, NORMAL]),
            present(&[
                "mild pulmonary edema",
                "moderate pulmonary edema",
                "severe pulmonary edema",
            ]),
        ],
    ),
    finding(
        "chest-x-ray/enlarged-cardiomediastinum",
        "Enlarged cardiomediastinum",
        &[
            absent(&[NONE, "cardiomediastinal silhouette is normal"]),
            present(&["widened cardiomediastinum"]),
        ],
    ),
    finding(
        "chest-x-ray/fracture",
        "Fracture",
        &[
            absent(&[NONE, NORMAL]),
            present(&["rib fractures", "rib fracture"]),
        ],
    ),
    finding(
        "chest-x-ray/lung-lesion",
        "Lung lesion",
        &[
            absent(&[NONE]),
            present(&["lytic lesion", "cavitary lesion", "parenchymal lesion"]),
        ],
    ),
    finding(
        "chest-x-ray/lung-opacity",
        "Lung opacity",
        &[
            absent(&[
                "no focal opacity",
                "lung volumes are normal",
                NORMAL,
                "normal lung volumes",
                "lungs are clear",
                "no focal consolidation",
                "no evidence of airspace consolidation",
                "no infiltrate",
                "no airspace opacity",
                "pulmonary parenchyma is clear",
            ]),
            present(&[
                "bilateral opacities",
                "basal opacity",
                "opacification is present",
                "bibasilar opacities",
                "increased opacification",
                "consolidative opacity",
                "parenchymal opacities",
                "airspace opacification cannot be excluded",
                "there is airspace opacification",
            ]),
        ],
    ),
    finding(
        "chest-x-ray/pleural-effusion",
        "Pleural effusion",
        &[
            absent(&["no evidence of pleural effusion", NONE, NORMAL]),
            present(&[
                "left pleural effusion",
                "right pleural effusion",
                "bilateral pleural effusions",
            ]),
        ],
    ),
    finding(
        "chest-x-ray/pleural-other",
        "Pleural other",
        &[
            absent(&[NONE]),
            present(&["blunting of costophrenic angle", "pleural thickening"]),
        ],
    ),
    finding(
        "chest-x-ray/pneumonia",
        "Pneumonia",
        &[
            absent(&["lungs are clear", NONE]),
            present(&["suggestive of pneumonia"]),
        ],
    ),
    finding(
        "chest-x-ray/pneumothorax",
        "Pneumothorax",
        &[
            absent(&["no pneumothorax", NONE, NORMAL]),
            present(&["apical pneumothorax"]),
        ],
    ),
    finding(
        "chest-x-ray/support-devices",
        "Support devices",
        &[
            absent(&[NONE]),
            present(&[
                "monitoring and support devices",
                "NG tube",
                "ET tube",
                "catheter",
                "PIC line",
            ]),
        ],
    ),
];
