//! Errors of the facade: those of the crates below, and what only the whole can notice.

mod kind;

use std::path::PathBuf;
use std::sync::Arc;

use medgemma_tensor::Error as TensorError;
use medgemma_tokenizer::SiglipNormalization;

use crate::memory::{MemoryPlan, megabytes};
use crate::reply::FinishReason;

pub use self::kind::ErrorKind;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong; [`kind`](Self::kind) tells whose concern it is. No message carries prompts, pixels or answers; labels of classes, which may
/// be their own prompts, are in those that say which two cannot be told apart ([`SameText`](Self::SameText)), or whose
/// prompt cannot be used ([`EmptyPrompt`](Self::EmptyPrompt), [`PromptTooLong`](Self::PromptTooLong)).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A model directory, its configuration, a checkpoint or a device.
    #[error(transparent)]
    Tensor(#[from] medgemma_tensor::Error),
    /// A prompt or an option of the decoder.
    #[error(transparent)]
    Decoder(#[from] medgemma_gemma3::Error),
    /// The vision tower, or a dual encoder: pixels or token ids that it does not take.
    #[error(transparent)]
    Vision(#[from] medgemma_siglip::Error),
    /// The multimodal projector.
    #[error(transparent)]
    Projector(#[from] medgemma_projector::Error),
    /// The tokenizer, a conversation, or image placeholders in a text.
    #[error(transparent)]
    Tokenizer(#[from] medgemma_tokenizer::Error),
    /// A text was given to a dual encoder that was loaded without a tokenizer: what is wrong with its files.
    #[error(transparent)]
    NoTokenizer(Arc<medgemma_tokenizer::Error>),
    /// A picture was given to a dual encoder that was loaded without an image processor: what is wrong with its files.
    #[error(transparent)]
    NoProcessor(Arc<medgemma_image::Error>),
    /// An image file or its processing.
    #[error(transparent)]
    Image(#[from] medgemma_image::Error),
    /// What an answer was to be written to takes nothing more.
    #[error("cannot write the answer out: {0}")]
    Output(#[source] std::io::Error),
    /// The audit log cannot be written, so that nothing is answered.
    #[error(transparent)]
    Audit(#[from] medgemma_audit::Error),
    /// An image was given to a model without a vision tower.
    #[error("{images} image(s) given, but the model in {} is text only: load a multimodal checkpoint such as medgemma-4b-it", dir.display())]
    TextOnlyModel {
        /// Directory of the model.
        dir: PathBuf,
        /// Images in the prompt.
        images: usize,
    },
    /// Soft tokens in a prompt's ids do not match the images given.
    #[error(
        "the prompt has {soft_tokens} soft tokens at position {position}, expected a multiple of {tokens_per_image} and one image for each {tokens_per_image}; {images} image(s) are left"
    )]
    SoftTokens {
        /// Where the run of soft tokens begins.
        position: usize,
        /// Its length.
        soft_tokens: usize,
        /// Soft tokens of one image.
        tokens_per_image: usize,
        /// Images not yet placed when the run was met.
        images: usize,
    },
    /// More images than the prompt has places for.
    #[error("{images} image(s) more than the prompt has places for: put one placeholder for each")]
    SurplusImages {
        /// Images without a place.
        images: usize,
    },
    /// The checkpoint's processor and its model disagree on what an image takes in a prompt.
    #[error("{}: image_seq_length is {found}, but config.json says mm_tokens_per_image {expected}: correct the file that is another model's, or give prompts as ids to `Model`", dir.display())]
    ImageSeqLength {
        /// Directory of the model.
        dir: PathBuf,
        /// `mm_tokens_per_image`.
        expected: usize,
        /// `image_seq_length`.
        found: usize,
    },
    /// Something else than a model stands at the path to load.
    #[error("{} is neither a model directory nor a GGUF file: name one of these", path.display())]
    NotAModel {
        /// The path as given.
        path: PathBuf,
    },
    /// A directory holds several files of which one is wanted.
    #[error("{} holds several {what} ({}): name {hint}", dir.display(), found.join(", "))]
    SeveralFiles {
        /// The directory.
        dir: PathBuf,
        /// What the files are.
        what: &'static str,
        /// Their names.
        found: Vec<String>,
        /// What can be named, and how.
        hint: &'static str,
    },
    /// A directory holds an adapter, which changes a model, and not the model.
    #[error("{} holds an adapter ({file}) and no model: merge the adapter into the model that it was trained on (`merge_and_unload` of peft, `llama-export-lora` of llama.cpp), and load the result", dir.display())]
    AdapterAlone {
        /// The directory.
        dir: PathBuf,
        /// The adapter's name.
        file: String,
    },
    /// A GGUF file holds text model and vision part in one.
    #[error("{} has its vision part inside ({found}), as Ollama packs it, expected the text model alone: take the two files that llama.cpp's converter makes of the model, the text model and its vision part (mmproj)", path.display())]
    VisionInside {
        /// The file.
        path: PathBuf,
        /// A key or tensor of the vision part.
        found: String,
    },
    /// The only vision part beside a GGUF model is none of its own.
    #[error("{reason}; the file was taken for the vision part since it lies beside {}: name another by `with_mmproj`, or none by `without_mmproj`", path.display())]
    MmprojBeside {
        /// The path of the model.
        path: PathBuf,
        /// Why it cannot be the model's.
        reason: Box<TensorError>,
    },
    /// A vision part was named for a model that is not in GGUF.
    #[error("{} was named as vision part (mmproj), but {} is no GGUF model: load a GGUF file, or leave it out", mmproj.display(), path.display())]
    MmprojWithoutGguf {
        /// The path of the model.
        path: PathBuf,
        /// The vision part.
        mmproj: PathBuf,
    },
    /// A model and what it is wanted for do not fit into memory, when it is loaded or, beyond the workload that
    /// it was loaded for, when it is asked.
    #[error("{} needs {plan}; {} MB may be used: {}choose a smaller workload (in a request a shorter prompt, a lower max_new_tokens, fewer conversations at once, for MedSigLIP smaller pictures), for MedGemma a smaller precision (int8, int4; matrices that a file holds in blocks stay as they are), or set memory_limit", path.display(), megabytes(*available), if *busy { "ask again once other conversations have ended, or " } else { "" })]
    NotEnoughMemory {
        /// The path of the model.
        path: PathBuf,
        /// What is needed.
        plan: MemoryPlan,
        /// Bytes that may be used.
        available: u64,
        /// Whether the request would fit, were it not for what the model's other conversations hold.
        busy: bool,
    },
    /// The folder that encoded images are to be kept in cannot be used.
    #[error("{}: cannot make this folder for the vision cache ({source}); name one that may be written, or none", path.display())]
    VisionCacheFolder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The messages to continue do not end with the user's.
    #[error("the last message is {found}: end the conversation with a user message")]
    NothingToAnswer {
        /// Whose it is.
        found: &'static str,
    },
    /// A system message where there is no place for one.
    #[error(
        "a system message stands only at the beginning of a conversation: move it there, or give it to a chat by with_system"
    )]
    SystemMessage,
    /// A system message with something else than one text.
    #[error(
        "a system message has {images} image(s) and {texts} texts, expected one text: put the others into a user message"
    )]
    SystemParts {
        /// Images in it.
        images: usize,
        /// Texts in it.
        texts: usize,
    },
    /// A vector that cannot be brought to unit length.
    #[error(
        "an embedding has {found}, expected a vector with a direction: check where it comes from; if the model made it, the pixels given to it are not finite, or its weights are damaged"
    )]
    NoDirection {
        /// What is wrong with it.
        found: &'static str,
    },
    /// Embeddings of different models were put together.
    #[error(
        "an embedding has {found} numbers, expected {expected}: compare only what one model embedded"
    )]
    EmbeddingWidth {
        /// The width of the model's, or of the first.
        expected: usize,
        /// Its width.
        found: usize,
    },
    /// Nothing to classify into.
    #[error("there are no classes: give at least one")]
    NoClasses,
    /// A class that nothing describes.
    #[error("class {class} has no prompts: give it at least one")]
    NoPrompts {
        /// Which class, counted from 0.
        class: usize,
    },
    /// Two classes of one name: each would take a share of the softmax from the other.
    #[error(
        "class {second} has the label of class {first}: give each class once, with all its prompts"
    )]
    DuplicateLabel {
        /// Which class has it first, counted from 0.
        first: usize,
        /// Which has it again.
        second: usize,
    },
    /// Two classes whose prompts are the same texts to the model, though spelt otherwise: each picture would be
    /// as much of one as of the other.
    #[error(
        "class {second}, `{second_label}`, is to the model the same as class {first}, `{first_label}`: its tokenizer makes the same ids of their prompts, since case,{} punctuation, characters that it does not know and what is cut off tell nothing apart; {}",
        if *normalization == SiglipNormalization::TokenizerJson { " most" } else { "" },
        other_words(*normalization)
    )]
    SameText {
        /// Which class has them first, counted from 0.
        first: usize,
        /// Its label.
        first_label: String,
        /// Which has them again.
        second: usize,
        /// Its label.
        second_label: String,
        /// The normalisation that made them one.
        normalization: SiglipNormalization,
    },
    /// A prompt of a class is the empty text to the model, as one of punctuation alone is.
    #[error(
        "a prompt of class {class}, `{label}`, is empty to the model: its tokenizer leaves nothing of it; {}",
        other_words(*normalization)
    )]
    EmptyPrompt {
        /// Which class, counted from 0.
        class: usize,
        /// Its label.
        label: String,
        /// The normalisation that left nothing.
        normalization: SiglipNormalization,
    },
    /// A prompt of a class has more tokens than the model reads.
    #[error(
        "prompt {prompt} of class {class}, `{label}`, has {found} tokens with its end, more than the {limit} that the model reads: shorten it, or ask for truncation with `SiglipTextOptions::with_truncate`"
    )]
    PromptTooLong {
        /// Which class, counted from 0.
        class: usize,
        /// Its label, the first 80 characters.
        label: String,
        /// Which of its prompts, counted from 0.
        prompt: usize,
        /// Tokens that the model reads.
        limit: usize,
        /// Tokens of the prompt, its end counted.
        found: usize,
    },
    /// A text has more tokens than the model reads.
    #[error(
        "text {index} of {count}, counted from 0, has {found} tokens with its end, more than the {limit} that the model reads: shorten it, or ask for truncation with `SiglipTextOptions::with_truncate`"
    )]
    TextTooLong {
        /// Which text, counted from 0.
        index: usize,
        /// How many were given.
        count: usize,
        /// Tokens that the model reads.
        limit: usize,
        /// Tokens of the text, its end counted.
        found: usize,
    },
    /// One of several pictures cannot be embedded.
    #[error("image {index} of {count}, counted from 0, cannot be embedded; leave it out: {source}")]
    OneOfImages {
        /// Which picture, counted from 0.
        index: usize,
        /// How many were given.
        count: usize,
        /// What is wrong with it.
        #[source]
        source: Box<Error>,
    },
    /// An option of loading that a model without a tokenizer has no use for.
    #[error(
        "`LoadOptions::{option}` is set, which `Model::load` has no use for: load with `MedGemma::load_with`, or leave it out"
    )]
    NotForModel {
        /// The field.
        option: &'static str,
    },
    /// One of several conversations cannot be answered.
    #[error("conversation {index} of {count}, counted from 0: {source}")]
    OneOfConversations {
        /// Which conversation, counted from 0.
        index: usize,
        /// How many were given.
        count: usize,
        /// What is wrong with it.
        #[source]
        source: Box<Error>,
    },
    /// Two lists that belong together differ in length.
    #[error("there are {found} {what}, expected {expected}: give one for each")]
    UnequalLengths {
        /// What the second list holds.
        what: &'static str,
        /// The length of the first.
        expected: usize,
        /// Its own.
        found: usize,
    },
    /// A logit is infinite or no number.
    #[error("the logit of class {class} is not finite: the weights or the calibration are damaged")]
    NonFiniteScore {
        /// Which class, counted from 0.
        class: usize,
    },
    /// A name that no probability has.
    #[error("argument `probability`: expected one of {expected}, found `{found}`")]
    ProbabilityName {
        /// The names there are.
        expected: String,
        /// The name given, its first 80 characters.
        found: String,
    },
    /// Held-out labels, or numbers, that no calibration can be made of.
    #[error(
        "a calibration needs {expected}, found {found}: hold out other pictures, or leave the calibration out"
    )]
    Calibration {
        /// What would do.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// An answer was to be parsed that ended before its time.
    #[error("the answer was cut off{} after {tokens} tokens ({finish:?}): {}", if *reasoning { " while it was reasoning" } else { "" }, to_the_end(*finish))]
    AnswerCutOff {
        /// Why it ended.
        finish: FinishReason,
        /// Tokens that were written.
        tokens: usize,
        /// Whether the answer proper had not begun.
        reasoning: bool,
    },
    /// An answer was to be parsed that is no JSON.
    #[error("the answer is no JSON at line {line}, column {column}: give the options a schema")]
    NotJson {
        /// Line in the answer, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// An answer is JSON, but not of the type that was asked for.
    #[error(
        "the answer at line {line}, column {column} does not fit into {wanted}: give the options the schema of that type, and bounds to its numbers"
    )]
    OtherType {
        /// Line in the answer, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
        /// The type.
        wanted: &'static str,
    },
    /// An answer is JSON in which an object has a name twice: one of the values would be lost.
    #[error(
        "an object of the answer has a name twice, the second time at line {line}, column {column}: name the properties in the schema"
    )]
    RepeatedName {
        /// Line in the answer, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// A schema that no answer can be written by.
    #[error("the JSON schema cannot be used: {reason}")]
    Schema {
        /// What is wrong with it, or what of it is not supported.
        reason: String,
    },
    /// Choices that cannot be scored.
    #[error("choice {index} of {count} is empty: give at least one choice, and a text to each")]
    EmptyChoice {
        /// Which, counted from 0.
        index: usize,
        /// How many were given.
        count: usize,
    },
}

/// What to do for a whole answer, where one ended so.
fn to_the_end(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Length => {
            "raise max_new_tokens, or bound the strings and arrays of the schema"
        }
        FinishReason::Cancelled => {
            "the caller or an error stopped it: see to the error, or read the stream to its end"
        }
        FinishReason::StopString => "choose stop strings that no reasoning has",
        FinishReason::Stop | FinishReason::Complete => {
            "the model ended its turn before it answered: ask again in other words"
        }
    }
}

/// What to do where a normalisation leaves too little of a prompt.
fn other_words(normalization: SiglipNormalization) -> &'static str {
    match normalization {
        SiglipNormalization::TokenizerJson => {
            "say it in words, as `below` for a sign: of punctuation this normalisation keeps `/`, `<` and `>` alone"
        }
        _ => {
            "say it in words, as `below` for `<`, or choose the normalisation `tokenizer-json`, which keeps `/`, `<` and `>`"
        }
    }
}
