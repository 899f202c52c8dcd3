//! `model.safetensors.index.json`: which shard holds which tensor.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use serde::Deserialize;
use serde_json::Value;

use super::json::read_capped;
use super::members::Members;
use crate::error::{Error, Result};

/// The index's file name as the Hugging Face tools write it.
pub(super) const INDEX_FILE: &str = "model.safetensors.index.json";

/// The part of the index that is used; its `metadata` repeats what the shards say better.
#[derive(Deserialize)]
struct RawIndex {
    weight_map: Members,
}

/// Tensor names by shard file name.
pub(super) type ShardMap = BTreeMap<String, BTreeSet<String>>;

/// Reads the index at `path`.
///
/// # Errors
/// [`Error::Io`], [`Error::NotAFile`], [`Error::HeaderTooLarge`], [`Error::Malformed`],
/// [`Error::DuplicateKey`] if a tensor is listed twice, [`Error::ShardPath`] if a shard would lie
/// outside the index's directory.
pub(super) fn read(path: &Path) -> Result<ShardMap> {
    let raw: RawIndex =
        serde_json::from_slice(&read_capped(path)?).map_err(|source| Error::Malformed {
            path: path.to_path_buf(),
            expected: "a JSON object with a `weight_map` from tensor to shard",
            source: Box::new(source),
        })?;
    let mut seen = BTreeSet::new();
    let mut shards = ShardMap::new();
    for (key, shard) in raw.weight_map.0 {
        let shard = shard_name(path, &key, shard)?;
        if !seen.insert(key.clone()) {
            return Err(Error::DuplicateKey {
                path: path.to_path_buf(),
                key,
            });
        }
        shards.entry(shard).or_default().insert(key);
    }
    Ok(shards)
}

/// A relative path that never climbs. Symbolic links are followed: the Hugging Face cache is made
/// of them, and whoever can place a link in the directory can place weights there too.
fn shard_name(path: &Path, key: &str, shard: Value) -> Result<String> {
    let error = |found: String| Error::ShardPath {
        path: path.to_path_buf(),
        key: key.to_owned(),
        found,
    };
    let Value::String(shard) = shard else {
        return Err(error(shard.to_string()));
    };
    let mut components = Path::new(&shard).components().peekable();
    let inside = components.peek().is_some()
        && components.all(|c| matches!(c, Component::Normal(_)))
        && !shard.contains(['\\', ':', '\0']);
    if inside { Ok(shard) } else { Err(error(shard)) }
}
