//! The pictures of a folder, in a fixed order.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::progress::{Fault, Skipped};
use crate::error::{Error, Result};

/// Endings that are told: enough to see which format it is, few enough for a line.
const ENDINGS: usize = 5;

/// What is in a folder and the folders below it.
pub(super) struct Listing {
    /// The pictures, sorted by path.
    pub(super) files: Vec<PathBuf>,
    /// What could not be looked at.
    pub(super) skipped: Vec<Skipped>,
    /// Files with other endings, and what is no file.
    pub(super) ignored: usize,
    /// Their endings, in lower case, and how many have each.
    endings: BTreeMap<String, usize>,
}

impl Listing {
    /// The most frequent endings of the files that are left alone.
    pub(super) fn endings(&self) -> Vec<String> {
        let mut endings: Vec<_> = self.endings.iter().collect();
        endings.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let names = endings.into_iter().map(|(ending, _)| ending.clone());
        names.take(ENDINGS).collect()
    }

    fn ignore(&mut self, path: &Path) {
        self.ignored += 1;
        if let Some(ending) = path.extension() {
            let ending = ending.to_string_lossy().to_lowercase();
            *self.endings.entry(ending).or_default() += 1;
        }
    }
}

/// Lists the files below `folder` whose names end in one of `extensions`.
pub(super) fn list(folder: &Path, extensions: &[String]) -> Result<Listing> {
    let mut listing = Listing {
        files: Vec::new(),
        skipped: Vec::new(),
        ignored: 0,
        endings: BTreeMap::new(),
    };
    // The folder itself must be there; of those below it each may fail alone.
    std::fs::read_dir(folder).map_err(Error::io(folder, "list the folder"))?;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if let Err(error) = look(&folder, extensions, &mut folders, &mut listing) {
            listing.skipped.push(Skipped {
                path: folder,
                fault: Fault::Read(error),
            });
        }
    }
    listing.files.sort_unstable();
    listing.skipped.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(listing)
}

fn look(
    folder: &Path,
    extensions: &[String],
    folders: &mut Vec<PathBuf>,
    listing: &mut Listing,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let kind = match entry.file_type() {
            // A link is what it leads to.
            Ok(kind) if kind.is_symlink() => std::fs::metadata(&path).map(|meta| meta.file_type()),
            kind => kind,
        };
        let linked = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let fault = match kind {
            Ok(kind) if kind.is_dir() && linked => Fault::Link,
            Ok(kind) if kind.is_dir() => {
                folders.push(path);
                continue;
            }
            Ok(kind) if kind.is_file() && is_picture(&path, extensions) => {
                listing.files.push(path);
                continue;
            }
            // A link to nothing is left alone if it is not called a picture.
            Err(error) if error.kind() != ErrorKind::NotFound || is_picture(&path, extensions) => {
                Fault::Read(error)
            }
            // Sockets and pipes too: reading one could wait for ever.
            _ => {
                listing.ignore(&path);
                continue;
            }
        };
        listing.skipped.push(Skipped { path, fault });
    }
    Ok(())
}

fn is_picture(path: &Path, extensions: &[String]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|e| extensions.iter().any(|known| known.eq_ignore_ascii_case(e)))
}
