//! The stages that are timed within one process.

use std::time::Instant;

use medgemma_gemma3::{DEFAULT_CHUNK, Decoder, KvCache, Segment};
use medgemma_tensor::{Tensor, vec_from};

use crate::arguments::Arguments;
use crate::engine::{self, Result};
use crate::line::{Figure, Measured};

/// Seconds until the model can answer, and that once more for each run.
pub(crate) fn load(arguments: &Arguments) -> Result<Figure> {
    let mut measured = None;
    let seconds = timed(arguments.runs, 1, || {
        let model = engine::load(arguments)?;
        let model = model.model();
        measured = Some(Measured::new(model.report(), model.device()));
        Ok(())
    })?;
    Ok(Figure {
        model: measured,
        ..Figure::new("s", seconds)
    })
}

/// Tokens read a second.
pub(crate) fn prefill(arguments: &Arguments) -> Result<Figure> {
    let model = engine::weights(arguments)?;
    let decoder = model.decoder();
    let ids = prompt(decoder, arguments.tokens());
    let mut cache_bytes = None;
    // A long prompt warms itself up.
    let warm = usize::from(ids.len() <= 1024);
    let seconds = timed(arguments.runs, warm, || {
        let cache = read(decoder, &ids)?;
        cache_bytes = Some(cache.bytes());
        Ok(())
    })?;
    Ok(Figure {
        model: Some(Measured::new(model.report(), model.device())),
        cache_bytes,
        ..Figure::rates(ids.len(), &seconds)
    })
}

/// Tokens written a second, by all conversations together.
pub(crate) fn decode(arguments: &Arguments) -> Result<Figure> {
    let model = engine::weights(arguments)?;
    let decoder = model.decoder();
    let begun = read(decoder, &prompt(decoder, arguments.context()))?;
    let ids: Vec<u32> = prompt(decoder, arguments.batch + 1)[1..].to_vec();
    let mut seconds = Vec::with_capacity(arguments.runs);
    let mut cache_bytes = 0;
    for run in 0..=arguments.runs {
        let mut caches = vec![begun.clone(); arguments.batch];
        // The first token copies what the conversations shared.
        step(decoder, &ids, &mut caches)?;
        let start = Instant::now();
        for _ in 0..arguments.tokens() {
            step(decoder, &ids, &mut caches)?;
        }
        if run > 0 {
            seconds.push(start.elapsed().as_secs_f64());
        }
        cache_bytes = caches.iter().map(KvCache::bytes).sum();
    }
    let tokens = arguments.tokens() * arguments.batch;
    Ok(Figure {
        model: Some(Measured::new(model.report(), model.device())),
        cache_bytes: Some(cache_bytes),
        ..Figure::rates(tokens, &seconds)
    })
}

/// Seconds from the pixels of one image to its soft tokens, read back.
pub(crate) fn vision(arguments: &Arguments) -> Result<Figure> {
    let model = engine::weights(arguments)?;
    let pixels = model.process(&engine::picture(arguments)?)?.pixels;
    let pixels = pixels.first().ok_or("the image has no pixels")?;
    let seconds = timed(arguments.runs, 1, || {
        model.encode(pixels)?.to_vec()?;
        Ok(())
    })?;
    Ok(Figure {
        model: Some(Measured::new(model.report(), model.device())),
        ..Figure::new("s", seconds)
    })
}

/// Seconds of each of `runs` calls, after `warm` that do not count.
pub(crate) fn timed(
    runs: usize,
    warm: usize,
    mut work: impl FnMut() -> Result<()>,
) -> Result<Vec<f64>> {
    for _ in 0..warm {
        work()?;
    }
    let mut seconds = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        work()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok(seconds)
}

/// `count` ids of ordinary pieces, the same as the peers read; speed does not depend on which.
fn prompt(decoder: &Decoder, count: usize) -> Vec<u32> {
    const SPREAD: usize = 7919;
    let vocabulary = decoder.config().vocab_size;
    let (first, pieces) = if vocabulary > 201_000 {
        (1000, 200_000)
    } else {
        (vocabulary / 8, vocabulary / 2)
    };
    let piece = |at: usize| u32::try_from(first + at * SPREAD % pieces).unwrap_or(1);
    std::iter::once(2)
        .chain((1..).map(piece))
        .take(count)
        .collect()
}

/// A conversation that has read `ids`.
fn read(decoder: &Decoder, ids: &[u32]) -> Result<KvCache> {
    let mut cache = decoder.new_cache();
    let prompt = [Segment::Tokens(ids.to_vec())];
    let logits = decoder.prefill(&prompt, &mut cache, DEFAULT_CHUNK, &mut |_, _| true)?;
    settle(logits.ok_or("nobody stops the reading")?)?;
    Ok(cache)
}

/// One more token in every conversation.
fn step(decoder: &Decoder, ids: &[u32], caches: &mut [KvCache]) -> Result<()> {
    let mut caches: Vec<&mut KvCache> = caches.iter_mut().collect();
    settle(decoder.decode(ids, &mut caches)?)
}

/// Reads numbers back: a device works on while the program goes on.
fn settle(logits: Tensor<2>) -> Result<()> {
    vec_from(logits, "logits")?;
    Ok(())
}
