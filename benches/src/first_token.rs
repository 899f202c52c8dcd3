//! From the start of a process to the first token about an image: what someone waits for who asks
//! one question. Every run is a process of its own, this program called again.

use std::env;
use std::process::{Command, Stdio};
use std::time::Instant;

use medgemma::{GenerateOptions, Message};
use serde_json::Value;

use crate::arguments::Arguments;
use crate::engine::{self, Result};
use crate::line::Figure;
use crate::machine;

/// The figure of several processes.
pub(crate) fn of_children(arguments: &Arguments) -> Result<Figure> {
    let mut runs = Vec::with_capacity(arguments.runs);
    let mut peak_rss_bytes = None;
    for _ in 0..arguments.runs {
        let line = child()?;
        let seconds = line["median"].as_f64();
        runs.push(seconds.ok_or("a run printed no figure")?);
        peak_rss_bytes = peak_rss_bytes.max(line["peak_rss_bytes"].as_u64());
    }
    Ok(Figure {
        peak_rss_bytes,
        ..Figure::new("s", runs)
    })
}

/// The line that this program prints when called with the same arguments for one run.
fn child() -> Result<Value> {
    let output = Command::new(env::current_exe()?)
        .args(env::args_os().skip(1))
        .arg("--child")
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("a run ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The figure of this process, which began at `begun` at the latest.
pub(crate) fn of_this_process(arguments: &Arguments, begun: Instant) -> Result<Figure> {
    let model = engine::load(arguments)?;
    let question = Message::user().image(engine::picture(arguments)?);
    let options = GenerateOptions::default().with_max_new_tokens(1);
    let messages = [question.text("Describe this image.")];
    model.generate(&messages, &options.with_ignore_stop_ids(true))?;
    let seconds = machine::since_process_start(begun);
    Ok(Figure {
        weight_bytes: Some(model.model().report().bytes),
        ..Figure::new("s", vec![seconds])
    })
}
