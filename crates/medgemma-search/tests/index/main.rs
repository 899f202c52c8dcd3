//! The index as its users see it: crashes, damage, searches, filters, duplicates, folders of
//! pictures, readers beside a writer.

mod concurrent;
mod crash;
mod damage;
mod duplicates;
mod filters;
mod ingest;
mod kill;
mod search;
mod support;
