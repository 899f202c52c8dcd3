//! SigLIP: the embeddings of texts and pictures, and the logit of each pair.

use std::error::Error;
use std::io::{self, Write};

use medgemma::{Device, Embedding, MedSigLip, SiglipOptions, SiglipTextOptions};

use crate::output::Output;
use crate::{Arguments, tell_unknown};

/// Computes what texts and pictures allow: without one of them there are no logits.
pub(crate) fn run(arguments: &Arguments, device: &Device) -> Result<Output, Box<dyn Error>> {
    if !arguments.prompt_ids.is_empty() {
        return Err(
            "--prompt-ids are MedGemma's: give a SigLIP model --text or --input-ids".into(),
        );
    }
    let mut options = SiglipOptions::default().with_interpolate(arguments.interpolate);
    if let Some(resize) = arguments.resize {
        options = options.with_resize(resize);
    }
    let model = MedSigLip::load_with(&arguments.model, device, options)?;
    tell_unknown(&model.config().unknown_keys)?;
    let rows = input_ids(&model, arguments)?;
    let mut pixels = Vec::new();
    for image in arguments.images() {
        pixels.extend(model.processor()?.process(&image?)?.pixels);
    }
    if rows.is_empty() && pixels.is_empty() {
        return Err("nothing to compute: give --text, --input-ids or --image".into());
    }

    let texts = model.embed_token_ids(&rows)?;
    let images = pixels.iter().map(|pixels| model.embed_pixels(pixels));
    let images = images.collect::<medgemma::Result<Vec<_>>>()?;
    let mut output = Output::default();
    if !rows.is_empty() {
        let length = model.config().text_config.max_position_embeddings;
        output.ids("input_ids", &[rows.len(), length], &rows.concat());
        embeddings(&mut output, "text_embeds", &texts);
    }
    if !pixels.is_empty() {
        output.pixels(&pixels)?;
        embeddings(&mut output, "image_embeds", &images);
    }
    if !rows.is_empty() && !pixels.is_empty() {
        let logits = images.iter().map(|image| model.logits(image, &texts));
        let logits = logits.collect::<medgemma::Result<Vec<_>>>()?.concat();
        output.floats("logits_per_image", &[images.len(), texts.len()], &logits);
    }
    writeln!(
        io::stdout(),
        "{} text(s), {} image(s)",
        texts.len(),
        images.len()
    )?;
    Ok(output)
}

/// A row for each text, padded to the model's length as its tower does it.
fn input_ids(model: &MedSigLip, arguments: &Arguments) -> Result<Vec<Vec<u32>>, Box<dyn Error>> {
    let config = &model.config().text_config;
    let mut rows = if arguments.text.is_empty() {
        let rows = arguments.input_ids.iter().map(|list| parsed(list));
        rows.collect::<Result<Vec<_>, _>>()?.concat()
    } else {
        let texts: Vec<&str> = arguments.text.iter().map(String::as_str).collect();
        let options = SiglipTextOptions::default()
            .with_normalization(arguments.normalization)
            .with_truncate(arguments.truncate);
        model.tokenize(&texts, &options).map_err(advised)?
    };
    for row in &mut rows {
        let length = config.max_position_embeddings.max(row.len());
        row.resize(length, config.pad_token_id);
    }
    Ok(rows)
}

/// What the library advises is a call, here it is an option.
fn advised(error: medgemma::Error) -> Box<dyn Error> {
    match error {
        medgemma::Error::TextTooLong {
            index,
            limit,
            found,
            ..
        } => format!(
            "--text, number {}: it has {found} tokens with its end, more than the {limit} that the model reads; shorten it, or give --truncate",
            index + 1
        )
        .into(),
        other => other.into(),
    }
}

/// The texts of one list: `5,7,1`, `[5, 7, 1]` or `[[5, 7, 1], [9, 1]]`.
fn parsed(list: &str) -> Result<Vec<Vec<u32>>, Box<dyn Error>> {
    let list = list.trim();
    let json = match list.starts_with("[[") {
        true => list.to_owned(),
        false if list.starts_with('[') => format!("[{list}]"),
        false => format!("[[{list}]]"),
    };
    let wrong = |error| format!("--input-ids {list}: expected ids such as 5,7,1: {error}");
    Ok(serde_json::from_str(&json).map_err(wrong)?)
}

/// Rows of unit length, `[n, e]`.
fn embeddings(output: &mut Output, name: &str, rows: &[Embedding]) {
    let numbers: Vec<f32> = rows.iter().flat_map(Embedding::as_slice).copied().collect();
    output.floats(name, &[rows.len(), rows[0].width()], &numbers);
}
