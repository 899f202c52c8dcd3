//! One look over a page's bytes before anything is allocated for it: how deep its lists and objects go, how many values
//! it holds. What is no JSON passes; the parser will say so.

use crate::error::{Error, Origin, Result};
use crate::limits::Limits;

/// Refuses a page that is too long, too deep, or of too many values.
pub(crate) fn check(page: &str, origin: &Origin, limits: &Limits) -> Result<()> {
    let exceeded = |what, limit, found| {
        Err(Error::Limit {
            origin: origin.clone(),
            what,
            limit,
            found,
        })
    };
    if page.len() > limits.max_bytes {
        return exceeded("max_bytes", limits.max_bytes, page.len());
    }
    let (mut depth, mut values) = (0_usize, 1_usize);
    let mut bytes = page.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'{' | b'[' => {
                depth += 1;
                values += 1;
                if depth > limits.max_depth.min(PARSER_DEPTH) {
                    return exceeded("max_depth", limits.max_depth, depth);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if values > limits.max_values {
            return exceeded("max_values", limits.max_values, values);
        }
    }
    Ok(())
}

/// serde_json goes no deeper than 128.
const PARSER_DEPTH: usize = 120;

/// Goes on behind the string's closing quote.
fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exceeded(page: &str, limits: Limits) -> Option<&'static str> {
        match check(page, &Origin::Page(1), &limits) {
            Err(Error::Limit { what, .. }) => Some(what),
            _ => None,
        }
    }

    #[test]
    fn each_limit_holds_at_its_bound() {
        let page = r#"{"a":[1,2,{"b":"[[[,,,\"{{"}]}"#;
        let limits = Limits::default();
        for (tight, loose, what) in [
            (
                limits.with_max_bytes(page.len() - 1),
                limits.with_max_bytes(page.len()),
                "max_bytes",
            ),
            (
                limits.with_max_depth(2),
                limits.with_max_depth(3),
                "max_depth",
            ),
            // Three openings, two commas, and one for the page.
            (
                limits.with_max_values(5),
                limits.with_max_values(6),
                "max_values",
            ),
        ] {
            assert_eq!(exceeded(page, tight), Some(what));
            assert_eq!(exceeded(page, loose), None, "{what}");
        }
        assert_eq!(
            exceeded(&"[".repeat(121), limits.with_max_depth(1000)),
            Some("max_depth")
        );
        assert_eq!(exceeded("]]]]\"\\", limits), None);
    }
}
