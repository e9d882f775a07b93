//! Conditions bound to fields, and how a row is tested.
//!
//! Two values: a comparison with null is false, `!=` and `NOT IN` match null, `NOT` turns the result around.
//! Source: SOQL reference v66, comparison operators; the treatment of null under NOT is inferred.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ops::Bound;
use std::sync::Arc;

use super::join::Join;
use super::lexer::Wild;
use super::operand::Operand;
use super::path::{BoundPath, Leaf};
use super::syntax::{Comparison, Sense};
use crate::database::Snapshot;
use crate::ids::RecordId;
use crate::schema::FieldType;
use crate::table::{IdRange, Row};
use crate::value::{Cell, TextOrder, Value, equal_text};

/// A condition on rows, or on groups of them; `S` is what one of its tests looks at.
#[derive(Clone, Debug)]
pub(super) enum Predicate<S = Operand> {
    All(Vec<Predicate<S>>),
    Any(Vec<Predicate<S>>),
    Not(Box<Predicate<S>>),
    Test { subject: S, text: TextOrder, check: Check },
}

#[derive(Clone, Debug)]
pub(super) enum Check {
    Compare(Comparison, Value),
    /// From the first value up to, not including, the second.
    Span(Comparison, Value, Value),
    Like(Vec<Wild>),
    In {
        values: Vec<Value>,
        sense: Sense,
    },
    /// Each alternative lists values that must all be chosen.
    Includes {
        alternatives: Vec<Vec<String>>,
        sense: Sense,
    },
    /// A semi-join or an anti-join, before the query runs.
    Join {
        join: Arc<Join>,
        sense: Sense,
    },
    /// A list of ids: one that is written, or the one that a join's inner query found.
    Among {
        ids: Arc<HashSet<RecordId>>,
        sense: Sense,
    },
}

impl<S> Predicate<S> {
    /// Whether the condition holds when `test` answers its tests.
    pub(super) fn holds_by(&self, test: &mut impl FnMut(&S, TextOrder, &Check) -> bool) -> bool {
        match self {
            Self::All(terms) => terms.iter().all(|term| term.holds_by(test)),
            Self::Any(terms) => terms.iter().any(|term| term.holds_by(test)),
            Self::Not(term) => !term.holds_by(test),
            Self::Test { subject, text, check } => test(subject, *text, check),
        }
    }
}

impl Predicate {
    /// Both conditions.
    pub(super) fn and(self, other: Option<Self>) -> Self {
        match other {
            Some(other) => Self::All(vec![self, other]),
            None => self,
        }
    }

    pub(super) fn holds<'a>(&self, row: &Row<'a>, snapshot: &'a Snapshot, scratch: &mut String) -> bool {
        self.holds_by(&mut |subject: &Operand, text, check| check.holds(subject.read(row, snapshot, scratch), text))
    }

    pub(super) fn has_joins(&self) -> bool {
        match self {
            Self::All(terms) | Self::Any(terms) => terms.iter().any(Self::has_joins),
            Self::Not(term) => term.has_joins(),
            Self::Test { check, .. } => matches!(check, Check::Join { .. }),
        }
    }

    /// The condition with the ids that its joins find in a snapshot.
    pub(super) fn resolved(&self, snapshot: &Snapshot) -> Self {
        let all = |terms: &[Self]| terms.iter().map(|term| term.resolved(snapshot)).collect();
        match self {
            Self::All(terms) => Self::All(all(terms)),
            Self::Any(terms) => Self::Any(all(terms)),
            Self::Not(term) => Self::Not(Box::new(term.resolved(snapshot))),
            Self::Test { subject, text, check: Check::Join { join, sense } } => {
                let check = Check::Among { ids: Arc::new(join.ids(snapshot)), sense: *sense };
                Self::Test { subject: subject.clone(), text: *text, check }
            }
            Self::Test { .. } => self.clone(),
        }
    }

    /// The ids among which all matching rows are. Narrows the scan; the test itself stays.
    pub(super) fn candidates(&self) -> Candidates {
        match self {
            Self::All(terms) => terms.iter().map(Self::candidates).fold(Candidates::everything(), Candidates::meet),
            Self::Test { subject: Operand::Path(path), check, .. } if is_own_id(path) => check.candidates(),
            Self::Test { .. } | Self::Any(_) | Self::Not(_) => Candidates::everything(),
        }
    }
}

fn is_own_id(path: &BoundPath) -> bool {
    path.is_own() && path.kind == FieldType::Id && matches!(path.leaf, Leaf::Field { .. })
}

impl Check {
    pub(super) fn holds(&self, cell: Cell<'_>, text: TextOrder) -> bool {
        match self {
            Self::Compare(comparison, Value::Null) => match comparison {
                Comparison::Equal => cell.is_null(),
                Comparison::NotEqual => !cell.is_null(),
                _ => false,
            },
            Self::Compare(comparison, value) => match cell.order(value.as_cell(), text) {
                Some(order) => comparison.accepts(order),
                None => *comparison == Comparison::NotEqual,
            },
            Self::Span(comparison, start, end) => within(cell, *comparison, start, end, text),
            Self::Like(pattern) => matches!(cell, Cell::Text(own) if is_like(own, pattern)),
            Self::In { values, sense } => sense.of(values.iter().any(|value| is_same(cell, value, text))),
            Self::Includes { alternatives, sense } => sense.of(includes(cell, alternatives)),
            Self::Among { ids, sense } => sense.of(matches!(cell, Cell::Id(id) if ids.contains(&id))),
            // A query runs with its joins resolved.
            Self::Join { .. } => false,
        }
    }

    fn candidates(&self) -> Candidates {
        let range = |from, to| Candidates { range: IdRange { from, to }, points: None };
        match self {
            Self::Compare(comparison, Value::Id(id)) => match comparison {
                Comparison::Equal => Candidates { range: IdRange::ALL, points: Some(vec![*id]) },
                Comparison::NotEqual => Candidates::everything(),
                Comparison::Less => range(Bound::Unbounded, Bound::Excluded(*id)),
                Comparison::LessOrEqual => range(Bound::Unbounded, Bound::Included(*id)),
                Comparison::Greater => range(Bound::Excluded(*id), Bound::Unbounded),
                Comparison::GreaterOrEqual => range(Bound::Included(*id), Bound::Unbounded),
            },
            Self::In { values, sense: Sense::Is } => {
                let id = |value: &Value| if let Value::Id(id) = value { Some(*id) } else { None };
                Candidates::of(values.iter().filter_map(id).collect())
            }
            Self::Among { ids, sense: Sense::Is } => Candidates::of(ids.iter().copied().collect()),
            _ => Candidates::everything(),
        }
    }
}

impl Comparison {
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order == Ordering::Equal,
            Self::NotEqual => order != Ordering::Equal,
            Self::Less => order == Ordering::Less,
            Self::LessOrEqual => order != Ordering::Greater,
            Self::Greater => order == Ordering::Greater,
            Self::GreaterOrEqual => order != Ordering::Less,
        }
    }
}

/// Compares with a span of time: `=` is within, `<` before its start, `>` behind its end.
fn within(cell: Cell<'_>, comparison: Comparison, start: &Value, end: &Value, text: TextOrder) -> bool {
    let (Some(to_start), Some(to_end)) = (cell.order(start.as_cell(), text), cell.order(end.as_cell(), text)) else {
        return comparison == Comparison::NotEqual;
    };
    let (before, behind) = (to_start == Ordering::Less, to_end != Ordering::Less);
    match comparison {
        Comparison::Equal => !before && !behind,
        Comparison::NotEqual => before || behind,
        Comparison::Less => before,
        Comparison::LessOrEqual => !behind,
        Comparison::Greater => behind,
        Comparison::GreaterOrEqual => !before,
    }
}

fn is_same(cell: Cell<'_>, value: &Value, text: TextOrder) -> bool {
    match value {
        Value::Null => cell.is_null(),
        _ => cell.order(value.as_cell(), text) == Some(Ordering::Equal),
    }
}

fn includes(cell: Cell<'_>, alternatives: &[Vec<String>]) -> bool {
    let Cell::Text(chosen) = cell else { return false };
    let has = |wanted: &String| chosen.split(';').any(|value| equal_text(value, wanted));
    alternatives.iter().any(|alternative| alternative.iter().all(has))
}

/// Matches without regard to case. `%` is any text, `_` one character.
fn is_like(text: &str, pattern: &[Wild]) -> bool {
    let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let (mut at, mut part) = (0, 0);
    // Where to go on when the rest does not fit: the last `%` and how much text it has taken.
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(part) {
            Some(Wild::Any) => {
                retry = Some((part, at));
                part += 1;
            }
            Some(Wild::One) => (at, part) = (at + 1, part + 1),
            Some(Wild::Char(c)) if text[at] == *c => (at, part) = (at + 1, part + 1),
            _ => match retry {
                Some((any, taken)) => {
                    retry = Some((any, taken + 1));
                    (at, part) = (taken + 1, any + 1);
                }
                None => return false,
            },
        }
    }
    pattern[part.min(pattern.len())..].iter().all(|part| *part == Wild::Any)
}

/// Ids among which matching rows can be: a range, and perhaps a sorted list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidates {
    pub range: IdRange,
    pub points: Option<Vec<RecordId>>,
}

impl Candidates {
    pub(super) fn everything() -> Self {
        Self { range: IdRange::ALL, points: None }
    }

    fn of(mut points: Vec<RecordId>) -> Self {
        points.sort_unstable();
        points.dedup();
        Self { range: IdRange::ALL, points: Some(points) }
    }

    fn meet(self, other: Self) -> Self {
        let points = match (self.points, other.points) {
            (Some(a), Some(b)) => Some(a.into_iter().filter(|id| b.binary_search(id).is_ok()).collect()),
            (a, b) => a.or(b),
        };
        let range = IdRange {
            from: tighter(self.range.from, other.range.from, Ordering::Greater),
            to: tighter(self.range.to, other.range.to, Ordering::Less),
        };
        Self { range, points }
    }
}

/// The bound that leaves less: of two lower ones the greater, of two upper ones the less.
fn tighter(a: Bound<RecordId>, b: Bound<RecordId>, wins: Ordering) -> Bound<RecordId> {
    let (Bound::Included(x) | Bound::Excluded(x), Bound::Included(y) | Bound::Excluded(y)) = (a, b) else {
        return if a == Bound::Unbounded { b } else { a };
    };
    match x.cmp(&y) {
        Ordering::Equal if matches!(a, Bound::Excluded(_)) => a,
        Ordering::Equal => b,
        order if order == wins => a,
        _ => b,
    }
}
