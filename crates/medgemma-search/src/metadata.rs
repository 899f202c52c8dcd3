//! What is known of a vector besides its id: a flat map of names to values.

use std::collections::BTreeMap;
use std::fmt;

use crate::bytes::Cursor;
use crate::error::{Error, Result};

/// Names to values. A name has 1 to 255 bytes, and there are at most 65535.
pub type Metadata = BTreeMap<String, Value>;

/// A value of [`Metadata`].
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Text.
    Text(String),
    /// A finite number.
    Number(f64),
    /// Yes or no.
    Bool(bool),
}

impl fmt::Debug for Value {
    /// Shows the kind: what the value is may be about a patient.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Number(_) => "Number",
            Self::Bool(_) => "Bool",
        })
    }
}

macro_rules! values_from {
    ($($kind:ty => $variant:ident),* $(,)?) => {
        $(impl From<$kind> for Value {
            fn from(value: $kind) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}
values_from!(&str => Text, String => Text, f64 => Number, f32 => Number, i32 => Number, u32 => Number, bool => Bool);

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Bool(yes) => write!(f, "{yes}"),
        }
    }
}

impl Value {
    /// As it lies in the log.
    pub(crate) fn borrowed(&self) -> Stored<'_> {
        match self {
            Self::Text(text) => Stored::Text(text.as_bytes()),
            Self::Number(number) => Stored::Number(*number),
            Self::Bool(yes) => Stored::Bool(*yes),
        }
    }
}

/// A value in the log. Text is UTF-8 unless the log was tampered with; bytes order as text does.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(crate) enum Stored<'a> {
    Text(&'a [u8]),
    Number(f64),
    Bool(bool),
}

impl Stored<'_> {
    fn to_value(self) -> Option<Value> {
        Some(match self {
            Self::Text(text) => Value::Text(std::str::from_utf8(text).ok()?.to_owned()),
            Self::Number(number) => Value::Number(number),
            Self::Bool(yes) => Value::Bool(yes),
        })
    }

    pub(crate) fn kind(self) -> u8 {
        match self {
            Self::Text(_) => 0,
            Self::Number(_) => 1,
            Self::Bool(_) => 2,
        }
    }
}

/// Appends `metadata` as it lies in the log. `argument` names it in errors.
pub(crate) fn encode(metadata: &Metadata, argument: &str, out: &mut Vec<u8>) -> Result<()> {
    let refuse = |expected: &str, found: String| Err(Error::argument(argument, expected, found));
    let Ok(count) = u16::try_from(metadata.len()) else {
        return refuse("at most 65535 names", metadata.len().to_string());
    };
    out.extend(count.to_le_bytes());
    for (name, value) in metadata {
        let Some(len) = u8::try_from(name.len()).ok().filter(|&len| len > 0) else {
            return refuse("names of 1 to 255 bytes", format!("{} bytes", name.len()));
        };
        out.push(len);
        out.extend(name.as_bytes());
        let value = value.borrowed();
        out.push(value.kind());
        match value {
            Stored::Text(text) => {
                let Ok(len) = u32::try_from(text.len()) else {
                    return refuse("text below 4 GiB", format!("{} bytes", text.len()));
                };
                out.extend(len.to_le_bytes());
                out.extend(text);
            }
            Stored::Number(number) if number.is_finite() => out.extend(number.to_le_bytes()),
            Stored::Number(number) => {
                let expected = format!("a finite number for `{name}`: leave the name out instead");
                return refuse(&expected, number.to_string());
            }
            Stored::Bool(yes) => out.push(u8::from(yes)),
        }
    }
    Ok(())
}

/// Metadata where it lies in the log.
#[derive(Clone, Copy)]
pub(crate) struct StoredMetadata<'a> {
    count: u16,
    rest: Cursor<'a>,
}

impl<'a> StoredMetadata<'a> {
    /// The metadata that begins at `cursor`.
    pub(crate) fn new(mut cursor: Cursor<'a>) -> Option<Self> {
        let count = cursor.u16()?;
        Some(Self {
            count,
            rest: cursor,
        })
    }

    /// The value of `name`.
    pub(crate) fn find(&self, name: &str) -> Option<Stored<'a>> {
        let mut rest = self.rest;
        for _ in 0..self.count {
            let (found, value) = pair(&mut rest)?;
            if found == name.as_bytes() {
                return Some(value);
            }
        }
        None
    }

    /// All of it, and what follows in the log; `None` if the bytes are not metadata.
    pub(crate) fn read(&self) -> Option<(Metadata, Cursor<'a>)> {
        let mut rest = self.rest;
        let mut metadata = Metadata::new();
        for _ in 0..self.count {
            let (name, value) = pair(&mut rest)?;
            let name = std::str::from_utf8(name).ok()?.to_owned();
            metadata.insert(name, value.to_value()?);
        }
        Some((metadata, rest))
    }

    /// What follows in the log; `None` if the bytes are not metadata.
    pub(crate) fn skip(&self) -> Option<Cursor<'a>> {
        let mut rest = self.rest;
        for _ in 0..self.count {
            pair(&mut rest)?;
        }
        Some(rest)
    }
}

fn pair<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a [u8], Stored<'a>)> {
    let len = usize::from(cursor.u8()?);
    let name = cursor.bytes(len)?;
    let value = match cursor.u8()? {
        0 => {
            let len = usize::try_from(cursor.u32()?).ok()?;
            Stored::Text(cursor.bytes(len)?)
        }
        1 => Stored::Number(cursor.f64()?),
        2 => Stored::Bool(cursor.u8()? != 0),
        _ => return None,
    };
    Some((name, value))
}
