//! Columns of one type as columns of a wider one.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Int64Array, StringArray, TimestampMillisecondArray, cast::AsArray,
    new_null_array,
};
use sync::table::{ColumnType, DECIMAL_PRECISION, DECIMAL_SCALE};

use crate::spelling::{MILLIS_PER_DAY, write_date, write_decimal, write_time, write_timestamp};

const ONE: i128 = 10i128.pow(DECIMAL_SCALE as u32);

/// Every value of `array` in the type that holds both. As text a value is spelled as in a SQLite destination.
pub(super) fn converted(array: &ArrayRef, from: ColumnType, to: ColumnType) -> ArrayRef {
    match (from, to) {
        (from, to) if from.data_type() == to.data_type() => array.clone(),
        (ColumnType::Integer, ColumnType::Decimal) => {
            let numbers = array.as_primitive::<arrow_array::types::Int64Type>();
            let wide: Decimal128Array = numbers.iter().map(|number| Some(i128::from(number?) * ONE)).collect();
            let wide = wide.with_precision_and_scale(DECIMAL_PRECISION, DECIMAL_SCALE);
            Arc::new(wide.expect("the project's decimals have a precision that Arrow knows"))
        }
        (ColumnType::Date, ColumnType::Timestamp) => {
            let days = array.as_primitive::<arrow_array::types::Date32Type>();
            let moments = days.iter().map(|day| Some(i64::from(day?) * MILLIS_PER_DAY));
            Arc::new(moments.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
        }
        (from, ColumnType::Text | ColumnType::Json) => Arc::new(spelled(array, from)),
        // No other type holds the values of another one, so that none is asked for.
        (_, to) => new_null_array(&to.data_type(), array.len()),
    }
}

fn spelled(array: &ArrayRef, from: ColumnType) -> StringArray {
    let mut buffer = Vec::new();
    let mut text = |write: &dyn Fn(&mut Vec<u8>)| {
        buffer.clear();
        write(&mut buffer);
        String::from_utf8_lossy(&buffer).into_owned()
    };
    let present = |row: usize| (!array.is_null(row)).then_some(row);
    let rows = 0..array.len();
    match from {
        ColumnType::Text | ColumnType::Json => array.as_string::<i32>().clone(),
        ColumnType::Boolean => {
            let flags: &BooleanArray = array.as_boolean();
            rows.map(|row| present(row).map(|row| if flags.value(row) { "1" } else { "0" })).collect()
        }
        ColumnType::Integer => {
            let numbers: &Int64Array = array.as_primitive();
            rows.map(|row| present(row).map(|row| numbers.value(row).to_string())).collect()
        }
        ColumnType::Decimal => {
            let numbers: &Decimal128Array = array.as_primitive();
            rows.map(|row| present(row).map(|row| text(&|out| write_decimal(out, numbers.value(row))))).collect()
        }
        ColumnType::Date => {
            let days = array.as_primitive::<arrow_array::types::Date32Type>();
            rows.map(|row| present(row).map(|row| text(&|out| write_date(out, days.value(row).into())))).collect()
        }
        ColumnType::Timestamp => {
            let moments: &TimestampMillisecondArray = array.as_primitive();
            rows.map(|row| present(row).map(|row| text(&|out| write_timestamp(out, moments.value(row))))).collect()
        }
        ColumnType::Time => {
            let times = array.as_primitive::<arrow_array::types::Time32MillisecondType>();
            rows.map(|row| present(row).map(|row| text(&|out| write_time(out, times.value(row).into())))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Date32Array, Time32MillisecondArray};

    use super::*;

    fn text(array: impl Array + 'static, from: ColumnType) -> Vec<Option<String>> {
        let converted = converted(&(Arc::new(array) as ArrayRef), from, ColumnType::Text);
        converted.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn a_value_becomes_text_as_it_is_spelled_elsewhere() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(text(Int64Array::from(vec![Some(-7), None]), ColumnType::Integer), [some("-7"), None]);
        assert_eq!(text(BooleanArray::from(vec![true, false]), ColumnType::Boolean), [some("1"), some("0")]);
        assert_eq!(text(Date32Array::from(vec![19990]), ColumnType::Date), [some("2024-09-24")]);
        let moment = TimestampMillisecondArray::from(vec![1_727_148_367_000]).with_timezone("UTC");
        assert_eq!(text(moment, ColumnType::Timestamp), [some("2024-09-24T03:26:07.000Z")]);
        assert_eq!(text(Time32MillisecondArray::from(vec![1]), ColumnType::Time), [some("00:00:00.001")]);
    }

    #[test]
    fn a_number_stays_exact_and_a_date_becomes_its_midnight() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, i64::MIN]));
        let wide = converted(&numbers, ColumnType::Integer, ColumnType::Decimal);
        assert_eq!(wide.data_type(), &ColumnType::Decimal.data_type());
        assert_eq!(wide.as_primitive::<arrow_array::types::Decimal128Type>().value(0), i128::from(i64::MAX) * ONE);
        let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(1), None]));
        let moments = converted(&days, ColumnType::Date, ColumnType::Timestamp);
        assert_eq!(moments.data_type(), &ColumnType::Timestamp.data_type());
        let expected = TimestampMillisecondArray::from(vec![Some(MILLIS_PER_DAY), None]).with_timezone("UTC");
        assert_eq!(&moments, &(Arc::new(expected) as ArrayRef));
    }
}
