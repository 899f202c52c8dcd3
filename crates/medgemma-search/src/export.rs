//! The whole index as an Arrow IPC file, for archives beyond one machine.
//!
//! Columns: `id` (text), `vector` (fixed-size list of f32, unit length), and one for each name of the
//! metadata. That is what `LanceDB` takes as a table, and what `pyarrow` hands to Qdrant's client; the
//! crate's README has both recipes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, RecordBatch,
    StringArray,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};

use crate::batch::Entry;
use crate::error::{Error, Result};
use crate::files::sync_folder;
use crate::index::Index;
use crate::metadata::Value;

/// Vectors of one record batch.
const ROWS: usize = 4096;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Vectors.
    pub rows: usize,
    /// The columns of metadata, in the order of the file.
    pub columns: Vec<Column>,
}

/// A column of metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// Its name in the file: the metadata's, with `metadata_` before it where that is `id` or
    /// `vector`.
    pub name: String,
    /// What its values are.
    pub kind: ColumnKind,
    /// Vectors that have a value; the others are null.
    pub values: usize,
    /// The metadata's name.
    source: String,
}

/// What the values of a [`Column`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnKind {
    /// Text.
    Text,
    /// Numbers, as f64.
    Number,
    /// Yes or no.
    Bool,
    /// Values of several kinds, each written as text.
    Mixed,
}

impl ColumnKind {
    fn of(value: &Value) -> Self {
        match value {
            Value::Text(_) => Self::Text,
            Value::Number(_) => Self::Number,
            Value::Bool(_) => Self::Bool,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Text | Self::Mixed => DataType::Utf8,
            Self::Number => DataType::Float64,
            Self::Bool => DataType::Boolean,
        }
    }
}

impl Index {
    /// Writes all vectors that can be found to an Arrow IPC file at `path`, which appears when it is
    /// complete. A name of the metadata whose values are of several kinds becomes a column of text;
    /// the report says so.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Damaged`] if the log has changed since it was read,
    /// [`Error::Argument`] if a name of the metadata and `metadata_` before another are the same.
    pub fn export_arrow(&self, path: impl AsRef<Path>) -> Result<Exported> {
        let path = path.as_ref();
        let columns = self.columns()?;
        let schema = Arc::new(self.schema(&columns)?);
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".new");
        let unfinished = Path::new(&unfinished);
        let file = File::create(unfinished).map_err(Error::io(unfinished, "create the file"))?;
        let writing = |error| arrow(unfinished, error);
        let mut writer = FileWriter::try_new(BufWriter::new(file), &schema).map_err(writing)?;
        let mut rows = 0;
        let mut entries = self.entries().peekable();
        while entries.peek().is_some() {
            let part = entries
                .by_ref()
                .take(ROWS)
                .collect::<Result<Vec<Entry>>>()?;
            let batch =
                RecordBatch::try_new(Arc::clone(&schema), arrays(&part, &columns, &schema)?);
            writer.write(&batch.map_err(writing)?).map_err(writing)?;
            rows += part.len();
        }
        writer.finish().map_err(writing)?;
        let file = writer.into_inner().map_err(writing)?.into_inner();
        let file =
            file.map_err(|error| Error::io(unfinished, "write to the file")(error.into_error()))?;
        file.sync_all()
            .map_err(Error::io(unfinished, "sync the file to the disk"))?;
        std::fs::rename(unfinished, path).map_err(Error::io(path, "rename the new file"))?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        sync_folder(folder.unwrap_or(Path::new(".")))?;
        tracing::info!(rows, columns = columns.len(), "index exported");
        Ok(Exported { rows, columns })
    }

    /// Names and kinds of all metadata.
    fn columns(&self) -> Result<Vec<Column>> {
        let mut found: BTreeMap<String, (ColumnKind, usize)> = BTreeMap::new();
        for row in self.catalog().live().iter() {
            for (name, value) in self.catalog().describe(row)?.1 {
                let kind = ColumnKind::of(&value);
                let (known, values) = found.entry(name).or_insert((kind, 0));
                if *known != kind {
                    *known = ColumnKind::Mixed;
                }
                *values += 1;
            }
        }
        let column = |(source, (kind, values)): (String, (ColumnKind, usize))| Column {
            name: match &*source {
                "id" | "vector" => format!("metadata_{source}"),
                _ => source.clone(),
            },
            kind,
            values,
            source,
        };
        let columns: Vec<Column> = found.into_iter().map(column).collect();
        for (index, column) in columns.iter().enumerate() {
            if columns[..index]
                .iter()
                .any(|other| other.name == column.name)
            {
                let found = format!("two columns '{}'", column.name);
                let expected = "metadata that does not have both a name and `metadata_` before it";
                return Err(Error::argument("index", expected, found));
            }
        }
        Ok(columns)
    }

    fn schema(&self, columns: &[Column]) -> Result<Schema> {
        let fingerprint = self.fingerprint();
        let dimension = i32::try_from(fingerprint.dimension).map_err(|_| {
            let found = fingerprint.dimension.to_string();
            Error::argument("index", "fewer than 2³¹ dimensions", found)
        })?;
        let item = Arc::new(Field::new("item", DataType::Float32, false));
        let vector = DataType::FixedSizeList(item, dimension);
        let mut fields = vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("vector", vector, false),
        ];
        let field = |column: &Column| Field::new(&column.name, column.kind.data_type(), true);
        fields.extend(columns.iter().map(field));
        let model = ("model".to_owned(), fingerprint.model.clone());
        Ok(Schema::new(fields).with_metadata([model]))
    }
}

/// The arrays of some vectors, as the schema orders them.
fn arrays(entries: &[Entry], columns: &[Column], schema: &Schema) -> Result<Vec<ArrayRef>> {
    let ids = StringArray::from_iter_values(entries.iter().map(|entry| &entry.id));
    let numbers: Vec<f32> = entries.iter().flat_map(|e| &e.vector).copied().collect();
    let DataType::FixedSizeList(item, dimension) = schema.field(1).data_type() else {
        unreachable!("`schema` puts the vectors second");
    };
    let numbers = Arc::new(Float32Array::from(numbers));
    let vectors = FixedSizeListArray::try_new(Arc::clone(item), *dimension, numbers, None);
    let vectors = vectors.map_err(|error| arrow(Path::new("vector"), error))?;
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(vectors)];
    for column in columns {
        let values = entries
            .iter()
            .map(|entry| entry.metadata.get(&column.source));
        arrays.push(match column.kind {
            ColumnKind::Number => Arc::new(Float64Array::from_iter(values.map(|v| match v {
                Some(Value::Number(number)) => Some(*number),
                _ => None,
            }))),
            ColumnKind::Bool => Arc::new(BooleanArray::from_iter(values.map(|v| match v {
                Some(Value::Bool(yes)) => Some(*yes),
                _ => None,
            }))),
            ColumnKind::Text | ColumnKind::Mixed => Arc::new(StringArray::from_iter(
                values.map(|v| v.map(Value::to_string)),
            )),
        });
    }
    Ok(arrays)
}

/// An error of the Arrow library, as what it amounts to: the file could not be written.
fn arrow(path: &Path, error: ArrowError) -> Error {
    Error::io(path, "write the Arrow file")(std::io::Error::other(error))
}
