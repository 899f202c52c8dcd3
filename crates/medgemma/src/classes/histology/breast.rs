//! Breast.

use super::{class, list};
use crate::classes::ClassList;

/// Breast tissue: benign, invasive or in the duct.
pub const INVASIVE_BREAST_CANCER: ClassList = list(
    "histology/invasive-breast-cancer",
    "Invasive Breast Cancer",
    &[
        class(
            "Benign",
            &[
                "region of an HE histopathology image showing benign breast tissue",
                "HE-stained image demonstrating normal breast tissue architecture",
                "histopathology image with breast lobules and ducts consistent with benign breast tissue",
                "microscopic view of breast tissue with regular uniformly spaced glands indicative of benign breast tissue",
                "HE histopathology image showing normal breast stroma and absence of cellular atypia characteristic of benign breast tissue",
            ],
        ),
        class(
            "Invasive Carcinoma",
            &[
                "region of an HE histopathology image showing invasive breast carcinoma",
                "HE-stained region demonstrating features of invasive breast carcinoma",
                "histopathology image with areas of dense cellularity and atypical cells consistent with invasive breast carcinoma",
                "microscopic view of breast tissue with disorganized glandular architecture consistent with invasive carcinoma",
                "HE histopathology image with regions of stromal invasion by malignant cells indicating invasive breast carcinoma",
            ],
        ),
        class(
            "DCIS",
            &[
                "region of an HE histopathology image showing ductal carcinoma in situ (DCIS)",
                "HE-stained image demonstrating abnormal cells confined within the breast duct",
                "histopathology image: atypical cells within the duct consistent with DCIS",
                "microscopic view of breast tissue showing abnormal cellular proliferation within a duct consistent with DCIS",
                "HE histopathology section with non-invasive intraductal malignant cells suggestive of DCIS",
            ],
        ),
    ],
);

/// How unlike each other the nuclei of an invasive breast cancer are: scores 1 to 3.
pub const BREAST_NUCLEAR_PLEOMORPHISM: ClassList = list(
    "histology/breast-nuclear-pleomorphism",
    "Breast NP",
    &[
        class(
            "NP1",
            &[
                "HE histopathology image demonstrating invasive breast carcinoma with low-grade nuclear features (nucleopleomorphism score 1)",
                "region of invasive breast carcinoma exhibiting relatively uniform nuclei with inconspicuous nucleoli consistent with a low nucleopleomorphism score",
                "microscopic view of invasive breast carcinoma showing limited variation in nuclear shape and size (nucleopleomorphism score 1)",
                "focus on infiltrating tumor cells within an HE-stained image demonstrating bland nuclear features suggestive of low-grade invasive breast carcinoma",
                "HE histopathology section of invasive breast carcinoma with well-formed glands and minimal nuclear atypia indicating a low nucleopleomorphism score",
            ],
        ),
        class(
            "NP2",
            &[
                "HE histopathology image demonstrating invasive breast carcinoma with moderate nuclear pleomorphism (score 2)",
                "region of invasive breast carcinoma exhibiting some variation in nuclear size and shape with some visible nucleoli (nucleopleomorphism score 2)",
                "microscopic view of invasive breast carcinoma showing moderate nuclear atypia including enlarged nuclei and prominent nucleoli (nucleopleomorphism score 2)",
                "focus on tumor cells with increased nuclear irregularity compared to normal breast tissue consistent with a nucleopleomorphism score of 2",
                "HE histopathology section of invasive breast carcinoma with moderately pleomorphic nuclei and discernible nucleoli (nucleopleomorphism score 2)",
            ],
        ),
        class(
            "NP3",
            &[
                "HE histopathology image demonstrating invasive breast carcinoma with high-grade nuclear features (nucleopleomorphism score 3)",
                "microscopic view of invasive breast carcinoma showing significant nuclear atypia including marked variation in size, shape, and prominent nucleoli (nucleopleomorphism score 3)",
                "region of invasive breast carcinoma exhibiting large nuclei with considerable variation in size and shape as well as large irregular nucleoli (nucleopleomorphism score 3)",
                "HE-stained image highlighting markedly pleomorphic nuclei of tumor cells consistent with high-grade invasive breast carcinoma",
                "focus on an area of invasive breast carcinoma demonstrating significant nuclear abnormalities and variability consistent with a nucleopleomorphism score of 3",
            ],
        ),
    ],
);

/// How far an invasive breast cancer still forms tubules: scores 1 to 3.
pub const BREAST_TUBULE_FORMATION: ClassList = list(
    "histology/breast-tubule-formation",
    "Breast TF",
    &[
        class(
            "TF1",
            &[
                "well-formed tubules are visible within this region of invasive breast carcinoma on an HE histopathology image (tubule formation score 1)",
                "this microscopic view demonstrates a predominance of well-defined glandular structures indicating a tubule formation score of 1 in this breast carcinoma",
                "the infiltrating carcinoma cells display preserved tubular architecture resembling normal breast tissue consistent with a tubule formation score of 1",
                "a tubule formation score of 1 is evident on this HE-stained image showcasing numerous well-formed tubules within the breast carcinoma",
                "this region of invasive breast carcinoma depicted on an HE histopathology image exhibits a high degree of tubular differentiation (tubule formation score 1)",
            ],
        ),
        class(
            "TF2",
            &[
                "this HE histopathology image of invasive breast carcinoma shows a moderate degree of tubule formation (score 2)",
                "while some tubular structures are present this microscopic view highlights a less organized pattern of growth within the breast carcinoma aligning with a tubule formation score of 2",
                "a mix of both well-formed tubules and areas lacking clear glandular structures suggests a tubule formation score of 2 in this breast carcinoma",
                "the presence of some discernible tubules alongside regions of less-defined glandular architecture indicates a tubule formation score of 2",
                "this invasive breast carcinoma displays an intermediate level of tubular differentiation consistent with a tubule formation score of 2",
            ],
        ),
        class(
            "TF3",
            &[
                "tubular structures are largely absent within this region of invasive breast carcinoma indicating a tubule formation score of 3 on an HE histopathology image",
                "this breast carcinoma demonstrates disorganized growth with minimal gland formation consistent with a tubule formation score of 3",
                "poorly differentiated tumor cells lacking discernible tubules predominate in this microscopic view suggestive of a tubule formation score of 3",
                "a tubule formation score of 3 is evident within this HE-stained image where the invasive carcinoma shows a scarcity of well-defined glandular structures",
                "limited tubule formation characterizes this region of breast carcinoma resulting in a tubule formation score of 3",
            ],
        ),
    ],
);
