//! What the audit log says of each way to ask the model, when, and what it does not say.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::support::{answers, ask, cpu, essence, exactly, image, model, up_to};
use medgemma::audit::{
    Audit, AuditOptions, Error as AuditError, image_content, prompt_content, verify,
};
use medgemma::{
    BatchEvent, BatchRequest, Error, ErrorKind, Image, LoadOptions, MedGemma, Message, Resizer,
    Sampling,
};
use medgemma_testkit::checkpoint;
use serde_json::Value;
use tempfile::TempDir;

struct Audited {
    _folder: TempDir,
    path: PathBuf,
    audit: Audit,
    model: MedGemma,
}

fn audited() -> Audited {
    audited_by(AuditOptions::default())
}

fn audited_by(options: AuditOptions) -> Audited {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = Audit::open_with(&path, options).unwrap();
    let options = LoadOptions::default().with_audit(audit.clone());
    let model = MedGemma::load_with(checkpoint("mm-2025"), &cpu(), options).unwrap();
    Audited {
        _folder: folder,
        path,
        audit,
        model,
    }
}

/// The records after those of opening and loading.
fn records(path: &Path) -> Vec<Value> {
    verify(path).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&records[0]["event"], &records[1]["event"]),
        (&"opened".into(), &"loaded".into())
    );
    records[2..].to_vec()
}

fn events(path: &Path) -> Vec<String> {
    let records = records(path);
    records
        .iter()
        .map(|record| record["event"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_reply_is_recorded_with_all_that_made_it() {
    let here = audited();
    let loaded = std::fs::read_to_string(&here.path).unwrap();
    let loaded: Value = serde_json::from_str(loaded.lines().nth(1).unwrap()).unwrap();
    assert_eq!(loaded["body"]["model"], model().checksum().unwrap());
    assert_eq!(loaded["body"]["device"], here.model.model().device().name());

    let picture = image("picture-a.png");
    let message = || {
        Message::user()
            .image(picture.clone())
            .text("What is shown?")
    };
    let sampling = Sampling::default().with_temperature(0.7).with_seed(41);
    let options = up_to(6)
        .with_sampling(sampling)
        .with_stop_string("Wolverhampton");
    let mut chat = here.model.chat();
    let ids = chat.prompt_ids(&message()).unwrap();
    let reply = chat.send_with(message(), &options).unwrap();
    let second = chat.send_with(ask("And now?"), &exactly(3)).unwrap();

    let records = records(&here.path);
    assert_eq!(events(&here.path), ["request", "reply", "request", "reply"]);
    let (request, answer) = (&records[0]["body"], &records[1]["body"]);
    assert_eq!(request["model"], loaded["body"]["model"]);
    assert_eq!(request["prompt"], here.audit.digest(&prompt_content(&ids)));
    assert_eq!(request["prompt_tokens"], ids.len());
    assert_eq!(
        request["images"][0],
        here.audit.digest(&image_content(&picture))
    );
    assert_eq!(request["images"].as_array().unwrap().len(), 1);
    assert_eq!(request["options"]["seed"], 41);
    assert_eq!(request["options"]["max_new_tokens"], 6);
    assert_eq!(
        request["options"]["stop_strings"][0],
        here.audit.digest(b"Wolverhampton")
    );
    assert_eq!(answer["request"], records[0]["sequence"]);
    assert_eq!(answer["output"], here.audit.digest(reply.text.as_bytes()));
    assert_eq!(answer["usage"], serde_json::to_value(reply.usage).unwrap());
    assert_eq!(
        answer["finish"],
        serde_json::to_value(reply.finish).unwrap()
    );
    let (request, answer) = (&records[2]["body"], &records[3]["body"]);
    assert!(request["context_tokens"].as_u64().unwrap() >= ids.len() as u64);
    assert_eq!(request["images"].as_array().unwrap().len(), 0);
    assert_eq!(answer["output"], here.audit.digest(second.text.as_bytes()));
}

#[test]
fn answers_are_the_same_with_and_without_a_log() {
    let here = audited();
    let message = || {
        Message::user()
            .image(image("picture-b.png"))
            .text("What is shown?")
    };
    let with = here.model.generate(&[message()], &exactly(8)).unwrap();
    let without = model().generate(&[message()], &exactly(8)).unwrap();
    assert_eq!(essence(&with), essence(&without));
}

#[test]
fn the_request_is_there_before_the_first_piece_and_the_reply_before_the_last() {
    let here = audited();
    let mut chat = here.model.chat();
    let mut stream = chat.stream(ask("What is shown?"), &exactly(4)).unwrap();
    assert_eq!(events(&here.path), ["request"]);
    let mut last = None;
    for piece in stream.by_ref() {
        piece.unwrap();
        last = Some(events(&here.path));
    }
    assert_eq!(last.unwrap(), ["request", "reply"]);
    drop(stream.into_reply());
    assert_eq!(events(&here.path), ["request", "reply"], "once");
}

#[test]
fn an_answer_that_is_given_up_is_recorded_as_such() {
    let here = audited();
    let mut chat = here.model.chat();
    // The tiny model says nothing before its last token, so that both are given up before a word.
    drop(chat.stream(ask("What is shown?"), &exactly(9)).unwrap());
    let reply = chat
        .stream(ask("And now?"), &exactly(9))
        .unwrap()
        .into_reply();
    let mut chat = here.model.chat();
    let stopped = chat.stream_observed(ask("?"), &exactly(9), Box::new(|_| ControlFlow::Break(())));
    assert!(stopped.unwrap().next().is_none());
    let records = records(&here.path);
    assert_eq!(events(&here.path), ["request", "reply"].repeat(3));
    for at in [1, 3, 5] {
        assert_eq!(records[at]["body"]["finish"], "cancelled", "{at}");
    }
    assert_eq!(
        records[3]["body"]["output"],
        here.audit.digest(reply.text.as_bytes())
    );
}

#[test]
fn batches_scores_and_completions_are_recorded() {
    let here = audited();
    let conversations = [vec![ask("What is shown?")], vec![ask("Which side?")]];
    let replies = answers(here.model.generate_batch(&conversations, &exactly(3)));
    let scores = here.model.score(&conversations[0], &["yes", "no"]).unwrap();
    let completed = here.model.complete("The chest", &[], &exactly(3)).unwrap();
    let records = records(&here.path);
    assert_eq!(
        events(&here.path),
        [
            "request", "request", "reply", "reply", "request", "scores", "request", "reply"
        ]
    );
    for (at, reply) in [(2, &replies[0]), (3, &replies[1]), (7, &completed)] {
        assert_eq!(
            records[at]["body"]["output"],
            here.audit.digest(reply.text.as_bytes())
        );
    }
    assert_eq!(records[2]["body"]["request"], records[0]["sequence"]);
    assert_eq!(records[3]["body"]["request"], records[1]["sequence"]);
    let numbers: Vec<u8> = scores
        .iter()
        .flat_map(|score| {
            score
                .token_logprobs
                .iter()
                .flat_map(|number| number.to_le_bytes())
        })
        .collect();
    assert_eq!(records[5]["body"]["output"], here.audit.digest(&numbers));
    let answers = &records[4]["body"]["options"]["answers"];
    assert_eq!(answers[1], here.audit.digest(b"no"));
}

/// Behind a turn: what was read before counts, and what is said of it is digests.
#[test]
fn choices_are_recorded() {
    let here = audited();
    let mut chat = here.model.chat();
    chat.send_with(ask("What is shown?"), &exactly(3)).unwrap();
    let picture = image("picture-a.png");
    let question = || Message::user().image(picture.clone()).text("Which side?");
    let ids = chat.prompt_ids(&question()).unwrap();
    let choice = chat.choose(&question(), &["left", "right"]).unwrap();
    let mut without = model().chat();
    without
        .send_with(ask("What is shown?"), &exactly(3))
        .unwrap();
    assert_eq!(
        without.choose(&question(), &["left", "right"]).unwrap(),
        choice
    );

    assert_eq!(
        events(&here.path),
        ["request", "reply", "request", "scores"]
    );
    let records = records(&here.path);
    let (request, scores) = (&records[2]["body"], &records[3]["body"]);
    assert_eq!(request["prompt"], here.audit.digest(&prompt_content(&ids)));
    assert_eq!(request["context_tokens"], chat.context_len());
    assert_eq!(
        request["images"][0],
        here.audit.digest(&image_content(&picture))
    );
    let answers = &request["options"]["answers"];
    assert_eq!(answers[0], here.audit.digest(b"left"));
    assert_eq!(answers[1], here.audit.digest(b"right"));
    let scored = choice.answers.iter().map(|answer| &answer.score);
    let numbers: Vec<u8> = scored
        .flat_map(|score| &score.token_logprobs)
        .flat_map(|number| number.to_le_bytes())
        .collect();
    assert_eq!(scores["request"], records[2]["sequence"]);
    assert_eq!(scores["output"], here.audit.digest(&numbers));
}

#[cfg(feature = "structured")]
#[test]
fn the_schema_that_an_answer_is_written_by_is_recorded() {
    let here = audited();
    let json = r#"{"type":"boolean"}"#;
    let schema = medgemma::Schema::from_json(json).unwrap();
    let written = up_to(20).with_schema(schema.without_reasoning());
    let reply = here
        .model
        .chat()
        .send_with(ask("Is it?"), &written)
        .unwrap();
    here.model.generate(&[ask("Is it?")], &exactly(2)).unwrap();
    let records = records(&here.path);
    let recorded = &records[0]["body"]["options"]["schema"];
    assert_eq!(recorded["json"], here.audit.digest(json.as_bytes()));
    assert_eq!(recorded["reasoning"], false);
    assert_eq!(
        records[1]["body"]["output"],
        here.audit.digest(reply.text.as_bytes())
    );
    assert_eq!(records[2]["body"]["options"].get("schema"), None);
}

#[test]
fn what_is_refused_before_any_work_is_no_request() {
    let here = audited();
    here.model
        .generate(&[ask("<bos>")], &exactly(3))
        .unwrap_err();
    here.model
        .generate(&[ask(&"long ".repeat(400))], &exactly(3))
        .unwrap_err();
    let long = "long ".repeat(400);
    let chat = here.model.chat();
    chat.choose(&ask("Which?"), &["a", &long]).unwrap_err();
    chat.choose(&ask(&long), &["a"]).unwrap_err();
    chat.choose(&ask("Which?"), &["a", ""]).unwrap_err();
    assert_eq!(events(&here.path), Vec::<String>::new());
    // What was said before counts, too.
    let mut chat = here.model.chat();
    let limit = here.model.model().config().text.max_position_embeddings;
    while chat.context_len() < limit / 2 {
        chat.send_with(ask(&"long ".repeat(20)), &exactly(3))
            .unwrap();
    }
    let before = events(&here.path).len();
    let mut question = "long ".repeat(20);
    while chat.prompt_ids(&ask(&question)).unwrap().len() + chat.context_len() <= limit {
        question += "long ";
    }
    chat.choose(&ask(&question), &["a"]).unwrap_err();
    assert_eq!(events(&here.path).len(), before);
}

/// What made an answer, name by name: a value that stays at its default here would hide that it is not recorded.
#[test]
fn every_option_is_recorded() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = Audit::open(&path).unwrap();
    let loaded = LoadOptions::default()
        .with_audit(audit.clone())
        .with_kv_cache(medgemma::KvPrecision::Int8)
        .with_resizer(Resizer::TorchvisionBilinear)
        .with_pad_to_square(true)
        .with_pan_and_scan(true);
    let precision = loaded.precision.to_string();
    let model = MedGemma::load_with(checkpoint("mm-2025"), &cpu(), loaded).unwrap();
    let mut options = up_to(5)
        .with_stop_string("Wolverhampton")
        .with_ignore_stop_ids(true)
        .with_speculation(medgemma::Speculation::PromptLookup)
        .with_sampling(
            Sampling::default()
                .with_temperature(0.5)
                .with_top_k(7)
                .with_top_p(0.75)
                .with_min_p(0.125)
                .with_repetition_penalty(1.5)
                .with_seed(99),
        );
    options.prefill_chunk = 33;
    let pictures = ["picture-a.png", "picture-b.png"].map(image);
    let [a, b] = pictures.clone();
    let message = Message::user().image(a).image(b).text("What is shown?");
    // After loading: what holds is what the request was worked on with.
    let threads = medgemma::cpu::threads() + 1;
    medgemma::cpu::set_threads(threads);
    let reply = model.generate(&[message], &options).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let said: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let about = &said[1]["body"];
    assert_eq!(about["precision"], precision);
    assert_eq!(about["kv_cache"], "int8");
    assert_eq!(
        about["images"],
        serde_json::json!({
            "resizer": "torchvision-bilinear", "pad_to_square": true, "pan_and_scan":
                { "min_crop_size": 256, "max_num_crops": 4, "min_ratio_to_activate": 1.2 },
        })
    );
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    let request = &said[2]["body"];
    let instructions = medgemma::cpu::instructions().name();
    assert_eq!(
        (&request["threads"], &request["instructions"]),
        (&threads.into(), &instructions.into())
    );
    assert_eq!(
        said[2]["body"]["options"],
        serde_json::json!({
            "max_new_tokens": 5, "temperature": 0.5, "top_k": 7, "top_p": 0.75, "min_p": 0.125,
            "repetition_penalty": 1.5, "seed": 99, "stop_strings": [audit.digest(b"Wolverhampton")],
            "ignore_stop_ids": true, "prefill_chunk": 33, "speculation": "prompt-lookup",
        })
    );
    let digests = pictures.map(|picture| audit.digest(&image_content(&picture)));
    assert_eq!(said[2]["body"]["images"], serde_json::json!(digests));
    let times = [
        ("images_ms", reply.timings.images),
        ("prefill_ms", reply.timings.prefill),
        ("decode_ms", reply.timings.decode),
    ];
    for (name, time) in times {
        assert_eq!(
            said[3]["body"][name],
            u64::try_from(time.as_millis()).unwrap()
        );
    }
}

/// What took effect, not what was asked for: here the checkpoint decides.
#[test]
fn how_images_are_prepared_is_recorded_as_the_checkpoint_says_it() {
    let about = |name: &str| {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit.jsonl");
        let options = LoadOptions::default().with_audit(Audit::open(&path).unwrap());
        let model = MedGemma::load_with(checkpoint(name), &cpu(), options).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let said: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        (model, said["body"]["images"].clone())
    };
    let (model, images) = about("mm-2025");
    let processor = model.model().processor();
    assert_eq!(images["resizer"], processor.resizer().name());
    assert_eq!(images["pad_to_square"], false);
    assert_eq!(images["pan_and_scan"], Value::Null);
    assert_eq!(about("text-27b-like").1, Value::Null);
}

/// Reasoning is told apart from the answer, and as little of it.
#[test]
fn reasoning_is_recorded_as_a_digest() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = Audit::open(&path).unwrap();
    // A thought of " look", and " show".
    let scratch = crate::support::speaker(&[6, 272, 312, 405, 406, 418, 26, 327, 7, 329]);
    let options = LoadOptions::default().with_audit(audit.clone());
    let model = MedGemma::load_with(scratch.path(), &cpu(), options).unwrap();
    let reply = model.generate(&[ask("hello")], &exactly(10)).unwrap();
    let thought = reply.reasoning.as_deref().unwrap();
    let body = records(&path)[1]["body"].clone();
    assert_eq!(body["reasoning"], audit.digest(thought.as_bytes()));
    assert_eq!(body["output"], audit.digest(reply.text.as_bytes()));
    assert_ne!(body["reasoning"], body["output"]);
}

/// A model whose numbers are none: each request of a batch has an end in the log.
#[test]
fn what_failed_is_recorded_for_each_request() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.jsonl");
    let key = "language_model.model.layers.7.mlp.down_proj.weight";
    let scratch = medgemma_testkit::Scratch::of("mm-2025");
    let scratch = scratch.edit(|tensors| tensors.map(key, |_| f32::NAN));
    let options = LoadOptions::default().with_audit(Audit::open(&path).unwrap());
    let model = MedGemma::load_with(scratch.path(), &cpu(), options).unwrap();
    let both = [vec![ask("What?")], vec![ask("Where?")]];
    for answer in model.generate_batch(&both, &exactly(2)).unwrap() {
        answer.unwrap_err();
    }
    model.generate(&both[0], &exactly(2)).unwrap_err();
    assert_eq!(
        events(&path),
        [
            "request", "request", "failed", "failed", "request", "failed"
        ]
    );
    let records = records(&path);
    for (at, request) in [(2, 0), (3, 1), (5, 4)] {
        assert_eq!(records[at]["body"]["request"], records[request]["sequence"]);
    }
}

/// Text is read by a model whose projector is damaged, pictures are not.
#[test]
fn one_that_fails_among_others_is_recorded_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = Audit::open(&path).unwrap();
    let options = LoadOptions::default().with_audit(audit.clone());
    let scratch = crate::support::blind();
    let model = MedGemma::load_with(scratch.path(), &cpu(), options).unwrap();
    let shown = Message::user().image(image("picture-a.png")).text("look");
    let all = [vec![ask("What?")], vec![shown], vec![ask("Where?")]];
    let batch = model.generate_batch(&all, &exactly(2)).unwrap();
    let told = events(&path);
    assert_eq!(told[..3], ["request"; 3]);
    assert_eq!(told[3..], ["failed", "reply", "reply"]);
    let records = records(&path);
    for (at, request) in [(3, 1), (4, 0), (5, 2)] {
        assert_eq!(records[at]["body"]["request"], records[request]["sequence"]);
    }
    let output = |at: usize| audit.digest(batch[at].as_ref().unwrap().text.as_bytes());
    assert_eq!(records[4]["body"]["output"], output(0));
    assert_eq!(records[5]["body"]["output"], output(2));
}

/// Of a batch one request is too long for the log: those before it have an end there.
#[test]
fn a_batch_that_cannot_be_recorded_leaves_no_request_open() {
    let here = audited();
    let mut long = exactly(3);
    long.stop_strings = (0..20_000).map(|number| format!("Q{number}")).collect();
    let (short, asked) = (exactly(3), [ask("What is shown?")]);
    let requests = [&short, &long, &short].map(|options| BatchRequest {
        messages: &asked,
        options,
    });
    let refused = here.model.generate_batch_observed(&requests, &mut |_, _| {
        panic!("work was begun");
    });
    assert!(matches!(
        refused,
        Err(Error::Audit(AuditError::Record { .. }))
    ));
    assert_eq!(events(&here.path), ["request", "failed"]);
}

/// A record of 1 MiB is refused by the log; a thousand stop strings make one, and then nothing is answered.
#[test]
fn what_cannot_be_recorded_is_not_answered() {
    let here = audited();
    let mut options = exactly(3);
    options.stop_strings = (0..20_000).map(|number| format!("Q{number}")).collect();
    let conversations = [vec![ask("What is shown?")]];
    let errors = [
        here.model
            .chat()
            .send_with(ask("What is shown?"), &options)
            .unwrap_err(),
        here.model
            .generate(&conversations[0], &options)
            .unwrap_err(),
        here.model
            .generate_batch(&conversations, &options)
            .unwrap_err(),
    ];
    for error in errors {
        let record = matches!(
            &error,
            Error::Audit(AuditError::Record {
                event: "request",
                ..
            })
        );
        assert!(record, "{error}");
    }
    assert_eq!(events(&here.path), Vec::<String>::new());
}

/// The log is gone before the answers end: none is handed out, and who listens is told so.
#[test]
fn answers_of_a_batch_that_cannot_be_recorded_are_told_as_failed() {
    let here = audited();
    let (options, asked) = (exactly(3), [ask("What is shown?")]);
    let requests = [&options; 2].map(|options| BatchRequest {
        messages: &asked,
        options,
    });
    let mut failed = Vec::new();
    let batch = here
        .model
        .generate_batch_observed(&requests, &mut |index, event| {
            match event {
                BatchEvent::Progress(_) if here.path.exists() => {
                    std::fs::remove_file(&here.path).unwrap()
                }
                BatchEvent::Ended(_) => panic!("{index}: there is no record of it"),
                BatchEvent::Failed { kind, message } => {
                    failed.push((index, kind, message.to_owned()))
                }
                _ => {}
            }
            ControlFlow::Continue(())
        });
    let errors = batch.unwrap().into_iter().map(Result::unwrap_err);
    let errors = errors.enumerate();
    let expected: Vec<_> = errors
        .map(|(index, error)| (index, ErrorKind::System, error.to_string()))
        .collect();
    assert_eq!(failed, expected);
    assert!(failed[0].2.contains("replaced"), "{failed:?}");
}

#[test]
fn the_log_has_no_word_and_with_a_key_no_guessable_digest() {
    let here = audited_by(AuditOptions::default().with_key([3; 32]));
    let question = "Is Zebulon Quagmire ill?";
    let reply = here.model.generate(&[ask(question)], &exactly(5)).unwrap();
    let log = std::fs::read_to_string(&here.path).unwrap();
    for word in ["Zebulon", "Quagmire", "ill?"] {
        assert!(!log.contains(word), "{log}");
    }
    let ids = here.model.prompt_ids(&[ask(question)]).unwrap();
    for content in [prompt_content(&ids), reply.text.into_bytes()] {
        let plain = TempDir::new().unwrap();
        let plain = Audit::open(plain.path().join("plain")).unwrap();
        assert!(!log.contains(&plain.digest(&content)));
        assert!(log.contains(&here.audit.digest(&content)));
    }
}

/// Laid out as documented, so that others can make the digest of a picture they have.
#[test]
fn pictures_of_the_same_samples_in_another_shape_have_another_digest() {
    let samples = vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    let [wide, square] = [(4, 1), (2, 2)].map(|(width, height)| {
        image_content(&Image::from_rgb8(width, height, samples.clone()).unwrap())
    });
    assert_ne!(wide, square);
    assert_eq!(wide[..16], [4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(wide[16..], samples);
    assert_eq!(prompt_content(&[258, 1]), [2, 1, 0, 0, 1, 0, 0, 0]);
}
