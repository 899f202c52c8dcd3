//! Writes an index with all kinds of metadata as Arrow and Parquet files, and has them read back by
//! the programs that they are for:
//! `MEDGEMMA_SEARCH_PYTHON=python3 cargo test --release -p medgemma-search --features export
//! --test export -- --ignored`, where that Python has `numpy`, `pyarrow`, `lancedb` and
//! `qdrant-client`.

use std::path::Path;
use std::process::Command;

use medgemma_search::{
    Batch, ColumnKind, Error, Exported, Fingerprint, Index, Metadata, Value, Writer,
};

/// More than one record batch, and more than one row group.
const ROWS: u16 = 20_000;
const DIMENSION: usize = 6;

fn metadata(row: u16) -> Metadata {
    let mixed = if row.is_multiple_of(2) {
        "even".into()
    } else {
        1.5.into()
    };
    let mut metadata = Metadata::from([
        ("id".to_owned(), Value::from(format!("patient {}", row % 7))),
        ("age".to_owned(), f64::from(row % 90).into()),
        ("mixed".to_owned(), mixed),
        ("exam.year".to_owned(), f64::from(2000 + row % 20).into()),
        ("_distance".to_owned(), f64::from(row % 5).into()),
        (".rowid".to_owned(), f64::from(row % 3).into()),
    ]);
    if row.is_multiple_of(3) {
        metadata.insert("portable".to_owned(), row.is_multiple_of(2).into());
    }
    metadata
}

/// An index of all rows but one, which was deleted.
fn archive(folder: &Path) -> Index {
    let fingerprint = Fingerprint::new("test-model", DIMENSION);
    let mut writer = Writer::create(folder, &fingerprint).expect("created");
    let mut batch = Batch::new();
    for row in 0..ROWS {
        let vector = (0..DIMENSION).map(|at| f32::from(row % 11) - at as f32 + 0.5);
        batch.put(format!("image {row}"), vector.collect(), metadata(row));
    }
    writer.append(&batch).expect("appended");
    writer
        .append(Batch::new().delete("image 17"))
        .expect("appended");
    Index::open(folder, &fingerprint).expect("opened")
}

fn check(exported: &Exported) {
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
            ("metadata__rowid", ColumnKind::Number, all),
            ("metadata__distance", ColumnKind::Number, all),
            ("age", ColumnKind::Number, all),
            ("exam_year", ColumnKind::Number, all),
            ("metadata_id", ColumnKind::Text, all),
            ("mixed", ColumnKind::Mixed, all),
            ("portable", ColumnKind::Bool, 6667),
        ]
    );
    let sources: Vec<_> = exported.columns.iter().map(|c| &*c.source).collect();
    assert_eq!(
        sources,
        [
            ".rowid",
            "_distance",
            "age",
            "exam.year",
            "id",
            "mixed",
            "portable"
        ]
    );
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).expect("a folder");
    let name = |file: std::io::Result<std::fs::DirEntry>| {
        let name = file.expect("a file").file_name();
        name.into_string().expect("a name")
    };
    let mut names: Vec<String> = files.map(name).collect();
    names.sort();
    names
}

#[test]
fn an_index_becomes_files_that_say_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = archive(&folder.path().join("index"));
    let to = |name: &str| folder.path().join(name);
    check(&index.export_arrow(to("index.arrow")).expect("exported"));
    check(&index.export_parquet(to("index.parquet")).expect("exported"));
    for (name, magic) in [("index.arrow", &b"ARROW1"[..]), ("index.parquet", b"PAR1")] {
        let bytes = std::fs::read(to(name)).expect("read");
        assert!(bytes.starts_with(magic) && bytes.ends_with(magic), "{name}");
    }
    assert_eq!(
        names(folder.path()),
        ["index", "index.arrow", "index.parquet"]
    );
}

#[test]
fn an_empty_index_is_a_file_too_and_what_cannot_be_written_leaves_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let fingerprint = Fingerprint::new("test-model", DIMENSION);
    let path = folder.path().join("index");
    let mut writer = Writer::create(&path, &fingerprint).expect("created");
    let mut index = Index::open(&path, &fingerprint).expect("opened");
    type Export = fn(&Index, &Path) -> Result<Exported, Error>;
    let exports: [Export; 2] = [
        |index, path| index.export_arrow(path),
        |index, path| index.export_parquet(path),
    ];
    for export in exports {
        let to = folder.path().join("empty");
        assert_eq!(export(&index, &to).expect("exported").rows, 0);
        std::fs::remove_file(to).expect("a file");
        for (to, part) in [("none/x.file", "x.file"), ("..", "name of a file")] {
            let error = export(&index, &folder.path().join(to)).expect_err("no such place");
            assert!(error.to_string().contains(part), "{error}");
        }
        // A folder is in the way when the file is finished.
        std::fs::create_dir_all(folder.path().join("taken/full")).expect("a folder");
        let error = export(&index, &folder.path().join("taken")).expect_err("a folder");
        assert!(error.to_string().contains("rename"), "{error}");
        std::fs::remove_dir_all(folder.path().join("taken")).expect("a folder");
        assert_eq!(names(folder.path()), ["index"]);
    }
    for names in [
        ["vector", "metadata_vector"],
        ["metadata_v.x", "metadata.v.x"],
    ] {
        let both = names.map(|name| (name.to_owned(), Value::from(1)));
        let mut batch = Batch::new();
        batch.put("a", vec![1.0; DIMENSION], both.into());
        writer.append(&batch).expect("appended");
        index.refresh().expect("refreshed");
        for export in exports {
            let error = export(&index, &folder.path().join("x")).expect_err("two of one name");
            let message = error.to_string();
            assert!(message.contains("two columns 'metadata_v"), "{message}");
        }
    }
}

#[test]
fn a_file_of_somebody_else_beside_the_export_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = archive(&folder.path().join("index"));
    let to = |name: &str| folder.path().join(name);
    std::fs::write(to("x.arrow.new"), "mine").expect("written");
    index.export_arrow(to("x.arrow")).expect("exported");
    let error = index.export_arrow(folder.path().join("index"));
    error.expect_err("a folder is in the way");
    assert_eq!(names(folder.path()), ["index", "x.arrow", "x.arrow.new"]);
    let kept = std::fs::read_to_string(to("x.arrow.new")).expect("read");
    assert_eq!(kept, "mine");
}

#[test]
fn damage_is_not_exported() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("index");
    let mut writer = Writer::create(&path, &Fingerprint::new("m", 2)).expect("created");
    for id in ["old", "new"] {
        let mut batch = Batch::new();
        batch.put(id, vec![0.6, 0.8], Metadata::new());
        writer.append(&batch).expect("appended");
    }
    let mut vectors = std::fs::read(path.join("vectors")).expect("read");
    vectors[0] ^= 1;
    std::fs::write(path.join("vectors"), vectors).expect("written");
    let index = Index::open(&path, &Fingerprint::new("m", 2)).expect("the last batch is whole");
    let to = folder.path().join("x");
    for exported in [index.export_arrow(&to), index.export_parquet(&to)] {
        let error = exported.expect_err("damaged");
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("vectors of 'old'"), "{error}");
    }
    assert_eq!(names(folder.path()), ["index"]);
    // Nothing of the damaged batch can be found any more.
    writer.append(Batch::new().delete("old")).expect("appended");
    let index = Index::open(&path, &Fingerprint::new("m", 2)).expect("opened");
    for exported in [index.export_arrow(&to), index.export_parquet(&to)] {
        assert_eq!(exported.expect("exported").rows, 1);
    }
}

#[test]
fn the_recipes_are_those_that_are_tried() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("read");
    let (readme, tried) = (read("README.md"), read("tests/export.py"));
    assert!(tried.contains("\nBATCH = 256\n"));
    let recipes = [
        (
            "iter_batches(batch_size=256)",
            "iter_batches(batch_size=BATCH)",
        ),
        (
            "file.get_batch(at) for at in range(file.num_record_batches)",
            "file.get_batch(at) for at in range(file.num_record_batches)",
        ),
    ];
    for (recipe, tried_as) in recipes {
        assert!(readme.contains(recipe), "{recipe}");
        assert!(tried.contains(tried_as), "{tried_as}");
    }
}

#[test]
#[ignore = "needs a Python with pyarrow, LanceDB and Qdrant's client: see the header; .ci/run runs it"]
fn other_programs_read_what_was_exported() {
    let python = std::env::var_os("MEDGEMMA_SEARCH_PYTHON");
    let python = python.expect("MEDGEMMA_SEARCH_PYTHON names the Python to run");
    let folder = tempfile::tempdir().expect("a folder");
    let index = archive(&folder.path().join("index"));
    let to = |name: &str| folder.path().join(name);
    index.export_arrow(to("index.arrow")).expect("exported");
    index.export_parquet(to("index.parquet")).expect("exported");
    // What a reader in another language must find.
    let expected: Vec<u8> = index
        .entries()
        .flat_map(|entry| entry.expect("read").vector)
        .flat_map(f32::to_le_bytes)
        .collect();
    std::fs::write(to("vectors.f32"), expected).expect("written");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export.py");
    let output = Command::new(python)
        .arg(program)
        .arg(folder.path())
        .output();
    let output = output.expect("MEDGEMMA_SEARCH_PYTHON is a program");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}");
    assert!(said.contains("request: "), "{said}{complained}");
    for reader in ["arrow", "parquet", "lancedb", "qdrant"] {
        let line = format!("{reader}: 19999 rows");
        assert!(said.contains(&line), "no line '{line}': {said}{complained}");
    }
}
