//! One record as bytes: a JSON object on a line, whose last member is the hash of all before it.
//!
//! ```json
//! {"sequence":1,"time":"2026-11-26T11:30:00.000Z","event":"request","body":{…},"previous":"…","hash":"…"}
//! ```
//! The hash is BLAKE3's of the bytes from `{` to the quotation mark that ends `previous`, in lower-case
//! hexadecimal digits; `previous` of the first record is 64 zeros.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, Wrong};

/// Longer lines are not read into memory.
pub(crate) const LONGEST: usize = 1 << 20;
/// Of the record before the first.
pub(crate) const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const BEFORE_HASH: &str = ",\"hash\":\"";
const AFTER_HASH: &str = "\"}";

/// A record without its hash.
#[derive(Serialize)]
struct Content<'a, T> {
    sequence: u64,
    time: &'a str,
    event: &'a str,
    body: &'a T,
    previous: &'a str,
}

/// What of a record concerns the chain. Members that it does not name are refused, so that a line is
/// read as it was written or not at all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Links<'a> {
    sequence: u64,
    #[serde(rename = "time")]
    _time: IgnoredAny,
    #[serde(rename = "event")]
    _event: IgnoredAny,
    #[serde(rename = "body")]
    _body: IgnoredAny,
    previous: &'a str,
    hash: &'a str,
}

/// A line with its end, and its hash.
pub(crate) fn encode<T: Serialize>(
    sequence: u64,
    time: &str,
    event: &'static str,
    body: &T,
    previous: &str,
) -> Result<(Vec<u8>, String)> {
    let content = Content {
        sequence,
        time,
        event,
        body,
        previous,
    };
    let refused = || Error::Record {
        event,
        limit: LONGEST,
    };
    let mut line = serde_json::to_vec(&content).map_err(|_| refused())?;
    // A body may bring its own text, with line breaks between its tokens: a record is one line, or none can be read
    // behind it.
    if line.contains(&b'\n') {
        return Err(refused());
    }
    // The hash takes the place of the brace that ends the object.
    line.pop();
    let hash = blake3::hash(&line).to_string();
    for part in [BEFORE_HASH, &hash, AFTER_HASH, "\n"] {
        line.extend_from_slice(part.as_bytes());
    }
    if line.len() > LONGEST {
        return Err(refused());
    }
    Ok((line, hash))
}

/// The hash of a line without its end, if it is the record with this number that follows `previous`.
pub(crate) fn check(
    line: &[u8],
    sequence: u64,
    previous: &str,
) -> std::result::Result<String, Wrong> {
    let links: Links<'_> = serde_json::from_slice(line).map_err(|_| Wrong::Form)?;
    let tail = [BEFORE_HASH, links.hash, AFTER_HASH].concat();
    let content = line.strip_suffix(tail.as_bytes()).ok_or(Wrong::Form)?;
    if blake3::hash(content).to_string() != links.hash {
        return Err(Wrong::Hash);
    }
    if links.previous != previous {
        return Err(Wrong::Previous);
    }
    if links.sequence != sequence {
        return Err(Wrong::Sequence);
    }
    Ok(links.hash.to_owned())
}
