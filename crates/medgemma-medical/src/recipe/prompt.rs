//! Text and pictures of one message, in the order in which the model was trained with them.

use std::fmt;

use medgemma_image::Image;

use super::record::Recipe;

/// One part of a message. `Debug` prints sizes only.
#[derive(Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever makes a message of it must not overlook a kind of part"
)]
pub enum Item {
    /// Words.
    Text(String),
    /// A picture.
    Image(Image),
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Image(image) => image.fmt(f),
        }
    }
}

/// A message to be sent, and what was done to its pictures.
///
/// The crate `medgemma` takes it by folding its items:
///
/// ```
/// # use medgemma_medical::{Item, MrRecipe, Plane};
/// # // Stands in for `medgemma::Message`, which this crate does not depend on.
/// # #[derive(Default)]
/// # struct Message(Vec<String>);
/// # impl Message {
/// #     fn user() -> Self { Self::default() }
/// #     fn text(mut self, text: String) -> Self { self.0.push(text); self }
/// #     fn image(mut self, _: medgemma_image::Image) -> Self { self.0.push("image".into()); self }
/// # }
/// # fn main() -> medgemma_medical::Result<()> {
/// let slices = [Plane::new(1, 2, vec![0.0, 3.0])?, Plane::new(1, 2, vec![1.0, 2.0])?];
/// let prompt = MrRecipe::default().prepare(&slices, None)?.prompt("You read MR.", "What is it?");
/// let message = prompt.into_items().into_iter().fold(Message::user(), |message, item| match item {
///     Item::Image(image) => message.image(image),
///     Item::Text(text) => message.text(text),
///     # _ => message,
/// });
/// assert_eq!(message.0, ["You read MR.", "image", "SLICE 1", "image", "SLICE 2", "What is it?"]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    items: Vec<Item>,
    recipe: Recipe,
}

impl Prompt {
    pub(super) fn new(items: Vec<Item>, recipe: Recipe) -> Self {
        Self { items, recipe }
    }

    /// The parts, in order.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The parts, given away.
    #[must_use]
    pub fn into_items(self) -> Vec<Item> {
        self.items
    }

    /// What was done to the pictures.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }
}
