//! Readers beside a writer see whole batches and nothing else.

use std::sync::atomic::{AtomicBool, Ordering};

use medgemma_search::{Batch, Cpu, Index, Metadata, Query, Writer};

use crate::support::{entries, fingerprint};

const IDS: usize = 5;
const ROUNDS: usize = 120;

/// Each batch replaces all vectors by those of the next round, and adds one.
fn batch(round: usize) -> Batch {
    let metadata = || Metadata::from([("round".to_owned(), (round as u32).into())]);
    let mut batch = Batch::new();
    for id in 0..IDS {
        batch.put(
            format!("{id}"),
            vec![1.0, round as f32 / 100.0, id as f32],
            metadata(),
        );
    }
    batch.put(
        format!("round {round}"),
        vec![-1.0, 0.0, 0.0],
        Metadata::new(),
    );
    batch
}

/// Asks that all is of one round; which.
fn check(index: &Index, cpu: &Cpu) -> usize {
    let hits = index
        .search(cpu, &Query::new([1.0, 0.5, 1.0]).with_k(1000))
        .expect("searched");
    let rounds = index.len().saturating_sub(IDS);
    assert_eq!(hits.len(), index.len());
    let round: Vec<_> = hits
        .iter()
        .filter_map(|hit| hit.metadata.get("round"))
        .collect();
    assert_eq!(round.len(), if rounds == 0 { 0 } else { IDS });
    assert!(
        round.iter().all(|of| **of == ((rounds - 1) as u32).into()),
        "{round:?}"
    );
    rounds
}

#[test]
fn readers_see_whole_batches_while_a_writer_appends() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(folder.path(), &fingerprint(3)).expect("created");
    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let reader = |refreshes: bool| {
            let (folder, done) = (folder.path(), &done);
            move || {
                let cpu = Cpu::new(1, Cpu::detect().path());
                let open = || Index::open(folder, &fingerprint(3)).expect("opened");
                let mut index = open();
                let (mut rounds, mut states) = (0, 0);
                loop {
                    // Asked before looking, so that the last look sees the last round.
                    let last = done.load(Ordering::SeqCst);
                    if refreshes {
                        index.refresh().expect("refreshed");
                    } else {
                        index = open();
                    }
                    let found = check(&index, &cpu);
                    assert!(found >= rounds, "{found} after {rounds}");
                    states += usize::from(found > rounds);
                    rounds = found;
                    if last {
                        return (rounds, states);
                    }
                }
            }
        };
        let readers = [true, true, false].map(|refreshes| scope.spawn(reader(refreshes)));
        for round in 0..ROUNDS {
            writer.append(&batch(round)).expect("appended");
        }
        done.store(true, Ordering::SeqCst);
        readers.map(|reader| reader.join().expect("no panic"))
    });
    for (rounds, states) in seen {
        assert_eq!(rounds, ROUNDS);
        assert!(states > 1, "a reader saw {states} states");
    }
    let index = Index::open(folder.path(), &fingerprint(3)).expect("opened");
    index.verify().expect("all checksums");
    assert_eq!(entries(&index).len(), IDS + ROUNDS);
}
