//! Names of folders, of any alphabet.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

/// What most file systems allow a name, less room for what they append.
const MAX_BYTES: usize = 200;

/// The name of the folder for a table or a connection: itself, with what folders cannot have written as `%2F`. A
/// longer one keeps its beginning and ends in a hash of the whole.
pub(super) fn safe(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for (index, letter) in name.char_indices() {
        let is_first = index == 0 && matches!(letter, '.' | '_' | ' ');
        let is_last = index + letter.len_utf8() == name.len() && matches!(letter, '.' | ' ');
        let is_odd = letter.is_control() || "/\\:*?\"<>|%[]{}=".contains(letter);
        if !(is_first || is_last || is_odd) {
            text.push(letter);
            continue;
        }
        for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
            write!(text, "%{byte:02X}").expect("a text takes everything");
        }
    }
    if text.len() <= MAX_BYTES {
        return text;
    }
    let mut end = MAX_BYTES - 17;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}_{}", &text[..end], &hash(name)[..16])
}

/// The SHA-256 of a text, in hexadecimal digits.
pub(super) fn hash(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_usual_name_is_kept_and_what_no_folder_can_have_is_spelled() {
        for name in ["Contact", "ns__Very_Long__c", "имя", "two words"] {
            assert_eq!(safe(name), name);
        }
        assert_eq!(safe("a/b"), "a%2Fb");
        assert_eq!([safe(".."), safe("_orgtide"), safe("x.")], ["%2E%2E", "%5Forgtide", "x%2E"]);
        assert_eq!(safe(&"x".repeat(300)).len(), MAX_BYTES);
    }

    proptest! {
        #[test]
        fn two_names_have_two_folders(one in "\\PC{0,120}", other in "\\PC{0,120}") {
            prop_assert_eq!(one == other, safe(&one) == safe(&other));
            prop_assert!(safe(&one).len() <= MAX_BYTES);
        }
    }
}
