//! The settings of a processor's file, key by key, each wrong one an error that names it.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Family;
use crate::error::{Error, Result};
use crate::resize::MAX_SIDE;

/// `size` of the class when the file has none.
const CLASS_SIDE: usize = 224;

/// Pillow's number for its bilinear filter, the default of `Gemma3ImageProcessor`.
const BILINEAR: u64 = 2;
/// Pillow's number for its bicubic filter, the default of `SiglipImageProcessor`.
const BICUBIC: u64 = 3;

/// Keys that say nothing about the pixels of one picture: names of classes, and how arrays are handed over.
const IGNORED: [&str; 13] = [
    "_valid_processor_keys",
    "auto_map",
    "crop_size",
    "data_format",
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

/// One JSON object, its keys taken one by one; what is left at the end was not understood.
pub(super) struct Section {
    map: Map<String, Value>,
    path: PathBuf,
    prefix: String,
}

impl Section {
    pub(super) fn new(map: Map<String, Value>, path: &Path, prefix: String) -> Self {
        Self {
            map,
            path: path.to_owned(),
            prefix,
        }
    }

    pub(super) fn wrong(&self, key: &str, expected: &str, found: &Value) -> Error {
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

    pub(super) fn flag(&mut self, key: &str, default: bool) -> Result<bool> {
        match self.take(key) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(value),
            Some(other) => Err(self.wrong(key, "true, false or null", &other)),
        }
    }

    pub(super) fn number(&mut self, key: &str) -> Result<Option<f64>> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match value.as_f64().filter(|number| number.is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(key, "a number", &value)),
        }
    }

    pub(super) fn count(&mut self, key: &str, least: usize) -> Result<Option<usize>> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let count = value.as_u64().and_then(|n| usize::try_from(n).ok());
        match count.filter(|&n| n >= least) {
            Some(count) => Ok(Some(count)),
            None => Err(self.wrong(key, &format!("an integer of at least {least}"), &value)),
        }
    }

    pub(super) fn one_of(&mut self, key: &str, names: &[&str]) -> Result<Option<String>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(name)) if names.contains(&name.as_str()) => Ok(Some(name)),
            Some(other) => Err(self.wrong(key, &format!("one of {}", names.join(", ")), &other)),
        }
    }

    /// Whether `resample` is Pillow's bicubic filter; the default is the class's.
    pub(super) fn is_bicubic(&mut self, family: Family) -> Result<bool> {
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
    pub(super) fn triple(&mut self, key: &str) -> Result<Option<[f64; 3]>> {
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

    /// `size` as `[height, width]`; `square`: what a number alone means.
    pub(super) fn size(&mut self, square: bool) -> Result<[usize; 2]> {
        let expected = format!(
            "`height` and `width` of 1 to {MAX_SIDE} pixels (no `shortest_edge`, which a number alone is without \
             `default_to_square`)"
        );
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
            Value::Number(_) if square => side(Some(&value)).map(|side| (side, side)),
            _ => None,
        };
        match sides {
            Some((height, width)) => Ok([height, width]),
            None => Err(self.wrong("size", &expected, &value)),
        }
    }

    /// Refuses every key left that could change the pixels: one that is neither ignored, null nor false.
    pub(super) fn finish(self) -> Result<()> {
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
