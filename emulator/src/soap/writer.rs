//! The texts of answers.

use std::fmt::Write as _;

/// Elements in a row.
#[derive(Default)]
pub(super) struct Elements(pub(super) String);

impl Elements {
    pub(super) fn put(&mut self, name: &str, text: &str) {
        self.open(name);
        escape_into(text, &mut self.0);
        self.close(name);
    }

    pub(super) fn flag(&mut self, name: &str, value: bool) {
        self.put(name, if value { "true" } else { "false" });
    }

    pub(super) fn nil(&mut self, name: &str) {
        let _ = write!(self.0, "<{name} xsi:nil=\"true\"/>");
    }

    /// The text, or nil.
    pub(super) fn maybe(&mut self, name: &str, text: Option<&str>) {
        match text {
            Some(text) => self.put(name, text),
            None => self.nil(name),
        }
    }

    pub(super) fn open(&mut self, name: &str) {
        let _ = write!(self.0, "<{name}>");
    }

    pub(super) fn open_typed(&mut self, name: &str, kind: &str) {
        let _ = write!(self.0, "<{name} xsi:type=\"{kind}\">");
    }

    pub(super) fn close(&mut self, name: &str) {
        let _ = write!(self.0, "</{name}>");
    }

    /// An element around what `content` writes.
    pub(super) fn within(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.open(name);
        content(self);
        self.close(name);
    }
}

/// A text as it stands in XML.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape_into(text, &mut out);
    out
}

/// Quotes are escaped everywhere, as captured answers show. Characters that XML 1.0 cannot carry are left out (inferred).
fn escape_into(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => out.push(c),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_becomes_xml_that_can_be_read(text in any::<String>()) {
            let mut elements = Elements::default();
            elements.put("a", &text);
            let document = roxmltree::Document::parse(&elements.0).unwrap();
            let kept: String = text.chars().filter(|c| !c.is_control()).collect();
            let read: String = document.root_element().text().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
            let kept: String = kept.chars().filter(|c| !matches!(c, '\u{fffe}' | '\u{ffff}')).collect();
            prop_assert_eq!(read, kept);
        }
    }
}
