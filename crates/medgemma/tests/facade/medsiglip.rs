//! The dual encoder through the facade: from a picture's samples and token ids to logits and classes,
//! against transformers 5.23.

use std::ops::ControlFlow;
use std::path::Path;

use crate::support::cpu;
use medgemma::{
    Class, Embedding, Error, Image, MedSigLip, Pixels, Probability, SiglipNormalization,
    SiglipOptions, SiglipTextOptions,
};
use medgemma_testkit::{Golden, Scratch, assert_close, checkpoint};

const TOLERANCE: f32 = 1e-4;

/// The tokenizer crate's tiny tokenizer.
const SPIECE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../medgemma-tokenizer/tests/golden/siglip/spiece.model"
);

fn model() -> MedSigLip {
    MedSigLip::load(checkpoint("siglip"), &cpu()).unwrap()
}

/// The pictures of a golden, `[n, 3, h, w]`.
fn pixels(golden: &Golden) -> Vec<Pixels> {
    let all = golden.f32("pixel_values");
    let &[_, c, h, w] = all.shape.as_slice() else {
        panic!("{:?}", all.shape)
    };
    let each = all.data.chunks_exact(c * h * w);
    each.map(|data| Pixels {
        data: data.to_vec(),
        shape: [c, h, w],
    })
    .collect()
}

/// The texts of a golden, padded as they are there.
fn texts(golden: &Golden) -> Vec<Vec<u32>> {
    let length = golden.i64("input_ids").shape[1];
    let ids = golden.ids("input_ids");
    ids.chunks_exact(length).map(<[u32]>::to_vec).collect()
}

fn compare(model: &MedSigLip, name: &str) {
    let golden = Golden::named(name);
    let pixels = pixels(&golden);
    let images: Vec<Embedding> = pixels
        .iter()
        .map(|p| model.embed_pixels(p).unwrap())
        .collect();
    let texts = model.embed_token_ids(&texts(&golden)).unwrap();
    for (key, found) in [("image_embeds", &images), ("text_embeds", &texts)] {
        let shape = [found.len(), found[0].width()];
        let numbers: Vec<f32> = found.iter().flat_map(|e| e.as_slice()).copied().collect();
        assert_close(
            &format!("{name} {key}"),
            &shape,
            &numbers,
            &golden.f32(key),
            TOLERANCE,
        );
    }
    let logits: Vec<f32> = images
        .iter()
        .flat_map(|image| model.logits(image, &texts).unwrap())
        .collect();
    let shape = [images.len(), texts.len()];
    let key = "logits_per_image";
    assert_close(
        &format!("{name} {key}"),
        &shape,
        &logits,
        &golden.f32(key),
        TOLERANCE,
    );
}

#[test]
fn embeddings_and_logits_equal_the_reference() {
    compare(&model(), "siglip.native");
}

#[test]
fn other_sizes_are_taken_only_when_asked_for() {
    let options = SiglipOptions::default().with_interpolate(true);
    let any = MedSigLip::load_with(checkpoint("siglip"), &cpu(), options).unwrap();
    for name in ["siglip.larger", "siglip.flat", "siglip.native"] {
        compare(&any, name);
    }
    let larger = pixels(&Golden::named("siglip.larger")).remove(0);
    let error = model().embed_pixels(&larger).unwrap_err();
    assert!(matches!(error, Error::Vision(_)), "{error}");
}

/// A picture of the model's size is not resized: its pixels are (x / 255 − ½) / ½.
#[test]
fn a_picture_is_embedded_as_its_pixels() {
    let samples: Vec<u8> = (0..28 * 28 * 3_u32)
        .map(|i| (i * 37).to_le_bytes()[0])
        .collect();
    let image = Image::from_rgb8(28, 28, samples.clone()).unwrap();
    let plane = |c: usize| samples.iter().skip(c).step_by(3);
    let data = (0..3).flat_map(plane).map(|&x| f32::from(x) / 127.5 - 1.0);
    let pixels = Pixels {
        data: data.collect(),
        shape: [3, 28, 28],
    };
    let model = model();
    let found = model.embed_images(&[image.clone(), image]).unwrap();
    assert_eq!((found.len(), &found[0]), (2, &found[1]));
    let expected = model.embed_pixels(&pixels).unwrap();
    assert!(found[0].cosine(&expected).unwrap() > 1.0 - 1e-6);
    assert_eq!(found[0].width(), 30);
}

#[test]
fn classes_are_scored_by_name() {
    let golden = Golden::named("siglip.native");
    let model = model();
    let image = model.embed_pixels(&pixels(&golden)[1]).unwrap();
    let texts = model.embed_token_ids(&texts(&golden)).unwrap();
    let ensemble = Embedding::ensemble(&texts[..2]).unwrap();
    let classes = [
        Class::new("two prompts", ensemble.clone()),
        Class::new("third", texts[2].clone()),
        Class::new("fourth", texts[3].clone()),
    ];
    let found = model.classify(&image, &classes).unwrap();
    let logits = golden.f32("logits_per_image");
    let row = logits.rows().nth(1).unwrap();
    assert_eq!(found.scores()[1].label, "third");
    assert!((found.scores()[1].logit - row[2]).abs() < 1e-3);
    assert!((found.scores()[2].logit - row[3]).abs() < 1e-3);
    let own = model.logits(&image, &[ensemble]).unwrap()[0];
    assert_eq!(found.scores()[0].logit, own);
    let total: f32 = found.scores().iter().map(|score| score.softmax).sum();
    assert!((total - 1.0).abs() < 1e-6);
    assert!(found.decide(Probability::Softmax, 0.0).is_some());
    assert!(found.decide(Probability::Sigmoid, 1.1).is_none());
    let best = found.best().logit;
    assert!(found.scores().iter().all(|score| score.logit <= best));
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["scores"][1]["label"], "third");
}

#[test]
fn what_does_not_fit_is_refused() {
    let model = model();
    let image = model
        .embed_pixels(&pixels(&Golden::named("siglip.native"))[0])
        .unwrap();
    assert!(model.embed_token_ids(&[]).unwrap().is_empty());
    assert!(model.embed_images(&[]).unwrap().is_empty());
    assert!(matches!(model.classify(&image, &[]), Err(Error::NoClasses)));
    let class = Class::new("a", image.clone());
    let error = model.classify(&image, &[class.clone(), class]).unwrap_err();
    assert!(matches!(error, Error::DuplicateLabel { .. }), "{error}");
    let other = Embedding::new(vec![1.0; 24]).unwrap();
    for (a, b) in [(&image, &other), (&other, &image), (&other, &other)] {
        let error = model.logits(a, std::slice::from_ref(b)).unwrap_err();
        let fits = matches!(
            error,
            Error::EmbeddingWidth {
                expected: 30,
                found: 24
            }
        );
        assert!(fits, "{error}");
    }
    for ids in [vec![2; 10], vec![101]] {
        let error = model.embed_token_ids(&[ids]).unwrap_err();
        assert!(matches!(error, Error::Vision(_)), "{error}");
    }
    let damaged = Scratch::of("siglip").edit(|tensors| {
        tensors.map("text_model.head.bias", |_| f32::NAN);
    });
    let damaged = MedSigLip::load(damaged.path(), &cpu()).unwrap();
    let error = damaged.embed_token_ids(&[vec![2]]).unwrap_err();
    assert!(matches!(error, Error::NoDirection { .. }), "{error}");
}

/// Fields of pixels are public: what does not belong together is an error, not a panic, and what is no number is
/// not blamed on the weights alone.
#[test]
fn pixels_that_are_no_picture_are_refused() {
    let model = model();
    let shape = [3, 28, 28];
    let of = |data: Vec<f32>, shape| model.embed_pixels(&Pixels { data, shape }).unwrap_err();
    for numbers in [0, 5, 3 * 28 * 28 - 1, 3 * 28 * 28 + 1] {
        let error = of(vec![0.0; numbers], shape);
        assert!(matches!(error, Error::Image(_)), "{error}");
        let told = error.to_string();
        for number in [3 * 28 * 28, numbers] {
            assert!(told.contains(&number.to_string()), "{number}: {told}");
        }
    }
    let error = of(Vec::new(), [3, 0, 28]);
    assert!(matches!(error, Error::Image(_)), "{error}");
    let mut data = vec![0.0; 3 * 28 * 28];
    data[40] = f32::NAN;
    let error = of(data, shape);
    assert!(matches!(error, Error::NoDirection { .. }), "{error}");
    let told = error.to_string();
    assert!(
        told.contains("pixels") && told.contains("weights"),
        "{told}"
    );
}

#[test]
fn loading_reports_its_progress_and_what_it_found() {
    let mut last = (0, 0);
    let options = SiglipOptions::default().with_progress(|done, total| {
        last = (done, total);
        ControlFlow::Continue(())
    });
    let model = MedSigLip::load_with(checkpoint("siglip"), &cpu(), options).unwrap();
    let report = model.report();
    assert_eq!(last, (report.bytes, report.bytes));
    assert_eq!(report.parameters, model.config().parameters());
    let shown = format!("{model:?}");
    assert!(shown.contains("cpu") && !shown.contains("0."), "{shown}");
    // MedGemma's own loader is not for such a directory, nor is this one for MedGemma's.
    assert!(medgemma::MedGemma::load(checkpoint("siglip"), &cpu()).is_err());
    let error = MedSigLip::load(checkpoint("mm-2025"), &cpu()).unwrap_err();
    assert!(error.to_string().contains("model_type"), "{error}");
}

/// The tokenizer crate's tiny tokenizer has more pieces than the tiny model has ids: what both know
/// is embedded, the rest refused by id, and nothing is cut off unless asked for.
#[test]
fn texts_are_embedded_as_their_ids() {
    let folder = Scratch::of("siglip");
    let error = MedSigLip::load(folder.path(), &cpu())
        .unwrap()
        .embed_texts(&["lung"])
        .unwrap_err();
    assert!(matches!(error, Error::NoTokenizer(_)), "{error}");
    assert!(error.to_string().contains("tokenizer.json"), "{error}");

    std::fs::copy(SPIECE, folder.file("spiece.model")).unwrap();
    let model = MedSigLip::load(folder.path(), &cpu()).unwrap();
    let found = model.embed_texts(&["", "</s>"]).unwrap();
    let expected = model.embed_token_ids(&[vec![1; 9]]).unwrap();
    assert_eq!(found[0], expected[0]);
    assert_eq!(found.len(), 2);
    let error = model.embed_texts(&["pleural effusion"]).unwrap_err();
    assert!(!error.to_string().contains("effusion"), "{error}");
    let long = "effusion ".repeat(40);
    let error = model.embed_texts(&["", &long, ""]).unwrap_err();
    let fits = matches!(
        error,
        Error::TextTooLong { index: 1, count: 3, limit: 9, found } if found > 40
    );
    assert!(fits, "{error:?}");
    let told = error.to_string();
    assert!(
        told.starts_with("text 1 of 3") && !told.contains("effusion"),
        "{told}"
    );
}

/// Of hundreds of prompts the one at fault is named, by its class.
#[test]
fn a_prompt_that_is_too_long_is_named_by_its_class() {
    let folder = Scratch::of("siglip");
    std::fs::copy(SPIECE, folder.file("spiece.model")).unwrap();
    let model = MedSigLip::load(folder.path(), &cpu()).unwrap();
    let long = "melanoma ".repeat(40);
    let [first, second, third]: [&[&str]; 3] = [&["<unk>"], &["<unk><unk>", "</s>"], &["", &long]];
    let classes = [("a", first), ("b", second), ("c", third)];
    let error = model.embed_classes(&classes).unwrap_err();
    let Error::PromptTooLong {
        class: 2,
        label,
        prompt: 1,
        limit: 9,
        found,
    } = &error
    else {
        panic!("{error:?}")
    };
    assert!(label == "c" && *found > 40, "{error}");
    assert!(!error.to_string().contains("melanoma"), "{error}");
    let cut = SiglipTextOptions::default().with_truncate(true);
    let error = model.embed_classes_with(&classes, &cut).unwrap_err();
    assert!(
        matches!(error, Error::EmptyPrompt { class: 1, .. }),
        "{error}"
    );
    // The first of a class; and one that is its own label, of which not all is told.
    let error = model
        .embed_classes(&[("a", first), ("b", &[&long])])
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::PromptTooLong {
                class: 1,
                prompt: 0,
                ..
            }
        ),
        "{error}"
    );
    let image = Image::from_rgb8(28, 28, vec![90; 28 * 28 * 3]).unwrap();
    let error = model.classify_image(&image, &["<unk>", &long]).unwrap_err();
    let Error::PromptTooLong {
        class: 1, label, ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!(label.chars().count(), 80);
}

/// Of several pictures the one at fault is named; of one alone there is nothing to name.
#[test]
fn a_picture_that_cannot_be_embedded_is_named() {
    let options = SiglipOptions::default().with_pad_to_square(true);
    let model = MedSigLip::load_with(checkpoint("siglip"), &cpu(), options).unwrap();
    let good = Image::from_rgb8(28, 28, vec![90; 28 * 28 * 3]).unwrap();
    // Its square would be of gigabytes.
    let strip = Image::from_gray8(32_768, 1, vec![7; 32_768]).unwrap();
    let error = model
        .embed_images(&[good.clone(), good, strip.clone()])
        .unwrap_err();
    let Error::OneOfImages {
        index: 2,
        count: 3,
        source,
    } = &error
    else {
        panic!("{error:?}")
    };
    assert!(matches!(**source, Error::Image(_)), "{source}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("32768x1"), "{cause}");
    assert!(error.to_string().contains("image 2 of 3"), "{error}");
    let error = model.embed_images(&[strip]).unwrap_err();
    assert!(matches!(error, Error::Image(_)), "{error}");
}

/// The files of two models in one directory: said when it is loaded, by file and key, not of the first picture.
#[test]
fn a_processor_of_another_size_than_the_models_is_refused() {
    for (file, key, nested) in [
        ("preprocessor_config.json", "`size`", false),
        ("processor_config.json", "`image_processor.size`", true),
    ] {
        let folder = Scratch::of("siglip");
        let path = folder.file("preprocessor_config.json");
        let mut config: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config["size"] = serde_json::json!({"height": 28, "width": 30});
        if nested {
            config = serde_json::json!({"image_processor": config});
        }
        std::fs::write(folder.file(file), config.to_string()).unwrap();
        let error = MedSigLip::load(folder.path(), &cpu()).unwrap_err();
        assert!(matches!(error, Error::Image(_)), "{error}");
        let told = error.to_string();
        let named = folder.file(file).display().to_string();
        for part in [named.as_str(), key, "expected 28x28", "found 28x30"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        // Asked for, other sizes are taken.
        let any = SiglipOptions::default().with_interpolate(true);
        let model = MedSigLip::load_with(folder.path(), &cpu(), any).unwrap();
        let image = Image::from_rgb8(50, 40, vec![90; 50 * 40 * 3]).unwrap();
        assert_eq!(model.embed_images(&[image]).unwrap().len(), 1);
        // What is not resized has no size of its own.
        let section = if nested {
            &mut config["image_processor"]
        } else {
            &mut config
        };
        section["do_resize"] = false.into();
        std::fs::write(folder.file(file), config.to_string()).unwrap();
        MedSigLip::load(folder.path(), &cpu()).unwrap();
    }
}

/// Texts and pixels need no image processor.
#[test]
fn a_processor_that_is_not_understood_refuses_pictures_alone() {
    let pixels = |model: &MedSigLip, image: &Image| {
        let processed = model.processor().unwrap().process(image).unwrap();
        processed.pixels.into_iter().next().unwrap()
    };
    let image = Image::from_rgb8(50, 40, vec![90; 50 * 40 * 3]).unwrap();
    let whole = MedSigLip::load(checkpoint("siglip"), &cpu()).unwrap();
    let pixels = pixels(&whole, &image);
    for (key, value) in [
        ("resample", serde_json::json!(1)),
        ("image_processor_type", "OtherProcessor".into()),
        ("do_sharpen", true.into()),
    ] {
        let folder = Scratch::of("siglip").edit_json("preprocessor_config.json", |config| {
            config[key] = value;
        });
        let model = MedSigLip::load(folder.path(), &cpu()).unwrap();
        let ids = [vec![5, 1]];
        assert_eq!(
            model.embed_token_ids(&ids).unwrap(),
            whole.embed_token_ids(&ids).unwrap()
        );
        assert_eq!(
            model.embed_pixels(&pixels).unwrap(),
            whole.embed_pixels(&pixels).unwrap()
        );
        let refused = [
            model.embed_images(std::slice::from_ref(&image)).map(drop),
            model.processor().map(drop),
            model.embedding_id().map(drop),
        ];
        for error in refused.map(Result::unwrap_err) {
            assert!(matches!(error, Error::NoProcessor(_)), "{error}");
            assert_eq!(error.kind(), medgemma::ErrorKind::Model);
            let told = error.to_string();
            for part in ["preprocessor_config.json", key] {
                assert!(told.contains(part), "{part}: {told}");
            }
        }
    }
}

/// Pictures and ids need no tokenizer; a `spiece.model` of the same pieces makes up for a `tokenizer.json` of another
/// normaliser, under the default normalisation.
#[test]
fn a_tokenizer_that_is_not_understood_refuses_texts_alone() {
    let folder = Scratch::of("siglip");
    let golden = Path::new(SPIECE).with_file_name("tokenizer.json");
    let golden = std::fs::read_to_string(golden).unwrap();
    let edited = golden.replacen(r#"{"type":"Lowercase"},"#, "", 1);
    assert_ne!(edited, golden);
    std::fs::write(folder.file("tokenizer.json"), &edited).unwrap();
    let load = || MedSigLip::load(folder.path(), &cpu()).unwrap();
    let model = load();
    let image = Image::from_rgb8(28, 28, vec![90; 28 * 28 * 3]).unwrap();
    assert_eq!(model.embed_images(&[image]).unwrap().len(), 1);
    assert_eq!(model.embed_token_ids(&[vec![1]]).unwrap().len(), 1);
    let refused = || {
        let error = model.embed_texts(&[""]).unwrap_err();
        assert!(matches!(error, Error::NoTokenizer(_)), "{error}");
        let named = folder.file("tokenizer.json").display().to_string();
        assert!(error.to_string().contains(&named), "{error}");
    };
    refused();

    std::fs::copy(SPIECE, folder.file("spiece.model")).unwrap();
    // What was found when the model was loaded is said, not what is there by now.
    refused();
    let model = load();
    assert_eq!(model.embed_texts(&[""]).unwrap().len(), 1);
    let json = SiglipTextOptions::default().with_normalization(SiglipNormalization::TokenizerJson);
    let error = model.embed_texts_with(&[""], &json).unwrap_err();
    assert!(matches!(error, Error::Tokenizer(_)), "{error}");
}

fn assert_shareable<T: Send + Sync + Clone>() {}
fn assert_movable<T: Send>() {}

#[test]
fn several_threads_share_one_model() {
    assert_shareable::<MedSigLip>();
    assert_shareable::<Embedding>();
    assert_movable::<SiglipOptions<'_>>();
    let model = model();
    let images = [40, 90, 200].map(|grey| {
        let row: Vec<u8> = (0..28).map(|x| grey - x).collect();
        Image::from_gray8(28, 28, row.repeat(28)).unwrap()
    });
    let alone = model.embed_images(&images).unwrap();
    assert_ne!(alone[0], alone[1]);
    let together = std::thread::scope(|scope| {
        let embed = |image| model.embed_images(std::slice::from_ref(image)).unwrap();
        let threads = images
            .each_ref()
            .map(|image| scope.spawn(move || embed(image)));
        threads.map(|thread| thread.join().unwrap().remove(0))
    });
    assert_eq!(alone, together);
}

/// One call from a picture and labels is what its parts are, one by one.
#[test]
fn a_picture_is_classified_by_labels_and_by_lists_of_prompts() {
    let folder = Scratch::of("siglip");
    std::fs::copy(SPIECE, folder.file("spiece.model")).unwrap();
    let model = MedSigLip::load(folder.path(), &cpu()).unwrap();
    let samples: Vec<u8> = (0..28 * 28 * 3_u32)
        .map(|i| (i * 37).to_le_bytes()[0])
        .collect();
    let image = Image::from_rgb8(28, 28, samples).unwrap();
    let embedded = model.embed_images(std::slice::from_ref(&image)).unwrap();

    // Of the tokenizer's pieces the tiny model has an id for few: the special tokens are among them.
    let labels = ["<unk>", "<unk><unk>", "<unk><unk><unk>"];
    let texts = model.embed_texts(&labels).unwrap();
    let found = model.classify_image(&image, &labels).unwrap();
    let logits = model.logits(&embedded[0], &texts).unwrap();
    for ((score, label), logit) in found.scores().iter().zip(labels).zip(logits) {
        assert_eq!(score.label, label);
        assert!((score.logit - logit).abs() < 1e-4, "{score:?} {logit}");
    }
    let logits: Vec<f32> = found.scores().iter().map(|score| score.logit).collect();
    assert!(
        logits[0] != logits[1] && logits[1] != logits[2],
        "{logits:?}"
    );

    let classes = model
        .embed_classes(&[("one", &labels[..1]), ("two", &labels[1..])])
        .unwrap();
    let expected = [
        Class::new("one", texts[0].clone()),
        Class::new("two", Embedding::ensemble(&texts[1..]).unwrap()),
    ];
    for (class, expected) in classes.iter().zip(&expected) {
        assert_eq!(class.label, expected.label);
        let cosine = class.embedding.cosine(&expected.embedding).unwrap();
        assert!(cosine > 1.0 - 1e-5, "{cosine}");
    }

    let twice = Error::DuplicateLabel {
        first: 0,
        second: 2,
    };
    let error = model
        .classify_image(&image, &["", "<unk>", ""])
        .unwrap_err();
    assert_eq!(error.to_string(), twice.to_string());
    let error = model.classify_image(&image, &[]).unwrap_err();
    assert!(matches!(error, Error::NoClasses), "{error}");
    // Nothing but the end of text, and padding, which is the same.
    let error = model
        .classify_image(&image, &["<unk>", "</s>"])
        .unwrap_err();
    assert!(
        matches!(error, Error::EmptyPrompt { class: 1, .. }),
        "{error}"
    );
    // Refused before any prompt is looked at: the tiny model has no id for these.
    let error = model
        .embed_classes(&[("some", &["lung"]), ("none", &[])])
        .unwrap_err();
    assert!(matches!(error, Error::NoPrompts { class: 1 }), "{error}");
    let doubled: [(&str, &[&str]); 2] = [("a", &["lung"]), ("a", &["lung"])];
    let error = model.embed_classes(&doubled).unwrap_err();
    assert!(matches!(error, Error::DuplicateLabel { .. }), "{error}");
}
