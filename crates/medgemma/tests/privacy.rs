//! What is asked, shown and answered stays in the caller's hands: not in logs at any level, not in
//! `Debug`, not in errors.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Write as _;
use std::ops::ControlFlow;
use std::sync::OnceLock;

use medgemma::audit::Audit;
use medgemma::{
    Class, Classification, Embedding, Image, LoadOptions, MedGemma, MedSigLip, Message, Part,
    SiglipTextOptions,
};
use medgemma_gemma3::{GenerateOptions as DecoderOptions, Segment};
use medgemma_testkit::{Fault, Scratch, picture};
use support::captured::Log;
use support::{answers, load, speaker, up_to};
use tracing_subscriber::filter::LevelFilter;

/// Words that stand for a patient's record; no other text of the test holds any of them.
const SYSTEM: &str = "Xanthippe speaks";
const QUESTION: &str = "Zebulon Quagmire, born 1931-07-23, MRN 99172";
const STOP: &str = "Wolverhampton";
const FILE: &str = "zebulon-q-1931.png";
const WORDS: [&str; 9] = [
    "Xanthippe",
    "Zebulon",
    "zebulon",
    "Quagmire",
    "1931",
    "99172",
    "Wolverhampton",
    "birnbaum",
    "Birnbaum",
];

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        writeln!(self.clone(), "{} {}", record.target(), record.args()).unwrap();
    }

    fn flush(&self) {}
}

/// Everything of this process at the finest level, of `tracing` and of `log`, of all tests together.
fn capture() -> Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(captured).clone()
}

fn captured() -> Log {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        // The microseconds of a time have four digits of a year now and then.
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    log::set_boxed_logger(Box::new(log.clone())).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    log
}

/// None of the words, and no list of numbers as pixels, ids or weights would make.
#[track_caller]
fn clean(what: &str, text: &str, secrets: &[&str]) {
    for word in WORDS.iter().chain(secrets) {
        assert!(!text.contains(word), "{what} tells {word:?}: {text}");
    }
    let numbers = text
        .split(|c: char| !(c.is_ascii_digit() || " ,.-".contains(c)))
        .map(|run| {
            run.split(',')
                .filter(|part| !part.trim().is_empty())
                .count()
        });
    let longest = numbers.max().unwrap_or(0);
    assert!(
        longest < 8,
        "{what} holds {longest} numbers in a row: {text}"
    );
}

fn patient() -> Message {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    std::fs::copy(picture("picture-a.png"), &path).unwrap();
    Message::user()
        .image(Image::open(&path).unwrap())
        .text(QUESTION)
}

/// Failures on the way of a patient's data; their messages and `Debug`.
fn failures(model: &MedGemma, text_model: &MedGemma) -> Vec<String> {
    let mut errors: Vec<medgemma::Error> = Vec::new();
    let mut take = |error: Option<medgemma::Error>| errors.push(error.expect("an error"));
    let refused = |message: Message| model.chat().send_with(message, &up_to(2)).err();
    take(refused(patient().text("<start_of_image>")));
    take(refused(patient().text("<image_soft_token>")));
    take(refused(patient().text("<bos>")));
    take(refused(patient().text(QUESTION.repeat(40))));
    take(text_model.chat().send(patient()).err());
    take(model.generate(&[patient(), patient()], &up_to(2)).err());
    let mut options = up_to(2).with_stop_string(STOP).with_stop_string("");
    take(model.generate(&[patient()], &options).err());
    options.stop_strings.clear();
    options.sampling.temperature = -1.0;
    take(model.generate_batch(&[vec![patient()]], &options).err());
    take(model.score(&[patient()], &[&QUESTION.repeat(40)]).err());
    take(
        model
            .complete("Zebulon <start_of_image>", &[], &up_to(2))
            .err(),
    );
    take(model.chat().choose(&patient(), &[QUESTION, ""]).err());
    let long = QUESTION.repeat(40);
    take(model.chat().choose(&patient(), &[&long]).err());
    let question = [Message::user().text(QUESTION)];
    let answer = text_model.generate(&question, &up_to(9)).unwrap();
    take(answer.parse::<u32>().err());
    take(MedGemma::load(Fault::MissingTensor.directory().path(), &support::cpu()).err());
    errors.iter().map(in_full).collect()
}

/// An error's message and `Debug`, and those of its causes.
fn in_full(error: &medgemma::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text} {error} {error:?}");
        source = error.source();
    }
    text
}

#[test]
fn no_word_and_no_pixel_leaves_by_logs_debug_or_errors() {
    let log = capture();
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(folder.path().join("audit.jsonl")).unwrap();
    let keeping = LoadOptions::default()
        .with_prefix_cache(1 << 20)
        .with_audit(audit.clone());
    clean("options", &format!("{keeping:?} {audit:?}"), &[]);
    let dir = medgemma_testkit::checkpoint("mm-2025");
    let model = MedGemma::load_with(dir, &support::cpu(), keeping).unwrap();
    // Says " birnbaum": the answer of a model must not be logged either.
    let scratch = speaker(&[334, 400, 407, 416, 412, 306, 411]);
    let speaker = load(scratch.path());

    let mut chat = model.chat().with_system(SYSTEM).with_thinking(true);
    let options = up_to(30).with_stop_string(STOP);
    let mut told = Vec::new();
    let observer = Box::new(|progress| {
        told.push(format!("{progress:?}"));
        ControlFlow::Continue(())
    });
    let mut stream = chat.stream_observed(patient(), &options, observer).unwrap();
    let piece = stream.next().unwrap().unwrap();
    clean("a stream", &format!("{stream:?}"), &[]);
    clean("a piece", &format!("{piece:?}"), &[&piece.to_string()]);
    let reply = stream.into_reply();
    clean("progress", &told.join(" "), &[]);
    let again = chat.send_with(patient(), &options).unwrap();
    let asked = format!("{options:?}");
    clean("options of an answer", &asked, &[]);
    assert!(asked.contains("stop_strings: 1"), "{asked}");
    let said: Vec<u32> = reply.tokens.iter().map(|token| token.id).collect();
    assert!(said.len() > 20);
    clean("tokens", &format!("{:?}", reply.tokens), &["id:"]);
    let mut decoder = DecoderOptions::default();
    decoder.seen.clone_from(&said);
    clean(
        "ids",
        &format!("{decoder:?} {:?}", Segment::Tokens(said)),
        &[],
    );
    let debugged = format!("{chat:?} {reply:?} {again:?}");
    clean("a chat or reply", &debugged, &[&reply.text, &again.text]);
    clean("a message", &format!("{:?}", patient()), &[]);
    let part = Part::Text(QUESTION.to_owned());
    clean("a part", &format!("{part:?}"), &[]);
    clean("a model", &format!("{model:?} {:?}", model.model()), &[]);
    let image = Image::open(picture("picture-a.png")).unwrap();
    let pixels = model.model().process(&image).unwrap();
    let soft = model.model().encode(&pixels.pixels[0]).unwrap();
    clean("pixels", &format!("{image:?} {pixels:?} {soft:?}"), &[]);

    let answer = speaker
        .generate(&[Message::user().text(QUESTION)], &up_to(9))
        .unwrap();
    assert!(answer.text.contains("birn"), "{}", answer.text);
    clean("a reply", &format!("{answer:?}"), &[&answer.text, "birn"]);
    let batch = [vec![patient()], vec![Message::user().text(QUESTION)]];
    let replies = answers(model.generate_batch(&batch, &options));
    clean("a batch", &format!("{replies:?}"), &[]);
    let scores = model.score(&[patient()], &[QUESTION]).unwrap();
    assert!(scores[0].total() < 0.0);
    let choice = model.chat().choose(&patient(), &[QUESTION, STOP]).unwrap();
    assert_eq!(choice.answers.len(), 2);
    for text in failures(&model, &speaker) {
        clean("an error", &text, &[]);
    }

    assert!(model.prefix_cache_bytes() > 0, "something was kept");
    let recorded = std::fs::read_to_string(folder.path().join("audit.jsonl")).unwrap();
    // Digests are hexadecimal, and four digits of a year may be among theirs.
    let letters: Vec<&str> = WORDS
        .into_iter()
        .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    assert!(
        letters.iter().all(|word| !recorded.contains(word)),
        "{recorded}"
    );
    assert!(recorded.contains("\"event\":\"scores\"") && recorded.contains("\"event\":\"reply\""));
    let logged = log.text();
    clean(
        "the log",
        &logged,
        &["birn", &again.text, &image_bytes(&image)],
    );
    // The log is there, and says what may be said: sizes and times.
    for expected in [
        "model loaded",
        "parameters=",
        "reply ended",
        "prompt_tokens=",
        "prefill_ms=",
    ] {
        assert!(
            logged.contains(expected),
            "{expected:?} is not in: {logged}"
        );
    }
}

/// Labels; no other text of the tests holds any of them.
const LABELS: [&str; 2] = ["Ophiuchus", "Cassiopeia"];

/// The labels that a text tells, of which it is clean otherwise.
#[track_caller]
fn labels(what: &str, text: &str) -> Vec<&'static str> {
    clean(what, text, &[]);
    let told = LABELS.into_iter().filter(|label| text.contains(label));
    told.collect()
}

/// Failures on the way from labels and prompts to classes, each with the labels that it may tell.
fn failures_of_classes(model: &MedSigLip) -> Vec<(medgemma::Error, Vec<&'static str>)> {
    let [first, second] = LABELS;
    let cut = SiglipTextOptions::default().with_truncate(true);
    let embed = |a: &[&str], b: &[&str], options: &SiglipTextOptions| {
        let classes = model.embed_classes_with(&[(first, a), (second, b)], options);
        classes.expect_err("it is refused")
    };
    let uncut = SiglipTextOptions::default();
    let long = QUESTION.repeat(9);
    let shout = QUESTION.to_uppercase();
    let image = Image::open(picture("picture-a.png")).unwrap();
    let vector = |width| Embedding::new(vec![1.0; width]).unwrap();
    let twice = model.embed_classes(&[(first, &[QUESTION]), (first, &[STOP])]);
    let vectors = [30, 24].map(|width| Class::new(second, vector(width)));
    let scores = Classification::from_logits(&LABELS, &[1.0, f32::NAN]);
    let one = Classification::from_logits(&LABELS, &[1.0, 2.0]).unwrap();
    vec![
        // What the documentation says.
        (embed(&[QUESTION], &[&shout], &cut), vec![first, second]),
        (embed(&[QUESTION], &["?!"], &cut), vec![second]),
        (embed(&[&long], &[STOP], &uncut), vec![first]),
        // All others.
        (embed(&[QUESTION], &[], &cut), vec![]),
        (embed(&[QUESTION], &[STOP], &cut), vec![]),
        (twice.unwrap_err(), vec![]),
        (model.embed_texts(&[first, &long]).unwrap_err(), vec![]),
        (model.classify_image(&image, &[]).unwrap_err(), vec![]),
        (model.classify(&vector(30), &[]).unwrap_err(), vec![]),
        (
            model.classify(&vector(30), &vectors[1..]).unwrap_err(),
            vec![],
        ),
        (
            model.classify(&vector(24), &vectors[..1]).unwrap_err(),
            vec![],
        ),
        (scores.unwrap_err(), vec![]),
        (one.calibrated(&[]).unwrap_err(), vec![]),
    ]
}

#[test]
fn of_classes_labels_are_told_where_it_is_said_and_nothing_else() {
    let log = capture();
    let folder = Scratch::of("siglip");
    let tokenizer = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../medgemma-tokenizer/tests/golden/siglip/spiece.model"
    );
    std::fs::copy(tokenizer, folder.file("spiece.model")).unwrap();
    let model = MedSigLip::load(folder.path(), &support::cpu()).unwrap();
    for (error, expected) in failures_of_classes(&model) {
        let told = labels("an error of classes", &in_full(&error));
        assert_eq!(told, expected, "{error}");
    }
    // A label that is its own prompt is told as far as it is long; the picture never.
    let image = Image::open(picture("picture-a.png")).unwrap();
    let [first, second] = LABELS;
    let shout = first.to_uppercase();
    let same = model.classify_image(&image, &[first, &shout]).unwrap_err();
    let text = in_full(&same);
    clean("an error of labels", &text, &[second, &image_bytes(&image)]);
    assert!(text.contains(first) && text.contains(&shout), "{text}");

    // Of the tokenizer's pieces the tiny model has an id for few: the special tokens are among them.
    let prompts: [&[&str]; 2] = [&["<unk>", "<unk><unk><unk>"], &["<unk><unk>"]];
    let classes = [(first, prompts[0]), (second, prompts[1])];
    let classes = model.embed_classes(&classes).unwrap();
    let embedded = model.embed_images(std::slice::from_ref(&image)).unwrap();
    let found = model.classify(&embedded[0], &classes).unwrap();
    assert_eq!(labels("classes", &format!("{classes:?}")), LABELS);
    assert_eq!(
        labels("a score", &format!("{:?}", found.scores()[1])),
        [second]
    );
    let debugged = format!("{found:?}");
    assert_eq!(labels("a classification", &debugged), LABELS);
    assert!(debugged.contains("softmax"), "{debugged}");
    for unsaid in [
        format!("{classes:?} {found:?}"),
        format!("{embedded:?} {model:?} {:?}", model.processor().unwrap()),
    ] {
        clean("classes", &unsaid, &["<unk>", &image_bytes(&image)]);
    }
    let unlabelled = format!("{embedded:?} {model:?}");
    assert!(labels("vectors and a model", &unlabelled).is_empty());

    let logged = log.text();
    assert!(logged.contains("tokenizer read"), "{logged}");
    assert!(labels("the log", &logged).is_empty(), "{logged}");
    clean("the log", &logged, &["<unk>", &image_bytes(&image)]);
}

/// A row of samples as a derived `Debug` would print it.
fn image_bytes(image: &Image) -> String {
    let row = format!("{:?}", &image.as_rgb8()[..8]);
    row.trim_matches(['[', ']']).to_owned()
}
