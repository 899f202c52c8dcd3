//! The columns of an exported index, and the arrays of some of its vectors.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, RecordBatch,
    StringArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use super::failed;
use crate::batch::Entry;
use crate::error::{Error, Result};
use crate::index::Index;
use crate::metadata::Value;

/// Name of the ids' column.
const ID: &str = "id";
/// Name of the vectors' column.
pub(super) const VECTOR: &str = "vector";
/// Name of a vector's numbers.
pub(super) const ITEM: &str = "item";

/// A column of metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// Its name in the file: the metadata's, with `_` for each dot, which `LanceDB` takes for the
    /// path of a field, and with `metadata_` before it where that is `id`, `vector`, or begins with
    /// `_` as the names do that `LanceDB` keeps for itself (`_rowid`, `_distance`).
    pub name: String,
    /// What its values are.
    pub kind: ColumnKind,
    /// Vectors that have a value; the others are null.
    pub values: usize,
    /// The metadata's name.
    pub source: String,
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

/// All columns.
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) schema: SchemaRef,
    dimension: i32,
}

impl Table {
    pub(super) fn new(index: &Index) -> Result<Self> {
        let fingerprint = index.fingerprint();
        let dimension = i32::try_from(fingerprint.dimension).map_err(|_| {
            let found = fingerprint.dimension.to_string();
            Error::argument("index", "fewer than 2³¹ dimensions", found)
        })?;
        let columns = columns(index)?;
        let mut fields = vec![
            Field::new(ID, DataType::Utf8, false),
            Field::new(VECTOR, DataType::FixedSizeList(item(), dimension), false),
        ];
        let field = |column: &Column| Field::new(&column.name, column.kind.data_type(), true);
        fields.extend(columns.iter().map(field));
        let model = ("model".to_owned(), fingerprint.model.clone());
        Ok(Self {
            columns,
            schema: Arc::new(Schema::new(fields).with_metadata([model])),
            dimension,
        })
    }

    /// The rows of some vectors.
    pub(super) fn batch(&self, entries: &[Entry]) -> Result<RecordBatch> {
        let failed = |error: ArrowError| failed(Path::new(VECTOR), error);
        let ids = StringArray::from_iter_values(entries.iter().map(|entry| &entry.id));
        let numbers: Vec<f32> = entries.iter().flat_map(|e| &e.vector).copied().collect();
        let numbers = Arc::new(Float32Array::from(numbers));
        let vectors = FixedSizeListArray::try_new(item(), self.dimension, numbers, None);
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(vectors.map_err(failed)?)];
        arrays.extend(self.columns.iter().map(|column| column.array(entries)));
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(failed)
    }
}

fn item() -> Arc<Field> {
    Arc::new(Field::new(ITEM, DataType::Float32, false))
}

impl Column {
    fn array(&self, entries: &[Entry]) -> ArrayRef {
        let values = entries.iter().map(|entry| entry.metadata.get(&self.source));
        match self.kind {
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
        }
    }
}

/// Names and kinds of all metadata.
fn columns(index: &Index) -> Result<Vec<Column>> {
    let mut found: BTreeMap<String, (ColumnKind, usize)> = BTreeMap::new();
    for row in index.catalog().live().iter() {
        for (name, value) in index.catalog().describe(row)?.1 {
            let kind = ColumnKind::of(&value);
            let (known, values) = found.entry(name).or_insert((kind, 0));
            if *known != kind {
                *known = ColumnKind::Mixed;
            }
            *values += 1;
        }
    }
    let column = |(source, (kind, values)): (String, (ColumnKind, usize))| Column {
        name: match source.replace('.', "_") {
            name if name == ID || name == VECTOR || name.starts_with('_') => {
                format!("metadata_{name}")
            }
            name => name,
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
            let expected = "metadata whose names stay different with `_` for each dot, and with `metadata_` before `id`, `vector` and what begins with `_`";
            return Err(Error::argument("index", expected, found));
        }
    }
    Ok(columns)
}
