//! Typed columns, filled cell by cell from text.

use std::{borrow::Cow, mem, sync::Arc};

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray, Time32MillisecondArray,
    TimestampMillisecondArray,
};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{Field, Schema, SchemaRef};
use serde::de::IgnoredAny;

use super::scalar;
use crate::{
    batch::{BATCH_BYTES, Batch, Misfit, ReadField},
    table::{ColumnType, DECIMAL_PRECISION, DECIMAL_SCALE},
};

/// At most so many bytes of a misfit's text are kept.
pub const MISFIT_BYTES: usize = 256;

/// Rows in the making: one column a field, and the misfits among their values.
pub(super) struct BatchBuilder {
    schema: SchemaRef,
    columns: Vec<Column>,
    id_field: usize,
    rows: usize,
    /// Bytes of a row apart from text.
    row_bytes: usize,
    /// Bytes of text and misfits so far.
    text_bytes: usize,
    misfits: Vec<FoundMisfit>,
}

/// A misfit before its record's id is known.
struct FoundMisfit {
    row: usize,
    column: usize,
    raw: String,
}

impl BatchBuilder {
    /// # Panics
    /// When `id_field` is no index of `fields`.
    pub(super) fn new(fields: &[ReadField], id_field: usize) -> Self {
        assert!(id_field < fields.len(), "the id is one of the fields");
        let schema: Vec<Field> =
            fields.iter().map(|field| Field::new(&field.path, field.kind.data_type(), true)).collect();
        Self {
            schema: Arc::new(Schema::new(schema)),
            columns: fields.iter().map(|field| Column::new(field.kind)).collect(),
            id_field,
            rows: 0,
            row_bytes: fields.iter().map(|field| cell_bytes(field.kind)).sum(),
            text_bytes: 0,
            misfits: Vec::new(),
        }
    }

    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// The path of a column's field.
    pub(super) fn field(&self, column: usize) -> &str {
        self.schema.field(column).name()
    }

    /// Appends a value; the empty text is null, as Bulk cannot tell the two apart and Salesforce stores no empty text.
    #[inline]
    pub(super) fn cell(&mut self, column: usize, text: &[u8]) {
        let cells = &mut self.columns[column];
        if text.is_empty() {
            cells.push_null();
        } else if cells.push(text) {
            self.text_bytes += cells.text_cost(text);
        } else {
            cells.push_null();
            self.misfit(column, text);
        }
    }

    /// Keeps the text of the cell just appended as a misfit, for it was damaged on the wire. A typed cell has noticed
    /// by itself.
    pub(super) fn note_damage(&mut self, column: usize, text: &[u8]) {
        if matches!(self.columns[column].values, Values::Text(_) | Values::Json(_)) {
            self.misfit(column, text);
        }
    }

    pub(super) fn null(&mut self, column: usize) {
        self.columns[column].push_null();
    }

    /// Whether the row in the making has this column's cell.
    pub(super) fn has_cell(&self, column: usize) -> bool {
        self.columns[column].nulls.len() > self.rows
    }

    /// Ends a row; every column has its cell.
    #[inline]
    pub(super) fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Forgets the row in the making.
    pub(super) fn abandon_row(&mut self) {
        for column in &mut self.columns {
            column.truncate(self.rows);
        }
        let rows = self.rows;
        self.misfits.retain(|misfit| misfit.row < rows);
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.rows * self.row_bytes + self.text_bytes >= BATCH_BYTES
    }

    /// The rows so far, which are none afterwards.
    pub(super) fn flush(&mut self) -> Option<Batch> {
        if self.rows == 0 {
            return None;
        }
        let rows = mem::take(&mut self.rows);
        let mut misfits = mem::take(&mut self.misfits);
        self.text_bytes = 0;
        let arrays: Vec<ArrayRef> = self
            .columns
            .iter_mut()
            .enumerate()
            .map(|(column, cells)| {
                cells.finish(rows, &mut |row, raw| misfits.push(FoundMisfit { row, column, raw: capped(raw) }))
            })
            .collect();
        misfits.sort_by_key(|misfit| (misfit.row, misfit.column));
        let records = RecordBatch::try_new(self.schema.clone(), arrays)
            .expect("columns are built after the schema, cell by cell");
        let misfits = misfits.into_iter().map(|found| self.with_id(&records, found)).collect();
        Some(Batch { records, misfits })
    }

    fn misfit(&mut self, column: usize, text: &[u8]) {
        let raw = capped(text);
        self.text_bytes += raw.len() + mem::size_of::<FoundMisfit>();
        self.misfits.push(FoundMisfit { row: self.rows, column, raw });
    }

    fn with_id(&self, records: &RecordBatch, found: FoundMisfit) -> Misfit {
        use arrow_array::cast::AsArray;
        let id = records.column(self.id_field).as_string_opt::<i32>().map_or("", |ids| ids.value(found.row));
        Misfit { id: id.to_owned(), field: self.field(found.column).to_owned(), raw: found.raw }
    }
}

/// The text of a misfit, shortened between two characters, and made valid.
pub(crate) fn capped(raw: &[u8]) -> String {
    let mut kept = &raw[..raw.len().min(MISFIT_BYTES)];
    if let Err(error) = std::str::from_utf8(kept)
        && error.error_len().is_none()
        && kept.len() < raw.len()
    {
        kept = &kept[..error.valid_up_to()];
    }
    String::from_utf8_lossy(kept).into_owned()
}

/// Bytes that one cell takes beside its text.
fn cell_bytes(kind: ColumnType) -> usize {
    match kind {
        ColumnType::Boolean => 1,
        ColumnType::Text | ColumnType::Json | ColumnType::Date | ColumnType::Time => 4,
        ColumnType::Integer | ColumnType::Timestamp => 8,
        ColumnType::Decimal => 16,
    }
}

struct Column {
    values: Values,
    nulls: NullBufferBuilder,
}

enum Values {
    Text(Texts),
    Json(Texts),
    Boolean(BooleanBufferBuilder),
    Integer(Vec<i64>),
    Decimal(Vec<i128>),
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Time(Vec<i32>),
}

impl Column {
    fn new(kind: ColumnType) -> Self {
        let values = match kind {
            ColumnType::Text => Values::Text(Texts::with_room_of(0, 0)),
            ColumnType::Json => Values::Json(Texts::with_room_of(0, 0)),
            ColumnType::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            ColumnType::Integer => Values::Integer(Vec::new()),
            ColumnType::Decimal => Values::Decimal(Vec::new()),
            ColumnType::Date => Values::Date(Vec::new()),
            ColumnType::Timestamp => Values::Timestamp(Vec::new()),
            ColumnType::Time => Values::Time(Vec::new()),
        };
        Self { values, nulls: NullBufferBuilder::new(0) }
    }

    /// Appends a value unless it does not fit the type.
    #[inline]
    fn push(&mut self, text: &[u8]) -> bool {
        let fits = match &mut self.values {
            Values::Text(texts) => {
                texts.push(text);
                true
            }
            Values::Json(texts) => {
                texts.push(&as_json(text));
                true
            }
            Values::Boolean(values) => scalar::boolean(text).map(|value| values.append(value)).is_some(),
            Values::Integer(values) => scalar::integer(text).map(|value| values.push(value)).is_some(),
            Values::Decimal(values) => scalar::decimal(text).map(|value| values.push(value)).is_some(),
            Values::Date(values) => scalar::date(text).map(|value| values.push(value)).is_some(),
            Values::Timestamp(values) => scalar::timestamp(text).map(|value| values.push(value)).is_some(),
            Values::Time(values) => scalar::time(text).map(|value| values.push(value)).is_some(),
        };
        if fits {
            self.nulls.append_non_null();
        }
        fits
    }

    #[inline]
    fn push_null(&mut self) {
        match &mut self.values {
            Values::Text(texts) | Values::Json(texts) => texts.push(&[]),
            Values::Boolean(values) => values.append(false),
            Values::Integer(values) | Values::Timestamp(values) => values.push(0),
            Values::Decimal(values) => values.push(0),
            Values::Date(values) | Values::Time(values) => values.push(0),
        }
        self.nulls.append_null();
    }

    /// What a text adds to the size of a row of this column.
    #[inline]
    fn text_cost(&self, text: &[u8]) -> usize {
        match &self.values {
            Values::Text(_) | Values::Json(_) => text.len(),
            Values::Boolean(_)
            | Values::Integer(_)
            | Values::Decimal(_)
            | Values::Date(_)
            | Values::Timestamp(_)
            | Values::Time(_) => 0,
        }
    }

    fn truncate(&mut self, rows: usize) {
        match &mut self.values {
            Values::Text(texts) | Values::Json(texts) => texts.truncate(rows),
            Values::Boolean(values) => values.truncate(rows),
            Values::Integer(values) | Values::Timestamp(values) => values.truncate(rows),
            Values::Decimal(values) => values.truncate(rows),
            Values::Date(values) | Values::Time(values) => values.truncate(rows),
        }
        self.nulls.truncate(rows);
    }

    /// The column as an array; the next one starts with room for as many rows.
    fn finish(&mut self, rows: usize, damaged: &mut dyn FnMut(usize, &[u8])) -> ArrayRef {
        let nulls = mem::replace(&mut self.nulls, NullBufferBuilder::new(rows)).build();
        match &mut self.values {
            Values::Text(texts) | Values::Json(texts) => {
                let room = Texts::with_room_of(rows, texts.bytes.len());
                Arc::new(mem::replace(texts, room).finish(nulls, damaged))
            }
            Values::Boolean(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Values::Integer(values) => Arc::new(Int64Array::new(taken(values), nulls)),
            Values::Decimal(values) => Arc::new(
                Decimal128Array::new(taken(values), nulls)
                    .with_precision_and_scale(DECIMAL_PRECISION, DECIMAL_SCALE)
                    .expect("the precision and the scale are ones that Arrow knows"),
            ),
            Values::Date(values) => Arc::new(Date32Array::new(taken(values), nulls)),
            Values::Timestamp(values) => {
                Arc::new(TimestampMillisecondArray::new(taken(values), nulls).with_timezone("UTC"))
            }
            Values::Time(values) => Arc::new(Time32MillisecondArray::new(taken(values), nulls)),
        }
    }
}

/// A column's values, whose vector is left empty with room for as many.
fn taken<T: arrow_buffer::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    let room = Vec::with_capacity(values.len());
    ScalarBuffer::from(mem::replace(values, room))
}

/// Texts one after the other; whether they are UTF-8 is checked once a batch.
struct Texts {
    bytes: Vec<u8>,
    /// Where each text ends, after the zero where the first begins. A batch holds no more text than an `i32` counts:
    /// it is cut at [`BATCH_BYTES`], and a field is bounded by [`super::MAX_FIELD_BYTES`].
    offsets: Vec<i32>,
}

impl Texts {
    fn with_room_of(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { bytes: Vec::with_capacity(bytes), offsets }
    }

    #[inline]
    fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.offsets.push(self.bytes.len() as i32);
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.bytes.truncate(self.offsets.last().map_or(0, |end| *end as usize));
    }

    fn finish(self, nulls: Option<NullBuffer>, damaged: &mut dyn FnMut(usize, &[u8])) -> StringArray {
        let bytes = Buffer::from_vec(self.bytes);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        match StringArray::try_new(offsets.clone(), bytes.clone(), nulls.clone()) {
            Ok(array) => array,
            Err(_) => repaired(&offsets, &bytes, nulls, damaged),
        }
    }
}

/// The same texts with what is no UTF-8 replaced; tells which rows had such.
fn repaired(
    offsets: &[i32],
    bytes: &[u8],
    nulls: Option<NullBuffer>,
    damaged: &mut dyn FnMut(usize, &[u8]),
) -> StringArray {
    let mut texts = Texts::with_room_of(offsets.len() - 1, bytes.len());
    for (row, ends) in offsets.windows(2).enumerate() {
        let raw = &bytes[ends[0] as usize..ends[1] as usize];
        let text = String::from_utf8_lossy(raw);
        if matches!(text, Cow::Owned(_)) {
            damaged(row, raw);
        }
        texts.push(text.as_bytes());
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(texts.offsets));
    StringArray::new(offsets, Buffer::from_vec(texts.bytes), nulls)
}

/// A text as JSON: itself when it is JSON, else as a JSON string, so that nothing is lost and a column of JSON holds
/// nothing else.
pub(crate) fn as_json(text: &[u8]) -> Cow<'_, [u8]> {
    match serde_json::from_slice::<IgnoredAny>(text) {
        Ok(_) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(
            serde_json::to_vec(&String::from_utf8_lossy(text)).expect("a string can always be written as JSON"),
        ),
    }
}
