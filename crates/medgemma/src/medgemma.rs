//! The model as an application uses it: messages in, replies out.

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use medgemma_gemma3::GenerateOptions as DecoderOptions;
use medgemma_image::Image;
use medgemma_tensor::Device;
use medgemma_tokenizer::{ConfiguredIds, SpecialTokens, Tokenizer, render};

use crate::batch::{BatchEvent, BatchObserver, BatchRequest};
use crate::chat::Chat;
use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::files::Files;
use crate::loading;
use crate::memory::Held;
use crate::message::Message;
use crate::model::Model;
use crate::options::{GenerateOptions, LoadOptions, Observer};
use crate::prefix::PrefixCache;
use crate::prompt::{Place, Prompt, stop_ids};
use crate::recording::{Recorder, load_names};
use crate::reply::{Piece, Reply};
use crate::writer::{Context, Writer};

/// What an observer that stops nothing says.
const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

/// A MedGemma (or Gemma 3) model with its tokenizer. Cheap to clone, immutable, `Send + Sync`:
/// load it once, and give each conversation a [`Chat`].
///
/// Its answers are drafts of a language model and **not for clinical use** without independent
/// verification by a qualified person.
#[derive(Clone)]
pub struct MedGemma {
    model: Model,
    files: Arc<[PathBuf]>,
    text: Arc<Text>,
    prefixes: Option<Arc<PrefixCache>>,
    recorder: Option<Arc<Recorder>>,
}

struct Text {
    tokenizer: Tokenizer,
    special: SpecialTokens,
    stop_ids: Vec<u32>,
    #[cfg(feature = "structured")]
    vocabulary: crate::grammar::Vocabulary,
}

impl fmt::Debug for MedGemma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MedGemma")
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl MedGemma {
    /// Loads a Hugging Face model directory, as published, or a GGUF file onto a device.
    ///
    /// Of a GGUF model, the vision part is taken from the only file beside it with `mmproj` in its name
    /// (another may be named by [`LoadOptions::with_mmproj`]; see [`Mmproj::Beside`](crate::Mmproj::Beside)
    /// for folders), and the tokenizer from a `tokenizer.json` beside it, which must spell texts by the same
    /// ids as the file's own vocabulary, else from the file itself.
    ///
    /// # Errors
    /// As [`Model::load`]; [`Error::Tokenizer`] for the tokenizer, also for one of another model.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::load_with(path, device, LoadOptions::default())
    }

    /// As [`MedGemma::load`], with a progress observer and choices of image processing.
    ///
    /// # Errors
    /// As [`MedGemma::load`]; [`Error::Audit`] if there is an audit log that cannot be written.
    pub fn load_with(
        path: impl AsRef<Path>,
        device: &Device,
        mut options: LoadOptions<'_>,
    ) -> Result<Self> {
        let path = path.as_ref();
        let (audit, (precision, kv_cache)) = (options.audit.take(), load_names(&options));
        let files = Files::find(path, &options)?;
        let tokenizer = files.tokenizer()?;
        let special = SpecialTokens::of(&tokenizer)?;
        let listed = files.listed()?;
        // Before the weights, which take a while.
        let config = files.config()?;
        special.check(&configured_ids(&config))?;
        // A GGUF file says both in one breath, and has been held against a tokenizer beside it.
        if matches!(files, Files::Directory(_)) {
            let ends = &config.generation.eos_token_ids;
            if let Some(id) = special.check_ends(&tokenizer, ends)? {
                tracing::warn!(id, "a piece of text ends an answer by `eos_token_id`");
            }
        }
        let rows = config.text.vocab_size;
        if let Some(id) = special.check_rows(&tokenizer, rows)? {
            tracing::warn!(
                id,
                rows,
                "a token without a row in the embedding: prompts with it are refused"
            );
        }
        let prefix_cache = options.prefix_cache;
        let model = Model::new(loading::load(path, files, config, device, options)?);
        let stop_ids = stop_ids(&model, &special);
        let soft_token = model.config().multimodal.as_ref().map(|m| m.image_token_id);
        let prefixes = prefix_cache.map(|bytes| Arc::new(PrefixCache::new(bytes, soft_token)));
        let mut loaded = Self {
            prefixes,
            model,
            files: listed.into(),
            text: Arc::new(Text {
                tokenizer,
                special,
                stop_ids,
                #[cfg(feature = "structured")]
                vocabulary: crate::grammar::Vocabulary::default(),
            }),
            recorder: None,
        };
        if let Some(audit) = audit {
            let checksum = loaded.checksum()?;
            let recorder = Recorder::new(audit, checksum, &loaded.model, precision, kv_cache)?;
            loaded.recorder = Some(Arc::new(recorder));
        }
        Ok(loaded)
    }

    /// The files that decide what the model computes.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The part below: ids and pixels in, logits out.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.text.tokenizer
    }

    /// The ids of the special tokens, from the checkpoint.
    #[must_use]
    pub fn special(&self) -> &SpecialTokens {
        &self.text.special
    }

    /// Forgets what [`LoadOptions::prefix_cache`] made the model keep. Chats go on undisturbed.
    pub fn clear_prefix_cache(&self) {
        if let Some(prefixes) = &self.prefixes {
            prefixes.clear();
        }
    }

    /// Bytes that [`LoadOptions::prefix_cache`] takes at present, room in its memory that nothing is in
    /// included.
    #[must_use]
    pub fn prefix_cache_bytes(&self) -> usize {
        self.prefixes
            .as_ref()
            .map_or(0, |prefixes| prefixes.bytes())
    }

    pub(crate) fn prefixes(&self) -> Option<&PrefixCache> {
        self.prefixes.as_deref()
    }

    /// What records the model's work, if anything does.
    pub(crate) fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_deref()
    }

    /// A new conversation. Many chats share one model; each owns what it has read.
    #[must_use]
    pub fn chat(&self) -> Chat {
        Chat::new(self.clone())
    }

    /// Answers a whole conversation at once, without state.
    ///
    /// # Errors
    /// [`Error::NothingToAnswer`] unless the last message is the user's,
    /// [`Error::SystemMessage`] for one that is not the first, [`Error::SystemParts`] for one with more than a text,
    /// and as [`Chat::send`]: [`Error::NotEnoughMemory`] for one beyond [`LoadOptions::workload`] and memory.
    pub fn generate(&self, messages: &[Message], options: &GenerateOptions) -> Result<Reply> {
        let (system, messages) = system_first(messages)?;
        let (text, images) = conversation(system, &messages.iter().collect::<Vec<_>>())?;
        self.continue_text(&text, &images, options, Box::new(|_| GO_ON), |_| GO_ON)
    }

    /// Continues a bare text, without the chat template: for base models such as medgemma-4b-pt.
    /// Each `<start_of_image>` in it is the place of one of `images`; `<bos>` is added.
    ///
    /// # Errors
    /// As [`Chat::send`]; [`Error::Tokenizer`] when images and places differ in number.
    pub fn complete(
        &self,
        text: &str,
        images: &[Image],
        options: &GenerateOptions,
    ) -> Result<Reply> {
        self.complete_observed(text, images, options, |_| GO_ON)
    }

    /// As [`MedGemma::complete`], telling `observer` of the work where there is no text to show
    /// ([`BatchEvent::Progress`]) and of each piece of text as it is written ([`BatchEvent::Piece`]). With
    /// [`ControlFlow::Break`] the text ends there, [`FinishReason::Cancelled`](crate::FinishReason::Cancelled).
    ///
    /// # Errors
    /// As [`MedGemma::complete`].
    pub fn complete_observed(
        &self,
        text: &str,
        images: &[Image],
        options: &GenerateOptions,
        observer: impl FnMut(BatchEvent<'_>) -> ControlFlow<()> + Send,
    ) -> Result<Reply> {
        // Told by the writer while it reads, and by the loop around it: never by both at once.
        let told = Mutex::new((observer, false));
        let tell = |event: BatchEvent<'_>| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            let (observer, ended) = &mut *told;
            // Who has ended the text wants nothing more of it but the reply.
            if !*ended {
                *ended = observer(event).is_break();
            }
            if *ended {
                ControlFlow::Break(())
            } else {
                GO_ON
            }
        };
        let progress = Box::new(|progress| tell(BatchEvent::Progress(progress)));
        let images: Vec<&Image> = images.iter().collect();
        self.continue_text(text, &images, options, progress, |piece| {
            tell(BatchEvent::Piece(piece))
        })
    }

    /// Answers several conversations side by side; each weight is read once a step for all of
    /// them. No answer depends on what the others are about. Each equals that of the conversation alone, but for
    /// rounding ([`Decoder::generate_batch`](medgemma_gemma3::Decoder::generate_batch) tells where).
    ///
    /// An answer that fails is an error in its place, and the others are given all the same. An image that
    /// several conversations show is encoded once, where a prefix cache, if there is one, has room for it; what one begins
    /// with as another does, such as an image with several questions, is read once, as long as the decoder's windows reach
    /// back to where they part ([`Usage::cached_tokens`](crate::Usage::cached_tokens) tells). Each answer is sampled by the
    /// same seed: for several to one question, see [`MedGemma::generate_batch_observed`].
    ///
    /// # Errors
    /// [`Error::OneOfConversations`] for what [`MedGemma::generate`] refuses in any of them, before any work;
    /// [`Error::NotEnoughMemory`] for all of them together; and those of a device that fails.
    pub fn generate_batch(
        &self,
        conversations: &[Vec<Message>],
        options: &GenerateOptions,
    ) -> Result<Vec<Result<Reply>>> {
        let requests = conversations.iter();
        let requests: Vec<_> = requests
            .map(|messages| BatchRequest { messages, options })
            .collect();
        self.generate_batch_observed(&requests, &mut |_, _| ControlFlow::Continue(()))
    }

    /// As [`MedGemma::generate_batch`], with options for each conversation, telling `observer` of the work on
    /// each, piece by piece: it may end any of them.
    ///
    /// # Errors
    /// As [`MedGemma::generate_batch`].
    pub fn generate_batch_observed(
        &self,
        requests: &[BatchRequest<'_>],
        observer: &mut BatchObserver<'_>,
    ) -> Result<Vec<Result<Reply>>> {
        crate::batch::generate(self, requests, observer)
    }

    /// The log-probability of every token of each possible answer to `messages`, for choosing
    /// among given ones without generating.
    ///
    /// # Errors
    /// [`Error::EmptyChoice`], and as [`MedGemma::generate`], before any work.
    pub fn score(&self, messages: &[Message], answers: &[&str]) -> Result<Vec<crate::Score>> {
        crate::score::score(self, messages, answers)
    }

    /// The ids that [`MedGemma::generate`] reads for these messages, soft tokens of images
    /// included: how much of the context a question takes, before it is asked.
    ///
    /// # Errors
    /// As [`MedGemma::generate`], for the messages.
    pub fn prompt_ids(&self, messages: &[Message]) -> Result<Vec<u32>> {
        Ok(self.prompt(messages)?.ids)
    }

    /// A conversation as the decoder's ids and pixels.
    pub(crate) fn prompt(&self, messages: &[Message]) -> Result<Prompt> {
        let (system, messages) = system_first(messages)?;
        let (text, images) = conversation(system, &messages.iter().collect::<Vec<_>>())?;
        Prompt::new(self, &text, &images, Place::Start)
    }

    /// The decoder's options for these.
    pub(crate) fn decoder_options(&self, options: &GenerateOptions) -> Result<DecoderOptions> {
        options.sampling.validate()?;
        let mut decoder = DecoderOptions::default();
        decoder.max_new_tokens = options.max_new_tokens;
        decoder.sampling = options.sampling.clone();
        decoder.prefill_chunk = options.prefill_chunk;
        decoder.speculation = options.speculation;
        if !options.ignore_stop_ids {
            decoder.stop_ids.clone_from(&self.text.stop_ids);
        }
        #[cfg(feature = "structured")]
        if let Some(schema) = &options.schema {
            only_the_schema_ends_it(options)?;
            decoder.constraint = Some(self.constraint(schema)?);
        }
        Ok(decoder)
    }

    /// A schema as the decoder follows it, for callers of [`Model::decoder`] and the like: the form
    /// of [`medgemma_gemma3::GenerateOptions::constraint`]. The first one takes a second or two
    /// more, for a tree of the vocabulary that later ones share.
    ///
    /// # Errors
    /// [`Error::Schema`] for one that is too large for a parser.
    #[cfg(feature = "structured")]
    pub fn constraint(
        &self,
        schema: &crate::Schema,
    ) -> Result<Arc<dyn medgemma_gemma3::Constraint>> {
        Ok(Arc::new(self.text.vocabulary.constraint(
            schema,
            &self.text.tokenizer,
            &self.text.special,
            &self.text.stop_ids,
            self.model.config().text.vocab_size,
        )?))
    }

    /// Refuses a prompt that does not fit, before its images are encoded.
    pub(crate) fn check_context(
        &self,
        cached: usize,
        prompt: usize,
        max_new_tokens: usize,
    ) -> Result<()> {
        let text = &self.model.config().text;
        Ok(text.check_context(cached, prompt, max_new_tokens)?)
    }

    fn continue_text(
        &self,
        text: &str,
        images: &[&Image],
        options: &GenerateOptions,
        observer: Observer<'_>,
        mut written: impl FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Reply> {
        let prompt = Prompt::new(self, text, images, Place::Start)?;
        let mut cache = self.model.decoder().new_cache();
        let context = Context {
            cache: &mut cache,
            unread: Vec::new(),
            seen: Vec::new(),
            entered: Held::default(),
        };
        let mut writer = Writer::new(self, prompt, context, options, observer)?;
        while let Some(piece) = writer.next()? {
            if written(piece).is_break() {
                break;
            }
        }
        Ok(writer.reply())
    }
}

/// Refuses what would end an answer within its JSON, or keep it from ending behind it.
#[cfg(feature = "structured")]
fn only_the_schema_ends_it(options: &GenerateOptions) -> Result<()> {
    let (option, found, expected) = if !options.stop_strings.is_empty() {
        (
            "stop_strings",
            "set",
            "none beside a schema: they would cut JSON",
        )
    } else if options.ignore_stop_ids {
        ("ignore_stop_ids", "true", "false beside a schema")
    } else {
        return Ok(());
    };
    Err(medgemma_gemma3::Error::InvalidOption {
        option,
        found: found.to_owned(),
        expected,
    }
    .into())
}

/// The text of a system message in front of a conversation, and the messages after it.
pub(crate) fn system_first(messages: &[Message]) -> Result<(Option<&str>, &[Message])> {
    match messages {
        [first, rest @ ..] if first.is_system() => Ok((Some(first.system_text()?), rest)),
        _ => Ok((None, messages)),
    }
}

/// The text of a conversation up to the model's turn, and its images.
pub(crate) fn conversation<'a>(
    system: Option<&str>,
    messages: &[&'a Message],
) -> Result<(String, Vec<&'a Image>)> {
    let turns = messages
        .iter()
        .map(|message| message.to_turn())
        .collect::<Result<Vec<_>>>()?;
    // What stands in a wrong place is told first, by `to_turn`.
    let found = match messages.last() {
        Some(last) if last.is_user() => None,
        Some(_) => Some("the model's"),
        None => system.map(|_| "a system message"),
    };
    if let Some(found) = found {
        return Err(Error::NothingToAnswer { found });
    }
    Ok((
        render(system, &turns, true)?,
        messages
            .iter()
            .flat_map(|message| message.images())
            .collect(),
    ))
}

/// Ids in the configuration that the tokenizer must agree with.
fn configured_ids(config: &ModelConfig) -> ConfiguredIds {
    let multimodal = config.multimodal.as_ref();
    ConfiguredIds {
        bos_token_id: config.text.bos_token_id,
        boi_token_index: multimodal.map(|m| m.boi_token_id),
        eoi_token_index: multimodal.map(|m| m.eoi_token_id),
        image_token_index: multimodal.map(|m| m.image_token_id),
    }
}
