//! The published classes and prompts: complete, as published, short enough for the text tower, and embedded each
//! with its own prompts.

#![allow(
    clippy::explicit_write,
    reason = "goes past the test harness's capture, so that a gap is seen"
)]

use std::collections::BTreeSet;
use std::io::Write;

use crate::support::cpu;
use medgemma::classes::{self, ClassList, PromptedClass};
use medgemma::{Embedding, Error, Image, MedSigLip, SiglipNormalization, SiglipTextOptions};
use medgemma_testkit::{Scratch, Stored};
use medgemma_tokenizer::SiglipTokenizer;

const TINY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../medgemma-tokenizer/tests/golden/siglip/spiece.model"
);

fn list(name: &str) -> &'static ClassList {
    classes::named(name).unwrap()
}

/// Counted in the tables of the report: classes, and prompts of each.
#[test]
fn the_lists_are_as_long_as_the_published_ones() {
    let expected: &[(&str, &[usize])] = &[
        ("chest-x-ray/atelectasis", &[2, 3]),
        ("chest-x-ray/cardiomegaly", &[6, 4]),
        ("chest-x-ray/consolidation", &[3, 6]),
        ("chest-x-ray/edema", &[3, 3]),
        ("chest-x-ray/enlarged-cardiomediastinum", &[2, 1]),
        ("chest-x-ray/fracture", &[2, 2]),
        ("chest-x-ray/lung-lesion", &[1, 3]),
        ("chest-x-ray/lung-opacity", &[10, 9]),
        ("chest-x-ray/pleural-effusion", &[3, 3]),
        ("chest-x-ray/pleural-other", &[1, 2]),
        ("chest-x-ray/pneumonia", &[2, 1]),
        ("chest-x-ray/pneumothorax", &[3, 1]),
        ("chest-x-ray/support-devices", &[1, 5]),
        ("fundus/diabetic-retinopathy", &[1; 5]),
        ("histology/invasive-breast-cancer", &[5; 3]),
        ("histology/breast-nuclear-pleomorphism", &[5; 3]),
        ("histology/breast-tubule-formation", &[5; 3]),
        ("histology/cervical-dysplasia", &[5; 3]),
        ("histology/prostate-needle-biopsy", &[5; 4]),
        ("histology/radical-prostatectomy", &[5; 4]),
        (
            "histology/tcga-study-types",
            &[5, 3, 3, 1, 6, 4, 3, 3, 4, 4],
        ),
        (
            "histology/tissue-types",
            &[5, 4, 4, 5, 5, 4, 3, 5, 5, 5, 5, 4, 4, 6, 4, 4],
        ),
        ("dermatology/skin-conditions", &[1; 79]),
    ];
    let found = classes::all().map(|list| {
        let prompts = list.classes.iter().map(|class| class.prompts.len());
        (list.name, prompts.collect::<Vec<_>>())
    });
    let expected = expected
        .iter()
        .map(|(name, prompts)| (*name, prompts.to_vec()));
    assert!(found.eq(expected));
}

#[test]
fn labels_and_prompts_are_the_published_words() {
    let said = |name: &str, class: usize| {
        let class = &list(name).classes[class];
        (class.label, *class.prompts.last().unwrap())
    };
    for (name, class, label, prompt) in [
        (
            "chest-x-ray/atelectasis",
            0,
            "absent",
            "no acute cardiopulmonary process",
        ),
        (
            "chest-x-ray/lung-opacity",
            1,
            "present",
            "there is airspace opacification",
        ),
        ("chest-x-ray/support-devices", 1, "present", "PIC line"),
        (
            "fundus/diabetic-retinopathy",
            4,
            "Proliferative DR",
            "diabetic retinopathy severity: proliferative.",
        ),
        (
            "histology/cervical-dysplasia",
            2,
            "CIN Grade 2+",
            "HE histopathology of a cervical biopsy focusing on high-grade dysplasia showing prominent nuclear abnormalities and disruption of the normal epithelial architecture",
        ),
        (
            "histology/tcga-study-types",
            3,
            "HNSC",
            "microscopic view of head and neck squamous cell carcinoma",
        ),
        (
            "histology/tissue-types",
            15,
            "Vas deferens",
            "vas deferens tissue on histopathology",
        ),
        (
            "dermatology/skin-conditions",
            54,
            "O/E - ecchymoses present",
            "O/E - ecchymoses present",
        ),
    ] {
        assert_eq!(said(name, class), (label, prompt), "{name}");
    }
    assert_eq!(classes::named("chest-x-ray"), None);
}

#[test]
fn nothing_is_empty_or_there_twice() {
    let names: BTreeSet<_> = classes::all().map(|list| list.name).collect();
    assert_eq!(names.len(), classes::all().count());
    for list in classes::all() {
        let labels: BTreeSet<_> = list.classes.iter().map(|class| class.label).collect();
        assert_eq!(labels.len(), list.classes.len(), "{}", list.name);
        assert!(list.source.contains("2507.05201v4"), "{}", list.name);
        let prompts = list.classes.iter().flat_map(|class| class.prompts);
        for text in prompts.chain(labels.iter()).chain([&list.finding]) {
            assert!(!text.is_empty() && text.trim() == *text, "{text:?}");
            assert!(text.is_ascii() && !text.contains("  "), "{text:?}");
        }
        // One is published twice: "lung adenocarcinoma" of LUAD.
        let twice = list.classes.iter().map(|class| {
            let once: BTreeSet<_> = class.prompts.iter().collect();
            class.prompts.len() - once.len()
        });
        let expected = usize::from(list.name == "histology/tcga-study-types");
        assert_eq!(twice.sum::<usize>(), expected, "{}", list.name);
    }
}

/// The text tower reads 64 ids and nothing is cut off silently: were a prompt longer, its list could not be embedded.
#[test]
fn every_prompt_fits_the_published_text_tower() {
    let Some(folder) = std::env::var_os("MEDGEMMA_SIGLIP_TOKENIZER") else {
        let line = "skipped: MEDGEMMA_SIGLIP_TOKENIZER not set (the published SigLIP tokenizer)";
        writeln!(std::io::stderr(), "{line}").unwrap();
        return;
    };
    let tokenizer = SiglipTokenizer::from_dir(folder.as_ref()).unwrap();
    for normalization in SiglipNormalization::ALL {
        let options = SiglipTextOptions::default().with_normalization(normalization);
        for prompt in classes::all()
            .flat_map(|list| list.classes)
            .flat_map(|class| class.prompts)
        {
            tokenizer.encode(prompt, &options).expect(prompt);
        }
        // Nor are two classes of a list one text, which embedding them would refuse.
        for list in classes::all() {
            let texts = |class: &PromptedClass| -> BTreeSet<Vec<u32>> {
                let ids = class
                    .prompts
                    .iter()
                    .map(|prompt| tokenizer.encode(prompt, &options));
                ids.map(|ids| ids.expect(list.name)).collect()
            };
            let distinct: BTreeSet<_> = list.classes.iter().map(texts).collect();
            assert_eq!(distinct.len(), list.classes.len(), "{}", list.name);
        }
    }
}

/// A tiny model that knows every id of the tiny tokenizer.
fn model() -> MedSigLip {
    let pieces = SiglipTokenizer::from_file(TINY.as_ref())
        .unwrap()
        .vocab_size();
    let key = "text_model.embeddings.token_embedding.weight";
    let folder = Scratch::of("siglip-defaults")
        .edit(|tensors| {
            let width = tensors.get(key).unwrap().shape[1];
            let rows: Vec<f32> = (0..pieces * width).map(|i| (i as f32).sin()).collect();
            tensors.insert(key, Stored::from_f32(&[pieces, width], &rows));
        })
        .edit_json("config.json", |config| {
            config["text_config"]["vocab_size"] = pieces.into();
        });
    std::fs::copy(TINY, folder.file("spiece.model")).unwrap();
    MedSigLip::load(folder.path(), &cpu()).unwrap()
}

#[test]
fn each_class_is_the_ensemble_of_its_own_prompts() {
    let model = model();
    for name in [
        "chest-x-ray/lung-lesion",
        "chest-x-ray/edema",
        "fundus/diabetic-retinopathy",
    ] {
        let list = list(name);
        let found = list.embed(&model).unwrap();
        assert_eq!(found.len(), list.classes.len());
        for (found, class) in found.iter().zip(list.classes) {
            let own = model.embed_texts(class.prompts).unwrap();
            let expected = Embedding::ensemble(&own).unwrap();
            assert_eq!(found.label, class.label);
            // Texts of one pass are summed as those of another.
            let cosine = found.embedding.cosine(&expected).unwrap();
            assert!(cosine > 1.0 - 1e-6, "{name} {}: {cosine}", class.label);
        }
        let apart = found[0].embedding.cosine(&found[1].embedding).unwrap();
        assert!(
            apart < 1.0 - 1e-4,
            "{name}: the classes could be exchanged unseen"
        );
    }
    // A choice of normalisation reaches the tokenizer: only one of the two keeps the slash.
    let list = list("dermatology/skin-conditions");
    let embed = |normalization| {
        let options = SiglipTextOptions::default().with_normalization(normalization);
        list.embed_with(&model, &options).unwrap()
    };
    let [plain, json] = SiglipNormalization::ALL.map(embed);
    let differs = |label: &str| {
        let at = list
            .classes
            .iter()
            .position(|class| class.label == label)
            .unwrap();
        plain[at].embedding.cosine(&json[at].embedding).unwrap() < 1.0 - 1e-5
    };
    assert!(differs("SCC/SCCIS") && differs("SK/ISK") && !differs("Melanoma"));
}

/// Punctuation is deleted, and with it what tells these apart: each would have half of the softmax, and the first of
/// them the answer.
#[test]
fn classes_that_the_tokenizer_makes_one_text_of_are_refused() {
    let model = model();
    let plain = SiglipTextOptions::default();
    let json = plain.with_normalization(SiglipNormalization::TokenizerJson);
    let low_high: [(&str, &[&str]); 3] = [
        ("other", &["lung lesion"]),
        ("low", &["SpO2 <90"]),
        ("high", &["SpO2 >90"]),
    ];
    let error = model.embed_classes(&low_high).unwrap_err();
    let told = error.to_string();
    assert!(
        matches!(
            error,
            Error::SameText {
                first: 1,
                second: 2,
                ..
            }
        ),
        "{told}"
    );
    for part in ["`low`", "`high`", "does not know", "tokenizer-json"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let image = Image::from_rgb8(28, 28, vec![90; 28 * 28 * 3]).unwrap();
    for same in [
        ["SpO2 <90", "SpO2 >90"],
        ["Normal", "normal"],
        ["HER2 +", "HER2 -"],
    ] {
        let error = model.classify_image(&image, &same).unwrap_err();
        assert!(matches!(error, Error::SameText { .. }), "{error}");
    }
    // The other normalisation keeps these two, but no plus.
    let classes = model.embed_classes_with(&low_high, &json).unwrap();
    assert_ne!(classes[1].embedding, classes[2].embedding);
    let signs: [(&str, &[&str]); 2] = [("a", &["HER2 +"]), ("b", &["HER2 -"])];
    let error = model.embed_classes_with(&signs, &json).unwrap_err();
    let told = error.to_string();
    assert!(
        told.contains("in words") && !told.contains("choose"),
        "{told}"
    );

    // Of several prompts all have to be the same, in whatever order.
    let ensembles = |second: &[&str]| {
        let classes: [(&str, &[&str]); 2] = [("a", &["edema", "lung lesion"]), ("b", second)];
        model.embed_classes(&classes)
    };
    let error = ensembles(&["Lung lesion!", "edema", "edema."]).unwrap_err();
    assert!(matches!(error, Error::SameText { .. }), "{error}");
    assert!(ensembles(&["lung lesion", "no edema"]).is_ok());
    assert!(ensembles(&["lung lesion"]).is_ok());
}

/// The vector of the empty text is one of the model's, and says nothing of any class.
#[test]
fn a_prompt_of_punctuation_alone_is_refused() {
    let model = model();
    for nothing in ["", " ", "?!", "<>", "</s>"] {
        let classes: [(&str, &[&str]); 2] = [("a", &["edema"]), ("b", &["lung lesion", nothing])];
        let error = model.embed_classes(&classes).unwrap_err();
        let told = error.to_string();
        assert!(
            matches!(error, Error::EmptyPrompt { class: 1, .. }),
            "{nothing}: {told}"
        );
        assert!(told.contains("`b`"), "{told}");
    }
    // Of a sign that this normalisation keeps there is a text.
    let json = SiglipTextOptions::default().with_normalization(SiglipNormalization::TokenizerJson);
    assert!(model.embed_classes_with(&[("a", &["<>"])], &json).is_ok());
}
