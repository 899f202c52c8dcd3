//! One conversation of a batch while it is answered.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use medgemma_gemma3::{
    BatchEvent as DecoderEvent, Beginning, GenerateOptions as DecoderOptions, Generated, Segment,
};

use super::BatchEvent;
use crate::error::{Error, ErrorKind, Result};
use crate::medgemma::MedGemma;
use crate::options::Progress;
use crate::prefix::LEAST_SHARED;
use crate::prompt::{Encoded, Prompt};
use crate::recording::Pending;
use crate::reply::{FinishReason, NOTICE, Piece, Reply, Timings, Usage, log, reason};
use crate::transcript::Transcript;

/// One conversation while it is answered.
pub(super) struct Lane {
    pub(super) options: Arc<DecoderOptions>,
    pub(super) segments: Vec<Segment>,
    /// Leading positions of the prompt that each conversation before it has too.
    common: Vec<usize>,
    /// Soft tokens among those that another's prompt is taken for.
    pub(super) shared_image_tokens: usize,
    transcript: Transcript,
    usage: Usage,
    images: Duration,
    /// Tokens of the answer so far.
    written: usize,
    /// Whether the observer has ended it.
    broken_off: bool,
    pub(super) pending: Option<Pending>,
    /// Once its answer has ended.
    outcome: Option<Result<Reply>>,
}

impl Lane {
    /// Nothing done yet. `before`: the prompts of the conversations before it.
    pub(super) fn new(
        model: &MedGemma,
        prompt: &Prompt,
        before: &[Prompt],
        options: Arc<DecoderOptions>,
        transcript: Transcript,
        pending: Option<Pending>,
    ) -> Self {
        let model = model.model();
        let before = before.iter();
        let common = before.map(|other| prompt.shared_with(other, model));
        Self {
            options,
            segments: Vec::new(),
            common: common.collect(),
            shared_image_tokens: 0,
            transcript,
            usage: Usage {
                prompt_tokens: prompt.ids.len(),
                image_tokens: prompt.shown() * model.tokens_per_image(),
                ..Usage::default()
            },
            images: Duration::ZERO,
            written: 0,
            broken_off: false,
            pending,
            outcome: None,
        }
    }

    /// Its answer is still to be written.
    pub(super) fn is_open(&self) -> bool {
        self.outcome.is_none()
    }

    /// Its images are encoded.
    pub(super) fn encoded(&mut self, encoded: Encoded) {
        self.segments = encoded.segments;
        self.images = encoded.elapsed;
    }

    /// Which of the conversations `before` that are still open has most in common with it, by its place among them, if
    /// that is worth sharing. The last of several: where one is broken off while it is read, the next has all.
    pub(super) fn beginning(&self, before: &[usize]) -> Option<Beginning> {
        let shared = before.iter().enumerate().map(|(prompt, &index)| Beginning {
            prompt,
            positions: self.common[index],
        });
        let most = shared.max_by_key(|beginning| beginning.positions);
        most.filter(|beginning| beginning.positions >= LEAST_SHARED)
    }

    /// What the decoder tells of the conversation, told on to `observer`; whether the answer goes on.
    pub(super) fn follow(
        &mut self,
        model: &MedGemma,
        event: DecoderEvent<'_>,
        observer: &mut dyn FnMut(BatchEvent<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match event {
            DecoderEvent::Prefill { done, total } => {
                let told = observer(BatchEvent::Progress(Progress::Prefill { done, total }));
                self.broken_off = told.is_break();
                told
            }
            DecoderEvent::Token(token) => self.take(token.id, observer),
            DecoderEvent::Ended(answer) => {
                self.end(model, Some(answer), observer);
                ControlFlow::Continue(())
            }
            DecoderEvent::Failed(error) => {
                self.tell_failure(model, ErrorKind::of(error), &error.to_string(), observer);
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    /// Cuts the answer as a stream would have; it ends with a stop string.
    fn take(
        &mut self,
        id: u32,
        tell: &mut dyn FnMut(BatchEvent<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.written += 1;
        let pieces = self.transcript.push(id);
        self.broken_off = if pieces.is_empty() {
            tell(BatchEvent::Progress(Progress::Written {
                tokens: self.written,
            }))
            .is_break()
        } else {
            let mut pieces = pieces.into_iter();
            pieces
                .try_for_each(|piece| tell(BatchEvent::Piece(piece)))
                .is_break()
        };
        if self.broken_off || self.transcript.stopped() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// The reply, and what of its text was held back. `None`: it was broken off before the prompt was read.
    fn reply(&mut self, answer: Option<&Generated>) -> (Reply, Vec<Piece>) {
        let rest = self.transcript.finish();
        let finish = match answer {
            _ if self.transcript.stopped() => FinishReason::StopString,
            Some(answer) => reason(answer.finish),
            None => FinishReason::Cancelled,
        };
        let tokens = answer.map_or_else(Vec::new, |answer| answer.tokens.clone());
        let mut usage = Usage {
            reply_tokens: tokens.len(),
            ..self.usage
        };
        if let Some(shared) = answer
            .map(|answer| answer.shared)
            .filter(|&shared| shared > 0)
        {
            usage.cached_tokens = shared;
            usage.prompt_tokens -= shared;
            usage.image_tokens -= self.shared_image_tokens;
        }
        let timings = Timings {
            images: self.images,
            prefill: answer.map_or(Duration::ZERO, |answer| answer.prefill),
            decode: answer.map_or(Duration::ZERO, |answer| answer.decode),
        };
        log(&usage, &timings, finish);
        let reply = Reply {
            text: std::mem::take(&mut self.transcript.text),
            reasoning: self.transcript.reasoning.take(),
            reasoning_cut_off: self.transcript.in_thought(),
            finish,
            usage,
            timings,
            tokens,
            not_for_clinical_use: true,
            notice: NOTICE,
        };
        (reply, rest)
    }

    /// Ends it while its images are encoded.
    pub(super) fn break_off(
        &mut self,
        model: &MedGemma,
        observer: &mut dyn FnMut(BatchEvent<'_>) -> ControlFlow<()>,
    ) {
        self.broken_off = true;
        self.end(model, None, observer);
    }

    /// The reply after it was recorded, told to `observer`: one whose record cannot be written is not handed out.
    fn end(
        &mut self,
        model: &MedGemma,
        answer: Option<&Generated>,
        observer: &mut dyn FnMut(BatchEvent<'_>) -> ControlFlow<()>,
    ) {
        let (reply, rest) = self.reply(answer);
        let recorded = match (model.recorder(), self.pending.take()) {
            (Some(recorder), Some(pending)) => recorder.reply(&pending, &reply),
            _ => Ok(()),
        };
        if let Err(error) = recorded {
            return self.fail(model, error, observer);
        }
        // Who broke it off wants nothing more of it but the reply.
        if !self.broken_off {
            let _ = rest
                .into_iter()
                .try_for_each(|piece| observer(BatchEvent::Piece(piece)));
        }
        let _ = observer(BatchEvent::Ended(&reply));
        self.outcome = Some(Ok(reply));
    }

    /// Ends it with nothing to hand out.
    pub(super) fn fail(
        &mut self,
        model: &MedGemma,
        error: Error,
        observer: &mut dyn FnMut(BatchEvent<'_>) -> ControlFlow<()>,
    ) {
        self.tell_failure(model, error.kind(), &error.to_string(), observer);
        self.failed_with(error);
    }

    /// What the decoder told of before, or else could not be recorded.
    pub(super) fn failed_with(&mut self, error: Error) {
        self.outcome.get_or_insert(Err(error));
    }

    /// Records that nothing comes of it, and tells `observer`; what cannot be recorded is the error then.
    fn tell_failure(
        &mut self,
        model: &MedGemma,
        kind: ErrorKind,
        message: &str,
        observer: &mut dyn FnMut(BatchEvent<'_>) -> ControlFlow<()>,
    ) {
        let recorded = match (model.recorder(), self.pending.take()) {
            (Some(recorder), Some(pending)) => recorder.failed(&[pending]),
            _ => Ok(()),
        };
        // It has ended: there is nothing to break off.
        let _ = match recorded {
            Ok(()) => observer(BatchEvent::Failed { kind, message }),
            Err(error) => {
                let (kind, message) = (error.kind(), &error.to_string());
                self.failed_with(error);
                observer(BatchEvent::Failed { kind, message })
            }
        };
    }

    /// What came of it.
    pub(super) fn outcome(self) -> Result<Reply> {
        self.outcome.expect("every lane has ended")
    }
}
