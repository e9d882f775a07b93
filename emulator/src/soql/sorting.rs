//! The order of rows and of groups.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::operand::Operand;
use crate::ids::RecordId;
use crate::schema::PicklistEntry;
use crate::value::{Cell, TextOrder, Value};

/// A key of ORDER BY.
#[derive(Clone, Debug)]
pub(super) struct Ordered<S = Operand> {
    pub subject: S,
    pub direction: Direction,
    pub ranks: Option<Ranks>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Direction {
    pub text: TextOrder,
    pub descending: bool,
    pub nulls_first: bool,
}

impl Direction {
    pub(super) fn order(self, a: Cell<'_>, b: Cell<'_>) -> Ordering {
        match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (false, false) => {
                let order = a.order(b, self.text).unwrap_or(Ordering::Equal);
                if self.descending { order.reverse() } else { order }
            }
            (a_is_null, _) if a_is_null == self.nulls_first => Ordering::Less,
            _ => Ordering::Greater,
        }
    }
}

/// The places of a picklist's values in Setup, by which they are sorted. Values that it does not list come behind.
///
/// Source: SOQL reference v66, ORDER BY ("picklist sort order determined in setup"); where unlisted values come is
/// inferred.
#[derive(Clone, Debug)]
pub(super) struct Ranks(Arc<HashMap<String, i64>>);

impl Ranks {
    pub(super) fn of(entries: &[PicklistEntry]) -> Option<Self> {
        if entries.is_empty() {
            return None;
        }
        let places = entries.iter().zip(0..).map(|(entry, place)| (entry.value.to_lowercase(), place));
        Some(Self(Arc::new(places.collect())))
    }

    /// The value by which a cell is sorted.
    pub(super) fn key(&self, cell: Cell<'_>) -> Value {
        match cell {
            Cell::Text(text) => {
                let place = self.0.get(&text.to_lowercase()).copied();
                Value::Int(place.unwrap_or_else(|| i64::try_from(self.0.len()).unwrap_or(i64::MAX)))
            }
            _ => Value::Null,
        }
    }
}

/// The value by which a cell is sorted.
pub(super) fn key(ranks: Option<&Ranks>, cell: Cell<'_>) -> Value {
    match ranks {
        Some(ranks) => ranks.key(cell),
        None => cell.to_value(),
    }
}

/// A row and the values by which it is sorted.
#[derive(Debug)]
pub(super) struct SortRow {
    pub keys: Vec<Value>,
    pub id: RecordId,
}

/// The order of two rows; ids decide between equal ones, so that a result has one order only.
pub(super) fn compare(order: &[Ordered], a: &SortRow, b: &SortRow) -> Ordering {
    for (key, (x, y)) in order.iter().zip(a.keys.iter().zip(&b.keys)) {
        let order = key.direction.order(x.as_cell(), y.as_cell());
        if order != Ordering::Equal {
            return order;
        }
    }
    a.id.cmp(&b.id)
}
