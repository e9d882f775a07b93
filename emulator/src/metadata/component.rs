//! A metadata file, read and checked against the shape of its type.

use std::path::{Path, PathBuf};

use roxmltree::{Document, Node, ParsingOptions};

use super::problem::{Position, Problems};
use super::shape::{Kind, Shape, Slot};
use super::types::REGISTRY;

/// The namespace of every metadata element.
const NAMESPACE: &str = "http://soap.sforce.com/2006/04/metadata";
const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// A file with its component.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// Below the folder that is deployed.
    pub(super) path: PathBuf,
    /// The component's full name: the file name without its suffix.
    pub(super) name: String,
    pub(super) root: Fields,
    /// Whether nothing could be read, so that absent elements mean nothing.
    pub(super) unreadable: bool,
}

/// What an element of a complex type holds; only elements that the type has.
#[derive(Debug, Default)]
pub(super) struct Fields {
    at: Option<Position>,
    values: Vec<(&'static str, Value)>,
}

#[derive(Debug)]
struct Value {
    at: Position,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Text(String),
    Flag(bool),
    Number(i32),
    Nested(Fields),
    /// Nothing, or a value that is refused.
    Nothing,
}

impl Fields {
    /// Where the element begins.
    pub(super) fn at(&self) -> Option<Position> {
        self.at
    }

    /// Where an element within begins; without it, where this one does.
    pub(super) fn at_element(&self, name: &'static str) -> Option<Position> {
        self.find(name).map(|value| value.at).or(self.at)
    }

    /// The text of an element. Surrounding white space does not count, and an empty element is none.
    pub(super) fn text(&self, name: &'static str) -> Option<&str> {
        self.texts(name).next().map(|(text, _)| text)
    }

    /// The texts of an element that repeats, with their places.
    pub(super) fn texts(&self, name: &'static str) -> impl Iterator<Item = (&str, Position)> {
        self.all(name).filter_map(|value| match &value.content {
            Content::Text(text) => Some((text.as_str(), value.at)),
            _ => None,
        })
    }

    /// The entries of an element that holds a list with commas.
    pub(super) fn list(&self, name: &'static str) -> Vec<&str> {
        let entries = self.text(name).into_iter().flat_map(|text| text.split(','));
        entries.map(str::trim).filter(|entry| !entry.is_empty()).collect()
    }

    /// Whether an element is there, be its value right or wrong.
    pub(super) fn mentions(&self, name: &'static str) -> bool {
        self.find(name).is_some()
    }

    pub(super) fn flag(&self, name: &'static str) -> Option<bool> {
        match self.find(name)?.content {
            Content::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    pub(super) fn number(&self, name: &'static str) -> Option<i32> {
        match self.find(name)?.content {
            Content::Number(number) => Some(number),
            _ => None,
        }
    }

    /// An element of a complex type.
    pub(super) fn nested(&self, name: &'static str) -> Option<&Self> {
        self.each(name).next()
    }

    /// An element of a complex type that repeats.
    pub(super) fn each(&self, name: &'static str) -> impl Iterator<Item = &Self> {
        self.all(name).filter_map(|value| match &value.content {
            Content::Nested(fields) => Some(fields),
            _ => None,
        })
    }

    fn find(&self, name: &'static str) -> Option<&Value> {
        self.values.iter().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    fn all(&self, name: &'static str) -> impl Iterator<Item = &Value> {
        self.values.iter().filter(move |(own, _)| *own == name).map(|(_, value)| value)
    }
}

/// Reads bytes as a file of every type; whether something was wrong each time.
pub(crate) fn read_as_all(bytes: &[u8]) -> bool {
    let refuses = |shape| {
        let mut problems = Problems::default();
        read(Path::new("file"), "name", bytes, shape, &mut problems);
        problems.or(Path::new("")).is_err()
    };
    REGISTRY.iter().fold(true, |all, known| all & refuses(known.shape))
}

/// Reads a file. What is wrong with it goes to `problems`, what is right is in the answer.
pub(super) fn read(
    path: &Path,
    name: &str,
    bytes: &[u8],
    shape: &'static Shape,
    problems: &mut Problems,
) -> SourceFile {
    let root = parse(path, bytes, shape, problems);
    let unreadable = root.is_none();
    SourceFile { path: path.to_path_buf(), name: name.to_owned(), root: root.unwrap_or_default(), unreadable }
}

fn parse(path: &Path, bytes: &[u8], shape: &'static Shape, problems: &mut Problems) -> Option<Fields> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        problems.add(path, None, "Error parsing file: Invalid byte of a UTF-8 sequence.");
        return None;
    };
    let options = ParsingOptions { nodes_limit: 100_000, ..ParsingOptions::default() };
    let document = match Document::parse_with_options(text, options) {
        Ok(document) => document,
        Err(error) => {
            let message = error.to_string();
            let message = message.strip_suffix(&format!(" at {}", error.pos())).unwrap_or(&message);
            let at = Position { line: error.pos().row, column: error.pos().col };
            problems.add(path, Some(at), format!("Error parsing file: {message}"));
            return None;
        }
    };
    let root = document.root_element();
    let mut reader = Reader { path, lines: Lines::of(text), problems };
    if root.tag_name().namespace() != Some(NAMESPACE) || root.tag_name().name() != shape.name {
        let expected = format!("{{{NAMESPACE}}}{}", shape.name);
        reader.report(root, format!("Error parsing file: Unexpected element {}, expected {expected}", qualified(root)));
        return None;
    }
    Some(reader.fields(root, shape))
}

/// Where each line of a text begins; asking the document takes the whole text each time.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line)).copied().unwrap_or_default();
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count()) + 1;
        let bounded = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Position { line: bounded(line), column: bounded(column) }
    }
}

struct Reader<'a> {
    path: &'a Path,
    lines: Lines<'a>,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn fields(&mut self, node: Node<'_, '_>, shape: &'static Shape) -> Fields {
        let mut fields = Fields { at: Some(self.position(node)), values: Vec::new() };
        let mut seen: Vec<&str> = Vec::new();
        let mut previous = "";
        for child in node.children().filter(Node::is_element) {
            let tag = child.tag_name();
            let slot = shape.slot(tag.name()).filter(|_| tag.namespace() == Some(NAMESPACE));
            let Some(slot) = slot else {
                self.unknown(child, shape);
                continue;
            };
            // Elements that repeat stand together: a second group counts as a duplicate.
            if seen.contains(&slot.name) && !(slot.repeats && previous == slot.name) {
                let (name, of) = (slot.name, shape.name);
                let message = format!("Error parsing file: Element {name} is duplicated at this location in type {of}");
                self.report(child, message);
            } else {
                let content = self.content(child, slot).unwrap_or(Content::Nothing);
                fields.values.push((slot.name, Value { at: self.position(child), content }));
            }
            seen.push(slot.name);
            previous = slot.name;
        }
        self.require(node, shape, &seen);
        fields
    }

    fn unknown(&mut self, child: Node<'_, '_>, shape: &Shape) {
        if !shape.open {
            let (element, of) = (qualified(child), shape.name);
            self.report(child, format!("Error parsing file: Element {element} invalid at this location in type {of}"));
        }
    }

    fn require(&mut self, node: Node<'_, '_>, shape: &Shape, seen: &[&str]) {
        for slot in shape.elements.iter().filter(|slot| slot.required && !seen.contains(&slot.name)) {
            self.report(node, format!("Required field is missing: {}", slot.name));
        }
    }

    fn content(&mut self, node: Node<'_, '_>, slot: &Slot) -> Option<Content> {
        match slot.kind {
            Kind::Passed => return None,
            Kind::Nested(shape) => return Some(Content::Nested(self.fields(node, shape))),
            Kind::Text | Kind::Flag | Kind::Number | Kind::OneOf(_) => (),
        }
        if let Some(child) = node.children().find(Node::is_element) {
            let message = format!("Unexpected element {} during simple type deserialization", qualified(child));
            self.report(child, format!("Error parsing file: {message}"));
            return None;
        }
        let text: String = node.children().filter_map(|child| child.text().filter(|_| child.is_text())).collect();
        let text = text.trim();
        if text.is_empty() {
            self.empty(node, slot);
            return None;
        }
        let content = simple(slot.kind, text);
        if content.is_none() {
            self.report(node, invalid(slot.kind, text));
        }
        content
    }

    /// An empty element is one that is not there; `false` or `0` it is not.
    fn empty(&mut self, node: Node<'_, '_>, slot: &Slot) {
        let nil = node.attribute((SCHEMA_INSTANCE, "nil")) == Some("true");
        if slot.required {
            self.report(node, format!("Required field is missing: {}", slot.name));
        } else if !nil && !matches!(slot.kind, Kind::Text) {
            self.report(node, invalid(slot.kind, ""));
        }
    }

    fn report(&mut self, node: Node<'_, '_>, message: String) {
        let at = self.position(node);
        self.problems.add(self.path, Some(at), message);
    }

    fn position(&self, node: Node<'_, '_>) -> Position {
        self.lines.position(node.range().start)
    }
}

fn simple(kind: Kind, text: &str) -> Option<Content> {
    match kind {
        Kind::Text => Some(Content::Text(text.to_owned())),
        Kind::Flag => match text {
            "true" | "1" => Some(Content::Flag(true)),
            "false" | "0" => Some(Content::Flag(false)),
            _ => None,
        },
        Kind::Number => text.parse().ok().map(Content::Number),
        Kind::OneOf(allowed) => allowed.refusal(text).is_none().then(|| Content::Text(text.to_owned())),
        Kind::Nested(_) | Kind::Passed => None,
    }
}

fn invalid(kind: Kind, text: &str) -> String {
    match kind {
        Kind::OneOf(allowed) => allowed.refusal(text).unwrap_or_default(),
        Kind::Flag => format!("'{text}' is not a valid value for the type xsd:boolean"),
        Kind::Number => format!("'{text}' is not a valid value for the type xsd:int"),
        Kind::Text | Kind::Nested(_) | Kind::Passed => format!("'{text}' is not a valid value"),
    }
}

/// `{namespace}name`, as messages write it.
fn qualified(node: Node<'_, '_>) -> String {
    let tag = node.tag_name();
    format!("{{{}}}{}", tag.namespace().unwrap_or_default(), tag.name())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn deep_and_wide_files_and_entities_within_entities_are_refused() {
        let opening = format!("<PermissionSet xmlns=\"{NAMESPACE}\">");
        assert!(read_as_all(format!("{opening}{}", "<a>".repeat(200_000)).as_bytes()));
        assert!(read_as_all(format!("{opening}{}</PermissionSet>", "<a/>".repeat(200_000)).as_bytes()));
        let bomb = "<!DOCTYPE a [<!ENTITY b \"c\"><!ENTITY d \"&b;&b;\">]><a>&d;</a>";
        assert!(read_as_all(bomb.as_bytes()));
    }

    #[test]
    fn a_place_counts_characters_and_not_bytes() {
        let lines = Lines::of("é\nàé<a/>\n");
        assert_eq!(lines.position("é\nàé".len()), Position { line: 2, column: 3 });
        assert_eq!(lines.position(0), Position { line: 1, column: 1 });
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            read_as_all(&bytes);
        }

        #[test]
        fn no_xml_makes_the_reader_panic(
            root in 0..REGISTRY.len(),
            body in "(<[a-zA-Z]{1,12}( [a-z]=\"[^<&\"]{0,3}\")?>|</[a-z]{1,3}>|[ é&;a-z0-9]{0,9}|<!--x-->|<!\\[CDATA\\[x\\]\\]>){0,20}",
        ) {
            let name = REGISTRY[root].shape.name;
            read_as_all(format!("<{name} xmlns=\"{NAMESPACE}\">{body}</{name}>").as_bytes());
        }
    }
}
