//! What an audit log says of a model's work: a record before it begins, one when it is done, and digests
//! in place of what was asked, shown and answered.

use medgemma_audit::Audit;
use medgemma_image::Image;
use medgemma_tensor::cpu;
use serde::Serialize;

use crate::error::Result;
use crate::model::Model;
use crate::options::{GenerateOptions, LoadOptions};
use crate::prompt::Prompt;
use crate::reply::{FinishReason, Reply, Usage};
use crate::score::Score;

/// An audit log, and the model that it is about.
#[derive(Debug)]
pub(crate) struct Recorder {
    audit: Audit,
    model: String,
}

/// Where a model comes from; once, when it is loaded.
#[derive(Serialize)]
struct Loaded<'a> {
    model: &'a str,
    device: &'a str,
    precision: String,
    kv_cache: String,
    /// Digests of images are of what was given: this is what was made of it. None for a model of text.
    images: Option<Preparation>,
    version: &'static str,
}

/// How an image becomes pixels, by the checkpoint's processor and the caller's choices.
#[derive(Serialize)]
struct Preparation {
    resizer: &'static str,
    pad_to_square: bool,
    pan_and_scan: Option<Cuts>,
}

/// The settings of [`PanAndScan`](medgemma_image::PanAndScan).
#[derive(Serialize)]
struct Cuts {
    min_crop_size: usize,
    max_num_crops: usize,
    min_ratio_to_activate: f64,
}

/// What was asked, before any work.
#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    /// Digest of [`prompt_content`].
    prompt: String,
    prompt_tokens: usize,
    /// Tokens of the conversation before these.
    context_tokens: usize,
    /// Digests of [`image_content`], in order.
    images: &'a [String],
    options: Options<'a>,
    /// With the request, since a process may set both at any time.
    threads: usize,
    instructions: &'static str,
}

/// [`GenerateOptions`], stop strings and schema as digests.
#[derive(Serialize)]
struct Options<'a> {
    max_new_tokens: usize,
    temperature: f32,
    top_k: Option<usize>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    repetition_penalty: f32,
    seed: u64,
    stop_strings: Vec<String>,
    ignore_stop_ids: bool,
    prefill_chunk: usize,
    speculation: &'static str,
    #[cfg(feature = "structured")]
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Form>,
    /// Digests of the answers that are to be scored.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    answers: &'a [String],
}

/// What an answer is written by.
#[cfg(feature = "structured")]
#[derive(Serialize)]
struct Form {
    /// Digest of [`Schema::json`](crate::Schema::json).
    json: String,
    /// Whether a thought may come first.
    reasoning: bool,
}

/// What came of it, before it is handed out.
#[derive(Serialize)]
struct Answer<'a> {
    /// The request's record.
    request: u64,
    /// Digest of the text.
    output: String,
    reasoning: Option<String>,
    finish: FinishReason,
    usage: &'a Usage,
    images_ms: u128,
    prefill_ms: u128,
    decode_ms: u128,
}

#[derive(Serialize)]
struct Scored {
    request: u64,
    /// Digest of all log-probabilities, f32 little endian.
    output: String,
}

/// Nothing came of it.
#[derive(Serialize)]
struct Failed {
    request: u64,
}

/// A request that was recorded and not answered yet.
#[derive(Debug)]
pub(crate) struct Pending(u64);

impl Recorder {
    /// Records that a model was loaded.
    pub(crate) fn new(
        audit: Audit,
        checksum: String,
        model: &Model,
        precision: String,
        kv_cache: String,
    ) -> Result<Self> {
        audit.append(
            "loaded",
            &Loaded {
                model: &checksum,
                device: model.device().name(),
                precision,
                kv_cache,
                images: preparation(model),
                version: env!("CARGO_PKG_VERSION"),
            },
        )?;
        Ok(Self {
            audit,
            model: checksum,
        })
    }

    /// Digests of images.
    pub(crate) fn images(&self, images: &[&Image]) -> Vec<String> {
        let digest = |image: &&Image| self.audit.digest(&image_content(image));
        images.iter().map(digest).collect()
    }

    /// Records a prompt behind `context_tokens` of its conversation.
    pub(crate) fn request(
        &self,
        prompt: &Prompt,
        context_tokens: usize,
        options: &GenerateOptions,
        answers: &[&str],
    ) -> Result<Pending> {
        let digests = |texts: &mut dyn Iterator<Item = &str>| -> Vec<String> {
            texts
                .map(|text| self.audit.digest(text.as_bytes()))
                .collect()
        };
        // All of them: what is forgotten here is missed when somebody asks how an answer came about.
        let GenerateOptions {
            max_new_tokens,
            sampling,
            stop_strings,
            ignore_stop_ids,
            prefill_chunk,
            speculation,
            #[cfg(feature = "structured")]
            schema,
        } = options;
        let request = Request {
            model: &self.model,
            prompt: self.audit.digest(&prompt_content(&prompt.ids)),
            prompt_tokens: prompt.ids.len(),
            context_tokens,
            images: &prompt.digests,
            options: Options {
                max_new_tokens: *max_new_tokens,
                temperature: sampling.temperature,
                top_k: sampling.top_k,
                top_p: sampling.top_p,
                min_p: sampling.min_p,
                repetition_penalty: sampling.repetition_penalty,
                seed: sampling.seed,
                stop_strings: digests(&mut stop_strings.iter().map(String::as_str)),
                ignore_stop_ids: *ignore_stop_ids,
                prefill_chunk: *prefill_chunk,
                speculation: speculation.name(),
                #[cfg(feature = "structured")]
                schema: schema.as_ref().map(|schema| Form {
                    json: self.audit.digest(schema.json().as_bytes()),
                    reasoning: schema.reasoning(),
                }),
                answers: &digests(&mut answers.iter().copied()),
            },
            threads: cpu::threads(),
            instructions: cpu::instructions().name(),
        };
        Ok(Pending(self.audit.append("request", &request)?.sequence))
    }

    pub(crate) fn reply(&self, pending: &Pending, reply: &Reply) -> Result<()> {
        let digest = |text: &String| self.audit.digest(text.as_bytes());
        let answer = Answer {
            request: pending.0,
            output: digest(&reply.text),
            reasoning: reply.reasoning.as_ref().map(digest),
            finish: reply.finish,
            usage: &reply.usage,
            images_ms: reply.timings.images.as_millis(),
            prefill_ms: reply.timings.prefill.as_millis(),
            decode_ms: reply.timings.decode.as_millis(),
        };
        self.audit.append("reply", &answer)?;
        Ok(())
    }

    fn scores(&self, pending: &Pending, scores: &[Score]) -> Result<()> {
        let numbers = scores.iter().flat_map(|score| &score.token_logprobs);
        let bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
        let scored = Scored {
            request: pending.0,
            output: self.audit.digest(&bytes),
        };
        self.audit.append("scores", &scored)?;
        Ok(())
    }

    /// `result` as it is, its failure recorded for each request.
    pub(crate) fn failures<T>(&self, pending: &[Pending], result: Result<T>) -> Result<T> {
        if result.is_ok() {
            return result;
        }
        self.failed(pending)?;
        result
    }

    /// Records that nothing came of each of these requests; if it cannot be for one, it is for the others.
    pub(crate) fn failed(&self, pending: &[Pending]) -> Result<()> {
        let mut recorded = Ok(());
        for request in pending {
            let failed = Failed { request: request.0 };
            let appended = self.audit.append("failed", &failed).map(drop);
            recorded = recorded.and(appended);
        }
        Ok(recorded?)
    }
}

/// What `work` makes of a prompt behind `context_tokens` of its conversation: scores of `answers`, recorded
/// if anything records.
pub(crate) fn scoring(
    recorder: Option<&Recorder>,
    prompt: Prompt,
    context_tokens: usize,
    answers: &[&str],
    work: impl FnOnce(Prompt) -> Result<Vec<Score>>,
) -> Result<Vec<Score>> {
    let Some(recorder) = recorder else {
        return work(prompt);
    };
    let options = GenerateOptions::default();
    let pending = recorder.request(&prompt, context_tokens, &options, answers)?;
    let scores = recorder.failures(std::slice::from_ref(&pending), work(prompt))?;
    recorder.scores(&pending, &scores)?;
    Ok(scores)
}

/// How keys and values, precision and the like are named in a record.
pub(crate) fn load_names(options: &LoadOptions<'_>) -> (String, String) {
    (options.precision.to_string(), options.kv_cache.to_string())
}

fn preparation(model: &Model) -> Option<Preparation> {
    model.config().multimodal.as_ref()?;
    let processor = model.processor();
    let cuts = processor.pan_and_scan().map(|settings| Cuts {
        min_crop_size: settings.min_crop_size,
        max_num_crops: settings.max_num_crops,
        min_ratio_to_activate: settings.min_ratio_to_activate,
    });
    Some(Preparation {
        resizer: processor.resizer().name(),
        pad_to_square: processor.pad_to_square(),
        pan_and_scan: cuts,
    })
}

/// What the digest of a prompt is made of: its ids, four bytes each, little endian. They are those of
/// [`MedGemma::prompt_ids`](crate::MedGemma::prompt_ids) and [`Chat::prompt_ids`](crate::Chat::prompt_ids).
#[must_use]
pub fn prompt_content(ids: &[u32]) -> Vec<u8> {
    ids.iter().flat_map(|id| id.to_le_bytes()).collect()
}

/// What the digest of an image is made of: width and height, eight bytes each, little endian, and its
/// samples as [`Image::as_rgb8`] has them. Two files of the same picture have one digest.
#[must_use]
pub fn image_content(image: &Image) -> Vec<u8> {
    let mut content = Vec::with_capacity(16 + image.as_rgb8().len());
    for side in [image.width(), image.height()] {
        content.extend_from_slice(&(side as u64).to_le_bytes());
    }
    content.extend_from_slice(image.as_rgb8());
    content
}
