//! What becomes of a value when its field gets another type.
//!
//! Source: Salesforce Help, "Notes on Changing Custom Field Types": what does not fit is lost. The details are inferred.

use super::{Cell, Date, Decimal, TimeOfDay, Timestamp, Value, write_json_cell};
use crate::ids::RecordId;
use crate::schema::{Field, FieldType};

/// The value as a field of another type holds it; null when it does not fit.
#[must_use]
pub(crate) fn converted(cell: Cell<'_>, field: &Field) -> Value {
    if cell.is_null() {
        return if field.kind == FieldType::Boolean { Value::Bool(false) } else { Value::Null };
    }
    match field.kind {
        FieldType::Boolean => Value::Bool(matches!(text(cell).as_str(), "true" | "1")),
        FieldType::Int | FieldType::Long => text(cell).parse().map_or(Value::Null, Value::Int),
        FieldType::Double | FieldType::Currency | FieldType::Percent => {
            Decimal::parse(&text(cell)).map_or(Value::Null, Value::Decimal)
        }
        FieldType::Date => date(cell).map_or(Value::Null, Value::Date),
        FieldType::DateTime => date_time(cell).map_or(Value::Null, Value::DateTime),
        FieldType::Time => TimeOfDay::parse(&text(cell)).map_or(Value::Null, Value::Time),
        FieldType::Id | FieldType::Reference => RecordId::parse(&text(cell)).map_or(Value::Null, Value::Id),
        kind if kind.is_text() => {
            let kept: String = text(cell).chars().take(field.length as usize).collect();
            Value::text(kept)
        }
        _ => Value::Null,
    }
}

fn date(cell: Cell<'_>) -> Option<Date> {
    match cell {
        Cell::Date(date) => Some(date),
        Cell::DateTime(time) => Some(time.date()),
        other => Date::parse(&text(other)),
    }
}

fn date_time(cell: Cell<'_>) -> Option<Timestamp> {
    match cell {
        Cell::Date(date) => Some(date.start()),
        Cell::DateTime(time) => Some(time),
        other => Timestamp::parse(&text(other)),
    }
}

/// The value as REST writes it, without quotes.
fn text(cell: Cell<'_>) -> String {
    if let Cell::Text(text) = cell {
        return text.to_owned();
    }
    let mut out = Vec::new();
    write_json_cell(cell, 0, &mut out);
    String::from_utf8_lossy(&out).trim_matches('"').to_owned()
}
