//! The parsed query, not yet bound to any object.

use super::outcome::QueryError;
use super::outcome::QueryErrorCode;

/// A word with its place in the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub text: String,
    pub at: usize,
}

impl Name {
    pub(super) fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }
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

/// A function and what stands between its parentheses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub function: Name,
    pub arguments: Vec<Expression>,
}

/// What can be selected, compared, grouped or sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Path(Path),
    Call(Call),
    /// An argument of a function: `52.5`, `'km'`.
    Literal(Literal),
}

impl Expression {
    pub(super) fn at(&self) -> usize {
        match self {
            Self::Path(path) => path.at(),
            Self::Call(call) => call.function.at,
            Self::Literal(literal) => literal.at,
        }
    }

    /// As error messages show it.
    pub(super) fn written(&self) -> String {
        match self {
            Self::Path(path) => path.written(),
            Self::Call(call) => {
                let arguments: Vec<String> = call.arguments.iter().map(Self::written).collect();
                format!("{}({})", call.function.text, arguments.join(", "))
            }
            Self::Literal(literal) => literal.written(),
        }
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
    Value { value: Expression, alias: Option<Name> },
    Fields { group: FieldGroup, at: usize },
    Children(Box<Query>),
    TypeOf(TypeOf),
}

/// `TYPEOF What WHEN Account THEN Phone ELSE Name END`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TypeOf {
    pub reference: Name,
    pub branches: Vec<(Name, Vec<Path>)>,
    pub otherwise: Option<Vec<Path>>,
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
    /// `USD5000`
    Money {
        currency: String,
        amount: String,
    },
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

impl Literal {
    fn written(&self) -> String {
        match &self.kind {
            LiteralKind::Null => "null".to_owned(),
            LiteralKind::Bool(value) => value.to_string(),
            LiteralKind::Text(raw) => format!("'{raw}'"),
            LiteralKind::Number(text) => text.clone(),
            LiteralKind::Money { currency, amount } => format!("{currency}{amount}"),
            LiteralKind::DateSpan { name, count: None } => name.clone(),
            LiteralKind::DateSpan { name, count: Some(count) } => format!("{name}:{count}"),
        }
    }
}

/// Whether a test holds for what it names, or for everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sense {
    Is,
    IsNot,
}

impl Sense {
    pub(super) fn of(self, holds: bool) -> bool {
        holds == (self == Self::Is)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Compare(Comparison, Literal),
    Like(Literal),
    In {
        literals: Vec<Literal>,
        sense: Sense,
    },
    Includes {
        literals: Vec<Literal>,
        sense: Sense,
    },
    /// A semi-join, or an anti-join.
    Join {
        query: Box<Query>,
        sense: Sense,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test { subject: Expression, test: Test },
}

/// Which subtotals a grouped query shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Totals {
    None,
    /// `ROLLUP`: one for each shorter list of keys.
    Rollup,
    /// `CUBE`: one for each subset of keys.
    Cube,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GroupBy {
    pub at: usize,
    pub totals: Totals,
    pub keys: Vec<Expression>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SortKey {
    pub value: Expression,
    pub descending: bool,
    pub nulls_first: bool,
}

/// An object of FROM and what the query calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub path: Path,
    pub alias: Option<Name>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub at: usize,
    pub select: Vec<Selected>,
    pub from: Source,
    /// `, c.Account a` behind it.
    pub also: Vec<Source>,
    pub scope: Option<Name>,
    pub filter: Option<Condition>,
    pub group: Option<GroupBy>,
    pub having: Option<Condition>,
    pub order: Vec<SortKey>,
    pub limit: Option<u64>,
    pub offset: Option<u64>,
    /// `FOR …` and `UPDATE …`, which ask for something besides records.
    pub side_effect: Option<Name>,
}

/// Fails with `MALFORMED_QUERY` at a place.
pub(super) fn malformed(query: &str, at: usize, message: &str) -> QueryError {
    QueryError::at(QueryErrorCode::MalformedQuery, query, at, message)
}
