//! Filters against the same conditions on maps in memory.

use std::ops::Bound;
use std::time::{Duration, Instant};

use medgemma_search::{
    Batch, Cpu, DuplicateOptions, Filter, Index, Metadata, Query, Value, Writer,
};
use proptest::prelude::*;

use crate::support::{build, cpus, fingerprint, numbers, rng};

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[ab5]{0,2}".prop_map(Value::from),
        (-2i32..6).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ]
}

fn name() -> impl Strategy<Value = String> {
    "[xyz]"
}

fn filter() -> impl Strategy<Value = Filter> {
    let bound = || {
        prop_oneof![
            Just(Bound::Unbounded),
            value().prop_map(Bound::Included),
            value().prop_map(Bound::Excluded),
        ]
    };
    let leaf = prop_oneof![
        (name(), value()).prop_map(|(name, value)| Filter::Equals(name, value)),
        (name(), prop::collection::vec(value(), 0..3)).prop_map(|(n, v)| Filter::In(n, v)),
        (name(), bound(), bound()).prop_map(|(name, from, to)| Filter::Range(name, from, to)),
        name().prop_map(Filter::Exists),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let several = || prop::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            several().prop_map(Filter::All),
            several().prop_map(Filter::Any),
            inner
                .clone()
                .prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

/// The specification, written apart from the crate's own.
fn holds(filter: &Filter, metadata: &Metadata) -> bool {
    let less = |a: &Value, b: &Value| match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) => a.partial_cmp(b),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    };
    match filter {
        Filter::Equals(name, value) => metadata.get(name) == Some(value),
        Filter::In(name, values) => metadata.get(name).is_some_and(|v| values.contains(v)),
        Filter::Exists(name) => metadata.contains_key(name),
        Filter::Range(name, from, to) => {
            let Some(found) = metadata.get(name) else {
                return false;
            };
            let above = match from {
                Bound::Unbounded => true,
                Bound::Included(from) => less(from, found).is_some_and(|order| order.is_le()),
                Bound::Excluded(from) => less(from, found).is_some_and(|order| order.is_lt()),
            };
            let below = match to {
                Bound::Unbounded => true,
                Bound::Included(to) => less(found, to).is_some_and(|order| order.is_le()),
                Bound::Excluded(to) => less(found, to).is_some_and(|order| order.is_lt()),
            };
            above && below
        }
        Filter::All(all) => all.iter().all(|filter| holds(filter, metadata)),
        Filter::Any(any) => any.iter().any(|filter| holds(filter, metadata)),
        Filter::Not(filter) => !holds(filter, metadata),
        other => panic!("{other:?} is new and has no specification here"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_filter_lets_through_what_it_says(
        all in prop::collection::vec(prop::collection::btree_map(name(), value(), 0..4), 1..200),
        filters in prop::collection::vec(filter(), 8),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let entry = |(row, metadata): (usize, &Metadata)| {
            (format!("{row:03}"), vec![1.0, 1.0], metadata.clone())
        };
        let entries: Vec<_> = all.iter().enumerate().map(entry).collect();
        let index = build(folder.path(), 2, 50, &entries);
        let cpu = Cpu::new(2, Cpu::detect().path());
        for filter in filters {
            let query = Query::new([1.0, 0.0]).with_k(all.len()).with_filter(filter.clone());
            let hits = index.search(&cpu, &query).expect("searched");
            let found: Vec<&str> = hits.iter().map(|hit| &*hit.id).collect();
            let expected = entries.iter().filter(|(_, _, metadata)| holds(&filter, metadata));
            let expected: Vec<&str> = expected.map(|(id, _, _)| &**id).collect();
            prop_assert_eq!(found, expected, "{:?}", filter);
        }
    }
}

#[test]
fn conditions_read_as_they_are_written() {
    let adult = |age: f64| Metadata::from([("age".to_owned(), age.into())]);
    let filter = Filter::range("age", 18.0..65.0);
    assert!(!holds(&filter, &adult(65.0)) && holds(&filter, &adult(18.0)));
    let either = Filter::equals("a", 1)
        .or(Filter::exists("b"))
        .or(Filter::exists("c"));
    assert!(
        matches!(&either, Filter::Any(any) if any.len() == 3),
        "{either:?}"
    );
    let both = Filter::is_in("a", [1, 2]).and(either.not());
    assert!(
        matches!(&both, Filter::All(all) if all.len() == 2),
        "{both:?}"
    );
    let date = Metadata::from([("date".to_owned(), "2024-05-31".into())]);
    assert!(holds(&Filter::range("date", "2024".."2025"), &date));
}

/// Every value compared with every row would be four thousand million comparisons.
#[test]
fn a_list_of_many_values_is_looked_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = |number: usize| format!("patient/{number:07}");
    let entry = |row: usize| {
        let metadata = Metadata::from([("patient".to_owned(), name(row * 3).into())]);
        (format!("{row:05}"), vec![1.0, 1.0], metadata)
    };
    let entries: Vec<_> = (0..20_000).map(entry).collect();
    let index = build(folder.path(), 2, 20_000, &entries);
    // Behind all rows' but for the last few.
    let wanted: Vec<String> = (59_980..259_980).map(name).collect();
    let filter = Filter::is_in("patient", wanted).and(Filter::exists("patient"));
    let cpu = Cpu::new(1, Cpu::detect().path());
    let search = |filter: Filter| {
        let query = Query::new([1.0, 0.0]).with_k(100).with_filter(filter);
        let begun = Instant::now();
        let hits = index.search(&cpu, &query).expect("searched");
        (begun.elapsed(), hits)
    };
    // As fast as this machine is just now.
    let read: Duration = (0..10).map(|_| search(Filter::exists("patient")).0).sum();
    let (looked_up, hits) = search(filter);
    assert!(looked_up < 20 * read, "{looked_up:?} beside {read:?}");
    let found: Vec<&str> = hits.iter().map(|hit| &*hit.id).collect();
    let expected = ["19994", "19995", "19996", "19997", "19998", "19999"];
    assert_eq!(found, expected);
}

#[test]
fn what_is_deleted_or_replaced_is_not_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(folder.path(), &fingerprint(2)).expect("created");
    let mut batch = Batch::new();
    for id in ["a", "b", "c"] {
        batch.put(
            id,
            vec![1.0, 0.0],
            Metadata::from([("old".to_owned(), true.into())]),
        );
    }
    let appended = writer.append(&batch).expect("appended");
    assert_eq!((appended.added, appended.replaced), (3, 0));
    let mut index = Index::open(folder.path(), &fingerprint(2)).expect("opened");
    let mut batch = Batch::new();
    batch
        .put("a", vec![0.0, 1.0], Metadata::new())
        .delete("b")
        .delete("nobody");
    let appended = writer.append(&batch).expect("appended");
    let counts = (
        appended.added,
        appended.replaced,
        appended.deleted,
        appended.unknown,
    );
    assert_eq!(counts, (0, 1, 1, 1));
    assert!(writer.contains("a") && !writer.contains("b") && writer.contains("c"));

    let cpu = Cpu::new(1, Cpu::detect().path());
    let found = |index: &Index, query: Query| {
        let hits = index.search(&cpu, &query).expect("searched");
        hits.into_iter().map(|hit| hit.id).collect::<Vec<_>>()
    };
    let query = Query::new([1.0, 0.0]);
    assert_eq!(
        found(&index, query.clone()),
        ["a", "b", "c"],
        "the state that was opened"
    );
    assert!(index.refresh().expect("refreshed"));
    assert!(!index.refresh().expect("refreshed"));
    assert_eq!(found(&index, query.clone()), ["c", "a"]);
    let old = query.with_filter(Filter::exists("old"));
    assert_eq!(found(&index, old), ["c"]);
    assert_eq!(
        index.get("a").expect("read").expect("there").vector,
        [0.0, 1.0]
    );
    assert_eq!(index.get("b").expect("read"), None);

    // Deleted and put back: there once.
    let mut batch = Batch::new();
    batch.put("b", vec![1.0, 1.0], Metadata::new());
    assert_eq!(writer.append(&batch).expect("appended").added, 1);
    assert!(index.refresh().expect("refreshed"));
    assert_eq!((index.len(), index.contains("b")), (3, true));
}

/// What the kernel counts of a mapped file as memory of this process, in bytes.
#[cfg(target_os = "linux")]
fn mapped(path: &std::path::Path) -> u64 {
    let maps = std::fs::read_to_string("/proc/self/smaps").expect("a Linux");
    let mut lines = maps.lines();
    let name = path.to_str().expect("text");
    let mut bytes = 0;
    while lines.any(|line| line.ends_with(name)) {
        let resident = lines.by_ref().find_map(|line| line.strip_prefix("Rss:"));
        let kib = resident.expect("a size").trim().trim_end_matches(" kB");
        bytes += kib.parse::<u64>().expect("a number") * 1024;
    }
    bytes
}

#[test]
fn a_filter_reads_records_of_any_length_and_leaves_the_log_out_of_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().canonicalize().expect("a folder");
    let mut writer = Writer::create(&path, &fingerprint(16)).expect("created");
    let mut rng = rng(9);
    let kind = |row: usize| ["a", "b", "c"][row % 3];
    for first in (0..9000usize).step_by(3000) {
        let mut batch = Batch::new();
        for row in first..first + 3000 {
            // Records longer than what is read at a time, about as long, and others.
            let note = match row {
                4500..4502 => "x".repeat(300_000),
                4502..4506 => "x".repeat(262_092 + row - 4502),
                _ => "x".repeat(3000),
            };
            let metadata = [
                ("kind".to_owned(), kind(row).into()),
                ("note".to_owned(), note.into()),
                ("row".to_owned(), (row as f64).into()),
            ];
            // Ids of equal scores are compared in the map: there are none.
            batch.put(row.to_string(), numbers(&mut rng, 16), metadata.into());
        }
        writer.append(&batch).expect("appended");
    }
    // Behind the last row. They are few, since each looks at the record of its row in the map.
    let mut batch = Batch::new();
    for row in 4530..4550 {
        batch.delete(row.to_string());
    }
    writer.append(&batch).expect("appended");
    drop(writer);
    let index = Index::open(&path, &fingerprint(16)).expect("opened");
    let expected = (4500..9000).filter(|row| row % 3 == 1 && !(4530..4550).contains(row));
    let expected: std::collections::BTreeSet<String> = expected.map(|r| r.to_string()).collect();
    let filter = Filter::equals("kind", "b").and(Filter::range("row", 4500.0..));
    #[cfg(target_os = "linux")]
    {
        let log = std::fs::metadata(path.join("log")).expect("a file").len();
        let cpu = Cpu::new(2, Cpu::detect().path());
        let query = Query::new([1.0; 16]).with_k(100);
        index.search(&cpu, &query).expect("searched");
        let query = query.with_filter(filter.clone());
        index.search(&cpu, &query).expect("searched");
        // The long records, which lie together, and what the system maps around them.
        let mapped = mapped(&path.join("log"));
        assert!(mapped < log / 4 * 3, "{mapped} of {log}");
    }
    for cpu in cpus() {
        let query = Query::new([1.0; 16])
            .with_k(9000)
            .with_filter(filter.clone());
        let hits = index.search(&cpu, &query).expect("searched");
        assert_eq!(hits.len(), expected.len());
        assert!(hits.iter().all(|hit| expected.contains(&hit.id)));
    }
}

/// `{:?}` ends in logs and messages of panics.
#[test]
fn no_value_is_in_what_debug_shows() {
    let secret = "Quagmire";
    let filter = Filter::equals("name", secret)
        .and(Filter::is_in("name", [secret, "x"]))
        .or(Filter::range("age", 71.0..).not())
        .or(Filter::range("name", ..=secret))
        .or(Filter::equals("smoker", true));
    let metadata = Metadata::from([("name".to_owned(), secret.into())]);
    let options = DuplicateOptions::default().with_filter(filter.clone());
    let mut batch = Batch::new();
    batch.put("id", vec![1.0], metadata.clone());
    let shown = format!("{filter:?} {options:?} {metadata:?} {batch:?}");
    for hidden in [secret, "71", "true"] {
        assert!(!shown.contains(hidden), "{hidden}: {shown}");
    }
    let parts = [
        r#"Equals("name", Text)"#,
        r#"In("name", [Text, Text])"#,
        r#"Range("age", Included(Number), Unbounded)"#,
        r#"Equals("smoker", Bool)"#,
    ];
    for part in parts {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}
