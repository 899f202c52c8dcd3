//! `cargo run --release -p medgemma-privacy --example deidentify -- SECRET FROM TO [OPTION…]`: every file of
//! a folder that can be de-identified into another, under its own name. OPTION is one of `dates`, `uids`,
//! `device`, `institution`, `patient`, `descriptors`.

#![allow(clippy::print_stdout, reason = "a command tells what it did")]

use std::error::Error;
use std::fs;
use std::path::Path;

use medgemma_privacy::{DicomDeidentifier, Key, Retain};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [secret, from, to, options @ ..] = arguments.as_slice() else {
        return Err(
            "give a file with a secret, a folder to read, a folder to write, options".into(),
        );
    };
    let key = Key::from_secret(&fs::read(secret)?)?;
    let mut deidentifier = DicomDeidentifier::new(&key);
    for option in options {
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
    fs::create_dir_all(to)?;
    let (mut written, mut refused, mut warned) = (0, 0, 0);
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|_| path.is_file()) else {
            continue;
        };
        match deidentifier.deidentify(&fs::read(&path)?) {
            Ok(clean) => {
                fs::write(Path::new(to).join(name), &clean.bytes)?;
                written += 1;
                warned += usize::from(!clean.report.warnings.is_empty());
                for warning in clean.report.warnings {
                    println!("look at {}: {warning}", name.display());
                }
            }
            Err(error) => {
                refused += 1;
                println!("left out {}: {error}", name.display());
            }
        }
    }
    println!("{written} written, {warned} of them to be looked at, {refused} left out");
    Ok(())
}
