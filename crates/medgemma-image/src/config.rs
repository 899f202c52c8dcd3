//! The image processor's configuration as Hugging Face publishes it: parse, then validate.
//! Forms: `preprocessor_config.json` (2025), `processor_config.json` with an `image_processor` object (5.x); both as
//! written by `save_pretrained` of `transformers` 4.50–5.23.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::normalize::Normalize;
use crate::pan_and_scan::PanAndScan;
use crate::processor::ImageProcessor;
use crate::resize::{MAX_SIDE, Resizer, check_target};

/// No published file is larger than a few kilobytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// `size` of the class when the file has none.
const CLASS_SIDE: usize = 224;

/// Pillow's number for its bilinear filter, the default of `Gemma3ImageProcessor`.
const BILINEAR: u64 = 2;
/// Pillow's number for its bicubic filter, the default of `SiglipImageProcessor`.
const BICUBIC: u64 = 3;

/// Keys that say nothing about the pixels of one picture: names of classes, and how arrays are handed over.
const IGNORED: [&str; 14] = [
    "_valid_processor_keys",
    "auto_map",
    "crop_size",
    "data_format",
    "default_to_square",
    "device",
    "disable_grouping",
    "do_convert_rgb", // pictures of this crate are RGB already
    "feature_extractor_type",
    "input_data_format",
    "pad_size",
    "processor_class",
    "return_tensors",
    "transformers_version",
];

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
    // A pipe would be waited for.
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
        return Err(io(source));
    }
    let file = File::open(path).map_err(io)?;
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
    let [height, width] = section.size()?;
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

/// One JSON object, its keys taken one by one; what is left at the end was not understood.
struct Section {
    map: Map<String, Value>,
    path: PathBuf,
    prefix: String,
}

impl Section {
    fn new(map: Map<String, Value>, path: &Path, prefix: String) -> Self {
        Self {
            map,
            path: path.to_owned(),
            prefix,
        }
    }

    fn wrong(&self, key: &str, expected: &str, found: &Value) -> Error {
        let mut found = found.to_string();
        // A hostile file must not become a hostile log line.
        if found.chars().count() > 120 {
            found = found.chars().take(120).chain("…".chars()).collect();
        }
        Error::Config {
            path: self.path.clone(),
            key: format!("{}{key}", self.prefix),
            expected: expected.to_owned(),
            found,
        }
    }

    /// The value of `key`; null counts as missing.
    fn take(&mut self, key: &str) -> Option<Value> {
        self.map.remove(key).filter(|value| !value.is_null())
    }

    fn flag(&mut self, key: &str, default: bool) -> Result<bool> {
        match self.take(key) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(value),
            Some(other) => Err(self.wrong(key, "true, false or null", &other)),
        }
    }

    fn number(&mut self, key: &str) -> Result<Option<f64>> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match value.as_f64().filter(|number| number.is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(key, "a number", &value)),
        }
    }

    fn count(&mut self, key: &str, least: usize) -> Result<Option<usize>> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let count = value.as_u64().and_then(|n| usize::try_from(n).ok());
        match count.filter(|&n| n >= least) {
            Some(count) => Ok(Some(count)),
            None => Err(self.wrong(key, &format!("an integer of at least {least}"), &value)),
        }
    }

    fn one_of(&mut self, key: &str, names: &[&str]) -> Result<Option<String>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(name)) if names.contains(&name.as_str()) => Ok(Some(name)),
            Some(other) => Err(self.wrong(key, &format!("one of {}", names.join(", ")), &other)),
        }
    }

    /// Whether `resample` is Pillow's bicubic filter; the default is the class's.
    fn is_bicubic(&mut self, family: Family) -> Result<bool> {
        let Some(value) = self.take("resample") else {
            return Ok(family == Family::Siglip);
        };
        match value.as_u64() {
            Some(BILINEAR) => Ok(false),
            Some(BICUBIC) => Ok(true),
            _ => {
                let expected = "2 (bilinear) or 3 (bicubic); other filters are not supported";
                Err(self.wrong("resample", expected, &value))
            }
        }
    }

    /// Three numbers, or one for all three channels.
    fn triple(&mut self, key: &str) -> Result<Option<[f64; 3]>> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let numbers: Option<Vec<f64>> = match &value {
            Value::Array(items) => items.iter().map(Value::as_f64).collect(),
            other => other.as_f64().map(|number| vec![number; 3]),
        };
        let triple = numbers.and_then(|numbers| <[f64; 3]>::try_from(numbers).ok());
        match triple.filter(|numbers| numbers.iter().all(|number| number.is_finite())) {
            Some(triple) => Ok(Some(triple)),
            None => Err(self.wrong(key, "three numbers, or one for all channels", &value)),
        }
    }

    /// `size` as `[height, width]`.
    fn size(&mut self) -> Result<[usize; 2]> {
        let expected =
            format!("`height` and `width` of 1 to {MAX_SIDE} pixels (no `shortest_edge`)");
        let Some(value) = self.take("size") else {
            return Ok([CLASS_SIDE; 2]);
        };
        let side = |value: Option<&Value>| {
            let side = usize::try_from(value?.as_u64()?).ok()?;
            (1..=MAX_SIDE).contains(&side).then_some(side)
        };
        let sides = match &value {
            Value::Object(map) if map.iter().all(|(k, v)| is_side(k) || v.is_null()) => {
                side(map.get("height")).zip(side(map.get("width")))
            }
            Value::Number(_) => side(Some(&value)).map(|side| (side, side)),
            _ => None,
        };
        match sides {
            Some((height, width)) => Ok([height, width]),
            None => Err(self.wrong("size", &expected, &value)),
        }
    }

    /// Refuses every key left that could change the pixels: one that is neither ignored, null nor false.
    fn finish(self) -> Result<()> {
        let unknown = self.map.iter().find(|(key, value)| {
            !IGNORED.contains(&key.as_str()) && !value.is_null() && **value != Value::Bool(false)
        });
        match unknown {
            None => Ok(()),
            Some((key, value)) => Err(self.wrong(
                key,
                "no such key, null or false: this processing step is unknown",
                value,
            )),
        }
    }
}

fn is_side(key: &str) -> bool {
    key == "height" || key == "width"
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
