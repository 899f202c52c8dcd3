//! Several conversations answered side by side.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use medgemma_gemma3::{
    BatchEvent as DecoderEvent, BatchPrompt, GenerateOptions as DecoderOptions, Generated, Segment,
};

use crate::error::{Error, Result};
use crate::medgemma::MedGemma;
use crate::memory::{Held, Request};
use crate::message::Message;
use crate::options::{GenerateOptions, Progress};
use crate::prompt::{Prompt, Shown};
use crate::recording::Pending;
use crate::reply::{FinishReason, NOTICE, Piece, Reply, Timings, Usage, reason};
use crate::transcript::Transcript;

/// One conversation of a batch, and how it is answered. `Debug` prints sizes, as that of a message does.
#[derive(Debug, Clone, Copy)]
pub struct BatchRequest<'a> {
    /// As [`MedGemma::generate`] takes it.
    pub messages: &'a [Message],
    /// How the answer is written. [`GenerateOptions::speculation`] has no effect in a batch.
    pub options: &'a GenerateOptions,
}

/// What the observer of a batch is told of one of its conversations.
#[derive(Debug)]
#[non_exhaustive]
pub enum BatchEvent<'a> {
    /// How far the work before its first token is.
    Progress(Progress),
    /// A piece of its answer.
    Piece(Piece),
    /// Its answer has ended, and is recorded where there is an audit log; others may go on.
    Ended(&'a Reply),
}

/// Told the index of a conversation and what happened to it; with [`ControlFlow::Break`] that answer ends
/// there, [`FinishReason::Cancelled`].
pub type BatchObserver<'a> = dyn FnMut(usize, BatchEvent<'_>) -> ControlFlow<()> + 'a;

/// One conversation while it is answered.
struct Lane<'a> {
    options: &'a DecoderOptions,
    segments: Vec<Segment>,
    transcript: Transcript,
    usage: Usage,
    images: Duration,
    pending: Option<Pending>,
    /// Once its answer has ended.
    outcome: Option<Result<Reply>>,
}

impl Lane<'_> {
    /// Cuts the answer as a stream would have; it ends with a stop string.
    fn take(&mut self, id: u32, tell: &mut dyn FnMut(Piece) -> ControlFlow<()>) -> ControlFlow<()> {
        let pieces = self.transcript.push(id);
        pieces.into_iter().try_for_each(tell)?;
        if self.transcript.stopped() {
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
        let usage = Usage {
            reply_tokens: tokens.len(),
            ..self.usage
        };
        let timings = Timings {
            images: self.images,
            prefill: answer.map_or(Duration::ZERO, |answer| answer.prefill),
            decode: answer.map_or(Duration::ZERO, |answer| answer.decode),
        };
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
        self.outcome = Some(recorded.map(|()| {
            // Who broke it off wants nothing more of it but the reply.
            if reply.finish != FinishReason::Cancelled {
                let _ = rest
                    .into_iter()
                    .try_for_each(|piece| observer(BatchEvent::Piece(piece)));
            }
            let _ = observer(BatchEvent::Ended(&reply));
            reply
        }));
    }

    /// Ends it with nothing to hand out.
    fn fail(&mut self, model: &MedGemma, error: Error) {
        let failed: Result<Reply> = match (model.recorder(), self.pending.take()) {
            (Some(recorder), Some(pending)) => {
                recorder.failures(std::slice::from_ref(&pending), Err(error))
            }
            _ => Err(error),
        };
        self.outcome = Some(failed);
    }
}

pub(crate) fn generate(
    model: &MedGemma,
    requests: &[BatchRequest<'_>],
    observer: &mut BatchObserver<'_>,
) -> Result<Vec<Result<Reply>>> {
    let count = requests.len();
    let each = requests.iter().enumerate();
    let checked = each.map(|(index, request)| {
        checked(model, request).map_err(|source| Error::OneOfConversations {
            index,
            count,
            source: Box::new(source),
        })
    });
    let checked = checked.collect::<Result<Vec<_>>>()?;
    let contexts = checked.iter().zip(requests);
    let contexts =
        contexts.map(|((prompt, ..), request)| prompt.ids.len() + request.options.max_new_tokens);
    let chunks = requests.iter().map(|request| request.options.prefill_chunk);
    let _entry = model.model().enter(&Request {
        contexts: &contexts.collect::<Vec<_>>(),
        at_once: count,
        images: checked.iter().map(|(prompt, ..)| prompt.shown()).sum(),
        images_held: 0,
        prefill_chunk: chunks.max().unwrap_or(0),
        held: 0,
        entered: Held::default(),
    })?;
    let options = decoder_options(model, requests)?;
    let (mut prompts, mut lanes) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (((prompt, transcript), request), options) in
        checked.into_iter().zip(requests).zip(&options)
    {
        let recorder = model.recorder();
        let pending = recorder.map(|recorder| recorder.request(&prompt, 0, request.options, &[]));
        let tokens = prompt.ids.len();
        lanes.push(Lane {
            options,
            segments: Vec::new(),
            transcript,
            usage: Usage {
                prompt_tokens: tokens,
                image_tokens: prompt.shown() * model.model().tokens_per_image(),
                ..Usage::default()
            },
            images: Duration::ZERO,
            pending: pending.transpose()?,
            outcome: None,
        });
        prompts.push(prompt);
    }
    answer(model, prompts, &mut lanes, observer)?;
    Ok(lanes.into_iter().filter_map(|lane| lane.outcome).collect())
}

/// What can be refused of a conversation before any work.
fn checked(model: &MedGemma, request: &BatchRequest<'_>) -> Result<(Prompt, Transcript)> {
    let prompt = model.prompt(request.messages)?;
    model.check_context(0, prompt.ids.len(), request.options.max_new_tokens)?;
    let transcript = Transcript::new(model.tokenizer(), model.special(), request.options)?;
    Ok((prompt, transcript))
}

/// The decoder's options for each; those that several share are made once, since a schema takes a while.
fn decoder_options(
    model: &MedGemma,
    requests: &[BatchRequest<'_>],
) -> Result<Vec<Arc<DecoderOptions>>> {
    let mut made: Vec<Arc<DecoderOptions>> = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        let before = requests[..index].iter();
        let alike = before
            .zip(&made)
            .find(|(before, _)| std::ptr::eq(before.options, request.options));
        let options = match alike {
            Some((_, made)) => Arc::clone(made),
            None => Arc::new(model.decoder_options(request.options)?),
        };
        made.push(options);
    }
    Ok(made)
}

/// Answers what the prompts ask, each in its lane.
fn answer(
    model: &MedGemma,
    prompts: Vec<Prompt>,
    lanes: &mut [Lane<'_>],
    observer: &mut BatchObserver<'_>,
) -> Result<()> {
    let mut shown = Shown::default();
    for ((index, lane), prompt) in lanes.iter_mut().enumerate().zip(prompts) {
        let mut tell = |progress| observer(index, BatchEvent::Progress(progress));
        match prompt.segments(model.model(), model.prefixes(), &mut shown, &mut tell) {
            Ok(Some(encoded)) => {
                lane.segments = encoded.segments;
                lane.images = encoded.elapsed;
            }
            Ok(None) => lane.end(model, None, &mut |event| observer(index, event)),
            Err(error) => lane.fail(model, error),
        }
    }
    let open = lanes.iter().enumerate();
    let open: Vec<usize> = open
        .filter_map(|(index, lane)| lane.outcome.is_none().then_some(index))
        .collect();
    let segments: Vec<_> = open
        .iter()
        .map(|&index| std::mem::take(&mut lanes[index].segments))
        .collect();
    let prompts: Vec<_> = open
        .iter()
        .zip(&segments)
        .map(|(&index, segments)| BatchPrompt {
            segments,
            options: lanes[index].options,
        })
        .collect();
    let generated = model
        .model()
        .decoder()
        .generate_batch(&prompts, &mut |at, event| {
            let index = open[at];
            let lane = &mut lanes[index];
            let mut tell = |event: BatchEvent<'_>| observer(index, event);
            match event {
                DecoderEvent::Prefill { done, total } => {
                    tell(BatchEvent::Progress(Progress::Prefill { done, total }))
                }
                DecoderEvent::Token(token) => {
                    lane.take(token.id, &mut |piece| tell(BatchEvent::Piece(piece)))
                }
                DecoderEvent::Ended(answer) => {
                    lane.end(model, Some(answer), &mut tell);
                    ControlFlow::Continue(())
                }
                _ => ControlFlow::Continue(()),
            }
        });
    match generated {
        Ok(generated) => {
            for (&index, generated) in open.iter().zip(generated) {
                if let Err(error) = generated {
                    lanes[index].fail(model, error.into());
                }
            }
            Ok(())
        }
        Err(error) => {
            let pending: Vec<_> = lanes
                .iter_mut()
                .filter_map(|lane| lane.pending.take())
                .collect();
            match model.recorder() {
                Some(recorder) => recorder.failures(&pending, Err(error.into())),
                None => Err(error.into()),
            }
        }
    }
}
