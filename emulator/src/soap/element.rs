//! A part of a message as a tree that owns its texts.

use roxmltree::Node;

const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// Levels of elements in an operation. Messages of the data calls have about eight.
const MOST_LEVELS: usize = 64;

/// An element. Messages may hold a password, so there is no `Debug`.
#[derive(Clone, Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    /// `xsi:type` without its prefix.
    pub(super) kind: Option<String>,
    /// `xsi:nil`.
    pub(super) is_nil: bool,
    /// The whole text, which may come in pieces (CDATA).
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// Reads a node; `None` when it lies too deep.
    pub(super) fn of(node: Node<'_, '_>) -> Option<Self> {
        Self::within(node, MOST_LEVELS)
    }

    fn within(node: Node<'_, '_>, levels: usize) -> Option<Self> {
        let levels = levels.checked_sub(1)?;
        let kind = node.attribute((SCHEMA_INSTANCE, "type"));
        let nil = node.attribute((SCHEMA_INSTANCE, "nil"));
        let children = node.children().filter(Node::is_element).map(|child| Self::within(child, levels));
        Some(Self {
            name: node.tag_name().name().to_owned(),
            namespace: node.tag_name().namespace().map(str::to_owned),
            kind: kind.map(|kind| kind.rsplit(':').next().unwrap_or_default().trim().to_owned()),
            is_nil: matches!(nil.map(str::trim), Some("true" | "1")),
            text: node.children().filter(Node::is_text).filter_map(|piece| piece.text()).collect(),
            children: children.collect::<Option<_>>()?,
        })
    }

    /// The first child of this name, whatever its namespace: clients differ in how they qualify what lies inside.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The children of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of a child; nothing when there is none.
    pub(super) fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.as_str())
    }

    /// The text of an operation's only argument, whatever a client calls it: some give it no name of the WSDL
    /// (WWW::Salesforce).
    pub(super) fn argument(&self, name: &str) -> &str {
        let argument = self.child(name).or_else(|| self.children.first().filter(|_| self.children.len() == 1));
        argument.map_or("", |argument| argument.text.as_str())
    }

    /// The texts of all children of this name, without blanks around them.
    pub(super) fn texts_of(&self, name: &str) -> Vec<String> {
        self.all(name).map(|child| child.text.trim().to_owned()).collect()
    }

    /// Whether a child says `true`.
    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.text_of(name).trim(), "true" | "1")
    }
}
