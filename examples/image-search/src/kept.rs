//! A model's checksum, kept beside the index: to hash gigabytes of weights takes longer than to search.
//!
//! It counts as long as no file of the model was touched. What cannot be read or written here is no
//! error: the weights are then hashed again.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::UNIX_EPOCH;

const NAME: &str = "model-checksum";
/// How the file begins: another release may make another checksum of the same files.
const MAGIC: &str = concat!("image-search ", env!("CARGO_PKG_VERSION"), "\n");
/// How a file of any release begins.
const OURS: &[u8] = b"image-search ";

/// What tells one state of a model's files from another: their names, sizes and times.
pub(crate) fn state(dir: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        // A link is what it leads to: a download may be links into a folder of blobs.
        let metadata = fs::metadata(&path)?;
        if metadata.is_file() {
            files.push(format!("{:?} {}", path.file_name(), stamp(&metadata)?));
        }
    }
    files.sort_unstable();
    Ok(format!("{:?}\n{}\n", dir.canonicalize()?, files.join("\n")))
}

fn stamp(metadata: &Metadata) -> io::Result<String> {
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH);
    let modified = modified.map_err(io::Error::other)?.as_nanos();
    let stamp = format!("{} {modified}", metadata.len());
    // Copies may keep size and time; nobody sets these.
    #[cfg(unix)]
    let stamp = {
        use std::os::unix::fs::MetadataExt;
        let (inode, seconds, nanos) = (metadata.ino(), metadata.ctime(), metadata.ctime_nsec());
        format!("{stamp} {inode} {seconds}.{nanos}")
    };
    Ok(stamp)
}

/// The checksum of a model in this state, if it lies in `index`.
pub(crate) fn read(index: &Path, state: &str) -> Option<String> {
    let text = fs::read_to_string(index.join(NAME)).ok()?;
    let (checksum, of) = text.strip_prefix(MAGIC)?.split_once('\n')?;
    (of == state).then(|| checksum.to_owned())
}

/// Keeps it in `index`, if there is such a folder: whole, or not at all, and in place of no file of
/// somebody else.
pub(crate) fn write(index: &Path, state: &str, checksum: &str) -> io::Result<()> {
    let path = index.join(NAME);
    match fs::read(&path) {
        Ok(old) if !old.starts_with(OURS) => return Err(ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let new = index.join(format!("{NAME}.{}.new", std::process::id()));
    let mut file = File::create_new(&new)?;
    let written = file.write_all(format!("{MAGIC}{checksum}\n{state}").as_bytes());
    drop(file);
    let kept = written.and_then(|()| fs::rename(&new, path));
    kept.inspect_err(|_| drop(fs::remove_file(&new)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{NAME, read, state, write};

    #[test]
    fn a_checksum_counts_until_a_file_is_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        let (model, index) = (folder.path().join("model"), folder.path().join("index"));
        fs::create_dir(&model).expect("a folder");
        let weights = model.join("model.safetensors");
        fs::write(&weights, "weights").expect("written");
        let before = state(&model).expect("listed");
        assert!(write(&index, &before, "1234").is_err(), "no folder is made");
        fs::create_dir(&index).expect("a folder");
        assert_eq!(read(&index, &before), None);
        write(&index, &before, "1234").expect("written");
        assert_eq!(read(&index, &before).as_deref(), Some("1234"));
        assert_eq!(fs::read_dir(&index).expect("listed").count(), 1);
        assert_eq!(state(&model).expect("listed"), before);
        // What somebody else, or another release, has written there does not count; only the latter is
        // replaced.
        let kept = index.join(NAME);
        fs::write(&kept, format!("1234\n{before}")).expect("written");
        assert!(write(&index, &before, "1234").is_err());
        assert_eq!(fs::read_dir(&index).expect("listed").count(), 1);
        fs::write(&kept, format!("image-search 0.0.0\n1234\n{before}")).expect("written");
        assert_eq!(read(&index, &before), None);
        write(&index, &before, "1234").expect("written");
        assert_eq!(read(&index, &before).as_deref(), Some("1234"));

        let time = fs::metadata(&weights)
            .expect("there")
            .modified()
            .expect("a time");
        fs::write(&weights, "more weights").expect("written");
        assert_eq!(read(&index, &state(&model).expect("listed")), None);
        // Size and time may be the same; on Unix the system knows better.
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(&weights, "changed").expect("written");
        let file = fs::File::options()
            .write(true)
            .open(&weights)
            .expect("opened");
        file.set_modified(time).expect("set");
        if cfg!(unix) {
            assert_eq!(read(&index, &state(&model).expect("listed")), None);
        }
        write(&index, &state(&model).expect("listed"), "5678").expect("written");
        fs::write(model.join("config.json"), "{}").expect("written");
        assert_eq!(read(&index, &state(&model).expect("listed")), None);
        fs::remove_file(model.join("config.json")).expect("removed");
        fs::rename(&model, folder.path().join("other")).expect("moved");
        let other = state(&folder.path().join("other")).expect("listed");
        assert_eq!(read(&index, &other), None);
    }
}
