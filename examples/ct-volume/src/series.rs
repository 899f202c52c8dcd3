//! From a folder or a file to axial planes.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use medgemma_medical::{Dicom, Limits, Nifti, Volume};

/// The volume, turned so that its planes are axial. What was ignored, left out or is uneven is said on standard error.
pub(crate) fn read(source: &Path) -> Result<Volume, Box<dyn Error>> {
    let volume = if source.is_dir() {
        let mut paths: Vec<PathBuf> = fs::read_dir(source)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()?;
        paths.retain(|path| path.is_file());
        paths.sort();
        of_dicom(&slices(source, &paths)?)?
    } else if is_nifti(source) {
        let file = Nifti::open(source, &Limits::default())?;
        if file.volumes() > 1 {
            notice(&format!("the first of {} volumes is taken", file.volumes()))?;
        }
        file.volume(0)?
    } else {
        of_dicom(&[Dicom::open(source, &Limits::default())?])?
    };
    let axial = volume.axial();
    if axial.affine != volume.affine {
        notice("planes turned: to the patient's left, back and head")?;
    }
    for remark in &axial.remarks {
        notice(&remark.to_string())?;
    }
    let [columns, rows, _] = axial.spacing;
    if (columns / rows - 1.0).abs() > 0.01 {
        notice(&format!(
            "pixels are {columns:.3} x {rows:.3} mm, and shown as squares"
        ))?;
    }
    Ok(axial)
}

/// The volume of these files. What is odd about them is said once, and of how many: slices of a series are alike.
fn of_dicom(files: &[Dicom]) -> Result<Volume, Box<dyn Error>> {
    let mut told = BTreeMap::new();
    for odd in files.iter().flat_map(Dicom::notices) {
        *told.entry(odd.to_string()).or_insert(0) += 1;
    }
    for (odd, count) in told {
        notice(&format!("{odd} ({count} of {} files)", files.len()))?;
    }
    Ok(Volume::from_dicom(files)?)
}

/// Every DICOM file among them; what cannot be read is said and left out.
fn slices(folder: &Path, paths: &[PathBuf]) -> Result<Vec<Dicom>, Box<dyn Error>> {
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        match Dicom::open(path, &Limits::default()) {
            Ok(file) => files.push(file),
            Err(error) => notice(&format!("left out: {error}"))?,
        }
    }
    if files.is_empty() {
        let found = format!("{} files, none of which can be read", paths.len());
        return Err(format!(
            "`{}`: expected DICOM files, found {found}",
            folder.display()
        )
        .into());
    }
    Ok(files)
}

fn is_nifti(path: &Path) -> bool {
    let name = path.to_string_lossy().to_lowercase();
    name.ends_with(".nii") || name.ends_with(".nii.gz")
}

fn notice(text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "notice: {text}")
}
