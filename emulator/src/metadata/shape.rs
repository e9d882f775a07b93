//! What a metadata type looks like, as data: its elements, their types, which are required and which repeat.

/// A complex type of the Metadata API.
#[derive(Debug)]
pub(super) struct Shape {
    /// The type's name, which messages repeat; for a file's type also the root element.
    pub(super) name: &'static str,
    pub(super) elements: &'static [Slot],
    /// Whether other elements are passed over rather than refused.
    pub(super) open: bool,
}

/// An element that a type may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) repeats: bool,
}

/// What an element holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    Flag,
    Number,
    OneOf(&'static Enumeration),
    Nested(&'static Shape),
    /// Known, without meaning for the emulated org, and accepted whatever it holds.
    Passed,
}

/// An enumeration of the Metadata API.
#[derive(Debug)]
pub(super) struct Enumeration {
    pub(super) name: &'static str,
    pub(super) words: &'static [&'static str],
}

impl Enumeration {
    /// Why a word is none of them; nothing when it is one.
    pub(super) fn refusal(&self, word: &str) -> Option<String> {
        let known = self.words.contains(&word);
        (!known).then(|| format!("'{word}' is not a valid value for the enum '{}'", self.name))
    }
}

impl Shape {
    pub(super) fn slot(&self, name: &str) -> Option<&'static Slot> {
        self.elements.iter().find(|slot| slot.name == name)
    }
}

impl Slot {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: false, repeats: false }
    }

    pub(super) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(super) const fn repeats(self) -> Self {
        Self { repeats: true, ..self }
    }
}

pub(super) const fn text(name: &'static str) -> Slot {
    Slot::new(name, Kind::Text)
}

pub(super) const fn flag(name: &'static str) -> Slot {
    Slot::new(name, Kind::Flag)
}

pub(super) const fn number(name: &'static str) -> Slot {
    Slot::new(name, Kind::Number)
}

pub(super) const fn one_of(name: &'static str, words: &'static Enumeration) -> Slot {
    Slot::new(name, Kind::OneOf(words))
}

pub(super) const fn nested(name: &'static str, shape: &'static Shape) -> Slot {
    Slot::new(name, Kind::Nested(shape))
}

pub(super) const fn passed(name: &'static str) -> Slot {
    Slot::new(name, Kind::Passed).repeats()
}
