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
    for piece in &mut stream {
        write!(out, "{}", piece?)?;
        out.flush()?;
    }
    writeln!(out)?;
    let usage = stream.into_reply().usage;
    Ok(writeln!(
        io::stderr(),
        "({} tokens kept, {} read, {} written)",
        usage.cached_tokens,
        usage.prompt_tokens,
        usage.reply_tokens
    )?)
}
