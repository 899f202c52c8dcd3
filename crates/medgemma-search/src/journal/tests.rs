//! Whatever is published, made again or copied is on the disk before it counts.

use std::collections::BTreeSet;
use std::fs;

use super::*;
use crate::{Batch, Error, Fingerprint, Index, Metadata, Result, Writer};

const NONE: Range<usize> = 0..0;

/// What a loss of power would take.
#[derive(Default)]
struct Disk {
    /// Files that were made and not synced.
    made: BTreeSet<PathBuf>,
    /// Files that were written to and not synced.
    written: BTreeSet<PathBuf>,
    /// Files whose last sync failed: they must be written again before one counts.
    lost: BTreeSet<PathBuf>,
    /// Files and folders whose names are not synced.
    unnamed: BTreeSet<PathBuf>,
}

impl Disk {
    /// Why the steps could lose what they publish.
    fn take(mut self, steps: &[Noted]) -> std::result::Result<(), String> {
        for (step, path) in steps {
            let is_slot = path.ends_with("commit");
            match step {
                Step::CreateFolder => {
                    self.unnamed.insert(path.clone());
                }
                Step::Create => {
                    self.made.insert(path.clone());
                    self.unnamed.insert(path.clone());
                }
                Step::Write | Step::Cut => {
                    let others = self.made.iter().any(|made| made != path);
                    if is_slot && (others || !self.written.is_empty() || !self.lost.is_empty()) {
                        return Err(format!("{} is written too early", path.display()));
                    }
                    self.lost.remove(path);
                    self.written.insert(path.clone());
                }
                Step::Sync => {
                    self.made.remove(path);
                    self.written.remove(path);
                }
                Step::Rename => {
                    let old = path.with_added_extension("new");
                    self.unnamed.remove(&old);
                    if !self.is_safe() {
                        return Err(format!("{} is named too early", path.display()));
                    }
                    self.unnamed.insert(path.clone());
                }
                Step::SyncFolder => self.unnamed.retain(|name| name.parent() != Some(path)),
                Step::Remove => return Err(format!("{} is removed", path.display())),
            }
        }
        match self.is_safe() {
            true => Ok(()),
            false => Err("the end comes before the disk has all".to_owned()),
        }
    }

    fn is_safe(&self) -> bool {
        let files = [&self.made, &self.written, &self.lost, &self.unnamed];
        files.iter().all(|files| files.is_empty())
    }
}

/// The steps lose nothing, and would if any wait for the disk were left out.
fn hold(steps: &[Noted], disk: impl Fn() -> Disk, syncs: usize) {
    disk().take(steps).expect("nothing can be lost");
    let is_sync = |at: &usize| matches!(steps[*at].0, Step::Sync | Step::SyncFolder);
    let all: Vec<usize> = (0..steps.len()).filter(is_sync).collect();
    assert_eq!(all.len(), syncs, "{steps:?}");
    for at in all {
        let mut fewer = steps.to_vec();
        let (step, path) = fewer.remove(at);
        let lost = disk().take(&fewer);
        assert!(lost.is_err(), "{step:?} of {} is of no use", path.display());
    }
}

fn fingerprint() -> Fingerprint {
    Fingerprint::new("model", 2)
}

fn batch(rows: Range<u16>) -> Batch {
    let mut batch = Batch::new();
    for row in rows {
        batch.put(row.to_string(), vec![1.0, row.into()], Metadata::new());
    }
    batch
}

fn names(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("a folder");
    let names = files.map(|file| file.expect("a file").file_name().into_string());
    names.collect::<std::result::Result<_, _>>().expect("text")
}

#[test]
fn what_is_published_is_on_the_disk_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("above/index");
    let (writer, steps) = noted(NONE, || Writer::create(&path, &fingerprint()));
    // Two folders, three files, two slots, the files' names, the header and its name.
    hold(&steps, Disk::default, 2 + 3 + 2 + 1 + 2);
    let mut writer = writer.expect("created");
    let (appended, steps) = noted(NONE, || writer.append(&batch(0..3)));
    appended.expect("appended");
    hold(&steps, Disk::default, 4);
    let deletion = noted(NONE, || writer.append(Batch::new().delete("1")));
    deletion.0.expect("deleted");
    hold(&deletion.1, Disk::default, 2);
}

#[test]
fn what_is_adopted_is_written_again_since_its_sync_may_have_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(folder.path(), &fingerprint()).expect("created");
    writer.append(&batch(0..3)).expect("appended");
    // The rows are synced, then the log's sync fails.
    let (failed, steps) = noted(5..6, || writer.append(&batch(3..6)));
    assert!(matches!(failed, Err(Error::Io { .. })), "{failed:?}");
    assert_eq!(steps.len(), 6, "{steps:?}");
    assert!(matches!(steps[5], (Step::Sync, ref path) if path.ends_with("log")));
    let again = writer.append(&batch(6..7));
    assert!(matches!(again, Err(Error::Failed { .. })), "{again:?}");
    drop(writer);
    let (opened, steps) = noted(NONE, || Writer::open(folder.path(), &fingerprint()));
    let (writer, recovery) = opened.expect("opened");
    assert_eq!((recovery.adopted_batches, writer.len()), (1, 6));
    // Whichever of the syncs it was.
    let disk = || Disk {
        lost: ["vectors", "codes", "log"]
            .map(|name| folder.path().join(name))
            .into(),
        ..Disk::default()
    };
    hold(&steps, disk, 3 + 2);
}

/// Two unpublished batches have the slot of the published one: written first, it would be the last that tells
/// anything, and a write that a crash tears would leave none.
#[test]
fn recovery_leaves_the_slot_that_is_whole_for_last() {
    // Batches 1 and 2 are published, in slots 1 and 0, of which the second is damaged or is not.
    for (batches, damaged) in [(3, true), (4, true), (3, false), (4, false)] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("commit");
        let mut writer = Writer::create(folder.path(), &fingerprint()).expect("created");
        let mut published = Vec::new();
        for number in 0..batches {
            writer.append(&batch(number..number + 1)).expect("appended");
            published.push(fs::read(&path).expect("read"));
        }
        drop(writer);
        let mut before = published.swap_remove(1);
        // A byte of each slot, of the identity.
        let byte = [8, 4096 + 8];
        before[byte[0]] ^= u8::from(damaged);
        let newer = usize::from(damaged);
        let open = || Writer::open(folder.path(), &fingerprint()).map(|(writer, _)| writer.len());

        fs::write(&path, &before).expect("written");
        let (opened, steps) = noted(NONE, open);
        assert_eq!(opened.expect("opened"), usize::from(batches));
        let is_slot = |at: &usize| steps[*at] == (Step::Write, path.clone());
        let writes: Vec<usize> = (0..steps.len()).filter(is_slot).collect();
        assert_eq!(writes.len(), 2, "{steps:?}");
        for (at, slot) in writes.into_iter().zip([1 - newer, newer]) {
            fs::write(&path, &before).expect("written");
            let (failed, _) = noted(at + 1..usize::MAX, open);
            assert!(matches!(failed, Err(Error::Io { .. })), "{at}: {failed:?}");
            let mut torn = fs::read(&path).expect("read");
            let changed = (0..torn.len()).rfind(|&i| torn[i] != before[i]);
            let changed = changed.expect("a slot was written") / 4096;
            assert!(
                changed == slot || slot == newer,
                "{batches}, {damaged}: slot {changed} first"
            );
            // What was being written is torn.
            torn[byte[slot]] ^= 1;
            fs::write(&path, &torn).expect("written");
            let opened =
                open().unwrap_or_else(|e| panic!("{batches}, {damaged}, slot {slot}: {e}"));
            assert_eq!(opened, usize::from(batches));
        }
    }
}

#[test]
fn what_is_cut_off_or_made_again_is_on_the_disk_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(folder.path(), &fingerprint()).expect("created");
    writer.append(&batch(0..3)).expect("appended");
    drop(writer);
    for name in ["vectors", "codes", "log"] {
        let path = folder.path().join(name);
        let mut bytes = fs::read(&path).expect("read");
        bytes.extend([7; 5]);
        fs::write(path, bytes).expect("written");
    }
    let (opened, steps) = noted(NONE, || Writer::open(folder.path(), &fingerprint()));
    let (mut writer, recovery) = opened.expect("opened");
    assert_eq!(recovery.torn_bytes(), 15);
    hold(&steps, Disk::default, 3);
    // Nothing is written where nothing is damaged.
    let (whole, steps) = noted(NONE, || writer.remake_codes());
    whole.expect("whole");
    assert!(steps.iter().all(|(step, _)| *step == Step::Sync));
    fs::write(folder.path().join("codes"), [0; 6]).expect("written");
    let (remade, steps) = noted(NONE, || writer.remake_codes());
    remade.expect("made again");
    hold(&steps, Disk::default, 1);
}

#[test]
fn codes_that_are_missing_or_short_are_there_again_when_all_of_them_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = Writer::create(folder.path(), &fingerprint()).expect("created");
    for first in [0, 1500] {
        writer
            .append(&batch(first..first + 1500))
            .expect("appended");
    }
    drop(writer);
    let path = folder.path().join("codes");
    let whole = fs::read(&path).expect("read");
    let open = || Writer::open(folder.path(), &fingerprint()).map(|(_, recovery)| recovery);
    // Of 3000 rows none, or so many.
    for (rows, remade) in [
        (None, 3000),
        (Some(0), 3000),
        (Some(1200), 1800),
        (Some(2000), 1500),
    ] {
        let take = || match rows {
            None => fs::remove_file(&path),
            Some(rows) => fs::write(&path, &whole[..rows * 2]),
        };
        take().expect("taken");
        let (recovery, steps) = noted(NONE, open);
        assert_eq!(recovery.expect("opened").remade_codes, remade);
        assert_eq!(fs::read(&path).expect("read"), whole);
        hold(&steps, Disk::default, 2);
        let (last, _) = steps
            .iter()
            .rfind(|step| step.0 != Step::SyncFolder)
            .expect("steps");
        assert_eq!(*last, Step::Rename);
        for at in 0..steps.len() {
            take().expect("taken");
            let before = fs::read(&path).ok();
            let (failed, _) = noted(at..usize::MAX, open);
            assert!(matches!(failed, Err(Error::Io { .. })), "{at}: {failed:?}");
            let found = fs::read(&path).ok();
            // The last step only waits.
            let expected = if at + 1 == steps.len() {
                Some(whole.clone())
            } else {
                before
            };
            assert!(found == expected, "{rows:?}, step {at}");
            open().expect("opened");
            assert_eq!(fs::read(&path).expect("read"), whole);
        }
    }
}

/// An index of three batches of a copy, and where one can be made.
fn archive(folder: &Path) -> (Index, PathBuf) {
    let path = folder.join("index");
    let mut writer = Writer::create(&path, &fingerprint()).expect("created");
    writer.append(&batch(0..2500)).expect("appended");
    let index = Index::open(&path, &fingerprint()).expect("opened");
    (index, folder.join("copy"))
}

#[test]
fn a_copy_is_an_index_when_all_of_it_is_on_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let (index, copy) = archive(folder.path());
    let (copied, steps) = noted(NONE, || index.copy_to(&copy));
    assert_eq!(copied.expect("copied").len(), 2500);
    hold(&steps, Disk::default, 1 + 3 + 2 + 1 + 3 * 4 + 2);
    let (last, _) = steps
        .iter()
        .rfind(|step| step.0 != Step::SyncFolder)
        .expect("steps");
    assert_eq!(*last, Step::Rename, "the header comes last");
}

#[test]
fn a_copy_that_fails_at_any_step_leaves_nothing_that_opens() {
    let folder = tempfile::tempdir().expect("a folder");
    let (index, copy) = archive(folder.path());
    let steps = noted(NONE, || index.copy_to(&copy).map(drop)).1.len();
    fs::remove_dir_all(&copy).expect("removed");
    let open = || Index::open(&copy, &fingerprint()).map(|index| index.len());
    for at in 0..steps {
        // A step fails, and all the others would do.
        let (failed, _) = noted(at..at + 1, || index.copy_to(&copy).map(drop));
        assert!(matches!(failed, Err(Error::Io { .. })), "{at}: {failed:?}");
        let none: Result<usize> = open();
        assert!(matches!(none, Err(Error::NoIndex { .. })), "{at}: {none:?}");
        drop(index.copy_to(&copy).unwrap_or_else(|e| panic!("{at}: {e}")));
        assert_eq!(open().expect("a copy"), 2500, "{at}");
        fs::remove_dir_all(&copy).expect("removed");
        // Nothing is done from a step on, as after a crash. The last one only waits.
        let (failed, _) = noted(at..usize::MAX, || index.copy_to(&copy).map(drop));
        assert!(failed.is_err(), "{at}");
        match open() {
            Err(Error::NoIndex { .. }) if at + 1 < steps => {}
            Ok(2500) if at + 1 == steps => {}
            found => panic!("{at}: {found:?}, {:?}", names(&copy)),
        }
        let _ = fs::remove_dir_all(&copy);
    }
}
