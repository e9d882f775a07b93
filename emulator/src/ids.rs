//! Record ids: 15 base-62 characters, shown with a three-character checksum as 18.
//!
//! An id is a key prefix (3), the instance that made it (3 here) and a number (9). Ids of one object made by this org
//! are in one-to-one, order-preserving relation to ordinals, so that a generated row needs no stored id.
//!
//! Source: the 18-character algorithm and its vectors as published by several converters; order by ASCII (digits, then
//! A–Z, then a–z) is inferred from the chunk bounds in the Bulk API guide v66.

use std::fmt;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/// The characters between key prefix and number in every id that this org makes.
const INSTANCE: &[u8; 3] = b"gL0";
const NUMBER_DIGITS: usize = 9;

/// The largest ordinal that an id can carry: 62⁹ − 1.
pub const MAX_ORDINAL: u64 = 13_537_086_546_263_551;

/// The first three characters of an id, which name the object. Case matters: `00k` is not `00K`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyPrefix([u8; 3]);

impl KeyPrefix {
    /// Reads three base-62 characters.
    ///
    /// # Errors
    /// [`MalformedId`] for anything else.
    pub fn parse(text: &str) -> Result<Self, MalformedId> {
        match text.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_alphanumeric) => Ok(Self([a, b, c])),
            _ => Err(MalformedId { text: text.to_owned() }),
        }
    }

    /// The prefix of the `index`th custom object: `a00`, `a01`, … `aZZ`.
    #[must_use]
    pub fn custom(index: usize) -> Self {
        let index = index % (62 * 62);
        Self([b'a', DIGITS[index / 62], DIGITS[index % 62]])
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a key prefix is ASCII")
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A record's id. Ordered as SOQL orders ids; shown with 18 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId([u8; 15]);

/// A text that is no id. Shown as Salesforce words it for `MALFORMED_ID`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed id {text}")]
pub struct MalformedId {
    /// What was given.
    pub text: String,
}

impl RecordId {
    /// The id with the number `ordinal` under `prefix`. Larger ordinals give larger ids.
    ///
    /// # Panics
    /// Never for ordinals up to [`MAX_ORDINAL`]; larger ones keep their low digits only.
    #[must_use]
    pub fn new(prefix: KeyPrefix, ordinal: u64) -> Self {
        debug_assert!(ordinal <= MAX_ORDINAL);
        let mut bytes = [b'0'; 15];
        bytes[..3].copy_from_slice(&prefix.0);
        bytes[3..6].copy_from_slice(INSTANCE);
        let mut rest = ordinal;
        for digit in bytes[6..].iter_mut().rev() {
            if rest == 0 {
                break;
            }
            *digit = DIGITS[(rest % 62) as usize];
            rest /= 62;
        }
        Self(bytes)
    }

    /// Reads the 15- or the 18-character form.
    ///
    /// The checksum of the long form must fit, as it tells apart ids that differ in case only.
    ///
    /// # Errors
    /// [`MalformedId`] for another length, another alphabet or a wrong checksum.
    pub fn parse(text: &str) -> Result<Self, MalformedId> {
        let malformed = || MalformedId { text: text.to_owned() };
        let bytes = text.as_bytes();
        let (head, tail) = bytes.split_at_checked(15).ok_or_else(malformed)?;
        let id = Self(head.try_into().map_err(|_| malformed())?);
        let fits = tail.is_empty() || tail.eq_ignore_ascii_case(&id.checksum());
        if fits && head.iter().all(u8::is_ascii_alphanumeric) { Ok(id) } else { Err(malformed()) }
    }

    /// The id of which these are the first 15 characters, as [`RecordId::short`] gave them.
    pub(crate) fn from_raw(characters: [u8; 15]) -> Self {
        Self(characters)
    }

    #[must_use]
    pub fn prefix(&self) -> KeyPrefix {
        KeyPrefix([self.0[0], self.0[1], self.0[2]])
    }

    /// The number inside an id that this org made; `None` for an id from elsewhere.
    #[must_use]
    pub fn ordinal(&self) -> Option<u64> {
        if &self.0[3..6] != INSTANCE {
            return None;
        }
        let mut ordinal = 0;
        for &byte in &self.0[15 - NUMBER_DIGITS..] {
            ordinal = ordinal * 62 + u64::from(digit_of(byte));
        }
        Some(ordinal)
    }

    /// The three characters that make an id unique without regard to case.
    #[must_use]
    pub fn checksum(&self) -> [u8; 3] {
        let mut checksum = [0; 3];
        for (group, out) in self.0.chunks_exact(5).zip(&mut checksum) {
            let bits = group.iter().enumerate().fold(0, |bits, (i, c)| bits | usize::from(c.is_ascii_uppercase()) << i);
            *out = CHECKSUM[bits];
        }
        checksum
    }

    /// The 18 characters as bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 18] {
        let mut bytes = [0; 18];
        bytes[..15].copy_from_slice(&self.0);
        bytes[15..].copy_from_slice(&self.checksum());
        bytes
    }

    /// The 15-character form.
    #[must_use]
    pub fn short(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an id is ASCII")
    }
}

fn digit_of(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'A'..=b'Z' => byte - b'A' + 10,
        _ => byte.wrapping_sub(b'a').wrapping_add(36),
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.to_bytes()).expect("an id is ASCII"))
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for RecordId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contact() -> KeyPrefix {
        KeyPrefix::parse("003").unwrap()
    }

    #[test]
    fn published_checksums_are_reproduced() {
        for (short, checksum) in [("a0D30000001n7Pi", "EAI"), ("0019000000B98de", "AAB"), ("000000000000000", "AAA")] {
            assert_eq!(RecordId::parse(short).unwrap().to_string(), format!("{short}{checksum}"));
        }
    }

    #[test]
    fn wrong_checksums_lengths_and_characters_are_malformed() {
        for text in ["a0D30000001n7PiEAA", "a0D30000001n7P", "a0D30000001n7PiE", "a0D30000001n7_i", "", "äää0000000000"]
        {
            let error = RecordId::parse(text).unwrap_err();
            assert_eq!(error.to_string(), format!("malformed id {text}"));
        }
    }

    #[test]
    fn key_prefixes_are_case_sensitive() {
        assert_ne!(KeyPrefix::parse("00k").unwrap(), KeyPrefix::parse("00K").unwrap());
    }

    #[test]
    fn an_id_from_another_org_has_no_ordinal() {
        assert_eq!(RecordId::parse("0019000000B98de").unwrap().ordinal(), None);
    }

    proptest! {
        #[test]
        fn ordinals_and_both_forms_of_an_id_round_trip(ordinal in 0..=MAX_ORDINAL) {
            let id = RecordId::new(contact(), ordinal);
            prop_assert_eq!(id.ordinal(), Some(ordinal));
            prop_assert_eq!(RecordId::parse(&id.to_string()), Ok(id));
            prop_assert_eq!(RecordId::parse(id.short()), Ok(id));
        }

        #[test]
        fn ids_are_ordered_like_their_ordinals(a in 0..=MAX_ORDINAL, b in 0..=MAX_ORDINAL) {
            let (x, y) = (RecordId::new(contact(), a), RecordId::new(contact(), b));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.to_string().cmp(&y.to_string()), a.cmp(&b));
        }

        #[test]
        fn reading_arbitrary_text_never_panics(text in ".{0,20}") {
            let _ = RecordId::parse(&text);
        }
    }
}
