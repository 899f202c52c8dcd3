//! Which of the files in a folder is the model, and which its vision part. Names decide as far as they
//! go; where they leave several, the files' own headers do.

use std::path::{Path, PathBuf};

use medgemma_tensor::checkpoint::{GgufMetadata, is_adapter};

use crate::error::{Error, Result};
use crate::gguf::{self, Kind};

/// Whether a name ends as those of GGUF files do.
pub(super) fn is_gguf(path: &Path) -> bool {
    let extension = path.extension();
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
}

/// The text model of a directory that holds one in GGUF and no safetensors files. A `config.json`
/// says nothing: it is often left beside converted weights. Nor does an adapter of peft.
///
/// # Errors
/// [`Error::SeveralFiles`]; [`Error::AdapterAlone`] where there is nothing else.
pub(super) fn text_file(dir: &Path) -> Result<Option<PathBuf>> {
    let safetensors = |path: &PathBuf| path.extension().is_some_and(|e| e == "safetensors");
    let weights: Vec<PathBuf> = listed(dir).into_iter().filter(safetensors).collect();
    if weights.iter().any(|path| !is_adapter(path)) {
        return Ok(None);
    }
    let mut files = gguf_files(dir);
    files.retain(|path| !is_mmproj(path));
    let mut adapters = weights;
    if files.len() > 1 {
        (files, adapters) = models_among(files);
    }
    match (files.is_empty(), adapters.first()) {
        (true, Some(file)) => Err(Error::AdapterAlone {
            dir: dir.to_path_buf(),
            file: file_name(file),
        }),
        _ => only(dir, "text models", "the file to load", files),
    }
}

/// The only vision part beside `file`, whose header is `text`: by its name, else by its own header if
/// it fits that model.
///
/// # Errors
/// [`Error::SeveralFiles`].
pub(super) fn mmproj_beside(file: &Path, text: &GgufMetadata) -> Result<Option<PathBuf>> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new("."));
    let mut files = gguf_files(dir);
    files.retain(|path| path.file_name() != file.file_name());
    let fits = |path: &Path| {
        GgufMetadata::open(path).is_ok_and(|metadata| {
            Kind::of(&metadata) == Kind::Vision && gguf::check_vision(&metadata, text).is_ok()
        })
    };
    if files.iter().any(|path| is_mmproj(path)) {
        files.retain(|path| is_mmproj(path));
    } else {
        files.retain(|path| fits(path));
    }
    let hint = "one by `with_mmproj`, or none by `without_mmproj`";
    only(dir, "vision parts (mmproj)", hint, files)
}

/// What `files` hold of Gemma 3's text models by their headers, and what of adapters. What cannot be
/// read counts as a model, since it may be one. Where there is none, files of other kinds stay, for
/// whoever opens them to refuse.
fn models_among(files: Vec<PathBuf>) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let kind = |path: &PathBuf| {
        let metadata = GgufMetadata::open(path);
        metadata.map_or(Kind::Gemma3, |metadata| Kind::of(&metadata))
    };
    let kinds: Vec<Kind> = files.iter().map(kind).collect();
    let of = |wanted: &[Kind]| -> Vec<PathBuf> {
        let both = files.iter().zip(&kinds);
        let found = both.filter(|(_, kind)| wanted.contains(kind));
        found.map(|(path, _)| path.clone()).collect()
    };
    let adapters = of(&[Kind::Adapter]);
    for wanted in [&[Kind::Gemma3][..], &[Kind::Other], &[Kind::Vision]] {
        let found = of(wanted);
        if !found.is_empty() {
            return (found, adapters);
        }
    }
    if adapters.is_empty() {
        (files, adapters)
    } else {
        (Vec::new(), adapters)
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
