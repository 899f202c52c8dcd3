//! Tumours of ten organs.

use super::{class, list};
use crate::classes::ClassList;

/// The study of The Cancer Genome Atlas that a tumour belongs to.
/// One prompt of `LUAD` is published twice.
pub const TCGA_STUDY_TYPES: ClassList = list(
    "histology/tcga-study-types",
    "TCGA Study Types",
    &[
        class(
            "BLCA",
            &[
                "microscopic view of bladder specimen demonstrating bladder cancer",
                "microscopic view of bladder specimen demonstrating urothelial cell carcinoma",
                "microscopic view of bladder specimen demonstrating urothelial cancer",
                "microscopic view of bladder specimen demonstrating urinary bladder tumor",
                "microscopic view of bladder specimen demonstrating transitional cell carcinoma",
            ],
        ),
        class(
            "BRCA",
            &[
                "microscopic view of breast specimen demonstrating breast cancer",
                "microscopic view of breast specimen demonstrating invasive breast carcinoma",
                "microscopic view of breast specimen demonstrating carcinoma of the breast",
            ],
        ),
        class(
            "COAD",
            &[
                "microscopic view of colon specimen demonstrating colon cancer",
                "microscopic view of colon specimen demonstrating colorectal cancer",
                "microscopic view of colon specimen demonstrating colon adenocarcinoma",
            ],
        ),
        class(
            "HNSC",
            &["microscopic view of head and neck squamous cell carcinoma"],
        ),
        class(
            "KIRC",
            &[
                "microscopic view of kidney specimen demonstrating kidney renal clear cell carcinoma",
                "microscopic view of kidney specimen demonstrating clear cell carcinoma",
                "microscopic view of kidney specimen demonstrating renal clear cell carcinoma",
                "microscopic view of kidney specimen demonstrating renal cell carcinoma clear cell type",
                "microscopic view of kidney specimen demonstrating RCC",
                "microscopic view of kidney specimen demonstrating kidney cancer",
            ],
        ),
        class(
            "LIHC",
            &[
                "microscopic view of liver specimen demonstrating liver hepatocellular carcinoma",
                "microscopic view of liver specimen demonstrating liver cancer",
                "microscopic view of liver specimen demonstrating liver carcinoma",
                "microscopic view of liver specimen demonstrating hepatocellular carcinoma",
            ],
        ),
        class(
            "LUAD",
            &[
                "microscopic view of lung specimen demonstrating lung adenocarcinoma",
                "microscopic view of lung specimen demonstrating NSCLC adenocarcinoma",
                "microscopic view of lung specimen demonstrating lung adenocarcinoma",
            ],
        ),
        class(
            "LUSC",
            &[
                "microscopic view of lung specimen demonstrating lung squamous cell carcinoma",
                "microscopic view of lung specimen demonstrating NSCLC squamous carcinoma",
                "microscopic view of lung specimen demonstrating squamous cell lung cancer",
            ],
        ),
        class(
            "OV",
            &[
                "microscopic view of ovary specimen demonstrating ovarian cancer",
                "microscopic view of ovary specimen demonstrating ovarian serous cancer",
                "microscopic view of ovary specimen demonstrating serous carcinoma",
                "microscopic view of ovary specimen demonstrating ovarian serous cystadenocarcinoma",
            ],
        ),
        class(
            "STAD",
            &[
                "microscopic view of stomach specimen demonstrating stomach adenocarcinoma",
                "microscopic view of stomach specimen demonstrating stomach cancer",
                "microscopic view of stomach specimen demonstrating gastric cancer",
                "microscopic view of stomach specimen demonstrating gastric carcinoma",
            ],
        ),
    ],
);
