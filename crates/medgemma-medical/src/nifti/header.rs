//! The header: 348 bytes in NIfTI-1, 540 in NIfTI-2, and the affine that it describes.

use crate::error::{Error, Origin, Result};

/// What of a header is needed.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) big_endian: bool,
    /// Columns, rows, planes, and volumes over all further dimensions; each at least 1.
    pub(super) size: [usize; 4],
    pub(super) datatype: Datatype,
    /// Where the data begin.
    pub(super) offset: usize,
    /// `scl_slope`, `scl_inter`; none if there is nothing to apply.
    pub(super) scale: Option<[f64; 2]>,
    /// From column, row, plane to millimetres to the right, to the front, to the head.
    pub(super) affine: [[f64; 4]; 3],
    /// Whether sform or qform said so.
    pub(super) placed: bool,
}

/// Scalar types of `datatype`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Datatype {
    U8,
    I8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl Datatype {
    fn from_code(code: i16) -> Option<Self> {
        Some(match code {
            2 => Self::U8,
            256 => Self::I8,
            4 => Self::I16,
            512 => Self::U16,
            8 => Self::I32,
            768 => Self::U32,
            1024 => Self::I64,
            1280 => Self::U64,
            16 => Self::F32,
            64 => Self::F64,
            _ => return None,
        })
    }

    pub(super) fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::U16 => "u16",
            Self::I32 => "i32",
            Self::U32 => "u32",
            Self::I64 => "i64",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// Where fields lie in each version.
struct Offsets {
    magic: usize,
    datatype: usize,
    dim: usize,
    pixdim: usize,
    vox_offset: usize,
    scl_slope: usize,
    qform_code: usize,
    quatern: usize,
    srow: usize,
    wide: bool,
}

const FIRST: Offsets = Offsets {
    magic: 344,
    datatype: 70,
    dim: 40,
    pixdim: 76,
    vox_offset: 108,
    scl_slope: 112,
    qform_code: 252,
    quatern: 256,
    srow: 280,
    wide: false,
};

const SECOND: Offsets = Offsets {
    magic: 4,
    datatype: 12,
    dim: 16,
    pixdim: 104,
    vox_offset: 168,
    scl_slope: 176,
    qform_code: 344,
    quatern: 352,
    srow: 400,
    wide: true,
};

impl Header {
    /// Bytes of the header of the second version, which is the longer one.
    pub(super) const LONGEST: u64 = 540;

    pub(super) fn read(bytes: &[u8], origin: &Origin) -> Result<Self> {
        let size = bytes.first_chunk::<4>().copied().unwrap_or_default();
        let (big_endian, offsets) = match (i32::from_le_bytes(size), i32::from_be_bytes(size)) {
            (348, _) => (false, &FIRST),
            (540, _) => (false, &SECOND),
            (_, 348) => (true, &FIRST),
            (_, 540) => (true, &SECOND),
            (other, _) => {
                return Err(Error::file(
                    origin,
                    "sizeof_hdr",
                    "348 (NIfTI-1) or 540 (NIfTI-2), in either byte order; is this a NIfTI file?",
                    other.to_string(),
                ));
            }
        };
        let length = if offsets.wide { 540 } else { 348 };
        if bytes.len() < length {
            return Err(Error::file(
                origin,
                "header",
                format!("{length} bytes"),
                format!("{} bytes", bytes.len()),
            ));
        }
        Fields {
            bytes,
            big_endian,
            offsets,
            origin,
        }
        .header()
    }
}

struct Fields<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    offsets: &'a Offsets,
    origin: &'a Origin,
}

impl Fields<'_> {
    /// Bytes at `at` in little-endian order; the header was found to be long enough.
    fn at<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut word = [0; N];
        word.copy_from_slice(&self.bytes[at..at + N]);
        if self.big_endian {
            word.reverse();
        }
        word
    }

    /// Field `index` of an array of integers: 16 bits in the first version, 64 in the second.
    fn integer(&self, at: usize, index: usize) -> i64 {
        if self.offsets.wide {
            i64::from_le_bytes(self.at(at + 8 * index))
        } else {
            i64::from(i16::from_le_bytes(self.at(at + 2 * index)))
        }
    }

    /// Field `index` of an array of floats: 32 bits in the first version, 64 in the second.
    fn float(&self, at: usize, index: usize) -> f64 {
        if self.offsets.wide {
            f64::from_le_bytes(self.at(at + 8 * index))
        } else {
            f64::from(f32::from_le_bytes(self.at(at + 4 * index)))
        }
    }

    fn code(&self, at: usize) -> i32 {
        if self.offsets.wide {
            i32::from_le_bytes(self.at(at))
        } else {
            i32::from(i16::from_le_bytes(self.at(at)))
        }
    }

    fn wrong(&self, field: &str, expected: &str, found: impl ToString) -> Error {
        Error::file(self.origin, field, expected, found.to_string())
    }

    fn header(&self) -> Result<Header> {
        let magic: [u8; 3] = [0, 1, 2].map(|i| self.bytes[self.offsets.magic + i]);
        let expected = if self.offsets.wide { b"n+2" } else { b"n+1" };
        if magic != *expected {
            return Err(self.wrong(
                "magic",
                "`n+1` or `n+2`: header and data in one file; convert pairs of .hdr and .img",
                "another magic",
            ));
        }
        let code = i16::from_le_bytes(self.at(self.offsets.datatype));
        let datatype = Datatype::from_code(code).ok_or_else(|| {
            self.wrong(
                "datatype",
                "whole numbers or floats of 8 to 64 bits (codes 2, 4, 8, 16, 64, 256, 512, 768, 1024, 1280)",
                code,
            )
        })?;
        let (affine, placed) = self.affine();
        if affine.iter().flatten().any(|value| !value.is_finite()) {
            return Err(self.wrong("qform or sform", "finite numbers", "others"));
        }
        Ok(Header {
            big_endian: self.big_endian,
            size: self.size()?,
            datatype,
            offset: self.offset()?,
            scale: self.scale(),
            affine,
            placed,
        })
    }

    fn size(&self) -> Result<[usize; 4]> {
        let dimensions = self.integer(self.offsets.dim, 0);
        if !(1..=7).contains(&dimensions) {
            return Err(self.wrong("dim[0]", "1 to 7 dimensions", dimensions));
        }
        let mut size = [1usize; 4];
        for (index, axis) in (1..=7).zip([0, 1, 2, 3, 3, 3, 3]) {
            if i64::from(index) > dimensions {
                break;
            }
            let found = self.integer(self.offsets.dim, index as usize);
            let side = usize::try_from(found).ok().filter(|&side| side > 0);
            size[axis] = side
                .and_then(|side| size[axis].checked_mul(side))
                .filter(|&total| u32::try_from(total).is_ok())
                .ok_or_else(|| self.wrong(&format!("dim[{index}]"), "at least 1", found))?;
        }
        Ok(size)
    }

    fn offset(&self) -> Result<usize> {
        let offset = if self.offsets.wide {
            i64::from_le_bytes(self.at(self.offsets.vox_offset))
        } else {
            let offset = self.float(self.offsets.vox_offset, 0);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "saturating; what is not whole is no offset of a writer"
            )]
            let offset = offset as i64;
            offset
        };
        // Some writers leave it 0: behind header and extension flag.
        let least = if self.offsets.wide { 544 } else { 352 };
        match usize::try_from(offset) {
            Ok(0) => Ok(least),
            Ok(offset) if offset >= least - 4 => Ok(offset),
            _ => Err(self.wrong("vox_offset", "a place behind the header", offset)),
        }
    }

    /// A slope of 0 says that there is none; so does one that is no number.
    fn scale(&self) -> Option<[f64; 2]> {
        let [slope, inter] = [0, 1].map(|i| self.float(self.offsets.scl_slope, i));
        let inter = if inter.is_finite() { inter } else { 0.0 };
        (slope.is_finite() && slope != 0.0 && (slope, inter) != (1.0, 0.0))
            .then_some([slope, inter])
    }

    /// Method 3, else method 2, else method 1 of nifti1.h.
    fn affine(&self) -> ([[f64; 4]; 3], bool) {
        let step = if self.offsets.wide { 4 } else { 2 };
        let spacing = |axis: usize| match self.float(self.offsets.pixdim, axis + 1).abs() {
            s if s > 0.0 && s.is_finite() => s,
            _ => 1.0,
        };
        if self.code(self.offsets.qform_code + step) > 0 {
            let affine: [[f64; 4]; 3] = std::array::from_fn(|row| {
                std::array::from_fn(|column| self.float(self.offsets.srow, row * 4 + column))
            });
            let solid = (0..3).all(|axis| crate::volume::length(&affine, axis) > 0.0);
            if solid {
                return (affine, true);
            }
        }
        if self.code(self.offsets.qform_code) > 0 {
            let quaternion = [0, 1, 2].map(|i| self.float(self.offsets.quatern, i));
            let offset = [3, 4, 5].map(|i| self.float(self.offsets.quatern, i));
            let mirrored = self.float(self.offsets.pixdim, 0) < 0.0;
            let rotation = rotation(quaternion);
            let affine = std::array::from_fn(|row| {
                let sign = if mirrored { -1.0 } else { 1.0 };
                [
                    rotation[row][0] * spacing(0),
                    rotation[row][1] * spacing(1),
                    rotation[row][2] * spacing(2) * sign,
                    offset[row],
                ]
            });
            return (affine, true);
        }
        let affine = std::array::from_fn(|row| {
            let mut line = [0.0; 4];
            line[row] = spacing(row);
            line
        });
        (affine, false)
    }
}

/// The rotation of the quaternion whose last three parts are given.
fn rotation([b, c, d]: [f64; 3]) -> [[f64; 3]; 3] {
    let rest = 1.0 - (b * b + c * c + d * d);
    // Rounded parts may make a little more than one: a half turn.
    let (a, [b, c, d]) = if rest < 1e-7 {
        let norm = (b * b + c * c + d * d).sqrt();
        (0.0, [b / norm, c / norm, d / norm])
    } else {
        (rest.sqrt(), [b, c, d])
    };
    [
        [
            a * a + b * b - c * c - d * d,
            2.0 * (b * c - a * d),
            2.0 * (b * d + a * c),
        ],
        [
            2.0 * (b * c + a * d),
            a * a + c * c - b * b - d * d,
            2.0 * (c * d - a * b),
        ],
        [
            2.0 * (b * d - a * c),
            2.0 * (c * d + a * b),
            a * a + d * d - b * b - c * c,
        ],
    ]
}
