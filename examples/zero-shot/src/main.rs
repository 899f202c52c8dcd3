//! Pictures against classes described in words: logit, sigmoid and softmax of each on the terminal,
//! and on request as a picture.

mod arguments;
mod chart;
mod labels;
mod table;

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::slice;

use arguments::Arguments;
use chart::Panel;
use clap::Parser;
use image::ImageFormat;
use labels::Label;
use medgemma::{Class, Classification, Device, Image, MedSigLip, Probability};

/// Said before the shipped model says anything.
const DEMONSTRATION: &str = "This is the tiny demonstration model of this example, NOT MedSigLIP: \
it tells kinds of pictures apart and knows no medicine. For MedSigLIP, get the weights from Google \
and pass --model DIR.";

/// Said where a class has nothing to be weighed against.
const ONE_CLASS: &str = "One class: its sigmoid decides, since its softmax is 1 whatever the picture \
shows.";

/// Said after every answer.
const NOTICE: &str = "Not for clinical use: a model's opinion, not a diagnosis, not a medical \
device; a qualified person must verify it independently.";

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {}", plain(error));
            ExitCode::FAILURE
        }
    }
}

/// A text whose control characters are spelt out. In the name of a file they would act on the terminal: begin a line
/// that nobody has written, or clear others.
pub(crate) fn plain(text: impl Display) -> String {
    let mut plain = String::new();
    for letter in text.to_string().chars() {
        match letter.is_control() {
            true => plain.extend(letter.escape_default()),
            false => plain.push(letter),
        }
    }
    plain
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let device: Device = arguments.device.parse()?;
    let labels = arguments.labels()?;
    let count = arguments
        .list
        .map_or(labels.len(), |list| list.classes.len());
    let by = arguments.by(count)?;
    if arguments.is_demonstration() {
        writeln!(io::stderr(), "{DEMONSTRATION}\n")?;
    }
    if count == 1 {
        writeln!(io::stderr(), "{ONE_CLASS}\n")?;
    }
    let model = MedSigLip::load_with(&arguments.model, &device, arguments.load_options())?;
    let classes = match arguments.list {
        Some(list) => list.embed_with(&model, &arguments.text_options()),
        None => labels::embed(&model, &labels, &arguments.text_options()),
    };
    let classes = classes.map_err(labels::advised)?;
    let threshold = arguments.threshold;
    let mut out = io::stdout().lock();
    let (mut panels, most) = (Vec::new(), chart::most(classes.len()));
    let (mut unanswered, mut undrawn) = (0, 0);
    for path in &arguments.image {
        let drawn = arguments.png.is_some() && panels.len() < most;
        match answer(path, &model, &classes, drawn) {
            Ok((found, thumbnail)) => {
                undrawn += usize::from(arguments.png.is_some() && !drawn);
                writeln!(out, "{}", plain(path.display()))?;
                table::write(&mut out, &found, by, threshold)?;
                writeln!(out)?;
                panels.extend(thumbnail.map(|thumbnail| Panel { thumbnail, found }));
            }
            Err(error) => {
                unanswered += 1;
                let _ = writeln!(io::stderr(), "not answered: {}", plain(error));
            }
        }
    }
    write_meanings(&mut out, arguments, &labels)?;
    let drawn = match &arguments.png {
        Some(path) if !panels.is_empty() => save_chart(path, &panels, by, threshold),
        _ => Ok(()),
    };
    if undrawn > 0 {
        let _ = writeln!(
            io::stderr(),
            "the chart has the first {most} pictures; {undrawn} more are not drawn: for a chart of those, ask about them alone"
        );
    }
    // Whatever could not be done, there are answers above.
    writeln!(out, "{NOTICE}")?;
    drawn?;
    match (unanswered, arguments.image.len()) {
        (0, _) => Ok(()),
        (some, all) => Err(format!("{some} of {all} pictures are not answered, see above").into()),
    }
}

/// Writes what the classes' names stand for: a name may say another thing than the prompts that were looked for.
fn write_meanings(out: &mut impl Write, arguments: &Arguments, labels: &[Label]) -> io::Result<()> {
    let meanings: Vec<String> = match arguments.list {
        Some(list) => {
            let each = list.classes.iter();
            each.filter_map(|class| labels::meaning(class.label, class.prompts))
                .collect()
        }
        None => {
            let each = labels.iter();
            each.filter_map(|label| labels::meaning(&label.name, &label.prompts()))
                .collect()
        }
    };
    for meaning in &meanings {
        writeln!(out, "{meaning}")?;
    }
    if !meanings.is_empty() {
        writeln!(out)?;
    }
    Ok(())
}

/// Draws the panels into a PNG file, whatever its name ends in. An error names the file.
fn save_chart(
    path: &Path,
    panels: &[Panel],
    by: Probability,
    threshold: f32,
) -> Result<(), String> {
    let chart = chart::draw(panels, by, threshold, NOTICE);
    let saved = chart.save_with_format(path, ImageFormat::Png);
    saved.map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}

/// What was found in one picture, and if it is to be drawn what the chart shows of it: of the picture itself nothing is
/// kept. An error names the file.
fn answer(
    path: &Path,
    model: &MedSigLip,
    classes: &[Class],
    drawn: bool,
) -> Result<(Classification, Option<Image>), String> {
    // This error names the file, those of a picture in memory know none.
    let image = Image::open(path).map_err(|error| error.to_string())?;
    if let Some(few) = image.few_bits() {
        let _ = writeln!(io::stderr(), "{}: {few}", plain(path.display()));
    }
    let named = |error: medgemma::Error| format!("{}: {error}", path.display());
    let embedded = model.embed_images(slice::from_ref(&image));
    let embedding = embedded.map_err(named)?.remove(0);
    let found = model.classify(&embedding, classes).map_err(named)?;
    let thumbnail = drawn.then(|| chart::thumbnail(&image)).transpose();
    Ok((found, thumbnail.map_err(named)?))
}
