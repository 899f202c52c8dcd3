//! Many pictures or texts: each has a result of its own, and any can be the last.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::support::cpu;
use medgemma::{
    Embedding, Error, Image, ImageError, MedSigLip, SiglipOptions, SiglipTextOptions, VisionError,
};
use medgemma_testkit::{Scratch, checkpoint, picture};

/// The tokenizer crate's tiny tokenizer.
const SPIECE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../medgemma-tokenizer/tests/golden/siglip/spiece.model"
);

fn square(grey: u8) -> Image {
    let row = (0..28).map(|x| grey.wrapping_add(x));
    Image::from_gray8(28, 28, row.collect::<Vec<_>>().repeat(28)).unwrap()
}

fn alike(found: &Embedding, expected: &Embedding) {
    let cosine = found.cosine(expected).unwrap();
    assert!(cosine > 1.0 - 1e-5, "{cosine}");
}

#[test]
fn a_picture_that_fails_costs_no_other_its_embedding() {
    let options = SiglipOptions::default().with_pad_to_square(true);
    let model = MedSigLip::load_with(checkpoint("siglip"), &cpu(), options).unwrap();
    // Its square would be of gigabytes.
    let strip = Image::from_gray8(32_768, 1, vec![7; 32_768]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.png");
    let images = [
        Ok(square(9)),
        Image::open(&missing),
        Ok(strip),
        Ok(square(200)),
    ];
    let mut told = Vec::new();
    let ended = model.embed_each_image(images, |index, embedded| {
        told.push((index, embedded));
        ControlFlow::<()>::Continue(())
    });
    assert_eq!(ended, ControlFlow::Continue(()));
    let expected = model.embed_images(&[square(9), square(200)]).unwrap();
    assert_ne!(expected[0], expected[1]);
    let [
        (0, Ok(first)),
        (1, Err(unread)),
        (2, Err(strip)),
        (3, Ok(last)),
    ] = told.as_slice()
    else {
        panic!("{told:?}")
    };
    assert_eq!([first, last], [&expected[0], &expected[1]]);
    let unread_is = matches!(unread, Error::Image(ImageError::Io { path, .. }) if *path == missing);
    assert!(unread_is, "{unread}");
    let padded = matches!(strip, Error::Image(ImageError::Padding { .. }));
    assert!(padded, "{strip}");
}

#[test]
fn pictures_are_asked_for_one_by_one_and_no_more_than_wanted() {
    let model = MedSigLip::load(checkpoint("siglip"), &cpu()).unwrap();
    let paths: Vec<PathBuf> = vec![picture("picture-a.png"); 5];
    let asked = Cell::new(0);
    let images = paths.iter().map(|path| {
        asked.set(asked.get() + 1);
        Image::open(path)
    });
    let ended = model.embed_each_image(images, |index, embedded| {
        assert_eq!(asked.get(), index + 1);
        assert_eq!(embedded.unwrap().width(), 30);
        match index {
            2 => ControlFlow::Break("enough"),
            _ => ControlFlow::Continue(()),
        }
    });
    assert_eq!((ended, asked.get()), (ControlFlow::Break("enough"), 3));
}

/// The tiny model with the tiny tokenizer, of whose pieces it has an id for few.
fn with_tokenizer() -> (Scratch, MedSigLip) {
    let folder = Scratch::of("siglip");
    std::fs::copy(SPIECE, folder.file("spiece.model")).unwrap();
    let model = MedSigLip::load(folder.path(), &cpu()).unwrap();
    (folder, model)
}

#[test]
fn a_text_that_fails_costs_no_other_its_embedding() {
    let (_folder, model) = with_tokenizer();
    let texts: Vec<String> = (0..40).map(|i| "<unk>".repeat(i % 8)).collect();
    let long = "<unk>".repeat(30);
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let expected = model.embed_texts(&texts).unwrap();
    // One of a group that has another fault, and one that is refused by the model, not by the tokenizer.
    (texts[5], texts[20], texts[21]) = (&long, "lung", &long);
    let mut told = Vec::new();
    let options = SiglipTextOptions::default();
    let ended = model.embed_each_text(&texts, &options, |index, embedded| {
        assert_eq!(index, told.len());
        told.push(embedded);
        ControlFlow::<()>::Continue(())
    });
    assert_eq!((ended, told.len()), (ControlFlow::Continue(()), 40));
    for (index, (found, expected)) in told.iter().zip(&expected).enumerate() {
        match (index, found) {
            (
                5 | 21,
                Err(Error::TextTooLong {
                    index: own,
                    count: 40,
                    ..
                }),
            ) => assert_eq!(*own, index),
            (20, Err(Error::Vision(VisionError::TokenOutOfRange { text: 20, .. }))) => {}
            (_, Ok(found)) => alike(found, expected),
            (_, Err(error)) => panic!("text {index}: {error}"),
        }
    }
    for failed in [5, 20, 21] {
        assert!(told[failed].is_err(), "text {failed}");
    }
    // All of them are looked at before any is embedded.
    let error = model.embed_texts(&texts).unwrap_err();
    assert!(
        matches!(error, Error::TextTooLong { index: 5, .. }),
        "{error}"
    );
}

#[test]
fn texts_end_where_they_are_broken_off() {
    let (_folder, model) = with_tokenizer();
    let options = SiglipTextOptions::default();
    for last in [0, 15, 16, 33] {
        let mut told = 0;
        let ended = model.embed_each_text(&["<unk>"; 40], &options, |index, embedded| {
            assert_eq!((index, embedded.unwrap().width()), (told, 30));
            told += 1;
            match index {
                _ if index == last => ControlFlow::Break(index),
                _ => ControlFlow::Continue(()),
            }
        });
        assert_eq!((ended, told), (ControlFlow::Break(last), last + 1));
    }
    let none = model.embed_each_text(&[], &options, |_, _| ControlFlow::Break(()));
    assert_eq!(none, ControlFlow::Continue(()));
    // Without a tokenizer each is refused.
    let model = MedSigLip::load(checkpoint("siglip"), &cpu()).unwrap();
    let mut refused = 0;
    let ended = model.embed_each_text(&["", "a"], &options, |_, embedded| {
        let error = embedded.unwrap_err();
        assert!(matches!(error, Error::NoTokenizer(_)), "{error}");
        refused += 1;
        ControlFlow::<()>::Continue(())
    });
    assert_eq!((ended, refused), (ControlFlow::Continue(()), 2));
}
