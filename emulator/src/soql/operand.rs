//! What a condition, an order, a group or a column reads from a row: a field, or a function of one.
//!
//! A closed set, matched once per value; a plain field costs no more than that.

mod date_part;
mod distance;
mod format;

use std::sync::Arc;

pub(super) use date_part::DatePart;
pub(super) use distance::{Distance, DistanceUnit};
pub(super) use format::format;

use super::asked::{Calendar, Currencies};
use super::path::{BoundPath, Hop};
use crate::database::Snapshot;
use crate::schema::{FieldType, PicklistEntry};
use crate::table::Row;
use crate::value::{Cell, Decimal};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Path(BoundPath),
    Function(Box<Function>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Function {
    /// `CALENDAR_YEAR(f)` and its like.
    DatePart {
        part: DatePart,
        of: BoundPath,
        calendar: Calendar,
    },
    /// `toLabel(f)`
    Label {
        of: BoundPath,
        labels: Vec<(String, String)>,
    },
    /// `FORMAT(f)`; `currency` is the field with the row's currency.
    Format {
        of: Operand,
        scale: u8,
        currency: Option<BoundPath>,
        calendar: Calendar,
    },
    /// `convertCurrency(f)`
    Convert {
        of: BoundPath,
        currency: BoundPath,
        currencies: Arc<Currencies>,
        to: String,
        scale: u8,
    },
    Distance(Distance),
}

/// The texts that a picklist shows for its values, where they differ.
pub(super) fn labels(entries: &[PicklistEntry]) -> Vec<(String, String)> {
    let differs = entries.iter().filter(|entry| entry.value != entry.label);
    differs.map(|entry| (entry.value.clone(), entry.label.clone())).collect()
}

impl Operand {
    pub(super) fn of(function: Function) -> Self {
        Self::Function(Box::new(function))
    }

    /// The field that this is, or is a function of.
    pub(super) fn path(&self) -> &BoundPath {
        match self {
            Self::Path(path) => path,
            Self::Function(function) => function.path(),
        }
    }

    /// The parents on the way to the field.
    pub(super) fn hops(&self) -> &[Hop] {
        &self.path().hops
    }

    pub(super) fn kind(&self) -> FieldType {
        match self {
            Self::Path(path) => path.kind,
            Self::Function(function) => function.kind(),
        }
    }

    /// The field itself; `None` for a function.
    pub(super) fn as_path(&self) -> Option<&BoundPath> {
        match self {
            Self::Path(path) => Some(path),
            Self::Function(_) => None,
        }
    }

    /// The currency into which amounts are converted, if they are.
    pub(super) fn converts_to(&self) -> Option<&str> {
        match self {
            Self::Function(function) => match &**function {
                Function::Convert { to, .. } => Some(to),
                _ => None,
            },
            Self::Path(_) => None,
        }
    }

    /// The same from the view of the row that holds the field.
    pub(super) fn local(&self) -> Self {
        match self {
            Self::Path(path) => Self::Path(path.local()),
            Self::Function(function) => Self::of(function.local()),
        }
    }

    /// The value that a row shows; null when a parent is missing.
    pub(super) fn read<'s, 'a: 's>(&self, row: &Row<'a>, snapshot: &'a Snapshot, scratch: &'s mut String) -> Cell<'s> {
        match self {
            Self::Path(path) => path.read(row, snapshot, scratch),
            Self::Function(function) => function.read(row, snapshot, scratch),
        }
    }
}

impl Function {
    fn path(&self) -> &BoundPath {
        match self {
            Self::DatePart { of, .. } | Self::Label { of, .. } | Self::Convert { of, .. } => of,
            Self::Format { of, .. } => of.path(),
            Self::Distance(distance) => &distance.latitude,
        }
    }

    fn kind(&self) -> FieldType {
        match self {
            Self::DatePart { part: DatePart::DayOnly, .. } => FieldType::Date,
            Self::DatePart { .. } => FieldType::Int,
            Self::Label { of, .. } => of.kind,
            Self::Format { .. } => FieldType::String,
            Self::Convert { .. } => FieldType::Currency,
            Self::Distance(_) => FieldType::Double,
        }
    }

    fn local(&self) -> Self {
        let mut local = self.clone();
        match &mut local {
            Self::DatePart { of, .. } | Self::Label { of, .. } => of.hops.clear(),
            Self::Format { of, currency, .. } => {
                *of = of.local();
                if let Some(currency) = currency {
                    currency.hops.clear();
                }
            }
            Self::Convert { of, currency, .. } => {
                of.hops.clear();
                currency.hops.clear();
            }
            Self::Distance(distance) => {
                distance.latitude.hops.clear();
                distance.longitude.hops.clear();
            }
        }
        local
    }

    fn read<'s, 'a: 's>(&self, row: &Row<'a>, snapshot: &'a Snapshot, scratch: &'s mut String) -> Cell<'s> {
        match self {
            Self::DatePart { part, of, calendar } => part.of(of.read(row, snapshot, scratch), *calendar),
            Self::Label { of, labels } => {
                let Cell::Text(values) = of.read(row, snapshot, scratch) else { return Cell::Null };
                let shown = shown(values, labels);
                put(shown, scratch)
            }
            Self::Format { of, scale, currency, calendar } => {
                let code = currency_of(of.converts_to(), currency.as_ref(), row, snapshot);
                let cell = of.read(row, snapshot, scratch);
                match format(cell, of.kind(), *scale, code.as_deref(), *calendar) {
                    Some(text) => put(text, scratch),
                    None => Cell::Null,
                }
            }
            Self::Convert { of, currency, currencies, to, scale } => {
                let from = currency_of(None, Some(currency), row, snapshot);
                let amount = number(of.read(row, snapshot, scratch));
                let converted = amount.zip(from).and_then(|(amount, from)| currencies.convert(amount, &from, to));
                let rounded = converted.and_then(Decimal::from_f64).map(|amount| amount.rounded((*scale).max(2)));
                rounded.map_or(Cell::Null, Cell::Decimal)
            }
            Self::Distance(distance) => distance.read(row, snapshot, scratch),
        }
    }
}

fn currency_of(fixed: Option<&str>, field: Option<&BoundPath>, row: &Row<'_>, snapshot: &Snapshot) -> Option<String> {
    if let Some(fixed) = fixed {
        return Some(fixed.to_owned());
    }
    let mut scratch = String::new();
    match field?.read(row, snapshot, &mut scratch) {
        Cell::Text(code) => Some(code.to_owned()),
        _ => None,
    }
}

fn number(cell: Cell<'_>) -> Option<f64> {
    match cell {
        Cell::Int(number) => Some(number as f64),
        Cell::Decimal(number) => Some(number.to_f64()),
        _ => None,
    }
}

/// The labels of values with a semicolon between.
fn shown(values: &str, labels: &[(String, String)]) -> String {
    let label = |value: &str| labels.iter().find(|(known, _)| known == value).map(|(_, label)| label.clone());
    let shown: Vec<String> = values.split(';').map(|value| label(value).unwrap_or_else(|| value.to_owned())).collect();
    shown.join(";")
}

fn put(text: String, scratch: &mut String) -> Cell<'_> {
    *scratch = text;
    Cell::Text(scratch)
}
