//! The whole index as one file that other programs read, for archives beyond one machine.
//!
//! Columns: `id` (text), `vector` (fixed-size list of f32, unit length), and one for each name of the
//! metadata. That is what `LanceDB` takes as a table, and what `pyarrow` hands to Qdrant's client; the
//! crate's README has both recipes.

mod columns;
mod parts;

use std::error::Error as StdError;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

pub use self::columns::{Column, ColumnKind};

use self::columns::{ITEM, Table, VECTOR};
use self::parts::Room;
use crate::error::{Error, Result};
use crate::files;
use crate::identity::Identity;
use crate::index::Index;

/// Vectors and bytes of text of one record batch.
const ROOM: Room = Room::new(4096, 64 << 20);
/// Vectors of one row group of a Parquet file: what is held in memory until it is written, 75 MB of
/// 1152 numbers.
const GROUP: usize = 1 << 14;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Vectors.
    pub rows: usize,
    /// The columns of metadata, in the order of the file.
    pub columns: Vec<Column>,
}

impl Index {
    /// Writes all vectors that can be found to an Arrow IPC file at `path`, also known as Feather,
    /// which appears when it is complete. A name of the metadata whose values are of several kinds
    /// becomes a column of text; the report says so. The name of the model is in the schema's
    /// metadata, under `model`. Checksums are compared first, as [`Index::copy_to`] does, so that no
    /// damage is exported.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Damaged`] (see [`Index::damaged`]), [`Error::Argument`] if two names of the metadata become one
    /// (see [`Column::name`]) or a text has 2 GiB or more.
    pub fn export_arrow(&self, path: impl AsRef<Path>) -> Result<Exported> {
        self.export(path.as_ref(), |table, file, path| {
            let failed = |error| failed(path, error);
            let mut writer = FileWriter::try_new(file, &table.schema).map_err(failed)?;
            self.batches(table, |batch| writer.write(batch).map_err(failed))?;
            writer.finish().map_err(failed)?;
            writer.into_inner().map_err(failed)
        })
    }

    /// Writes all vectors that can be found to a Parquet file at `path`, otherwise as
    /// [`Index::export_arrow`]. Nothing is compressed, since vectors hardly can be.
    ///
    /// # Errors
    /// As [`Index::export_arrow`].
    pub fn export_parquet(&self, path: impl AsRef<Path>) -> Result<Exported> {
        self.export(path.as_ref(), |table, file, path| {
            let failed = |error| failed(path, error);
            // A dictionary of numbers that hardly repeat, and their least and largest, are of no use.
            let numbers = || ColumnPath::from(vec![VECTOR.into(), "list".into(), ITEM.into()]);
            let properties = WriterProperties::builder()
                .set_created_by(concat!("medgemma-search ", env!("CARGO_PKG_VERSION")).to_owned())
                .set_max_row_group_row_count(Some(GROUP))
                .set_column_dictionary_enabled(numbers(), false)
                .set_column_statistics_enabled(numbers(), EnabledStatistics::None)
                .build();
            let schema = Arc::clone(&table.schema);
            let writer = ArrowWriter::try_new(file, schema, Some(properties));
            let mut writer = writer.map_err(failed)?;
            self.batches(table, |batch| writer.write(batch).map_err(failed))?;
            writer.into_inner().map_err(failed)
        })
    }

    /// Makes the file that `write` fills appear at `path`.
    fn export(
        &self,
        path: &Path,
        write: impl FnOnce(&Table, BufWriter<File>, &Path) -> Result<BufWriter<File>>,
    ) -> Result<Exported> {
        let unfinished = Unfinished::new(path)?;
        self.verify_live()?;
        let table = Table::new(self)?;
        let file = BufWriter::new(unfinished.create()?);
        let mut file = write(&table, file, &unfinished.0)?;
        file.flush()
            .map_err(Error::io(&unfinished.0, "write to the file"))?;
        unfinished.publish(file.get_ref(), path)?;
        let exported = Exported {
            rows: self.len(),
            columns: table.columns,
        };
        tracing::info!(
            rows = exported.rows,
            columns = exported.columns.len(),
            "index exported"
        );
        Ok(exported)
    }

    /// Calls `each` with all vectors, some thousands at a time.
    fn batches(
        &self,
        table: &Table,
        mut each: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let mut entries = self.entries().peekable();
        while entries.peek().is_some() {
            each(&table.batch(&ROOM.take(&mut entries)?)?)?;
        }
        Ok(())
    }
}

/// A file that is deleted unless it is published.
struct Unfinished(PathBuf);

impl Unfinished {
    fn new(path: &Path) -> Result<Self> {
        let Some(name) = path.file_name() else {
            let found = format!("'{}'", path.display());
            return Err(Error::argument("path", "the name of a file", found));
        };
        let mut name = name.to_owned();
        // Nobody else has a file of this name, which would be overwritten here and deleted below.
        name.push(format!(".{}.new", Identity::new()));
        Ok(Self(path.with_file_name(name)))
    }

    fn create(&self) -> Result<File> {
        File::create_new(&self.0).map_err(Error::io(&self.0, "create the file"))
    }

    fn publish(self, file: &File, path: &Path) -> Result<()> {
        let synced = file.sync_all();
        synced.map_err(Error::io(&self.0, "sync the file to the disk"))?;
        files::rename(&self.0, path)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Gone if it was published; if it cannot be deleted, the error that is under way says more.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// An error of a library that writes files, as what it amounts to: the file could not be written.
fn failed(path: &Path, error: impl StdError + Send + Sync + 'static) -> Error {
    Error::io(path, "write the exported file")(std::io::Error::other(error))
}
