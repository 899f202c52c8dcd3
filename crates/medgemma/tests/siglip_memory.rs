//! The plan of a dual encoder against the peak that Linux measured: nothing that fits by the plan may take more, and
//! the plan may not ask for much more than is taken. A process of its own, since a peak is a process's.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "support/peak.rs"]
mod peak;
mod support;

use medgemma::{
    Backend, Error, Image, MedSigLip, MemoryPlan, Pixels, SiglipOptions, SiglipWorkload,
};
use medgemma_tensor::FloatFormat;
use medgemma_testkit::{Scratch, Tensors, checkpoint};
use peak::{forget, grow, peak};
use support::cpu;

/// What each length of the tiny checkpoint becomes: widths of SigLIP base and its 14 × 14 patches of 16 pixels.
const SCALED: [(usize, usize); 9] = [
    (24, 768),
    (40, 3072),
    (101, 32_000),
    (9, 64),
    (30, 768),
    (90, 3 * 768),
    (44, 3072),
    (6, 16),
    (16, 14 * 14),
];

/// `siglip` with those lengths: as few layers, 65 million weights.
fn grown() -> Scratch {
    let folder = Scratch::of("siglip").edit_json("config.json", |config| {
        for tower in ["text_config", "vision_config"] {
            for (key, value) in [
                ("hidden_size", 768),
                ("intermediate_size", 3072),
                ("num_attention_heads", 12),
            ] {
                config[tower][key] = value.into();
            }
        }
        for (key, value) in [
            ("vocab_size", 32_000),
            ("max_position_embeddings", 64),
            ("projection_size", 768),
        ] {
            config["text_config"][key] = value.into();
        }
        config["vision_config"]["image_size"] = 224.into();
        config["vision_config"]["patch_size"] = 16.into();
    });
    let folder = folder.edit_json("preprocessor_config.json", |config| {
        config["size"] = serde_json::json!({ "height": 224, "width": 224 });
    });
    grow(&folder, false, |_, side| {
        let found = SCALED.iter().find(|(from, _)| *from == side);
        found.map_or(side, |(_, to)| *to)
    });
    folder
}

/// Pixels of this height and width.
fn grey([height, width]: [usize; 2]) -> Pixels {
    Pixels {
        data: vec![0.5; 3 * height * width],
        shape: [3, height, width],
    }
}

#[test]
fn the_peak_is_what_the_plan_says() {
    let folder = grown();
    forget();
    let before = peak();
    let model = MedSigLip::load(folder.path(), &cpu()).unwrap();
    for _ in 0..2 {
        model.embed_pixels(&grey([224, 224])).unwrap();
    }
    // Words from all over the vocabulary: a mapped table takes memory as far as it is read.
    let word = |i: u32| i * 25 / 2;
    let texts: Vec<Vec<u32>> = (0..40)
        .map(|text| (text * 64..text * 64 + 64).map(word).collect())
        .collect();
    model.embed_token_ids(&texts).unwrap();
    let taken = peak() - before;

    let workload = SiglipWorkload::new(1, 40);
    let plan = MemoryPlan::siglip(model.config(), FloatFormat::F32, Backend::Cpu, workload);
    assert!(taken <= plan.total(), "{taken} taken of {plan}");
    // Much of what the process takes was there before.
    let model_alone = plan.total() - plan.process;
    assert!(10 * taken > 9 * model_alone, "{taken} taken of {plan}");

    // 25 times the patches, with interpolated positions; what the first model's steps left behind is counted.
    drop(model);
    let (of_own_size, size) = (plan, [1120, 1120]);
    let workload = workload.with_image_size(size);
    let options = SiglipOptions::default()
        .with_interpolate(true)
        .with_workload(workload);
    let model = MedSigLip::load_with(folder.path(), &cpu(), options).unwrap();
    let plan = MemoryPlan::siglip(model.config(), FloatFormat::F32, Backend::Cpu, workload);
    model.embed_token_ids(&texts).unwrap();
    model.embed_pixels(&grey(size)).unwrap();
    let taken = peak() - before;
    assert!(taken <= plan.total(), "{taken} taken of {plan}");
    assert!(taken > of_own_size.total(), "{taken} taken of {plan}");
    let model_alone = plan.total() - plan.process;
    assert!(10 * taken > 9 * model_alone, "{taken} taken of {plan}");
}

/// The plan that was refused, and what it was held to.
#[track_caller]
fn refused<T>(result: Result<T, Error>) -> (MemoryPlan, u64) {
    match result.map(drop) {
        Err(Error::NotEnoughMemory {
            plan, available, ..
        }) => (plan, available),
        other => panic!("{other:?}"),
    }
}

/// `siglip` for pictures of any size.
fn interpolating(
    folder: &Scratch,
    workload: SiglipWorkload,
    limit: u64,
) -> Result<MedSigLip, Error> {
    let options = SiglipOptions::default()
        .with_interpolate(true)
        .with_workload(workload)
        .with_memory_limit(limit);
    MedSigLip::load_with(folder.path(), &cpu(), options)
}

#[test]
fn a_picture_beyond_the_plan_is_refused_with_the_figures() {
    let folder = Scratch::of("siglip");
    let (one, size) = (SiglipWorkload::new(1, 0), [280, 150]);
    let (planned, _) = refused(interpolating(&folder, one, 1));
    let model = interpolating(&folder, one, planned.total()).unwrap();
    model.embed_pixels(&grey([28, 28])).unwrap();
    let (plan, available) = refused(model.embed_pixels(&grey(size)));
    assert_eq!(available, planned.total());
    let of = |size| {
        let workload = one.with_image_size(size);
        MemoryPlan::siglip(model.config(), FloatFormat::F32, Backend::Cpu, workload).activations
    };
    assert_eq!(
        (planned.activations, plan.activations),
        (of([28, 28]), of(size))
    );
    assert!(plan.activations > 20 * planned.activations, "{plan}");
    let told = model.embed_pixels(&grey(size)).unwrap_err().to_string();
    for part in [
        folder.path().to_str().unwrap(),
        "smaller pictures",
        "memory_limit",
    ] {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
    // Where there is room it is encoded, planned or not; planned, it is asked for when the model is loaded.
    let model = interpolating(&folder, one, plan.total()).unwrap();
    model.embed_pixels(&grey(size)).unwrap();
    refused(model.embed_pixels(&grey([280, 156])));
    let large = one.with_image_size(size);
    interpolating(&folder, large, plan.total()).unwrap();
    refused(interpolating(&folder, large, plan.total() - 1));
    // Sixteen texts are the wider step here, and were not planned.
    let model = interpolating(&folder, one, planned.total()).unwrap();
    let (texts, _) = refused(model.embed_token_ids(&vec![vec![2]; 16]));
    assert!(texts.activations > planned.activations);
    interpolating(
        &folder,
        SiglipWorkload::new(1, 16),
        texts.total() + 17 * 120,
    )
    .unwrap();
}

/// What the processor makes of pictures is planned for, and pictures that it leaves as they are, are held to the plan.
#[test]
fn the_processors_size_is_what_is_planned() {
    let one = SiglipWorkload::new(1, 0);
    let own = Scratch::of("siglip");
    let (planned, _) = refused(interpolating(&own, one, 1));
    let larger = Scratch::of("siglip").edit_json("preprocessor_config.json", |config| {
        config["size"] = serde_json::json!({"height": 280, "width": 150});
    });
    let (plan, _) = refused(interpolating(&larger, one, planned.total()));
    let (asked, _) = refused(interpolating(&own, one.with_image_size([280, 150]), 1));
    assert_eq!(plan, asked);
    let image = |width, height| Image::from_gray8(width, height, vec![90; width * height]).unwrap();
    let model = interpolating(&larger, one, plan.total()).unwrap();
    model.embed_images(&[image(28, 28)]).unwrap();

    let as_they_are = Scratch::of("siglip").edit_json("preprocessor_config.json", |config| {
        config["do_resize"] = false.into();
    });
    let model = interpolating(&as_they_are, one, planned.total()).unwrap();
    model.embed_images(&[image(28, 28)]).unwrap();
    let (found, _) = refused(model.embed_images(&[image(150, 280)]));
    assert_eq!(found, asked);
}

#[test]
fn a_model_beyond_the_memory_allowed_is_refused_with_the_figures() {
    let load = |limit, workload| {
        let options = SiglipOptions::default()
            .with_workload(workload)
            .with_memory_limit(limit);
        MedSigLip::load_with(checkpoint("siglip"), &cpu(), options)
    };
    let error = load(1_000_000, SiglipWorkload::new(1, 3)).unwrap_err();
    let Error::NotEnoughMemory {
        plan, available, ..
    } = &error
    else {
        panic!("another error: {error}");
    };
    assert_eq!(*available, 1_000_000);
    let message = error.to_string();
    let megabytes = plan.total().div_ceil(1_000_000);
    for part in [
        &format!("{megabytes} MB"),
        "1 MB",
        "workload",
        "memory_limit",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    load(plan.total(), SiglipWorkload::new(1, 3)).unwrap();
    load(plan.total() - 1, SiglipWorkload::new(1, 3)).unwrap_err();
    load(plan.total(), SiglipWorkload::new(1, 1000)).unwrap_err();
    // The weights are those of the files, half as many bytes in bf16 but for what is held as f32.
    let options = SiglipOptions::default().with_memory_limit(0);
    let error = MedSigLip::load_with(checkpoint("siglip-bf16"), &cpu(), options).unwrap_err();
    let Error::NotEnoughMemory { plan: half, .. } = error else {
        panic!("another error: {error}");
    };
    let tensors = Tensors::read_dir(&checkpoint("siglip-bf16"));
    let widened = tensors.keys().filter_map(|key| {
        let shape = &tensors.get(key)?.shape;
        let is_wide = shape.len() == 1
            || key.ends_with("position_embedding.weight")
            || key.ends_with("probe");
        is_wide.then(|| shape.iter().product::<usize>() as u64)
    });
    assert_eq!(2 * half.weights, plan.weights + 4 * widened.sum::<u64>());
}
