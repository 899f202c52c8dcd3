//! The directories of a TIFF file: one for each picture in it, with what is needed to find and decode one tile.
//!
//! Read here and not by the crate `tiff`, which loads the places of all tiles of a picture and refuses more than a
//! mebibyte of them (131 072 tiles of a `BigTIFF`; large slides have more). Here a place is read when its tile is.
//! TIFF 6.0, Adobe 1992; `BigTIFF`, AWare Systems.

use super::problem::SlideProblem;
use super::source::Source;

type Result<T> = std::result::Result<T, SlideProblem>;

/// Most bytes of a description that are read, and most of other lists.
const LONGEST_TEXT: u64 = 1 << 16;
const LONGEST_LIST: u64 = 16;

/// An open file and how its numbers are written.
pub(super) struct Numbers {
    file: Source,
    little: bool,
    big: bool,
}

/// A list of values of one tag, not yet read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values {
    kind: u16,
    pub(super) count: u64,
    at: u64,
}

/// One picture of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Directory {
    pub(super) width: u64,
    pub(super) height: u64,
    /// 0 where it is not cut into tiles.
    pub(super) tile_width: u64,
    pub(super) tile_height: u64,
    pub(super) offsets: Option<Values>,
    pub(super) counts: Option<Values>,
    pub(super) subfile: u64,
    pub(super) compression: u64,
    pub(super) photometric: u64,
    pub(super) samples: u64,
    pub(super) bits: Vec<u64>,
    pub(super) planar: u64,
    pub(super) predictor: u64,
    pub(super) description: String,
    pub(super) jpeg_tables: Option<Values>,
    /// Whether its XMP is of Ventana's scanners.
    pub(super) is_iscan: bool,
    /// Micrometres per pixel by `XResolution` and `YResolution`, if they are those of a microscope.
    pub(super) microns: Option<f64>,
}

impl Directory {
    /// Width and height.
    pub(super) fn sides(&self) -> [u64; 2] {
        [self.width, self.height]
    }
}

const fn damaged(what: &'static str) -> SlideProblem {
    SlideProblem::Damaged { what }
}

impl Numbers {
    /// Reads the header; the place of the first directory.
    pub(super) fn open(file: Source) -> Result<(Self, u64)> {
        let mut numbers = Self {
            file,
            little: true,
            big: false,
        };
        let header = numbers.bytes(0, 4).map_err(|_| SlideProblem::NotTiff)?;
        numbers.little = match &header[..2] {
            b"II" => true,
            b"MM" => false,
            _ => return Err(SlideProblem::NotTiff),
        };
        match numbers.number(&header[2..]) {
            42 => {
                let first = numbers.bytes(4, 4)?;
                let first = numbers.number(&first);
                Ok((numbers, first))
            }
            43 => {
                numbers.big = true;
                let rest = numbers.bytes(4, 12)?;
                if numbers.number(&rest[..2]) != 8 || numbers.number(&rest[2..4]) != 0 {
                    return Err(damaged("places of other than 8 bytes"));
                }
                let first = numbers.number(&rest[4..]);
                Ok((numbers, first))
            }
            _ => Err(SlideProblem::NotTiff),
        }
    }

    pub(super) fn is_little(&self) -> bool {
        self.little
    }

    /// All directories of the chain that begins at `next`.
    pub(super) fn directories(&mut self, mut next: u64, most: usize) -> Result<Vec<Directory>> {
        let (mut found, mut seen) = (Vec::new(), Vec::new());
        while next != 0 {
            if seen.contains(&next) {
                return Err(damaged("its directories run in a circle"));
            }
            if found.len() == most {
                return Err(SlideProblem::Limit {
                    what: "max_pictures",
                    limit: most as u64,
                    found: most as u64 + 1,
                });
            }
            seen.push(next);
            let (directory, after) = self.directory(next)?;
            found.push(directory);
            next = after;
        }
        Ok(found)
    }

    /// One directory, and the place of the next.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "at most 4096 entries of 20 bytes"
    )]
    fn directory(&mut self, at: u64) -> Result<(Directory, u64)> {
        let (count_bytes, entry_bytes, place_bytes) =
            if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let count = self.bytes(at, count_bytes)?;
        let count = self.number(&count);
        if count > 1 << 12 {
            return Err(damaged("a directory of more than 4096 entries"));
        }
        let begin = at + count_bytes;
        let entries = self.bytes(begin, count * entry_bytes + place_bytes)?;
        let (entries, next) = entries.split_at((count * entry_bytes) as usize);
        let next = self.number(next);
        let mut directory = Directory {
            compression: 1,
            samples: 1,
            planar: 1,
            predictor: 1,
            photometric: u64::MAX,
            ..Directory::default()
        };
        let (mut unit, mut resolution) = (2, [None; 2]);
        for (index, entry) in entries.chunks_exact(entry_bytes as usize).enumerate() {
            let tag = self.number(&entry[..2]);
            let values = self.values(entry, begin + index as u64 * entry_bytes)?;
            match tag {
                254 => directory.subfile = self.first(values)?,
                256 => directory.width = self.first(values)?,
                257 => directory.height = self.first(values)?,
                258 => directory.bits = self.list(values)?,
                259 => directory.compression = self.first(values)?,
                262 => directory.photometric = self.first(values)?,
                270 => directory.description = self.text(values)?,
                277 => directory.samples = self.first(values)?,
                282 => resolution[0] = self.ratio(values)?,
                283 => resolution[1] = self.ratio(values)?,
                284 => directory.planar = self.first(values)?,
                296 => unit = self.first(values)?,
                317 => directory.predictor = self.first(values)?,
                322 => directory.tile_width = self.first(values)?,
                323 => directory.tile_height = self.first(values)?,
                324 => directory.offsets = Some(values),
                325 => directory.counts = Some(values),
                // Nothing else of it is needed: what is damaged there says nothing, and the slide is read all the same.
                700 => directory.is_iscan = self.is_iscan(values).is_ok_and(|is| is),
                347 => directory.jpeg_tables = Some(values),
                _ => {}
            }
        }
        directory.microns = microns(unit, resolution);
        Ok((directory, next))
    }

    /// Where an entry's values are: in the entry itself if they fit.
    fn values(&self, entry: &[u8], at: u64) -> Result<Values> {
        let kind = self.number(&entry[2..4]);
        let (count, place) = if self.big {
            (&entry[4..12], &entry[12..20])
        } else {
            (&entry[4..8], &entry[8..12])
        };
        let count = self.number(count);
        let kind = u16::try_from(kind).unwrap_or_default();
        let bytes = size(kind)
            .checked_mul(count)
            .ok_or(damaged("a list without end"))?;
        let inline = place.len() as u64;
        let at = if bytes <= inline {
            at + entry.len() as u64 - inline
        } else {
            self.number(place)
        };
        Ok(Values { kind, count, at })
    }

    /// Value number `index` of a list of whole numbers.
    pub(super) fn value(&mut self, values: Values, index: u64) -> Result<u64> {
        if !matches!(values.kind, 1 | 3 | 4 | 13 | 16 | 18) {
            return Err(damaged("a tag of another type than whole numbers"));
        }
        if index >= values.count {
            return Err(damaged("a list that is too short"));
        }
        let each = size(values.kind);
        let place = index
            .checked_mul(each)
            .and_then(|skip| values.at.checked_add(skip));
        let bytes = self.bytes(place.ok_or(damaged("a place beyond all files"))?, each)?;
        Ok(self.number(&bytes))
    }

    fn first(&mut self, values: Values) -> Result<u64> {
        self.value(values, 0)
    }

    fn list(&mut self, values: Values) -> Result<Vec<u64>> {
        if values.count > LONGEST_LIST {
            return Err(damaged("more samples for a pixel than colours"));
        }
        (0..values.count)
            .map(|index| self.value(values, index))
            .collect()
    }

    /// Bytes of a list of bytes.
    pub(super) fn raw(&mut self, values: Values, most: u64) -> Result<Vec<u8>> {
        if !matches!(values.kind, 1 | 2 | 7) {
            return Err(damaged("a tag of another type than bytes"));
        }
        if values.count > most {
            return Err(SlideProblem::Limit {
                what: "max_tile_bytes",
                limit: most,
                found: values.count,
            });
        }
        self.bytes(values.at, values.count)
    }

    fn text(&mut self, values: Values) -> Result<String> {
        let count = values.count.min(LONGEST_TEXT);
        let bytes = self.raw(Values { count, ..values }, LONGEST_TEXT)?;
        // It ends in a zero, or in several.
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.trim_end_matches('\0').to_owned())
    }

    /// XMP is text in bytes; other programs write other things there.
    fn is_iscan(&mut self, values: Values) -> Result<bool> {
        if !matches!(values.kind, 1 | 2 | 7) {
            return Ok(false);
        }
        let text = self.text(values)?;
        Ok(text.contains("<iScan"))
    }

    fn ratio(&mut self, values: Values) -> Result<Option<f64>> {
        if values.kind != 5 || values.count == 0 {
            return Ok(None);
        }
        let bytes = self.bytes(values.at, 8)?;
        let [above, below] = [&bytes[..4], &bytes[4..]].map(|part| self.number(part) as f64);
        Ok((below > 0.0).then_some(above / below))
    }

    /// Some bytes of the file; all must be there.
    pub(super) fn bytes(&mut self, at: u64, count: u64) -> Result<Vec<u8>> {
        self.file.bytes(at, count)
    }

    /// Up to 8 bytes as a number.
    fn number(&self, bytes: &[u8]) -> u64 {
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        if self.little {
            bytes.iter().rev().fold(0, add)
        } else {
            bytes.iter().fold(0, add)
        }
    }
}

/// Bytes of one value of a type; an unknown one has none, and is never read.
fn size(kind: u16) -> u64 {
    match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => 0,
    }
}

/// Micrometres per pixel by pixels per inch (unit 2) or centimetre (3); none where no microscope is as coarse or as fine:
/// many writers put 72 dpi there.
fn microns(unit: u64, resolution: [Option<f64>; 2]) -> Option<f64> {
    let length = match unit {
        2 => 25_400.0,
        3 => 10_000.0,
        _ => return None,
    };
    let [x, y] = resolution;
    let mean = (length / x? + length / y?) / 2.0;
    (0.02..=20.0).contains(&mean).then_some(mean)
}
