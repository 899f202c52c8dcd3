//! What both ways of continuing share: choosing a token, and knowing when to stop.

use super::{Finish, GenerateOptions};
use crate::constraint::Form;
use crate::error::Result;
use crate::sampling::{Sampler, Token};
use crate::segment::Segment;

/// Chooses tokens until a stop id, the end of the answer's form or the limit.
pub(super) struct Writer {
    sampler: Sampler,
    form: Option<Form>,
    stop_ids: Vec<u32>,
    pub(super) remaining: usize,
    pub(super) finish: Option<Finish>,
    pub(super) failed: bool,
}

impl Writer {
    pub(super) fn new(
        prompt: &[Segment],
        options: &GenerateOptions,
        vocab_size: usize,
    ) -> Result<Self> {
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

    pub(super) fn ended(&self) -> bool {
        self.finish.is_some() || self.failed
    }

    /// Whether this token ends the answer.
    pub(super) fn stops(&self, id: u32) -> bool {
        self.stop_ids.contains(&id)
    }

    /// Whether the answer has its whole form, tokens that were chosen ahead counted.
    pub(super) fn complete(&self) -> bool {
        self.form.as_ref().is_some_and(Form::finished)
    }

    /// Whether nothing more is to be written; notes why, if it is the form or the limit.
    pub(super) fn at_limit(&mut self) -> bool {
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
    pub(super) fn choose(&mut self, logits: &[f32], position: usize) -> Result<Token> {
        let token = self.sampler.choose(logits, position, self.form.as_mut())?;
        let stops = self.stops(token.id);
        if let Some(form) = self.form.as_mut().filter(|_| !stops) {
            form.accept(token.id, position)?;
        }
        Ok(token)
    }

    /// Counts a token as written, unless it is a stop id, which ends the answer.
    pub(super) fn write(&mut self, token: Token) -> Option<Token> {
        if self.stops(token.id) {
            self.finish = Some(Finish::Stop(token));
            return None;
        }
        self.remaining -= 1;
        Some(token)
    }
}
