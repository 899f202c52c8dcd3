//! Boxes on pictures: the question, the answer in all its forms, pixels, a drawing.

mod draw;
mod frame;
mod parse;
mod prompt;

pub use draw::{Mark, draw};
pub use frame::{Fit, Frame, MAX_SIDE, PixelBox};
pub use parse::{BoxProblem, Boxes, Located, Region, SkippedBox, boxes};
pub use prompt::localization_prompt;
