//! The question for a box, as MedGemma 1.5 was trained to be asked.

/// The user's text that asks where something is on a radiograph, to follow the picture.
///
/// It says what Google's notebook on localisation in chest X-rays says (MedGemma 1.5): the order and
/// the scale of the numbers, the form of the list, that left is the patient's left, that reasoning
/// comes before the final answer. The words are ours but for the forms in quotation marks, which
/// the model knows. That picture should be padded to a square; then
/// [`Fit::PadCentred`](crate::Fit::PadCentred) finds its pixels.
///
/// `object` is put on one line.
#[must_use]
pub fn localization_prompt(object: &str) -> String {
    let object = object.split_whitespace().collect::<Vec<_>>().join(" ");
    format!(
        "Give the place of what is asked for as boxes. A box is \"box_2d\": [y0, x0, y1, x1], whole \
         numbers from 0 to 1000 of the picture's height and width, where [0, 0] is its upper left \
         corner, y0 < y1 and x0 < x1. Write them as a list of JSON objects with a label each, for \
         example:\n\
         ```json\n\
         [{{\"box_2d\": [800, 3, 840, 471], \"label\": \"car\"}}]\n\
         ```\n\
         In anatomical names, \"left\" refers to the patient's left, which is on the right side of \
         the picture when the patient faces you.\n\n\
         Where is the {object}? Don't give a final answer without reasoning. Output the final \
         answer in the format \"Final Answer: X\", where X is the list of JSON objects described \
         above."
    )
}

#[cfg(test)]
mod tests {
    use super::localization_prompt;
    use crate::{Region, boxes};

    #[test]
    fn the_question_stays_on_its_line_and_its_example_is_a_box() {
        let prompt = localization_prompt("left\nclavicle \t ");
        assert!(
            prompt.contains("Where is the left clavicle? Don't"),
            "{prompt}"
        );
        assert!(prompt.contains("\"left\" refers to the patient's left"));
        let found = boxes(prompt.split("Where is").next().expect("the first part"));
        let regions: Vec<Region> = found.boxes.iter().map(|found| found.region).collect();
        assert_eq!(
            regions,
            [Region::new(800.0, 3.0, 840.0, 471.0).expect("a box")]
        );
    }
}
