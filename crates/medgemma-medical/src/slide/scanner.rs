//! What other scanners than Aperio's make of a TIFF: Philips pads levels to whole tiles, so that sizes do not say by how
//! much a level is coarser; Ventana lets tiles overlap, so that side by side they are no picture.

use super::directory::Directory;

/// Which levels a Philips file has more than 2: each has half the pixels of the one before, on a side.
const MOST_HALVINGS: u32 = 30;

/// Whether the file is Philips', by what stands in front of its description of level 0.
pub(super) fn is_philips(finest: &Directory) -> bool {
    finest.description.contains("ObjectType=\"DPUfsImport\"")
}

/// Micrometres per pixel of level 0: the first spacing in the description, millimetres between rows and between columns. The
/// rest of it (names, dates, pictures of the label) is left alone.
pub(super) fn philips_microns(description: &str) -> Option<f64> {
    let (_, after) = description.split_once("Name=\"DICOM_PIXEL_SPACING\"")?;
    let (_, after) = after.split_once('>')?;
    let (value, _) = after.split_once('<')?;
    let value = value.replace("&quot;", " ").replace('"', " ");
    let mut sides = value.split_whitespace().map(str::parse::<f64>);
    let (Some(Ok(down)), Some(Ok(across)), None) = (sides.next(), sides.next(), sides.next())
    else {
        return None;
    };
    let microns = (down + across) / 2.0 * 1000.0;
    (0.02..=20.0).contains(&microns).then_some(microns)
}

/// How often level 0 was halved for a level that is padded to whole tiles, or not, and its sides without padding: more often
/// than for the one before it, `above`, and so that this explains both sides. None if no number does.
pub(super) fn halvings(finest: &Directory, level: &Directory, above: u32) -> Option<Halved> {
    let one = |side: u64, tile: u64, found: u64, halvings: u32| {
        let floor = (side >> halvings).max(1);
        let padded = floor.div_ceil(tile).saturating_mul(tile);
        let ceiling = side.div_ceil(1 << halvings);
        if found == padded || found == floor {
            Some(floor)
        } else {
            (found == ceiling).then_some(ceiling)
        }
    };
    (above + 1..=MOST_HALVINGS).find_map(|times| {
        let width = one(finest.width, level.tile_width, level.width, times)?;
        let height = one(finest.height, level.tile_height, level.height, times)?;
        let sides = [width, height];
        Some(Halved { times, sides })
    })
}

/// A level of Philips' below level 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Halved {
    pub(super) times: u32,
    pub(super) sides: [u64; 2],
}

/// Whether the file is Ventana's: by its own XML, or by how its levels are described.
pub(super) fn is_ventana(directories: &[Directory]) -> bool {
    let described = |d: &Directory| {
        let words = &d.description;
        d.is_iscan || (words.starts_with("level=") && words.contains(" mag="))
    };
    directories.iter().any(described)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_spacing_is_that_of_level_0() {
        let spacing = |value: &str| {
            let text = format!(
                "<DataObject><Attribute Name=\"DICOM_PIXEL_SPACING\" Group=\"0x0028\" PMSVR=\"IDoubleArray\">{value}\
                </Attribute><Attribute Name=\"DICOM_PIXEL_SPACING\">&quot;9&quot; &quot;9&quot;</Attribute>"
            );
            philips_microns(&text)
        };
        for quoted in [
            "&quot;0.00025&quot; &quot;0.0003&quot;",
            "\"0.00025\" \"0.0003\"",
        ] {
            let found = spacing(quoted);
            assert!(
                found.is_some_and(|found| (found - 0.275).abs() < 1e-9),
                "{found:?}"
            );
        }
        for other in [
            "",
            "1",
            "\"1\" \"1\"",
            "0.0002 x",
            "0.0002 0.0002 0.0002",
            "nan nan",
        ] {
            assert_eq!(spacing(other), None, "{other}");
        }
        assert_eq!(philips_microns("<DataObject>"), None);
    }
}
