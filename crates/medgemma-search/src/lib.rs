//! An index of image embeddings on disk: appended to by one writer, searched by any number of
//! readers, never left half-changed by a crash.
//!
//! Embeddings come from the caller, so this crate links no model and no tensor library. Scores are
//! inner products of unit vectors: cosine similarities. A search scans 8-bit codes, and scores the
//! best candidates by their f32 vectors; where many vectors hardly differ, only
//! [`Query::with_exact`] is sure to find the best of them.
//!
//! ```
//! use medgemma_search::{Batch, Cpu, Filter, Fingerprint, Index, Metadata, Query, Writer};
//!
//! # fn main() -> medgemma_search::Result<()> {
//! # let folder = tempfile::tempdir().expect("a folder");
//! # let folder = folder.path().join("archive");
//! // Embeddings of different models cannot be compared, so an index knows its model.
//! let fingerprint = Fingerprint::new("google/medsiglip-448", 3);
//! let mut writer = Writer::create(&folder, &fingerprint)?;
//! let mut batch = Batch::new();
//! batch.put("a", vec![1.0, 0.0, 0.0], Metadata::from([("age".into(), 40.0.into())]));
//! batch.put("b", vec![0.8, 0.6, 0.0], Metadata::from([("age".into(), 7.0.into())]));
//! writer.append(&batch)?; // on the disk when it has returned
//!
//! let index = Index::open(&folder, &fingerprint)?;
//! let cpu = Cpu::detect();
//! let query = Query::new([1.0, 0.1, 0.0]).with_k(1);
//! assert_eq!(index.search(&cpu, &query)?[0].id, "a");
//! let children = query.with_filter(Filter::range("age", ..18.0));
//! assert_eq!(index.search(&cpu, &children)?[0].id, "b");
//! # Ok(())
//! # }
//! ```
//!
//! | step | module |
//! |---|---|
//! | a batch → rows, codes and a frame of the log → published | `writer`, `prepared`, `quantize`, `frame`, `commit`, `header` |
//! | a folder of pictures → batches, by the caller's decoder and model | `ingest` |
//! | what a crash left → the last whole batch | `recovery` |
//! | published state → what is known of the rows | `catalog`, `ids`, `rows` |
//! | query → candidates by 8-bit codes, and 4-bit ones if asked for → hits by f32 vectors | `ranges`, `coarse`, `scan`, `best`, `candidates`, `search` |
//! | filter → the rows that may be found | `filter`, `window`, `mask` |

mod batch;
mod best;
mod bytes;
mod candidates;
mod catalog;
mod coarse;
mod commit;
mod content;
mod duplicates;
mod error;
#[cfg(feature = "export")]
mod export;
mod files;
mod filter;
mod fingerprint;
mod frame;
mod header;
mod identity;
mod ids;
mod index;
mod ingest;
#[cfg(test)]
mod journal;
mod lock;
mod mask;
mod metadata;
mod prepared;
mod quantize;
mod query;
mod ranges;
mod record;
mod recovery;
mod rows;
mod scan;
mod search;
mod window;
mod writer;

// The public interface is:
pub use crate::batch::{Appended, Batch, Entry};
pub use crate::content::{content_id, content_id_of_file};
pub use crate::duplicates::{Compared, DuplicateOptions, Duplicates, Pair};
pub use crate::error::{Error, Result};
#[cfg(feature = "export")]
pub use crate::export::{Column, ColumnKind, Exported};
pub use crate::filter::Filter;
pub use crate::fingerprint::Fingerprint;
pub use crate::index::Index;
pub use crate::ingest::{Fault, Gone, Ingested, Ingestion, Progress, Skipped, SourceFile};
pub use crate::metadata::{Metadata, Value};
pub use crate::query::Query;
pub use crate::recovery::Recovery;
pub use crate::search::Hit;
pub use crate::writer::Writer;
// The threads and instructions that a search runs on:
pub use medgemma_kernels::Cpu;
