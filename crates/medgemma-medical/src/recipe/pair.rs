//! Two radiographs of one patient, the earlier first (notebook of the longitudinal comparison).

use super::picture::PreparedPicture;
use super::prompt::{Item, Prompt};
use super::record::Recipe;

/// What the notebook asks, its line break included.
pub const LONGITUDINAL_QUESTION: &str = "Provide a comparison of these two images and include details from\n\
the image which students should take note of when reading longitudinal CXR";

/// The message of a comparison: the earlier picture, the later, the question.
///
/// ```
/// use medgemma_medical::{LONGITUDINAL_QUESTION, Plane, XrayRecipe, longitudinal};
///
/// let [before, after] = [1.0, 2.0].map(|v| Plane::new(1, 2, vec![0.0, v]));
/// let recipe = XrayRecipe::default();
/// let prompt = longitudinal(recipe.prepare(&before?)?, recipe.prepare(&after?)?, LONGITUDINAL_QUESTION);
/// assert_eq!(prompt.items().len(), 3);
/// # Ok::<(), medgemma_medical::Error>(())
/// ```
#[must_use]
pub fn longitudinal(before: PreparedPicture, after: PreparedPicture, question: &str) -> Prompt {
    let (earlier, before) = before.into_parts();
    let (later, after) = after.into_parts();
    let items = vec![
        Item::Image(earlier),
        Item::Image(later),
        Item::Text(question.to_owned()),
    ];
    let recipe = Recipe::Longitudinal {
        before: Box::new(before),
        after: Box::new(after),
    };
    Prompt::new(items, recipe)
}
