//! A folder into an index: pictures are decoded on several threads, embedded one after the other and
//! published in batches. A run that was killed is begun again with the same command.

use std::error::Error;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use medgemma::{Image, Limits, Pixels};
use medgemma_search::{Error as IndexError, Fingerprint, Ingestion, Metadata, SourceFile, Writer};

use crate::NOTICE;
use crate::arguments::IndexTask;
use crate::encoder::Encoder;

pub(crate) fn run(task: &IndexTask, encoder: &Encoder) -> Result<(), Box<dyn Error>> {
    let mut writer = open(&task.index, &encoder.fingerprint)?;
    let decode = |file: &SourceFile<'_>| -> medgemma::Result<_> {
        let image = Image::decode(file.bytes, &Limits::default())?;
        Ok((encoder.pixels(&image)?, metadata(file, &image)))
    };
    // What cannot be embedded is the fault of the one picture.
    let embed = |pictures: Vec<Pixels>| {
        let embed = |pixels| Ok(encoder.embed_pixels(pixels)?.into_vec());
        Ok::<_, medgemma::Error>(pictures.iter().map(embed).collect())
    };
    // Draws nothing unless standard error is a terminal.
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{msg}")?);
    // The model embeds them one by one: each is progress.
    let mut ingestion = Ingestion::new(&task.folder)
        .with_batch(task.batch)
        .with_step(1);
    ingestion.prune = task.prune;
    let ingested = ingestion.run(&mut writer, decode, embed, |progress| {
        bar.set_message(progress.to_string());
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    for skipped in &ingested.skipped {
        writeln!(io::stderr(), "skipped {skipped}")?;
    }
    for gone in &ingested.gone {
        writeln!(io::stderr(), "gone or changed {gone}")?;
    }
    if ingested.removed < ingested.gone.len() {
        writeln!(io::stderr(), "--prune removes what is gone from the index")?;
    }
    writeln!(io::stdout(), "{ingested}; {} in the index", writer.len())?;
    Ok(writeln!(io::stderr(), "{NOTICE}")?)
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
