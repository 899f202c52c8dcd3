//! What is done to files, in order: noted in unit tests, which also make single steps fail.
//!
//! No test can take a disk its power, so the order of writes and syncs is held to a model of a disk
//! (`tests::Disk`): what was not synced is lost, and so is a name whose folder was not.

use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A step that changes a file or waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    CreateFolder,
    Create,
    Write,
    Cut,
    Sync,
    /// The path is the new name; the old one has `.new` behind it.
    Rename,
    SyncFolder,
    Remove,
}

/// A step and its file or folder.
type Noted = (Step, PathBuf);

#[derive(Default)]
struct Journal {
    steps: Vec<Noted>,
    /// Steps that fail, by number.
    fail: Range<usize>,
}

thread_local! {
    static JOURNAL: RefCell<Option<Journal>> = const { RefCell::new(None) };
}

/// Notes a step of a test, before it is taken: an error if it is to fail.
pub(crate) fn note(step: Step, path: &Path) -> io::Result<()> {
    JOURNAL.with_borrow_mut(|journal| {
        let Some(journal) = journal else {
            return Ok(());
        };
        let number = journal.steps.len();
        journal.steps.push((step, path.to_owned()));
        match journal.fail.contains(&number) {
            true => Err(io::Error::other("the test lets this step fail")),
            false => Ok(()),
        }
    })
}

/// What `work` gives and the steps that it took on this thread, those of the numbers `fail` in vain.
fn noted<T>(fail: Range<usize>, work: impl FnOnce() -> T) -> (T, Vec<Noted>) {
    let steps = Vec::new();
    JOURNAL.set(Some(Journal { steps, fail }));
    let done = work();
    let journal = JOURNAL.take().unwrap_or_default();
    (done, journal.steps)
}

#[cfg(test)]
mod tests;
