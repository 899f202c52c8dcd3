//! Several prompts continued side by side.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use medgemma_tensor::vec_from;

use super::writer::Writer;
use super::{Finish, GenerateOptions};
use crate::cache::KvCache;
use crate::error::Result;
use crate::model::Decoder;
use crate::sampling::Token;
use crate::segment::Segment;

/// One prompt of a batch, and how it is continued.
#[derive(Debug, Clone, Copy)]
pub struct BatchPrompt<'a> {
    /// What is read first.
    pub segments: &'a [Segment],
    /// How the answer is written. [`GenerateOptions::speculation`] has no effect: what it would save is saved
    /// already.
    pub options: &'a GenerateOptions,
}

/// What the observer of a batch is told of one of its prompts.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum BatchEvent<'a> {
    /// Rows of the prompt were read.
    Prefill {
        /// So far.
        done: usize,
        /// In all.
        total: usize,
    },
    /// A token of the answer was written.
    Token(Token),
    /// The answer has ended, while others may go on. Not told of one that failed: its error is in its place in what
    /// comes back.
    Ended(&'a Generated),
}

/// Told the index of a prompt and what happened to it; with [`ControlFlow::Break`] that answer ends there,
/// [`Finish::Cancelled`].
pub type BatchObserver<'a> = dyn FnMut(usize, BatchEvent<'_>) -> ControlFlow<()> + 'a;

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
    /// Continues several prompts side by side: each weight is read once a step for all of them.
    /// Every result is that of the prompt alone wherever the two likeliest tokens are further apart
    /// than rounding: several rows at once may be summed in another order than one, and for more than
    /// eight, AMX rounds what it multiplies block weights with to bf16 and not to int8.
    ///
    /// An answer that fails, for logits that are not finite or a constraint that cannot be followed, is an error in
    /// its place, as [`Decoder::generate`] has it; the others go on.
    ///
    /// # Errors
    /// As [`Decoder::generate`], for any of the prompts, before any work. Later those of a device that fails while
    /// it reads the next token of all: only `observer` has seen what was written until then.
    pub fn generate_batch(
        &self,
        prompts: &[BatchPrompt<'_>],
        observer: &mut BatchObserver<'_>,
    ) -> Result<Vec<Result<Generated>>> {
        let lanes = prompts.iter().map(|prompt| self.lane(prompt));
        let mut lanes = lanes.collect::<Result<Vec<_>>>()?;
        for (index, (lane, prompt)) in lanes.iter_mut().zip(prompts).enumerate() {
            if lane.writer.at_limit() {
                lane.end(index, observer);
                continue;
            }
            let begun = Instant::now();
            let first = self.first_token(lane, prompt, index, observer);
            lane.note(first);
            lane.prefill = begun.elapsed();
            lane.end(index, observer);
        }
        while self.step_batch(&mut lanes, observer)? {}
        Ok(lanes.into_iter().map(BatchLane::outcome).collect())
    }

    /// Nothing read yet, and all checked that can be.
    fn lane(&self, prompt: &BatchPrompt<'_>) -> Result<BatchLane> {
        let cache = self.new_cache();
        self.check_prompt(prompt.segments, &cache, prompt.options.max_new_tokens)?;
        Ok(BatchLane {
            cache,
            writer: Writer::new(prompt.segments, prompt.options, self.config.vocab_size)?,
            tokens: Vec::new(),
            outcome: None,
            prefill: Duration::ZERO,
            decode: Duration::ZERO,
        })
    }

    /// Reads a prompt, and chooses the first token of its answer.
    fn first_token(
        &self,
        lane: &mut BatchLane,
        prompt: &BatchPrompt<'_>,
        index: usize,
        observer: &mut BatchObserver<'_>,
    ) -> Result<()> {
        let mut progress = |done, total| {
            let event = BatchEvent::Prefill { done, total };
            observer(index, event).is_continue()
        };
        let chunk = prompt.options.chunk;
        match self.prefill(prompt.segments, &mut lane.cache, chunk, &mut progress)? {
            Some(logits) => lane.take(&vec_from(logits, "logits")?, index, observer),
            None => {
                lane.writer.finish = Some(Finish::Cancelled);
                Ok(())
            }
        }
    }

    /// One token more for every lane that goes on; `false` when none does.
    fn step_batch(
        &self,
        lanes: &mut [BatchLane],
        observer: &mut BatchObserver<'_>,
    ) -> Result<bool> {
        let begun = Instant::now();
        let mut active: Vec<(usize, &mut BatchLane)> = lanes
            .iter_mut()
            .enumerate()
            .filter(|(_, lane)| lane.outcome.is_none())
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
            let taken = lane.take(logits, *index, observer);
            lane.note(taken);
        }
        for (index, lane) in active {
            lane.decode += begun.elapsed();
            lane.end(index, observer);
        }
        Ok(true)
    }
}

struct BatchLane {
    cache: KvCache,
    writer: Writer,
    tokens: Vec<Token>,
    /// Once the answer has ended.
    outcome: Option<Result<Generated>>,
    prefill: Duration,
    decode: Duration,
}

impl BatchLane {
    fn take(
        &mut self,
        logits: &[f32],
        index: usize,
        observer: &mut BatchObserver<'_>,
    ) -> Result<()> {
        let token = self.writer.choose(logits, self.cache.len())?;
        if let Some(token) = self.writer.write(token) {
            self.tokens.push(token);
            if observer(index, BatchEvent::Token(token)).is_break() {
                self.writer.finish = Some(Finish::Cancelled);
            }
        }
        Ok(())
    }

    /// Ends this answer alone if its step failed.
    fn note(&mut self, step: Result<()>) {
        if let Err(error) = step {
            self.finish(Err(error));
        }
    }

    fn finish(&mut self, outcome: Result<Generated>) {
        self.outcome = Some(outcome);
        // The others may go on for long.
        self.cache.clear();
    }

    fn outcome(self) -> Result<Generated> {
        self.outcome.expect("every lane has ended")
    }

    /// Ends the answer if nothing more is to be written.
    fn end(&mut self, index: usize, observer: &mut BatchObserver<'_>) {
        if self.outcome.is_some() || !self.writer.at_limit() {
            return;
        }
        let generated = Generated {
            tokens: std::mem::take(&mut self.tokens),
            finish: self.writer.finish.unwrap_or(Finish::Length),
            prefill: self.prefill,
            decode: self.decode,
        };
        // It has ended: there is nothing to break off.
        let _ = observer(index, BatchEvent::Ended(&generated));
        self.finish(Ok(generated));
    }
}
