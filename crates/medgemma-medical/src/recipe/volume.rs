//! What recipes of volumes have in common: slices of one shape in one direction, of which some are shown.

use medgemma_image::Image;

use super::prompt::{Item, Prompt};
use super::record::{Order, Recipe};
use super::sampler::Sampler;
use crate::dicom::{cross, dot};
use crate::error::{Error, Result};
use crate::plane::Plane;
use crate::remark::Remark;
use crate::volume::Volume;

/// A volume as the model will see it: one picture for each slice shown.
#[derive(Debug, Clone)]
pub struct PreparedVolume {
    images: Vec<Image>,
    recipe: Recipe,
}

impl PreparedVolume {
    pub(super) fn new(images: Vec<Image>, recipe: Recipe) -> Self {
        Self { images, recipe }
    }

    /// The pictures, in order.
    #[must_use]
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// What was done.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The message as MedGemma 1.5 was trained with it (notebook; Google-Health/medgemma#76): what the model is to do,
    /// then each slice followed by `SLICE 1`, `SLICE 2` and so on, and the question last. The numbers count the slices
    /// shown, not those of the series.
    #[must_use]
    pub fn prompt(self, instruction: &str, question: &str) -> Prompt {
        let slices = self.images.into_iter().enumerate();
        let slices = slices.flat_map(|(index, image)| {
            [
                Item::Image(image),
                Item::Text(format!("SLICE {}", index + 1)),
            ]
        });
        let items = std::iter::once(Item::Text(instruction.to_owned()))
            .chain(slices)
            .chain([Item::Text(question.to_owned())]);
        Prompt::new(items.collect(), self.recipe)
    }
}

/// Checks a volume and chooses its slices. `positions` are places along the normal of the slices, `remarks` those of
/// the volume that they come from.
pub(super) fn choose(
    slices: &[Plane],
    positions: Option<&[f64]>,
    sampler: &Sampler,
    remarks: &[Remark],
) -> Result<Order> {
    let slices_shown = sampler.choose(slices.len())?;
    let shape = |plane: &Plane| [plane.rows(), plane.columns()];
    let first = slices.first().map(shape);
    if let Some(index) = slices.iter().position(|plane| Some(shape(plane)) != first) {
        let [rows, columns] = shape(&slices[index]);
        let [first_rows, first_columns] = first.unwrap_or_default();
        return Err(Error::argument(
            format!("slices[{index}]"),
            format!(
                "{first_rows} x {first_columns} values as the first slice: leave out localisers and other series"
            ),
            format!("{rows} x {columns}"),
        ));
    }
    if let Some(positions) = positions {
        check_order(positions, slices.len())?;
    }
    check_finite(slices)?;
    Ok(Order {
        slices_given: slices.len(),
        slices_left_out: remarks.iter().map(Remark::dropped).sum(),
        remarks: remarks.iter().map(Remark::to_string).collect(),
        slices_shown,
        sampler: sampler.name(),
        order_checked: positions.is_some(),
    })
}

/// Refuses values that have no place between black and white, be their slices shown or not.
fn check_finite(slices: &[Plane]) -> Result<()> {
    for (index, plane) in slices.iter().enumerate() {
        if let Some(value) = plane.values().iter().find(|value| !value.is_finite()) {
            let argument = format!("slices[{index}]");
            return Err(Error::argument(
                argument,
                "finite values",
                value.to_string(),
            ));
        }
    }
    Ok(())
}

/// Refuses positions that are not one for each slice, or do not all run the same way. Names of files and even instance
/// numbers may run otherwise than the body does.
fn check_order(positions: &[f64], slices: usize) -> Result<()> {
    if positions.len() != slices {
        let (expected, found) = (slices.to_string(), positions.len().to_string());
        return Err(Error::argument(
            "positions",
            format!("{expected}, one for each slice"),
            found,
        ));
    }
    let up = positions.is_sorted_by(|a, b| a < b);
    let down = positions.is_sorted_by(|a, b| a > b);
    if up || down {
        return Ok(());
    }
    let turns = positions
        .windows(3)
        .position(|w| !((w[0] < w[1] && w[1] < w[2]) || (w[0] > w[1] && w[1] > w[2])));
    let found = match turns {
        Some(at) => format!("a turn or a repetition at slice {}", at + 1),
        None => "two slices in one place, or a position that is no number".to_owned(),
    };
    Err(Error::argument(
        "positions",
        "places along the normal that all grow or all shrink: sort the slices by them, and leave out what was taken twice",
        found,
    ))
}

/// Places of the planes along their normal, for volumes that lie as a radiologist looks at them.
///
/// A volume whose planes are mirrored or upside down is refused: NIfTI files come in any order of axes. Columns have to
/// run to the patient's left (or, of sagittal planes, to the back), rows to the back (or to the feet), and planes along the
/// normal of both, as slices of DICOM are ordered: axial ones to the head.
pub(super) fn positions(volume: &Volume) -> Result<Vec<f64>> {
    let column = |index: usize| volume.affine.map(|row| row[index]);
    let direction = |index: usize| {
        let column = column(index);
        let axis = (0..3).max_by(|&a, &b| column[a].abs().total_cmp(&column[b].abs()));
        axis.map(|axis| (axis, column[axis] > 0.0))
    };
    let columns = matches!(direction(0), Some((0 | 1, true)));
    let rows = matches!(direction(1), Some((1, true) | (2, false)));
    let up = dot(cross(column(0), column(1)), column(2)) > 0.0;
    let planes = up || volume.planes.len() < 2;
    if !(columns && rows && planes) {
        return Err(Error::argument(
            "volume",
            "planes that lie as a radiologist looks at them: Volume::axial turns them",
            "mirrored or turned planes, or planes in the other order",
        ));
    }
    #[expect(clippy::cast_precision_loss, reason = "no volume has 2^53 planes")]
    let places = (0..volume.planes.len()).map(|plane| plane as f64 * volume.spacing[2]);
    Ok(places.collect())
}

/// The picture, square if wanted.
pub(super) fn square(image: Image, pad: bool) -> Result<Image> {
    if pad {
        Ok(image.padded_to_square()?)
    } else {
        Ok(image)
    }
}
