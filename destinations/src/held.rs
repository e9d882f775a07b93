//! Rows on their way back: typed columns, filled cell by cell from what a database gives.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions,
    builder::{
        BooleanBuilder, Date32Builder, Decimal128Builder, Int64Builder, StringBuilder, Time32MillisecondBuilder,
        TimestampMillisecondBuilder,
    },
};
use arrow_schema::{Field, Schema};
use sync::{
    decode::scalar,
    table::{ColumnType, DECIMAL_PRECISION, DECIMAL_SCALE, Held, TableSchema},
};

/// A batch of rows ends when it has so many bytes of text, or so many rows.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
pub(crate) const BATCH_ROWS: usize = 20_000;

/// A cell as a database gives it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cell<'a> {
    Null,
    Integer(i64),
    Text(&'a [u8]),
    /// A value of a type that no column of ours has.
    Other,
}

enum Values {
    Text(StringBuilder),
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Decimal(Decimal128Builder),
    Date(Date32Builder),
    Timestamp(TimestampMillisecondBuilder),
    Time(Time32MillisecondBuilder),
}

/// Rows in the making.
pub(crate) struct HeldBuilder {
    schema: Arc<Schema>,
    values: Vec<Values>,
    deleted: Vec<bool>,
    spoiled: Vec<usize>,
    bytes: usize,
}

impl HeldBuilder {
    /// For these columns of a table.
    pub(crate) fn new(table: &TableSchema, columns: &[usize]) -> Self {
        let columns = columns.iter().map(|index| &table.columns[*index]);
        Self::of(columns.map(|column| (column.name.as_str(), column.kind)))
    }

    /// For columns of these names and types.
    pub(crate) fn of<'a>(columns: impl Iterator<Item = (&'a str, ColumnType)>) -> Self {
        let columns: Vec<_> = columns.collect();
        let fields = columns.iter().map(|(name, kind)| Field::new(*name, kind.data_type(), true));
        Self {
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            values: columns.iter().map(|(_, kind)| Values::new(*kind)).collect(),
            deleted: Vec::new(),
            spoiled: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds a row, given cell by cell in the order of the columns.
    pub(crate) fn row<E>(
        &mut self,
        is_deleted: bool,
        mut cell: impl FnMut(usize, &mut dyn FnMut(Cell<'_>)) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { values, bytes, .. } = self;
        let mut is_spoiled = false;
        for (index, values) in values.iter_mut().enumerate() {
            cell(index, &mut |cell| {
                if let Cell::Text(text) = cell {
                    *bytes += text.len();
                }
                is_spoiled |= !values.push(cell);
            })?;
        }
        if is_spoiled {
            self.spoiled.push(self.deleted.len());
        }
        self.deleted.push(is_deleted);
        Ok(())
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES || self.deleted.len() >= BATCH_ROWS
    }

    pub(crate) fn finish(mut self) -> Held {
        let arrays = self.values.iter_mut().map(Values::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.deleted.len()));
        let rows = RecordBatch::try_new_with_options(self.schema, arrays, &options);
        let rows = rows.expect("every row has a cell for each column, in its type");
        Held { rows, deleted: BooleanArray::from(self.deleted), spoiled: self.spoiled }
    }
}

impl Values {
    fn new(kind: ColumnType) -> Self {
        match kind {
            ColumnType::Text | ColumnType::Json => Self::Text(StringBuilder::new()),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::new()),
            ColumnType::Integer => Self::Integer(Int64Builder::new()),
            ColumnType::Decimal => {
                let builder = Decimal128Builder::new().with_precision_and_scale(DECIMAL_PRECISION, DECIMAL_SCALE);
                Self::Decimal(builder.expect("the precision and scale of every decimal"))
            }
            ColumnType::Date => Self::Date(Date32Builder::new()),
            ColumnType::Timestamp => Self::Timestamp(TimestampMillisecondBuilder::new().with_timezone("UTC")),
            ColumnType::Time => Self::Time(Time32MillisecondBuilder::new()),
        }
    }

    /// Appends a cell; false: it is no value of this type, and null stands for it.
    fn push(&mut self, cell: Cell<'_>) -> bool {
        let text = match cell {
            Cell::Text(text) => Some(text),
            Cell::Null | Cell::Integer(_) | Cell::Other => None,
        };
        let is_there = match self {
            Self::Text(values) => {
                let text = text.and_then(|text| std::str::from_utf8(text).ok());
                values.append_option(text);
                text.is_some()
            }
            Self::Boolean(values) => {
                let value = match cell {
                    Cell::Integer(0) => Some(false),
                    Cell::Integer(1) => Some(true),
                    _ => text.and_then(boolean),
                };
                values.append_option(value);
                value.is_some()
            }
            Self::Integer(values) => {
                let value = match cell {
                    Cell::Integer(value) => Some(value),
                    _ => text.and_then(scalar::integer),
                };
                values.append_option(value);
                value.is_some()
            }
            Self::Decimal(values) => {
                let value = match cell {
                    Cell::Integer(value) => i128::from(value).checked_mul(10i128.pow(DECIMAL_SCALE as u32)),
                    _ => text.and_then(scalar::decimal),
                };
                values.append_option(value);
                value.is_some()
            }
            Self::Date(values) => {
                let value = text.and_then(date);
                values.append_option(value);
                value.is_some()
            }
            Self::Timestamp(values) => {
                let value = text.and_then(timestamp);
                values.append_option(value);
                value.is_some()
            }
            Self::Time(values) => {
                let value = text.and_then(scalar::time);
                values.append_option(value);
                value.is_some()
            }
        };
        is_there || matches!(cell, Cell::Null)
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(values) => Arc::new(values.finish()),
            Self::Boolean(values) => Arc::new(values.finish()),
            Self::Integer(values) => Arc::new(values.finish()),
            Self::Decimal(values) => Arc::new(values.finish()),
            Self::Date(values) => Arc::new(values.finish()),
            Self::Timestamp(values) => Arc::new(values.finish()),
            Self::Time(values) => Arc::new(values.finish()),
        }
    }
}

/// A truth value; also one that a column which has become text holds as its number.
fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"1" => Some(true),
        b"0" => Some(false),
        _ => scalar::boolean(text),
    }
}

/// A day; also one that a column which has become wider holds as its midnight.
fn date(text: &[u8]) -> Option<i32> {
    scalar::date(text.strip_suffix(b"T00:00:00.000Z").unwrap_or(text))
}

/// A moment; also the midnight of a day.
fn timestamp(text: &[u8]) -> Option<i64> {
    const MILLIS_PER_DAY: i64 = 86_400_000;
    scalar::timestamp(text).or_else(|| scalar::date(text).map(|days| i64::from(days) * MILLIS_PER_DAY))
}
