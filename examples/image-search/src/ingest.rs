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
        Ok((
            encoder.pixels(&image)?,
            metadata(file, &image, &task.folder),
        ))
    };
    let embed = |pictures: Vec<Pixels>| -> medgemma::Result<_> {
        let embed = |pixels| Ok(encoder.embed_pixels(pixels)?.into_vec());
        pictures.iter().map(embed).collect()
    };
    // Draws nothing unless standard error is a terminal.
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{msg}")?);
    let ingestion = Ingestion::new(&task.folder).with_batch(task.batch);
    let ingested = ingestion.run(&mut writer, decode, embed, |progress| {
        bar.set_message(progress.to_string());
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    for skipped in &ingested.skipped {
        writeln!(io::stderr(), "skipped {skipped}")?;
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

/// What a query may ask for. The path in the folder, as `file`, comes from the ingestion.
fn metadata(file: &SourceFile<'_>, image: &Image, folder: &Path) -> Metadata {
    let path = file.path.canonicalize();
    let path = path.as_deref().unwrap_or(file.path).to_string_lossy();
    let parent = file.path.strip_prefix(folder).unwrap_or(file.path).parent();
    let parent = parent.unwrap_or(Path::new("")).to_string_lossy();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a picture has fewer than 2⁵³ rows"
    )]
    let size = [image.width() as f64, image.height() as f64];
    Metadata::from([
        ("path".to_owned(), (&*path).into()),
        ("folder".to_owned(), (&*parent).into()),
        ("width".to_owned(), size[0].into()),
        ("height".to_owned(), size[1].into()),
    ])
}
