//! XML as metadata files have it: elements in the order they are put, texts escaped.

/// The namespace of metadata files (Metadata API developer guide, "package.xml").
const NAMESPACE: &str = "http://soap.sforce.com/2006/04/metadata";

/// An element with children or a text.
#[derive(Debug, Clone)]
pub(super) struct Element {
    name: &'static str,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Text(String),
    Children(Vec<Element>),
}

impl Element {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, content: Content::Children(Vec::new()) }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn child(mut self, child: Self) -> Self {
        if let Content::Children(children) = &mut self.content {
            children.push(child);
        }
        self
    }

    pub(super) fn text(self, name: &'static str, text: impl Into<String>) -> Self {
        self.child(Self { name, content: Content::Text(text.into()) })
    }

    pub(super) fn flag(self, name: &'static str, value: bool) -> Self {
        self.text(name, value.to_string())
    }

    pub(super) fn text_if(self, name: &'static str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// The whole file, with this element at its root.
    pub(super) fn document(&self) -> String {
        let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
        self.write(&mut out, 0, Some(NAMESPACE));
        out
    }

    fn write(&self, out: &mut String, depth: usize, namespace: Option<&str>) {
        let Self { name, content } = self;
        let indent = "    ".repeat(depth);
        let namespace = namespace.map(|uri| format!(" xmlns=\"{uri}\"")).unwrap_or_default();
        match content {
            Content::Text(text) => out.push_str(&format!("{indent}<{name}>{}</{name}>\n", escape(text))),
            Content::Children(children) => {
                out.push_str(&format!("{indent}<{name}{namespace}>\n"));
                children.iter().for_each(|child| child.write(out, depth + 1, None));
                out.push_str(&format!("{indent}</{name}>\n"));
            }
        }
    }
}

/// Characters that XML 1.0 has no place for are left out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => (),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_break_out_of_their_element() {
        let text = "</label><isProtected>true</isProtected>&\"'\u{0}\u{1b}\r]]>";
        let written = Element::new("App").text("label", text).document();
        let shown = "&lt;/label&gt;&lt;isProtected&gt;true&lt;/isProtected&gt;&amp;&quot;&apos;]]&gt;";
        assert!(written.ends_with(&format!("    <label>{shown}</label>\n</App>\n")), "{written}");
    }
}
