//! Prostate.

use super::{class, list};
use crate::classes::ClassList;

/// The Gleason pattern in a needle biopsy of the prostate.
/// The end of a page cut `pattern` in two in the first prompt of pattern 5; it is put together again as in its neighbours.
pub const PROSTATE_NEEDLE_BIOPSY: ClassList = list(
    "histology/prostate-needle-biopsy",
    "Prostate Cancer Needle Core Biopsy",
    &[
        class(
            "Benign",
            &[
                "HE histopathology image showing benign prostate tissue within a prostate specimen",
                "prostate image demonstrating normal prostatic glands and stroma consistent with benign tissue",
                "microscopic view of prostate with well-defined regularly spaced glands and intervening stroma indicative of benign prostatic tissue",
                "focus on a region of benign prostate tissue within a prostate specimen exhibiting a normal glandular architecture and stromal component",
                "HE section of prostate showcasing benign prostatic glands lined by a bilayer epithelium (basal and luminal cells)",
            ],
        ),
        class(
            "GP3",
            &[
                "HE histopathology image demonstrating Gleason pattern 3 prostate cancer within a prostate specimen",
                "prostate image highlighting individual well-formed glands characteristic of Gleason pattern 3 carcinoma",
                "microscopic view of a prostate with discrete uniformly sized and shaped glands consistent with Gleason pattern 3 prostate cancer",
                "focus on Gleason pattern 3 prostate cancer within prostate specimen showing relatively distinct glandular structures with minimal variability",
                "HE section of prostate demonstrating areas of Gleason pattern 3 adenocarcinoma marked by separate glands composed of tumor cells infiltrating between benign glands",
            ],
        ),
        class(
            "GP4",
            &[
                "HE histopathology image demonstrating Gleason pattern 4 prostate cancer within a prostate specimen",
                "prostate image highlighting areas of fused glands or poorly formed glands consistent with Gleason pattern 4 carcinoma",
                "microscopic view of prostate showcasing irregular glandular structures with varying shapes and sizes indicative of Gleason pattern 4 prostate cancer",
                "focus on Gleason pattern 4 prostate cancer within a prostate specimen demonstrating loss of normal glandular architecture and a more disorganized growth pattern",
                "HE section of prostate demonstrating regions of Gleason pattern 4 adenocarcinoma characterized by fused or poorly formed glands",
            ],
        ),
        class(
            "GP5",
            &[
                "HE histopathology image demonstrating Gleason pattern 5 prostate cancer within a prostate specimen",
                "prostate image highlighting sheets of tumor cells lacking any glandular formation characteristic of Gleason pattern 5 carcinoma",
                "microscopic view of prostate showing solid areas of tumor cells representing Gleason pattern 5 prostate cancer",
                "focus on Gleason pattern 5 prostate cancer within a prostate specimen demonstrating poorly differentiated cells and absence of gland formation",
                "HE section of prostate with regions of Gleason pattern 5 adenocarcinoma characterized by a complete lack of glandular differentiation and presence of solid tumor cell clusters",
            ],
        ),
    ],
);

/// The Gleason pattern in a prostate taken out.
/// The end of a page cut `pattern` in two in the first prompt of pattern 4; it is put together again as in its neighbours.
pub const RADICAL_PROSTATECTOMY: ClassList = list(
    "histology/radical-prostatectomy",
    "Radical Prostatectomy",
    &[
        class(
            "Benign",
            &[
                "HE histopathology image showing benign prostate tissue",
                "small region from prostate specimen demonstrating normal prostatic glands and stroma consistent with benign tissue",
                "microscopic view of a prostate specimen with well-defined regularly spaced glands and intervening stroma indicative of benign prostatic tissue",
                "focus on a region of benign prostate tissue exhibiting a normal glandular architecture and stromal component",
                "HE section showcasing benign prostatic glands lined by a bilayer epithelium (basal and luminal cells)",
            ],
        ),
        class(
            "GP3",
            &[
                "HE histopathology image demonstrating Gleason pattern 3 prostate cancer",
                "small region of prostate on histopathology highlighting individual well-formed glands characteristic of Gleason pattern 3 carcinoma",
                "microscopic view of a prostate tissue with discrete uniformly sized and shaped glands consistent with Gleason pattern 3 prostate cancer",
                "focus on Gleason pattern 3 prostate cancer showing relatively distinct glandular structures with minimal variability",
                "HE section of prostate tissue demonstrating areas of Gleason pattern 3 adenocarcinoma marked by separate infiltrating glands",
            ],
        ),
        class(
            "GP4",
            &[
                "HE histopathology image demonstrating Gleason pattern 4 prostate cancer",
                "small region of a prostate on histopathology highlighting areas of fused glands, poorly formed glands, or cribriform architecture consistent with Gleason pattern 4 carcinoma",
                "microscopic view of prostate showcasing irregular glandular structures with varying shapes and sizes indicative of Gleason pattern 4 prostate cancer",
                "focus on Gleason pattern 4 prostate cancer demonstrating loss of normal glandular architecture and a more disorganized growth pattern",
                "HE section of prostate tissue demonstrating regions of Gleason pattern 4 adenocarcinoma characterized by fused or poorly defined glands",
            ],
        ),
        class(
            "GP5",
            &[
                "HE histopathology image demonstrating Gleason pattern 5 prostate cancer",
                "small region of prostate on histopathology highlighting presence of sheets of tumor cells lacking any glandular formation characteristic of Gleason pattern 5 carcinoma",
                "microscopic view of prostate showing solid areas of tumor cells with minimal cellular pleomorphism representing Gleason pattern 5 prostate cancer",
                "focus on Gleason pattern 5 prostate cancer demonstrating poorly differentiated cells and absence of gland formation",
                "HE section of prostate with regions of Gleason pattern 5 adenocarcinoma characterized by a complete lack of glandular differentiation and presence of solid tumor cell clusters",
            ],
        ),
    ],
);
