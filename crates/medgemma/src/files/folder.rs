//! Which of the files in a folder is the model, and which its vision part. Names decide as far as they
//! go; where they leave several files of a folder that may be the model, the files' own headers do.

use std::path::{Path, PathBuf};

use medgemma_tensor::checkpoint::{Gguf, GgufMetadata, is_adapter};

use crate::error::{Error, Result};
use crate::gguf::{self, Kind};

/// Whether a name ends as those of GGUF files do.
pub(super) fn is_gguf(path: &Path) -> bool {
    let extension = path.extension();
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
}

/// The text model of a folder, by its name or its header.
pub(super) struct Found {
    pub(super) file: PathBuf,
    /// Vision parts, of whatever model, by their headers, where those had to be read; their names say
    /// nothing.
    pub(super) vision: Vec<PathBuf>,
}

/// The text model of a directory that holds one in GGUF and no safetensors files. A `config.json`
/// says nothing: it is often left beside converted weights. Nor does an adapter of peft.
///
/// # Errors
/// [`Error::SeveralFiles`]; [`Error::AdapterAlone`] where there is nothing else.
pub(super) fn text_file(dir: &Path) -> Result<Option<Found>> {
    let safetensors = |path: &PathBuf| path.extension().is_some_and(|e| e == "safetensors");
    let weights: Vec<PathBuf> = listed(dir).into_iter().filter(safetensors).collect();
    if weights.iter().any(|path| !is_adapter(path)) {
        return Ok(None);
    }
    let mut files = gguf_files(dir);
    files.retain(|path| !is_mmproj(path));
    let (mut adapters, mut vision) = (weights, Vec::new());
    if files.len() > 1 {
        let sorted = models_among(files);
        (files, adapters, vision) = (sorted.models, sorted.adapters, sorted.vision);
    }
    if let (true, Some(file)) = (files.is_empty(), adapters.first()) {
        return Err(Error::AdapterAlone {
            dir: dir.to_path_buf(),
            file: file_name(file),
        });
    }
    let file = only(dir, "text models", "the file to load", files)?;
    Ok(file.map(|file| Found { file, vision }))
}

/// The only vision part beside `file` by its name.
///
/// # Errors
/// [`Error::SeveralFiles`].
pub(super) fn mmproj_beside(file: &Path) -> Result<Option<PathBuf>> {
    let dir = folder_of(file);
    let mut files = gguf_files(dir);
    files.retain(|path| path.file_name() != file.file_name() && is_mmproj(path));
    only_vision(dir, files)
}

/// The only one of the vision parts `found` beside `file` that fits the model, whose header is `text`. It
/// was chosen by no one: if it cannot be opened, the model goes without.
///
/// # Errors
/// [`Error::SeveralFiles`].
pub(super) fn vision_among(
    mut found: Vec<PathBuf>,
    file: &Path,
    text: &GgufMetadata,
) -> Result<Option<Gguf>> {
    found.retain(|path| {
        let metadata = GgufMetadata::open(path);
        metadata.is_ok_and(|metadata| gguf::check_vision(&metadata, text).is_ok())
    });
    let opened = only_vision(folder_of(file), found)?.map(|path| Gguf::open(&path));
    Ok(opened.and_then(|opened| {
        let warn = |error: &_| {
            tracing::warn!(%error, "a vision part beside the model is not read: it takes no images");
        };
        opened.inspect_err(warn).ok()
    }))
}

/// The directory of a file.
fn folder_of(file: &Path) -> &Path {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    dir.unwrap_or(Path::new("."))
}

fn only_vision(dir: &Path, files: Vec<PathBuf>) -> Result<Option<PathBuf>> {
    let hint = "one by `with_mmproj`, or none by `without_mmproj`";
    only(dir, "vision parts (mmproj)", hint, files)
}

/// Files by their headers.
struct Sorted {
    /// Those that may be the model.
    models: Vec<PathBuf>,
    adapters: Vec<PathBuf>,
    vision: Vec<PathBuf>,
}

/// What `files` hold of Gemma 3's text models by their headers, of adapters and of vision parts. What
/// cannot be read counts as a model, since it may be one. Where there is none, files of other kinds stay,
/// for whoever opens them to refuse.
fn models_among(files: Vec<PathBuf>) -> Sorted {
    let kind = |path: &PathBuf| {
        let metadata = GgufMetadata::open(path);
        metadata.map_or(Kind::Gemma3, |metadata| Kind::of(&metadata))
    };
    let kinds: Vec<Kind> = files.iter().map(kind).collect();
    let of = |wanted: Kind| -> Vec<PathBuf> {
        let both = files.iter().zip(&kinds);
        let found = both.filter(|(_, kind)| **kind == wanted);
        found.map(|(path, _)| path.clone()).collect()
    };
    let (adapters, vision) = (of(Kind::Adapter), of(Kind::Vision));
    let first = [Kind::Gemma3, Kind::Other, Kind::Vision].map(of);
    let models = first.into_iter().find(|found| !found.is_empty());
    let models = match models {
        Some(models) => models,
        None if adapters.is_empty() => files,
        None => Vec::new(),
    };
    Sorted {
        models,
        adapters,
        vision,
    }
}

/// The paths in `dir`; none if it cannot be read.
fn listed(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The file name, in lower case.
fn name(path: &Path) -> String {
    file_name(path).to_lowercase()
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The GGUF files in `dir`, sorted, of a split model only the first; none if it cannot be read.
fn gguf_files(dir: &Path) -> Vec<PathBuf> {
    let later_part = |path: &Path| {
        let name = name(path);
        let number = name.rsplit_once("-of-").map(|(begin, _)| begin);
        let number = number.and_then(|begin| begin.rsplit_once('-'));
        number.is_some_and(|(_, number)| number.parse::<u32>().is_ok_and(|n| n > 1))
    };
    let mut files = listed(dir);
    files.retain(|path| is_gguf(path) && !later_part(path));
    files
}

/// Whether the name says that a file is a vision part.
fn is_mmproj(path: &Path) -> bool {
    name(path).contains("mmproj")
}

fn only(
    dir: &Path,
    what: &'static str,
    hint: &'static str,
    mut files: Vec<PathBuf>,
) -> Result<Option<PathBuf>> {
    if files.len() < 2 {
        return Ok(files.pop());
    }
    Err(Error::SeveralFiles {
        dir: dir.to_path_buf(),
        what,
        found: files.iter().map(|path| file_name(path)).collect(),
        hint,
    })
}
