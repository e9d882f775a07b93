//! What an aggregate function knows of a group so far. Null values do not count.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::{AggregateFunction, Measure, encode};
use crate::soql::sorting::key;
use crate::value::{Cell, Decimal, Value};

pub(super) enum Tally {
    Count(u64),
    Distinct(HashSet<Vec<u8>>),
    /// Null when the sum is beyond all numbers.
    Sum {
        sum: Option<Decimal>,
        count: u64,
    },
    Average {
        sum: Option<Decimal>,
        count: u64,
    },
    /// The foremost value in this direction.
    Extreme {
        wins: Ordering,
        best: Value,
    },
}

impl Tally {
    pub(super) fn of(function: AggregateFunction) -> Self {
        let zero = Some(Decimal::from(0));
        match function {
            AggregateFunction::Count => Self::Count(0),
            AggregateFunction::CountDistinct => Self::Distinct(HashSet::new()),
            AggregateFunction::Sum => Self::Sum { sum: zero, count: 0 },
            AggregateFunction::Average => Self::Average { sum: zero, count: 0 },
            AggregateFunction::Least => Self::Extreme { wins: Ordering::Less, best: Value::Null },
            AggregateFunction::Most => Self::Extreme { wins: Ordering::Greater, best: Value::Null },
        }
    }

    pub(super) fn add(&mut self, cell: Cell<'_>, measure: &Measure) {
        if cell.is_null() {
            return;
        }
        match self {
            Self::Count(count) => *count += 1,
            Self::Distinct(seen) => {
                let mut encoded = Vec::new();
                encode(cell, measure.text, &mut encoded);
                seen.insert(encoded);
            }
            Self::Sum { sum, count } | Self::Average { sum, count } => {
                *count += 1;
                *sum = sum.and_then(|sum| sum.checked_add(number(cell)?));
            }
            Self::Extreme { wins, best } => {
                let is_better = best.is_null() || order(cell, best.as_cell(), measure) == *wins;
                if is_better {
                    *best = cell.to_value();
                }
            }
        }
    }

    pub(super) fn finish(self) -> Value {
        match self {
            Self::Count(count) => whole(count),
            Self::Distinct(seen) => whole(seen.len() as u64),
            Self::Sum { count: 0, .. } | Self::Average { count: 0, .. } => Value::Null,
            Self::Sum { sum, .. } => sum.map_or(Value::Null, Value::Decimal),
            Self::Average { sum, count } => {
                let average = sum.and_then(|sum| Decimal::from_f64(sum.to_f64() / count as f64));
                average.map_or(Value::Null, Value::Decimal)
            }
            Self::Extreme { best, .. } => best,
        }
    }
}

fn whole(count: u64) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

fn number(cell: Cell<'_>) -> Option<Decimal> {
    match cell {
        Cell::Int(number) => Some(Decimal::from(number)),
        Cell::Decimal(number) => Some(number),
        _ => None,
    }
}

/// Picklist values are compared by their places in Setup. Source: SOQL reference v66, MIN() and MAX().
fn order(a: Cell<'_>, b: Cell<'_>, measure: &Measure) -> Ordering {
    let ranks = measure.ranks.as_ref();
    let (x, y) = (key(ranks, a), key(ranks, b));
    x.as_cell().order(y.as_cell(), measure.text).unwrap_or(Ordering::Equal)
}
