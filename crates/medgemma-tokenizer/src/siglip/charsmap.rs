//! SentencePiece's precompiled character map: which texts are replaced by which, as a trie.
//!
//! Layout (`Normalizer::DecodePrecompiledCharsMap`, `darts.h` of darts-clone): the trie's size in bytes as a
//! little-endian `u32`, its units of 32 bits, then the replacements, each ended by a zero byte. A map may come from a
//! hostile file, so that every index is checked where it is used: what leads out of bounds is no match.
//!
//! Two readers of the same map disagree on which match counts, and both are needed here: SentencePiece takes the longest
//! one at each position; Hugging Face's `tokenizers` takes the shortest at the beginning of a grapheme.

/// Longest replacement in bytes. The longest of Unicode's compatibility forms, that of U+FDFA, has 33. A hostile map makes a
/// text so many times as long, and no more.
const MAX_REPLACEMENT_BYTES: usize = 64;

/// Longest text in bytes that is replaced as a whole: a character and its marks. A damaged trie may have circles.
const MAX_MATCH_BYTES: usize = 64;

/// A character map. An empty one replaces nothing.
#[derive(Default)]
pub(super) struct Charsmap {
    units: Vec<u32>,
    replacements: String,
}

impl Charsmap {
    /// Parses the bytes of a map; an error says what is wrong with them.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let (size, rest) = bytes
            .split_first_chunk::<4>()
            .ok_or("is shorter than its header")?;
        let size = u32::from_le_bytes(*size) as usize;
        if !size.is_multiple_of(4) || size > rest.len() {
            return Err("has a trie that does not fit the data");
        }
        let (trie, replacements) = rest.split_at(size);
        let units = trie.chunks_exact(4);
        let units = units.map(|unit| u32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]]));
        let replacements =
            std::str::from_utf8(replacements).map_err(|_| "has replacements that are not UTF-8")?;
        if replacements
            .split('\0')
            .any(|text| text.len() > MAX_REPLACEMENT_BYTES)
        {
            return Err("has a replacement longer than any of SigLIP's");
        }
        Ok(Self {
            units: units.collect(),
            replacements: replacements.to_owned(),
        })
    }

    /// The replacement of the longest text in the map that `text` begins with, and that text's length in bytes.
    pub(super) fn longest<'a>(&'a self, text: &'a str) -> Option<(usize, &'a str)> {
        self.matches(text).last()
    }

    /// The replacement of the shortest text in the map that `text` begins with.
    pub(super) fn shortest<'a>(&'a self, text: &'a str) -> Option<&'a str> {
        self.matches(text)
            .next()
            .map(|(_, replacement)| replacement)
    }

    /// Length and replacement of every text in the map that `text` begins with, shortest first.
    fn matches<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
        let root = self.units.first().map(|&unit| offset(unit));
        let mut node = root;
        let mut steps = text.bytes().take(MAX_MATCH_BYTES).enumerate();
        std::iter::from_fn(move || {
            for (index, byte) in steps.by_ref() {
                let at = node? ^ usize::from(byte);
                let unit = *self.units.get(at)?;
                // A value's highest bit is set, so that its label is that of no byte.
                if byte == 0 || unit & (1 << 31 | 0xFF) != u32::from(byte) {
                    node = None;
                    return None;
                }
                let below = at ^ offset(unit);
                node = Some(below);
                // One that ends within a character is of a damaged map.
                if unit >> 8 & 1 == 1 && text.is_char_boundary(index + 1) {
                    let value = *self.units.get(below)? & (u32::MAX >> 1);
                    let rest = self.replacements.get(value as usize..)?;
                    return Some((index + 1, rest.split('\0').next()?));
                }
            }
            None
        })
    }
}

/// How a unit's position differs from that of its children: 21 bits, in units of 1 or of 256.
fn offset(unit: u32) -> usize {
    ((unit >> 10) as usize) << ((unit & 1 << 9) >> 6)
}

#[cfg(test)]
mod tests {
    use super::Charsmap;

    /// A trie by hand: `a` is replaced by `x`, `ab` by nothing. The root's children lie at 256 ^ byte (an offset in units
    /// of 256), those of `a` (at 353) at 353 ^ 64 = 289, where the value of `a` itself is, too; those of `ab` at 451 ^ 1 = 450.
    fn map() -> Vec<u8> {
        let mut units = vec![0u32; 512];
        units[0] = 1 << 10 | 1 << 9;
        units[256 ^ 0x61] = 64 << 10 | 1 << 8 | 0x61;
        units[289] = 1 << 31;
        let b = 289 ^ 0x62;
        units[b] = 1 << 10 | 1 << 8 | 0x62;
        units[b ^ 1] = 1 << 31 | 2;
        let mut bytes = 2048u32.to_le_bytes().to_vec();
        bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        bytes.extend(b"x\0\0");
        bytes
    }

    #[test]
    fn the_shortest_and_the_longest_match_are_found() {
        let map = Charsmap::parse(&map()).expect("a valid map");
        assert_eq!(map.shortest("abc"), Some("x"));
        assert_eq!(map.longest("abc"), Some((2, "")));
        assert_eq!(map.longest("ac"), Some((1, "x")));
        // A zero byte is the label of no step, though a unit that is not in use looks like one.
        for text in ["", "b", "\0", "\0a", "ba", "\u{e9}"] {
            assert_eq!(
                (map.shortest(text), map.longest(text)),
                (None, None),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_replacement_has_a_bound() {
        let map = map();
        let trie = &map[..4 + 2048];
        for (length, fits) in [(64, true), (65, false), (1 << 20, false)] {
            let map = [trie, "x".repeat(length).as_bytes(), b"\0\0"].concat();
            assert_eq!(Charsmap::parse(&map).is_ok(), fits, "{length}");
        }
    }

    /// `a` leads back to where it began, so that any number of them is a text of the map.
    #[test]
    fn a_circle_has_a_bound() {
        let mut units = vec![0u32; 512];
        units[0] = 1 << 10 | 1 << 9;
        units[256 ^ 0x61] = 0x61 << 10 | 1 << 8 | 0x61;
        units[256] = 1 << 31;
        let mut circle = 2048u32.to_le_bytes().to_vec();
        circle.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        circle.extend(b"x\0");
        let map = Charsmap::parse(&circle).expect("a valid map");
        assert_eq!(map.longest("aaa"), Some((3, "x")));
        assert_eq!(map.longest(&"a".repeat(1000)), Some((64, "x")));
    }

    #[test]
    fn what_does_not_fit_is_an_error_or_no_match() {
        let whole = map();
        for length in [1, 3, 4, 100, 2051] {
            assert!(Charsmap::parse(&whole[..length]).is_err(), "{length}");
        }
        let mut bad = whole.clone();
        bad[2052] = 0xFF;
        assert!(Charsmap::parse(&bad).is_err());
        // Offsets beyond the trie and values beyond the text: any four bytes set to ones.
        for at in (4..2052).step_by(4) {
            let mut bad = whole.clone();
            bad[at..at + 4].fill(0xFF);
            let map = Charsmap::parse(&bad).expect("still a map");
            let _ = (map.shortest("abab"), map.longest("abab"));
        }
        // A match of the first of the two bytes of `é`.
        let mut units = vec![0u32; 512];
        units[0] = 256 << 10;
        units[256 ^ 0xC3] = 1 << 10 | 1 << 8 | 0xC3;
        let mut within = 2048u32.to_le_bytes().to_vec();
        within.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        within.extend(b"x\0");
        let within = Charsmap::parse(&within).expect("a map");
        assert_eq!(within.longest("\u{e9}"), None);
        let empty = Charsmap::parse(&[]).expect("a model without rules");
        assert_eq!(empty.longest("a"), None);
    }
}
