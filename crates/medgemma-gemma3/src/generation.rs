//! The step loop: prefill once, then choose and read one token at a time, or several that were
//! guessed right.

mod batch;
mod writer;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use medgemma_tensor::vec_from;

pub use batch::{BatchEvent, BatchObserver, BatchPrompt, Beginning, Generated};

use self::writer::Writer;
use crate::cache::KvCache;
use crate::constraint::Constraint;
use crate::error::Result;
use crate::model::{DEFAULT_CHUNK, Decoder};
use crate::sampling::{Sampling, Token};
use crate::segment::Segment;
use crate::speculation::{Drafter, Speculation};

/// How a sequence is continued. `Debug` counts what was seen: ids are words.
#[derive(Clone)]
#[non_exhaustive]
pub struct GenerateOptions {
    /// Tokens after which writing stops; prompt and answer must fit into the context together.
    pub max_new_tokens: usize,
    /// How each token is chosen; greedy by default.
    pub sampling: Sampling,
    /// Ids that end the answer, from `generation_config.json`; none by default.
    pub stop_ids: Vec<u32>,
    /// Ids read earlier in the conversation, for the repetition penalty and for speculation. One that the
    /// vocabulary lacks, `u32::MAX` for instance, stands for an image: no guess reaches over it.
    pub seen: Vec<u32>,
    /// Rows of one prefill pass.
    pub prefill_chunk: usize,
    /// Whether tokens are drafted ahead; off by default. Drafts that a constraint does not allow
    /// are wrong guesses, no more.
    pub speculation: Speculation,
    /// The form that the answer must have; none by default. Each prompt of a batch has a state of
    /// its own.
    pub constraint: Option<Arc<dyn Constraint>>,
}

impl fmt::Debug for GenerateOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenerateOptions")
            .field("max_new_tokens", &self.max_new_tokens)
            .field("sampling", &self.sampling)
            .field("stop_ids", &self.stop_ids)
            .field("seen", &self.seen.len())
            .field("prefill_chunk", &self.prefill_chunk)
            .field("speculation", &self.speculation)
            .field("constraint", &self.constraint)
            .finish()
    }
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            max_new_tokens: 512,
            sampling: Sampling::default(),
            stop_ids: Vec::new(),
            seen: Vec::new(),
            prefill_chunk: DEFAULT_CHUNK,
            speculation: Speculation::Off,
            constraint: None,
        }
    }
}

impl GenerateOptions {
    /// Sets [`max_new_tokens`](Self::max_new_tokens).
    #[must_use]
    pub fn with_max_new_tokens(mut self, max_new_tokens: usize) -> Self {
        self.max_new_tokens = max_new_tokens;
        self
    }

    /// Sets [`sampling`](Self::sampling).
    #[must_use]
    pub fn with_sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// Sets [`stop_ids`](Self::stop_ids).
    #[must_use]
    pub fn with_stop_ids(mut self, stop_ids: impl Into<Vec<u32>>) -> Self {
        self.stop_ids = stop_ids.into();
        self
    }

    /// Sets [`seen`](Self::seen).
    #[must_use]
    pub fn with_seen(mut self, seen: impl Into<Vec<u32>>) -> Self {
        self.seen = seen.into();
        self
    }

    /// Sets [`prefill_chunk`](Self::prefill_chunk).
    #[must_use]
    pub fn with_prefill_chunk(mut self, prefill_chunk: usize) -> Self {
        self.prefill_chunk = prefill_chunk;
        self
    }

    /// Sets [`speculation`](Self::speculation).
    #[must_use]
    pub fn with_speculation(mut self, speculation: Speculation) -> Self {
        self.speculation = speculation;
        self
    }

    /// Sets [`constraint`](Self::constraint).
    #[must_use]
    pub fn with_constraint(mut self, constraint: Arc<dyn Constraint>) -> Self {
        self.constraint = Some(constraint);
        self
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Finish {
    /// The model chose this token, one of the stop ids; it is not part of the answer.
    Stop(Token),
    /// The answer fulfils its [`Constraint`], and nothing could follow.
    Complete,
    /// `max_new_tokens` were written.
    Length,
    /// The caller's progress function or observer asked to stop.
    Cancelled,
}

/// Told (rows done, rows in all) during prefill; returning `false` stops.
pub type Progress<'a> = Box<dyn FnMut(usize, usize) -> bool + Send + 'a>;

/// A sequence being continued, one token for each `next()`. Dropping it stops the work; the cache
/// then holds what was read until there: everything but the last token.
pub struct Generation<'a> {
    decoder: &'a Decoder,
    cache: &'a mut KvCache,
    writer: Writer,
    /// The prompt, until it is read.
    prompt: Vec<Segment>,
    /// What was written last; it is read with the next step.
    last: Option<u32>,
    chunk: usize,
    progress: Progress<'a>,
    drafter: Option<Drafter>,
    /// Tokens that follow the last one and were verified with it. The slots behind the end of the
    /// cache hold what all but the last of them need: it only has to be counted as read.
    verified: VecDeque<Token>,
    drafts: Drafts,
}

impl Generation<'_> {
    /// Why it ended; `None` while it goes on.
    #[must_use]
    pub fn finish(&self) -> Option<Finish> {
        self.writer.finish
    }

    /// How guessing went so far; nothing with [`Speculation::Off`].
    #[must_use]
    pub fn drafts(&self) -> Drafts {
        self.drafts
    }

    /// What was read: after the first token the prompt, later all but the last token.
    #[must_use]
    pub fn cache(&self) -> &KvCache {
        self.cache
    }

    fn step(&mut self) -> Result<Option<Token>> {
        // The writer knows of tokens that were verified ahead; they are still to be given out.
        if self.verified.is_empty() && self.writer.at_limit() {
            return Ok(None);
        }
        let token = match self.verified.pop_front() {
            Some(token) => {
                self.cache.advance(1);
                token
            }
            None => match self.read()? {
                Some(token) => token,
                None => return Ok(None),
            },
        };
        let token = self.writer.write(token);
        if let Some(token) = token {
            self.last = Some(token.id);
            if let Some(drafter) = &mut self.drafter {
                drafter.push(token.id);
            }
        }
        Ok(token)
    }

    /// Reads the prompt, later the last token and a draft along with it; chooses the next token.
    fn read(&mut self) -> Result<Option<Token>> {
        let unread = match self.last {
            None => std::mem::take(&mut self.prompt),
            Some(last) => {
                let most = self.writer.remaining - 1;
                let draft = self.drafter.as_ref().map(|drafter| drafter.draft(most));
                if let Some(draft) = draft.filter(|draft| !draft.is_empty())
                    && let Some(token) = self.verify(last, &draft)?
                {
                    return Ok(Some(token));
                }
                vec![Segment::Tokens(vec![last])]
            }
        };
        let logits = self
            .decoder
            .prefill(&unread, self.cache, self.chunk, &mut self.progress)?;
        let Some(logits) = logits else {
            self.writer.finish = Some(Finish::Cancelled);
            return Ok(None);
        };
        self.progress = Box::new(|_, _| true);
        let logits = vec_from(logits, "logits")?;
        self.writer.choose(&logits, self.cache.len()).map(Some)
    }

    /// Reads the last token and a draft of the next ones in one pass. Each row chooses the token
    /// after it, which counts as long as all before it were guessed right.
    ///
    /// `None`, and nothing is read, when not even the first row is finite: what is hidden from a row
    /// is still multiplied by 0, so that a guess that is not finite spoils the rows before it.
    fn verify(&mut self, last: u32, draft: &[u32]) -> Result<Option<Token>> {
        let position = self.cache.len() + 1;
        let rows = [&[last], draft].concat();
        let logits = vec_from(self.decoder.read_each(&rows, self.cache)?, "logits")?;
        assert!(
            self.cache.truncate(position),
            "the rows of a draft can be taken back"
        );
        let mut logits = logits.chunks_exact(logits.len() / rows.len());
        let row = logits.next().expect("there is a row for the last token");
        let Ok(first) = self.writer.choose(row, position) else {
            assert!(
                self.cache.truncate(position - 1),
                "the rows of a draft can be taken back"
            );
            self.judge(draft.len(), 0);
            return Ok(None);
        };
        let mut id = first.id;
        for (row, &guess) in logits.zip(draft) {
            if guess != id || self.writer.stops(id) || self.writer.complete() {
                break;
            }
            // Numbers that are not finite are met again, and told, when their row is read alone.
            let Ok(token) = self.writer.choose(row, position) else {
                break;
            };
            id = token.id;
            self.verified.push_back(token);
        }
        self.judge(draft.len(), self.verified.len());
        Ok(Some(first))
    }

    /// Takes note that of `drafted` tokens the first `accepted` were right.
    fn judge(&mut self, drafted: usize, accepted: usize) {
        self.drafts.proposed += drafted;
        self.drafts.accepted += accepted;
        if let Some(drafter) = &mut self.drafter {
            drafter.judge(drafted, accepted);
        }
    }
}

impl Iterator for Generation<'_> {
    type Item = Result<Token>;

    /// The next token, or `None` at the end. After an error there is nothing more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.writer.ended() {
            return None;
        }
        let step = self.step();
        self.writer.failed = step.is_err();
        step.transpose()
    }
}

/// Tokens that were guessed, and verified with the token before them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drafts {
    /// Guessed, each a row of a pass.
    pub proposed: usize,
    /// Of these right, each a pass less.
    pub accepted: usize,
}

impl Decoder {
    /// Continues `prompt`, which follows what `cache` has read. Nothing is computed before the
    /// first `next()`.
    ///
    /// # Errors
    /// As [`Decoder::prefill`], and when prompt and `max_new_tokens` exceed the context or an
    /// option is out of range: all before any work.
    pub fn generate<'a>(
        &'a self,
        prompt: Vec<Segment>,
        cache: &'a mut KvCache,
        options: &GenerateOptions,
        progress: Progress<'a>,
    ) -> Result<Generation<'a>> {
        self.check_prompt(&prompt, cache, options.max_new_tokens)?;
        let writer = Writer::new(&prompt, options, self.config.vocab_size)?;
        Ok(Generation {
            decoder: self,
            cache,
            writer,
            drafter: self.drafter(&prompt, options),
            verified: VecDeque::new(),
            drafts: Drafts::default(),
            prompt,
            last: None,
            chunk: options.prefill_chunk,
            progress,
        })
    }

    /// Where guesses come from, if there are to be any.
    fn drafter(&self, prompt: &[Segment], options: &GenerateOptions) -> Option<Drafter> {
        let wanted = options.speculation == Speculation::PromptLookup;
        (wanted && options.sampling.is_argmax())
            .then(|| Drafter::reading(&options.seen, prompt, self.config.vocab_size))
    }
}
