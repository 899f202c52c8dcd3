//! Gemma 3 270M as a real GGUF file (Q4_K_M: Q4_K, Q5_0, Q6_K, Q8_0 and F32 in one file), against
//! transformers 5.23 on the same file, and its vocabulary against the published `tokenizer.json`.
//!
//! Both are under Gemma's terms and are never committed: `MEDGEMMA_TESTDATA` names the folder that
//! `.ci/fetch-testdata` fills. Run them with
//! `MEDGEMMA_TESTDATA=DIR cargo test --release -p medgemma --test gguf_real -- --ignored`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use medgemma::cpu::{self, InstructionPath};
use medgemma::{Device, MedGemma};
use medgemma_gemma3::{DEFAULT_CHUNK, Segment};
use medgemma_tensor::vec_from;
use medgemma_tokenizer::Tokenizer;
use serde_json::Value;

/// Of the largest logit. The reference multiplies the file's numbers in f32; the kernels round
/// activations to 8 bits, as llama.cpp does: 0.012 was seen.
const TOLERANCE: f32 = 2.5e-2;

/// How much nearer the same rounding may bring one of the two likeliest tokens to the other: 0.18 was
/// seen. Of the reference's 48 steps, 37 have a larger gap.
const ROUNDING: f32 = 0.25;

fn folder() -> PathBuf {
    let folder = std::env::var_os("MEDGEMMA_TESTDATA").map(PathBuf::from);
    folder.expect("MEDGEMMA_TESTDATA names the folder of the test data")
}

fn model() -> &'static MedGemma {
    static MODEL: OnceLock<MedGemma> = OnceLock::new();
    MODEL.get_or_init(|| {
        let device = Device::cpu().expect("the feature cpu is on");
        MedGemma::load(folder().join("gemma-3-270m-q4_k_m.gguf"), &device).expect("it loads")
    })
}

fn goldens() -> Vec<Value> {
    let json: Value = serde_json::from_str(include_str!("real_weights_golden.json")).unwrap();
    json["prompts"]
        .as_object()
        .unwrap()
        .values()
        .cloned()
        .collect()
}

/// Calls `check` with each path that the processor has and each golden.
fn on_every_path(check: impl Fn(InstructionPath, &Value)) {
    // The path is one setting for the process.
    static PATH: Mutex<()> = Mutex::new(());
    let _path = PATH.lock().unwrap_or_else(PoisonError::into_inner);
    let before = cpu::instructions();
    for path in InstructionPath::available() {
        cpu::set_instructions(path).unwrap();
        goldens().iter().for_each(|golden| check(path, golden));
    }
    cpu::set_instructions(before).unwrap();
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the reference's values are f32 printed as decimals"
)]
fn number(value: &Value) -> f32 {
    value.as_f64().unwrap() as f32
}

#[test]
#[ignore = "needs the fetched GGUF file of Gemma 3 270M: see the header; .ci/run runs it"]
fn the_file_is_the_published_model() {
    let model = model();
    let config = model.model().config();
    assert!(
        config
            .preset()
            .unwrap()
            .names
            .contains(&"google/gemma-3-270m")
    );
    assert_eq!(config.unknown_keys, [""; 0]);
    let report = model.model().report();
    assert_eq!((report.tensors, report.parameters), (236, 268_098_176));
    let formats: Vec<_> = report
        .formats
        .iter()
        .map(|(k, n)| (k.as_str(), *n))
        .collect();
    let expected = [
        ("F32", 109),
        ("Q4_K", 27),
        ("Q5_0", 81),
        ("Q6_K", 9),
        ("Q8_0", 10),
    ];
    assert_eq!(formats, expected);
}

#[test]
#[ignore = "needs the fetched GGUF file of Gemma 3 270M: see the header; .ci/run runs it"]
fn logits_are_near_the_reference() {
    let decoder = model().model().decoder();
    on_every_path(|path, golden| {
        let text = golden["text"].as_str().unwrap();
        let prompt = model().tokenizer().encode_prompt(text).unwrap();
        assert_eq!(prompt, ids(&golden["input_ids"]));
        let segments = [Segment::Tokens(prompt)];
        let mut cache = decoder.new_cache();
        let logits = decoder
            .prefill(&segments, &mut cache, DEFAULT_CHUNK, &mut |_, _| true)
            .unwrap()
            .expect("not cancelled");
        let logits = vec_from(logits, "logits").unwrap();
        let largest = number(&golden["largest_magnitude"]);
        let mut worst = 0.0_f32;
        for list in [&golden["top5"], &golden["sampled"]] {
            for point in list.as_array().unwrap() {
                let id = usize::try_from(point[0].as_u64().unwrap()).unwrap();
                worst = worst.max((logits[id] - number(&point[1])).abs() / largest);
            }
        }
        assert!(
            worst <= TOLERANCE,
            "{path}, {text:.40}: {worst} of the largest logit"
        );
    });
}

#[test]
#[ignore = "needs the fetched GGUF file of Gemma 3 270M: see the header; .ci/run runs it"]
fn greedy_answers_are_those_of_the_reference() {
    let decoder = model().model().decoder();
    on_every_path(|path, golden| {
        let text = golden["text"].as_str().unwrap();
        let gaps: Vec<f32> = serde_json::from_value(golden["gaps"].clone()).unwrap();
        let tokens = ids(&golden["generated_ids"]);
        assert_eq!((gaps.len(), tokens.len()), (16, 16));
        let mut cache = decoder.new_cache();
        let mut read = ids(&golden["input_ids"]);
        // Fed with the reference's own tokens, each step must prefer the reference's next one, or
        // another by no more than rounding explains.
        for (expected, gap) in tokens.into_iter().zip(gaps) {
            let segments = [Segment::Tokens(std::mem::replace(
                &mut read,
                vec![expected],
            ))];
            let logits = decoder
                .prefill(&segments, &mut cache, DEFAULT_CHUNK, &mut |_, _| true)
                .unwrap()
                .expect("not cancelled");
            let logits = vec_from(logits, "logits").unwrap();
            let best = logits.iter().copied().fold(f32::MIN, f32::max);
            let behind = best - logits[expected as usize];
            assert!(
                behind == 0.0 || gap + behind <= ROUNDING,
                "{path}, {text:.40}: {expected}, {gap} ahead in the reference, is behind by {behind}"
            );
        }
    });
}

/// Texts of many kinds, 300 000 characters and more.
fn corpus() -> Vec<String> {
    let mut texts = Vec::new();
    // Prose and code: this repository's own.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![root.join("docs"), root.join("crates/medgemma/src")];
    folders.push(root.join("crates/medgemma-tokenizer"));
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                texts.push(text);
            }
        }
    }
    texts.extend(
        [
            "Findings: 3.2 × 1.8 cm mass in the RUL, SUVmax 12.4; no pneumothorax. Impression: T2aN0M0.",
            "胸部X线片显示右下肺野有斑片状高密度影,心影不大。建议进一步CT检查。",
            "Лёгкие без очаговых изменений; сердце не расширено. Диагноз: пневмония?",
            "الرئتان صافيتان، ولا يوجد انصباب جنبي.  ١٢٣",
            "फेफड़ों में कोई असामान्यता नहीं है। 肺炎 かもしれない。 폐렴 의심",
            "👩🏽‍⚕️🫁🩻 ok?! 🇩🇪🇫🇷 \u{200d}\u{fe0f} e\u{301} ﬁ Å ①②",
            "\t\tdef f(x):\r\n    return x**2  # comment\r\n\n\n\n    \t \u{a0}\u{3000}end ",
            "<bos><start_of_turn>user\n<start_of_image>What?<end_of_turn>\n<unused94>thought<unused95>",
            "<h1>Title</h1><table><tr><td>1</td></tr></table> [toxicity] <0x0A> [multimodal] <mask>",
            "   \u{2581}\u{2581} a\u{2581}b  c   d    e",
            "",
            " ",
        ]
        .map(str::to_owned),
    );
    // Runs of blanks, lines and tabs of every length around the longest token.
    for blank in [" ", "\n", "\t", "\u{2581}", "a", "\r\n"] {
        for length in 1..70 {
            texts.push(format!("x{}y", blank.repeat(length)));
            texts.push(blank.repeat(length));
        }
    }
    // Random characters, half of them from the first planes' busy parts.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for _ in 0..2000 {
        let mut text = String::new();
        for _ in 0..next(80) {
            let code = match next(6) {
                0 | 1 => 32 + next(95),
                2 => next(0x600),
                3 => 0x4E00 + next(0x5200),
                4 => 0x1F300 + next(0x800),
                _ => next(0x11_0000),
            };
            text.extend(u32::try_from(code).ok().and_then(char::from_u32));
        }
        texts.push(text);
    }
    // Words of the vocabulary itself, joined.
    let published = published();
    for _ in 0..3000 {
        let mut text = String::new();
        for _ in 0..next(12) {
            let id = u32::try_from(next(262_144)).unwrap();
            write!(text, "{}", published.decode(&[id], true).unwrap()).unwrap();
        }
        texts.push(text);
    }
    texts
}

fn published() -> &'static Tokenizer {
    static TOKENIZER: OnceLock<Tokenizer> = OnceLock::new();
    TOKENIZER.get_or_init(|| Tokenizer::from_file(&folder().join("tok/tokenizer.json")).unwrap())
}

#[test]
#[ignore = "needs the fetched GGUF file of Gemma 3 270M: see the header; .ci/run runs it"]
fn the_vocabulary_in_the_file_is_the_published_tokenizer() {
    let (found, expected) = (model().tokenizer(), published());
    assert_eq!(found.vocab_size(), expected.vocab_size());
    for id in 0..u32::try_from(expected.vocab_size()).unwrap() {
        assert_eq!(found.token(id), expected.token(id), "{id}");
        assert_eq!(found.is_special(id), expected.is_special(id), "{id}");
    }
    let texts = corpus();
    let characters: usize = texts.iter().map(|text| text.chars().count()).sum();
    assert!(characters > 300_000, "only {characters} characters");
    for text in &texts {
        let ids = expected.encode(text).unwrap();
        assert_eq!(found.encode(text).unwrap(), ids, "{text:.200}");
        for keep in [true, false] {
            assert_eq!(
                found.decode(&ids, keep).unwrap(),
                expected.decode(&ids, keep).unwrap()
            );
        }
    }
}
