//! Given embeddings that the decoder cannot read: each is an error that says what was found, before
//! any work.

mod support;

use medgemma_gemma3::{Decoder, Error, GenerateOptions, Segment};
use medgemma_tensor::{DType, Tensor, tensor_from};
use medgemma_testkit::checkpoint;
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
    let batch = decoder.generate_batch(&[prompt.to_vec()], &options, &mut |_, _| {
        std::ops::ControlFlow::Continue(())
    });
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
