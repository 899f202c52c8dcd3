//! What pseudonyms, UIDs and shifts of dates are made of: a secret, and what they stand for.

use std::fmt;

use crate::error::{Error, Result};

/// Bytes that a secret has at least.
const SHORTEST_SECRET: usize = 16;
/// Different bytes in it. Sixteen random hexadecimal digits have fewer once in some million times; blanks,
/// zeros and a short word between blanks always do.
const DIFFERENT_BYTES: usize = 5;
const DAYS_PER_YEAR: i64 = 365;

/// A secret from which pseudonyms, UIDs and date shifts are made, the same for the same original each
/// time: files of one patient still belong together, and nobody without the key can find out whose they
/// are by trying names. Who has it can, so it is as confidential as the originals. Without it nothing
/// can be turned back, and with it only by trying.
///
/// `Debug` does not print it.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// From 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From a secret of 16 bytes or more, by BLAKE3's key derivation. It stretches nothing: a word that can
    /// be guessed makes a key that can be guessed, so take random bytes.
    ///
    /// # Errors
    /// [`Error::Secret`] for one that is shorter, or blanks or a few bytes repeated: with a file that came
    /// out empty everybody could find out whose pseudonym is whose by trying names.
    pub fn from_secret(secret: &[u8]) -> Result<Self> {
        let different: std::collections::BTreeSet<u8> = secret.iter().copied().collect();
        if secret.len() < SHORTEST_SECRET || different.len() < DIFFERENT_BYTES {
            return Err(Error::Secret {
                bytes: secret.len(),
                different: different.len(),
            });
        }
        Ok(Self(blake3::derive_key(
            "medgemma-privacy 2026 de-identification key",
            secret,
        )))
    }

    /// 32 bytes for `value` in its role as `purpose`.
    fn derive(&self, purpose: &str, value: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        // A purpose has no zero byte, so that it cannot run into the value.
        hasher.update(purpose.as_bytes()).update(&[0]).update(value);
        *hasher.finalize().as_bytes()
    }

    /// A UID in place of `uid`: `2.25.` and a UUID (version 8, which leaves the bits to the maker) as
    /// a number, PS3.5 B.2.
    pub(crate) fn uid(&self, uid: &str) -> String {
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&self.derive("uid", uid.as_bytes())[..16]);
        uuid[6] = uuid[6] & 0x0f | 0x80;
        uuid[8] = uuid[8] & 0x3f | 0x80;
        format!("2.25.{}", u128::from_be_bytes(uuid))
    }

    /// A name or number in place of `value`: 16 hexadecimal digits behind `P`.
    pub(crate) fn pseudonym(&self, value: &str) -> String {
        let bytes = self.derive("pseudonym", value.as_bytes());
        let number = u64::from_be_bytes(bytes[..8].try_into().unwrap_or_default());
        format!("P{number:016X}")
    }

    /// By how many days the dates of `patient` are shifted: one to ten years back, so that none comes
    /// to lie in the future, and the same for all of a patient's, so that intervals stay.
    pub(crate) fn days(&self, patient: &str) -> i64 {
        let bytes = self.derive("days", patient.as_bytes());
        let number = u32::from_be_bytes(bytes[..4].try_into().unwrap_or_default());
        -(DAYS_PER_YEAR + i64::from(number) % (9 * DAYS_PER_YEAR))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_depends_on_key_purpose_and_value_and_on_nothing_else() {
        let key = |secret: &[u8]| Key::from_secret(secret).expect("a secret");
        let (one, other) = (key(b"one secret of many"), key(b"another secret of many"));
        assert_eq!(one.uid("1.2.3"), key(b"one secret of many").uid("1.2.3"));
        assert_ne!(one.uid("1.2.3"), one.uid("1.2.4"));
        assert_ne!(one.uid("1.2.3"), other.uid("1.2.3"));
        assert_ne!(one.pseudonym("Doe"), other.pseudonym("Doe"));
        assert_ne!(one.derive("uid", b"1"), one.derive("days", b"1"));
        let days: Vec<i64> = (0..500).map(|n| one.days(&n.to_string())).collect();
        assert!(days.iter().all(|days| (-10 * 365..=-365).contains(days)));
        assert!(days.iter().min() < Some(&-3600) && days.iter().max() > Some(&-420));
        assert_ne!(
            days,
            (0..500)
                .map(|n| other.days(&n.to_string()))
                .collect::<Vec<_>>()
        );
        assert_eq!(format!("{one:?}"), "Key");
    }

    #[test]
    fn a_secret_that_anybody_can_guess_is_refused() {
        for (secret, different) in [
            (&b""[..], 0),
            (b"0123456789abcde", 15),
            (&[b' '; 64], 1),
            (b" \t\r\n \t\r\n \t\r\n \t\r\n \t\r\n", 4),
            (&[0; 32], 1),
            (b"abc                     ", 4),
        ] {
            let refused = Key::from_secret(secret).expect_err("no secret");
            let bytes = secret.len();
            assert_eq!(refused, Error::Secret { bytes, different });
            assert!(refused.to_string().contains("/dev/urandom"));
        }
        assert!(Key::from_secret(b"0123456789abcdef").is_ok());
    }

    /// A UUID of version 8 and the variant of RFC 9562, as a number of at most 39 digits.
    #[test]
    fn uids_are_uuids() {
        let uid = Key::new([7; 32]).uid("1.2.3");
        let number: u128 = uid
            .strip_prefix("2.25.")
            .and_then(|n| n.parse().ok())
            .expect("a number");
        assert_eq!((number >> 76 & 0xf, number >> 62 & 0b11), (8, 0b10));
        assert!(uid.len() <= 44);
    }
}
