//! `cargo run --release -p medgemma-privacy --example deidentify -- SECRET FROM TO [OPTION…]`: every file of a
//! folder and of those in it that can be de-identified, into a new or empty folder, named by the SOP Instance UID
//! that it has now: the name it had may be the patient's. OPTION is one of `dates`, `uids`, `device`,
//! `institution`, `patient`, `descriptors`, and `names`, which prints which file became which: as confidential as
//! the originals.

#![allow(clippy::print_stdout, reason = "a command tells what it did")]

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use medgemma_privacy::{DicomDeidentifier, Key, Retain};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    println!("{}", run(&arguments)?);
    Ok(())
}

/// What was done, in numbers.
pub(crate) fn run(arguments: &[String]) -> Result<String, Box<dyn Error>> {
    let [secret, from, to, options @ ..] = arguments else {
        return Err(
            "give a file with a secret, a folder to read, a folder to write, options".into(),
        );
    };
    let mut deidentifier = DicomDeidentifier::new(&Key::from_secret(&fs::read(secret)?)?);
    let names = options.iter().any(|option| option == "names");
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
    let (from, to) = folders(from, to)?;
    let (mut written, mut repeated, mut warned, mut refused) = (0, 0, 0, 0);
    let mut waiting = vec![from.clone()];
    while let Some(folder) = waiting.pop() {
        let mut paths = fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<PathBuf>>>()?;
        paths.sort();
        for path in paths {
            let was = path.strip_prefix(&from).unwrap_or(&path).display();
            let kind = fs::symlink_metadata(&path)?.file_type();
            if kind.is_dir() {
                waiting.push(path);
                continue;
            }
            if !kind.is_file() {
                // A link may lead in circles, or out of the folder.
                refused += 1;
                println!("left out {was}: no file and no folder");
                continue;
            }
            match deidentifier.deidentify(&fs::read(&path)?) {
                Ok(clean) => {
                    let (name, again) = write(&to, &clean.instance, &clean.bytes)?;
                    written += 1;
                    repeated += usize::from(again);
                    warned += usize::from(!clean.report.warnings.is_empty());
                    for warning in clean.report.warnings {
                        println!("look at {name}: {warning}");
                    }
                    if names {
                        println!("{name}\t{was}");
                    }
                }
                Err(error) => {
                    refused += 1;
                    println!("left out {was}: {error}");
                }
            }
        }
    }
    Ok(format!(
        "{written} written, {repeated} of them under a UID that another has, {warned} to be looked at, {refused} left out"
    ))
}

/// Both as they are on the disk, if nothing that is there can be lost.
fn folders(from: &str, to: &str) -> Result<(PathBuf, PathBuf), Box<dyn Error>> {
    let from = fs::canonicalize(from)?;
    fs::create_dir_all(to)?;
    let to = fs::canonicalize(to)?;
    if to.starts_with(&from) {
        return Err("the folder to write is the one to read, or in it: give another".into());
    }
    if fs::read_dir(&to)?.next().is_some() {
        return Err("the folder to write is not empty: give a new one".into());
    }
    Ok((from, to))
}

/// Under the UID, or where that is taken with a number behind it, and whether it was: no file replaces another.
fn write(to: &Path, instance: &str, bytes: &[u8]) -> io::Result<(String, bool)> {
    for number in 1_u32.. {
        let name = match number {
            1 => format!("{instance}.dcm"),
            number => format!("{instance}-{number}.dcm"),
        };
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(to.join(&name))
        {
            Ok(mut file) => {
                file.write_all(bytes)?;
                return Ok((name, number > 1));
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}
