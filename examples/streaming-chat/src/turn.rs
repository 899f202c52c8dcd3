//! One turn of the conversation.

use std::error::Error;
use std::io::{self, Write};

use medgemma::{Chat, GenerateOptions, Message};

/// The answer to standard output piece by piece, its figures to standard error.
pub(crate) fn answer(
    chat: &mut Chat,
    message: Message,
    options: &GenerateOptions,
) -> Result<(), Box<dyn Error>> {
    let mut stream = chat.stream(message, options)?;
    let mut out = io::stdout().lock();
    let written = stream.by_ref().try_for_each(|piece| {
        write!(out, "{}", piece?)?;
        Ok(out.flush()?)
    });
    writeln!(out)?;
    let (reply, mut err) = (stream.into_reply(), io::stderr());
    let usage = &reply.usage;
    writeln!(
        err,
        "({} tokens kept, {} read, {} written)",
        usage.cached_tokens, usage.prompt_tokens, usage.reply_tokens
    )?;
    if reply.is_cut_off() {
        writeln!(err, "{}", reply.footnote())?;
    }
    written
}
