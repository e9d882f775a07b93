//! From one column type to another, whole columns at a time.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray, StringArray,
    builder::StringBuilder,
    cast::AsArray,
    types::{Date32Type, Decimal128Type, Int64Type, Time32MillisecondType, TimestampMillisecondType},
};

use super::{
    Target,
    make::Trouble,
    text::{Format, MILLIS_PER_DAY, ONE, truth, write_date, write_decimal, write_time, write_timestamp},
};
use crate::{
    decode::{as_json, scalar},
    table::{ColumnType, DECIMAL_PRECISION, DECIMAL_SCALE},
};

/// A change of type.
#[derive(Debug, Clone)]
pub(super) struct Cast {
    pub(super) from: ColumnType,
    pub(super) target: Target,
    pub(super) format: Option<Format>,
}

/// Writes the value of a row as text.
type Writer<'a> = Box<dyn Fn(&mut String, usize) + 'a>;

/// Whether values of one type may become values of another at all.
pub(crate) fn is_possible(from: ColumnType, target: Target) -> bool {
    use ColumnType as C;
    match target {
        Target::Text | Target::Json => true,
        Target::List => from == C::Text,
        Target::Integer => matches!(from, C::Text | C::Boolean | C::Integer | C::Decimal),
        Target::Decimal => matches!(from, C::Text | C::Integer | C::Decimal),
        Target::Boolean => matches!(from, C::Text | C::Boolean | C::Integer),
        Target::Date => matches!(from, C::Text | C::Date | C::Timestamp),
        Target::Timestamp => matches!(from, C::Text | C::Date | C::Timestamp),
        Target::Time => matches!(from, C::Text | C::Time | C::Timestamp),
    }
}

impl Cast {
    /// False when the values stay as they are.
    pub(super) fn changes(&self) -> bool {
        self.target.column_type() != self.from || self.format.is_some() || self.target == Target::List
    }

    /// The column in its new type. What does not fit is null, and a trouble.
    ///
    /// # Panics
    /// When the array is not of the type that this is from, or the change [is not possible](is_possible).
    pub(super) fn apply(&self, array: &ArrayRef, trouble: &mut Vec<Trouble>) -> ArrayRef {
        match self.target {
            Target::Text => Arc::new(self.to_text(array)),
            Target::Json => Arc::new(self.to_json(array)),
            Target::List => Arc::new(to_list(array.as_string())),
            Target::Integer => Arc::new(self.to_integer(array, trouble)),
            Target::Decimal => Arc::new(as_decimals(self.to_decimal(array, trouble))),
            Target::Boolean => Arc::new(self.to_boolean(array, trouble)),
            Target::Date => Arc::new(self.to_date(array, trouble)),
            Target::Timestamp => Arc::new(self.to_timestamp(array, trouble).with_timezone("UTC")),
            Target::Time => Arc::new(self.to_time(array, trouble)),
        }
    }

    /// Writes one value that is not null.
    fn writer<'a>(&'a self, array: &'a ArrayRef) -> Writer<'a> {
        let format = self.format.as_ref();
        match self.from {
            ColumnType::Text | ColumnType::Json => {
                let texts = array.as_string::<i32>();
                Box::new(|out, row| out.push_str(texts.value(row)))
            }
            ColumnType::Boolean => {
                let truths = array.as_boolean();
                Box::new(|out, row| out.push_str(if truths.value(row) { "true" } else { "false" }))
            }
            ColumnType::Integer => {
                let numbers = array.as_primitive::<Int64Type>();
                Box::new(|out, row| out.push_str(&numbers.value(row).to_string()))
            }
            ColumnType::Decimal => {
                let numbers = array.as_primitive::<Decimal128Type>();
                Box::new(|out, row| write_decimal(out, numbers.value(row)))
            }
            ColumnType::Date => {
                let dates = array.as_primitive::<Date32Type>();
                Box::new(move |out, row| match format {
                    Some(format) => format.write(out, i64::from(dates.value(row)) * MILLIS_PER_DAY),
                    None => write_date(out, i64::from(dates.value(row))),
                })
            }
            ColumnType::Timestamp => {
                let stamps = array.as_primitive::<TimestampMillisecondType>();
                Box::new(move |out, row| match format {
                    Some(format) => format.write(out, stamps.value(row)),
                    None => write_timestamp(out, stamps.value(row)),
                })
            }
            ColumnType::Time => {
                let times = array.as_primitive::<Time32MillisecondType>();
                Box::new(move |out, row| match format {
                    Some(format) => format.write(out, i64::from(times.value(row))),
                    None => write_time(out, i64::from(times.value(row))),
                })
            }
        }
    }

    fn to_text(&self, array: &ArrayRef) -> StringArray {
        let write = self.writer(array);
        texts(array, |out, row| write(out, row))
    }

    fn to_json(&self, array: &ArrayRef) -> StringArray {
        let write = self.writer(array);
        let mut text = String::new();
        texts(array, |out, row| {
            text.clear();
            write(&mut text, row);
            match self.from {
                ColumnType::Boolean | ColumnType::Integer | ColumnType::Decimal | ColumnType::Json => {
                    out.push_str(&text)
                }
                ColumnType::Text => out.push_str(&String::from_utf8_lossy(&as_json(text.as_bytes()))),
                ColumnType::Date | ColumnType::Timestamp | ColumnType::Time => {
                    out.push('"');
                    out.push_str(&text);
                    out.push('"');
                }
            }
        })
    }

    fn to_integer(&self, array: &ArrayRef, trouble: &mut Vec<Trouble>) -> PrimitiveArray<Int64Type> {
        match self.from {
            ColumnType::Text => parsed(array, trouble, |text| scalar::integer(text.as_bytes())),
            ColumnType::Boolean => array.as_boolean().iter().map(|truth| truth.map(i64::from)).collect(),
            ColumnType::Integer => array.as_primitive().clone(),
            ColumnType::Decimal => {
                let whole = |value: i128| (value % ONE == 0).then(|| i64::try_from(value / ONE).ok()).flatten();
                self.converted::<Decimal128Type, Int64Type>(array, trouble, whole)
            }
            ColumnType::Date | ColumnType::Timestamp | ColumnType::Time | ColumnType::Json => self.impossible(),
        }
    }

    fn to_decimal(&self, array: &ArrayRef, trouble: &mut Vec<Trouble>) -> PrimitiveArray<Decimal128Type> {
        match self.from {
            ColumnType::Text => parsed(array, trouble, |text| scalar::decimal(text.as_bytes())),
            ColumnType::Integer => array.as_primitive::<Int64Type>().unary(|value| i128::from(value) * ONE),
            ColumnType::Decimal => array.as_primitive().clone(),
            ColumnType::Boolean | ColumnType::Date | ColumnType::Timestamp | ColumnType::Time | ColumnType::Json => {
                self.impossible()
            }
        }
    }

    fn to_boolean(&self, array: &ArrayRef, trouble: &mut Vec<Trouble>) -> BooleanArray {
        match self.from {
            ColumnType::Text => {
                let texts = array.as_string::<i32>();
                let mut read = |(row, text): (usize, Option<&str>)| {
                    let text = text?;
                    truth(text.trim()).or_else(|| Trouble::misfit(trouble, row, text))
                };
                BooleanArray::from_iter(texts.iter().enumerate().map(&mut read))
            }
            ColumnType::Integer => {
                let numbers = array.as_primitive::<Int64Type>();
                let mut read = |(row, number): (usize, Option<i64>)| match number? {
                    0 => Some(false),
                    1 => Some(true),
                    other => Trouble::misfit(trouble, row, &other.to_string()),
                };
                BooleanArray::from_iter(numbers.iter().enumerate().map(&mut read))
            }
            ColumnType::Boolean => array.as_boolean().clone(),
            ColumnType::Decimal | ColumnType::Date | ColumnType::Timestamp | ColumnType::Time | ColumnType::Json => {
                self.impossible()
            }
        }
    }

    fn to_date(&self, array: &ArrayRef, trouble: &mut Vec<Trouble>) -> PrimitiveArray<Date32Type> {
        match self.from {
            ColumnType::Text => parsed(array, trouble, |text| match &self.format {
                Some(format) => format.read(text).map(|(days, _)| days),
                None => scalar::date(text.as_bytes()),
            }),
            ColumnType::Date => array.as_primitive().clone(),
            ColumnType::Timestamp => {
                let day = |stamp: i64| i32::try_from(stamp.div_euclid(MILLIS_PER_DAY)).ok();
                self.converted::<TimestampMillisecondType, Date32Type>(array, trouble, day)
            }
            ColumnType::Boolean | ColumnType::Integer | ColumnType::Decimal | ColumnType::Time | ColumnType::Json => {
                self.impossible()
            }
        }
    }

    fn to_timestamp(&self, array: &ArrayRef, trouble: &mut Vec<Trouble>) -> PrimitiveArray<TimestampMillisecondType> {
        match self.from {
            ColumnType::Text => parsed(array, trouble, |text| match &self.format {
                Some(format) => format.read_timestamp(text),
                None => scalar::timestamp(text.as_bytes()),
            }),
            ColumnType::Date => array.as_primitive::<Date32Type>().unary(|days| i64::from(days) * MILLIS_PER_DAY),
            ColumnType::Timestamp => array.as_primitive().clone(),
            ColumnType::Boolean | ColumnType::Integer | ColumnType::Decimal | ColumnType::Time | ColumnType::Json => {
                self.impossible()
            }
        }
    }

    fn to_time(&self, array: &ArrayRef, trouble: &mut Vec<Trouble>) -> PrimitiveArray<Time32MillisecondType> {
        match self.from {
            ColumnType::Text => parsed(array, trouble, |text| match &self.format {
                Some(format) => format.read(text).map(|(_, millis)| millis),
                None => scalar::time(text.as_bytes()),
            }),
            ColumnType::Time => array.as_primitive().clone(),
            ColumnType::Timestamp => {
                array.as_primitive::<TimestampMillisecondType>().unary(|stamp| stamp.rem_euclid(MILLIS_PER_DAY) as i32)
            }
            ColumnType::Boolean | ColumnType::Integer | ColumnType::Decimal | ColumnType::Date | ColumnType::Json => {
                self.impossible()
            }
        }
    }

    /// Values one by one; what does not fit is a misfit in its own spelling.
    fn converted<F: ArrowPrimitiveType, T: ArrowPrimitiveType>(
        &self,
        array: &ArrayRef,
        trouble: &mut Vec<Trouble>,
        convert: impl Fn(F::Native) -> Option<T::Native>,
    ) -> PrimitiveArray<T> {
        let write = self.writer(array);
        let values = array.as_primitive::<F>();
        let mut read = |(row, value): (usize, Option<F::Native>)| {
            convert(value?).or_else(|| {
                let mut text = String::new();
                write(&mut text, row);
                Trouble::misfit(trouble, row, &text)
            })
        };
        collected(values.iter().enumerate().map(&mut read), values.len())
    }

    fn impossible(&self) -> ! {
        unreachable!("no mapping is compiled that makes {:?} of {:?}", self.target, self.from)
    }
}

fn parsed<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    trouble: &mut Vec<Trouble>,
    parse: impl Fn(&str) -> Option<T::Native>,
) -> PrimitiveArray<T> {
    let texts = array.as_string::<i32>();
    let mut read = |(row, text): (usize, Option<&str>)| {
        let text = text?;
        parse(text.trim()).or_else(|| Trouble::misfit(trouble, row, text))
    };
    collected(texts.iter().enumerate().map(&mut read), texts.len())
}

fn collected<T: ArrowPrimitiveType>(values: impl Iterator<Item = Option<T::Native>>, rows: usize) -> PrimitiveArray<T> {
    let mut builder = arrow_array::builder::PrimitiveBuilder::<T>::with_capacity(rows);
    values.for_each(|value| builder.append_option(value));
    builder.finish()
}

/// The same numbers, with the precision and the scale of every column of decimals.
pub(super) fn as_decimals(numbers: PrimitiveArray<Decimal128Type>) -> PrimitiveArray<Decimal128Type> {
    numbers
        .with_precision_and_scale(DECIMAL_PRECISION, DECIMAL_SCALE)
        .expect("the precision and the scale are ones that Arrow knows")
}

/// One text for each value of `array`, nulls aside.
pub(super) fn texts(array: &ArrayRef, mut write: impl FnMut(&mut String, usize)) -> StringArray {
    let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 8);
    let mut text = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        text.clear();
        write(&mut text, row);
        builder.append_value(&text);
    }
    builder.finish()
}

/// Choices of a multi-select picklist, which Salesforce separates by semicolons, as a JSON array.
fn to_list(choices: &StringArray) -> StringArray {
    let list = |text: &str| {
        let choices: Vec<&str> = text.split(';').collect();
        serde_json::to_string(&choices).expect("texts serialise")
    };
    choices.iter().map(|text| text.map(list)).collect()
}
