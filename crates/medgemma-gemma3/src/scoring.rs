//! How likely the model finds given continuations: multiple choice without generating.

use medgemma_tensor::vec_from;

use crate::cache::KvCache;
use crate::error::{Error, Result};
use crate::model::{DEFAULT_CHUNK, Decoder};
use crate::segment::Segment;
use crate::summary::Summary;

/// Rows of a continuation whose logits [`Decoder::score`] holds at a time, at most: 64 rows of 262 208 f32 are 67 MB.
pub const SCORED_ROWS: usize = 64;

impl Decoder {
    /// Natural log-probability of every token of each continuation of `prompt`, given the tokens
    /// before it. The prompt is read once; the continuations do not see each other.
    ///
    /// They are read one after the other into one cache, which is taken back each time: keys and values are
    /// held once, but for those of local layers where a continuation is longer than what such a layer holds
    /// beside its window, 512 tokens for the published models.
    ///
    /// # Errors
    /// As [`Decoder::prefill`], for the prompt followed by any of the continuations;
    /// [`Error::NonFiniteLogits`] where there is no probability to tell.
    pub fn score(&self, prompt: &[Segment], continuations: &[Vec<u32>]) -> Result<Vec<Vec<f32>>> {
        self.score_after(self.new_cache(), prompt, continuations)
    }

    /// As [`Decoder::score`], for a prompt that follows what `cache` has read. A clone of a cache that is
    /// kept holds its keys and values a second time from here on.
    ///
    /// # Errors
    /// As [`Decoder::score`].
    pub fn score_after(
        &self,
        mut cache: KvCache,
        prompt: &[Segment],
        continuations: &[Vec<u32>],
    ) -> Result<Vec<Vec<f32>>> {
        for continuation in continuations {
            self.check_prompt(
                &[prompt, &[Segment::Tokens(continuation.clone())]].concat(),
                &cache,
                0,
            )?;
        }
        let Some(logits) = self.prefill(prompt, &mut cache, DEFAULT_CHUNK, &mut |_, _| true)?
        else {
            return Ok(Vec::new());
        };
        let first = vec_from(logits, "logits")?;
        let Some((last, others)) = continuations.split_last() else {
            return Ok(Vec::new());
        };
        let mut scores = Vec::with_capacity(continuations.len());
        // The last token of a continuation is not read. What follows the last continuation is nothing.
        let read = others.iter().map(|ids| ids.len().saturating_sub(1)).max();
        let mark = cache.mark(read.unwrap_or(0));
        for ids in others {
            scores.push(self.score_one(ids, &first, &mut cache)?);
            cache.take_back(&mark);
        }
        drop(mark);
        scores.push(self.score_one(last, &first, &mut cache)?);
        Ok(scores)
    }

    /// `first`: logits for the first token; `cache` has read the prompt.
    fn score_one(&self, ids: &[u32], first: &[f32], cache: &mut KvCache) -> Result<Vec<f32>> {
        let Some((&head, _)) = ids.split_first() else {
            return Ok(Vec::new());
        };
        let mut scores = vec![logprob(first, head, cache.len())?];
        for (read, predicted) in ids[..ids.len() - 1]
            .chunks(SCORED_ROWS)
            .zip(ids[1..].chunks(SCORED_ROWS))
        {
            let start = cache.len() + 1;
            let logits =
                self.logits_of_all(&[Segment::Tokens(read.to_vec())], cache, SCORED_ROWS)?;
            let [_, v] = logits.dims();
            let rows = vec_from(logits, "logits")?;
            for (position, (row, &id)) in (start..).zip(rows.chunks_exact(v).zip(predicted)) {
                scores.push(logprob(row, id, position)?);
            }
        }
        Ok(scores)
    }
}

/// Of the token `id` at `position`.
fn logprob(logits: &[f32], id: u32, position: usize) -> Result<f32> {
    let sum = Summary::of(logits).log_sum_exp;
    if sum.is_finite() {
        Ok(logits[id as usize] - sum)
    } else {
        Err(Error::NonFiniteLogits { position })
    }
}
