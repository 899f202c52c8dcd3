//! What a request may take beyond the workload that its model was loaded for.
//!
//! A cache grows as it is read into. A context or a batch far beyond the workload would let it grow until the
//! system ends the process, and so would many conversations, so every request is added up with what others hold before
//! any work, and one that goes beyond the plan is held against what is left.

use std::path::Path;
use std::sync::Arc;

use medgemma_gemma3::KvCache;
use medgemma_tensor::{Arithmetic, Backend, Device, KvPrecision};

use super::available::{available, own};
use super::ledger::{Entry, Held, Ledger};
use super::{MemoryPlan, Workload, activation_bytes, soft_token_bytes};
use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::options::LoadOptions;

/// What is asked of a model.
pub(crate) struct Request<'a> {
    /// Positions of each conversation when its answer has its last token.
    pub(crate) contexts: &'a [usize],
    /// Of these, answered side by side.
    pub(crate) at_once: usize,
    /// Rows of given answers whose logits are held at a time.
    pub(crate) scored: usize,
    /// Images that they show, those shown before included.
    pub(crate) images: usize,
    /// Images that were shown before: their soft tokens are held.
    pub(crate) images_held: usize,
    /// Rows of one prefill pass.
    pub(crate) prefill_chunk: usize,
    /// Bytes of keys and values that are held for these conversations.
    pub(crate) cache_bytes: usize,
    /// What was entered for these conversations, all of it for the first.
    pub(crate) entered: Held,
}

/// What a load was planned for.
pub(crate) struct Budget {
    plan: MemoryPlan,
    workload: Workload,
    /// Of each layer's keys and values.
    arithmetic: Vec<Arithmetic>,
    kv_cache: KvPrecision,
    /// Bytes of the weights that stay in mapped files, whose pages count as available.
    mapped: u64,
    limit: Option<u64>,
    ledger: Arc<Ledger>,
}

impl Budget {
    /// `arithmetic`: of each layer's keys and values, and `weights`: bytes of all weights and of those that stay
    /// in mapped files, as the files tell them.
    pub(crate) fn new(
        config: &ModelConfig,
        device: &Device,
        options: &LoadOptions<'_>,
        arithmetic: Vec<Arithmetic>,
        [weights, mapped]: [u64; 2],
    ) -> Self {
        let plan = MemoryPlan::of_load(config, device, options, &arithmetic).with_weights(weights);
        let (arithmetic, kv_cache) = match device.backend() {
            // As the plan has it.
            Backend::NdArray => {
                let wide = vec![Arithmetic::F32; arithmetic.len()];
                (wide, KvPrecision::AsWeights)
            }
            _ => (arithmetic, options.kv_cache),
        };
        Self {
            plan,
            workload: options.workload,
            arithmetic,
            kv_cache,
            mapped,
            limit: options.memory_limit,
            ledger: Arc::default(),
        }
    }

    /// What was planned at the load.
    pub(crate) fn plan(&self) -> MemoryPlan {
        self.plan
    }

    /// A new conversation's, for nothing yet.
    pub(crate) fn entry(&self) -> Entry {
        self.ledger.entry()
    }

    /// What is entered for a conversation that has read `context` positions, `images` among them.
    pub(crate) fn planned_for(&self, config: &ModelConfig, context: usize, images: usize) -> Held {
        Held {
            cache: self.cache_bytes(config, context),
            images,
        }
    }

    /// Refuses a load that does not fit.
    ///
    /// # Errors
    /// As [`MemoryPlan::check`].
    pub(crate) fn check_load(&self, path: &Path, device: &Device) -> Result<()> {
        self.plan.check(path, device, self.limit)
    }

    /// Refuses a request that goes, with what other conversations hold, beyond the plan and beyond what is left; else
    /// enters what it takes more than was entered for its conversations, until that is dropped. What the system has left is
    /// asked only beyond the plan: it takes reading some files.
    ///
    /// # Errors
    /// As [`MemoryPlan::check`], with the plan that has the request in it, and whether it fits without the others.
    pub(crate) fn enter(
        &self,
        path: &Path,
        config: &ModelConfig,
        device: &Device,
        request: &Request<'_>,
    ) -> Result<Entry> {
        self.ledger.enter(|sum| {
            let others = sum.without(request.entered);
            let plan = self.with(config, request, others);
            if plan.total() > self.plan.total() {
                let left = || Some(self.left(available()?, own(), request, others, config));
                let checked = plan.check(path, device, self.limit.or_else(left));
                checked.map_err(|error| {
                    let alone = self.with(config, request, Held::default());
                    self.unless_alone(error, &alone)
                })?;
            }
            let all = Held {
                cache: self.caches(config, request),
                images: request.images,
            };
            Ok(all.without(request.entered))
        })
    }

    /// Says that a plan was refused for what others hold, if it is not without them.
    fn unless_alone(&self, mut refused: Error, alone: &MemoryPlan) -> Error {
        if let Error::NotEnoughMemory {
            available, busy, ..
        } = &mut refused
        {
            *busy = alone.total() <= self.plan.total().max(*available);
        }
        refused
    }

    /// Keys and values of a conversation; a cache that has read nothing takes nothing.
    fn cache_bytes(&self, config: &ModelConfig, context: usize) -> u64 {
        match context {
            0 => 0,
            _ => KvCache::planned_bytes(&config.text, context, &self.arithmetic, self.kv_cache),
        }
    }

    /// Keys and values of all conversations of a request: of the first no less than was entered, since slots stay with a
    /// cache that was cut.
    fn caches(&self, config: &ModelConfig, request: &Request<'_>) -> u64 {
        let contexts = request.contexts.iter();
        let mut caches = contexts.map(|&context| self.cache_bytes(config, context));
        let first = caches.next().unwrap_or(0).max(request.entered.cache);
        caches.fold(first, u64::saturating_add)
    }

    /// The plan, with what a request takes more in it beside what others hold.
    fn with(&self, config: &ModelConfig, request: &Request<'_>, others: Held) -> MemoryPlan {
        let caches = self.caches(config, request).saturating_add(others.cache);
        let planned = self.workload;
        let planned_images = planned.images.saturating_mul(planned.conversations);
        let images = request.images.saturating_add(others.images);
        let more_images = images.saturating_sub(planned_images);
        let longest = request.contexts.iter().copied().max().unwrap_or(0);
        // The widest step of both: what one has left behind for the next is there for either.
        let rows = request.prefill_chunk.min(longest);
        let step = Workload {
            context: planned.context.max(longest),
            images: planned.images.max(request.images),
            conversations: planned.conversations.max(request.at_once),
            prefill_chunk: planned.prefill_chunk.min(planned.context).max(rows),
        };
        MemoryPlan {
            kv_cache: self.plan.kv_cache.max(caches),
            kept: self
                .plan
                .kept
                .saturating_add(soft_token_bytes(config, more_images)),
            activations: activation_bytes(config, step, request.scored),
            ..self.plan
        }
    }

    /// What the plan may come to where the system has `available` left: that, and what the process has taken
    /// of the plan already. Of what it holds in memory of its own, `own`, no more counts than was planned there, mapped
    /// weights apart, and what this request's and the other conversations have grown to beyond that: the rest is
    /// other models' or the program's. Of an answer under way all counts that it may come to, since nobody tells how
    /// much of it is taken.
    fn left(
        &self,
        available: u64,
        own: Option<u64>,
        request: &Request<'_>,
        others: Held,
        config: &ModelConfig,
    ) -> u64 {
        let images = request.images_held.saturating_add(others.images);
        let held = soft_token_bytes(config, images)
            .saturating_add(request.cache_bytes as u64)
            .saturating_add(others.cache);
        let planned = self.plan.kv_cache.saturating_add(self.plan.kept);
        let most = self
            .plan
            .total()
            .saturating_add(held.saturating_sub(planned));
        // Where nothing is told, what was planned counts as taken: the request is held to what it adds.
        let taken = own.map_or(most, |own| own.min(most.saturating_sub(self.mapped)));
        available.saturating_add(taken)
    }
}

#[cfg(test)]
mod tests;
