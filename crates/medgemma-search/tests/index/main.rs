//! The index as its users see it: crashes, damage, searches, filters, duplicates, folders of
//! pictures, readers beside a writer, its files.

#![expect(
    clippy::cast_possible_truncation,
    reason = "numbers of the tests are small, or are meant to be rounded"
)]

mod concurrent;
mod crash;
mod damage;
mod duplicates;
mod files;
mod filters;
mod ingest;
mod kill;
mod many;
mod places;
mod replaced;
mod search;
mod support;
