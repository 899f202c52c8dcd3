//! One tile from stored bytes to RGB: JPEG by `jpeg`, JPEG 2000 by the decoder that DICOM has, everything else by the crate
//! `tiff`, which is given a file of just that tile.

use std::io::Cursor;

use medgemma_image::Image;
use tiff::decoder::{Decoder, DecodingResult, Limits};

use super::directory::Directory;
use super::jpeg;
use super::problem::SlideProblem;
use crate::dicom::Jpeg2000;

/// How the tiles of one picture are stored.
#[derive(Debug, Clone)]
pub(super) struct Coding {
    compression: u64,
    photometric: u64,
    samples: u64,
    predictor: u64,
    little: bool,
    width: u32,
    height: u32,
    tables: Vec<u8>,
}

const JPEG: u64 = 7;
/// Aperio's numbers for JPEG 2000: of luminance and two differences, which pairs of pixels may share; of red, green, blue.
const JPEG_2000_YCBCR: u64 = 33_003;
const JPEG_2000_RGB: u64 = 33_005;
/// `PhotometricInterpretation`.
const YCBCR: u64 = 6;

impl Coding {
    /// Refuses what cannot be decoded before any tile is read.
    pub(super) fn new(
        directory: &Directory,
        tables: Vec<u8>,
        little: bool,
    ) -> Result<Self, SlideProblem> {
        check_coding(directory)?;
        let side = |side| {
            u32::try_from(side).map_err(|_| SlideProblem::Damaged {
                what: "a tile of absurd size",
            })
        };
        Ok(Self {
            compression: directory.compression,
            photometric: directory.photometric,
            samples: directory.samples,
            predictor: directory.predictor,
            little,
            width: side(directory.tile_width)?,
            height: side(directory.tile_height)?,
            tables,
        })
    }

    /// Bytes that a sample takes at most while a tile is decoded.
    pub(super) fn bytes_per_sample(&self) -> u64 {
        match self.compression {
            // Progressive ones are kept as coefficients.
            JPEG => 4,
            JPEG_2000_YCBCR | JPEG_2000_RGB => Jpeg2000::BYTES_PER_SAMPLE,
            _ => 1,
        }
    }

    /// Decodes a tile; what is wrong with it otherwise.
    pub(super) fn decode(&self, stored: &[u8]) -> Result<Image, &'static str> {
        let (width, height) = (self.width as usize, self.height as usize);
        let components = usize::try_from(self.samples).map_err(|_| "it has too many samples")?;
        let jpeg::Decoded {
            width,
            height,
            samples,
        } = match self.compression {
            JPEG => {
                let decoded = jpeg::decode(stored, &self.tables, [width, height], components)?;
                converted(decoded, self.photometric == YCBCR)
            }
            // The number says the colours, whatever the directory calls them: so openslide reads them.
            JPEG_2000_YCBCR | JPEG_2000_RGB => jpeg_2000(
                stored,
                [width, height],
                components,
                self.compression == JPEG_2000_YCBCR,
            )?,
            _ => jpeg::Decoded {
                width,
                height,
                samples: self.by_library(stored)?,
            },
        };
        let mut rgb = match self.samples {
            1 => samples.iter().flat_map(|&grey| [grey; 3]).collect(),
            4 => samples
                .chunks_exact(4)
                .flat_map(|p| [p[0], p[1], p[2]])
                .collect(),
            _ => samples,
        };
        if self.photometric == 0 && !self.is_by_library() {
            // The library inverts what it decodes.
            rgb.iter_mut().for_each(|value| *value = 255 - *value);
        }
        Image::from_rgb8(width, height, rgb)
            .map_err(|_| "it has another size than its directory says")
    }

    fn is_by_library(&self) -> bool {
        !matches!(self.compression, JPEG | JPEG_2000_YCBCR | JPEG_2000_RGB)
    }

    /// Puts a file around the tile, whose only strip it is, and lets the library read it.
    fn by_library(&self, stored: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut decoder = Decoder::new(Cursor::new(self.file(stored)?))
            .map_err(|_| "its directory contradicts itself")?;
        let bytes = u64::from(self.width) * u64::from(self.height) * self.samples;
        let mut limits = Limits::default();
        limits.decoding_buffer_size = usize::try_from(bytes).unwrap_or(usize::MAX);
        limits.intermediate_buffer_size = stored.len();
        decoder = decoder.with_limits(limits);
        match decoder.read_image() {
            Ok(DecodingResult::U8(samples)) => Ok(samples),
            Ok(_) => Err("it is not of bytes"),
            Err(_) => Err("its compressed data is broken or too short"),
        }
    }

    fn file(&self, stored: &[u8]) -> Result<Vec<u8>, &'static str> {
        let len = u32::try_from(stored.len()).map_err(|_| "it is longer than 4 GiB")?;
        let samples = u32::try_from(self.samples).map_err(|_| "it has too many samples")?;
        let u32s =
            |value: u64| u32::try_from(value).map_err(|_| "its directory contradicts itself");
        // Three or four 8s do not fit into an entry: one stands for all, as libtiff allows.
        let mut entries = vec![
            (256u16, 4u16, self.width),
            (257, 4, self.height),
            (258, 3, 8),
            (259, 3, u32s(self.compression)?),
            (262, 3, u32s(self.photometric)?),
            (273, 4, 0),
            (277, 3, samples),
            (278, 4, self.height),
            (279, 4, len),
            (317, 3, u32s(self.predictor)?),
        ];
        let data = 8 + 2 + 12 * entries.len() + 4;
        entries[5].2 = u32::try_from(data).map_err(|_| "its directory contradicts itself")?;
        let mut file = Vec::with_capacity(data + stored.len());
        let short = |value: u16| {
            if self.little {
                value.to_le_bytes()
            } else {
                value.to_be_bytes()
            }
        };
        let long = |value: u32| {
            if self.little {
                value.to_le_bytes()
            } else {
                value.to_be_bytes()
            }
        };
        file.extend(if self.little { b"II" } else { b"MM" });
        file.extend(short(42));
        file.extend(long(8));
        file.extend(short(u16::try_from(entries.len()).unwrap_or_default()));
        for (tag, kind, value) in entries {
            file.extend(short(tag));
            file.extend(short(kind));
            file.extend(long(1));
            if kind == 3 {
                // A short stands at the beginning of its four bytes.
                file.extend(short(
                    u16::try_from(value).map_err(|_| "its directory contradicts itself")?,
                ));
                file.extend([0, 0]);
            } else {
                file.extend(long(value));
            }
        }
        file.extend(long(0));
        file.extend(stored);
        Ok(file)
    }
}

/// Refuses compressions, samples and colours for which there is no decoder here.
fn check_coding(directory: &Directory) -> Result<(), SlideProblem> {
    let unsupported = |what: String, hint| SlideProblem::Unsupported { what, hint };
    let &Directory {
        compression,
        photometric,
        samples,
        ..
    } = directory;
    match compression {
        1 | 5 | JPEG | 8 | 32_773 | 32_946 | JPEG_2000_YCBCR | JPEG_2000_RGB => {}
        _ => {
            let what = format!("compression {compression}");
            return Err(unsupported(
                what,
                "convert the slide to JPEG, deflate or LZW tiles",
            ));
        }
    }
    if directory.bits.iter().any(|&bits| bits != 8) || directory.bits.is_empty() {
        let what = "a slide of other than 8 bits a sample".to_owned();
        return Err(unsupported(what, "convert it to 8 bits"));
    }
    if directory.planar != 1 && samples != 1 {
        let what = "a slide of one plane for each colour".to_owned();
        return Err(unsupported(
            what,
            "convert it to interleaved samples (PlanarConfiguration 1)",
        ));
    }
    let known = match photometric {
        0 | 1 => samples == 1,
        2 => samples == 3 || samples == 4,
        YCBCR => samples == 3 && matches!(compression, JPEG | JPEG_2000_YCBCR),
        _ => false,
    };
    if !known {
        let what =
            format!("a picture of {samples} samples with PhotometricInterpretation {photometric}");
        return Err(unsupported(what, "convert it to RGB"));
    }
    Ok(())
}

/// A tile of at most `most` pixels a side.
fn jpeg_2000(
    stored: &[u8],
    most: [usize; 2],
    components: usize,
    is_ycbcr: bool,
) -> Result<jpeg::Decoded, &'static str> {
    let stream = Jpeg2000::find(stored).map_err(|_| "it is no JPEG 2000")?;
    let size = &stream.size;
    // Refused before anything is reserved for it.
    if size.columns > most[0] || size.rows > most[1] {
        return Err("its JPEG 2000 header is larger than the tile");
    }
    if size.components != components || size.precision != 8 {
        return Err("its JPEG 2000 header has other samples than its directory");
    }
    if size.shared && !is_ycbcr {
        return Err("its pixels share samples of red, green and blue");
    }
    let samples = stream
        .samples()
        .map_err(|_| "its JPEG 2000 data is broken")?;
    #[expect(clippy::cast_possible_truncation, reason = "8 bits, as checked above")]
    let samples = samples.into_iter().map(|sample| sample as u8).collect();
    let decoded = jpeg::Decoded {
        width: size.columns,
        height: size.rows,
        samples,
    };
    // The decoder has converted those that are shared.
    Ok(converted(decoded, is_ycbcr && !size.shared))
}

fn converted(mut decoded: jpeg::Decoded, is_ycbcr: bool) -> jpeg::Decoded {
    if is_ycbcr {
        for pixel in decoded.samples.as_chunks_mut::<3>().0 {
            *pixel = jpeg::to_rgb(*pixel);
        }
    }
    decoded
}
