//! `cargo run --release -p medgemma-privacy --example deidentify -- SECRET FROM TO [OPTION…]`: every file of a
//! folder and of those in it that can be de-identified, into a new or empty folder, named by the SOP Instance UID
//! that it has now: the name it had may be the patient's. OPTION is one of `dates`, `uids`, `device`,
//! `institution`, `patient`, `descriptors`, and `names`, which prints which file became which: as confidential as
//! the originals.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command tells what it did"
)]

use std::error::Error;
use std::fmt::{self, Display};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use medgemma_privacy::{DicomDeidentifier, Key, Report, Retain};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(done) => {
            println!("{done}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// An error of a file with the file's path, which the system's message lacks.
fn at(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> String {
    move |error| format!("{}: {error}", path.as_ref().display())
}

/// What was done, in numbers.
pub(crate) fn run(arguments: &[String]) -> Result<String, Box<dyn Error>> {
    let [secret, from, to, options @ ..] = arguments else {
        return Err(
            "give a file with a secret, a folder to read, a folder to write, options".into(),
        );
    };
    let deidentifier = deidentifier(secret, options)?;
    let names = options.iter().any(|option| option == "names");
    let (from, to) = folders(from, to)?;
    let mut done = Done::default();
    let mut waiting = vec![from.clone()];
    while let Some(folder) = waiting.pop() {
        let was = folder.strip_prefix(&from).unwrap_or(&folder);
        for path in done.entries(&folder, was) {
            let was = path.strip_prefix(&from).unwrap_or(&path);
            let file = match fs::symlink_metadata(&path) {
                Ok(data) if data.is_dir() => {
                    waiting.push(path);
                    continue;
                }
                Ok(data) if data.is_file() => fs::read(&path),
                // A link may lead in circles, or out of the folder.
                Ok(_) => Err(io::Error::other("no file and no folder")),
                Err(error) => Err(error),
            };
            let file = match file {
                Ok(file) => file,
                Err(error) => {
                    done.left_out(was, &error);
                    continue;
                }
            };
            match deidentifier.deidentify(&file) {
                Ok(clean) => {
                    let (name, again) = write(&to, &clean.instance, &clean.bytes)?;
                    done.wrote(&name, again, &clean.report);
                    if names {
                        println!("{name}\t{}", was.display());
                    }
                }
                Err(error) => done.left_out(was, &error),
            }
        }
    }
    Ok(done.to_string())
}

fn deidentifier(secret: &str, options: &[String]) -> Result<DicomDeidentifier, Box<dyn Error>> {
    let key = Key::from_secret(&fs::read(secret).map_err(at(secret))?)?;
    let mut deidentifier = DicomDeidentifier::new(&key);
    for option in options.iter().filter(|&option| option != "names") {
        deidentifier = deidentifier.retain(match option.as_str() {
            "dates" => Retain::ModifiedDates,
            "uids" => Retain::Uids,
            "device" => Retain::DeviceIdentity,
            "institution" => Retain::InstitutionIdentity,
            "patient" => Retain::PatientCharacteristics,
            "descriptors" => Retain::CleanedDescriptors,
            other => return Err(format!("no option {other}").into()),
        });
    }
    Ok(deidentifier)
}

/// How many files came to what end. Each is told as it comes.
#[derive(Default)]
struct Done {
    written: usize,
    repeated: usize,
    warned: usize,
    refused: usize,
}

impl Done {
    /// What cannot be read is left out, and others are not for it.
    fn left_out(&mut self, was: &Path, why: &dyn Display) {
        self.refused += 1;
        println!("left out {}: {why}", was.display());
    }

    /// What is in a folder, by names.
    fn entries(&mut self, folder: &Path, was: &Path) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        match fs::read_dir(folder) {
            Ok(entries) => {
                for entry in entries {
                    match entry {
                        Ok(entry) => paths.push(entry.path()),
                        Err(error) => self.left_out(was, &error),
                    }
                }
            }
            Err(error) => self.left_out(was, &error),
        }
        paths.sort();
        paths
    }

    fn wrote(&mut self, name: &str, again: bool, report: &Report) {
        self.written += 1;
        self.repeated += usize::from(again);
        self.warned += usize::from(!report.warnings.is_empty());
        if report.samples > 0 {
            let samples = report.samples;
            println!("{name}: an overlay was cleared out of {samples} samples");
        }
        for warning in &report.warnings {
            println!("look at {name}: {warning}");
        }
    }
}

impl Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            written,
            repeated,
            warned,
            refused,
        } = self;
        write!(
            f,
            "{written} written, {repeated} of them under a UID that another has, {warned} to be looked at, {refused} left out"
        )
    }
}

/// Both as they are on the disk, if nothing that is there can be lost.
fn folders(from: &str, to: &str) -> Result<(PathBuf, PathBuf), Box<dyn Error>> {
    let from = fs::canonicalize(from).map_err(at(from))?;
    // Before anything is made among the originals.
    let there = existing(Path::new(to))?;
    if there.starts_with(&from) {
        return Err("the folder to write is the one to read, or in it: give another".into());
    }
    fs::create_dir_all(to).map_err(at(to))?;
    let to = fs::canonicalize(to).map_err(at(to))?;
    if fs::read_dir(&to).map_err(at(&to))?.next().is_some() {
        return Err("the folder to write is not empty: give a new one".into());
    }
    Ok((from, to))
}

/// What there is of a path, as it is on the disk.
fn existing(path: &Path) -> Result<PathBuf, String> {
    let there = path.ancestors().find(|path| path.exists());
    let there = there.unwrap_or(Path::new(""));
    let mut missing = path.strip_prefix(there).unwrap_or(path).components();
    if missing.any(|part| part == Component::ParentDir) {
        return Err("the folder to write is not there, and has .. in its path".into());
    }
    let there = Path::new(".").join(there);
    fs::canonicalize(&there).map_err(at(&there))
}

/// Under the UID, or where that is taken with a number behind it, and whether it was: no file replaces another.
fn write(to: &Path, instance: &str, bytes: &[u8]) -> Result<(String, bool), String> {
    for number in 1_u32.. {
        let name = match number {
            1 => format!("{instance}.dcm"),
            number => format!("{instance}-{number}.dcm"),
        };
        let path = to.join(&name);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(bytes).map_err(at(&path))?;
                return Ok((name, number > 1));
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(at(&path)(error)),
        }
    }
    Err(at(to)(ErrorKind::AlreadyExists.into()))
}
