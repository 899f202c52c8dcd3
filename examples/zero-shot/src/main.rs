//! Pictures against classes described in words: logit, sigmoid and softmax of each on the terminal,
//! and on request as a picture.

mod arguments;
mod chart;
mod labels;
mod table;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::Arguments;
use chart::Panel;
use clap::Parser;
use image::ImageFormat;
use medgemma::{Device, Image, MedSigLip};

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
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
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
        Some(list) => list.embed_with(&model, &arguments.text_options())?,
        None => labels::embed(&model, &labels, &arguments.text_options())?,
    };
    let threshold = arguments.threshold;
    let mut out = io::stdout().lock();
    let mut panels = Vec::new();
    for path in &arguments.image {
        let image = Image::open(path)?;
        let embedded = model.embed_images(std::slice::from_ref(&image));
        let named = |error: medgemma::Error| format!("{}: {error}", path.display());
        let embedding = embedded.map_err(named)?.remove(0);
        let found = model.classify(&embedding, &classes)?;
        writeln!(out, "{}", path.display())?;
        table::write(&mut out, &found, by, threshold)?;
        writeln!(out)?;
        panels.push(Panel { image, found });
    }
    // A name may say another thing than the prompts that were looked for.
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
    if let Some(path) = &arguments.png {
        let chart = chart::draw(&panels, by, threshold, NOTICE)?;
        chart
            .save_with_format(path, ImageFormat::Png)
            .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    }
    Ok(writeln!(out, "{NOTICE}")?)
}
