//! What the facade's tests share: the tiny checkpoints, the goldens' conversations, and a model
//! whose words are known beforehand.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test file compiles this module for itself and uses a part of it"
)]

pub mod captured;

use std::path::Path;
use std::sync::OnceLock;

use medgemma::{
    Chat, Device, GenerateOptions, Image, LoadOptions, MedGemma, Message, Piece, Reply, Result,
    Stream,
};
use medgemma_testkit::{Scratch, Stored, checkpoint, picture};
use serde_json::{Value, json};

/// The CPU.
pub fn cpu() -> Device {
    Device::cpu().expect("the default features compile the cpu backend in")
}

/// `mm-2025` whose projector makes no numbers of an image: it reads text alone.
pub fn blind() -> Scratch {
    let key = "multi_modal_projector.mm_input_projection_weight";
    Scratch::of("mm-2025").edit(|tensors| tensors.map(key, |_| f32::NAN))
}

/// A model from any directory.
pub fn load(dir: &Path) -> MedGemma {
    MedGemma::load(dir, &cpu()).expect("the checkpoint loads")
}

/// `mm-2025`, loaded once.
pub fn model() -> &'static MedGemma {
    static MODEL: OnceLock<MedGemma> = OnceLock::new();
    MODEL.get_or_init(|| load(&checkpoint("mm-2025")))
}

/// `picture-a.png` or `picture-b.png`.
pub fn image(name: &str) -> Image {
    Image::open(picture(name)).expect("a committed picture opens")
}

/// A user's text.
pub fn ask(text: &str) -> Message {
    Message::user().text(text)
}

/// Greedy, exactly this long.
pub fn exactly(tokens: usize) -> GenerateOptions {
    up_to(tokens).with_ignore_stop_ids(true)
}

/// Greedy, at most this long.
pub fn up_to(tokens: usize) -> GenerateOptions {
    GenerateOptions::default().with_max_new_tokens(tokens)
}

/// The answers of a batch, none of which fails.
#[track_caller]
pub fn answers(batch: Result<Vec<Result<Reply>>>) -> Vec<Reply> {
    let batch = batch.expect("the batch is valid").into_iter();
    batch
        .map(|answer| answer.expect("it is answered"))
        .collect()
}

/// Ids of a reply.
pub fn ids(reply: &Reply) -> Vec<u32> {
    reply.tokens.iter().map(|token| token.id).collect()
}

/// Everything that a reply says and counts, without the times, with the log-probabilities apart.
pub fn essence(reply: &Reply) -> (Vec<u32>, String, Option<String>, bool, String) {
    (
        ids(reply),
        reply.text.clone(),
        reply.reasoning.clone(),
        reply.reasoning_cut_off,
        format!("{:?} {:?}", reply.finish, reply.usage),
    )
}

/// What of a reply does not depend on how much of its prompt another conversation of a batch has in common.
pub fn answered(reply: &Reply) -> (Vec<u32>, String, Option<String>, bool, String) {
    let mut whole = reply.clone();
    whole.usage.prompt_tokens += whole.usage.cached_tokens;
    (whole.usage.cached_tokens, whole.usage.image_tokens) = (0, 0);
    essence(&whole)
}

/// Log-probabilities agree to what the goldens allow.
#[track_caller]
pub fn assert_logprobs(a: &Reply, b: &Reply) {
    assert_eq!(a.tokens.len(), b.tokens.len());
    for (a, b) in a.tokens.iter().zip(&b.tokens) {
        assert!((a.logprob - b.logprob).abs() < 1e-4, "{a:?} and {b:?}");
    }
}

/// Drains a stream; the pieces and the reply.
pub fn drain(mut stream: Stream<'_>) -> (Vec<Piece>, Reply) {
    let pieces = stream
        .by_ref()
        .collect::<Result<Vec<_>>>()
        .expect("the tiny model answers");
    (pieces, stream.into_reply())
}

/// A conversation of the goldens, with what the reference made of it.
pub struct GoldenChat {
    /// System text.
    pub system: Option<String>,
    /// The turns.
    pub messages: Vec<Message>,
    /// The file beside the golden.
    pub json: Value,
}

impl GoldenChat {
    /// `chat-one-image`, `chat-two-images` or `chat-text`.
    pub fn named(name: &str) -> Self {
        let text = std::fs::read_to_string(picture(&format!("{name}.json")))
            .expect("a committed file can be read");
        let json: Value = serde_json::from_str(&text).expect("it is JSON");
        let mut files = array(&json["images"]).iter();
        let (mut system, mut messages) = (None, Vec::new());
        for turn in array(&json["conversation"]) {
            if turn["role"] == "system" {
                system = Some(string(&turn["content"][0]["text"]));
                continue;
            }
            let empty = if turn["role"] == "user" {
                Message::user()
            } else {
                Message::assistant()
            };
            let parts = array(&turn["content"]).iter();
            messages.push(parts.fold(empty, |message, part| {
                if part["type"] == "image" {
                    message.image(image(&string(files.next().expect("a file for each image"))))
                } else {
                    message.text(string(&part["text"]))
                }
            }));
        }
        assert!(files.next().is_none(), "{name}: images left over");
        Self {
            system,
            messages,
            json,
        }
    }

    /// A fresh chat on the model with the golden's system text.
    pub fn chat(&self) -> Chat {
        match &self.system {
            Some(system) => model().chat().with_system(system),
            None => model().chat(),
        }
    }

    /// A text of the file.
    pub fn text(&self, key: &str) -> String {
        string(&self.json[key])
    }
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().expect("an array")
}

fn string(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// A text model that says `words` whatever it is asked, token by token, and then ends its turn.
///
/// `text-27b-like` with every layer silenced (sandwich norms of weight −1 multiply by zero) sees
/// its last token only; each token's row of the head is the embedding of the one before it, so that
/// one fits best. Hence every token may stand in `words` once, and not the newline `10` that ends
/// the prompt.
pub fn speaker(words: &[u32]) -> Scratch {
    const WIDTH: usize = 30;
    Scratch::of("text-27b-like").edit(|tensors| {
        let keys: Vec<String> = tensors.keys().map(str::to_owned).collect();
        for key in keys {
            let norm = key.contains("post_attention_layernorm")
                || key.contains("post_feedforward_layernorm");
            if norm {
                tensors.map(&key, |_| -1.0);
            }
        }
        tensors.map("model.norm.weight", |_| 0.0);
        let embedding: Vec<f32> = tensors
            .get("model.embed_tokens.weight")
            .expect("the checkpoint has an embedding")
            .to_f32();
        let mut head = vec![0.0; embedding.len()];
        let mut before = 10_usize;
        for &word in words.iter().chain(&[9]) {
            let word = usize::try_from(word).expect("an id is small");
            let row = &embedding[before * WIDTH..][..WIDTH];
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            let target = &mut head[word * WIDTH..][..WIDTH];
            assert!(target.iter().all(|&x| x == 0.0), "{word} stands twice");
            for (to, from) in target.iter_mut().zip(row) {
                *to = 10.0 * from / length;
            }
            before = word;
        }
        let rows = embedding.len() / WIDTH;
        tensors.insert("lm_head.weight", Stored::from_f32(&[rows, WIDTH], &head));
    })
}

/// `mm-2025` with a head of its own that is the embedding without the rows of special tokens and
/// bytes: its words are ordinary ones, so that a reply can be encoded back to the ids it came from.
pub fn literate() -> &'static MedGemma {
    static MODEL: OnceLock<MedGemma> = OnceLock::new();
    MODEL.get_or_init(|| literate_with(LoadOptions::default()))
}

/// The same, loaded otherwise.
pub fn literate_with(options: LoadOptions<'_>) -> MedGemma {
    const FIRST_WORD: usize = 272;
    const AFTER_LAST_WORD: usize = 429;
    let scratch = Scratch::of("mm-2025").edit(|tensors| {
        let embedding = tensors
            .get("language_model.model.embed_tokens.weight")
            .expect("the checkpoint has an embedding");
        let (width, mut head) = (embedding.shape[1], embedding.to_f32());
        head[..FIRST_WORD * width].fill(0.0);
        head[AFTER_LAST_WORD * width..].fill(0.0);
        let head = Stored::from_f32(&embedding.shape.clone(), &head);
        tensors.insert("language_model.lm_head.weight", head);
    });
    let scratch = scratch.edit_json("config.json", |config| {
        config["tie_word_embeddings"] = json!(false);
    });
    MedGemma::load_with(scratch.path(), &cpu(), options).expect("the checkpoint loads")
}

/// `mm-2025` whose generation config ends answers at these ids.
pub fn stopping_at(ids: &[u32]) -> Scratch {
    Scratch::of("mm-2025").edit_json("generation_config.json", |config| {
        config["eos_token_id"] = json!(ids);
    })
}
