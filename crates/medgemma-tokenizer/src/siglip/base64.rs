//! Bytes as `tokenizer.json` writes them: RFC 4648 §4, with padding. Written here because the crate that `tokenizers` brings
//! along is another version than the rest of the tree has, and one function is all that is needed.

/// The bytes of a text; `None` if it is no base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let digits = text
        .strip_suffix("==")
        .or(text.strip_suffix('='))
        .unwrap_or(text);
    let mut out = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.as_bytes().chunks(4) {
        let mut bits = 0u32;
        for index in 0..4 {
            let digit = group.get(index).map_or(Some(0), |&byte| value(byte))?;
            bits = bits << 6 | u32::from(digit);
        }
        // Four digits are three bytes, three are two, two are one; one alone is none.
        let bytes = bits.to_be_bytes();
        out.extend_from_slice(bytes.get(1..group.len())?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn base64_is_that_of_the_standard() {
        // RFC 4648 §10.
        let cases = [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ];
        for (text, bytes) in cases {
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode("+/+/"), Some(vec![0xFB, 0xFF, 0xBF]));
        for wrong in [
            "Z", "Zg", "Zg=", "Z===", "Zg=a", "Zg\n=", "Z-8=", "Zm9v=", "====",
        ] {
            assert_eq!(decode(wrong), None, "{wrong:?}");
        }
    }
}
