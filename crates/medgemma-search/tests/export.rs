//! Writes an index with all kinds of metadata as an Arrow file, and with
//! `MEDGEMMA_SEARCH_EXPORT=folder` leaves it there for `export.py` to read.

use std::path::PathBuf;

use medgemma_search::{Batch, ColumnKind, Fingerprint, Index, Metadata, Value, Writer};

/// More than one record batch.
const ROWS: u16 = 5000;
const DIMENSION: usize = 6;

fn metadata(row: u16) -> Metadata {
    let mut metadata = Metadata::from([
        ("id".to_owned(), Value::from(format!("patient {}", row % 7))),
        ("age".to_owned(), f64::from(row % 90).into()),
        (
            "mixed".to_owned(),
            if row % 2 == 0 {
                "even".into()
            } else {
                1.5.into()
            },
        ),
    ]);
    if row % 3 == 0 {
        metadata.insert("portable".to_owned(), (row % 2 == 0).into());
    }
    metadata
}

#[test]
fn an_index_becomes_an_arrow_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let fingerprint = Fingerprint::new("test-model", DIMENSION);
    let mut writer = Writer::create(folder.path().join("index"), &fingerprint).expect("created");
    let mut batch = Batch::new();
    for row in 0..ROWS {
        let vector = (0..DIMENSION).map(|at| f32::from(row % 11) - at as f32 + 0.5);
        batch.put(format!("image {row}"), vector.collect(), metadata(row));
    }
    writer.append(&batch).expect("appended");
    writer
        .append(Batch::new().delete("image 17"))
        .expect("appended");
    let index = Index::open(folder.path().join("index"), &fingerprint).expect("opened");

    let out = std::env::var_os("MEDGEMMA_SEARCH_EXPORT").map(PathBuf::from);
    let out = out.unwrap_or_else(|| folder.path().to_owned());
    let path = out.join("index.arrow");
    let exported = index.export_arrow(&path).expect("exported");
    assert_eq!(exported.rows, usize::from(ROWS) - 1);
    let columns: Vec<_> = exported
        .columns
        .iter()
        .map(|column| (&*column.name, column.kind, column.values))
        .collect();
    let all = exported.rows;
    assert_eq!(
        columns,
        [
            ("age", ColumnKind::Number, all),
            ("metadata_id", ColumnKind::Text, all),
            ("mixed", ColumnKind::Mixed, all),
            ("portable", ColumnKind::Bool, 1667),
        ]
    );
    let bytes = std::fs::read(&path).expect("read");
    assert!(bytes.starts_with(b"ARROW1") && bytes.ends_with(b"ARROW1"));
    // What a reader in another language must find.
    let expected: Vec<u8> = index
        .entries()
        .flat_map(|entry| entry.expect("read").vector)
        .flat_map(f32::to_le_bytes)
        .collect();
    std::fs::write(out.join("vectors.f32"), expected).expect("written");
}

#[test]
fn an_empty_index_is_a_file_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let fingerprint = Fingerprint::new("test-model", DIMENSION);
    let index = folder.path().join("index");
    drop(Writer::create(&index, &fingerprint).expect("created"));
    let index = Index::open(&index, &fingerprint).expect("opened");
    let path = folder.path().join("empty.arrow");
    assert_eq!(index.export_arrow(&path).expect("exported").rows, 0);
    let error = index
        .export_arrow(folder.path().join("none/x.arrow"))
        .expect_err("no folder");
    assert!(error.to_string().contains("x.arrow"), "{error}");
}
