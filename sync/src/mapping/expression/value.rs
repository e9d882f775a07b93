//! What expressions compute with.

use std::{borrow::Cow, cmp::Ordering, fmt};

use arrow_array::{
    Array, ArrayRef, BooleanArray, PrimitiveArray, StringArray,
    cast::AsArray,
    types::{Date32Type, Decimal128Type, Int64Type, Time32MillisecondType, TimestampMillisecondType},
};

use super::{MAX_STEPS, MAX_TEXT};
use crate::table::ColumnType;

/// A type of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Text,
    Integer,
    Decimal,
    Boolean,
    Date,
    Timestamp,
    Time,
    Duration,
    Texts,
}

impl Kind {
    pub(super) fn of(column: ColumnType) -> Self {
        match column {
            ColumnType::Text | ColumnType::Json => Self::Text,
            ColumnType::Boolean => Self::Boolean,
            ColumnType::Integer => Self::Integer,
            ColumnType::Decimal => Self::Decimal,
            ColumnType::Date => Self::Date,
            ColumnType::Timestamp => Self::Timestamp,
            ColumnType::Time => Self::Time,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Null => "null",
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Time => "time",
            Self::Duration => "duration",
            Self::Texts => "list of texts",
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Text(Cow<'a, str>),
    Integer(i64),
    /// The unscaled integer of `Decimal128(38, 18)`.
    Decimal(i128),
    Boolean(bool),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// Milliseconds since midnight.
    Time(i32),
    /// Milliseconds.
    Duration(i64),
    Texts(Vec<Cow<'a, str>>),
}

/// Why a row cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    DividedByZero,
    TooLargeNumber,
    TooLongText,
    TooManySteps,
    /// A text that is not what a function makes of texts.
    NotA(Kind, String),
    OutOfDates,
    /// The types were checked before; this stands where they cannot meet.
    Types,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DividedByZero => write!(out, "A number is divided by zero."),
            Self::TooLargeNumber => write!(out, "A number becomes larger than its type holds."),
            Self::TooLongText => write!(out, "A text becomes longer than {MAX_TEXT} bytes."),
            Self::TooManySteps => write!(out, "The expression costs more than {MAX_STEPS} steps."),
            Self::NotA(kind, text) => write!(out, "{text:?} is no {kind}."),
            Self::OutOfDates => write!(out, "A date leaves the years 0 to 9999."),
            Self::Types => write!(out, "The types of an operation do not fit."),
        }
    }
}

impl Value<'_> {
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(super) fn as_boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(truth) => Some(*truth),
            _ => None,
        }
    }

    pub(super) fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn as_decimal(&self) -> Option<i128> {
        match self {
            Self::Decimal(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn as_date(&self) -> Option<i32> {
        match self {
            Self::Date(days) => Some(*days),
            _ => None,
        }
    }

    pub(super) fn as_timestamp(&self) -> Option<i64> {
        match self {
            Self::Timestamp(millis) => Some(*millis),
            _ => None,
        }
    }

    pub(super) fn as_time(&self) -> Option<i32> {
        match self {
            Self::Time(millis) => Some(*millis),
            _ => None,
        }
    }

    /// Which of two values of one type comes first; texts go by their code points.
    pub(super) fn compare(&self, other: &Self) -> Result<Ordering, Fault> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Ok(a.cmp(b)),
            (Self::Integer(a), Self::Integer(b)) => Ok(a.cmp(b)),
            (Self::Decimal(a), Self::Decimal(b)) => Ok(a.cmp(b)),
            (Self::Boolean(a), Self::Boolean(b)) => Ok(a.cmp(b)),
            (Self::Date(a), Self::Date(b)) | (Self::Time(a), Self::Time(b)) => Ok(a.cmp(b)),
            (Self::Timestamp(a), Self::Timestamp(b)) | (Self::Duration(a), Self::Duration(b)) => Ok(a.cmp(b)),
            _ => Err(Fault::Types),
        }
    }

    /// What handling it costs, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Texts(texts) => texts.iter().map(|text| text.len() + 24).sum(),
            Self::Null
            | Self::Integer(_)
            | Self::Decimal(_)
            | Self::Boolean(_)
            | Self::Date(_)
            | Self::Timestamp(_)
            | Self::Time(_)
            | Self::Duration(_) => 0,
        }
    }
}

/// One column of records.
pub(super) enum Cells<'a> {
    Text(&'a StringArray),
    Integer(&'a PrimitiveArray<Int64Type>),
    Decimal(&'a PrimitiveArray<Decimal128Type>),
    Boolean(&'a BooleanArray),
    Date(&'a PrimitiveArray<Date32Type>),
    Timestamp(&'a PrimitiveArray<TimestampMillisecondType>),
    Time(&'a PrimitiveArray<Time32MillisecondType>),
}

impl<'a> Cells<'a> {
    pub(super) fn of(array: &'a ArrayRef, kind: ColumnType) -> Self {
        match kind {
            ColumnType::Text | ColumnType::Json => Self::Text(array.as_string()),
            ColumnType::Boolean => Self::Boolean(array.as_boolean()),
            ColumnType::Integer => Self::Integer(array.as_primitive()),
            ColumnType::Decimal => Self::Decimal(array.as_primitive()),
            ColumnType::Date => Self::Date(array.as_primitive()),
            ColumnType::Timestamp => Self::Timestamp(array.as_primitive()),
            ColumnType::Time => Self::Time(array.as_primitive()),
        }
    }

    fn value(&self, row: usize) -> Value<'a> {
        match self {
            Self::Text(cells) if cells.is_valid(row) => Value::Text(cells.value(row).into()),
            Self::Integer(cells) if cells.is_valid(row) => Value::Integer(cells.value(row)),
            Self::Decimal(cells) if cells.is_valid(row) => Value::Decimal(cells.value(row)),
            Self::Boolean(cells) if cells.is_valid(row) => Value::Boolean(cells.value(row)),
            Self::Date(cells) if cells.is_valid(row) => Value::Date(cells.value(row)),
            Self::Timestamp(cells) if cells.is_valid(row) => Value::Timestamp(cells.value(row)),
            Self::Time(cells) if cells.is_valid(row) => Value::Time(cells.value(row)),
            Self::Text(_)
            | Self::Integer(_)
            | Self::Decimal(_)
            | Self::Boolean(_)
            | Self::Date(_)
            | Self::Timestamp(_)
            | Self::Time(_) => Value::Null,
        }
    }
}

/// One record, and how much may still be done with it.
pub(super) struct Row<'c, 'a> {
    cells: &'c [Cells<'a>],
    row: usize,
    steps: usize,
}

impl<'c, 'a> Row<'c, 'a> {
    pub(super) fn new(cells: &'c [Cells<'a>], row: usize) -> Self {
        Self { cells, row, steps: MAX_STEPS }
    }

    /// The value of a name.
    pub(super) fn value(&self, name: usize) -> Result<Value<'a>, Fault> {
        self.cells.get(name).map(|cells| cells.value(self.row)).ok_or(Fault::Types)
    }

    /// Pays for an operation on so many bytes.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        self.steps = self.steps.checked_sub(1 + bytes / 16).ok_or(Fault::TooManySteps)?;
        Ok(())
    }

    /// Pays for an operation on values.
    pub(super) fn spend_on(&mut self, values: &[Value<'_>]) -> Result<(), Fault> {
        self.spend(values.iter().map(Value::bytes).sum())
    }

    #[cfg(test)]
    pub(super) fn spent(&self) -> usize {
        MAX_STEPS - self.steps
    }
}

/// A text that was made, unless it is too long.
pub(super) fn bounded<'a>(text: String) -> Result<Value<'a>, Fault> {
    if text.len() > MAX_TEXT { Err(Fault::TooLongText) } else { Ok(Value::Text(text.into())) }
}
