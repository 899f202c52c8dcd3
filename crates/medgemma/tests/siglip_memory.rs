//! The plan of a dual encoder against the peak that Linux measured: nothing that fits by the plan may take more, and
//! the plan may not ask for much more than is taken. A process of its own, since a peak is a process's.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::fs::File;
use std::io::{BufWriter, Write};

use medgemma::{Backend, Error, MedSigLip, MemoryPlan, Pixels, SiglipOptions, SiglipWorkload};
use medgemma_tensor::FloatFormat;
use medgemma_testkit::{Scratch, checkpoint};
use serde_json::{Map, Value, json};
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

/// `siglip` with those lengths: as few layers, 65 million weights. Written piece by piece, so that nothing of it is in
/// memory.
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
    let mut header = Map::new();
    let mut numbers = 0;
    let tensors = folder.tensors();
    for key in tensors.keys() {
        let scaled = |side: &usize| {
            SCALED
                .iter()
                .find(|(from, _)| from == side)
                .map_or(*side, |(_, to)| *to)
        };
        let shape: Vec<usize> = tensors.get(key).unwrap().shape.iter().map(scaled).collect();
        let end = numbers + shape.iter().product::<usize>();
        header.insert(
            key.to_owned(),
            json!({"dtype": "F32", "shape": shape, "data_offsets": [4 * numbers, 4 * end]}),
        );
        numbers = end;
    }
    folder.replace(&medgemma_testkit::Tensors::default());
    // Padded as the format asks for: weights that begin at an odd byte cannot stay in the file.
    let mut header = Value::Object(header).to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let mut file = BufWriter::new(File::create(folder.file("model.safetensors")).unwrap());
    file.write_all(&(header.len() as u64).to_le_bytes())
        .unwrap();
    file.write_all(header.as_bytes()).unwrap();
    for i in 0..numbers {
        let small = ((i % 31) as f32 - 15.0) * 1e-3;
        file.write_all(&small.to_le_bytes()).unwrap();
    }
    file.into_inner().unwrap();
    folder
}

/// The largest resident memory since the last [`forget`], in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
    kilobytes * 1024
}

/// Lets the peak begin anew at what is resident.
fn forget() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

#[test]
fn the_peak_is_what_the_plan_says() {
    let folder = grown();
    forget();
    let before = peak();
    let model = MedSigLip::load(folder.path(), &cpu()).unwrap();
    let grey = Pixels {
        data: vec![0.5; 3 * 224 * 224],
        shape: [3, 224, 224],
    };
    for _ in 0..2 {
        model.embed_pixels(&grey).unwrap();
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
    // The weights are those of the files, half as many bytes in bf16.
    let options = SiglipOptions::default().with_memory_limit(0);
    let error = MedSigLip::load_with(checkpoint("siglip-bf16"), &cpu(), options).unwrap_err();
    let Error::NotEnoughMemory { plan: half, .. } = error else {
        panic!("another error: {error}");
    };
    assert_eq!(2 * half.weights, plan.weights);
}
