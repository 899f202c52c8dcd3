//! Given embeddings and caches that the decoder cannot read: each is an error that says what was found,
//! before any work.

mod support;

use medgemma_gemma3::{BatchPrompt, Decoder, Error, GenerateOptions, KvCache, Segment};
use medgemma_tensor::{DType, Tensor, tensor_from};
use medgemma_testkit::{Scratch, Stored, checkpoint};
use serde_json::json;
use support::{decoder, devices};

/// The message with which `rows` after three tokens are refused, by every way of reading them.
fn refused(decoder: &Decoder, rows: Tensor<2>) -> String {
    let prompt = [Segment::Tokens(vec![2, 3, 4]), Segment::Embeddings(rows)];
    let mut cache = decoder.new_cache();
    let read = decoder.prefill(&prompt, &mut cache, 8, &mut |_, _| true);
    let message = read.expect_err("not readable").to_string();
    let all = decoder.logits_of_all(&prompt, &mut cache, 8);
    let options = GenerateOptions::default();
    let generation = decoder
        .generate(prompt.to_vec(), &mut cache, &options, Box::new(|_, _| true))
        .map(|_| ());
    let lane = BatchPrompt {
        segments: &prompt,
        options: &options,
        begins_as: None,
    };
    let batch = decoder.generate_batch(&[lane], &mut |_, _| std::ops::ControlFlow::Continue(()));
    let errors: [Error; 3] = [
        all.map(|_| ()).expect_err("not readable"),
        generation.expect_err("not readable"),
        batch.map(|_| ()).expect_err("not readable"),
    ];
    for error in errors {
        assert_eq!(error.to_string(), message);
    }
    assert!(cache.is_empty());
    message
}

#[test]
fn embeddings_of_another_width_format_or_device_are_refused() {
    let devices = devices();
    for device in &devices {
        let decoder = decoder(&checkpoint("mm-2025"), device);
        let width = decoder.config().hidden_size;
        let rows = |width: usize, device| tensor_from(vec![0.5; 4 * width], [4, width], device);
        let message = refused(&decoder, rows(width + 1, device));
        assert!(
            message.contains(&format!("[4, {}]", width + 1)),
            "{message}"
        );
        if device.as_burn().supports_dtype(DType::BF16) {
            let message = refused(&decoder, rows(width, device).cast(DType::BF16));
            assert_eq!(message, "embeddings are BF16, expected F32: cast them");
        }
        for other in devices.iter().filter(|other| *other != device) {
            let message = refused(&decoder, rows(width, other));
            assert!(message.contains("position 3"), "{message}");
            assert!(message.contains(&device.to_string()), "{message}");
        }
    }
}

/// A cache of `decoder` that has read some tokens.
fn begun(decoder: &Decoder) -> KvCache {
    let mut cache = decoder.new_cache();
    let prompt = [Segment::Tokens((2..32).collect())];
    let read = decoder.prefill(&prompt, &mut cache, 8, &mut |_, _| true);
    read.expect("it is its own");
    cache
}

/// Every way of reading on with `cache` is refused with these words, and leaves it as it was.
#[track_caller]
fn foreign(decoder: &Decoder, cache: &KvCache, words: &[&str]) {
    let (mut cache, mut own) = (cache.clone(), begun(decoder));
    let len = cache.len();
    let prompt = [Segment::Tokens(vec![2, 3, 4])];
    let options = GenerateOptions::default();
    let generation = decoder
        .generate(prompt.to_vec(), &mut cache, &options, Box::new(|_, _| true))
        .map(drop);
    let errors = [
        generation,
        decoder
            .prefill(&prompt, &mut cache, 8, &mut |_, _| true)
            .map(drop),
        decoder.logits_of_all(&prompt, &mut cache, 8).map(drop),
        decoder
            .decode(&[3, 4], &mut [&mut own, &mut cache])
            .map(drop),
        decoder
            .score_after(cache.clone(), &prompt, &[vec![3, 4]])
            .map(drop),
    ];
    for error in errors {
        let error = error.expect_err("another decoder's");
        assert!(matches!(error, Error::ForeignCache { .. }), "{error}");
        let told = error.to_string();
        for word in words.iter().chain(&["another decoder's", "new_cache"]) {
            assert!(told.contains(word), "`{word}` is not in: {told}");
        }
    }
    assert_eq!((cache.len(), own.len()), (len, begun(decoder).len()));
}

#[test]
fn a_cache_of_another_decoder_is_refused() {
    for device in devices() {
        let own = decoder(&checkpoint("mm-2025"), &device);
        let edited = |key: &str, value: serde_json::Value| {
            Scratch::of("mm-2025").edit_json("config.json", |config| {
                config["text_config"][key] = value.clone();
            })
        };
        let wider = decoder(edited("sliding_window", json!(7)).path(), &device);
        for cache in [wider.new_cache(), begun(&wider)] {
            foreign(&own, &cache, &["layer 0", "window of 7", "window of 6"]);
        }
        foreign(
            &wider,
            &begun(&own),
            &["window of 6, expected a window of 7"],
        );
        let every = decoder(edited("sliding_window_pattern", json!(1)).path(), &device);
        foreign(&own, &begun(&every), &["layer 0", "no window"]);

        // As many numbers in other heads.
        let heads = Scratch::of("mm-2025").edit(|tensors| {
            for layer in 0..8 {
                for norm in ["q_norm", "k_norm"] {
                    let key =
                        format!("language_model.model.layers.{layer}.self_attn.{norm}.weight");
                    tensors.insert(&key, Stored::from_f32(&[4], &[0.0; 4]));
                }
            }
        });
        let heads = heads.edit_json("config.json", |config| {
            let text = &mut config["text_config"];
            for (key, value) in [
                ("num_attention_heads", 8),
                ("num_key_value_heads", 4),
                ("head_dim", 4),
            ] {
                text[key] = json!(value);
            }
        });
        let heads = decoder(heads.path(), &device);
        let words = ["layer 0", "4 heads of 4", "2 heads of 8"];
        foreign(&own, &begun(&heads), &words);

        let shorter = decoder(&checkpoint("text-27b-like"), &device);
        let layers = [&shorter, &own].map(|d| format!("{} layers", d.config().num_hidden_layers));
        assert_ne!(layers[0], layers[1]);
        for cache in [shorter.new_cache(), begun(&shorter)] {
            foreign(&own, &cache, &layers.each_ref().map(String::as_str));
        }
        for other in devices().iter().filter(|other| **other != device) {
            let cache = begun(&decoder(&checkpoint("mm-2025"), other));
            foreign(&own, &cache, &["layer 0", &device.to_string()]);
        }
        // What no shape tells: the same model, loaded again.
        let again = decoder(&checkpoint("mm-2025"), &device);
        let mut cache = begun(&again);
        let prompt = [Segment::Tokens(vec![2, 3, 4])];
        let read = own.prefill(&prompt, &mut cache, 8, &mut |_, _| true);
        read.expect("of the same shape");
    }
}
