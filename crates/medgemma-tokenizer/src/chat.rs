//! Typed conversations and the text that Gemma 3's chat template makes of them.
//!
//! Semantics of the Jinja template published with Gemma 3 and MedGemma (written by transformers'
//! `convert_gemma3_weights.py`), rendered here without Jinja. Deviation: a system instruction without any message,
//! which the template drops silently, is an error here.
//!
//! Text is rendered as it stands, as the template does: a `<end_of_turn>` inside a user's text ends the turn. Callers
//! that paste untrusted text into a prompt decide about that themselves.

use std::fmt;

use crate::error::{Error, Result};
use crate::special::{BOS, END_OF_TURN, START_OF_IMAGE, START_OF_TURN};

/// Who speaks in a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// The person who asks.
    User,
    /// The model (`model` in the prompt, `assistant` in chat messages).
    Assistant,
}

impl Role {
    /// Name of the role in a prompt.
    fn turn_name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "model",
        }
    }

    /// Name of the role in chat messages, used in error messages.
    fn message_name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One part of a message. The order of parts is the order in the prompt. `Debug` shows the text's size only.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// Text; white space at both ends is dropped when rendered.
    Text(String),
    /// The place of one image; the pixels travel beside the text, in the same order.
    Image,
}

impl fmt::Debug for Part {
    /// What a text says of a patient is not for logs and panic messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Image => f.write_str("Image"),
        }
    }
}

/// One turn of a conversation: a role and its parts.
///
/// A plain string content in the sense of transformers is a message with one text part: both render alike.
/// `Debug` shows sizes only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said and shown, in order.
    pub parts: Vec<Part>,
}

impl Message {
    /// A message of `role` with the given parts.
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        Self { role, parts }
    }

    /// A user's message without parts, to be extended by [`text`](Self::text) and [`image`](Self::image).
    pub fn user() -> Self {
        Self::new(Role::User, Vec::new())
    }

    /// The model's message without parts.
    pub fn assistant() -> Self {
        Self::new(Role::Assistant, Vec::new())
    }

    /// Appends text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    /// Appends the place of one image.
    #[must_use]
    pub fn image(mut self) -> Self {
        self.parts.push(Part::Image);
        self
    }

    /// Number of images in this message.
    pub fn images(&self) -> usize {
        self.parts
            .iter()
            .filter(|part| matches!(part, Part::Image))
            .count()
    }
}

/// Renders a conversation from its beginning.
///
/// `<bos>`, then for each message `<start_of_turn>`, role, newline, content, `<end_of_turn>`, newline. The system
/// instruction, untrimmed, and an empty line go before the first user's content. Text parts are trimmed one by one
/// and joined without separator; an image is `<start_of_image>`. With `add_generation_prompt` the text ends in the
/// opening of the model's turn. The result holds its `<bos>`: encode it with
/// [`encode_prompt`](crate::Tokenizer::encode_prompt), which never adds a second.
///
/// # Errors
/// [`Error::EmptyConversation`] without messages, [`Error::Alternation`] unless roles alternate from the user on.
pub fn render(
    system: Option<&str>,
    messages: &[Message],
    add_generation_prompt: bool,
) -> Result<String> {
    if messages.is_empty() {
        return Err(Error::EmptyConversation);
    }
    let mut text = String::from(BOS);
    for (index, message) in messages.iter().enumerate() {
        let expected = if index % 2 == 0 {
            Role::User
        } else {
            Role::Assistant
        };
        expect_role(index, expected, message)?;
        open_turn(&mut text, message.role);
        if let (0, Some(system)) = (index, system) {
            text.push_str(system);
            text.push_str("\n\n");
        }
        push_parts(&mut text, message);
        close_turn(&mut text);
    }
    if add_generation_prompt {
        open_turn(&mut text, Role::Assistant);
    }
    Ok(text)
}

/// Renders what follows the model's finished reply when the user goes on: the end of the model's turn, the user's
/// turn, and the opening of the next reply.
///
/// For a trimmed reply, `render` of the whole conversation equals the first prompt + reply + this text, so a cache
/// that holds the first two need only be fed this.
///
/// # Errors
/// [`Error::Alternation`] if the message isn't the user's.
pub fn render_continuation(message: &Message) -> Result<String> {
    expect_role(0, Role::User, message)?;
    let mut text = String::new();
    close_turn(&mut text);
    open_turn(&mut text, Role::User);
    push_parts(&mut text, message);
    close_turn(&mut text);
    open_turn(&mut text, Role::Assistant);
    Ok(text)
}

/// Drops the white space which Python's `str.strip`, and with it Jinja's `trim`, drops at both ends.
///
/// Unicode's `White_Space` as in [`str::trim`], and the four separators U+001C to U+001F that Python counts besides.
pub fn trim(text: &str) -> &str {
    text.trim_matches(is_python_space)
}

/// What Python's `str.isspace` and the `\s` of its regular expressions take for white space.
pub(crate) fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn expect_role(index: usize, expected: Role, message: &Message) -> Result<()> {
    if message.role == expected {
        return Ok(());
    }
    Err(Error::Alternation {
        index,
        expected: expected.message_name(),
        found: message.role.message_name(),
    })
}

fn open_turn(text: &mut String, role: Role) {
    text.push_str(START_OF_TURN);
    text.push_str(role.turn_name());
    text.push('\n');
}

fn close_turn(text: &mut String) {
    text.push_str(END_OF_TURN);
    text.push('\n');
}

fn push_parts(text: &mut String, message: &Message) {
    for part in &message.parts {
        match part {
            Part::Text(part) => text.push_str(trim(part)),
            Part::Image => text.push_str(START_OF_IMAGE),
        }
    }
}
