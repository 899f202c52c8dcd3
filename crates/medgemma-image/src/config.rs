//! The image processor's configuration as Hugging Face publishes it: parse, then validate.
//! Forms: `preprocessor_config.json` (2025), `processor_config.json` with an `image_processor` object (5.x); both as
//! written by `save_pretrained` of `transformers` 4.50–5.23.

mod section;

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::file;
use crate::normalize::Normalize;
use crate::pan_and_scan::PanAndScan;
use crate::processor::ImageProcessor;
use crate::resize::{Resizer, check_target};
use section::Section;

/// No published file is larger than a few kilobytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// The classes whose processing this crate knows.
const CLASSES: [&str; 6] = [
    "Gemma3ImageProcessor",
    "Gemma3ImageProcessorFast",
    "Gemma3ImageProcessorPil",
    "SiglipImageProcessor",
    "SiglipImageProcessorFast",
    "SiglipImageProcessorPil",
];

/// Whose class defaults hold where a file does not name its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Gemma3,
    Siglip,
}

impl Family {
    /// The defaults at a size already checked.
    pub(crate) fn sized(self, height: usize, width: usize) -> ImageProcessor {
        let processor = ImageProcessor::sized(height, width);
        match self {
            Self::Gemma3 => processor,
            Self::Siglip => ImageProcessor {
                resizer: Resizer::TfBilinear,
                bicubic: true,
                ..processor
            },
        }
    }
}

pub(crate) fn from_dir(dir: &Path, image_size: usize, family: Family) -> Result<ImageProcessor> {
    let outer = dir.join("processor_config.json");
    let mut image_seq_length = None;
    if let Some(root) = read_if_present(&outer)? {
        if root.get("image_processor").is_some_and(Value::is_object) {
            return from_root(root, &outer, family);
        }
        let mut section = Section::new(root, &outer, String::new());
        image_seq_length = section.count("image_seq_length", 1)?;
    }
    let inner = dir.join("preprocessor_config.json");
    let mut processor = match read_if_present(&inner)? {
        Some(root) => from_root(root, &inner, family)?,
        None => {
            check_target(image_size, image_size)?;
            family.sized(image_size, image_size)
        }
    };
    processor.image_seq_length = processor.image_seq_length.or(image_seq_length);
    Ok(processor)
}

/// The error of a processor in `dir` that makes pictures of another size than the model's, at the key that says so.
pub(crate) fn other_size(dir: &Path, found: [usize; 2], image_size: usize) -> Error {
    let outer = dir.join("processor_config.json");
    let nested = read_if_present(&outer).ok().flatten();
    let nested = nested.and_then(|mut root| root.remove("image_processor"));
    let (path, prefix, section) = match nested {
        Some(Value::Object(section)) => (outer, "image_processor.", Some(section)),
        _ => {
            let inner = dir.join("preprocessor_config.json");
            let section = read_if_present(&inner).ok().flatten();
            (inner, "", section)
        }
    };
    let [height, width] = found;
    let said = section.is_some_and(|section| section.get("size").is_some_and(|v| !v.is_null()));
    let unsaid = if said {
        ""
    } else {
        ", the default of the class"
    };
    Error::Config {
        path,
        key: format!("{prefix}size"),
        expected: format!(
            "{image_size}x{image_size} as `image_size` in config.json, since both files are to be of one model"
        ),
        found: format!("{height}x{width}{unsaid}"),
    }
}

pub(crate) fn from_file(path: &Path) -> Result<ImageProcessor> {
    from_root(read(path)?, path, Family::Gemma3)
}

pub(crate) fn from_json(json: &str, path: &Path) -> Result<ImageProcessor> {
    from_root(parse(json.as_bytes(), path)?, path, Family::Gemma3)
}

fn read_if_present(path: &Path) -> Result<Option<Map<String, Value>>> {
    match read(path) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn read(path: &Path) -> Result<Map<String, Value>> {
    let io = |source| Error::io(path, source);
    let file = file::open(path)?;
    let mut bytes = Vec::new();
    file.take(MAX_CONFIG_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() as u64 > MAX_CONFIG_BYTES {
        return Err(Error::Config {
            path: path.to_owned(),
            key: "(the whole file)".to_owned(),
            expected: format!("at most {MAX_CONFIG_BYTES} bytes"),
            found: "more".to_owned(),
        });
    }
    parse(&bytes, path)
}

fn parse(bytes: &[u8], path: &Path) -> Result<Map<String, Value>> {
    serde_json::from_slice(bytes).map_err(|source| Error::Json {
        path: path.to_owned(),
        source: source.into(),
    })
}

/// Finds the section with the settings and reads it.
fn from_root(mut root: Map<String, Value>, path: &Path, family: Family) -> Result<ImageProcessor> {
    match root.remove("image_processor") {
        Some(Value::Object(inner)) => {
            let mut outer = Section::new(root, path, String::new());
            let image_seq_length = outer.count("image_seq_length", 1)?;
            let mut processor = from_section(
                Section::new(inner, path, "image_processor.".to_owned()),
                family,
            )?;
            processor.image_seq_length = processor.image_seq_length.or(image_seq_length);
            Ok(processor)
        }
        Some(Value::Null) | None => from_section(Section::new(root, path, String::new()), family),
        Some(other) => Err(Section::new(root, path, String::new()).wrong(
            "image_processor",
            "an object",
            &other,
        )),
    }
}

fn from_section(mut section: Section, family: Family) -> Result<ImageProcessor> {
    let class = section.one_of("image_processor_type", &CLASSES)?;
    let family = match class {
        Some(class) if class.starts_with("Siglip") => Family::Siglip,
        Some(_) => Family::Gemma3,
        None => family,
    };
    let bicubic = section.is_bicubic(family)?;
    // The classes differ: a size of one number is a square's to Gemma 3's, the shortest edge's to SigLIP's.
    let square = section.flag("default_to_square", family == Family::Gemma3)?;
    let [height, width] = section.size(square)?;
    let mut processor = family.sized(height, width);
    processor.bicubic = bicubic;
    // With SigLIP the filter is checked only: why, is on `ImageProcessor::from_siglip_dir`.
    if bicubic && family == Family::Gemma3 {
        processor.resizer = Resizer::PilBicubic;
    }
    processor.do_resize = section.flag("do_resize", true)?;
    processor.normalize = normalize(&mut section)?;
    processor.do_pan_and_scan = section.flag("do_pan_and_scan", false)?;
    processor.pan_and_scan = pan_and_scan(&mut section)?;
    processor.image_seq_length = section.count("image_seq_length", 1)?;
    section.finish()?;
    Ok(processor)
}

fn normalize(section: &mut Section) -> Result<Normalize> {
    let rescale = section.flag("do_rescale", true)?;
    let factor = section.number("rescale_factor")?.unwrap_or(1.0 / 255.0);
    if factor == 0.0 {
        return Err(section.wrong(
            "rescale_factor",
            "a number other than 0",
            &Value::from(factor),
        ));
    }
    let normalize = section.flag("do_normalize", true)?;
    let mean = section.triple("image_mean")?.unwrap_or([0.5; 3]);
    let std = section.triple("image_std")?.unwrap_or([0.5; 3]);
    if std.contains(&0.0) {
        let expected = "deviations other than 0";
        return Err(section.wrong("image_std", expected, &Value::from(std.to_vec())));
    }
    Ok(Normalize {
        rescale_factor: rescale.then_some(factor),
        mean_std: normalize.then_some((mean, std)),
    })
}

fn pan_and_scan(section: &mut Section) -> Result<PanAndScan> {
    let mut settings = PanAndScan::default();
    if let Some(pixels) = section.count("pan_and_scan_min_crop_size", 1)? {
        settings.min_crop_size = pixels;
    }
    if let Some(crops) = section.count("pan_and_scan_max_num_crops", 1)? {
        if crops > PanAndScan::MAX_CROPS {
            let expected = format!("at most {} crops", PanAndScan::MAX_CROPS);
            let key = "pan_and_scan_max_num_crops";
            return Err(section.wrong(key, &expected, &Value::from(crops)));
        }
        settings.max_num_crops = crops;
    }
    if let Some(ratio) = section.number("pan_and_scan_min_ratio_to_activate")? {
        settings.min_ratio_to_activate = ratio;
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_to_the_last_bit() {
        for text in [
            "0.00392156862745098",
            "0.0039215686274509803",
            "0.12345678901234567",
            "0.22353535353535353",
            "58.395000000000003",
            "0.40821073000000001",
            "7.1234567890123457e-3",
            "0.98765432109876543",
            "31.245620483120481e-5",
        ] {
            let json = format!("{{\"rescale_factor\": {text}}}");
            let processor = from_json(&json, Path::new("test")).expect("a valid number");
            let exact: f64 = text.parse().expect("a number");
            assert_eq!(processor.normalize.rescale_factor, Some(exact), "{text}");
        }
    }
}
