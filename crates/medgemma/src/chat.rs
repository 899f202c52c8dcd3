//! A conversation: its state, and the stream of one answer.

use std::fmt;
use std::io::Write;
use std::ops::ControlFlow;

use medgemma_gemma3::{DEFAULT_CHUNK, KvCache, Segment};
use medgemma_image::Image;
use medgemma_tokenizer::render_continuation;

use crate::choice::{self, Choice};
use crate::error::{Error, Result};
use crate::history::{ids, images};
use crate::medgemma::{MedGemma, conversation, system_first};
use crate::memory::{Entry, Held, Request};
use crate::message::Message;
use crate::model::Model;
use crate::options::{GenerateOptions, Observer};
use crate::prompt::{Place, Prompt, Shown};
use crate::recording::scoring;
#[cfg(feature = "schemars")]
use crate::reply::Answer;
use crate::reply::{Piece, Reply};
use crate::score::{Score, encode, longest, scored};
use crate::writer::{Context, Writer};

/// The system text that asks a thinking model (27B, 1.5 4B) to reason before it answers.
///
/// Source: MedGemma model card and notebooks; other models ignore or echo it.
pub const THINK: &str = "SYSTEM INSTRUCTION: think silently if needed.";

/// One conversation. It keeps what the model has read, so that a turn reads only what is new.
/// A clone goes its own way from there; what both have read is shared until one of them reads on.
///
/// The model's own words stay in its context exactly as it wrote them, reasoning included.
/// `Debug` tells how long the conversation is, not what was said.
#[derive(Clone)]
pub struct Chat {
    model: MedGemma,
    system: Option<String>,
    thinking: bool,
    /// What was said elsewhere before the first message here.
    earlier: Vec<Message>,
    cache: KvCache,
    /// What the conversation takes of memory, among others.
    entry: Entry,
    /// All that was read or written, of which the cache holds the first `cache.len()` positions.
    history: Vec<Segment>,
}

impl Chat {
    pub(crate) fn new(model: MedGemma) -> Self {
        let cache = model.model().decoder().new_cache();
        let entry = model.model().entry();
        Self {
            model,
            entry,
            system: None,
            thinking: false,
            earlier: Vec::new(),
            cache,
            history: Vec::new(),
        }
    }

    /// Sets the instruction that precedes the first message. MedGemma has no system role: the
    /// template puts it in front of the first user text, and so does this; once the first message
    /// is sent it has no effect.
    #[must_use]
    pub fn with_system(mut self, text: impl Into<String>) -> Self {
        self.system = Some(text.into());
        self
    }

    /// Whether a thinking model is asked to reason first ([`THINK`]), in front of the system text if any; by
    /// default it is not.
    #[must_use]
    pub fn with_thinking(mut self, thinking: bool) -> Self {
        self.thinking = thinking;
        self
    }

    /// Begins with what was said elsewhere: the user's and the model's messages in turn, the user's first; a
    /// system message may stand before them, unless [`with_system`](Self::with_system) gives one. All of it is read
    /// with the first message that is sent, after which this has no effect. The model's words are read as a
    /// text, not by the tokens that it wrote them in.
    #[must_use]
    pub fn with_history(mut self, messages: impl IntoIterator<Item = Message>) -> Self {
        self.earlier = messages.into_iter().collect();
        self
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &MedGemma {
        &self.model
    }

    /// Positions of the context in use.
    #[must_use]
    pub fn context_len(&self) -> usize {
        Segment::total(&self.history)
    }

    /// The ids that sending `message` would add to the context, soft tokens of images included:
    /// how much of it a question takes, before it is asked.
    ///
    /// # Errors
    /// As [`Chat::stream`], for the message.
    pub fn prompt_ids(&self, message: &Message) -> Result<Vec<u32>> {
        Ok(self.prompt(message)?.ids)
    }

    /// Sends a message and waits for the whole answer, with default options.
    ///
    /// # Errors
    /// As [`Chat::stream`], and whatever happens while writing.
    pub fn send(&mut self, message: Message) -> Result<Reply> {
        self.send_with(message, &GenerateOptions::default())
    }

    /// Sends a message and waits for the whole answer.
    ///
    /// # Errors
    /// As [`Chat::send`].
    pub fn send_with(&mut self, message: Message, options: &GenerateOptions) -> Result<Reply> {
        let mut stream = self.stream(message, options)?;
        for piece in &mut stream {
            piece?;
        }
        Ok(stream.into_reply())
    }

    /// Sends a message; the answer comes piece by piece, and dropping the stream stops the work.
    /// What was said until then stays in the conversation.
    ///
    /// # Errors
    /// Before any work, and leaving the conversation as it was: [`crate::Error::Decoder`] when
    /// prompt and answer do not fit into the context or an option is out of range,
    /// [`crate::Error::NotEnoughMemory`] when they go beyond [`LoadOptions::workload`](crate::LoadOptions::workload)
    /// and what is left of memory,
    /// [`crate::Error::TextOnlyModel`], [`crate::Error::Tokenizer`] for one that writes image placeholders into its
    /// text, [`crate::Error::Image`]; for a message that is not the user's [`crate::Error::SystemMessage`] or, the
    /// model's, [`crate::Error::NothingToAnswer`] in the first turn and [`crate::Error::Tokenizer`] later. With
    /// [`with_history`](Self::with_history) also for what was said before, as [`MedGemma::generate`].
    pub fn stream(&mut self, message: Message, options: &GenerateOptions) -> Result<Stream<'_>> {
        self.stream_observed(message, options, Box::new(|_| ControlFlow::Continue(())))
    }

    /// As [`Chat::stream`], telling `observer` of the work before the first token, and of tokens that bring no text.
    ///
    /// # Errors
    /// As [`Chat::stream`].
    pub fn stream_observed<'a>(
        &'a mut self,
        message: Message,
        options: &GenerateOptions,
        observer: Observer<'a>,
    ) -> Result<Stream<'a>> {
        let prompt = self.prompt(&message)?;
        let said = self.context_len();
        forget_unsaid(&self.model, &mut self.cache, said);
        if self.cache.bytes() == 0 {
            let held = self.entry.held();
            self.entry.set(Held { cache: 0, ..held });
        }
        let context = Context {
            unread: Segment::cut(&self.history, self.cache.len()..usize::MAX),
            seen: ids(&self.history),
            entered: self.entry.held(),
            cache: &mut self.cache,
        };
        let writer = Writer::new(&self.model, prompt, context, options, observer)?;
        Ok(Stream {
            writer,
            model: self.model.model(),
            history: &mut self.history,
            earlier: &mut self.earlier,
            entry: &mut self.entry,
            ended: false,
        })
    }

    /// Sends a message and waits for an answer of the type `T`, written by its schema
    /// ([`Schema::of`](crate::Schema::of)), with default options.
    ///
    /// The schema is not shown to the model: say in the message what is wanted.
    ///
    /// # Errors
    /// As [`Chat::ask_with`].
    #[cfg(feature = "schemars")]
    pub fn ask<T>(&mut self, message: Message) -> Result<Answer<T>>
    where
        T: serde::de::DeserializeOwned + schemars::JsonSchema,
    {
        self.ask_with(message, &GenerateOptions::default())
    }

    /// As [`Chat::ask`]. A schema in the options stands in for that of the type.
    ///
    /// # Errors
    /// As [`Chat::send`]; [`crate::Error::Schema`] for a type that no schema can be followed of, and as
    /// [`Reply::parse`]: [`crate::Error::AnswerCutOff`] when `max_new_tokens` were too few. The turn is then part of
    /// the conversation, and its text is not given: who wants it calls [`Chat::send_with`] and [`Reply::parse`].
    #[cfg(feature = "schemars")]
    pub fn ask_with<T>(&mut self, message: Message, options: &GenerateOptions) -> Result<Answer<T>>
    where
        T: serde::de::DeserializeOwned + schemars::JsonSchema,
    {
        let mut options = options.clone();
        if options.schema.is_none() {
            options.schema = Some(crate::Schema::of::<T>()?);
        }
        let reply = self.send_with(message, &options)?;
        let value = reply.parse()?;
        Ok(Answer { value, reply })
    }

    /// How likely the model finds each of `answers` as its reply to `message`, without writing any:
    /// the message is read once, and the conversation stays as it is. A thinking model does not
    /// reason before it.
    ///
    /// What the conversation has read is held twice meanwhile: the message and the answers are read in a copy,
    /// which a [`Workload`](crate::Workload) may count as a conversation.
    ///
    /// # Errors
    /// [`crate::Error::EmptyChoice`], and as [`Chat::stream`], before any work.
    pub fn choose(&self, message: &Message, answers: &[&str]) -> Result<Choice> {
        choice::check(answers)?;
        let prompt = self.prompt(message)?;
        let mut cache = self.cache.clone();
        forget_unsaid(&self.model, &mut cache, self.context_len());
        let unread = Segment::cut(&self.history, cache.len()..usize::MAX);
        let before = cache.len() + Segment::total(&unread);
        let seen = ids(&self.history);
        let ids = encode(&self.model, answers)?;
        let longest = longest(&ids);
        self.model
            .check_context(before, prompt.ids.len(), longest)?;
        let model = self.model.model();
        let (read, shown) = (self.cache.len(), images(&seen));
        let _entry = model.enter(&Request {
            contexts: &[read, before + prompt.ids.len() + longest],
            at_once: 1,
            scored: scored(longest),
            images: shown + prompt.shown(),
            images_held: shown,
            prefill_chunk: DEFAULT_CHUNK,
            cache_bytes: self.cache.bytes(),
            entered: self.entry.held(),
        })?;
        let scores = scoring(self.model.recorder(), prompt, before, answers, |prompt| {
            let (prefixes, mut shown) = (self.model.prefixes(), Shown::default());
            let encoded = prompt.segments(model, prefixes, &mut shown, &mut |_| {
                ControlFlow::Continue(())
            })?;
            let segments = [unread, encoded.unwrap_or_default().segments].concat();
            let scores = model.decoder().score_after(cache, &segments, &ids)?;
            Ok(scores
                .into_iter()
                .map(|token_logprobs| Score { token_logprobs })
                .collect())
        })?;
        Ok(Choice::of(answers, scores))
    }

    /// The text of this turn: the whole template at the start, later what follows the last reply.
    fn prompt(&self, message: &Message) -> Result<Prompt> {
        if !self.history.is_empty() {
            let text = render_continuation(&message.to_turn()?)?;
            let images: Vec<&Image> = message.images().collect();
            return Prompt::new(&self.model, &text, &images, Place::Continuation);
        }
        let (own, earlier) = match &self.system {
            Some(system) => (Some(system.as_str()), self.earlier.as_slice()),
            None => system_first(&self.earlier)?,
        };
        let system = match (self.thinking, own) {
            (false, system) => system.map(str::to_owned),
            (true, None) => Some(THINK.to_owned()),
            (true, Some(system)) => Some(format!("{THINK} {system}")),
        };
        let said: Vec<&Message> = earlier.iter().chain([message]).collect();
        let (text, images) = conversation(system.as_deref(), &said)?;
        Prompt::new(&self.model, &text, &images, Place::Start)
    }
}

/// Drops from the cache what is not among the positions that were `said`.
fn forget_unsaid(model: &MedGemma, cache: &mut KvCache, said: usize) {
    if cache.len() > said && !cache.truncate(said) {
        // An earlier turn was given up while it was being read: what it left is not ours.
        *cache = model.model().decoder().new_cache();
    }
}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chat")
            .field("model", &self.model)
            .field("context_len", &self.context_len())
            .finish_non_exhaustive()
    }
}

/// An answer being written. Iterate over its pieces; drop it to stop.
pub struct Stream<'a> {
    writer: Writer<'a>,
    model: &'a Model,
    history: &'a mut Vec<Segment>,
    earlier: &'a mut Vec<Message>,
    entry: &'a mut Entry,
    ended: bool,
}

impl Stream<'_> {
    /// The reply as far as it has come. Taking it before the end stops the work, with
    /// [`crate::FinishReason::Cancelled`].
    #[must_use]
    pub fn into_reply(mut self) -> Reply {
        self.writer.reply()
    }

    /// Writes the rest of the answer to `out` as it comes, reasoning aside, and [`Reply::footnote`] on a
    /// line below it.
    ///
    /// # Errors
    /// Whatever happens while the answer is written. What there was of it until then stands in `out`, and the
    /// footnote below it all the same. [`Error::Output`] when `out` fails.
    pub fn write_to(mut self, out: &mut dyn Write) -> Result<Reply> {
        let written = self.try_for_each(|piece| {
            let piece = piece?;
            let shown = write!(out, "{piece}").and_then(|()| out.flush());
            shown.map_err(Error::Output)
        });
        let reply = self.into_reply();
        let noted = writeln!(out, "\n{}", reply.footnote()).and_then(|()| out.flush());
        written.and(noted.map_err(Error::Output))?;
        Ok(reply)
    }
}

impl Iterator for Stream<'_> {
    type Item = Result<Piece>;

    /// The next piece; after an error there is nothing more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let piece = self.writer.next().transpose();
        self.ended = !matches!(piece, Some(Ok(_)));
        piece
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        self.writer.give_up();
        self.history.extend(self.writer.turn());
        if !self.history.is_empty() {
            // It is read: its pictures are the caller's again.
            *self.earlier = Vec::new();
        }
        // A turn that was given up while it was read has left rows that no history has.
        let said = Segment::total(self.history);
        let read = said.max(self.writer.read());
        let mut held = self.model.planned_for(read, images(&ids(self.history)));
        // Slots stay with a cache that was cut.
        held.cache = held.cache.max(self.entry.held().cache);
        self.entry.settle(&mut self.writer.entry, held);
    }
}

impl fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
