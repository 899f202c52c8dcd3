//! What goes wrong: named, before any work, and without harm to the conversation.

use std::fs;
use std::ops::ControlFlow;

use crate::support::{ask, cpu, exactly, ids, image, load, model, up_to};
use medgemma::audit::Audit;
use medgemma::{
    BatchRequest, Device, Error, ErrorKind, GenerateOptions, Image, Limits, LoadOptions, MedGemma,
    Message, Model, Precision, Workload,
};
use medgemma_testkit::{Fault, Golden, Scratch, Stored, assert_close, checkpoint};
use serde_json::json;

/// The error's message with those of its sources.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(" | ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// Every one of the words is in the error.
#[track_caller]
fn names(error: &Error, words: &[&str]) {
    let text = told(error);
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[track_caller]
fn refused(scratch: &Scratch, words: &[&str]) {
    let error = MedGemma::load(scratch.path(), &cpu()).expect_err("the directory is damaged");
    names(&error, words);
}

#[test]
fn every_damaged_directory_is_refused_by_name() {
    for fault in Fault::ALL {
        let name = match fault {
            // They also take a tensor away from the file where it lies, which is found first.
            Fault::MissingShard | Fault::WrongShard => "model.safetensors.index.json",
            other => other.must_name(),
        };
        refused(&fault.directory(), &[name]);
    }
    let without = |file: &str| {
        let scratch = Scratch::of("mm-2025");
        std::fs::remove_file(scratch.file(file)).unwrap();
        refused(&scratch, &[file, &scratch.path().display().to_string()]);
    };
    without("tokenizer.json");
    without("config.json");
    without("model-00002-of-00002.safetensors");
    let nowhere = MedGemma::load("/no/such/model", &cpu()).expect_err("there is nothing");
    names(&nowhere, &["/no/such/model"]);
}

#[test]
fn files_of_different_models_are_told_apart() {
    let scratch = Scratch::of("mm-2025");
    for (key, wrong) in [
        ("boi_token_index", 430),
        ("eoi_token_index", 429),
        ("image_token_index", 5),
    ] {
        let scratch = Scratch::of("mm-2025").edit_json("config.json", |c| c[key] = json!(wrong));
        refused(&scratch, &[key, &wrong.to_string()]);
    }
    let bos = |c: &mut serde_json::Value| c["text_config"]["bos_token_id"] = json!(3);
    refused(
        &scratch.edit_json("config.json", bos),
        &["bos_token_id", "3", "2"],
    );
    // Where this tokenizer has a line's end, another has that of a turn.
    let scratch = Scratch::of("mm-2025").edit_json("generation_config.json", |c| {
        c["eos_token_id"] = json!([1, 10]);
    });
    refused(&scratch, &["eos_token_id", "id 10", r#""\n""#, "(9)"]);
    // Pieces of the tokenizer have no row. It is told by the configuration, before any weight is read.
    let scratch = Scratch::of("mm-2025").edit_json("config.json", |c| {
        c["text_config"]["vocab_size"] = json!(400);
    });
    let weights = scratch.file("model-00001-of-00002.safetensors");
    fs::write(weights, "none").unwrap();
    refused(&scratch, &["tokenizer.json", "432 ids", "400 rows"]);
    let scratch = Scratch::of("mm-2025").edit_json("generation_config.json", |c| {
        c["eos_token_id"] = json!(["<eos>"]);
    });
    refused(&scratch, &["generation_config.json", "eos_token_id"]);
}

/// The reference's model does not read the processor's file, its processor makes prompts that do not fit.
#[test]
fn a_processor_of_another_model_is_told_where_a_prompt_is_made() {
    let length = |c: &mut serde_json::Value| c["image_seq_length"] = json!(16);
    let scratch = Scratch::of("mm-2025").edit_json("preprocessor_config.json", length);
    let model = load(scratch.path());
    let shown = Message::user().text("look").image(image("picture-a.png"));
    let expected = ["image_seq_length", "16", "mm_tokens_per_image 4"];
    names(&model.generate(&[shown], &up_to(3)).unwrap_err(), &expected);
    model.chat().send_with(ask("hello"), &up_to(2)).unwrap();
    let golden = Golden::named("chat-one-image");
    let pixels = model.model().process(&image("picture-a.png")).unwrap();
    let soft = model.model().encode(&pixels.pixels[0]).unwrap();
    let prompt = golden.ids("input_ids");
    model.model().segments(&prompt, &[soft]).unwrap();
}

#[test]
fn a_text_model_given_an_image_names_its_directory() {
    let dir = checkpoint("text-27b-like");
    let model = load(&dir);
    let shown = || Message::user().text("look").image(image("picture-a.png"));
    let expected = [dir.to_str().unwrap(), "text only", "1 image"];
    let mut chat = model.chat();
    names(&chat.send(shown()).unwrap_err(), &expected);
    assert_eq!(chat.context_len(), 0);
    names(
        &model.generate(&[shown()], &up_to(3)).unwrap_err(),
        &expected,
    );
    names(&model.score(&[shown()], &["a"]).unwrap_err(), &expected);
    let batch = [vec![ask("hello")], vec![shown()]];
    names(
        &model.generate_batch(&batch, &up_to(3)).unwrap_err(),
        &expected,
    );
    names(
        &model.model().process(&image("picture-a.png")).unwrap_err(),
        &expected,
    );
    // Its embedding has no row for the soft token that its tokenizer knows.
    let typed = ask("see <image_soft_token> here");
    let error = chat.stream(typed, &up_to(3)).unwrap_err();
    names(&error, &["431", "vocabulary"]);
    chat.send_with(ask("hello"), &up_to(2)).unwrap();
}

/// The message is refused when it is given, at the start and later, and changes nothing.
#[track_caller]
fn refused_at_once(message: &Message, words: &[&str]) {
    let mut chat = model().chat();
    for _ in 0..2 {
        let before = chat.context_len();
        let observer = Box::new(|_| -> ControlFlow<()> { panic!("work was begun") });
        let refused = chat.stream_observed(message.clone(), &up_to(4), observer);
        names(&refused.map(drop).unwrap_err(), words);
        assert_eq!(chat.context_len(), before);
        let after = chat.send_with(ask("hello"), &exactly(4)).unwrap();
        let mut undisturbed = model().chat();
        if before > 0 {
            undisturbed.send_with(ask("hello"), &exactly(4)).unwrap();
        }
        let expected = undisturbed.send_with(ask("hello"), &exactly(4)).unwrap();
        assert_eq!(ids(&after), ids(&expected));
        assert_eq!(after.usage, expected.usage);
    }
    let whole = [message.clone()];
    names(&model().generate(&whole, &up_to(4)).unwrap_err(), words);
    names(&model().score(&whole, &["a"]).unwrap_err(), words);
}

#[test]
fn special_tokens_typed_by_a_user_do_not_pass_for_images_or_beginnings() {
    let shown = || Message::user().image(image("picture-a.png"));
    refused_at_once(
        &ask("a <start_of_image> b"),
        &["1 `<start_of_image>`", "0 images"],
    );
    refused_at_once(
        &shown().text("<start_of_image>"),
        &["2 `<start_of_image>`", "1 images"],
    );
    refused_at_once(&ask("<image_soft_token>"), &["1 soft tokens"]);
    let four = "<image_soft_token>".repeat(4);
    refused_at_once(&ask(&four), &["4 soft tokens", "0 image(s)"]);
    refused_at_once(&shown().text(&four), &["4 soft tokens", "0 image(s)"]);
    refused_at_once(
        &ask(&format!("{four}x")).image(image("picture-a.png")),
        &["soft tokens"],
    );
    refused_at_once(&ask("<bos>hello"), &["<bos>"]);
}

#[test]
fn roles_that_do_not_alternate_are_named() {
    let (user, other) = (|| ask("hello"), || Message::assistant().text("well"));
    let of = |messages: &[Message]| model().generate(messages, &up_to(2)).unwrap_err();
    names(
        &of(&[user(), user()]),
        &["message 1", "`user`", "`assistant`"],
    );
    names(
        &of(&[other(), user()]),
        &["message 0", "`assistant`", "`user`"],
    );
    names(
        &of(&[user(), other()]),
        &["the last message is the model's"],
    );
    names(&of(&[]), &["no message"]);
    names(
        &model().score(&[user(), other()], &["a"]).unwrap_err(),
        &["the last message"],
    );
    let batch = [vec![user()], vec![user(), other()]];
    let error = model().generate_batch(&batch, &up_to(2)).unwrap_err();
    names(&error, &["the last message", "conversation 1 of 2"]);
    let (valid, mut colder) = (up_to(2), up_to(2));
    colder.sampling.temperature = -1.0;
    let asked = [user()];
    let requests = [&valid, &colder].map(|options| BatchRequest {
        messages: &asked,
        options,
    });
    let error = model().generate_batch_observed(&requests, &mut |_, _| ControlFlow::Continue(()));
    names(&error.unwrap_err(), &["temperature", "conversation 1 of 2"]);
    let mut chat = model().chat();
    names(&chat.send(other()).unwrap_err(), &["the last message"]);
    assert_eq!(chat.context_len(), 0);
}

#[test]
fn a_context_that_overflows_is_refused_before_any_work() {
    let prompt = model().prompt_ids(&[ask("hello")]).unwrap().len();
    let room = 512 - prompt;
    let mut chat = model().chat();
    for asked in [room + 1, 100_000, usize::MAX] {
        let observer = Box::new(|_| -> ControlFlow<()> { panic!("work was begun") });
        let error = chat.stream_observed(ask("hello"), &up_to(asked), observer);
        let figures = [prompt, asked, 512, room].map(|figure| figure.to_string());
        names(
            &error.map(drop).unwrap_err(),
            &figures.each_ref().map(String::as_str),
        );
    }
    assert_eq!(chat.context_len(), 0);
    // What just fits, works, and fills the context to the last place.
    let reply = chat.send_with(ask("hello"), &exactly(room)).unwrap();
    assert_eq!((reply.tokens.len(), chat.context_len()), (room, 512));
    let error = chat.send_with(ask("more"), &up_to(1)).unwrap_err();
    names(&error, &["511 tokens read", "512"]);
    assert_eq!(chat.context_len(), 512);

    // A prompt that is too long by itself, whatever the answer.
    let long = "is it? ".repeat(300);
    let shown = Message::user().image(image("picture-a.png")).text(long);
    for tokens in [0, 1] {
        let mut chat = model().chat();
        let observer = Box::new(|_| -> ControlFlow<()> { panic!("work was begun") });
        let error = chat.stream_observed(shown.clone(), &up_to(tokens), observer);
        names(&error.map(drop).unwrap_err(), &["512"]);
        let batch = [vec![ask("hello")], vec![shown.clone()]];
        names(
            &model().generate_batch(&batch, &up_to(tokens)).unwrap_err(),
            &["512"],
        );
    }
    names(&model().score(&[shown], &["a"]).unwrap_err(), &["512"]);
    let answer = "x".repeat(600);
    names(
        &model().score(&[ask("hello")], &["a", &answer]).unwrap_err(),
        &["512"],
    );
}

#[test]
fn what_a_model_without_a_tokenizer_has_no_use_for_is_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    let audit = Audit::open(folder.path().join("audit.jsonl")).unwrap();
    for (options, option) in [
        (LoadOptions::default().with_audit(audit), "audit"),
        (LoadOptions::default().with_prefix_cache(1), "prefix_cache"),
    ] {
        let refused = Model::load(&checkpoint("mm-2025"), &cpu(), options);
        names(&refused.unwrap_err(), &[option, "MedGemma::load_with"]);
    }
}

#[test]
fn options_out_of_range_are_named() {
    let mut chat = model().chat();
    let mut check = |change: &dyn Fn(&mut GenerateOptions), words: &[&str]| {
        let mut options = up_to(3);
        change(&mut options);
        names(&chat.send_with(ask("hello"), &options).unwrap_err(), words);
        let batch = model().generate_batch(&[vec![ask("hello")]], &options);
        names(&batch.unwrap_err(), words);
        assert_eq!(chat.context_len(), 0);
    };
    check(&|o| o.sampling.temperature = -0.5, &["temperature", "-0.5"]);
    check(
        &|o| o.sampling.temperature = f32::INFINITY,
        &["temperature"],
    );
    check(&|o| o.sampling.top_k = Some(0), &["top_k", "0"]);
    check(&|o| o.sampling.top_p = Some(1.5), &["top_p", "1.5"]);
    check(&|o| o.sampling.min_p = Some(-0.1), &["min_p", "-0.1"]);
    check(
        &|o| o.sampling.repetition_penalty = 0.0,
        &["repetition_penalty", "0"],
    );
    check(
        &|o| o.stop_strings.push(String::new()),
        &["stop string 0", "empty"],
    );
}

#[test]
fn ids_outside_of_the_vocabulary_are_refused() {
    let decoder = model().model().decoder();
    let segments = model().model().segments(&[2, 448], &[]).unwrap();
    let error = decoder
        .prefill(&segments, &mut decoder.new_cache(), 8, &mut |_, _| true)
        .unwrap_err();
    names(&error.into(), &["448", "position 1", "vocabulary"]);
    let soft = model().model().segments(&[2, 431, 431], &[]).unwrap_err();
    names(&soft, &["2 soft tokens", "position 1"]);
    let pixels = &model()
        .model()
        .process(&image("picture-a.png"))
        .unwrap()
        .pixels[0];
    let encoded = model().model().encode(pixels).unwrap();
    assert_eq!(encoded.dims(), [4, 24]);
    let surplus = model().model().segments(&[2], &[encoded]).unwrap_err();
    names(&surplus, &["1 image(s) more"]);
    // Fields of pixels are public: an error, not a panic.
    let mut short = pixels.clone();
    short.data.pop();
    let error = model().model().encode(&short).err().unwrap();
    let [expected, found] = [pixels.data.len(), short.data.len()].map(|n| n.to_string());
    names(&error, &["data", &expected, &found]);
}

#[test]
fn a_half_precision_checkpoint_past_the_range_of_half_precision_is_computed() {
    let model = load(&checkpoint("mm-f16"));
    let golden = Golden::named("mm-f16.text");
    let ids = golden.ids("input_ids");
    let decoder = model.model().decoder();
    let segments = model.model().segments(&ids, &[]).unwrap();
    let logits = decoder
        .logits_of_all(&segments, &mut decoder.new_cache(), 512)
        .unwrap();
    let dims = logits.dims();
    let found = medgemma_tensor::vec_from(logits, "logits").unwrap();
    assert_close("logits", &dims, &found, &golden.f32("logits"), 1e-4);
    let shown = Message::user().image(image("picture-a.png")).text("look");
    let reply = model.generate(&[shown], &exactly(12)).unwrap();
    assert_eq!(reply.tokens.len(), 12);
    assert!(reply.tokens.iter().all(|token| token.logprob.is_finite()));
    assert!(reply.tokens.iter().any(|token| token.id != 0));
}

#[test]
fn weights_that_are_not_numbers_end_the_answer_with_an_error() {
    let key = "language_model.model.layers.7.mlp.down_proj.weight";
    let scratch = Scratch::of("mm-2025").edit(|tensors| tensors.map(key, |_| f32::NAN));
    let broken = Model::load(scratch.path(), &cpu(), LoadOptions::default());
    drop(broken.expect("the loader does not read every number"));
    let model = load(scratch.path());
    let mut chat = model.chat();
    let mut stream = chat.stream(ask("hello"), &up_to(5)).unwrap();
    let error = stream.next().unwrap().unwrap_err();
    names(&error, &["not finite", "weights"]);
    assert!(
        stream.next().is_none(),
        "after an error there is nothing more"
    );
    drop(stream);
    assert_eq!(chat.context_len(), 0);
}

#[test]
fn weights_that_are_not_numbers_are_refused_where_they_would_be_quantised() {
    let key = "language_model.model.layers.7.self_attn.o_proj.weight";
    let scratch = Scratch::of("mm-2025").edit(|tensors| tensors.map(key, |_| f32::NAN));
    let before = std::fs::read_dir(scratch.path()).unwrap().count();
    for precision in [Precision::Int8, Precision::Int4] {
        let options = LoadOptions::default()
            .with_precision(precision)
            .with_cache_quantized(true);
        let error = MedGemma::load_with(scratch.path(), &cpu(), options).unwrap_err();
        let file = scratch.path().to_string_lossy();
        names(&error, &[key, &file, "finite", precision.name()]);
        let after = std::fs::read_dir(scratch.path()).unwrap().count();
        assert_eq!(after, before, "nothing is cached");
    }
}

#[test]
fn weights_that_are_not_numbers_make_no_answer_the_likeliest() {
    let key = "language_model.model.layers.7.mlp.down_proj.weight";
    let scratch = Scratch::of("mm-2025").edit(|tensors| tensors.map(key, |_| f32::NAN));
    let model = load(scratch.path());
    let error = model
        .score(&[ask("hello")], &["heart", "bones"])
        .unwrap_err();
    names(&error, &["not finite", "weights"]);
    let error = model
        .chat()
        .choose(&ask("hello"), &["heart", "bones"])
        .unwrap_err();
    names(&error, &["not finite", "weights"]);
    // An input row that is not finite, the head left as it was: only what follows that token is told.
    let key = "language_model.model.embed_tokens.weight";
    let prompt = model.prompt_ids(&[ask("hello")]).unwrap();
    let encode = |text| model.tokenizer().encode(text).unwrap();
    let elsewhere = encode("bones");
    let words = ["x-ray", "quick", "joints", "zygoma", "Why?"];
    let (word, answer) = words
        .map(|word| (word, encode(word)))
        .into_iter()
        .find(|(_, ids)| ids.len() > 1 && ![&prompt[..], &elsewhere].concat().contains(&ids[0]))
        .expect("a word of several tokens, the first of which stands nowhere else");
    let scratch = Scratch::of("mm-2025").edit(|tensors| {
        let head = tensors.get(key).expect("it is there").clone();
        let mut values = head.to_f32();
        values[answer[0] as usize * head.shape[1]] = f32::NAN;
        tensors.insert(key, head.with_f32(&values));
        tensors.insert("language_model.lm_head.weight", head);
    });
    let scratch = scratch.edit_json("config.json", |config| {
        config["tie_word_embeddings"] = json!(false);
    });
    let model = load(scratch.path());
    model.score(&[ask("hello")], &["bones"]).unwrap();
    let error = model.score(&[ask("hello")], &["bones", word]).unwrap_err();
    let position = prompt.len() + 1;
    names(&error, &[&format!("position {position}:")]);
}

#[test]
fn a_model_beyond_the_memory_allowed_is_refused_with_the_figures() {
    let dir = checkpoint("mm-2025");
    let device = Device::cpu().expect("compiled in");
    let load = |limit| {
        let workload = Workload::new(1000, 1);
        let options = LoadOptions::default()
            .with_workload(workload)
            .with_memory_limit(limit);
        MedGemma::load_with(&dir, &device, options)
    };
    let error = load(1_000_000).expect_err("a megabyte is not enough");
    let Error::NotEnoughMemory {
        plan, available, ..
    } = &error
    else {
        panic!("another error: {error}");
    };
    assert_eq!(*available, 1_000_000);
    let message = error.to_string();
    let megabytes = plan.total().div_ceil(1_000_000);
    for part in [&format!("{megabytes} MB"), "1 MB", "int8", "memory_limit"] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    load(plan.total()).expect("exactly enough");
}

#[test]
fn a_token_without_a_row_is_refused_where_it_is_used() {
    // The ids of the tokenizer end at 431; the embedding has 448 rows.
    let scratch = Scratch::of("mm-2025").edit_json("tokenizer.json", |t| {
        let tokens = t["added_tokens"].as_array_mut().unwrap();
        let more = |id: u32| {
            let mut token = tokens[0].clone();
            token["id"] = id.into();
            token["content"] = format!("<more{id}>").into();
            token
        };
        let more: Vec<_> = (432..=448).map(more).collect();
        tokens.extend(more);
    });
    let model = load(scratch.path());
    let answer = |text: &str| model.generate(&[Message::user().text(text)], &up_to(1));
    answer("a<more447>").expect("it has a row");
    let error = answer("a<more448>").expect_err("it has none");
    let told = error.to_string();
    assert!(told.contains("448"), "{told}");
}

/// Bytes of weights in the plan of a load that a byte of memory is not enough for.
#[track_caller]
fn planned(scratch: &Scratch) -> u64 {
    let options = LoadOptions::default().with_memory_limit(1);
    let error = MedGemma::load_with(scratch.path(), &cpu(), options);
    match error.expect_err("a byte is not enough") {
        Error::NotEnoughMemory { plan, .. } => plan.weights,
        other => panic!("another error: {other}"),
    }
}

#[test]
fn a_plan_leaves_out_what_is_never_loaded() {
    const EMBEDDINGS: &str = "language_model.model.embed_tokens.weight";
    const HEAD: &str = "language_model.lm_head.weight";
    let plain = planned(&Scratch::of("mm-2025"));
    let head = Scratch::of("mm-2025").tensors();
    let head = head.get(EMBEDDINGS).expect("it is there").clone();
    let repeated = Scratch::of("mm-2025").edit(|tensors| {
        tensors.insert(HEAD, head.clone());
    });
    assert_eq!(planned(&repeated), plain);
    let loaded = load(repeated.path());
    let ignored = &loaded.model().report().ignored;
    assert!(ignored.iter().any(|(name, _)| name == HEAD), "{ignored:?}");
    // One that is another matrix is loaded, whatever the configuration says of it.
    let mut values = head.to_f32();
    let bytes = 4 * values.len() as u64;
    values[0] += 1.0;
    let own = Scratch::of("mm-2025").edit(|tensors| {
        tensors.insert(HEAD, head.with_f32(&values));
    });
    assert_eq!(planned(&own), plain + bytes);

    let pooled = Scratch::of("mm-2025").edit(|tensors| {
        let name = "vision_tower.vision_model.head.layernorm.weight";
        tensors.insert(name, Stored::from_f32(&[20], &[1.0; 20]));
    });
    let pooled = pooled.edit_json("config.json", |config| {
        config["vision_config"]["vision_use_head"] = json!(true);
    });
    assert_eq!(planned(&pooled), plain);
    load(pooled.path());
}

/// What a server makes a status of.
#[test]
fn errors_tell_whose_concern_they_are() {
    let of = |messages: &[Message], options: &GenerateOptions| {
        model().generate(messages, options).unwrap_err().kind()
    };
    let shown = |image| Message::user().image(image).text("look");
    assert_eq!(of(&[], &up_to(1)), ErrorKind::Request);
    assert_eq!(of(&[ask("<bos>")], &up_to(1)), ErrorKind::Request);
    let mut colder = up_to(1);
    colder.sampling.temperature = -1.0;
    assert_eq!(of(&[ask("hello")], &colder), ErrorKind::Request);
    assert_eq!(of(&[ask("hello")], &up_to(9999)), ErrorKind::TooLarge);
    let two = [vec![ask("hello")], vec![ask(&"long ".repeat(400))]];
    let batch = model().generate_batch(&two, &up_to(1)).unwrap_err();
    assert_eq!(batch.kind(), ErrorKind::TooLarge);
    let within = |bytes| {
        let options = LoadOptions::default().with_memory_limit(bytes);
        let loaded = MedGemma::load_with(checkpoint("mm-2025"), &cpu(), options);
        loaded.unwrap_err().kind()
    };
    assert_eq!(within(1), ErrorKind::TooLarge);

    let damaged = crate::support::blind();
    let damaged = load(damaged.path());
    let picture = || image("picture-a.png");
    let error = damaged
        .generate(&[shown(picture())], &up_to(1))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model);
    let absent = MedGemma::load("no such folder", &cpu()).unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::Model);
    let absent = MedGemma::load(Fault::MissingTensor.directory().path(), &cpu()).unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::Model);
    let unknown: Error = "tpu".parse::<Device>().unwrap_err().into();
    assert_eq!(unknown.kind(), ErrorKind::Device);

    let reply = model().generate(&[ask("hello")], &exactly(2)).unwrap();
    let cut_off = reply.parse::<u8>().unwrap_err();
    assert_eq!(cut_off.kind(), ErrorKind::Answer);
    let picture: Error = Image::decode(b"none", &Limits::default())
        .unwrap_err()
        .into();
    assert_eq!(picture.kind(), ErrorKind::Request);
    let file: Error = Image::open("no such file").unwrap_err().into();
    assert_eq!(file.kind(), ErrorKind::System);
    let full: Error = Error::Output(std::io::Error::other("full"));
    assert_eq!(
        (full.kind(), full.kind().to_string()),
        (ErrorKind::System, "system".to_owned())
    );
}
