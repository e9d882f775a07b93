//! As much JSON as chores need: single members of answers, and text to send.

use std::fmt::Write as _;

/// The first member of this name, when its value is a string.
pub(crate) fn text(document: &str, name: &str) -> Option<String> {
    let mut letters = value(document, name)?.strip_prefix('"')?.chars();
    let mut text = String::new();
    loop {
        match letters.next()? {
            '"' => return Some(text),
            '\\' => match letters.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                'u' => {
                    let code: String = letters.by_ref().take(4).collect();
                    text.push(char::from_u32(u32::from_str_radix(&code, 16).ok()?)?);
                }
                other => text.push(other),
            },
            letter => text.push(letter),
        }
    }
}

/// The first member of this name, when its value is a whole number.
pub(crate) fn number(document: &str, name: &str) -> Option<u64> {
    let value = value(document, name)?;
    let end = value.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(value.len());
    value[..end].parse().ok()
}

/// Text as a JSON string, with its quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            control if control < ' ' => write!(quoted, "\\u{:04x}", u32::from(control)).expect("a string takes it"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// What follows `"name":`. A string value that looks like a member would mislead this; the documents that chores
/// read hold addresses, ids and counts.
fn value<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&format!("\"{name}\""))?;
    rest.trim_start().strip_prefix(':').map(str::trim_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_whatever_the_spacing() {
        let document = r#"{"id":"750x", "state" : "JobComplete","rows": 12,"path":"a\\b\"\u00e9"}"#;
        assert_eq!(text(document, "id").as_deref(), Some("750x"));
        assert_eq!(text(document, "state").as_deref(), Some("JobComplete"));
        assert_eq!(text(document, "path").as_deref(), Some("a\\b\"é"));
        assert_eq!(number(document, "rows"), Some(12));
        assert_eq!(text(document, "rows"), None);
        assert_eq!(text(document, "absent"), None);
    }

    #[test]
    fn quoted_text_reads_back() {
        let document = format!("{{\"soql\":{}}}", quoted("a \"b\"\\\n\u{1}é"));
        assert_eq!(text(&document, "soql").as_deref(), Some("a \"b\"\\\n\u{1}é"));
    }
}
