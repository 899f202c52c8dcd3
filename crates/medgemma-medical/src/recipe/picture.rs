//! One picture as the model will see it, whatever recipe made it.

use medgemma_image::Image;

use super::prompt::{Item, Prompt};
use super::record::Recipe;

/// A picture as the model will see it: of a radiograph or of a photograph.
#[derive(Debug, Clone)]
pub struct PreparedPicture {
    image: Image,
    recipe: Recipe,
}

impl PreparedPicture {
    pub(super) fn new(image: Image, recipe: Recipe) -> Self {
        Self { image, recipe }
    }

    /// The picture.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// What was done.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The message as in the model card's example: the picture, then the question.
    #[must_use]
    pub fn prompt(self, question: &str) -> Prompt {
        let items = vec![Item::Image(self.image), Item::Text(question.to_owned())];
        Prompt::new(items, self.recipe)
    }

    pub(super) fn into_parts(self) -> (Image, Recipe) {
        (self.image, self.recipe)
    }
}
