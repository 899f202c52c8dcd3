//! The step loop: prefill once, then choose and read one token at a time.

use medgemma_tensor::vec_from;

use crate::cache::KvCache;
use crate::error::Result;
use crate::model::{DEFAULT_CHUNK, Decoder};
use crate::sampling::{Sampler, Sampling, Token};
use crate::segment::Segment;

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
    /// Ids read earlier in the conversation, for the repetition penalty.
    pub seen: Vec<u32>,
    /// Rows of one prefill pass.
    pub chunk: usize,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            max_new_tokens: 512,
            sampling: Sampling::default(),
            stop_ids: Vec::new(),
            seen: Vec::new(),
            chunk: DEFAULT_CHUNK,
        }
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Finish {
    /// The model chose this token, one of the stop ids; it is not part of the answer.
    Stop(Token),
    /// `max_new_tokens` were written.
    Length,
    /// The caller's progress function asked to stop during prefill.
    Cancelled,
}

/// Told (rows done, rows in all) during prefill; returning `false` stops.
pub type Progress<'a> = Box<dyn FnMut(usize, usize) -> bool + 'a>;

/// A sequence being continued, one token for each `next()`. Dropping it stops the work; the cache
/// then holds what was read until there.
pub struct Generation<'a> {
    decoder: &'a Decoder,
    cache: &'a mut KvCache,
    writer: Writer,
    unread: Vec<Segment>,
    chunk: usize,
    progress: Progress<'a>,
}

impl Generation<'_> {
    /// Why it ended; `None` while it goes on.
    #[must_use]
    pub fn finish(&self) -> Option<Finish> {
        self.writer.finish
    }

    fn step(&mut self) -> Result<Option<Token>> {
        if self.writer.at_limit() {
            return Ok(None);
        }
        let unread = std::mem::take(&mut self.unread);
        let Some(logits) =
            self.decoder
                .prefill(&unread, self.cache, self.chunk, &mut self.progress)?
        else {
            self.writer.finish = Some(Finish::Cancelled);
            return Ok(None);
        };
        let token = self
            .writer
            .choose(&vec_from(logits, "logits")?, self.cache.len())?;
        if let Some(token) = token {
            self.unread.push(Segment::Tokens(vec![token.id]));
            self.progress = Box::new(|_, _| true);
        }
        Ok(token)
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

/// The answer to one prompt of a batch.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Generated {
    /// What was written, without the stop token.
    pub tokens: Vec<Token>,
    /// Why it ended.
    pub finish: Finish,
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
        let writer = Writer::new(&prompt, options)?;
        Ok(Generation {
            decoder: self,
            cache,
            writer,
            unread: prompt,
            chunk: options.chunk,
            progress,
        })
    }

    /// Continues several prompts side by side: each weight is read once a step for all of them.
    /// Every result equals that of the prompt alone.
    ///
    /// `observer` is told the index of the prompt and each token of its answer.
    ///
    /// # Errors
    /// As [`Decoder::generate`], for any of the prompts, before any work.
    pub fn generate_batch(
        &self,
        prompts: &[Vec<Segment>],
        options: &GenerateOptions,
        observer: &mut dyn FnMut(usize, Token),
    ) -> Result<Vec<Generated>> {
        let mut lanes = Vec::with_capacity(prompts.len());
        for prompt in prompts {
            let cache = self.new_cache();
            self.check_prompt(prompt, &cache, options.max_new_tokens)?;
            lanes.push(BatchLane {
                cache,
                writer: Writer::new(prompt, options)?,
                tokens: Vec::new(),
            });
        }
        for (index, (lane, prompt)) in lanes.iter_mut().zip(prompts).enumerate() {
            if lane.writer.at_limit() {
                continue;
            }
            if let Some(logits) =
                self.prefill(prompt, &mut lane.cache, options.chunk, &mut |_, _| true)?
            {
                lane.take(&vec_from(logits, "logits")?, index, observer)?;
            }
        }
        while self.step_batch(&mut lanes, observer)? {}
        let generated = lanes.into_iter().map(|lane| Generated {
            tokens: lane.tokens,
            finish: lane.writer.finish.unwrap_or(Finish::Length),
        });
        Ok(generated.collect())
    }

    /// One token more for every lane that goes on; `false` when none does.
    fn step_batch(
        &self,
        lanes: &mut [BatchLane],
        observer: &mut dyn FnMut(usize, Token),
    ) -> Result<bool> {
        let active: Vec<usize> = (0..lanes.len())
            .filter(|&lane| !lanes[lane].writer.at_limit())
            .collect();
        let mut ids = Vec::with_capacity(active.len());
        let mut caches = Vec::with_capacity(active.len());
        for lane in lanes.iter_mut().filter(|lane| !lane.writer.ended()) {
            ids.extend(lane.tokens.last().map(|token| token.id));
            caches.push(&mut lane.cache);
        }
        if active.is_empty() {
            return Ok(false);
        }
        let logits = vec_from(self.decode(&ids, &mut caches)?, "logits")?;
        for (&index, logits) in active
            .iter()
            .zip(logits.chunks_exact(logits.len() / active.len()))
        {
            lanes[index].take(logits, index, observer)?;
        }
        Ok(true)
    }
}

struct BatchLane {
    cache: KvCache,
    writer: Writer,
    tokens: Vec<Token>,
}

impl BatchLane {
    fn take(
        &mut self,
        logits: &[f32],
        index: usize,
        observer: &mut dyn FnMut(usize, Token),
    ) -> Result<()> {
        if let Some(token) = self.writer.choose(logits, self.cache.len())? {
            self.tokens.push(token);
            observer(index, token);
        }
        Ok(())
    }
}

/// Chooses tokens until a stop id or the limit.
struct Writer {
    sampler: Sampler,
    stop_ids: Vec<u32>,
    remaining: usize,
    finish: Option<Finish>,
    failed: bool,
}

impl Writer {
    fn new(prompt: &[Segment], options: &GenerateOptions) -> Result<Self> {
        let read = prompt.iter().flat_map(|segment| match segment {
            Segment::Tokens(ids) => ids.as_slice(),
            Segment::Embeddings(_) => &[],
        });
        Ok(Self {
            sampler: Sampler::new(
                options.sampling.clone(),
                options.seen.iter().chain(read).copied(),
            )?,
            stop_ids: options.stop_ids.clone(),
            remaining: options.max_new_tokens,
            finish: None,
            failed: false,
        })
    }

    fn ended(&self) -> bool {
        self.finish.is_some() || self.failed
    }

    /// Whether nothing more is to be written; notes the limit as the reason when it is one.
    fn at_limit(&mut self) -> bool {
        if self.remaining == 0 && !self.ended() {
            self.finish = Some(Finish::Length);
        }
        self.ended()
    }

    /// The token for `position`, or `None` when it is a stop id.
    fn choose(&mut self, logits: &[f32], position: usize) -> Result<Option<Token>> {
        let token = self.sampler.choose(logits, position)?;
        if self.stop_ids.contains(&token.id) {
            self.finish = Some(Finish::Stop(token));
            return Ok(None);
        }
        self.remaining -= 1;
        Ok(Some(token))
    }
}
