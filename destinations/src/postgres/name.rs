//! Identifiers of any length and alphabet.

use std::borrow::Cow;

use ring::digest::{SHA256, digest};

/// PostgreSQL cuts longer identifiers silently (`NAMEDATALEN` less one).
const MAX_BYTES: usize = 63;
/// An underscore and 64 bits of a hash.
const MARK_BYTES: usize = 17;

/// The name that `name` has in PostgreSQL: itself, or its beginning with a hash of the whole when it is longer than 63
/// bytes. The same name always gives the same identifier, and two names that begin alike give two.
pub fn identifier(name: &str) -> Cow<'_, str> {
    if name.len() <= MAX_BYTES {
        return Cow::Borrowed(name);
    }
    let mark: String =
        digest(&SHA256, name.as_bytes()).as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Cow::Owned(format!("{}_{mark}", beginning(name)))
}

fn beginning(name: &str) -> &str {
    let mut end = MAX_BYTES - MARK_BYTES;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// An identifier as SQL spells it; quoting keeps its case.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_that_fits_is_kept_with_its_case() {
        for name in ["Id", "ns__Very_Long__c", "имя", &"x".repeat(63)] {
            assert_eq!(identifier(name), name);
        }
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }

    #[test]
    fn a_longer_name_keeps_its_beginning_and_is_marked_with_a_hash() {
        let name = format!("{}__c", "Custom_Field_With_A_Name_That_Says_It_All_".repeat(2));
        assert_eq!(identifier(&name), "Custom_Field_With_A_Name_That_Says_It_All_Cust_1e3639ba965a0450");
    }

    proptest! {
        #[test]
        fn names_that_begin_alike_stay_apart_and_none_is_cut(name in "\\PC{60,90}", end in "\\PC{1,9}") {
            let (one, other) = (identifier(&name), format!("{name}{end}"));
            prop_assert!(one.len() <= MAX_BYTES && identifier(&other).len() <= MAX_BYTES);
            prop_assert_ne!(&one, &identifier(&other));
        }
    }
}
