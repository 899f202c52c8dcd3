//! The step loop: prefill once, then choose and read one token at a time, or several that were
//! guessed right.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use medgemma_tensor::vec_from;

use crate::cache::KvCache;
use crate::constraint::{Constraint, Form};
use crate::error::Result;
use crate::model::{DEFAULT_CHUNK, Decoder};
use crate::sampling::{Sampler, Sampling, Token};
use crate::segment::Segment;
use crate::speculation::{Drafter, Speculation};

/// How a sequence is continued.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GenerateOptions {
    /// Tokens after which writing stops; prompt and answer must fit into the context together.
    pub max_new_tokens: usize,
    /// How each token is chosen; greedy by default.
    pub sampling: Sampling,
    /// Ids that end the answer, from `generation_config.json`; none by default.
    pub stop_ids: Vec<u32>,
    /// Ids read earlier in the conversation, for the repetition penalty and for speculation.
    pub seen: Vec<u32>,
    /// Rows of one prefill pass.
    pub chunk: usize,
    /// Whether tokens are drafted ahead; off by default. Drafts that a constraint does not allow
    /// are wrong guesses, no more.
    pub speculation: Speculation,
    /// The form that the answer must have; none by default. Each prompt of a batch has a state of
    /// its own.
    pub constraint: Option<Arc<dyn Constraint>>,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            max_new_tokens: 512,
            sampling: Sampling::default(),
            stop_ids: Vec::new(),
            seen: Vec::new(),
            chunk: DEFAULT_CHUNK,
            speculation: Speculation::Off,
            constraint: None,
        }
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
pub type Progress<'a> = Box<dyn FnMut(usize, usize) -> bool + 'a>;

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
            if guess != id || self.writer.complete() {
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

/// The answer to one prompt of a batch.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Generated {
    /// What was written, without the stop token.
    pub tokens: Vec<Token>,
    /// Why it ended.
    pub finish: Finish,
    /// Reading the prompt, up to the first token.
    pub prefill: Duration,
    /// Writing the tokens after the first, side by side with those of the others.
    pub decode: Duration,
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
            chunk: options.chunk,
            progress,
        })
    }

    /// Where guesses come from, if there are to be any.
    fn drafter(&self, prompt: &[Segment], options: &GenerateOptions) -> Option<Drafter> {
        let wanted = options.speculation == Speculation::PromptLookup;
        (wanted && options.sampling.is_argmax())
            .then(|| Drafter::reading(&options.seen, prompt, self.config.vocab_size))
    }

    /// Continues several prompts side by side: each weight is read once a step for all of them.
    /// Every result equals that of the prompt alone. [`GenerateOptions::speculation`] has no
    /// effect: what it would save is saved already.
    ///
    /// `observer` is told the index of the prompt and each token of its answer; with
    /// [`ControlFlow::Break`] that answer ends there, [`Finish::Cancelled`].
    ///
    /// # Errors
    /// As [`Decoder::generate`], for any of the prompts, before any work.
    pub fn generate_batch(
        &self,
        prompts: &[Vec<Segment>],
        options: &GenerateOptions,
        observer: &mut dyn FnMut(usize, Token) -> ControlFlow<()>,
    ) -> Result<Vec<Generated>> {
        let mut lanes = Vec::with_capacity(prompts.len());
        for prompt in prompts {
            let cache = self.new_cache();
            self.check_prompt(prompt, &cache, options.max_new_tokens)?;
            lanes.push(BatchLane {
                cache,
                writer: Writer::new(prompt, options, self.config.vocab_size)?,
                tokens: Vec::new(),
                prefill: Duration::ZERO,
                decode: Duration::ZERO,
            });
        }
        for (index, (lane, prompt)) in lanes.iter_mut().zip(prompts).enumerate() {
            if lane.writer.at_limit() {
                continue;
            }
            let begun = Instant::now();
            if let Some(logits) =
                self.prefill(prompt, &mut lane.cache, options.chunk, &mut |_, _| true)?
            {
                lane.take(&vec_from(logits, "logits")?, index, observer)?;
            }
            lane.prefill = begun.elapsed();
        }
        while self.step_batch(&mut lanes, observer)? {}
        let generated = lanes.into_iter().map(|lane| Generated {
            tokens: lane.tokens,
            finish: lane.writer.finish.unwrap_or(Finish::Length),
            prefill: lane.prefill,
            decode: lane.decode,
        });
        Ok(generated.collect())
    }

    /// One token more for every lane that goes on; `false` when none does.
    fn step_batch(
        &self,
        lanes: &mut [BatchLane],
        observer: &mut dyn FnMut(usize, Token) -> ControlFlow<()>,
    ) -> Result<bool> {
        let begun = Instant::now();
        let mut active: Vec<(usize, &mut BatchLane)> = lanes
            .iter_mut()
            .enumerate()
            .filter_map(|(index, lane)| (!lane.writer.at_limit()).then_some((index, lane)))
            .collect();
        if active.is_empty() {
            return Ok(false);
        }
        let mut ids = Vec::with_capacity(active.len());
        let mut caches = Vec::with_capacity(active.len());
        for (_, lane) in &mut active {
            ids.extend(lane.tokens.last().map(|token| token.id));
            caches.push(&mut lane.cache);
        }
        let logits = vec_from(self.decode(&ids, &mut caches)?, "logits")?;
        let rows = logits.chunks_exact(logits.len() / active.len());
        for ((index, lane), logits) in active.iter_mut().zip(rows) {
            lane.take(logits, *index, observer)?;
        }
        for (_, lane) in active {
            lane.decode += begun.elapsed();
        }
        Ok(true)
    }
}

struct BatchLane {
    cache: KvCache,
    writer: Writer,
    tokens: Vec<Token>,
    prefill: Duration,
    decode: Duration,
}

impl BatchLane {
    fn take(
        &mut self,
        logits: &[f32],
        index: usize,
        observer: &mut dyn FnMut(usize, Token) -> ControlFlow<()>,
    ) -> Result<()> {
        let token = self.writer.choose(logits, self.cache.len())?;
        if let Some(token) = self.writer.write(token) {
            self.tokens.push(token);
            if observer(index, token).is_break() {
                self.writer.finish = Some(Finish::Cancelled);
            }
        }
        Ok(())
    }
}

/// Chooses tokens until a stop id, the end of the answer's form or the limit.
struct Writer {
    sampler: Sampler,
    form: Option<Form>,
    stop_ids: Vec<u32>,
    remaining: usize,
    finish: Option<Finish>,
    failed: bool,
}

impl Writer {
    fn new(prompt: &[Segment], options: &GenerateOptions, vocab_size: usize) -> Result<Self> {
        let read = prompt.iter().flat_map(|segment| match segment {
            Segment::Tokens(ids) => ids.as_slice(),
            Segment::Embeddings(_) => &[],
        });
        let form = match &options.constraint {
            Some(constraint) => Some(Form::begin(constraint.as_ref(), vocab_size)?),
            None => None,
        };
        Ok(Self {
            sampler: Sampler::new(
                options.sampling.clone(),
                options.seen.iter().chain(read).copied(),
            )?,
            form,
            stop_ids: options.stop_ids.clone(),
            remaining: options.max_new_tokens,
            finish: None,
            failed: false,
        })
    }

    fn ended(&self) -> bool {
        self.finish.is_some() || self.failed
    }

    /// Whether the answer has its whole form, tokens that were chosen ahead counted.
    fn complete(&self) -> bool {
        self.form.as_ref().is_some_and(Form::finished)
    }

    /// Whether nothing more is to be written; notes why, if it is the form or the limit.
    fn at_limit(&mut self) -> bool {
        if !self.ended() {
            if self.complete() {
                self.finish = Some(Finish::Complete);
            } else if self.remaining == 0 {
                self.finish = Some(Finish::Length);
            }
        }
        self.ended()
    }

    /// The token for `position`, which the answer's form takes note of at once: the row after it
    /// may be chosen from before it is written.
    fn choose(&mut self, logits: &[f32], position: usize) -> Result<Token> {
        let token = self.sampler.choose(logits, position, self.form.as_mut())?;
        if let Some(form) = &mut self.form
            && !self.stop_ids.contains(&token.id)
        {
            form.accept(token.id, position)?;
        }
        Ok(token)
    }

    /// Counts a token as written, unless it is a stop id, which ends the answer.
    fn write(&mut self, token: Token) -> Option<Token> {
        if self.stop_ids.contains(&token.id) {
            self.finish = Some(Finish::Stop(token));
            return None;
        }
        self.remaining -= 1;
        Some(token)
    }
}
