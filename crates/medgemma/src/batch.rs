//! Many prompts at once: batched answers, and scores of given answers.

use std::ops::ControlFlow;
use std::time::Duration;

use medgemma_gemma3::{
    DEFAULT_CHUNK, GenerateOptions as DecoderOptions, Generated, Segment, Token,
};
use serde::Serialize;

use crate::error::Result;
use crate::medgemma::MedGemma;
use crate::memory::Request;
use crate::message::Message;
use crate::options::GenerateOptions;
use crate::prompt::{Encoded, Prompt};
use crate::recording::scoring;
use crate::reply::{FinishReason, NOTICE, Reply, Timings, Usage, reason};
use crate::transcript::Transcript;

/// How likely the model finds one given answer. **Not for clinical use**: a likelihood under a
/// language model is no probability of a finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Score {
    /// Natural log-probability of each token of the answer, given those before it.
    pub token_logprobs: Vec<f32>,
}

impl Score {
    /// Log-probability of the whole answer.
    #[must_use]
    pub fn total(&self) -> f32 {
        self.token_logprobs.iter().sum()
    }

    /// Log-probability for each token, for answers of different lengths; 0 for an empty one.
    #[must_use]
    #[allow(
        clippy::cast_precision_loss,
        reason = "an answer has far fewer than 2²⁴ tokens"
    )]
    pub fn mean(&self) -> f32 {
        self.total() / self.token_logprobs.len().max(1) as f32
    }
}

/// One conversation of a batch: what the decoder reads, and the answer so far.
struct Lane {
    segments: Vec<Segment>,
    transcript: Transcript,
    tokens: Vec<Token>,
    usage: Usage,
    images: Duration,
}

impl Lane {
    /// Cuts the answer as a stream would have; it ends with a stop string.
    fn take(&mut self, token: Token) -> ControlFlow<()> {
        self.tokens.push(token);
        self.transcript.push(token.id);
        if self.transcript.stopped() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn reply(mut self, answer: &Generated) -> Reply {
        self.transcript.finish();
        let finish = match answer.finish {
            _ if self.transcript.stopped() => FinishReason::StopString,
            finish => reason(finish),
        };
        Reply {
            reasoning_cut_off: self.transcript.in_thought(),
            text: self.transcript.text,
            reasoning: self.transcript.reasoning,
            finish,
            usage: Usage {
                reply_tokens: self.tokens.len(),
                ..self.usage
            },
            timings: Timings {
                images: self.images,
                prefill: answer.prefill,
                decode: answer.decode,
            },
            tokens: self.tokens,
            not_for_clinical_use: true,
            notice: NOTICE,
        }
    }
}

pub(crate) fn generate(
    model: &MedGemma,
    conversations: &[Vec<Message>],
    options: &GenerateOptions,
) -> Result<Vec<Reply>> {
    let mut prompts = Vec::with_capacity(conversations.len());
    for messages in conversations {
        let prompt = model.prompt(messages)?;
        model.check_context(0, prompt.ids.len(), options.max_new_tokens)?;
        prompts.push(prompt);
    }
    let context = |prompt: &Prompt| prompt.ids.len() + options.max_new_tokens;
    model.model().check_memory(&Request {
        contexts: &prompts.iter().map(context).collect::<Vec<_>>(),
        at_once: prompts.len(),
        images: prompts.iter().map(Prompt::shown).sum(),
        images_held: 0,
        prefill_chunk: options.prefill_chunk,
        held: 0,
    })?;
    let decoder_options = model.decoder_options(options)?;
    let recorder = model.recorder();
    let pending = match recorder {
        Some(recorder) => {
            let requests = prompts
                .iter()
                .map(|prompt| recorder.request(prompt, 0, options, &[]));
            requests.collect::<Result<Vec<_>>>()?
        }
        None => Vec::new(),
    };
    let answered = answer(model, prompts, options, &decoder_options);
    let Some(recorder) = recorder else {
        return answered;
    };
    let replies = recorder.failures(&pending, answered)?;
    for (pending, reply) in pending.iter().zip(&replies) {
        recorder.reply(pending, reply)?;
    }
    Ok(replies)
}

/// The answers to these prompts, side by side.
fn answer(
    model: &MedGemma,
    prompts: Vec<Prompt>,
    options: &GenerateOptions,
    decoder_options: &DecoderOptions,
) -> Result<Vec<Reply>> {
    let mut lanes = prompts
        .into_iter()
        .map(|prompt| lane(model, prompt, options))
        .collect::<Result<Vec<_>>>()?;
    let segments: Vec<Vec<Segment>> = lanes
        .iter_mut()
        .map(|lane| std::mem::take(&mut lane.segments))
        .collect();
    let answers = model.model().decoder().generate_batch(
        &segments,
        decoder_options,
        &mut |index, token| lanes[index].take(token),
    )?;
    let replies = lanes.into_iter().zip(answers);
    Ok(replies.map(|(lane, answer)| lane.reply(&answer)).collect())
}

fn lane(model: &MedGemma, prompt: Prompt, options: &GenerateOptions) -> Result<Lane> {
    let transcript = Transcript::new(model.tokenizer(), model.special(), options)?;
    let tokens_per_image = model
        .model()
        .config()
        .multimodal
        .as_ref()
        .map_or(0, |m| m.mm_tokens_per_image);
    let usage = Usage {
        prompt_tokens: prompt.ids.len(),
        image_tokens: prompt.shown() * tokens_per_image,
        ..Usage::default()
    };
    let encoded = prompt.segments(model.model(), model.prefixes(), &mut |_| {
        ControlFlow::Continue(())
    })?;
    let Encoded {
        segments, elapsed, ..
    } = encoded.unwrap_or_default();
    Ok(Lane {
        segments,
        transcript,
        tokens: Vec::new(),
        usage,
        images: elapsed,
    })
}

pub(crate) fn score(
    model: &MedGemma,
    messages: &[Message],
    answers: &[&str],
) -> Result<Vec<Score>> {
    let prompt = model.prompt(messages)?;
    let texts = answers;
    let answers = encode(model, texts)?;
    let longest = answers.iter().map(Vec::len).max().unwrap_or(0);
    model.check_context(0, prompt.ids.len(), longest)?;
    model.model().check_memory(&Request {
        contexts: &[prompt.ids.len() + longest],
        at_once: 1,
        images: prompt.shown(),
        images_held: 0,
        prefill_chunk: DEFAULT_CHUNK,
        held: 0,
    })?;
    scoring(model.recorder(), prompt, 0, texts, |prompt| {
        scores(model, prompt, &GenerateOptions::default(), &answers)
    })
}

/// The scores of these answers to a prompt.
fn scores(
    model: &MedGemma,
    prompt: Prompt,
    options: &GenerateOptions,
    answers: &[Vec<u32>],
) -> Result<Vec<Score>> {
    let segments = lane(model, prompt, options)?.segments;
    let scores = model.model().decoder().score(&segments, answers)?;
    Ok(scores
        .into_iter()
        .map(|token_logprobs| Score { token_logprobs })
        .collect())
}

/// The ids of given answers.
pub(crate) fn encode(model: &MedGemma, answers: &[&str]) -> Result<Vec<Vec<u32>>> {
    let encoded = answers.iter().map(|text| model.tokenizer().encode(text));
    Ok(encoded.collect::<std::result::Result<Vec<_>, _>>()?)
}
