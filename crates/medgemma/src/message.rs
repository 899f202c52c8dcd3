//! What a user says and shows, in order.

use std::fmt;

use medgemma_image::Image;
use medgemma_tokenizer::{Message as Turn, Role as TurnRole};

use crate::error::{Error, Result};

/// One part of a [`Message`]. `Debug` prints sizes only: what a patient's record says must not
/// reach a log by way of `{:?}`.
#[derive(Clone)]
#[non_exhaustive]
pub enum Part {
    /// Text; white space at both ends is dropped, as the chat template does. Two that follow each other are
    /// one for the model, with nothing between them.
    Text(String),
    /// A picture.
    Image(Image),
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Image> for Part {
    fn from(image: Image) -> Self {
        Self::Image(image)
    }
}

impl Extend<Part> for Message {
    /// Appends parts in their order.
    fn extend<T: IntoIterator<Item = Part>>(&mut self, parts: T) {
        self.parts.extend(parts);
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Image(image) => image.fmt(f),
        }
    }
}

/// One turn of a conversation. Text and images keep their order: MedGemma was trained with the
/// image of an X-ray before its question, and with `SLICE i` after each image of a volume.
#[derive(Debug, Clone)]
pub struct Message {
    role: Role,
    parts: Vec<Part>,
}

/// Whose a [`Message`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// An instruction's, in front of a conversation.
    System,
    /// The user's.
    User,
    /// The model's.
    Assistant,
}

impl Message {
    /// An empty message of the user's.
    #[must_use]
    pub fn user() -> Self {
        Self {
            role: Role::User,
            parts: Vec::new(),
        }
    }

    /// An instruction in front of a conversation, its first message. MedGemma has no system role:
    /// the template puts the text, as it is, in front of the first user message, and so does this.
    /// A [`Chat`](crate::Chat) takes it by [`with_system`](crate::Chat::with_system) instead. It is one text:
    /// images, and other texts, go into a user message.
    #[must_use]
    pub fn system(text: impl Into<String>) -> Self {
        Self {
            role: Role::System,
            parts: vec![Part::Text(text.into())],
        }
    }

    /// An empty message of the model's, for conversations that begin elsewhere.
    #[must_use]
    pub fn assistant() -> Self {
        Self {
            role: Role::Assistant,
            parts: Vec::new(),
        }
    }

    /// Appends text. The chat template drops the white space at both ends of each text and puts nothing
    /// between two: `.text("Dose: 5").text("0.5 mg given")` reaches the model as `Dose: 50.5 mg given`. Make
    /// one text of what belongs together.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    /// Appends an image.
    #[must_use]
    pub fn image(mut self, image: Image) -> Self {
        self.parts.push(Part::Image(image));
        self
    }

    /// Whose it is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Text and images, in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The images, in order.
    pub(crate) fn images(&self) -> impl Iterator<Item = &Image> {
        self.parts.iter().filter_map(|part| match part {
            Part::Image(image) => Some(image),
            Part::Text(_) => None,
        })
    }

    pub(crate) fn is_user(&self) -> bool {
        self.role == Role::User
    }

    pub(crate) fn is_system(&self) -> bool {
        self.role == Role::System
    }

    /// The text of a system message.
    ///
    /// # Errors
    /// [`Error::SystemParts`] for one with images or further texts: the template has a place for one text.
    pub(crate) fn system_text(&self) -> Result<&str> {
        match self.parts.as_slice() {
            [Part::Text(text)] => Ok(text),
            parts => {
                let images = self.images().count();
                let texts = parts.len() - images;
                Err(Error::SystemParts { images, texts })
            }
        }
    }

    /// The message without its pixels, for the chat template.
    ///
    /// # Errors
    /// [`Error::SystemMessage`] for a system message, which is no turn.
    pub(crate) fn to_turn(&self) -> Result<Turn> {
        let role = match self.role {
            Role::System => return Err(Error::SystemMessage),
            Role::User => TurnRole::User,
            Role::Assistant => TurnRole::Assistant,
        };
        let turn = Turn::new(role, Vec::new());
        Ok(self.parts.iter().fold(turn, |turn, part| match part {
            Part::Text(text) => turn.text(text),
            Part::Image(_) => turn.image(),
        }))
    }
}
