//! The stages of the dual encoder: pictures and texts to vectors, each counted for itself.

use medgemma::{MedSigLip, Pixels};

use crate::arguments::Arguments;
use crate::engine::{self, Result};
use crate::line::{Figure, Measured};
use crate::stages::timed;

/// Seconds an image, from its pixels to its vector, `--batch` of them in a row.
pub(crate) fn images(arguments: &Arguments) -> Result<Figure> {
    let model = engine::dual_encoder(arguments)?;
    let picture = engine::picture(arguments)?;
    let pixels: Vec<Pixels> = model.processor()?.process(&picture)?.pixels;
    let pixels = pixels.first().ok_or("the image has no pixels")?;
    each(arguments, &model, || {
        for _ in 0..arguments.batch {
            model.embed_pixels(pixels)?;
        }
        Ok(())
    })
}

/// Seconds a text, from its ids to its vector, `--batch` of them in one call.
pub(crate) fn texts(arguments: &Arguments) -> Result<Figure> {
    let model = engine::dual_encoder(arguments)?;
    let config = &model.config().text_config;
    let vocabulary = u32::try_from(config.vocab_size)?;
    let length = u32::try_from(config.max_position_embeddings)?.min(20);
    let ids = |text: u32| (0..length).map(move |at| (text * 131 + at * 7919 + 3) % vocabulary);
    let texts: Vec<Vec<u32>> = (0..u32::try_from(arguments.batch)?)
        .map(|text| ids(text).collect())
        .collect();
    each(arguments, &model, || {
        model.embed_token_ids(&texts)?;
        Ok(())
    })
}

/// The time of `work`, shared among the batch.
fn each(
    arguments: &Arguments,
    model: &MedSigLip,
    work: impl FnMut() -> Result<()>,
) -> Result<Figure> {
    let batch = f64::from(u32::try_from(arguments.batch)?);
    let seconds = timed(arguments.runs, 1, work)?;
    Ok(Figure {
        model: Some(Measured::new(model.report(), model.device())),
        ..Figure::new("s", seconds.into_iter().map(|all| all / batch).collect())
    })
}
