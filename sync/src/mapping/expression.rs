//! Computed columns: expressions in CEL, bounded in time and memory.
//!
//! The `cel` crate reads the text; what is kept of it is a tree of our own, whose types are checked against the org's
//! before anything runs. So a decimal stays exact, no expression has loops, and each row costs at most [`MAX_STEPS`].
//!
//! Differences to CEL, all on the side of data that has gaps: an operation on null gives null, a condition that is null
//! does not hold, whole numbers and decimals may be mixed, a number with a point is an exact decimal, and there are
//! no comprehensions (`map`, `filter`, `all`, `exists`), no maps and no regular expressions.

mod check;
mod function;
mod number;
mod parse;
mod value;

use std::{fmt, sync::Arc};

use arrow_array::{
    ArrayRef, BooleanArray, RecordBatch,
    builder::{PrimitiveBuilder, StringBuilder},
    types::{
        ArrowPrimitiveType, Date32Type, Decimal128Type, Int64Type, Time32MillisecondType, TimestampMillisecondType,
    },
};

use super::{cast::as_decimals, make::Trouble};
use crate::{batch::ReadField, table::ColumnType};

use check::{Node, check};
pub(super) use parse::{Term, parse};
use value::{Cells, Kind, Row, Value};

/// An expression's text has at most so many bytes.
pub(super) const MAX_BYTES: usize = 4_000;
/// Parts stand in one another at most so deep.
pub(super) const MAX_DEPTH: usize = 48;
/// A text that is computed has at most so many bytes, and a list so many texts.
pub(super) const MAX_TEXT: usize = 1024 * 1024;
pub(super) const MAX_TEXTS: usize = 10_000;
/// What one row may cost: a step for each operation, and one for each 16 bytes of text it handles.
pub(super) const MAX_STEPS: usize = 1_000_000;

/// What is wrong with an expression, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw {
    /// Where, in bytes from the start.
    pub(super) at: Option<usize>,
    pub(super) message: String,
    pub(super) suggestion: Option<String>,
}

impl Flaw {
    fn new(at: Option<usize>, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), suggestion: None }
    }
}

/// An expression whose types fit.
#[derive(Debug)]
pub(super) struct Expression {
    root: Node,
    kind: Kind,
    types: Vec<ColumnType>,
}

/// A column that an expression makes of fields.
#[derive(Clone)]
pub(super) struct Computed {
    pub(super) expression: Arc<Expression>,
    /// Where the expression's names stand among the fields that are read.
    pub(super) fields: Vec<usize>,
}

impl fmt::Debug for Computed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Computed").field("fields", &self.fields).finish_non_exhaustive()
    }
}

impl Expression {
    /// Checks an expression whose names are these fields, in this order.
    pub(super) fn new(term: &Term, names: &[(String, ReadField)]) -> Result<Self, Flaw> {
        let (root, kind) = check(term, names)?;
        match kind {
            Kind::Null => return Err(Flaw::new(None, "The expression is always null.")),
            Kind::Duration => {
                return Err(Flaw::new(None, "A span of time is no column; take getSeconds() or getHours() of it."));
            }
            Kind::Text
            | Kind::Integer
            | Kind::Decimal
            | Kind::Boolean
            | Kind::Date
            | Kind::Timestamp
            | Kind::Time
            | Kind::Texts => {}
        }
        Ok(Self { root, kind, types: names.iter().map(|(_, field)| field.kind).collect() })
    }

    /// The type of the column it makes.
    pub(super) fn column_type(&self) -> ColumnType {
        match self.kind {
            Kind::Text | Kind::Null | Kind::Duration => ColumnType::Text,
            Kind::Integer => ColumnType::Integer,
            Kind::Decimal => ColumnType::Decimal,
            Kind::Boolean => ColumnType::Boolean,
            Kind::Date => ColumnType::Date,
            Kind::Timestamp => ColumnType::Timestamp,
            Kind::Time => ColumnType::Time,
            Kind::Texts => ColumnType::Json,
        }
    }
}

impl Computed {
    /// The column for these records; a row that cannot be computed is null, and a trouble.
    pub(super) fn evaluate(&self, records: &RecordBatch, trouble: &mut Vec<Trouble>) -> ArrayRef {
        let cells: Vec<Cells<'_>> = self
            .fields
            .iter()
            .zip(&self.expression.types)
            .map(|(field, kind)| Cells::of(records.column(*field), *kind))
            .collect();
        let rows = records.num_rows();
        let mut values = |row: usize| {
            let mut here = Row::new(&cells, row);
            match self.expression.root.evaluate(&mut here) {
                Ok(value) => value,
                Err(fault) => Trouble::misfit(trouble, row, &fault.to_string()).unwrap_or(Value::Null),
            }
        };
        match self.expression.column_type() {
            ColumnType::Text | ColumnType::Json => Arc::new(texts(rows, &mut values)),
            ColumnType::Boolean => Arc::new(BooleanArray::from_iter((0..rows).map(|row| values(row).as_boolean()))),
            ColumnType::Integer => Arc::new(numbers::<Int64Type>(rows, |row| values(row).as_integer())),
            ColumnType::Decimal => {
                Arc::new(as_decimals(numbers::<Decimal128Type>(rows, |row| values(row).as_decimal())))
            }
            ColumnType::Date => Arc::new(numbers::<Date32Type>(rows, |row| values(row).as_date())),
            ColumnType::Timestamp => {
                let stamps = numbers::<TimestampMillisecondType>(rows, |row| values(row).as_timestamp());
                Arc::new(stamps.with_timezone("UTC"))
            }
            ColumnType::Time => Arc::new(numbers::<Time32MillisecondType>(rows, |row| values(row).as_time())),
        }
    }
}

fn texts<'a>(rows: usize, values: &mut impl FnMut(usize) -> Value<'a>) -> arrow_array::StringArray {
    let mut builder = StringBuilder::with_capacity(rows, rows * 16);
    for row in 0..rows {
        match values(row) {
            Value::Text(text) if text.is_empty() => builder.append_null(),
            Value::Text(text) => builder.append_value(text),
            Value::Texts(texts) => builder.append_value(serde_json::to_string(&texts).expect("texts serialise")),
            Value::Null
            | Value::Integer(_)
            | Value::Decimal(_)
            | Value::Boolean(_)
            | Value::Date(_)
            | Value::Timestamp(_)
            | Value::Time(_)
            | Value::Duration(_) => builder.append_null(),
        }
    }
    builder.finish()
}

fn numbers<T: ArrowPrimitiveType>(
    rows: usize,
    mut value: impl FnMut(usize) -> Option<T::Native>,
) -> arrow_array::PrimitiveArray<T> {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(rows);
    (0..rows).for_each(|row| builder.append_option(value(row)));
    builder.finish()
}

#[cfg(test)]
mod tests;
