//! Keys and values in int8, as an option of loading: fewer bytes, the same words.

use std::path::{Path, PathBuf};

use crate::support::{GoldenChat, ask, cpu, exactly, ids, model, up_to};
use medgemma::{
    Image, KvPrecision, LoadOptions, MedGemma, Message, Precision, Speculation, Workload,
};
use medgemma_testkit::{GgufFile, GgufTensor, Scratch, checkpoint, gguf};
use tempfile::TempDir;

fn int8() -> LoadOptions<'static> {
    LoadOptions::default().with_kv_cache(KvPrecision::Int8)
}

fn load(dir: &Path, options: LoadOptions<'_>) -> MedGemma {
    MedGemma::load_with(dir, &cpu(), options).expect("the checkpoint loads")
}

/// The demonstration model, which has learnt its answers: its two likeliest words are far apart.
fn trained() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/report/model")
}

/// Bytes of the cache after a prompt.
fn cached(model: &MedGemma) -> usize {
    let decoder = model.model().decoder();
    let mut cache = decoder.new_cache();
    let prompt = model.model().segments(&[2, 105, 300, 17].repeat(30), &[]);
    let read = decoder.prefill(&prompt.unwrap(), &mut cache, 16, &mut |_, _| true);
    read.unwrap();
    cache.bytes()
}

#[test]
fn the_option_is_off_by_default_and_takes_effect() {
    for (variant, number) in [("mm-2025", 4), ("mm-bf16", 2), ("text-27b-like", 4)] {
        let dir = checkpoint(variant);
        let [plain, quantised] = [LoadOptions::default(), int8()].map(|options| {
            let model = load(&dir, options);
            (model.model().decoder().config().head_dim, cached(&model))
        });
        // h numbers of so many bytes; of one byte, and a scale.
        let h = plain.0;
        assert_eq!(plain.1 * (h + 4), quantised.1 * number * h, "{variant}");
    }
    let model = load(
        &checkpoint("mm-2025"),
        int8().with_precision(Precision::Bf16),
    );
    assert_eq!(model.model().decoder().kv_precision(), KvPrecision::Int8);
    assert!(format!("{:?}", int8()).contains("kv_cache: Int8"));
}

#[test]
fn about_half_of_what_bf16_takes_at_the_published_head_sizes() {
    // Of the 4B and the 27B.
    for (head_dim, parts) in [(256, 0.51), (128, 0.52)] {
        let bytes = |precision: KvPrecision| {
            precision.row_bytes(medgemma_tensor::Arithmetic::Bf16, head_dim) as f64
        };
        let ratio = bytes(KvPrecision::Int8) / bytes(KvPrecision::AsWeights);
        assert!(ratio > 0.5 && ratio < parts, "{head_dim}: {ratio}");
    }
}

#[test]
fn a_plan_counts_what_is_asked_for() {
    let dir = checkpoint("mm-2025");
    let refused = |options: LoadOptions<'static>| {
        let options = options.with_memory_limit(1);
        let error = MedGemma::load_with(&dir, &cpu(), options).expect_err("a byte is too little");
        match error {
            medgemma::Error::NotEnoughMemory { plan, .. } => plan.kv_cache,
            other => panic!("{other}"),
        }
    };
    // Heads of 8: 12 bytes for 32.
    assert_eq!(refused(int8()) * 32, refused(LoadOptions::default()) * 12);
}

/// What a load plans for ten tokens, and what they then take.
fn planned_and_held(dir: &Path) -> (u64, usize) {
    let workload = Workload::new(10, 0);
    let options = || LoadOptions::default().with_workload(workload);
    let error = MedGemma::load_with(dir, &cpu(), options().with_memory_limit(1));
    let planned = match error.expect_err("a byte is too little") {
        medgemma::Error::NotEnoughMemory { plan, .. } => plan.kv_cache,
        other => panic!("{other}"),
    };
    let model = load(dir, options());
    let decoder = model.model().decoder();
    let mut cache = decoder.new_cache();
    let prompt = model
        .model()
        .segments(&[2, 105, 300, 17, 5, 8, 9, 1, 3, 4], &[]);
    let logits = decoder.logits_of_all(&prompt.unwrap(), &mut cache, 16);
    logits.unwrap();
    (planned, cache.bytes())
}

/// The text file of a GGUF pair, its tensors changed, in a folder of its own.
fn gguf_file(variant: &str, change: impl Fn(&mut GgufTensor)) -> TempDir {
    let dir = TempDir::new().unwrap();
    let mut file = GgufFile::read(&gguf(variant));
    file.tensors.iter_mut().for_each(change);
    file.write(&dir.path().join("model.gguf"));
    dir
}

/// bf16 numbers in f32.
fn widen(tensor: &mut GgufTensor) {
    const BF16: u32 = 30;
    if tensor.kind == BF16 {
        tensor.kind = 0;
        let (numbers, _) = tensor.bytes.as_chunks::<2>();
        tensor.bytes = numbers
            .iter()
            .flat_map(|&[low, high]| [0, 0, low, high])
            .collect();
    }
}

#[test]
fn a_plan_counts_what_the_files_hold_whatever_the_configuration_says() {
    let says = |variant, dtype: &str| {
        let edited = Scratch::of(variant);
        edited.edit_json("config.json", |json| json["torch_dtype"] = dtype.into())
    };
    let (wide, narrow) = (says("mm-2025", "bfloat16"), says("mm-bf16", "float32"));
    let [bf16, f16] = ["mm-bf16", "mm-f16"].map(|variant| gguf_file(variant, |_| ()));
    let f32 = gguf_file("mm-bf16", widen);
    let is_of = |tensor: &GgufTensor, part: &str| tensor.name.ends_with(part);
    let keys_of_one = gguf_file("mm-bf16", |tensor| {
        if is_of(tensor, "blk.3.attn_k.weight") {
            widen(tensor);
        }
    });
    // f16 without the three bits that bf16 has not.
    let exact_f16 = gguf_file("mm-f16", |tensor| {
        if is_of(tensor, "attn_k.weight") || is_of(tensor, "attn_v.weight") {
            let (numbers, _) = tensor.bytes.as_chunks_mut::<2>();
            numbers.iter_mut().for_each(|number| number[0] &= !7);
        }
    });
    for (what, dir, numbers) in [
        ("f32 said to be bf16", wide.path(), 8 * 4),
        ("bf16 said to be f32", narrow.path(), 8 * 2),
        ("GGUF in bf16", bf16.path(), 8 * 2),
        ("GGUF in f32", f32.path(), 8 * 4),
        ("GGUF in f16", f16.path(), 8 * 4),
        ("GGUF in f16 that is bf16", exact_f16.path(), 8 * 2),
        (
            "GGUF with keys in f32 in one layer",
            keys_of_one.path(),
            7 * 2 + 4,
        ),
    ] {
        let (planned, held) = planned_and_held(dir);
        // By hand: 64 slots of each layer, keys and values of 2 heads of 8 numbers of so many bytes.
        assert_eq!(planned, 64 * 2 * 2 * 8 * numbers, "{what}");
        // A window of 6 has 38 slots.
        let held = held as u64;
        assert!(
            held <= planned && held * 2 > planned,
            "{what}: {held} of {planned}"
        );
    }
}

#[test]
fn a_trained_model_gives_the_same_answers() {
    let [plain, quantised] =
        [LoadOptions::default(), int8()].map(|options| load(&trained(), options));
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/report/images");
    let mut pictures: Vec<PathBuf> = std::fs::read_dir(images.join("held-out"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .chain([images.join("chest.png")])
        .filter(|path| path.extension().is_some_and(|extension| extension == "png"))
        .collect();
    pictures.sort();
    assert!(pictures.len() > 1);
    for picture in pictures {
        let ask = || {
            let image = Image::open(&picture).unwrap();
            Message::user().image(image).text("Describe this image.")
        };
        let answer = |model: &MedGemma, speculation| {
            let options = up_to(80).with_speculation(speculation);
            let mut chat = model.chat();
            let first = chat.send_with(ask(), &options).unwrap();
            let second = chat
                .send_with(Message::user().text("And now?"), &options)
                .unwrap();
            [ids(&first), ids(&second)]
        };
        let expected = answer(&plain, Speculation::Off);
        assert!(expected[0].len() > 5, "an answer");
        assert_eq!(
            answer(&quantised, Speculation::Off),
            expected,
            "{picture:?}"
        );
        assert_eq!(
            answer(&quantised, Speculation::PromptLookup),
            expected,
            "{picture:?}"
        );
    }
}

#[test]
fn random_weights_give_the_same_words_too() {
    // The goldens' two likeliest words are at least 2e-3 of the largest logit apart at every step.
    let quantised = load(&checkpoint("mm-2025"), int8());
    for name in ["chat-one-image", "chat-two-images", "chat-text"] {
        let golden = GoldenChat::named(name);
        let answer = |model: &MedGemma| {
            let mut chat = match &golden.system {
                Some(system) => model.chat().with_system(system),
                None => model.chat(),
            };
            let first = chat.send_with(golden.messages[0].clone(), &exactly(24));
            (ids(&first.unwrap()), chat)
        };
        let (expected, mut plain) = answer(model());
        let (found, mut chat) = answer(&quantised);
        assert_eq!(found, expected, "{name}");
        // A later turn and a clone read on from what is cached.
        for chat in [chat.clone(), chat.clone()].iter_mut().chain([&mut chat]) {
            let next = chat.send_with(ask("and now?"), &exactly(3)).unwrap();
            assert!(next.usage.cached_tokens > expected.len(), "{name}");
        }
        let next = plain.send_with(ask("and now?"), &exactly(3)).unwrap();
        assert_eq!(chat.context_len(), plain.context_len(), "{name}");
        assert!(next.usage.cached_tokens > expected.len(), "{name}");
    }
}

#[test]
fn conversations_that_begin_alike_share_what_is_cached_in_int8() {
    let [alone, sharing] =
        [int8(), int8().with_prefix_cache(1 << 20)].map(|options| load(&trained(), options));
    let answer = |model: &MedGemma, question: &str| {
        let mut chat = model.chat().with_system("Answer briefly. ".repeat(20));
        chat.send_with(ask(question), &up_to(12)).unwrap()
    };
    let mut shared = 0;
    for question in ["What is shown?", "What is shown?", "Which side?"] {
        let (found, expected) = (answer(&sharing, question), answer(&alone, question));
        assert_eq!(ids(&found), ids(&expected), "{question}");
        shared += found.usage.cached_tokens;
    }
    assert!(shared > 0, "something was read once");
    assert!(sharing.prefix_cache_bytes() > 0);
}
