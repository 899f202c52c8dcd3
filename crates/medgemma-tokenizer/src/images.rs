//! Image placeholders: expanded in the text before it is encoded, found again among the ids afterwards.
//!
//! Follows `Gemma3Processor` of transformers 5.23 (`processing_gemma3.py`, `full_image_sequence` and
//! `replace_image_token`). Expansion is done in text because newlines next to an image merge with the image's own
//! (`user\n` + `\n\n<start_of_image>` has one token `\n\n\n`); splicing ids would miss that.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::special::{END_OF_IMAGE, IMAGE_SOFT_TOKEN, START_OF_IMAGE};

/// Largest number of soft tokens in one prompt: eight times Gemma 3's context of 131 072 tokens. A bound against
/// absurd arguments, not a promise that a model takes as many.
pub const MAX_SOFT_TOKENS: usize = 1 << 20;

/// Expands each `<start_of_image>` in `text` into the tokens of its image.
///
/// `crops[i]` is the number of pan & scan crops of image `i`, 0 without pan & scan; its length is the number of
/// images. Without crops a placeholder becomes `\n\n<start_of_image>`, `tokens_per_image` soft tokens,
/// `<end_of_image>\n\n`. With crops it becomes a sentence holding one such block for the whole image and one for each
/// crop; the pixels are then needed in the order image, its crops, next image.
///
/// # Errors
/// [`Error::ImageCount`] unless placeholders and images are equally many; [`Error::NoSoftTokens`];
/// [`Error::TooManySoftTokens`] above [`MAX_SOFT_TOKENS`].
pub fn expand_images(text: &str, tokens_per_image: usize, crops: &[usize]) -> Result<String> {
    let placeholders = text.matches(START_OF_IMAGE).count();
    if placeholders != crops.len() {
        return Err(Error::ImageCount {
            placeholders,
            images: crops.len(),
        });
    }
    if placeholders == 0 {
        return Ok(text.to_owned());
    }
    if tokens_per_image == 0 {
        return Err(Error::NoSoftTokens);
    }
    let soft_tokens = crops
        .iter()
        .try_fold(0usize, |blocks, &n| blocks.checked_add(n)?.checked_add(1))
        .and_then(|blocks| blocks.checked_mul(tokens_per_image))
        .unwrap_or(usize::MAX);
    if soft_tokens > MAX_SOFT_TOKENS {
        return Err(Error::TooManySoftTokens {
            limit: MAX_SOFT_TOKENS,
            found: soft_tokens,
        });
    }

    let block = image_block(tokens_per_image);
    let mut expanded = String::with_capacity(text.len() + soft_tokens * IMAGE_SOFT_TOKEN.len());
    let mut pieces = text.split(START_OF_IMAGE);
    expanded.push_str(pieces.next().unwrap_or_default());
    for (piece, &crops) in pieces.zip(crops) {
        push_image(&mut expanded, &block, crops);
        expanded.push_str(piece);
    }
    Ok(expanded)
}

/// Finds the runs of soft tokens in `ids`: the rows of the input that a model overwrites by image embeddings and lets
/// attend to each other both ways.
///
/// Each run must have length `tokens_per_image`. The caller compares their number with its images (an image with
/// crops has one run more for each crop).
///
/// # Errors
/// [`Error::ImageSpan`] at the first run of another length.
pub fn image_spans(
    ids: &[u32],
    soft_token: u32,
    tokens_per_image: usize,
) -> Result<Vec<Range<usize>>> {
    let mut spans = Vec::new();
    let mut start = 0;
    for run in ids.chunk_by(|a, b| (*a == soft_token) == (*b == soft_token)) {
        let end = start + run.len();
        if run.first() == Some(&soft_token) {
            if run.len() != tokens_per_image {
                return Err(Error::ImageSpan {
                    start,
                    expected: tokens_per_image,
                    found: run.len(),
                });
            }
            spans.push(start..end);
        }
        start = end;
    }
    Ok(spans)
}

fn image_block(tokens_per_image: usize) -> String {
    let soft_tokens = IMAGE_SOFT_TOKEN.repeat(tokens_per_image);
    format!("\n\n{START_OF_IMAGE}{soft_tokens}{END_OF_IMAGE}\n\n")
}

fn push_image(text: &mut String, block: &str, crops: usize) {
    if crops == 0 {
        text.push_str(block);
        return;
    }
    text.push_str("Here is the original image ");
    text.push_str(block);
    text.push_str(" and here are some crops to help you see better ");
    for crop in 0..crops {
        if crop > 0 {
            text.push(' ');
        }
        text.push_str(block);
    }
}
