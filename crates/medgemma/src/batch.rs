//! Several conversations answered side by side.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use medgemma_gemma3::{
    BatchEvent as DecoderEvent, BatchPrompt, Beginning, GenerateOptions as DecoderOptions,
    Generated, Segment,
};

use crate::error::{Error, Result};
use crate::medgemma::MedGemma;
use crate::memory::{Held, Request};
use crate::message::Message;
use crate::options::{GenerateOptions, Progress};
use crate::prefix::LEAST_SHARED;
use crate::prompt::{Prompt, Shown};
use crate::recording::Pending;
use crate::reply::{FinishReason, NOTICE, Piece, Reply, Timings, Usage, log, reason};
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
    /// Its answer has ended, and is recorded where there is an audit log; others may go on. Not told of one that
    /// failed: its error is in its place in what comes back.
    Ended(&'a Reply),
}

/// Told the index of a conversation and what happened to it; with [`ControlFlow::Break`] that answer ends
/// there, [`FinishReason::Cancelled`].
pub type BatchObserver<'a> = dyn FnMut(usize, BatchEvent<'_>) -> ControlFlow<()> + 'a;

/// One conversation while it is answered.
struct Lane {
    options: Arc<DecoderOptions>,
    segments: Vec<Segment>,
    /// Leading positions of the prompt that each conversation before it has too.
    common: Vec<usize>,
    /// Soft tokens among those that another's prompt is taken for.
    shared_image_tokens: usize,
    transcript: Transcript,
    usage: Usage,
    images: Duration,
    /// Whether the observer has ended it.
    broken_off: bool,
    pending: Option<Pending>,
    /// Once its answer has ended.
    outcome: Option<Result<Reply>>,
}

impl Lane {
    /// Which of the conversations `before` that are still open has most in common with it, by its place among them, if
    /// that is worth sharing. The last of several: where one is broken off while it is read, the next has all.
    fn beginning(&self, before: &[usize]) -> Option<Beginning> {
        let shared = before.iter().enumerate().map(|(prompt, &index)| Beginning {
            prompt,
            positions: self.common[index],
        });
        let most = shared.max_by_key(|beginning| beginning.positions);
        most.filter(|beginning| beginning.positions >= LEAST_SHARED)
    }

    /// What the decoder tells of the conversation, told on to `observer`; whether the answer goes on.
    fn follow(
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
            DecoderEvent::Token(token) => {
                self.take(token.id, &mut |piece| observer(BatchEvent::Piece(piece)))
            }
            DecoderEvent::Ended(answer) => {
                self.end(model, Some(answer), observer);
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    /// Cuts the answer as a stream would have; it ends with a stop string.
    fn take(&mut self, id: u32, tell: &mut dyn FnMut(Piece) -> ControlFlow<()>) -> ControlFlow<()> {
        let mut pieces = self.transcript.push(id).into_iter();
        self.broken_off = pieces.try_for_each(tell).is_break();
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
            if !self.broken_off {
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
    let mut checked: Vec<Checked> = Vec::with_capacity(count);
    for (index, request) in requests.iter().enumerate() {
        // Options that several share are made once, since a schema takes a while.
        let mut before = requests[..index].iter().zip(&checked);
        let alike = before.find(|(before, _)| std::ptr::eq(before.options, request.options));
        let alike = alike.map(|(_, checked)| Arc::clone(&checked.options));
        let checked_request = check(model, request, alike);
        checked.push(checked_request.map_err(|source| Error::OneOfConversations {
            index,
            count,
            source: Box::new(source),
        })?);
    }
    let contexts = checked.iter().zip(requests);
    let contexts = contexts
        .map(|(checked, request)| checked.prompt.ids.len() + request.options.max_new_tokens);
    let chunks = requests.iter().map(|request| request.options.prefill_chunk);
    let _entry = model.model().enter(&Request {
        contexts: &contexts.collect::<Vec<_>>(),
        at_once: count,
        images: checked.iter().map(|checked| checked.prompt.shown()).sum(),
        images_held: 0,
        prefill_chunk: chunks.max().unwrap_or(0),
        cache_bytes: 0,
        entered: Held::default(),
    })?;
    let pending = recorded(model, &checked, requests)?;
    let (mut prompts, mut lanes) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (checked, pending) in checked.into_iter().zip(pending) {
        let before = prompts.iter();
        let common = before.map(|other| checked.prompt.shared_with(other, model.model()));
        lanes.push(Lane {
            options: checked.options,
            segments: Vec::new(),
            common: common.collect(),
            shared_image_tokens: 0,
            transcript: checked.transcript,
            usage: Usage {
                prompt_tokens: checked.prompt.ids.len(),
                image_tokens: checked.prompt.shown() * model.model().tokens_per_image(),
                ..Usage::default()
            },
            images: Duration::ZERO,
            broken_off: false,
            pending,
            outcome: None,
        });
        prompts.push(checked.prompt);
    }
    encode(model, prompts, &mut lanes, observer);
    answer(model, &mut lanes, observer)?;
    let outcome = |lane: Lane| lane.outcome.expect("every lane has ended");
    Ok(lanes.into_iter().map(outcome).collect())
}

/// A conversation that nothing was found wrong with.
struct Checked {
    prompt: Prompt,
    transcript: Transcript,
    options: Arc<DecoderOptions>,
}

/// Refuses what can be refused of a conversation before any work. `options`: its options, if another has the same.
fn check(
    model: &MedGemma,
    request: &BatchRequest<'_>,
    options: Option<Arc<DecoderOptions>>,
) -> Result<Checked> {
    let prompt = model.prompt(request.messages)?;
    model.check_context(0, prompt.ids.len(), request.options.max_new_tokens)?;
    let made = || model.decoder_options(request.options).map(Arc::new);
    let options = options.map_or_else(made, Ok)?;
    let transcript = Transcript::new(model.tokenizer(), model.special(), request.options)?;
    Ok(Checked {
        prompt,
        transcript,
        options,
    })
}

/// What was recorded of each request, if anything records.
///
/// # Errors
/// Those of the first that cannot be, with those before it recorded as failed.
fn recorded(
    model: &MedGemma,
    checked: &[Checked],
    requests: &[BatchRequest<'_>],
) -> Result<Vec<Option<Pending>>> {
    let Some(recorder) = model.recorder() else {
        return Ok(requests.iter().map(|_| None).collect());
    };
    let mut pending = Vec::with_capacity(requests.len());
    for (checked, request) in checked.iter().zip(requests) {
        match recorder.request(&checked.prompt, 0, request.options, &[]) {
            Ok(request) => pending.push(request),
            Err(error) => return recorder.failures(&pending, Err(error)),
        }
    }
    Ok(pending.into_iter().map(Some).collect())
}

/// Encodes the images of each prompt; a lane whose images fail, or are broken off, has ended.
fn encode(
    model: &MedGemma,
    prompts: Vec<Prompt>,
    lanes: &mut [Lane],
    observer: &mut BatchObserver<'_>,
) {
    let mut shown = Shown::default();
    for ((index, lane), prompt) in lanes.iter_mut().enumerate().zip(prompts) {
        let mut tell = |progress| observer(index, BatchEvent::Progress(progress));
        match prompt.segments(model.model(), model.prefixes(), &mut shown, &mut tell) {
            Ok(Some(encoded)) => {
                lane.segments = encoded.segments;
                lane.images = encoded.elapsed;
            }
            Ok(None) => {
                lane.broken_off = true;
                lane.end(model, None, &mut |event| observer(index, event));
            }
            Err(error) => lane.fail(model, error),
        }
    }
}

/// Answers what is open, each in its lane.
fn answer(model: &MedGemma, lanes: &mut [Lane], observer: &mut BatchObserver<'_>) -> Result<()> {
    let open = lanes.iter().enumerate();
    let open: Vec<usize> = open
        .filter_map(|(index, lane)| lane.outcome.is_none().then_some(index))
        .collect();
    let segments: Vec<_> = open
        .iter()
        .map(|&index| std::mem::take(&mut lanes[index].segments))
        .collect();
    let options: Vec<_> = open
        .iter()
        .map(|&index| Arc::clone(&lanes[index].options))
        .collect();
    let mut prompts = Vec::with_capacity(open.len());
    for (at, (segments, options)) in segments.iter().zip(&options).enumerate() {
        let lane = &mut lanes[open[at]];
        let begins_as = lane.beginning(&open[..at]);
        let shared = begins_as.map_or(0, |beginning| beginning.positions);
        lane.shared_image_tokens = Segment::cut(segments, 0..shared)
            .iter()
            .filter(|segment| matches!(segment, Segment::Embeddings(_)))
            .map(Segment::len)
            .sum();
        prompts.push(BatchPrompt {
            segments,
            options,
            begins_as,
        });
    }
    let generated = model
        .model()
        .decoder()
        .generate_batch(&prompts, &mut |at, event| {
            let index = open[at];
            lanes[index].follow(model, event, &mut |event| observer(index, event))
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
