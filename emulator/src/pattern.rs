//! Patterns with `*`, as scenarios and faults write them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text in which `*` stands for any run of characters. ASCII case does not count.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, Hash)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// Takes a pattern.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Whether the whole of `text` fits.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut p, mut t) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while t < text.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p + 1, t));
                    p += 1;
                }
                Some(byte) if byte.eq_ignore_ascii_case(&text[t]) => {
                    p += 1;
                    t += 1;
                }
                _ => match star {
                    Some((after, from)) => {
                        star = Some((after, from + 1));
                        (p, t) = (after, from + 1);
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }
}

impl From<&str> for Pattern {
    fn from(pattern: &str) -> Self {
        Self::new(pattern)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, fits) in [
            ("GET *", "GET /services/data", true),
            ("*/query*", "GET /services/data/vXX.X/query", true),
            ("*/query", "GET /services/data/vXX.X/query/01g", false),
            ("Contact.*__c", "contact.Score__c", true),
            ("Contact.*__c", "Contact.Name", false),
            ("", "", true),
            ("*", "", true),
            ("a*b*c", "abbbc", true),
            ("a*b*c", "acb", false),
        ] {
            assert_eq!(Pattern::from(pattern).matches(text), fits, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_fits_itself_and_any_split_of_itself(left in "[a-z/]{0,12}", right in "[a-z/]{0,12}", middle in "[a-z]{0,6}") {
            let pattern = Pattern::new(format!("{left}*{right}"));
            let text = format!("{left}{middle}{right}");
            prop_assert!(pattern.matches(&text));
        }
    }
}
