//! The quality gate: Gemma 3 270M in every format of GGUF, against llama.cpp on the same files.
//!
//! The files and the text are made, not committed (`.ci/fetch-quality`, `quality_files.py`);
//! `quality_golden.json` holds what llama.cpp finds in them (`quality_golden.py`). `.ci/run` runs
//! `MEDGEMMA_QUALITY=DIR cargo test --release -p medgemma --test quality -- --ignored
//! --test-threads 1 --nocapture`, which also prints the table.
//!
//! One thing is not alike: the embeddings of a bf16 file are multiplied by √640 rounded to bf16,
//! 25.25, as in transformers, where llama.cpp multiplies by 25.298. It changes the perplexity by
//! 0.005 %. Files of blocks do not say what they were made from, and nothing is rounded.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and the table is what it is for"
)]

use std::path::PathBuf;
use std::sync::OnceLock;

use medgemma::{Device, LoadOptions, MedGemma, Precision};
use medgemma_gemma3::{Decoder, Segment};
use medgemma_tensor::vec_from;
use serde_json::Value;

/// How far a perplexity may be from the one it is compared with.
const PERPLEXITY: f64 = 0.005;

/// Rows of a window that are read, and whose logits are held, at once: 256 rows are 268 MB.
const ROWS: usize = 256;

/// The file of each test. What `quality_golden.json` holds, [`every_file_has_its_test`] compares.
macro_rules! formats {
    ($($name:ident $tolerance:literal $rms:literal)*) => {
        const FORMATS: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            #[ignore = "needs the fetched weights of Gemma 3 270M: see the header; .ci/run runs it"]
            fn $name() {
                as_llama_cpp(stringify!($name), $tolerance, $rms);
            }
        )*
    };
}

// Of the gaps between two logits, along the continuations: how far one may be off, and all 96 as a root mean square.
// Both sides round activations to 8 bits for blocks, llama.cpp for K types in blocks of 256, and a sum of
// f32 in another order moves some across: one step of `q5_0` was 0.07, 0.17, 0.38 and 0.75 off by four
// orders of the same products, so the mean tells more than one step. Found were, in these two kinds of numbers, 0.015
// and 0.004 for f32 and f16, 0.13 and 0.03 for bf16, 0.49 and 0.14 for blocks of 32, 0.61 and 0.16 for K types.
formats! {
    f32 0.05 0.01
    f16 0.05 0.01
    bf16 0.3 0.08
    q8_0 0.7 0.2
    q4_0 0.7 0.2
    q4_1 0.7 0.2
    q5_0 0.7 0.2
    q5_1 0.7 0.2
    q4_k 1.0 0.25
    q5_k 1.0 0.25
    q6_k 1.0 0.25
    q4_k_m 1.0 0.25
}

#[test]
fn every_file_has_its_test() {
    let golden = golden();
    let files = golden["files"].as_object().expect("figures by file");
    let mut found: Vec<&str> = files.keys().map(String::as_str).collect();
    let mut tested = [FORMATS, &["llama-q4_0"]].concat();
    found.sort_unstable();
    tested.sort_unstable();
    assert_eq!(found, tested);
}

#[test]
#[ignore = "needs the fetched weights of Gemma 3 270M: see the header; .ci/run runs it"]
fn quantising_while_loading_loses_no_more_than_it_may() {
    let golden = golden();
    let theirs = perplexity(&nll_of(&golden, "llama-q4_0"));
    let bf16 = perplexity(score_of_bf16(&golden));
    let [int8, int4] = [Precision::Int8, Precision::Int4].map(|precision| {
        let model = load("bf16", LoadOptions::default().with_precision(precision));
        perplexity(&score(&model, &golden))
    });
    println!(
        "bf16 by int8: {int8:.4}, bf16 {bf16:.4}, ratio {:.5}",
        int8 / bf16
    );
    println!(
        "bf16 by int4: {int4:.4}, llama.cpp's Q4_0 {theirs:.4}, ratio {:.5}",
        int4 / theirs
    );
    assert!(
        (int8 / bf16 - 1.0).abs() <= PERPLEXITY,
        "int8: {int8}, bf16 {bf16}"
    );
    assert!(int4 <= theirs, "int4: {int4}, llama.cpp's Q4_0 {theirs}");
}

/// The bf16 file as it is, which two tests want.
fn score_of_bf16(golden: &Value) -> &'static [f64] {
    static FOUND: OnceLock<Vec<f64>> = OnceLock::new();
    FOUND.get_or_init(|| score(&load("bf16", LoadOptions::default()), golden))
}

/// One file: perplexity, and the continuations, whose gaps between the two largest logits may be
/// `tolerance` off, and `most` in the root mean square. Where the gap is larger than `tolerance`, both continue alike.
fn as_llama_cpp(name: &str, tolerance: f64, most: f64) {
    let golden = golden();
    let model = load(name, LoadOptions::default());
    let theirs = nll_of(&golden, name);
    let ours = match name {
        "bf16" => score_of_bf16(&golden).to_vec(),
        _ => score(&model, &golden),
    };
    let ratio = perplexity(&ours) / perplexity(&theirs);
    let windows = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
    let window = windows.fold(0.0, f64::max);
    let steps = continuations(&model, &golden, name);
    let off = steps.iter().map(|step| step.off).fold(0.0, f64::max);
    let squares = steps.iter().map(|step| step.off.powi(2)).sum::<f64>();
    let rms = (squares / steps.len() as f64).sqrt();
    let decided: Vec<&Step> = steps.iter().filter(|step| step.gap > tolerance).collect();
    println!(
        "{name:8} ours {:.4}, llama.cpp {:.4}, ratio {ratio:.5}, worst window {window:.5} nats; gaps \
         {off:.4} off at most, {rms:.4} in all, {} of {} steps decided",
        perplexity(&ours),
        perplexity(&theirs),
        decided.len(),
        steps.len()
    );
    assert!((ratio - 1.0).abs() <= PERPLEXITY, "{name}: ratio {ratio}");
    assert!(off <= tolerance, "{name}: a gap is {off} off");
    assert!(rms <= most, "{name}: gaps are {rms} off in all");
    assert!(
        3 * decided.len() > steps.len(),
        "{name}: {} of {} steps decide anything",
        decided.len(),
        steps.len()
    );
    for step in decided {
        assert_eq!(step.ours, step.theirs, "{name}: a gap of {}", step.gap);
    }
}

fn golden() -> Value {
    serde_json::from_str(include_str!("quality_golden.json")).expect("the golden is JSON")
}

fn folder() -> PathBuf {
    let dir = std::env::var_os("MEDGEMMA_QUALITY").map(PathBuf::from);
    dir.expect("MEDGEMMA_QUALITY names the folder that .ci/fetch-quality wrote")
}

fn load(name: &str, options: LoadOptions<'_>) -> MedGemma {
    let path = folder().join(format!("gemma-3-270m-{name}.gguf"));
    let device = Device::cpu().expect("the feature cpu is on");
    MedGemma::load_with(&path, &device, options)
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The mean negative log-likelihoods of the windows in the golden.
fn nll_of(golden: &Value, name: &str) -> Vec<f64> {
    serde_json::from_value(golden["files"][name]["nll"].clone()).expect("numbers")
}

fn perplexity(nll: &[f64]) -> f64 {
    (nll.iter().sum::<f64>() / nll.len() as f64).exp()
}

/// The windows of the text, cut as the golden says, by the tokenizer of the file itself: the same
/// ids as llama.cpp's.
fn windows(model: &MedGemma, golden: &Value) -> Vec<Vec<u32>> {
    static IDS: OnceLock<Vec<u32>> = OnceLock::new();
    let text = &golden["text"];
    let size = |key: &str| usize::try_from(text[key].as_u64().expect("a size")).unwrap();
    let (window, windows) = (size("window"), size("windows"));
    let ids = IDS.get_or_init(|| {
        let all = std::fs::read_to_string(folder().join("text.txt")).expect("the text is there");
        let mut ids = model.tokenizer().encode(&all).expect("the text encodes");
        ids.truncate(window * windows);
        ids
    });
    assert!(ids.len() == window * windows && ids.len() >= 8192);
    assert_eq!(text["fnv1a64"], fnv1a64(ids), "not llama.cpp's ids");
    ids.chunks_exact(window).map(<[u32]>::to_vec).collect()
}

/// FNV-1a of the ids as little-endian u32.
fn fnv1a64(ids: &[u32]) -> String {
    let bytes = ids.iter().flat_map(|id| id.to_le_bytes());
    let hash = bytes.fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    format!("{hash:016x}")
}

/// The mean negative log-likelihood of each window, read after `<bos>`.
fn score(model: &MedGemma, golden: &Value) -> Vec<f64> {
    let decoder = model.model().decoder();
    let windows = windows(model, golden);
    let means = windows.iter().map(|ids| {
        let read = [&[2], &ids[..ids.len() - 1]].concat();
        let mut cache = decoder.new_cache();
        let pieces = read.chunks(ROWS).zip(ids.chunks(ROWS));
        let sums = pieces.map(|(read, next)| {
            let rows = [Segment::Tokens(read.to_vec())];
            let logits = decoder
                .logits_of_all(&rows, &mut cache, ROWS)
                .expect("ids fit");
            nll(
                &vec_from(logits, "logits").expect("the device answers"),
                next,
            )
        });
        sums.sum::<f64>() / ids.len() as f64
    });
    means.collect()
}

/// The negative log-likelihood of `ids`, one for each row of logits, summed on all cores.
fn nll(logits: &[f32], ids: &[u32]) -> f64 {
    let vocab = logits.len() / ids.len();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = ids.len().div_ceil(cores);
    let one = |row: &[f32], id: u32| log_sum_exp(row) - f64::from(row[id as usize]);
    std::thread::scope(|scope| {
        let shares = logits.chunks(share * vocab).zip(ids.chunks(share));
        let parts: Vec<_> = shares
            .map(|(rows, ids)| {
                let rows = rows.chunks_exact(vocab).zip(ids);
                scope.spawn(move || rows.map(|(row, &id)| one(row, id)).sum::<f64>())
            })
            .collect();
        parts
            .into_iter()
            .map(|part| part.join().expect("a sum"))
            .sum()
    })
}

/// Logits that are added in f32, [`LANES`] sums at once, before the sum goes on in f64: few enough
/// that f32 loses nothing that a perplexity shows.
const SUMMED: usize = 1024;

/// What the compiler keeps in vectors.
const LANES: usize = 32;

/// ln Σ eˣ. A file has 2.4 thousand million logits, and one call of `f32::exp` after the other was an
/// eighth of its time; of this, the compiler makes vectors.
fn log_sum_exp(row: &[f32]) -> f64 {
    let (lanes, rest) = row.as_chunks::<LANES>();
    let mut highest = [f32::MIN; LANES];
    for lane in lanes {
        for (highest, &x) in highest.iter_mut().zip(lane) {
            *highest = if x > *highest { x } else { *highest };
        }
    }
    let highest = highest.iter().chain(rest).copied().fold(f32::MIN, f32::max);
    let parts = lanes.chunks(SUMMED / LANES).map(|lanes| {
        let mut sums = [0.0_f32; LANES];
        for lane in lanes {
            for (sum, &x) in sums.iter_mut().zip(lane) {
                *sum += exp(x - highest);
            }
        }
        sums.iter().copied().map(f64::from).sum::<f64>()
    });
    let rest = rest.iter().map(|&x| f64::from(exp(x - highest)));
    parts.chain(rest).sum::<f64>().ln() + f64::from(highest)
}

/// eˣ of an x that is not above zero, without a branch or a call: 2ⁿ times the Taylor series of what
/// is left, which is at most ln 2 / 2. NaN stays NaN.
#[inline]
fn exp(x: f32) -> f32 {
    /// Added to a small number, it leaves no room for a fraction, and the integer in the last bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts; the first has so few bits that n times it is exact.
    const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];
    // Below lies nothing that a sum with a one in it would show.
    let x = if x < -80.0 { -80.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let series = [5040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0];
    let series = series.iter().fold(0.0, |sum, f| sum * r + 1.0 / f) * r + 1.0;
    let power = (shifted.to_bits() << 23).wrapping_add(127 << 23);
    series * f32::from_bits(power)
}

#[test]
fn the_sum_of_exponentials_is_exact_enough() {
    for step in 0..=65_535_u16 {
        let x = -f32::from(step) / 820.0;
        let exact = f64::from(x).exp();
        assert!((f64::from(exp(x)) / exact - 1.0).abs() < 3e-7, "{x}");
    }
    assert!(exp(f32::NAN).is_nan());
    let row: Vec<f32> = (0..10_007_u16)
        .map(|i| (f32::from(i) * 0.37).sin() * 20.0)
        .collect();
    let exact = row.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln();
    assert!((log_sum_exp(&row) - exact).abs() < 1e-7);
}

/// One step of a continuation, after llama.cpp's own tokens.
struct Step {
    ours: u32,
    theirs: u32,
    /// Between llama.cpp's two largest logits.
    gap: f64,
    /// Of the same gap in our logits from llama.cpp's.
    off: f64,
}

/// The continuations, token by token; each step is given what llama.cpp wrote before, so that one
/// undecided step does not end the comparison.
fn continuations(model: &MedGemma, golden: &Value, name: &str) -> Vec<Step> {
    let prompts = golden["prompts"].as_array().expect("prompts");
    let recorded = golden["files"][name]["continuations"]
        .as_array()
        .expect("one each");
    assert!(prompts.len() == 3 && recorded.len() == 3);
    let mut found = Vec::new();
    for (prompt, steps) in prompts.iter().zip(recorded) {
        let ids: Vec<u32> = serde_json::from_value(prompt["ids"].clone()).expect("ids");
        let text = prompt["text"].as_str().expect("a text");
        assert_eq!(model.tokenizer().encode_prompt(text).expect("encodes"), ids);
        let steps: Vec<[(u32, f64); 2]> = serde_json::from_value(steps.clone()).expect("pairs");
        assert_eq!(steps.len(), 32);
        found.extend(follow(model.model().decoder(), &ids, &steps));
    }
    found
}

fn follow(decoder: &Decoder, prompt: &[u32], steps: &[[(u32, f64); 2]]) -> Vec<Step> {
    let mut cache = decoder.new_cache();
    let prompt = [Segment::Tokens(prompt.to_vec())];
    let read = decoder.prefill(&prompt, &mut cache, ROWS, &mut |_, _| true);
    let mut next = read.expect("ids fit").expect("not stopped");
    let mut found = Vec::new();
    for pair in steps {
        let row = vec_from(next, "logits").expect("the device answers");
        let best = (0..row.len())
            .max_by(|&a, &b| row[a].total_cmp(&row[b]))
            .unwrap();
        let [high, low] = pair.map(|(id, _)| f64::from(row[id as usize]));
        found.push(Step {
            ours: u32::try_from(best).unwrap(),
            theirs: pair[0].0,
            gap: pair[0].1 - pair[1].1,
            off: (high - low - (pair[0].1 - pair[1].1)).abs(),
        });
        let read = decoder.decode(&[pair[0].0], &mut [&mut cache]);
        next = read.expect("the context has room");
    }
    found
}
