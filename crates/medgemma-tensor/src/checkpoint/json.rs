//! Configuration files: JSON objects read key by key, so that every message names file and key and
//! every key that nobody asked for is known in the end.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Largest JSON file that is read whole (configs and indices; the 27B index takes about 0.1 MB).
pub const MAX_JSON_BYTES: u64 = 32 << 20;

/// Largest size, count or id that a config may give. Real ones end at a vocabulary of 262 208; the
/// bound keeps every product of two sizes far inside 64 bits.
pub const MAX_CONFIG_SIZE: usize = 1 << 24;

/// Most layers that a config may give; MedGemma 27B has 62. With it the bytes of a whole model, eight
/// products of two sizes a layer, are inside 64 bits too.
pub const MAX_CONFIG_LAYERS: usize = 512;

/// The content of the regular file at `path`.
///
/// # Errors
/// [`Error::Io`], [`Error::NotAFile`] (a pipe would be waited for), [`Error::HeaderTooLarge`]
/// beyond [`MAX_JSON_BYTES`].
pub(super) fn read_capped(path: &Path) -> Result<Vec<u8>> {
    let io = |source| Error::Io {
        path: path.to_path_buf(),
        source,
    };
    let meta = fs::metadata(path).map_err(io)?;
    if !meta.is_file() {
        return Err(Error::NotAFile {
            path: path.to_path_buf(),
        });
    }
    if meta.len() > MAX_JSON_BYTES {
        return Err(Error::HeaderTooLarge {
            path: path.to_path_buf(),
            limit: MAX_JSON_BYTES,
            found: meta.len(),
        });
    }
    fs::read(path).map_err(io)
}

/// The JSON value in the file at `path`.
///
/// # Errors
/// [`Error::Io`], [`Error::NotAFile`], [`Error::HeaderTooLarge`], [`Error::Malformed`].
pub fn read_json(path: &Path) -> Result<Value> {
    serde_json::from_slice(&read_capped(path)?).map_err(|source| Error::Malformed {
        path: path.to_path_buf(),
        expected: "JSON",
        source: Box::new(source),
    })
}

/// One JSON object of a config file. Each getter gives `default` for an absent key and an error for
/// a value of the wrong kind; `null` counts as a value, except where a getter returns an `Option`.
#[derive(Debug)]
pub struct ConfigObject<'a> {
    file: &'a Path,
    prefix: String,
    map: &'a Map<String, Value>,
    seen: BTreeSet<String>,
}

impl<'a> ConfigObject<'a> {
    /// The object `value` of the config at `file`; `prefix` is where it stands in the file
    /// (`"text_config."`, or `""` for the whole).
    ///
    /// # Errors
    /// [`Error::Config`] if `value` is no object.
    pub fn new(file: &'a Path, prefix: &str, value: &'a Value) -> Result<Self> {
        let Value::Object(map) = value else {
            return Err(Error::Config {
                path: file.to_path_buf(),
                key: prefix.trim_end_matches('.').to_owned(),
                expected: "a JSON object".to_owned(),
                found: shorten(&value.to_string()),
            });
        };
        Ok(Self {
            file,
            prefix: prefix.to_owned(),
            map,
            seen: BTreeSet::new(),
        })
    }

    /// The value of `key`, whatever it is.
    #[must_use]
    pub fn get(&mut self, key: &str) -> Option<&'a Value> {
        self.seen.insert(key.to_owned());
        self.map.get(key)
    }

    /// The value of `key` unless it is absent or `null`.
    #[must_use]
    pub fn some(&mut self, key: &str) -> Option<&'a Value> {
        self.get(key).filter(|value| !value.is_null())
    }

    /// The error that `key` is not as expected.
    #[must_use]
    pub fn error(&self, key: &str, expected: impl Into<String>) -> Error {
        Error::Config {
            path: self.file.to_path_buf(),
            key: format!("{}{key}", self.prefix),
            expected: expected.into(),
            found: self
                .map
                .get(key)
                .map_or_else(|| "nothing".to_owned(), |v| shorten(&v.to_string())),
        }
    }

    /// A size: an integer from 1 to [`MAX_CONFIG_SIZE`].
    ///
    /// # Errors
    /// [`Error::Config`] for anything else.
    pub fn size(&mut self, key: &str, default: usize) -> Result<usize> {
        self.count(key, default, MAX_CONFIG_SIZE)
    }

    /// A count: an integer from 1 to `most`, itself at most [`MAX_CONFIG_SIZE`].
    ///
    /// # Errors
    /// [`Error::Config`] for anything else.
    pub fn count(&mut self, key: &str, default: usize, most: usize) -> Result<usize> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        Self::integer(value)
            .filter(|n| (1..=most).contains(n))
            .ok_or_else(|| self.error(key, format!("an integer from 1 to {most}")))
    }

    /// A number that is positive and finite in f32 too, which models compute in.
    ///
    /// # Errors
    /// [`Error::Config`] for anything else.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "what becomes of it is what is asked"
    )]
    pub fn positive(&mut self, key: &str, default: f64) -> Result<f64> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        let fits = |x: &f64| (*x as f32).is_finite() && *x as f32 > 0.0;
        value
            .as_f64()
            .filter(fits)
            .ok_or_else(|| self.error(key, "a positive number in the range of f32"))
    }

    /// `true` or `false`; `null` counts as absent.
    ///
    /// # Errors
    /// [`Error::Config`] for anything else.
    pub fn flag(&mut self, key: &str, default: bool) -> Result<bool> {
        let Some(value) = self.some(key) else {
            return Ok(default);
        };
        value
            .as_bool()
            .ok_or_else(|| self.error(key, "true or false"))
    }

    /// A string, or `None` for `null` or nothing.
    ///
    /// # Errors
    /// [`Error::Config`] for anything else.
    pub fn text(&mut self, key: &str) -> Result<Option<&'a str>> {
        self.some(key)
            .map(|value| value.as_str().ok_or_else(|| self.error(key, "a string")))
            .transpose()
    }

    /// A token id, or `None` for `null`.
    ///
    /// # Errors
    /// [`Error::Config`] for anything else.
    pub fn id(&mut self, key: &str, default: Option<u32>) -> Result<Option<u32>> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Null) => Ok(None),
            Some(value) => Self::token(value)
                .map(Some)
                .ok_or_else(|| self.error(key, "a token id")),
        }
    }

    /// A token id or a list of them; `None` for `null` or nothing.
    ///
    /// # Errors
    /// [`Error::Config`] for anything else.
    pub fn ids(&mut self, key: &str) -> Result<Option<Vec<u32>>> {
        let Some(value) = self.some(key) else {
            return Ok(None);
        };
        let ids = match value {
            Value::Array(list) => list.iter().map(Self::token).collect(),
            one => Self::token(one).map(|id| vec![id]),
        };
        ids.map(Some)
            .ok_or_else(|| self.error(key, "a token id or a list of token ids"))
    }

    /// The object at `key`, or `None` for `null` or nothing.
    ///
    /// # Errors
    /// [`Error::Config`] for anything else.
    pub fn object(&mut self, key: &str) -> Result<Option<ConfigObject<'a>>> {
        self.some(key)
            .map(|value| Self::new(self.file, &format!("{}{key}.", self.prefix), value))
            .transpose()
    }

    /// Says of `keys` that they have no influence on inference.
    pub fn ignore(&mut self, keys: &[&str]) {
        self.seen.extend(keys.iter().map(|&key| key.to_owned()));
    }

    /// All keys that were neither looked at nor ignored, as the whole file spells them.
    #[must_use]
    pub fn unknown(&self) -> Vec<String> {
        self.map
            .keys()
            .filter(|key| !self.seen.contains(*key))
            .map(|key| format!("{}{key}", self.prefix))
            .collect()
    }

    fn integer(value: &Value) -> Option<usize> {
        let n = usize::try_from(value.as_u64()?).ok()?;
        (n <= MAX_CONFIG_SIZE).then_some(n)
    }

    fn token(value: &Value) -> Option<u32> {
        u32::try_from(Self::integer(value)?).ok()
    }
}

/// At most 80 characters of `text`, for messages about hostile files.
pub(super) fn shorten(text: &str) -> String {
    const MOST: usize = 80;
    if text.chars().nth(MOST).is_none() {
        return text.to_owned();
    }
    text.chars().take(MOST).chain("…".chars()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::ConfigObject;

    #[test]
    fn numbers_are_positive_and_finite_in_f32_too() {
        let eps = |value: serde_json::Value| {
            let config = json!({ "eps": value });
            let mut config = ConfigObject::new(Path::new("config.json"), "text.", &config)?;
            config.positive("eps", 0.5)
        };
        for sound in [1e-6, 1e6, 1e-38, f64::from(f32::MAX)] {
            assert_eq!(eps(json!(sound)).expect("sound"), sound);
        }
        // The last two are infinite and 0 in f32 alone.
        for wrong in [
            json!(0),
            json!(-1.0),
            json!("1"),
            json!(null),
            json!(1e40),
            json!(1e-50),
        ] {
            let message = eps(wrong.clone()).expect_err("wrong").to_string();
            for named in ["config.json", "text.eps", &wrong.to_string(), "f32"] {
                assert!(message.contains(named), "{message} does not name {named}");
            }
        }
    }
}
