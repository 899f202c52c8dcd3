//! A folder into an index: pictures are decoded on several threads, embedded one after the other and
//! published in batches. A run that was killed is begun again with the same command.

use std::error::Error;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use medgemma::{Image, Limits, Pixels};
use medgemma_search::{
    Error as IndexError, Fault, Fingerprint, Ingested, Ingestion, Metadata, Skipped, SourceFile,
    Writer,
};

use crate::arguments::IndexTask;
use crate::encoder::Encoder;
use crate::{NOTICE, plain};

/// Pictures in a row without an embedding that are skipped: one more, and the model is at fault.
const FAILURES: usize = 16;
/// Pictures that are gone and are named; there may be a million.
const GONE: usize = 10;

pub(crate) fn run(task: &IndexTask, encoder: &Encoder) -> Result<(), Box<dyn Error>> {
    let mut writer = open(&task.index, &encoder.fingerprint)?;
    encoder.keep(&task.index);
    let limits = Limits::default();
    let dark = AtomicUsize::new(0);
    let decode = |file: &SourceFile<'_>| -> medgemma::Result<_> {
        let image = Image::decode(file.bytes, &limits)?;
        if image.few_bits().is_some() {
            dark.fetch_add(1, Ordering::Relaxed);
        }
        Ok((encoder.pixels(&image)?, metadata(file, &image)))
    };
    let mut in_a_row = 0;
    let mut embed_one = |pixels: &Pixels| match encoder.embed_pixels(pixels) {
        // The fault of the one picture, unless many have it.
        Err(error @ (medgemma::Error::NoDirection { .. } | medgemma::Error::Image(_)))
            if in_a_row < FAILURES =>
        {
            in_a_row += 1;
            Ok(Err(error))
        }
        Err(error) => Err(error),
        Ok(embedding) => {
            in_a_row = 0;
            Ok(Ok(embedding.into_vec()))
        }
    };
    let embed = |pictures: Vec<Pixels>| pictures.iter().map(&mut embed_one).collect();
    // Draws nothing unless standard error is a terminal.
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{msg}")?);
    // What is longer would be read in vain.
    let ingestion = ingestion(task).with_largest(limits.max_file_bytes);
    let ingested = ingestion.run(&mut writer, decode, embed, |progress| {
        bar.set_message(progress.to_string());
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    tell_of_faults(&ingested, dark.into_inner(), task.prune)?;
    let (report, len) = (plain(&ingested), writer.len());
    writeln!(io::stdout(), "{report}; {len} in the index")?;
    writeln!(io::stderr(), "{NOTICE}")?;
    let failed = |skipped: &Skipped| matches!(skipped.fault, Fault::Embed(_) | Fault::Vector);
    if ingested.added + ingested.known == 0 && ingested.skipped.iter().any(failed) {
        return Err("no picture could be embedded: look at the model".into());
    }
    Ok(())
}

/// Tells of the pictures that somebody should see to: those that are not in the index, and those that are there in
/// vain.
fn tell_of_faults(ingested: &Ingested, dark: usize, prune: bool) -> io::Result<()> {
    for skipped in &ingested.skipped {
        writeln!(io::stderr(), "skipped {}", plain(skipped))?;
    }
    if dark > 0 {
        writeln!(
            io::stderr(),
            "nearly black: {dark} pictures use a few of their 16 bits; stretch or window them, and index them again"
        )?;
    }
    for gone in ingested.gone.iter().take(GONE) {
        writeln!(io::stderr(), "gone or changed {}", plain(gone))?;
    }
    if ingested.gone.len() > GONE {
        let more = ingested.gone.len() - GONE;
        writeln!(io::stderr(), "gone or changed, {more} more")?;
    }
    if ingested.removed < ingested.gone.len() {
        let why = match prune {
            true => "nothing was removed: what was skipped and not read may be what is gone",
            false => "--prune removes what is gone from the index",
        };
        writeln!(io::stderr(), "{why}")?;
    }
    Ok(())
}

/// What the command line asks for.
fn ingestion(task: &IndexTask) -> Ingestion {
    // The model embeds them one by one: each is progress.
    let mut ingestion = Ingestion::new(&task.folder)
        .with_batch(task.batch)
        .with_step(1);
    ingestion.prune = task.prune;
    match task.threads {
        Some(threads) => ingestion.with_threads(threads.into()),
        None => ingestion,
    }
}

/// Refuses what is no folder, or one that may not be read.
pub(crate) fn expect_folder(folder: &Path) -> Result<(), String> {
    let listed = std::fs::read_dir(folder).map(drop);
    listed.map_err(|error| {
        let folder = folder.display();
        format!("FOLDER: expected a folder that can be read, found {folder}: {error}; name the one with the pictures")
    })
}

/// The index in a folder; a new one where there is none. What a crash has left is put right and told.
fn open(folder: &Path, fingerprint: &Fingerprint) -> Result<Writer, Box<dyn Error>> {
    match Writer::open(folder, fingerprint) {
        Ok((writer, recovery)) => {
            if !recovery.is_clean() {
                writeln!(io::stderr(), "after a crash: {recovery}")?;
            }
            Ok(writer)
        }
        Err(IndexError::NoIndex { .. }) => Ok(Writer::create(folder, fingerprint)?),
        Err(error) => Err(error.into()),
    }
}

/// What a query may ask for. The path in the folder, as `file`, and the whole, as `path`, come from the
/// ingestion.
fn metadata(file: &SourceFile<'_>, image: &Image) -> Metadata {
    let folder = file.name.rsplit_once('/').map_or("", |(folder, _)| folder);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a picture has fewer than 2⁵³ rows"
    )]
    let size = [image.width() as f64, image.height() as f64];
    Metadata::from([
        ("folder".to_owned(), folder.into()),
        ("width".to_owned(), size[0].into()),
        ("height".to_owned(), size[1].into()),
    ])
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use medgemma_search::Ingestion;

    use super::ingestion;
    use crate::arguments::{Arguments, Task};

    #[test]
    fn an_ingestion_is_as_the_options_say() {
        let asked = |options: &[&str]| {
            let words = [&["image-search", "index", "a", "--index", "b"], options].concat();
            let arguments = Arguments::try_parse_from(words).expect("options");
            let Task::Index(task) = arguments.task else {
                panic!("another task");
            };
            ingestion(&task)
        };
        let plain = Ingestion::new("a").with_step(1);
        assert_eq!(asked(&[]), plain);
        let chosen = asked(&["--threads", "311", "--batch", "7"]);
        assert_eq!(chosen, plain.clone().with_threads(311).with_batch(7));
        assert_eq!(asked(&["--prune"]), plain.with_prune());
    }
}
