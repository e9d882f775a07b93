//! Ids of records.

/// The 18-character form of an id: after each five characters' worth of capitals, one character that tells them
/// (SOAP API guide v66, "ID Field Type").
pub(crate) fn whole_id(id: &str) -> Option<String> {
    const SUFFIXES: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    match id.len() {
        18 => Some(id.to_owned()),
        15 => {
            let capitals = |five: &[u8]| {
                five.iter().rev().fold(0, |bits, byte| bits << 1 | usize::from(byte.is_ascii_uppercase()))
            };
            let suffix = id.as_bytes().chunks(5).map(|five| char::from(SUFFIXES[capitals(five)]));
            Some(id.chars().chain(suffix).collect())
        }
        _ => None,
    }
}

/// Whether a text is a record's Id in its 18-character form. An org refuses a query that names anything else.
pub fn is_record_id(text: &str) -> bool {
    text.get(..15).and_then(whole_id).is_some_and(|whole| whole == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_eighteen_characters_has_the_right_suffix() {
        for id in ["0019000000B98deAAB", "a0D30000001n7PiEAI", "000000000000000AAA"] {
            assert!(is_record_id(id), "{id}");
        }
        for other in ["0019000000B98deAAZ", "0019000000B98de", "made up", "", "0019000000B98d\u{e9}AAB"] {
            assert!(!is_record_id(other), "{other}");
        }
    }
}
