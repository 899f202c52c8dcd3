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
    /// [`GenerateOptions::speculation`] has no effect: what it would save is saved already.
    ///
    /// `observer` is told the index of the prompt and each token of its answer; with
    /// [`ControlFlow::Break`] that answer ends there, [`Finish::Cancelled`].
    ///
    /// # Errors
    /// As [`Decoder::generate`], for any of the prompts, before any work. Later those of a prompt
    /// whose logits are not finite, whose constraint cannot be followed, and of a device that fails:
    /// they end the batch, and only `observer` has seen what was written until then.
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
