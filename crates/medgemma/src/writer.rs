//! One answer being written: images encoded, prompt read, tokens chosen, text cut into pieces.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use medgemma_gemma3::{GenerateOptions as DecoderOptions, Generation, KvCache, Segment, Token};

use crate::error::{Error, Result};
use crate::history::{ids, images};
use crate::medgemma::MedGemma;
use crate::memory::{Entry, Held, Request};
use crate::model::Model;
use crate::options::{GenerateOptions, Observer, Progress};
use crate::prefix::{Picture, Start};
use crate::prompt::{Prompt, Shown};
use crate::recording::{Pending, Recorder};
use crate::reply::{FinishReason, NOTICE, Piece, Reply, Timings, Usage, log, reason};
use crate::transcript::Transcript;

/// The conversation that an answer continues.
pub(crate) struct Context<'a> {
    /// What was read.
    pub(crate) cache: &'a mut KvCache,
    /// What was said but not read yet: the last token of the last reply.
    pub(crate) unread: Vec<Segment>,
    /// What the conversation has said so far, as [`ids`] has it, for the repetition penalty and for guessing.
    pub(crate) seen: Vec<u32>,
    /// What was entered for the conversation.
    pub(crate) entered: Held,
}

impl Context<'_> {
    /// Tokens that are read before the prompt, though they count with it.
    fn unread_tokens(&self) -> usize {
        Segment::total(&self.unread)
    }

    /// Refuses an answer to `prompt` that there is no memory for. What was entered for the conversation is part
    /// of what the answer takes, not added to it.
    fn enter(&self, model: &Model, prompt: &Prompt, options: &GenerateOptions) -> Result<Entry> {
        let tokens = self.unread_tokens() + prompt.ids.len();
        let shown = images(&self.seen);
        model.enter(&Request {
            contexts: &[self.cache.len() + tokens + options.max_new_tokens],
            at_once: 1,
            scored: 0,
            images: shown + prompt.shown(),
            images_held: shown,
            prefill_chunk: options.prefill_chunk,
            cache_bytes: self.cache.bytes(),
            entered: self.entered,
        })
    }
}

/// The state of an answer.
pub(crate) struct Writer<'a> {
    model: &'a MedGemma,
    stage: Stage<'a>,
    /// Told by what reads the prompt and, later, here: never by both at once.
    observer: Arc<Mutex<Observer<'a>>>,
    options: DecoderOptions,
    transcript: Transcript,
    ready: VecDeque<Piece>,
    /// What broke the answer off, until it is told.
    failed: Option<Error>,
    tokens: Vec<Token>,
    usage: Usage,
    timings: Timings,
    finish: Option<FinishReason>,
    /// Read before the prompt.
    unread: Vec<Segment>,
    /// Positions of the prompt that another conversation had read.
    adopted: usize,
    /// What is to be kept for other conversations.
    keep: Option<Keep>,
    /// What was recorded of it, and is to be completed.
    pending: Option<Pending>,
    /// What the prompt became, for the conversation's history; empty until its images are encoded.
    pub(crate) prompt: Vec<Segment>,
    /// What the answer takes of memory, until it is dropped.
    pub(crate) entry: Entry,
}

/// What the prefix cache wants of a conversation's first prompt.
struct Keep {
    ids: Vec<u32>,
    pictures: Vec<Arc<Picture>>,
    /// Keep what was read until there, besides the whole.
    boundary: Option<usize>,
}

/// What has been done; each stage owns what the next one needs.
#[allow(
    clippy::large_enum_variant,
    reason = "there is one value of it for each answer"
)]
enum Stage<'a> {
    Waiting {
        prompt: Prompt,
        cache: &'a mut KvCache,
    },
    Running(Generation<'a>),
    Ended,
}

impl<'a> Writer<'a> {
    /// Refuses what does not fit into the context, before any work.
    pub(crate) fn new(
        model: &'a MedGemma,
        mut prompt: Prompt,
        context: Context<'a>,
        options: &GenerateOptions,
        observer: Observer<'a>,
    ) -> Result<Self> {
        let read = context.cache.len() + context.unread_tokens();
        let tokens = context.unread_tokens() + prompt.ids.len();
        model.check_context(context.cache.len(), tokens, options.max_new_tokens)?;
        let entry = context.enter(model.model(), &prompt, options)?;
        let Context {
            cache,
            unread,
            seen,
            ..
        } = context;
        let mut decoder_options = model.decoder_options(options)?;
        decoder_options.seen = seen;
        let transcript = Transcript::new(model.tokenizer(), model.special(), options)?;
        let start = match model.prefixes().filter(|_| read == 0) {
            Some(prefixes) => {
                prompt.recall(model.model(), prefixes)?;
                Some(prefixes.start(&prompt.ids, prompt.known()))
            }
            None => None,
        };
        // From here on there is work.
        let request = |recorder: &Recorder| recorder.request(&prompt, read, options, &[]);
        let pending = model.recorder().map(request).transpose()?;
        let (adopted, keep) = start.map(|start| adopt(start, cache)).unzip();
        let adopted = adopted.unwrap_or(0);
        let usage = Usage {
            cached_tokens: cache.len(),
            prompt_tokens: tokens - adopted,
            image_tokens: model.model().image_tokens(&prompt.ids[adopted..]),
            ..Usage::default()
        };
        Ok(Self {
            model,
            transcript,
            stage: Stage::Waiting { prompt, cache },
            observer: Arc::new(Mutex::new(observer)),
            options: decoder_options,
            ready: VecDeque::new(),
            failed: None,
            tokens: Vec::new(),
            usage,
            timings: Timings::default(),
            finish: None,
            unread,
            adopted,
            keep,
            pending,
            prompt: Vec::new(),
            entry,
        })
    }

    /// The next piece of text, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self.finish.is_some() {
                return Ok(None);
            }
            let advanced = self.advance();
            if let Err(error) = self.recorded(advanced) {
                self.stage = Stage::Ended;
                self.finish = Some(FinishReason::Cancelled);
                if matches!(error, Error::Audit(_)) {
                    self.ready.clear();
                    return Err(error);
                }
                // What was held back was written, and comes before the error.
                self.ready.extend(self.transcript.finish());
                self.failed = Some(error);
            }
        }
    }

    /// What came of a step, after it was recorded if it was the last: an answer whose record cannot be
    /// written is not handed out whole.
    fn recorded(&mut self, advanced: Result<()>) -> Result<()> {
        let Some(recorder) = self.model.recorder() else {
            return advanced;
        };
        if advanced.is_ok() && self.finish.is_none() {
            return Ok(());
        }
        let Some(pending) = self.pending.take() else {
            return advanced;
        };
        recorder.failures(std::slice::from_ref(&pending), advanced)?;
        recorder.reply(&pending, &self.made())
    }

    /// One step: the images, or one token.
    fn advance(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Waiting { prompt, cache } => {
                let (model, prefixes) = (self.model.model(), self.model.prefixes());
                let mut shown = Shown::default();
                let observer = Arc::clone(&self.observer);
                let mut tell = |progress| tell(&observer, progress);
                match prompt.segments(model, prefixes, &mut shown, &mut tell)? {
                    Some(encoded) => {
                        self.timings.images = encoded.elapsed;
                        self.prompt = encoded.segments;
                        if let Some(keep) = &mut self.keep {
                            keep.ids = encoded.ids;
                            keep.pictures = encoded.pictures;
                        }
                        match self.generation(cache)? {
                            Some(generation) => self.stage = Stage::Running(generation),
                            None => self.end(FinishReason::Cancelled),
                        }
                    }
                    None => self.end(FinishReason::Cancelled),
                }
            }
            Stage::Running(mut generation) => {
                let begun = Instant::now();
                let token = generation.next().transpose()?;
                self.note_time(begun.elapsed());
                self.usage.drafted_tokens = generation.drafts().proposed;
                self.usage.accepted_tokens = generation.drafts().accepted;
                if let Some(keep) = self.keep.take()
                    && generation.cache().len() == keep.ids.len()
                {
                    self.keep(&keep, generation.cache().clone());
                }
                match token {
                    Some(token) => {
                        self.take(token);
                        // The caller, who has a say after each piece, may wait long for one.
                        let tokens = self.tokens.len();
                        if self.ready.is_empty()
                            && self.finish.is_none()
                            && tell(&self.observer, Progress::Written { tokens }).is_break()
                        {
                            self.end(FinishReason::Cancelled);
                        }
                    }
                    None => self.end(generation.finish().map_or(FinishReason::Cancelled, reason)),
                }
                if self.finish.is_none() {
                    self.stage = Stage::Running(generation);
                }
            }
            Stage::Ended => self.end(FinishReason::Cancelled),
        }
        Ok(())
    }

    /// Ready to read what is new of the prompt; `None` when `observer` stopped it.
    fn generation(&mut self, cache: &'a mut KvCache) -> Result<Option<Generation<'a>>> {
        let observer = Arc::clone(&self.observer);
        let total = self.usage.prompt_tokens;
        let mut read = 0;
        if let Some(boundary) = self.keep.as_ref().and_then(|keep| keep.boundary) {
            let begun = Instant::now();
            let shared = Segment::cut(&self.prompt, self.adopted..boundary);
            let chunk = self.options.prefill_chunk;
            let mut progress =
                |done, _: usize| tell(&observer, Progress::Prefill { done, total }).is_continue();
            let decoder = self.model.model().decoder();
            let logits = decoder.prefill(&shared, cache, chunk, &mut progress)?;
            self.timings.prefill = begun.elapsed();
            if logits.is_none() {
                return Ok(None);
            }
            if let Some(keep) = &self.keep {
                self.keep(keep, cache.clone());
            }
            read = boundary - self.adopted;
        }
        let progress = move |done: usize, _: usize| {
            let done = done + read;
            tell(&observer, Progress::Prefill { done, total }).is_continue()
        };
        let read = self.adopted + read;
        // What was read apart is part of the text all the same: penalties and guesses go by all of it.
        self.options
            .seen
            .extend(ids(&Segment::cut(&self.prompt, 0..read)));
        let unread = std::mem::take(&mut self.unread);
        let rest = Segment::cut(&self.prompt, read..usize::MAX);
        Ok(Some(self.model.model().decoder().generate(
            [unread, rest].concat(),
            cache,
            &self.options,
            Box::new(progress),
        )?))
    }

    /// Keeps what was read for conversations that begin alike.
    fn keep(&self, keep: &Keep, read: KvCache) {
        if let Some(prefixes) = self.model.prefixes() {
            prefixes.keep(&keep.ids, &keep.pictures, read);
        }
    }

    /// The first step reads the prompt, the others write.
    fn note_time(&mut self, elapsed: Duration) {
        if self.tokens.is_empty() {
            self.timings.prefill += elapsed;
        } else {
            self.timings.decode += elapsed;
        }
    }

    fn take(&mut self, token: Token) {
        self.tokens.push(token);
        self.usage.reply_tokens = self.tokens.len();
        self.ready.extend(self.transcript.push(token.id));
        if self.transcript.stopped() {
            self.end(FinishReason::StopString);
        }
    }

    fn end(&mut self, reason: FinishReason) {
        self.ready.extend(self.transcript.finish());
        // What was held back until the end can complete a stop string, too.
        let reason = if self.transcript.stopped() {
            FinishReason::StopString
        } else {
            reason
        };
        self.finish = Some(reason);
        log(&self.usage, &self.timings, reason);
    }

    /// The turn for the conversation's history, prompt and what was written; empty when the model
    /// never came to answer, so that the turn can be asked again.
    pub(crate) fn turn(&self) -> Vec<Segment> {
        let answered = !self.tokens.is_empty()
            || matches!(self.finish, Some(FinishReason::Stop | FinishReason::Length));
        if !answered {
            return Vec::new();
        }
        let written = Segment::Tokens(self.tokens.iter().map(|token| token.id).collect());
        [self.prompt.as_slice(), &[written]].concat()
    }

    /// Positions that the cache holds at most.
    pub(crate) fn read(&self) -> usize {
        let began = !self.prompt.is_empty();
        let new = self.usage.prompt_tokens + self.tokens.len();
        self.usage.cached_tokens + if began { new } else { 0 }
    }

    /// The reply as it stands; what was held back is given out first.
    pub(crate) fn reply(&mut self) -> Reply {
        self.give_up();
        self.made()
    }

    /// Ends the answer, if it has not ended. There is nobody to return an error to; the audit log has a
    /// request without a reply then, and refuses the next.
    pub(crate) fn give_up(&mut self) {
        if self.finish.is_some() {
            return;
        }
        self.stage = Stage::Ended;
        self.end(FinishReason::Cancelled);
        if let Err(error) = self.recorded(Ok(())) {
            tracing::error!(%error, "an answer was given up, and that could not be recorded");
        }
    }

    fn made(&self) -> Reply {
        Reply {
            text: self.transcript.text.clone(),
            reasoning: self.transcript.reasoning.clone(),
            reasoning_cut_off: self.transcript.in_thought(),
            finish: self.finish.unwrap_or(FinishReason::Cancelled),
            usage: self.usage,
            timings: self.timings,
            tokens: self.tokens.clone(),
            not_for_clinical_use: true,
            notice: NOTICE,
        }
    }
}

/// Goes on from where another conversation has read the beginning of the prompt: positions that are taken over
/// into `cache`, and what is to be kept of this one.
fn adopt(start: Start, cache: &mut KvCache) -> (usize, Keep) {
    let adopted = start.cache.as_ref().map_or(0, KvCache::len);
    if let Some(read) = start.cache {
        *cache = read;
    }
    let keep = Keep {
        ids: Vec::new(),
        pictures: Vec::new(),
        boundary: start.boundary,
    };
    (adopted, keep)
}

/// Tells the observer, who may stop the work.
fn tell(observer: &Mutex<Observer<'_>>, progress: Progress) -> ControlFlow<()> {
    let mut observer = observer.lock().unwrap_or_else(PoisonError::into_inner);
    observer(progress)
}
