//! The facade's tests, a file a subject, as one program: building a program takes longer than most of them run. Tests
//! that need a process to themselves, or files that are fetched, have programs of their own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod api;
mod audit;
mod beyond_workload;
mod chat;
mod checksum;
mod classes;
mod embed_each;
mod errors;
mod gguf;
mod gguf_folder;
mod kv_cache;
mod medsiglip;
mod prefix;
mod speculation;
mod streaming;
#[cfg(feature = "schemars")]
mod structured;
mod thinking;
