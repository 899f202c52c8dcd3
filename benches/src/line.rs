//! The line that the program prints.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use medgemma::{Device, LoadReport};
use medgemma_gemma3::Drafts;
use serde::{Deserialize, Serialize};

use crate::arguments::{Arguments, What, word};
use crate::{engine, machine};

/// A model that was loaded.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Measured {
    /// Bytes of weights in the model's files.
    weight_bytes: u64,
    /// Tensors of the files, by the name of their format.
    formats: BTreeMap<String, usize>,
    /// Where it runs.
    device: String,
}

impl Measured {
    pub(crate) fn new(report: &LoadReport, device: &Device) -> Self {
        Self {
            weight_bytes: report.bytes,
            formats: report.formats.clone(),
            device: device.name().to_owned(),
        }
    }
}

/// What a stage found.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// What is counted: `tokens/s`, `s`, `bytes/s`, `op/s`.
    pub(crate) unit: &'static str,
    /// One number for each run.
    pub(crate) runs: Vec<f64>,
    /// What was measured, where it is a model.
    pub(crate) model: Option<Measured>,
    /// Bytes of keys and values of all conversations at the end.
    pub(crate) cache_bytes: Option<usize>,
    /// Tokens of the prompt, soft tokens included, where its text decided.
    pub(crate) prompt_tokens: Option<usize>,
    /// How guessing went in one run, where there was a choice of it.
    pub(crate) drafts: Option<Drafts>,
    /// The same without the schema, in turn with the others, where there was one.
    pub(crate) free_runs: Option<Vec<f64>>,
    /// The schema's part of the time of each run.
    pub(crate) form_shares: Option<Vec<f64>>,
    /// The most memory at once, where another process took the figure.
    pub(crate) peak_rss_bytes: Option<u64>,
    /// Which of several figures of a stage this is.
    pub(crate) what: Option<&'static str>,
}

impl Figure {
    /// A figure without more to say.
    pub(crate) fn new(unit: &'static str, runs: Vec<f64>) -> Self {
        Self {
            unit,
            runs,
            model: None,
            cache_bytes: None,
            prompt_tokens: None,
            drafts: None,
            free_runs: None,
            form_shares: None,
            peak_rss_bytes: None,
            what: None,
        }
    }

    /// Tokens a second, from the seconds that `tokens` of them took in each run.
    pub(crate) fn rates(tokens: usize, seconds: &[f64]) -> Self {
        let runs = seconds.iter().map(|one| tokens as f64 / one).collect();
        Self::new("tokens/s", runs)
    }
}

#[derive(Serialize)]
struct Line<'a> {
    side: &'static str,
    stage: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'static str>,
    unit: &'static str,
    median: f64,
    runs: &'a [f64],
    peak_rss_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    formats: Option<&'a BTreeMap<String, usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speculation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sampled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drafted_tokens: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_tokens: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    median_without_schema: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_share: Option<f64>,
    cpu: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'static str>,
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mmproj: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    precision: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<usize>,
}

impl<'a> Line<'a> {
    fn new(arguments: &Arguments, figure: &'a Figure) -> Self {
        let guessed = figure.drafts.is_some();
        let used = |what, value| arguments.uses(what).then_some(value);
        Self {
            side: "ours",
            stage: word(&arguments.stage),
            what: figure.what,
            unit: figure.unit,
            median: median(&figure.runs),
            runs: &figure.runs,
            peak_rss_bytes: figure.peak_rss_bytes.or_else(machine::peak_rss_bytes),
            weight_bytes: figure.model.as_ref().map(|model| model.weight_bytes),
            formats: figure.model.as_ref().map(|model| &model.formats),
            cache_bytes: figure.cache_bytes,
            prompt_tokens: figure.prompt_tokens,
            speculation: guessed.then(|| word(&arguments.speculation)),
            text: guessed.then(|| word(&arguments.text)),
            sampled: guessed.then_some(arguments.sampled),
            drafted_tokens: figure.drafts.map(|drafts| drafts.proposed),
            accepted_tokens: figure.drafts.map(|drafts| drafts.accepted),
            schema: shown(arguments.schema.as_deref()),
            median_without_schema: figure.free_runs.as_deref().map(median),
            schema_share: figure.form_shares.as_deref().map(median),
            cpu: machine::cpu(),
            device: figure.model.as_ref().map(|model| model.device.as_str()),
            path: arguments.on_cpu().then(engine::instructions),
            model: shown(arguments.model.as_deref()),
            mmproj: shown(arguments.mmproj.as_deref()),
            image: shown(arguments.image.as_deref()),
            precision: arguments.precision.to_string(),
            kv: arguments.uses(What::Kv).then(|| arguments.kv.to_string()),
            threads: arguments.on_cpu().then(engine::threads),
            tokens: used(What::Tokens, arguments.tokens()),
            context: used(What::Context, arguments.context()),
            batch: used(What::Batch, arguments.batch),
        }
    }
}

/// Prints a figure: as JSON, or in words.
pub(crate) fn print(arguments: &Arguments, figure: &Figure) -> engine::Result<()> {
    let line = Line::new(arguments, figure);
    let mut out = io::stdout().lock();
    if arguments.json || arguments.child {
        serde_json::to_writer(&mut out, &line)?;
        writeln!(out)?;
    } else {
        let what = line
            .what
            .map_or_else(String::new, |what| format!(" ({what})"));
        let drafts = figure.drafts.map_or_else(String::new, |drafts| {
            format!(
                ", {} of {} drafted accepted",
                drafts.accepted, drafts.proposed
            )
        });
        let free = line.median_without_schema.zip(line.schema_share);
        let schema = free.map_or_else(String::new, |(free, share)| {
            format!(
                ", {free:.4} without the schema, which took {:.2} %",
                100.0 * share
            )
        });
        writeln!(
            out,
            "{}{what}: {:.4} {}{drafts}{schema}",
            line.stage, line.median, line.unit
        )?;
    }
    Ok(out.flush()?)
}

fn shown(path: Option<&Path>) -> Option<String> {
    path.map(|path| path.display().to_string())
}

/// The middle one, or the mean of the middle two; NaN of none.
fn median(runs: &[f64]) -> f64 {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Figure, Line, median};
    use crate::arguments::Arguments;
    use crate::{engine, limit};

    #[test]
    fn the_threads_that_are_told_and_probed_are_those_in_use() {
        // The process has one number of them, so all are asked for here.
        let available = std::thread::available_parallelism().map_or(1, usize::from);
        for (asked, expected) in [("0", available), ("1", 1), ("3", 3), ("5000", 1024)] {
            let words = ["medgemma-bench", "--stage", "limit", "--threads", asked];
            let arguments = Arguments::parse_from(words);
            engine::configure(&arguments).expect("the best instructions are there");
            let figure = Figure::new("op/s", vec![1.0]);
            let told = Line::new(&arguments, &figure).threads;
            assert_eq!(told, Some(expected), "--threads {asked}");
            assert_eq!(limit::cpu().pool().threads(), expected, "--threads {asked}");
        }
    }

    #[test]
    fn one_slow_run_does_not_move_the_median() {
        assert!((median(&[1.0, 2.0, 900.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }
}
