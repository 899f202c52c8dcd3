//! Recipes against the published arithmetic (`golden/generate_recipes.py`), byte for byte.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod support;

use medgemma_medical::{
    Channels, CtPreset, CtRecipe, Item, MrRecipe, Plane, Prompt, Recipe, Sampler, Voi, Window,
    XrayRecipe, longitudinal,
};
use support::golden::Golden;

fn golden() -> Golden {
    Golden::open("recipes.safetensors")
}

fn plane(shape: &[usize], values: &[f32]) -> Plane {
    Plane::new(shape[0], shape[1], values.to_vec()).unwrap()
}

/// The slices of `[n, rows, columns]`.
fn volume(shape: &[usize], values: &[f32]) -> Vec<Plane> {
    let slices = values.chunks_exact(shape[1] * shape[2]);
    slices.map(|slice| plane(&shape[1..], slice)).collect()
}

/// A volume of `n` slices of one pixel, each its own number.
fn numbered(n: usize) -> Vec<Plane> {
    let slices = (0..n).map(|i| plane(&[1, 1], &[i as f32]));
    slices.collect()
}

fn red(image: &medgemma_image::Image) -> Vec<u8> {
    image.as_rgb8().iter().step_by(3).copied().collect()
}

fn kinds(prompt: &Prompt) -> Vec<String> {
    let kind = |item: &Item| match item {
        Item::Text(text) => text.clone(),
        Item::Image(image) => format!("image {}", image.as_rgb8()[0]),
    };
    prompt.items().iter().map(kind).collect()
}

#[test]
fn every_half_hounsfield_unit_in_every_preset() {
    let (_, units) = golden().floats("units");
    let whole = plane(&[1, units.len()], &units);
    for preset in CtPreset::NAMED {
        let (_, expected) = golden().bytes(&format!("ct.{}", preset.name()));
        let recipe = CtRecipe::default()
            .with_preset(preset)
            .with_pad_to_square(false);
        let prepared = recipe.prepare(std::slice::from_ref(&whole), None).unwrap();
        let found = prepared.images()[0].as_rgb8();
        for (index, (found, expected)) in found.chunks(3).zip(expected.chunks(3)).enumerate() {
            assert_eq!(found, expected, "{} at {} HU", preset.name(), units[index]);
        }
        assert_eq!(found.len(), expected.len());
        assert_eq!(CtPreset::named(preset.name()).unwrap(), preset);
    }
    // What was lost with the sign: fat and muscle are black in the serving code's green.
    let green = |preset: CtPreset| {
        let recipe = CtRecipe::default().with_preset(preset);
        let muscle = [plane(&[1, 1], &[50.0])];
        recipe.prepare(&muscle, None).unwrap().images()[0].as_rgb8()[1]
    };
    assert_eq!(green(CtPreset::MedGemma15), 135);
    assert_eq!(green(CtPreset::ServingAsWritten), 0);
    assert!(
        CtPreset::named("medgemma")
            .unwrap_err()
            .to_string()
            .contains("medgemma-1.5, report")
    );
}

#[test]
fn windows_of_the_callers_own() {
    let window = |low, high| Window::new(low, high).unwrap();
    let channels = Channels {
        red: window(0.0, 255.0),
        green: window(0.0, 510.0),
        blue: window(-255.0, 0.0),
    };
    let recipe = CtRecipe::default().with_preset(CtPreset::Custom(channels));
    let prepared = recipe.prepare(&[plane(&[1, 1], &[100.0])], None).unwrap();
    assert_eq!(prepared.images()[0].as_rgb8(), [100, 50, 255]);
    let Recipe::Ct(record) = prepared.recipe() else {
        panic!("CT");
    };
    assert_eq!(
        (record.preset.as_str(), record.windows),
        ("custom", channels)
    );
}

#[test]
fn slices_are_chosen_as_in_the_notebook() {
    let (_, counts) = golden().integers("sampler.counts");
    let (shape, slices) = golden().integers("sampler.slices");
    for (count, expected) in counts.iter().zip(slices.chunks_exact(shape[1])) {
        let expected = expected
            .iter()
            .filter_map(|&slice| usize::try_from(slice).ok());
        let found = Sampler::Published.choose(usize::try_from(*count).unwrap());
        assert_eq!(found.unwrap(), Vec::from_iter(expected), "{count}");
    }
}

#[test]
fn a_volume_of_mr_is_stretched_as_a_whole() {
    for name in ["wide", "ties", "constant"] {
        let (shape, values) = golden().floats(&format!("mr.{name}"));
        let (_, expected) = golden().bytes(&format!("mr.{name}.bytes"));
        let recipe = MrRecipe::default().with_pad_to_square(false);
        let prepared = recipe.prepare(&volume(&shape, &values), None).unwrap();
        let found: Vec<u8> = prepared.images().iter().flat_map(red).collect();
        assert_eq!(found, expected, "{name}");
        let grey = |image: &medgemma_image::Image| {
            image
                .as_rgb8()
                .chunks(3)
                .all(|p| p[0] == p[1] && p[1] == p[2])
        };
        assert!(prepared.images().iter().all(grey));
    }
    // Slices that are not shown count, too.
    let recipe = MrRecipe::default().with_sampler(Sampler::Slices(vec![1]));
    let prepared = recipe.prepare(&numbered(5), None).unwrap();
    assert_eq!(red(&prepared.images()[0]), [64], "1 of 0 to 4 is 63.75");
    let Recipe::Mr(record) = prepared.recipe() else {
        panic!("MR");
    };
    assert_eq!((record.minimum, record.maximum), (0.0, 4.0));
    for wrong in [f32::NAN, f32::INFINITY] {
        let slices = [plane(&[1, 1], &[0.0]), plane(&[1, 1], &[wrong])];
        for refused in [
            MrRecipe::default().prepare(&slices, None),
            // Black would be air.
            CtRecipe::default().prepare(&slices, None),
        ] {
            let error = refused.map(drop).unwrap_err().to_string();
            assert!(
                error.contains("slices[1]") && error.contains("expected finite values"),
                "{error}"
            );
        }
    }
}

#[test]
fn radiographs_by_window_or_range_upright_or_inverted() {
    for name in [
        "window",
        "narrow",
        "inverted",
        "range",
        "range-inverted",
        "tall",
    ] {
        let (shape, values) = golden().floats(&format!("xray.{name}.values"));
        let (_, window) = golden().floats(&format!("xray.{name}.window"));
        let (_, inverted) = golden().bytes(&format!("xray.{name}.inverted"));
        let (square, expected) = golden().bytes(&format!("xray.{name}.bytes"));
        let voi = match window[..] {
            [center, width] => Voi::Window { center, width },
            _ => Voi::FullRange,
        };
        let recipe = XrayRecipe::default()
            .with_voi(voi)
            .with_monochrome1(inverted[0] == 1);
        let prepared = recipe.prepare(&plane(&shape, &values)).unwrap();
        let image = prepared.image();
        assert_eq!([image.height(), image.width()], square[..], "{name}");
        assert_eq!(red(image), expected, "{name}");
        let Recipe::Xray(record) = prepared.recipe() else {
            panic!("X-ray");
        };
        assert_eq!(record.inverted, inverted[0] == 1);
        assert!(record.padded_to_square);
        assert_eq!(record.window.is_some(), !window.is_empty());
    }
}

#[test]
fn bytes_stay_bytes_and_what_is_none_is_refused() {
    let recipe = XrayRecipe::default().with_voi(Voi::EightBit);
    let values = [0.0, 7.0, 255.0, 128.0];
    let prepared = recipe.prepare(&plane(&[2, 2], &values)).unwrap();
    assert_eq!(red(prepared.image()), [0, 7, 255, 128]);
    let inverted = recipe.clone().with_monochrome1(true);
    let prepared = inverted.prepare(&plane(&[2, 2], &values)).unwrap();
    assert_eq!(red(prepared.image()), [255, 248, 0, 127]);
    for wrong in [256.0, -1.0, 0.5, f32::NAN] {
        assert!(
            recipe.prepare(&plane(&[1, 1], &[wrong])).is_err(),
            "{wrong}"
        );
    }
    for width in [0.0, 1.0, -5.0, f32::NAN] {
        let voi = Voi::Window { center: 0.0, width };
        let recipe = XrayRecipe::default().with_voi(voi);
        let error = recipe
            .prepare(&plane(&[1, 1], &[0.0]))
            .unwrap_err()
            .to_string();
        assert!(error.contains("width"), "{error}");
    }
    // Cut to 16 bits before 8: 100 of 1000 is 6553.5, 25.4981 bytes if cut and 25.5 if not.
    let ramp = plane(&[2, 2], &[0.0, 100.0, 500.0, 1000.0]);
    let prepared = XrayRecipe::default().prepare(&ramp).unwrap();
    assert_eq!(red(prepared.image()), [0, 25, 127, 255]);
    // One value: white, or black if inverted.
    let constant = plane(&[1, 1], &[9.0]);
    let byte = |recipe: XrayRecipe| red(recipe.prepare(&constant).unwrap().image())[0];
    assert_eq!(byte(XrayRecipe::default()), 255);
    assert_eq!(byte(XrayRecipe::default().with_monochrome1(true)), 0);
}

#[test]
fn padding_is_black_and_centred_even_around_an_inverted_picture() {
    let recipe = XrayRecipe::default()
        .with_voi(Voi::EightBit)
        .with_monochrome1(true);
    let wide = recipe.prepare(&plane(&[1, 4], &[0.0; 4])).unwrap();
    let rows: Vec<u8> = red(wide.image()).chunks(4).map(|row| row[0]).collect();
    assert_eq!(rows, [0, 255, 0, 0], "3 / 2 rows above, the rest below");
    let plain = recipe
        .with_pad_to_square(false)
        .prepare(&plane(&[1, 4], &[0.0; 4]))
        .unwrap();
    assert_eq!(plain.image().height(), 1);
    let slices = CtRecipe::default()
        .prepare(&[plane(&[3, 1], &[2000.0; 3])], None)
        .unwrap();
    assert_eq!(red(&slices.images()[0]), [0, 255, 0].repeat(3));
}

#[test]
fn messages_are_in_the_order_of_training() {
    let recipe = CtRecipe::default().with_sampler(Sampler::Slices(vec![0, 2, 3]));
    let prompt = recipe
        .prepare(&numbered(5), None)
        .unwrap()
        .prompt("Read this.", "Final question?");
    let expected = [
        "Read this.",
        "image 128",
        "SLICE 1",
        "image 128",
        "SLICE 2",
        "image 128",
        "SLICE 3",
        "Final question?",
    ];
    assert_eq!(kinds(&prompt), expected);
    let xray = |value: f32| {
        let recipe = XrayRecipe::default().with_voi(Voi::EightBit);
        recipe.prepare(&plane(&[1, 1], &[value])).unwrap()
    };
    assert_eq!(kinds(&xray(3.0).prompt("Well?")), ["image 3", "Well?"]);
    let pair = longitudinal(xray(1.0), xray(2.0), "What changed?");
    assert_eq!(kinds(&pair), ["image 1", "image 2", "What changed?"]);
    assert!(matches!(pair.recipe(), Recipe::Longitudinal { .. }));
    let debug = format!("{:?}", pair.items());
    assert!(!debug.contains("changed"), "{debug}");
}

#[test]
fn slices_that_do_not_run_one_way_are_refused() {
    let slices = numbered(4);
    let prepare = |positions: &[f64]| CtRecipe::default().prepare(&slices, Some(positions));
    for right in [[0.0, 1.0, 2.5, 3.0], [9.0, 7.0, 2.0, -1.0]] {
        let prepared = prepare(&right).unwrap();
        let Recipe::Ct(record) = prepared.recipe() else {
            panic!("CT");
        };
        assert!(record.order.order_checked);
    }
    for (wrong, at) in [
        ([0.0, 2.0, 1.0, 3.0], "slice 1"),
        ([0.0, 1.0, 1.0, 2.0], "slice 1"),
        ([3.0, 2.0, 2.0, 1.0], "slice 1"),
        ([0.0, 1.0, 2.0, 1.5], "slice 2"),
        ([0.0, 1.0, f64::NAN, 3.0], "slice 1"),
    ] {
        let error = prepare(&wrong).unwrap_err().to_string();
        assert!(error.contains("positions") && error.contains(at), "{error}");
        assert!(MrRecipe::default().prepare(&slices, Some(&wrong)).is_err());
    }
    assert!(prepare(&[0.0, 1.0]).is_err(), "one for each");
    let unchecked = CtRecipe::default().prepare(&slices, None).unwrap();
    let Recipe::Ct(record) = unchecked.recipe() else {
        panic!("CT");
    };
    assert!(!record.order.order_checked);
    let mut odd = numbered(3);
    odd[2] = plane(&[1, 2], &[0.0, 0.0]);
    let error = CtRecipe::default()
        .prepare(&odd, None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("slices[2]") && error.contains("1 x 2"),
        "{error}"
    );
    assert!(CtRecipe::default().prepare(&[], None).is_err());
}

#[test]
fn what_was_done_survives_json() {
    let recipe = CtRecipe::default().with_preset(CtPreset::Report);
    let prepared = recipe
        .prepare(
            &numbered(100),
            Some(&Vec::from_iter((0..100).map(f64::from))),
        )
        .unwrap();
    let json = serde_json::to_value(prepared.recipe()).unwrap();
    assert_eq!(json["modality"], "ct");
    assert_eq!(json["preset"], "report");
    assert_eq!(json["windows"]["red"]["low"], -1225.0);
    assert_eq!(json["slices_given"], 100);
    assert_eq!(json["slices_shown"].as_array().unwrap().len(), 85);
    assert_eq!(json["slices_shown"][84], 99);
    assert_eq!(json["sampler"], "medgemma-1.5 (at most 85)");
    assert_eq!(json["order_checked"], true);
    assert_eq!(
        &serde_json::from_value::<Recipe>(json).unwrap(),
        prepared.recipe()
    );
}
