//! Tissue of sixteen organs.

use super::{class, list};
use crate::classes::ClassList;

/// The organ that a tissue is of.
pub const TISSUE_TYPES: ClassList = list(
    "histology/tissue-types",
    "Tissue Types",
    &[
        class(
            "Appendix",
            &[
                "HE histopathology image from the appendix",
                "microscopic region of a cross-section of the appendix",
                "microscopic view of the appendix",
                "portion of the appendix on histopathology",
                "HE-stained image of the appendix showing the tubular structure",
            ],
        ),
        class(
            "Breast",
            &[
                "HE histopathology image of breast tissue",
                "microscopic view of breast tissue",
                "region of breast tissue on histopathology",
                "HE section of breast tissue",
            ],
        ),
        class(
            "Cervix",
            &[
                "HE histopathology image of the cervix",
                "microscopic view of the cervix demonstrating epithelial cells",
                "cervical tissue on histopathology",
                "region of HE-stained section of the cervix",
            ],
        ),
        class(
            "Colon",
            &[
                "HE histopathology image of the colon",
                "colonic mucosa region on histopathology",
                "microscopic view of the colon",
                "HE-stained image highlighting portion of colon tissue",
                "colon tissue on histopathology",
            ],
        ),
        class(
            "Fallopian Tube",
            &[
                "HE histopathology image of the fallopian tube",
                "microscopic cross-section of the fallopian tube",
                "microscopic view of the fallopian tube",
                "HE-stained section of the fallopian tube",
                "fallopian tube tissue on histopathology",
            ],
        ),
        class(
            "Gallbladder",
            &[
                "HE histopathology image of the gallbladder",
                "microscopic view of the gallbladder",
                "HE-stained section showing a region of the gallbladder",
                "gallbladder tissue on histopathology",
            ],
        ),
        class(
            "Liver",
            &[
                "HE histopathology image of the liver",
                "microscopic view of liver tissue demonstrating hepatocytes arranged in cords",
                "liver tissue on histopathology",
            ],
        ),
        class(
            "Lymph node",
            &[
                "HE histopathology image of a lymph node",
                "microscopic view of a lymph node",
                "lymph node demonstrating mixture of immune cells predominantly lymphocytes",
                "HE-stained section of a lymph node",
                "lymph node tissue on histopathology",
            ],
        ),
        class(
            "Ovary",
            &[
                "HE histopathology image of the ovary",
                "microscopic view of the ovary",
                "microscopic region of ovarian tissue",
                "HE-stained section of the ovary",
                "ovarian tissue on histopathology",
            ],
        ),
        class(
            "Placenta",
            &[
                "HE histopathology image of the placenta",
                "placental tissue showcasing chorionic villi",
                "microscopic view of the placenta",
                "HE-stained section of the placenta",
                "placental tissue on histopathology",
            ],
        ),
        class(
            "Prostate",
            &[
                "HE histopathology image of the prostate",
                "microscopic view of prostate tissue",
                "small region of prostate tissue with acini and stroma",
                "HE-stained section of the prostate",
                "prostate tissue on histopathology",
            ],
        ),
        class(
            "Skin",
            &[
                "HE histopathology image of the skin",
                "microscopic view of the skin",
                "HE-stained section of the skin",
                "skin tissue on histopathology",
            ],
        ),
        class(
            "Thyroid",
            &[
                "HE histopathology image of the thyroid",
                "microscopic view of the thyroid",
                "HE-stained section of the thyroid",
                "thyroid tissue on histopathology",
            ],
        ),
        class(
            "Upper GI",
            &[
                "HE histopathology image of the upper GI tract such as the stomach",
                "upper GI mucosa region on histopathology",
                "microscopic view of the upper GI tract",
                "HE-stained image highlighting portion of upper GI tract tissue",
                "upper GI tract tissue on histopathology",
                "stomach or small intestine tissue on histopathology",
            ],
        ),
        class(
            "Uterus",
            &[
                "HE histopathology image of the uterus",
                "microscopic view of the cells of the uterus",
                "HE-stained section of the uterus",
                "uterine tissue on histopathology",
            ],
        ),
        class(
            "Vas deferens",
            &[
                "HE histopathology image of the vas deferens",
                "microscopic view of the vas deferens",
                "HE-stained section of the vas deferens",
                "vas deferens tissue on histopathology",
            ],
        ),
    ],
);
