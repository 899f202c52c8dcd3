//! One record as bytes: a JSON object on a line, whose last member is the hash of all before it.
//!
//! ```json
//! {"sequence":1,"time":"2026-11-26T11:30:00.000Z","event":"request","body":{…},"previous":"…","hash":"…"}
//! ```
//! The hash is BLAKE3's of the bytes from `{` to the quotation mark that ends `previous`, in lower-case
//! hexadecimal digits; `previous` of the first record is 64 zeros.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::error::{Error, Result, Wrong};

/// Longer lines are not read into memory.
pub(crate) const LONGEST: usize = 1 << 20;
/// Of the record before the first.
pub(crate) const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const BEFORE_HASH: &str = ",\"hash\":\"";
const AFTER_HASH: &str = "\"}";

/// A record without its hash.
#[derive(Serialize)]
struct Content<'a> {
    sequence: u64,
    time: &'a str,
    event: &'a str,
    body: &'a RawValue,
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

/// What a record is about, and its content, as JSON already: a caller's `Serialize` may do anything, and must not while
/// the log is locked.
pub(crate) struct Body {
    event: &'static str,
    json: Box<RawValue>,
}

impl Body {
    pub(crate) fn new<T: Serialize>(event: &'static str, body: &T) -> Result<Self> {
        let json = to_raw_value(body).map_err(|_| refused(event))?;
        // A body may bring its own text, with line breaks between its tokens: a record is one line, or none can be read
        // behind it.
        if json.get().contains('\n') {
            return Err(refused(event));
        }
        Ok(Self { event, json })
    }
}

fn refused(event: &'static str) -> Error {
    Error::Record {
        event,
        limit: LONGEST,
    }
}

/// A line with its end, and its hash.
pub(crate) fn encode(
    sequence: u64,
    time: &str,
    body: &Body,
    previous: &str,
) -> Result<(Vec<u8>, String)> {
    let content = Content {
        sequence,
        time,
        event: body.event,
        body: &body.json,
        previous,
    };
    let mut line = serde_json::to_vec(&content).map_err(|_| refused(body.event))?;
    // The hash takes the place of the brace that ends the object.
    line.pop();
    let hash = blake3::hash(&line).to_string();
    for part in [BEFORE_HASH, &hash, AFTER_HASH, "\n"] {
        line.extend_from_slice(part.as_bytes());
    }
    if line.len() > LONGEST {
        return Err(refused(body.event));
    }
    Ok((line, hash))
}

/// Whether bytes without the end of a line may be what a crash has left of the record with this number: its beginning,
/// or room that was never written, which reads as zeros. Anything else is somebody's, and must not be cut off.
pub(crate) fn may_be_torn(bytes: &[u8], sequence: u64) -> bool {
    let beginning = format!("{{\"sequence\":{sequence},\"time\":\"");
    let written = bytes.iter().rposition(|&byte| byte != 0);
    let written = &bytes[..written.map_or(0, |last| last + 1)];
    written
        .iter()
        .zip(beginning.as_bytes())
        .all(|(found, expected)| found == expected)
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
