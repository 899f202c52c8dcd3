//! A directory of safetensors files as a [`WeightSource`]: one file, or the shards of an index.
//! Files are mapped and their headers judged once, on opening; no weight is read here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::header;
use super::index::{self, INDEX_FILE};
use super::map::{MappedBytes, map_file};
use super::source::{TensorInfo, WeightSource};
use crate::error::{Error, Result};

/// The file name of a checkpoint that was not sharded.
const SINGLE_FILE: &str = "model.safetensors";

/// Whether the file at `path` is, by its name, an adapter: what a fine-tune adds to a model, and no
/// model. peft writes `adapter_model.safetensors`; MLX `adapters.safetensors`, and the same behind the
/// number of a step, `0000100_adapters.safetensors`.
#[must_use]
pub fn is_adapter(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| {
        name == "adapter_model.safetensors" || name.ends_with("adapters.safetensors")
    })
}

/// One mapped file.
#[derive(Debug)]
struct Shard {
    path: PathBuf,
    bytes: MappedBytes,
}

/// Where a tensor is: shard number and byte range in it.
#[derive(Debug)]
struct Place {
    info: TensorInfo,
    shard: usize,
    begin: usize,
    end: usize,
}

/// All tensors of a Hugging Face model directory, memory-mapped.
///
/// The files must not be changed in place while any tensor made from them is alive; see the
/// `map` module's header for what happens otherwise. Replacing them by renaming is safe.
#[derive(Debug)]
pub struct SafetensorsDir {
    dir: PathBuf,
    shards: Vec<Shard>,
    tensors: BTreeMap<String, Place>,
}

impl SafetensorsDir {
    /// Opens `model.safetensors`, else every shard that `model.safetensors.index.json` names, else
    /// the only `*.safetensors` file in `dir` (the order of `transformers`), adapters beside it aside.
    ///
    /// # Errors
    /// [`Error::NoWeights`], [`Error::AmbiguousWeights`], everything that a corrupt file or index
    /// can be accused of (see [`Error`]), and [`Error::IndexedTensorAbsent`] or
    /// [`Error::UnindexedTensor`] where index and shards disagree.
    pub fn open(dir: &Path) -> Result<Self> {
        let mut this = Self {
            dir: dir.to_path_buf(),
            shards: Vec::new(),
            tensors: BTreeMap::new(),
        };
        let index = dir.join(INDEX_FILE);
        if dir.join(SINGLE_FILE).exists() {
            this.add_file(dir.join(SINGLE_FILE), None)?;
        } else if index.exists() {
            for (shard, keys) in index::read(&index)? {
                this.add_file(dir.join(shard), Some((&index, keys)))?;
            }
        } else {
            this.add_file(only_file(dir)?, None)?;
        }
        Ok(this)
    }

    /// A checkpoint of the one safetensors file whose content is `bytes`, wherever they come from;
    /// messages call it `name`.
    ///
    /// # Errors
    /// Everything that a corrupt file can be accused of (see [`Error`]).
    pub fn from_bytes(name: &Path, bytes: MappedBytes) -> Result<Self> {
        let mut this = Self {
            dir: name.to_path_buf(),
            shards: Vec::new(),
            tensors: BTreeMap::new(),
        };
        this.add_shard(name.to_path_buf(), bytes, None)?;
        Ok(this)
    }

    /// Maps one file and lists its tensors, which must be exactly `listed` if an index says so.
    fn add_file(&mut self, path: PathBuf, listed: Option<(&Path, BTreeSet<String>)>) -> Result<()> {
        let bytes = map_file(&path)?;
        self.add_shard(path, bytes, listed)
    }

    fn add_shard(
        &mut self,
        path: PathBuf,
        bytes: MappedBytes,
        listed: Option<(&Path, BTreeSet<String>)>,
    ) -> Result<()> {
        let entries = header::read(&path, &bytes)?;
        if let Some((index, keys)) = listed {
            if let Some(key) = keys.iter().find(|k| !entries.contains_key(*k)) {
                return Err(Error::IndexedTensorAbsent {
                    index: index.to_path_buf(),
                    shard: path,
                    key: key.clone(),
                });
            }
            if let Some(key) = entries.keys().find(|k| !keys.contains(*k)) {
                return Err(Error::UnindexedTensor {
                    index: index.to_path_buf(),
                    shard: path,
                    key: key.clone(),
                });
            }
        }
        let shard = self.shards.len();
        self.shards.push(Shard { path, bytes });
        for (key, entry) in entries {
            let place = Place {
                info: entry.info,
                shard,
                begin: entry.begin,
                end: entry.end,
            };
            self.tensors.insert(key, place);
        }
        Ok(())
    }
}

/// The only `*.safetensors` file directly in `dir`.
fn only_file(dir: &Path) -> Result<PathBuf> {
    let io = |source| Error::Io {
        path: dir.to_path_buf(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|e| e == "safetensors") {
            found.push(path);
        }
    }
    found.sort();
    // Beside a model it does not count; alone it may be read by whoever wants it.
    if found.iter().any(|path| !is_adapter(path)) {
        found.retain(|path| !is_adapter(path));
    }
    match found.len() {
        0 => Err(Error::NoWeights {
            dir: dir.to_path_buf(),
        }),
        1 => Ok(found.remove(0)),
        _ => Err(Error::AmbiguousWeights {
            dir: dir.to_path_buf(),
            found: found
                .iter()
                .filter_map(|p| Some(p.file_name()?.to_string_lossy().into_owned()))
                .collect(),
        }),
    }
}

impl WeightSource for SafetensorsDir {
    fn location(&self) -> &Path {
        &self.dir
    }

    fn names(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.get(name).map(|place| &place.info)
    }

    fn file(&self, name: &str) -> &Path {
        self.tensors
            .get(name)
            .map_or(&self.dir, |place| &self.shards[place.shard].path)
    }

    fn bytes(&self, name: &str) -> Result<MappedBytes> {
        let Some(place) = self.tensors.get(name) else {
            return Err(Error::MissingTensor {
                location: self.dir.clone(),
                key: name.to_owned(),
                closest: None,
            });
        };
        Ok(self.shards[place.shard].bytes.slice(place.begin..place.end))
    }
}
