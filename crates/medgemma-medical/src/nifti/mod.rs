//! NIfTI-1 and NIfTI-2 files, plain or gzipped, of either byte order: nifti1.h and nifti2.h of the NIfTI Data Format
//! Working Group.
//!
//! Read here rather than by the crate `nifti`, which tells gzip by the file's name, unpacks it without a bound and
//! reserves what the header asks for.

mod header;

use std::fmt;
use std::path::Path;

use crate::error::{Error, Origin, Result};
use crate::limits::Limits;
use crate::plane::Plane;
use crate::remark::Remark;
use crate::unpack::Unpacker;
use crate::volume::{Volume, length};
use header::{Datatype, Header};

/// A NIfTI file in memory: one volume or several over time.
///
/// `Debug` prints the shape only.
#[derive(Clone)]
pub struct Nifti {
    origin: Origin,
    header: Header,
    bytes: Vec<u8>,
}

impl Nifti {
    /// Reads a `.nii` or `.nii.gz`; the content decides which, not the name.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, otherwise as [`read`](Self::read).
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        let path = path.as_ref();
        let bytes = limits.read_file(path)?;
        Self::parse(bytes, limits, Origin::File(path.to_owned()))
    }

    /// Reads a file that is in memory.
    ///
    /// # Errors
    /// [`Error::Limit`] where the file asks for more than `limits`; [`Error::File`], with the header's field at fault,
    /// where it is no single-file NIfTI, is cut off, or holds colours or complex numbers.
    pub fn read(bytes: Vec<u8>, limits: &Limits) -> Result<Self> {
        Self::parse(bytes, limits, Origin::Memory)
    }

    fn parse(bytes: Vec<u8>, limits: &Limits, origin: Origin) -> Result<Self> {
        limits.check_file(&origin, bytes.len() as u64)?;
        let packed = bytes.starts_with(&[0x1F, 0x8B]);
        let mut unpacker = packed.then(|| {
            let reader = flate2::read::MultiGzDecoder::new(bytes.as_slice());
            Unpacker::new(reader, &origin, "gzip")
        });
        let header = match &mut unpacker {
            Some(unpacker) => Header::read(unpacker.up_to(Header::LONGEST)?, &origin)?,
            None => Header::read(&bytes, &origin)?,
        };
        let [columns, rows, planes, volumes] = header.size;
        limits.check_pixels(&origin, rows as u64, columns as u64)?;
        limits.check_frames(&origin, (planes as u64).saturating_mul(volumes as u64))?;
        let values = (rows * columns) as u64 * planes as u64;
        Limits::check_volume(&origin, limits.max_volume_bytes, values)?;
        if packed {
            limits.check_decompressed(&origin, values.saturating_mul(size_of::<f32>() as u64))?;
        }
        let needed = values
            .saturating_mul(volumes as u64)
            .saturating_mul(header.datatype.bytes() as u64);
        // What stands behind the data is not kept, but the checksum of it all is compared.
        let bytes = match unpacker {
            Some(mut unpacker) => {
                let end = needed.saturating_add(header.offset as u64);
                limits.check_decompressed(&origin, end)?;
                unpacker.up_to(end)?;
                let length = unpacker.read_to_end(limits.max_decompressed_bytes)?;
                limits.check_decompressed(&origin, length)?;
                unpacker.into_bytes()
            }
            None => bytes,
        };
        let held = bytes.len().saturating_sub(header.offset) as u64;
        if held < needed {
            return Err(Error::file(
                &origin,
                "data",
                format!(
                    "{needed} bytes for {columns} x {rows} x {planes} x {volumes}; fetch the file again"
                ),
                format!("{held} bytes"),
            ));
        }
        tracing::debug!(bytes = bytes.len(), size = ?header.size, "NIfTI file read");
        Ok(Self {
            origin,
            header,
            bytes,
        })
    }

    /// How many volumes there are, over time and all further dimensions.
    #[must_use]
    pub fn volumes(&self) -> usize {
        self.header.size[3]
    }

    /// One volume, `scl_slope` and `scl_inter` applied, planes along the third axis of the file; turn it by
    /// [`Volume::axial`]. The affine is that of `sform`, else of `qform`, else of the spacings alone.
    ///
    /// # Errors
    /// [`Error::Argument`] for a volume that is not there.
    pub fn volume(&self, index: usize) -> Result<Volume> {
        if index >= self.volumes() {
            return Err(Error::argument(
                "index",
                format!("a volume below {}", self.volumes()),
                index.to_string(),
            ));
        }
        let Header {
            size: [columns, rows, planes, _],
            datatype,
            scale,
            affine,
            ..
        } = self.header;
        let area = columns * rows;
        let length_of_plane = area * datatype.bytes();
        let planes = (0..planes)
            .map(|plane| {
                let start = self.header.offset + (index * planes + plane) * length_of_plane;
                let bytes = self
                    .bytes
                    .get(start..start + length_of_plane)
                    .ok_or_else(|| {
                        Error::file(&self.origin, "data", "a whole plane", "the end of the file")
                    })?;
                let values = datatype.values(bytes, self.header.big_endian, scale);
                Plane::new(rows, columns, values)
            })
            .collect::<Result<Vec<_>>>()?;
        let spacing = [0, 1, 2].map(|axis| length(&affine, axis));
        let mut remarks = Vec::new();
        if !self.header.placed {
            remarks.push(Remark::SpacingUnknown);
        }
        // The file's coordinates run to the right and to the front, a patient's in DICOM to the left and to the back.
        let [x, y, z] = affine;
        Ok(Volume {
            planes,
            modality: None,
            spacing,
            affine: [x.map(|v| -v), y.map(|v| -v), z],
            remarks,
        })
    }

    /// How values are stored: `u8`, `i16`, `f32`, …
    #[must_use]
    pub fn datatype(&self) -> &'static str {
        self.header.datatype.name()
    }
}

impl fmt::Debug for Nifti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nifti")
            .field("size", &self.header.size)
            .field("datatype", &self.datatype())
            .finish_non_exhaustive()
    }
}

impl Datatype {
    /// The values of `bytes`, scaled: f64 on the way, as nibabel computes.
    fn values(self, bytes: &[u8], big_endian: bool, scale: Option<[f64; 2]>) -> Vec<f32> {
        fn each<const N: usize>(
            bytes: &[u8],
            big_endian: bool,
            read: impl Fn([u8; N]) -> f64,
        ) -> impl Iterator<Item = f64> {
            bytes.as_chunks().0.iter().map(move |&word: &[u8; N]| {
                let mut word = word;
                if big_endian {
                    word.reverse();
                }
                read(word)
            })
        }
        let finish = |values: &mut dyn Iterator<Item = f64>| {
            let scaled = values.map(|value| {
                let value = scale.map_or(value, |[slope, inter]| value * slope + inter);
                #[expect(clippy::cast_possible_truncation, reason = "f32 is what planes hold")]
                let value = value as f32;
                value
            });
            scaled.collect()
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "64-bit integers go through f64 as in nibabel"
        )]
        match self {
            Self::U8 => finish(&mut bytes.iter().map(|&b| f64::from(b))),
            Self::I8 => finish(&mut bytes.iter().map(|&b| f64::from(b.cast_signed()))),
            Self::I16 => finish(&mut each(bytes, big_endian, |w| {
                f64::from(i16::from_le_bytes(w))
            })),
            Self::U16 => finish(&mut each(bytes, big_endian, |w| {
                f64::from(u16::from_le_bytes(w))
            })),
            Self::I32 => finish(&mut each(bytes, big_endian, |w| {
                f64::from(i32::from_le_bytes(w))
            })),
            Self::U32 => finish(&mut each(bytes, big_endian, |w| {
                f64::from(u32::from_le_bytes(w))
            })),
            Self::I64 => finish(&mut each(bytes, big_endian, |w| {
                i64::from_le_bytes(w) as f64
            })),
            Self::U64 => finish(&mut each(bytes, big_endian, |w| {
                u64::from_le_bytes(w) as f64
            })),
            Self::F32 => finish(&mut each(bytes, big_endian, |w| {
                f64::from(f32::from_le_bytes(w))
            })),
            Self::F64 => finish(&mut each(bytes, big_endian, f64::from_le_bytes)),
        }
    }
}
