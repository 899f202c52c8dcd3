//! What an append writes: a batch as rows, codes and the payload of its frame. All that can be refused of a
//! batch is refused here, before anything is on the disk.

use std::collections::BTreeSet;

use crate::batch::{Appended, Batch};
use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::fingerprint::Fingerprint;
use crate::frame::Span;
use crate::quantize::{self, Scaling};
use crate::record;

/// What an append writes.
#[derive(Default)]
pub(crate) struct Prepared {
    pub(crate) rows: u32,
    pub(crate) vectors: Vec<u8>,
    pub(crate) codes: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl Prepared {
    /// Everything that is to be written, or nothing if the batch changes nothing.
    pub(crate) fn of(
        batch: &Batch,
        catalog: &Catalog,
        fingerprint: &Fingerprint,
    ) -> Result<(Option<Self>, Appended)> {
        let known = |id: &str| catalog.find(id.as_bytes()).is_some();
        let mut appended = Appended::default();
        let mut seen = BTreeSet::new();
        let mut prepared = Self::default();
        let mut records = Vec::new();
        for (index, entry) in batch.entries.iter().enumerate() {
            let argument = format!("batch entry {index}");
            once(&mut seen, &entry.id, &argument)?;
            let scaling = prepared.push(&entry.vector, fingerprint, &argument)?;
            let scaling = (scaling.scale, scaling.residual);
            record::encode(scaling, &entry.id, &entry.metadata, &argument, &mut records)?;
            if known(&entry.id) {
                appended.replaced += 1;
            } else {
                appended.added += 1;
            }
        }
        for (index, id) in batch.deletions.iter().enumerate() {
            let argument = format!("batch deletion {index}");
            once(&mut seen, id, &argument)?;
            if known(id) {
                record::encode_id(id, &argument, &mut records)?;
                appended.deleted += 1;
            } else {
                appended.unknown += 1;
            }
        }
        if records.is_empty() {
            return Ok((None, appended));
        }
        let state = catalog.state();
        let rows = u32::try_from(batch.entries.len()).ok();
        let rows = rows.filter(|&rows| state.rows + u64::from(rows) < u64::from(u32::MAX));
        let (Some(rows), Ok(deletions)) = (rows, u32::try_from(appended.deleted)) else {
            let expected = "fewer than 2³² − 1 rows in all: copy the index to a new one";
            let found = format!("{} and {} more", state.rows, batch.len());
            return Err(Error::argument("batch", expected, found));
        };
        let span = Span {
            first_row: state.rows,
            rows,
            deletions,
            vectors_crc: crc32fast::hash(&prepared.vectors),
            codes_crc: crc32fast::hash(&prepared.codes),
        };
        span.encode(&mut prepared.payload);
        prepared.payload.extend(records);
        prepared.rows = rows;
        Ok((Some(prepared), appended))
    }

    fn push(
        &mut self,
        vector: &[f32],
        fingerprint: &Fingerprint,
        argument: &str,
    ) -> Result<Scaling> {
        let unit = unit(vector, fingerprint, &format!("{argument}.vector"))?;
        self.vectors
            .extend(unit.iter().flat_map(|x| x.to_le_bytes()));
        let mut codes = Vec::with_capacity(unit.len());
        let scaling = quantize::encode(&unit, &mut codes);
        self.codes.extend(codes.into_iter().map(i8::cast_unsigned));
        Ok(scaling)
    }
}

/// A vector of the index's dimension, at unit length.
pub(crate) fn unit(vector: &[f32], fingerprint: &Fingerprint, argument: &str) -> Result<Vec<f32>> {
    if vector.len() != fingerprint.dimension {
        let expected = format!("{} numbers", fingerprint.dimension);
        return Err(Error::argument(
            argument,
            expected,
            vector.len().to_string(),
        ));
    }
    quantize::normalized(vector).ok_or_else(|| {
        let expected = "finite numbers, not all of them zero: check the image that was embedded";
        Error::argument(argument, expected, "a vector without a direction")
    })
}

fn once<'a>(seen: &mut BTreeSet<&'a str>, id: &'a str, argument: &str) -> Result<()> {
    if seen.insert(id) {
        return Ok(());
    }
    let expected = "each id once in a batch: leave one of the two out";
    Err(Error::argument(
        argument,
        expected,
        format!("id '{id}' a second time"),
    ))
}
