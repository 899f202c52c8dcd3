//! The facade as an application meets it: devices, progress, presets, stop ids, replies as JSON,
//! sampling.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::support::{
    GoldenChat, ask, cpu, essence, exactly, ids, image, load, model, stopping_at, up_to,
};
use medgemma::{
    Alpha, Backend, Crop, DecodeOptions, DecoderError, Device, Error, ErrorKind, FinishReason,
    GenerateOptions, Image, ImageError, ImageProcessor, LoadOptions, MedGemma, Message, Model,
    NOTICE, PRESETS, PanAndScan, Part, Pixels, Processed, ProjectorError, Resizer, Role,
    TensorError, TokenizerError, VisionError,
};
use medgemma_testkit::{Dialect, GEMMA, Golden, Scratch, checkpoint, dialect};
use serde_json::{Value, json};

#[test]
fn devices_are_named_and_absent_ones_name_their_feature() {
    let backends = [
        ("cpu", Backend::Cpu),
        ("ndarray", Backend::NdArray),
        ("wgpu", Backend::Wgpu),
        ("cuda:0", Backend::Cuda),
    ];
    for (name, backend) in backends {
        match name.parse::<Device>() {
            Ok(device) => {
                assert_eq!(device.backend(), backend);
                assert!(device.name().starts_with(name.split(':').next().unwrap()));
                assert_eq!(device.to_string(), device.name());
            }
            Err(error) if backend.is_compiled() => {
                // A graphics card may be missing; a processor may not.
                assert!(matches!(backend, Backend::Wgpu | Backend::Cuda), "{error}");
                assert!(error.to_string().contains("not available"), "{error}");
            }
            Err(error) => {
                let feature = format!("Cargo feature `{}`", backend.feature());
                assert!(error.to_string().contains(&feature), "{error}");
            }
        }
    }
    let best = Device::best_available().expect("the cpu is compiled in");
    assert!(best.backend().is_compiled());
    assert_eq!(best.name(), "best".parse::<Device>().unwrap().name());
    assert_eq!(model().model().device().name(), "cpu");
    assert!("tpu".parse::<Device>().is_err());
}

/// An application that depends on the facade alone can call all of it, and tell its errors apart.
#[test]
fn options_of_images_and_errors_of_the_crates_below_have_names_here() {
    let options = DecodeOptions::default().with_alpha(Alpha::OverWhite);
    let path = medgemma_testkit::picture("picture-a.png");
    let image = Image::open_with(path, &options).unwrap();
    let corner = Crop {
        x: 0,
        y: 0,
        width: 2,
        height: 3,
    };
    let corner = image.cropped(corner).unwrap();
    assert_eq!((corner.width(), corner.height()), (2, 3));
    let cuts = PanAndScan::default().with_max_num_crops(2);
    let processor = ImageProcessor::default().with_pan_and_scan(cuts);
    assert_eq!(processor.pan_and_scan().unwrap().max_num_crops, 2);
    let processed: Processed = model().model().process(&corner).unwrap();
    assert_eq!(processed.pixels.len(), 1);

    let error = Image::decode_with(b"none", &options).unwrap_err();
    assert!(matches!(error, ImageError::Format { .. }), "{error}");
    let pixels = Pixels {
        data: vec![0.0; 3],
        shape: [3, 1, 1],
    };
    let error = model().model().encode(&pixels).unwrap_err();
    assert!(
        matches!(&error, Error::Vision(VisionError::PixelShape { .. })),
        "{error:?}"
    );
    let folder = tempfile::tempdir().unwrap();
    let error = Model::load(folder.path(), &cpu(), LoadOptions::default()).unwrap_err();
    assert!(
        matches!(&error, Error::Tensor(TensorError::Io { .. })),
        "{error:?}"
    );
    let refused = |text: &str| model().generate(&[ask(text)], &up_to(1)).unwrap_err();
    let error = refused("<bos>");
    assert!(matches!(
        &error,
        Error::Tokenizer(TokenizerError::RepeatedBos { .. })
    ));
    let error = refused(&"long ".repeat(400));
    assert!(matches!(
        &error,
        Error::Decoder(DecoderError::ContextOverflow { .. })
    ));
    // No weights that load come to one of these.
    let _: fn(ProjectorError) -> Error = Error::Projector;
}

/// Without a size, the class's default of 224 holds, which is not the tower's.
#[test]
fn a_processor_of_another_size_than_the_tower_is_refused_while_loading() {
    let scratch = Scratch::of("mm-2025");
    for name in ["preprocessor_config.json", "processor_config.json"] {
        std::fs::write(scratch.path().join(name), "{}").unwrap();
    }
    let error = MedGemma::load(scratch.path(), &cpu())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("preprocessor_config.json") && error.contains("size"),
        "{error}"
    );
}

#[test]
fn an_observer_stops_loading() {
    let mut told = 0;
    let options = LoadOptions::default().with_progress(|_, _| {
        told += 1;
        if told < 3 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    let error = MedGemma::load_with(checkpoint("mm-2025"), &cpu(), options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
    assert!(error.to_string().contains("mm-2025"), "{error}");
    assert_eq!(told, 3, "nothing is loaded after that");
}

#[test]
fn loading_reports_its_progress_up_to_the_whole() {
    for variant in GEMMA {
        let mut reports: Vec<(u64, u64)> = Vec::new();
        let options = LoadOptions::default().with_progress(|done, total| {
            reports.push((done, total));
            ControlFlow::Continue(())
        });
        let loaded = MedGemma::load_with(checkpoint(variant), &cpu(), options).unwrap();
        let &(last, total) = reports.last().unwrap();
        assert_eq!(last, total, "{variant}: the last report is not the whole");
        assert_eq!(total, loaded.model().report().bytes, "{variant}");
        assert!(reports.len() > 3, "{variant}: {} reports", reports.len());
        assert!(reports.iter().all(|report| report.1 == total), "{variant}");
        assert!(reports.is_sorted(), "{variant}: progress went back");
        let config = loaded.model().config();
        assert_eq!(loaded.model().report().parameters, config.parameters());
        assert_eq!(config.preset(), None, "{variant} is no published model");
    }
}

#[test]
fn every_dialect_is_the_same_model() {
    let case = GoldenChat::named("chat-two-images");
    let text = [ask("what does the image show")];
    let golden = Golden::named("chat-two-images").ids("generated_ids");
    let golden_text = Golden::named("chat-text").ids("generated_ids");
    for kind in Dialect::ALL {
        let scratch = dialect(kind);
        let loaded = load(scratch.path());
        let reply = loaded.generate(&text, &exactly(24)).unwrap();
        assert_eq!(ids(&reply), golden_text, "{kind:?}");
        if kind.is_multimodal() {
            let reply = loaded.generate(&case.messages, &exactly(24)).unwrap();
            assert_eq!(ids(&reply), golden, "{kind:?}");
        }
    }
}

#[test]
fn the_published_models_have_their_published_sizes() {
    let all: Vec<_> = PRESETS.iter().flat_map(|p| p.names).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    let count = |name: &str| {
        let preset = PRESETS.iter().find(|p| p.names.contains(&name)).unwrap();
        (preset.parameters, preset.layers, preset.multimodal)
    };
    // Bytes of the published bf16 files, by two.
    let four = (8_600_158_944 / 2, 34, true);
    assert_eq!(count("google/medgemma-4b-pt"), four);
    assert_eq!(count("google/medgemma-4b-it"), four);
    assert_eq!(count("google/medgemma-1.5-4b-it"), four);
    // The tower of 416 866 032 and a projector of 1152 × 5376 + 1152 apart, the 27B are alike.
    let (with, without) = (
        count("google/medgemma-27b-it"),
        count("google/medgemma-27b-text-it"),
    );
    assert_eq!(with.0 - without.0, 416_866_032 + 1152 * 5376 + 1152);
    assert_eq!((with.1, with.2, without.2), (62, true, false));
    assert_eq!(count("google/gemma-3-270m-it"), (268_098_176, 18, false));
    assert_eq!(count("google/gemma-3-1b-it"), (999_885_952, 26, false));
}

#[test]
fn answers_end_at_the_ids_of_the_generation_config() {
    let case = GoldenChat::named("chat-one-image");
    let golden = Golden::named("chat-one-image").ids("generated_ids");
    let ask = |model: &MedGemma, options: &GenerateOptions| {
        let mut chat = model.chat().with_system(case.system.clone().unwrap());
        chat.send_with(case.messages[0].clone(), options).unwrap()
    };
    for stop in [golden[1], golden[5], golden[7]] {
        let stopping = load(stopping_at(&[300, stop]).path());
        let at = golden.iter().position(|&id| id == stop).unwrap();
        let reply = ask(&stopping, &up_to(24));
        assert_eq!(reply.finish, FinishReason::Stop);
        assert_eq!(ids(&reply), golden[..at], "stopped at {stop}");
        assert_eq!(reply.usage.reply_tokens, at);
        let whole = ask(&stopping, &exactly(24));
        assert_eq!(whole.finish, FinishReason::Length);
        assert_eq!(ids(&whole), golden);
    }
    // Exactly at the limit the limit is the reason, and one more shows the end.
    let stopping = load(stopping_at(&[golden[5]]).path());
    assert_eq!(ask(&stopping, &up_to(5)).finish, FinishReason::Length);
    assert_eq!(ask(&stopping, &up_to(6)).finish, FinishReason::Stop);
    assert_eq!(ask(&stopping, &up_to(0)).finish, FinishReason::Length);
}

#[test]
fn a_reply_says_that_it_is_not_for_clinical_use() {
    let mut chat = model().chat();
    let reply = chat.send_with(ask("hello"), &exactly(6)).unwrap();
    assert!(reply.not_for_clinical_use);
    assert!(NOTICE.contains("Not for clinical use"));
    let json: Value = serde_json::to_value(&reply).unwrap();
    assert_eq!(json["not_for_clinical_use"], json!(true));
    assert_eq!(json["notice"], json!(NOTICE));
    assert_eq!(json["text"], json!(reply.text));
    assert_eq!(json["finish"], json!("length"));
    assert_eq!(json["usage"]["reply_tokens"], json!(6));
    assert_eq!(json["reasoning"], Value::Null);
    assert_eq!(reply.to_string(), reply.text);
}

#[test]
fn timings_and_speed_are_told() {
    let mut chat = model().chat();
    let shown = Message::user().image(image("picture-a.png"));
    let reply = chat.send_with(shown, &exactly(6)).unwrap();
    let timings = reply.timings;
    assert!(timings.images > Duration::ZERO && timings.prefill > Duration::ZERO);
    assert!(timings.decode > Duration::ZERO);
    let speed = timings.tokens_per_second(&reply.usage).unwrap();
    assert!((speed * timings.decode.as_secs_f64() - 5.0).abs() < 1e-6);
    let one = model().generate(&[ask("hello")], &exactly(1)).unwrap();
    assert_eq!(one.timings.tokens_per_second(&one.usage), None);
    assert_eq!(one.timings.images, Duration::ZERO, "there are none");
}

#[test]
fn the_seed_alone_decides_what_is_drawn() {
    let options = |seed: u64| {
        let mut options = exactly(16);
        options.sampling.temperature = 1.5;
        options.sampling.seed = seed;
        options
    };
    let draw = |seed| model().generate(&[ask("hello")], &options(seed)).unwrap();
    assert_eq!(essence(&draw(1)), essence(&draw(1)));
    let different: BTreeSet<_> = (0..8).map(|seed| ids(&draw(seed))).collect();
    assert_eq!(different.len(), 8, "eight seeds, eight answers");
    // So many candidates that one is left: greedy again.
    let mut one = options(3);
    one.sampling.top_k = Some(1);
    let greedy = model().generate(&[ask("hello")], &exactly(16)).unwrap();
    let drawn = model().generate(&[ask("hello")], &one).unwrap();
    assert_eq!(ids(&greedy), ids(&drawn));
}

#[test]
fn the_repetition_penalty_reaches_back_over_the_conversation() {
    let options = |penalty| {
        let mut options = exactly(12);
        options.sampling.repetition_penalty = penalty;
        options
    };
    let plain = model().generate(&[ask("hello")], &options(1.0)).unwrap();
    let distinct = |reply: &[u32]| reply.iter().collect::<BTreeSet<_>>().len();
    assert!(distinct(&ids(&plain)) < 12, "the tiny model repeats itself");
    let mut chat = model().chat();
    let first = chat.send_with(ask("hello"), &options(1e6)).unwrap();
    assert_eq!(distinct(&ids(&first)), 12, "nothing is said twice");
    let prompt = model().prompt_ids(&[ask("hello")]).unwrap();
    assert!(ids(&first).iter().all(|id| !prompt.contains(id)));
    let second = chat.send_with(ask("hello"), &options(1e6)).unwrap();
    let said = [ids(&first), ids(&second)].concat();
    assert_eq!(distinct(&said), 24, "nothing of the first answer either");
}

#[test]
fn choices_of_image_processing_reach_the_model() {
    let pixels = |options: LoadOptions<'_>| {
        let loaded = MedGemma::load_with(checkpoint("mm-2025"), &cpu(), options).unwrap();
        let processed = loaded.model().process(&image("picture-a.png")).unwrap();
        (processed.pixels[0].clone(), processed.num_crops)
    };
    let plain = pixels(LoadOptions::default());
    assert_eq!(
        plain,
        pixels(LoadOptions::default().with_resizer(Resizer::PilBilinear))
    );
    let other = pixels(LoadOptions::default().with_resizer(Resizer::TorchvisionBilinear));
    assert_ne!(plain, other);
    assert_ne!(
        plain,
        pixels(LoadOptions::default().with_pad_to_square(true))
    );
}

#[test]
fn a_message_is_made_of_parts_and_tells_whose_it_is() {
    let picture = image("picture-a.png");
    let mut message = Message::user();
    message.extend([Part::from(picture.clone()), Part::from("look".to_owned())]);
    let ids = |message: Message| model().prompt_ids(&[message]).unwrap();
    let built = Message::user().image(picture).text("look");
    assert_eq!(ids(message), ids(built));
    let roles = [
        Message::system("Be brief."),
        Message::user(),
        Message::assistant(),
    ];
    assert_eq!(
        roles.map(|message| message.role()),
        [Role::System, Role::User, Role::Assistant]
    );
}

#[test]
fn reasons_are_displayed_as_they_are_serialised() {
    for reason in [
        FinishReason::Stop,
        FinishReason::Complete,
        FinishReason::StopString,
        FinishReason::Length,
        FinishReason::Cancelled,
    ] {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.to_string());
    }
}
