//! Cervix.

use super::{class, list};
use crate::classes::ClassList;

/// The grade of dysplasia in a biopsy of the cervix.
pub const CERVICAL_DYSPLASIA: ClassList = list(
    "histology/cervical-dysplasia",
    "Cervical Dysplasia",
    &[
        class(
            "Normal",
            &[
                "HE-stained image of a cervical biopsy demonstrating normal squamous epithelium and underlying stroma",
                "microscopic view of a cervical biopsy showing regular stratification of the squamous epithelium without atypia",
                "region of a cervical biopsy with well-defined mature squamous epithelium and unremarkable stroma",
                "cervical biopsy demonstrating normal endocervical glands and adjacent squamous epithelium",
                "HE histopathology of a cervical biopsy showcasing a section of the transformation zone with no pathologic findings",
            ],
        ),
        class(
            "CIN Grade 1",
            &[
                "HE-stained image of a cervical biopsy demonstrating features of cervical intraepithelial neoplasia grade 1 (CIN 1) including nuclear atypia in the lower third of the epithelium",
                "microscopic view of a cervical biopsy with CIN 1 showing enlarged nuclei and increased nuclear-to-cytoplasmic ratio in the basal layer of the epithelium",
                "region of a cervical biopsy exhibiting CIN 1 with mild nuclear atypia and koilocytic change (perinuclear halos)",
                "cervical biopsy demonstrating CIN 1 with subtle nuclear abnormalities confined to the lower epithelial layers",
                "HE histopathology of a cervical biopsy with a focus on CIN 1 characterized by slight disorganization of the squamous epithelium",
            ],
        ),
        class(
            "CIN Grade 2+",
            &[
                "HE-stained image of a cervical biopsy demonstrating high-grade dysplasia with significant nuclear atypia and architectural disarray",
                "microscopic view of a cervical biopsy showcasing high-grade squamous intraepithelial lesion (HSIL) with loss of epithelial maturation and cellular disorganization",
                "region of a cervical biopsy exhibiting high-grade dysplasia characterized by increased mitotic activity, nuclear pleomorphism, and loss of normal epithelial polarity",
                "cervical biopsy demonstrating high-grade dysplasia with marked cellular atypia",
                "HE histopathology of a cervical biopsy focusing on high-grade dysplasia showing prominent nuclear abnormalities and disruption of the normal epithelial architecture",
            ],
        ),
    ],
);
