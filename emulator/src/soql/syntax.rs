//! The parsed query, not yet bound to any object.

use super::outcome::QueryError;
use super::outcome::QueryErrorCode;

/// A word with its place in the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub text: String,
    pub at: usize,
}

/// `Account.Owner.Name`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub parts: Vec<Name>,
}

impl Path {
    pub(super) fn at(&self) -> usize {
        self.parts.first().map_or(0, |part| part.at)
    }

    pub(super) fn written(&self) -> String {
        let parts: Vec<&str> = self.parts.iter().map(|part| part.text.as_str()).collect();
        parts.join(".")
    }
}

/// Which fields `FIELDS(…)` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldGroup {
    All,
    Standard,
    Custom,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selected {
    Path(Path),
    Fields { group: FieldGroup, at: usize },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SelectList {
    Count,
    Items(Vec<Selected>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LiteralKind {
    Null,
    Bool(bool),
    /// Escapes untouched.
    Text(String),
    /// A number, a date or a time.
    Number(String),
    /// `TODAY`, `LAST_N_DAYS:5`
    DateSpan {
        name: String,
        count: Option<i32>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    pub kind: LiteralKind,
    pub at: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Compare(Comparison, Literal),
    Like(Literal),
    In { literals: Vec<Literal>, negated: bool },
    Includes { literals: Vec<Literal>, negated: bool },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test { path: Path, test: Test },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SortKey {
    pub path: Path,
    pub descending: bool,
    pub nulls_first: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub select: SelectList,
    pub from: Name,
    pub alias: Option<Name>,
    pub filter: Option<Condition>,
    pub order: Vec<SortKey>,
    pub limit: Option<u64>,
    pub offset: Option<u64>,
}

/// Fails with `MALFORMED_QUERY` at a place.
pub(super) fn malformed(query: &str, at: usize, message: &str) -> QueryError {
    QueryError::at(QueryErrorCode::MalformedQuery, query, at, message)
}
