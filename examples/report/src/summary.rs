//! What is said beside the answer, on standard error: figures, notice, errors.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use medgemma::{Device, FinishReason, NOTICE, Reply};

/// Said before the shipped model says anything.
const DEMONSTRATION: &str = "This is the tiny demonstration model of this example, NOT \
MedGemma: it tells kinds of pictures apart and knows no medicine. Never use its answers. For \
MedGemma, get the weights from Google and pass --model DIR.";

/// What the user must know before the first word.
pub(crate) fn introduction(demonstration: bool) -> io::Result<()> {
    if demonstration {
        writeln!(io::stderr(), "{DEMONSTRATION}")?;
    }
    Ok(())
}

/// Tokens, times, reason of the end, and always the notice.
pub(crate) fn figures(reply: &Reply, device: &Device) -> io::Result<()> {
    let (usage, timings) = (&reply.usage, &reply.timings);
    let first = (timings.images + timings.prefill).as_secs_f64();
    let speed = timings.tokens_per_second(usage);
    let speed = speed.map_or("too few tokens to say".to_owned(), |speed| {
        format!("{speed:.1}")
    });
    let mut err = io::stderr().lock();
    writeln!(err, "\ndevice                {device}")?;
    writeln!(err, "prompt tokens         {}", usage.prompt_tokens)?;
    writeln!(err, "of these, image       {}", usage.image_tokens)?;
    writeln!(err, "new tokens            {}", usage.reply_tokens)?;
    writeln!(err, "time to first token   {first:.3} s")?;
    writeln!(err, "tokens per second     {speed}")?;
    writeln!(err, "finish reason         {}", finish(reply))?;
    writeln!(err, "{NOTICE}")
}

fn finish(reply: &Reply) -> &'static str {
    match reply.finish {
        FinishReason::Stop => "stop: the model ended its turn",
        FinishReason::StopString => "stop string",
        FinishReason::Length if reply.reasoning_cut_off => {
            "length: cut off while reasoning, there is no answer; raise --max-new-tokens"
        }
        FinishReason::Length => "length: the answer is cut off; raise --max-new-tokens",
        FinishReason::Cancelled => "cancelled",
        other => other.name(),
    }
}

/// An error with those of its causes that its message does not tell already, one a line.
pub(crate) fn failure(error: &dyn Error) -> ExitCode {
    let mut err = io::stderr().lock();
    let (mut told, mut cause) = (error.to_string(), error.source());
    let _ = writeln!(err, "error: {told}");
    while let Some(error) = cause {
        let message = error.to_string();
        if !told.contains(&message) {
            let _ = writeln!(err, "  caused by: {message}");
        }
        (told, cause) = (message, error.source());
    }
    ExitCode::FAILURE
}
