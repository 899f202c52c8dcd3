//! What a user says and shows, in order.

use std::fmt;

use medgemma_image::Image;
use medgemma_tokenizer::{Message as Turn, Role};

/// One part of a [`Message`]. `Debug` prints sizes only: what a patient's record says must not
/// reach a log by way of `{:?}`.
#[derive(Clone)]
#[non_exhaustive]
pub enum Part {
    /// Text; white space at both ends is dropped, as the chat template does.
    Text(String),
    /// A picture.
    Image(Image),
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

impl Message {
    /// An empty message of the user's.
    #[must_use]
    pub fn user() -> Self {
        Self {
            role: Role::User,
            parts: Vec::new(),
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

    /// Appends text.
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

    /// The message without its pixels, for the chat template.
    pub(crate) fn to_turn(&self) -> Turn {
        self.parts
            .iter()
            .fold(Turn::new(self.role, Vec::new()), |turn, part| match part {
                Part::Text(text) => turn.text(text),
                Part::Image(_) => turn.image(),
            })
    }
}
