//! Putting right what a crash has left.
//!
//! What was published must be there, or it is an error. What lies behind it was being appended: a
//! whole batch is published now, anything less is cut off.

use std::fmt;

use crate::catalog::Catalog;
use crate::commit::{Commit, Slots};
use crate::error::{Error, RESTORE, Result};
use crate::files::NamedFile;
use crate::frame::Span;
use crate::rows::{self, RowFiles};

/// What opening an index for writing found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Batches in the index.
    pub batches: u64,
    /// Rows in the files, deleted and replaced ones included.
    pub rows: u64,
    /// Vectors that can be found.
    pub live: usize,
    /// Batches that were written whole but not published, and now are.
    pub adopted_batches: u64,
    /// Bytes of an unfinished append, cut off the log.
    pub torn_log_bytes: u64,
    /// Bytes of an unfinished append, cut off the vectors.
    pub torn_vector_bytes: u64,
    /// Bytes of an unfinished append, cut off the codes.
    pub torn_code_bytes: u64,
    /// One of the two places that say how far the log is published was damaged, and was written
    /// again.
    pub repaired_commit: bool,
    /// Rows whose codes were missing or damaged, and were made again from their vectors.
    pub remade_codes: u64,
}

impl Recovery {
    /// Whether nothing had to be done.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.adopted_batches == 0
            && self.torn_bytes() == 0
            && !self.repaired_commit
            && self.remade_codes == 0
    }

    /// Bytes of an unfinished append, cut off all files.
    #[must_use]
    pub fn torn_bytes(&self) -> u64 {
        self.torn_log_bytes + self.torn_vector_bytes + self.torn_code_bytes
    }
}

impl fmt::Display for Recovery {
    /// One line for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} vectors in {} batches", self.live, self.batches)?;
        if self.torn_bytes() > 0 {
            let bytes = self.torn_bytes();
            write!(f, "; an unfinished append of {bytes} bytes was cut off")?;
        }
        if self.adopted_batches > 0 {
            let batches = self.adopted_batches;
            write!(
                f,
                "; {batches} finished but unpublished batches were published"
            )?;
        }
        if self.repaired_commit {
            f.write_str("; the file `commit` was written again")?;
        }
        if self.remade_codes > 0 {
            write!(f, "; codes of {} rows were made again", self.remade_codes)?;
        }
        Ok(())
    }
}

/// Brings all files to the last whole batch.
pub(crate) fn recover(
    slots: &Slots,
    catalog: &mut Catalog,
    rows: &mut RowFiles,
    commit: &mut NamedFile,
) -> Result<Recovery> {
    rows.expect_vectors(slots.latest.rows)?;
    if catalog.following()?.is_some() {
        write_again(&slots.latest, catalog, rows)?;
    }
    // Without a slot or the codes, a batch that was published may be behind the published state. Its
    // codes can be made again, once its vectors are as the log says.
    let codes_too = !slots.damaged && !rows.no_codes;
    let adopted = adopt(catalog, rows, codes_too)?;
    if slots.damaged && !rows.reach(catalog.state().rows)? {
        expect_no_more(catalog, rows)?;
    }
    if let Some(span) = catalog.last() {
        rows.expect_batch(span)?;
    }
    let remade_codes = remake_codes(catalog, rows, &adopted)?;
    let state = *catalog.state();
    let recovery = Recovery {
        batches: state.sequence,
        rows: state.rows,
        live: catalog.live_rows(),
        adopted_batches: adopted.len() as u64,
        torn_log_bytes: catalog.log_mut().cut(state.log_bytes)?,
        torn_vector_bytes: rows.vectors.cut(rows.vector_at(state.rows))?,
        torn_code_bytes: rows.codes.cut(rows.code_at(state.rows))?,
        repaired_commit: slots.damaged,
        remade_codes,
    };
    if recovery.adopted_batches > 0 || recovery.torn_bytes() > 0 {
        rows.vectors.sync()?;
        rows.codes.sync()?;
        catalog.log_mut().sync()?;
    }
    if recovery.adopted_batches > 0 || slots.damaged {
        state.publish_twice(slots, commit)?;
    }
    Ok(recovery)
}

/// Writes what lies behind the published state once more.
///
/// A sync that fails is told once, to the process that waited for it. The bytes stay readable from
/// the system's memory, and the next sync has nothing to write and says yes: only what is written
/// again is on the disk after it. Hence before anything is compared, lest the system forgets the bytes
/// in between.
fn write_again(published: &Commit, catalog: &mut Catalog, rows: &mut RowFiles) -> Result<()> {
    let log = catalog.log_mut();
    log.rewrite(published.log_bytes..log.len()?)?;
    let (vector_at, code_at) = (rows.vector_at(published.rows), rows.code_at(published.rows));
    rows.vectors.rewrite(vector_at..rows.vectors.len()?)?;
    rows.codes.rewrite(code_at..rows.codes.len()?)
}

/// Takes in the batches that are whole, in the log, in the vectors, and in the codes if these count:
/// what they say of their rows.
pub(crate) fn adopt(catalog: &mut Catalog, rows: &RowFiles, codes_too: bool) -> Result<Vec<Span>> {
    let mut adopted = Vec::new();
    while let Some(frame) = catalog.following()? {
        if !rows.has_vectors(&frame.span)? || codes_too && !rows.has_codes(&frame.span)? {
            break;
        }
        catalog.adopt(&frame)?;
        adopted.push(frame.span);
    }
    Ok(adopted)
}

/// An error if something lies behind what was taken in: where so much is missing, nobody can tell an
/// unfinished append from a published batch, which must not be cut off.
fn expect_no_more(catalog: &mut Catalog, rows: &RowFiles) -> Result<()> {
    let state = *catalog.state();
    let ends = [
        (&*catalog.log_mut(), state.log_bytes),
        (&rows.vectors, rows.vector_at(state.rows)),
    ];
    for (file, end) in ends {
        let found = file.len()?;
        if found > end {
            return Err(Error::Damaged {
                path: file.path.clone(),
                at: end,
                what: "end of what is whole",
                expected: format!(
                    "{end} bytes, since codes are missing and a slot of `commit` is damaged"
                ),
                found: found.to_string(),
                remedy: RESTORE,
            });
        }
    }
    Ok(())
}

/// Makes the codes again that are missing, and those of the last batch and of the `adopted` ones if
/// they are damaged: how many.
fn remake_codes(catalog: &Catalog, rows: &mut RowFiles, adopted: &[Span]) -> Result<u64> {
    let mut spans = adopted.to_vec();
    if adopted.is_empty() {
        spans.extend(catalog.last());
    }
    let all = catalog.state().rows;
    if !rows.reach(all)? {
        let trusted = spans.first().map_or(all, |span| span.first_row);
        let whole = match rows.no_codes {
            true => 0,
            false => rows.codes.len()? / rows.code_at(1),
        };
        let kept = whole.min(trusted);
        rows.renew_codes(kept, all)?;
        expect_codes(rows, &spans)?;
        return Ok(all - kept);
    }
    // In their place: a crash leaves a checksum that does not fit, and the next recovery finds it.
    let mut damaged = Vec::new();
    for span in spans {
        if !rows.has_codes(&span)? {
            damaged.push(span);
        }
    }
    let mut count = 0;
    for span in &damaged {
        rows.remake_codes(span.first_row..rows::end(span))?;
        count += u64::from(span.rows);
    }
    if count > 0 {
        rows.codes.sync()?;
    }
    expect_codes(rows, &damaged)?;
    Ok(count)
}

fn expect_codes(rows: &RowFiles, spans: &[Span]) -> Result<()> {
    spans.iter().try_for_each(|span| rows.expect_codes(span))
}
