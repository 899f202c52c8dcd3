//! MedGemma in Rust: image and question in, streamed report out, nothing leaves the machine.
//!
//! **Not for clinical use.** Answers are drafts of a language model; a qualified person must verify
//! them independently. Every [`Reply`] carries that statement ([`NOTICE`]), also as JSON.
//!
//! ```
//! use medgemma::{Device, Image, MedGemma, Message};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../medgemma-testkit/checkpoints/mm-2025");
//! # let chest = concat!(env!("CARGO_MANIFEST_DIR"), "/../medgemma-testkit/golden/data/picture-a.png");
//! let model = MedGemma::load(weights, &Device::best_available()?)?; // a Hugging Face directory
//! let xray = Image::open(chest)?;
//! let mut chat = model.chat().with_system("You are an expert radiologist.");
//! # let options = medgemma::GenerateOptions::default().with_max_new_tokens(16);
//! # let _ = |mut chat: medgemma::Chat, xray: Image| -> medgemma::Result<()> {
//! let reply = chat.send(Message::user().image(xray).text("Describe the findings."))?;
//! println!("{reply}\n\n{}", reply.footnote()); // whether it was cut off, and the notice
//! # Ok(()) };
//! # let reply = chat.send_with(Message::user().image(xray).text("Describe."), &options)?;
//! # assert_eq!(reply.usage.reply_tokens, 16);
//! # Ok(())
//! # }
//! ```
//!
//! # Streaming
//! An answer is a plain iterator; dropping it stops the work.
//!
//! ```
//! # use medgemma::{Device, GenerateOptions, Image, MedGemma, Message};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../medgemma-testkit/checkpoints/mm-2025");
//! # let model = MedGemma::load(weights, &Device::cpu()?)?;
//! let options = GenerateOptions::default().with_max_new_tokens(40); // greedy: reproducible
//! let mut chat = model.chat();
//! let mut stream = chat.stream(Message::user().text("Summarise for the patient."), &options)?;
//! # let mut printed = String::new();
//! for piece in &mut stream {
//!     let piece = piece?; // whole characters; reasoning prints as nothing
//! #   printed.push_str(&piece.to_string());
//!     print!("{piece}");
//! }
//! let reply = stream.into_reply();
//! # assert_eq!(printed, reply.text);
//! println!("\n{}\n{:?}", reply.footnote(), reply.usage);
//! # Ok(())
//! # }
//! ```
//!
//! # A second turn
//! A [`Chat`] keeps what the model has read: a turn reads only what is new.
//!
//! ```
//! # use medgemma::{Device, GenerateOptions, MedGemma, Message};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../medgemma-testkit/checkpoints/mm-2025");
//! # let model = MedGemma::load(weights, &Device::cpu()?)?;
//! # let options = GenerateOptions::default().with_max_new_tokens(8);
//! let mut chat = model.chat();
//! let first = chat.send_with(Message::user().text("What is a pneumothorax?"), &options)?;
//! let second = chat.send_with(Message::user().text("And how is it seen?"), &options)?;
//! assert!(second.usage.cached_tokens >= first.usage.prompt_tokens);
//! # Ok(())
//! # }
//! ```
//!
//! # Several conversations at once, and given answers
//! ```
//! # use medgemma::{Device, GenerateOptions, MedGemma, Message};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../medgemma-testkit/checkpoints/mm-2025");
//! # let model = MedGemma::load(weights, &Device::cpu()?)?;
//! # let options = GenerateOptions::default().with_max_new_tokens(8);
//! let question = |text: &str| vec![Message::user().text(text)];
//! let replies = model.generate_batch(&[question("Is it normal?"), question("Which side?")], &options)?;
//! for reply in replies {
//!     println!("{}", reply?); // one that fails leaves the others
//! }
//!
//! let scores = model.score(&question("Is the heart enlarged? (yes/no)"), &["yes", "no"])?;
//! println!("yes {:.3}, no {:.3}", scores[0].mean(), scores[1].mean()); // log-probabilities
//! # assert!(scores.iter().all(|score| score.total() < 0.0));
//! # Ok(())
//! # }
//! ```
//!
//! # Pictures and texts in one space
//! MedSigLIP, or any other SigLIP 1 model: what belongs together has vectors that point alike.
//!
//! ```
//! use medgemma::{Device, Image, MedSigLip, Probability};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/zero-shot/model");
//! # let chest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/report/images/chest.png");
//! let model = MedSigLip::load(weights, &Device::best_available()?)?;
//! let found = model.classify_image(&Image::open(chest)?, &["a chest X-ray", "a photograph"])?;
//! print!("{found}"); // per class: logit, sigmoid, softmax
//! if let Some(best) = found.decide(Probability::Softmax, 0.9) {
//!     println!("{}", best.label);
//! }
//!
//! // Several prompts to a class, and classes for many pictures.
//! let classes = [
//!     ("chest", &["a chest X-ray", "a radiograph of the thorax"][..]),
//!     ("other", &["a photograph"][..]),
//! ];
//! let classes = model.embed_classes(&classes)?;
//! for image in model.embed_images(&[Image::open(chest)?])? {
//!     assert_eq!(model.classify(&image, &classes)?.best().label, "chest");
//! }
//! # assert_eq!(found.best().label, "a chest X-ray");
//! # Ok(())
//! # }
//! ```
//!
//! # What it does
//! | You want | Use |
//! |---|---|
//! | a model from a directory or a GGUF file | [`MedGemma::load`], with progress, precision and image options [`MedGemma::load_with`] |
//! | a conversation | [`MedGemma::chat`], [`Chat::send`], [`Chat::stream`] |
//! | an answer shown as it comes, with all that belongs below it | [`Stream::write_to`], [`Reply::footnote`] |
//! | one answer without state | [`MedGemma::generate`]; for base models [`MedGemma::complete`] |
//! | many answers | [`MedGemma::generate_batch`]; as they come, with options for each, [`MedGemma::generate_batch_observed`] |
//! | the likelihood of given answers | [`MedGemma::score`] |
//! | one of several given answers | [`Chat::choose`], [`Choice`] |
//! | an answer as JSON, or as a value of a Rust type | feature `structured`: `Schema`, `GenerateOptions::with_schema`, [`Reply::parse`]; feature `schemars`: `Chat::ask` |
//! | boxes, laboratory tables, sections of a report | the crate `medgemma-answers`, which takes what the model wrote |
//! | reasoning apart from the answer | [`Chat::with_thinking`], [`Reply::reasoning`], [`Piece`] |
//! | sampling, limits, stop strings | [`GenerateOptions`], [`Sampling`] |
//! | an answer that repeats its input, faster | [`Speculation`] |
//! | long conversations in less memory | [`LoadOptions::with_kv_cache`] |
//! | a conversation that began elsewhere | [`Chat::with_history`] |
//! | conversations that begin alike | [`LoadOptions::with_prefix_cache`]; a [`Chat`] can be cloned |
//! | a second question about the same images | [`LoadOptions::with_vision_cache`] |
//! | progress and cancelling before the first token | [`Chat::stream_observed`], [`Progress`] |
//! | ids and pixels in, logits out | [`Model`] |
//! | the memory that a model will take | [`Model::plan`], [`Workload`]; from a configuration alone [`MemoryPlan::new`] |
//! | fewer processors | [`cpu::set_threads`], one setting for the whole process |
//! | pictures and texts as vectors of one space | [`MedSigLip::load`], [`Embedding`] |
//! | many of them, watched, stopped, each with a result of its own | [`MedSigLip::embed_each_image`], [`MedSigLip::embed_each_text`] |
//! | a picture sorted into named classes | [`MedSigLip::classify_image`]; with prompts to each class, or many pictures, [`MedSigLip::embed_classes`] and [`MedSigLip::classify`]; [`Classification`], [`Calibration`] |
//! | the same model known again | [`MedSigLip::checksum`], [`MedGemma::checksum`] |
//! | embeddings that may be compared | [`MedSigLip::embedding_id`] |
//! | labels of your own, learnt from embeddings | the crate `medgemma-probe`, which takes [`Embedding`]s as rows |
//! | the classes and prompts that MedSigLIP was evaluated with | [`classes`] |
//! | a log of what was asked and answered that cannot be changed unnoticed | [`audit`], [`LoadOptions::with_audit`] |
//! | an error as the answer of a server | [`Error::kind`] |
//! | which models | all that [`PRESETS`] lists, and others of that architecture by their config |
//! | which devices | [`Device`]: Cargo features `cpu` (default), `ndarray`, `wgpu`, `cuda` |
//!
//! # Privacy
//! No network, and no file is written unasked. The library reads no environment variable, and no files but those
//! named, what lies beside them, and what Linux tells of memory under `/proc` and `/sys/fs/cgroup`. The runtimes below have
//! settings of their own: burn's threads on the CPU look at `RAYON_NUM_THREADS`, its runtimes for wgpu and cuda at
//! variables such as `CUBECL_DEBUG_LOG`, at `cubecl.toml` and at `burn.toml`, which can make them write a log. Logs
//! (`tracing`) carry counts, sizes, times, ids of tokens that a model's files name, names of devices, configuration keys and
//! matrices, and paths of files with what is wrong there: name no folder after a patient. `Debug` of messages, chats and
//! replies holds lengths, errors name files, keys and figures. None has a prompt, a pixel or an answer. Labels of classes
//! are the exception: `Debug` of a [`Class`], a [`ClassScore`] and a [`Classification`] prints them, the latter two with their
//! figures, and so do the errors of two classes that cannot be told apart and of a class whose prompt cannot be used. Logs
//! do not. `docs/safety.md` of the repository says all of it, `docs/architecture.md` has the list of events;
//! `tests/privacy.rs` holds the library to it.
//!
//! # Where things are
//! `medgemma.rs` the model as an application uses it · `chat.rs` conversations and streams ·
//! `history.rs` what was said, by position · `writer.rs` one answer being written · `transcript.rs` ids to text · `prompt.rs` messages to
//! ids and pixels · `prefix.rs` what conversations share ·
//! `vision_cache.rs` encoded images, kept · `batch.rs` batches · `score.rs` given answers · `model.rs` weights without a tokenizer · `loading.rs` how they come from files ·
//! `config.rs` `config.json` and presets · `files.rs` what lies at a path · `gguf.rs` GGUF's metadata as
//! a configuration · `schema.rs` and `grammar.rs` answers by a schema · `choice.rs` given answers compared ·
//! `repeated.rs` names that JSON has twice ·
//! `message.rs`, `options.rs`, `reply.rs`, `error.rs` the
//! data that goes in and out · `medsiglip.rs` pictures and texts as vectors, with `embedding.rs`,
//! `classification.rs`, `probability.rs`, `calibration.rs` · `classes.rs` published classes and prompts · `audit.rs` what is
//! recorded, by `recording.rs` · `memory.rs` what
//! either model needs · `checksum.rs` what tells one model from another.

pub mod audit;
mod batch;
mod calibration;
mod chat;
mod checksum;
mod choice;
pub mod classes;
mod classification;
mod config;
mod embedding;
mod error;
mod files;
mod gguf;
#[cfg(feature = "structured")]
mod grammar;
mod history;
mod loading;
mod medgemma;
mod medsiglip;
mod memory;
mod message;
mod model;
mod options;
mod prefix;
mod probability;
mod prompt;
mod recording;
mod repeated;
mod reply;
#[cfg(feature = "structured")]
mod schema;
mod score;
mod transcript;
mod vision_cache;
mod writer;

// The public interface is:
pub use batch::{BatchEvent, BatchObserver, BatchRequest};
pub use calibration::Calibration;
pub use chat::{Chat, Stream, THINK};
pub use choice::{Choice, ChoiceScore};
pub use classification::{Class, ClassScore, Classification};
pub use config::{GenerationConfig, ModelConfig, MultimodalConfig, PRESETS, Preset};
pub use embedding::Embedding;
pub use error::{Error, ErrorKind, Result};
pub use medgemma::MedGemma;
pub use medgemma_tensor::checkpoint::LoadObserver;
pub use medsiglip::{MedSigLip, SiglipOptions};
pub use memory::{MemoryPlan, SiglipWorkload, Workload, available as available_memory};
pub use message::{Message, Part, Role};
pub use model::{Model, SoftTokens};
pub use options::{GenerateOptions, LoadOptions, Mmproj, Observer, Progress};
pub use probability::Probability;
pub use reply::{Answer, FinishReason, NOTICE, Piece, Reply, Timings, Usage};
#[cfg(feature = "structured")]
pub use schema::Schema;
pub use score::Score;
pub use vision_cache::{VisionCache, VisionCacheUse};
// and from the crates below:
pub use medgemma_gemma3::{Constraint, Decoder, Sampling, Segment, Speculation, TextConfig, Token};
pub use medgemma_image::{
    Alpha, Crop, DecodeOptions, FewBits, Image, ImageBackend, ImageProcessor, Limits, PanAndScan,
    Pixels, Processed, Resize, Resizer,
};
pub use medgemma_siglip::{DualEncoder, SiglipConfig, VisionConfig};
pub use medgemma_tensor::checkpoint::{LoadReport, Precision};
pub use medgemma_tensor::{Backend, Device, FloatFormat, KvPrecision, cpu};
pub use medgemma_tokenizer::{SiglipNormalization, SiglipTextOptions, SpecialTokens, Tokenizer};
// what variants of `Error` hold, by names of their own; that of the audit log is `audit::Error`:
pub use medgemma_gemma3::Error as DecoderError;
pub use medgemma_image::Error as ImageError;
pub use medgemma_projector::Error as ProjectorError;
pub use medgemma_siglip::Error as VisionError;
pub use medgemma_tensor::Error as TensorError;
pub use medgemma_tokenizer::Error as TokenizerError;
