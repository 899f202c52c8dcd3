//! The pictures most like what is asked for, as a table and as a contact sheet.

use std::error::Error;
use std::fs;
use std::io::{self, Write};

use medgemma::{Image, SiglipNormalization};
use medgemma_search::{Cpu, Filter, Hit, Index, Ingestion, Query, Value};

use crate::arguments::QueryTask;
use crate::encoder::Encoder;
use crate::place::Place;
use crate::sheet::sheet;
use crate::{NOTICE, plain};

pub(crate) fn run(task: &QueryTask, encoder: &Encoder) -> Result<(), Box<dyn Error>> {
    let index = Index::open(&task.index, &encoder.fingerprint)?;
    encoder.keep(&task.index);
    let mut wanted = Vec::new();
    if let Some(text) = &task.text {
        let embedding = encoder
            .embed_text(text, task.normalization)
            .map_err(advised)?
            .ok_or_else(|| empty(text, task.normalization))?;
        wanted.push((embedding, task.text_weight));
    }
    if let Some(path) = &task.image {
        let image = Image::open(path)?;
        if let Some(few) = image.few_bits() {
            writeln!(io::stderr(), "{}: {few}", plain(path.display()))?;
        }
        let embedding = encoder.embed_pixels(&encoder.pixels(&image)?)?;
        wanted.push((embedding, 1.0 - task.text_weight));
    }
    // One alone is the direction, whatever its weight: without a second none can be given.
    let parts: Vec<_> = wanted
        .iter()
        .map(|(part, w)| (part.as_slice(), *w))
        .collect();
    // Slices of one series hardly differ: codes alone might not tell which are the best.
    let mut query = Query::weighted(&parts)?.with_k(task.top).with_exact();
    if let Some(filter) = filter(&task.filter) {
        query = query.with_filter(filter);
    }
    let hits = index.search(&Cpu::detect(), &query)?;
    let mut out = io::stdout().lock();
    writeln!(out, "similarity  file")?;
    let mut placed = Vec::with_capacity(hits.len());
    for hit in hits {
        // The whole file is read.
        let place = Place::of(&hit);
        let (score, file) = (hit.score, plain(text(&hit, Ingestion::FILE)));
        writeln!(out, "{score:>10.4}  {file}{}", place.remark())?;
        placed.push((place, hit));
    }
    if let Some(path) = &task.html {
        let page = sheet(task, &placed, index.len());
        fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(writeln!(io::stderr(), "{NOTICE}")?)
}

/// What the library advises is a call; here there is no option for it.
fn advised(error: medgemma::Error) -> Box<dyn Error> {
    match error {
        medgemma::Error::TextTooLong { limit, found, .. } => format!(
            "--text: it has {found} tokens with its end, more than the {limit} that the model reads; shorten it"
        )
        .into(),
        other => other.into(),
    }
}

/// Said of a text that would find anything.
fn empty(text: &str, normalization: SiglipNormalization) -> String {
    format!(
        "--text: expected words, found {text:?}, of which --normalization {normalization} leaves nothing; say in words what the pictures show"
    )
}

/// All conditions. On the command line 512 may be a text or a number: both are looked for; so are a name
/// and what metadata have in its place.
fn filter(conditions: &[(String, String)]) -> Option<Filter> {
    let one = |(key, value): &(String, String)| {
        let mut values = vec![Value::from(value.as_str())];
        values.extend(value.parse::<f64>().map(Value::from));
        if ["file", "folder", "path"].contains(&&**key) {
            values.push(Ingestion::escaped(value).into());
        }
        Filter::is_in(key, values)
    };
    conditions.iter().map(one).reduce(Filter::and)
}

/// A value of a hit's metadata, to be shown.
pub(crate) fn text(hit: &Hit, name: &str) -> String {
    let text = hit.metadata.get(name).map(Value::to_string);
    let name = Ingestion::unescaped(&text.unwrap_or_default());
    name.to_string_lossy().into_owned()
}
