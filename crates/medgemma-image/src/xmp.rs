//! Extended XMP of a JPEG (XMP specification part 3, §1.1.3.1), hidden from the decoder: no pixel depends on it.
//!
//! `zune-jpeg` 0.5.15 keeps its segments until they are whole and sorts and compares all of them after each marker of
//! the header. Of many segments that never become whole, with as many empty comments behind them, a file of 20 MB keeps it
//! busy for hours.

use std::borrow::Cow;

/// How such a segment (APP1) begins.
const SIGNATURE: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";

/// The file, in which the decoder takes extended XMP for a segment of an application that it does not know.
///
/// Every place with the signature is changed, wherever it is: what is a segment to this crate's walk over the file need
/// not be one to the decoder. Few files have any, and only those are copied.
pub(crate) fn without_extended(bytes: &[u8]) -> Cow<'_, [u8]> {
    let is_first = |at: &usize| bytes[*at..].starts_with(SIGNATURE);
    let places = bytes.iter().enumerate();
    let places = places.filter(|(_, byte)| **byte == SIGNATURE[0]);
    let places: Vec<usize> = places.map(|(at, _)| at).filter(is_first).collect();
    let mut bytes = Cow::Borrowed(bytes);
    for at in places {
        bytes.to_mut()[at] = b'-';
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{SIGNATURE, without_extended};

    #[test]
    fn every_signature_is_changed_and_nothing_else() {
        let other = b"http://ns.adobe.com/xmp/extension/ http://ns.adobe.com/xap/1.0/\0";
        assert!(matches!(without_extended(other), Cow::Borrowed(same) if same == other));
        // Cut off by the end of the file.
        assert!(matches!(
            without_extended(&SIGNATURE[..34]),
            Cow::Borrowed(_)
        ));
        let file = [b"\xff\xd8h", SIGNATURE, other, SIGNATURE, SIGNATURE].concat();
        let found = without_extended(&file);
        let changed: Vec<usize> = (0..file.len())
            .filter(|&at| file[at] != found[at])
            .collect();
        let (one, behind) = (SIGNATURE.len(), 3 + SIGNATURE.len() + other.len());
        assert_eq!(changed, [3, behind, behind + one]);
        assert_eq!(found.len(), file.len());
    }
}
