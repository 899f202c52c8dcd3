//! Several prompts continued side by side.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use medgemma_tensor::vec_from;

use super::writer::Writer;
use super::{Finish, GenerateOptions};
use crate::cache::KvCache;
use crate::error::{Error, Result};
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
    /// What it has in common with a prompt before it in the batch, if anything: that is not read again.
    pub begins_as: Option<Beginning>,
}

/// That a prompt begins as another one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beginning {
    /// The index of the other, which comes before.
    pub prompt: usize,
    /// How many positions are the same in both, ids and embeddings; not all of the prompt that begins so, and whole
    /// embeddings.
    pub positions: usize,
}

/// What the observer of a batch is told of one of its prompts.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum BatchEvent<'a> {
    /// Rows of the prompt were read.
    Prefill {
        /// So far.
        done: usize,
        /// Of those that are to be read: not what it begins with as another does.
        total: usize,
    },
    /// A token of the answer was written.
    Token(Token),
    /// The answer has ended, while others may go on.
    Ended(&'a Generated),
    /// The answer has failed, while others may go on: with the error that is in its place in what comes back. Not
    /// told where the whole batch ends with an error.
    Failed(&'a Error),
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
    /// Positions of the prompt that were not read, since another had been read so far: those of
    /// [`BatchPrompt::begins_as`], or none where the other was not read to there, or its cache could not be cut to them.
    pub shared: usize,
    /// Reading the prompt, up to the first token.
    pub prefill: Duration,
    /// Writing the tokens after the first, side by side with those of the others.
    pub decode: Duration,
}

impl Decoder {
    /// Continues several prompts side by side: each weight is read once a step for all of them.
    /// Each answer equals that of the prompt alone unless the two likeliest tokens differ by no more than
    /// rounding: several rows may be summed in another order, and above eight rows AMX rounds the activations that
    /// meet block weights to bf16 instead of int8. What a prompt has in common with
    /// one before it ([`BatchPrompt::begins_as`]) is read once.
    ///
    /// An answer that fails, for logits that are not finite or a constraint that cannot be followed, is an error in
    /// its place, as [`Decoder::generate`] has it; the others go on.
    ///
    /// # Errors
    /// As [`Decoder::generate`], for any of the prompts, and [`Error::InvalidOption`] for a beginning that is none, before
    /// any work. Later those of a device that fails while it reads the next token of all: only `observer` has seen what was
    /// written until then.
    pub fn generate_batch(
        &self,
        prompts: &[BatchPrompt<'_>],
        observer: &mut BatchObserver<'_>,
    ) -> Result<Vec<Result<Generated>>> {
        let lanes = prompts.iter().enumerate();
        let lanes = lanes.map(|(index, prompt)| self.lane(prompt, &prompts[..index]));
        let mut lanes = lanes.collect::<Result<Vec<_>>>()?;
        for (index, prompt) in prompts.iter().enumerate() {
            let (before, rest) = lanes.split_at_mut(index);
            let lane = &mut rest[0];
            if !lane.writer.at_limit() {
                if let Some(beginning) = prompt.begins_as {
                    lane.adopt(&before[beginning.prompt], beginning.positions);
                }
                let begun = Instant::now();
                let first = self.first_token(lane, prompt, index, observer);
                lane.note(first, index, observer);
                lane.prefill = begun.elapsed();
            }
            lane.end(index, observer);
            release(&mut lanes[..=index], &prompts[index + 1..]);
        }
        while self.step_batch(&mut lanes, observer)? {}
        Ok(lanes.into_iter().map(BatchLane::outcome).collect())
    }

    /// Nothing read yet, and all checked that can be.
    fn lane(&self, prompt: &BatchPrompt<'_>, before: &[BatchPrompt<'_>]) -> Result<BatchLane> {
        let cache = self.new_cache();
        self.check_prompt(prompt.segments, &cache, prompt.options.max_new_tokens)?;
        if let Some(beginning) = prompt.begins_as {
            beginning.check(prompt.segments, before)?;
        }
        Ok(BatchLane {
            cache,
            shared: 0,
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
        let chunk = prompt.options.prefill_chunk;
        let unread = Segment::cut(prompt.segments, lane.shared..usize::MAX);
        match self.prefill(&unread, &mut lane.cache, chunk, &mut progress)? {
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
            lane.note(taken, *index, observer);
        }
        for (index, lane) in active {
            lane.decode += begun.elapsed();
            lane.end(index, observer);
            lane.release();
        }
        Ok(true)
    }
}

impl Beginning {
    /// Refuses what cannot be true of a prompt of these `segments`: positions that are not there, or ids that differ. That
    /// embeddings are the same is the caller's word.
    fn check(self, segments: &[Segment], before: &[BatchPrompt<'_>]) -> Result<()> {
        let Self { prompt, positions } = self;
        // An id for each position, none where embeddings are.
        let begin = |segments: &[Segment]| -> Vec<Option<u32>> {
            let cut = Segment::cut(segments, 0..positions);
            let ids = cut.into_iter().map(|segment| match segment {
                Segment::Tokens(ids) => ids.into_iter().map(Some).collect(),
                Segment::Embeddings(rows) => vec![None; rows.dims()[0]],
            });
            ids.flatten().collect()
        };
        let own = begin(segments);
        let same = before
            .get(prompt)
            .is_some_and(|other| begin(other.segments) == own);
        let some = positions > 0 && positions < Segment::total(segments);
        if same && some && own.len() == positions {
            return Ok(());
        }
        Err(Error::InvalidOption {
            option: "begins_as",
            found: format!("{positions} positions of prompt {prompt}"),
            expected: "some that a prompt before has in common, whole embeddings, and not all",
        })
    }
}

/// Releases what none of the prompts that are `left` to be read begins as.
fn release(lanes: &mut [BatchLane], left: &[BatchPrompt<'_>]) {
    for (index, lane) in lanes.iter_mut().enumerate() {
        let mut beginnings = left.iter().filter_map(|prompt| prompt.begins_as);
        if !beginnings.any(|beginning| beginning.prompt == index) {
            lane.release();
        }
    }
}

struct BatchLane {
    cache: KvCache,
    /// Positions that the cache had at first.
    shared: usize,
    writer: Writer,
    tokens: Vec<Token>,
    /// Once the answer has ended.
    outcome: Option<Result<Generated>>,
    prefill: Duration,
    decode: Duration,
}

impl BatchLane {
    /// Begins with what another lane's cache has read, if it is still there.
    fn adopt(&mut self, other: &Self, positions: usize) {
        let mut cache = other.cache.clone();
        if cache.truncate(positions) {
            (self.cache, self.shared) = (cache, positions);
        }
    }

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
    fn note(&mut self, step: Result<()>, index: usize, observer: &mut BatchObserver<'_>) {
        if let Err(error) = step {
            // As where it ends otherwise.
            let _ = observer(index, BatchEvent::Failed(&error));
            self.outcome = Some(Err(error));
        }
    }

    /// Gives back the memory of an answer that has ended: the others may go on for long.
    fn release(&mut self) {
        if self.outcome.is_some() {
            self.cache.clear();
        }
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
            shared: self.shared,
            prefill: self.prefill,
            decode: self.decode,
        };
        // It has ended: there is nothing to break off.
        let _ = observer(index, BatchEvent::Ended(&generated));
        self.outcome = Some(Ok(generated));
    }
}

#[cfg(test)]
mod tests {
    use std::iter;
    use std::path::Path;
    use std::time::Duration;

    use medgemma_tensor::KvPrecision;
    use serde_json::json;

    use super::{BatchLane, BatchPrompt, Beginning, Finish, Generated, Writer, release};
    use crate::cache::KvCache;
    use crate::config::TextConfig;
    use crate::generation::GenerateOptions;
    use crate::segment::Segment;

    /// One that has read three tokens, and whose answer has ended or not.
    fn lane(ended: bool) -> BatchLane {
        let config = TextConfig::from_json(Path::new("config.json"), "", &json!({}));
        let config = config.expect("all has a default");
        let mut cache = KvCache::new(&config, iter::empty(), KvPrecision::AsWeights);
        cache.advance(3);
        let prompt = [Segment::Tokens(vec![2, 3, 4])];
        let outcome = ended.then(|| {
            Ok(Generated {
                tokens: Vec::new(),
                finish: Finish::Length,
                shared: 0,
                prefill: Duration::ZERO,
                decode: Duration::ZERO,
            })
        });
        BatchLane {
            cache,
            shared: 0,
            writer: Writer::new(&prompt, &GenerateOptions::default(), 9).expect("a writer"),
            tokens: Vec::new(),
            outcome,
            prefill: Duration::ZERO,
            decode: Duration::ZERO,
        }
    }

    #[test]
    fn what_was_read_is_held_until_nobody_wants_it() {
        let mut lanes = [true, true, false].map(lane);
        let (segments, options) = ([Segment::Tokens(vec![2, 3, 5])], GenerateOptions::default());
        let begins_as = |prompt| {
            let positions = 2;
            BatchPrompt {
                segments: &segments,
                options: &options,
                begins_as: Some(Beginning { prompt, positions }),
            }
        };
        let held = |lanes: &[BatchLane; 3]| lanes.each_ref().map(|lane| lane.cache.len());
        release(&mut lanes, &[begins_as(2), begins_as(1)]);
        assert_eq!(held(&lanes), [0, 3, 3]);
        release(&mut lanes, &[begins_as(0)]);
        assert_eq!(held(&lanes), [0, 0, 3]);
    }
}
