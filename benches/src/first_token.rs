//! From the start of a process to the first token about an image: what someone waits for who asks
//! one question. Every run is a process of its own, this program called again.

use std::env;
use std::process::{Command, Stdio};
use std::time::Instant;

use medgemma::{GenerateOptions, MedGemma, Message};
use medgemma_bench::TEXT;
use serde::Deserialize;
use serde_json::Value;

use crate::arguments::Arguments;
use crate::engine::{self, Result};
use crate::line::{Figure, Measured};
use crate::machine;

/// The figure of several processes.
pub(crate) fn of_children(arguments: &Arguments) -> Result<Figure> {
    let mut runs = Vec::with_capacity(arguments.runs);
    let mut peak_rss_bytes = None;
    let mut last = Value::Null;
    for _ in 0..arguments.runs {
        let line = child()?;
        let seconds = line["median"].as_f64();
        runs.push(seconds.ok_or("a run printed no figure")?);
        peak_rss_bytes = peak_rss_bytes.max(line["peak_rss_bytes"].as_u64());
        last = line;
    }
    Ok(Figure {
        peak_rss_bytes,
        model: Measured::deserialize(&last).ok(),
        prompt_tokens: last["prompt_tokens"]
            .as_u64()
            .and_then(|count| usize::try_from(count).ok()),
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
    let options = GenerateOptions::default().with_max_new_tokens(1);
    let messages = [question(&model, arguments)?];
    let reply = model.generate(&messages, &options.with_ignore_stop_ids(true))?;
    let seconds = machine::since_process_start(begun);
    Ok(Figure {
        model: Some(Measured::new(
            model.model().report(),
            model.model().device(),
        )),
        prompt_tokens: Some(reply.usage.prompt_tokens),
        ..Figure::new("s", vec![seconds])
    })
}

/// A question about one image; where a context is asked for, amid a record that fills it.
fn question(model: &MedGemma, arguments: &Arguments) -> Result<Message> {
    const QUESTION: &str = "Describe this image.";
    let image = engine::picture(arguments)?;
    if arguments.context() == 0 {
        return Ok(Message::user().image(image).text(QUESTION));
    }
    let bare = [Message::user().image(image.clone()).text(QUESTION)];
    let room = arguments
        .context()
        .checked_sub(model.prompt_ids(&bare)?.len());
    let room = room.ok_or("--context is less than the image and the question take")?;
    let before = record(model, room / 2)?;
    let after = record(model, room - room / 2)?;
    let message = Message::user().text(before).image(image);
    Ok(message.text(format!("{after}{QUESTION}")))
}

/// The report over and over, as many words as `room` tokens hold.
fn record(model: &MedGemma, room: usize) -> Result<String> {
    let tokens = |text: &str| model.tokenizer().encode(text).map(|ids| ids.len());
    let whole = tokens(TEXT)?;
    let mut text = TEXT.repeat(room / whole);
    let mut rest = String::new();
    for word in TEXT.split_inclusive(' ') {
        if tokens(&rest)? + tokens(word)? > room % whole {
            break;
        }
        rest.push_str(word);
    }
    text.push_str(&rest);
    Ok(text)
}
