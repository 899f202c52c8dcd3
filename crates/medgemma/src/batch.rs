//! Several conversations answered side by side.

mod lane;

use std::ops::ControlFlow;
use std::sync::Arc;

use medgemma_gemma3::{BatchPrompt, GenerateOptions as DecoderOptions, Segment};

use self::lane::Lane;
use crate::error::{Error, ErrorKind, Result};
use crate::medgemma::MedGemma;
use crate::memory::{Held, Request};
use crate::message::Message;
use crate::options::{GenerateOptions, Progress};
use crate::prompt::{Prompt, Shown};
use crate::recording::Pending;
use crate::reply::{Piece, Reply};
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
    /// How far the work is where there is no text to show: before its first token, and after tokens without a text.
    Progress(Progress),
    /// A piece of its answer.
    Piece(Piece),
    /// Its answer has ended, and is recorded where there is an audit log; others may go on.
    Ended(&'a Reply),
    /// Its answer has failed, or could not be recorded; others may go on. The error itself is in its place in what comes
    /// back. Not told where the whole batch ends with an error.
    Failed {
        /// As [`Error::kind`].
        kind: ErrorKind,
        /// What the error says.
        message: &'a str,
    },
}

/// Told the index of a conversation and what happened to it; with [`ControlFlow::Break`] that answer ends
/// there, [`FinishReason::Cancelled`](crate::FinishReason::Cancelled).
pub type BatchObserver<'a> = dyn FnMut(usize, BatchEvent<'_>) -> ControlFlow<()> + 'a;

/// Checks all conversations, then encodes the images of each, and then writes all answers side by side.
///
/// # Errors
/// As [`MedGemma::generate_batch_observed`].
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
        scored: 0,
        images: checked.iter().map(|checked| checked.prompt.shown()).sum(),
        images_held: 0,
        prefill_chunk: chunks.max().unwrap_or(0),
        cache_bytes: 0,
        entered: Held::default(),
    })?;
    let pending = recorded(model, &checked, requests)?;
    let (mut prompts, mut lanes) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (checked, pending) in checked.into_iter().zip(pending) {
        let Checked {
            prompt,
            transcript,
            options,
        } = checked;
        let lane = Lane::new(model, &prompt, &prompts, options, transcript, pending);
        lanes.push(lane);
        prompts.push(prompt);
    }
    encode(model, prompts, &mut lanes, observer);
    answer(model, &mut lanes, observer)?;
    Ok(lanes.into_iter().map(Lane::outcome).collect())
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
            Ok(Some(encoded)) => lane.encoded(encoded),
            Ok(None) => lane.break_off(model, &mut |event| observer(index, event)),
            Err(error) => lane.fail(model, error, &mut |event| observer(index, event)),
        }
    }
}

/// Answers what is open, each in its lane.
fn answer(model: &MedGemma, lanes: &mut [Lane], observer: &mut BatchObserver<'_>) -> Result<()> {
    let open = lanes.iter().enumerate();
    let open: Vec<usize> = open
        .filter_map(|(index, lane)| lane.is_open().then_some(index))
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
                    lanes[index].failed_with(error.into());
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
