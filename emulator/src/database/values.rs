//! Turns what a request writes into what a field stores, or into the row error that Salesforce gives.

use base64::Engine as _;
use serde_json::Value as Json;

use super::{RowError, Snapshot, StatusCode};
use crate::ids::RecordId;
use crate::schema::{Field, FieldType, Object};
use crate::value::{Date, Decimal, TimeOfDay, Timestamp, Value, equal_text};

impl Snapshot {
    /// The value that `json` means for `field`. Null and the empty text are null.
    pub(super) fn read_value(&self, object: &Object, field: &Field, json: &Json) -> Result<Value, RowError> {
        match json {
            Json::Null => return Ok(Value::Null),
            Json::String(text) if text.is_empty() => return Ok(Value::Null),
            _ => {}
        }
        match field.kind {
            FieldType::Boolean => boolean(field, json),
            FieldType::Int | FieldType::Long => integer(field, json),
            FieldType::Double | FieldType::Currency | FieldType::Percent => decimal(field, json),
            FieldType::Date => typed(field, json, |text| Date::parse(text.get(..10)?).map(Value::Date)),
            FieldType::DateTime => typed(field, json, |text| date_time(text).map(Value::DateTime)),
            FieldType::Time => typed(field, json, |text| TimeOfDay::parse(text).map(Value::Time)),
            FieldType::Base64 => typed(field, json, bytes),
            FieldType::Id | FieldType::Reference => self.reference(object, field, json),
            FieldType::AnyType => Ok(any(json)),
            kind if kind.is_raw_json() => Ok(Value::Json(json.to_string().into())),
            _ => text(field, json),
        }
    }

    fn reference(&self, object: &Object, field: &Field, json: &Json) -> Result<Value, RowError> {
        let text = json.as_str().ok_or_else(|| wrong_type(field, json))?;
        let incorrect = || {
            let message = format!("{}: id value of incorrect type: {text}", field.label);
            RowError::on(StatusCode::MalformedId, &field.name, message)
        };
        let id = RecordId::parse(text).map_err(|_| incorrect())?;
        if object.record_types.iter().any(|record_type| record_type.id == id) {
            return Ok(Value::Id(id));
        }
        let (_, target) = self.schema.find_prefix(id.prefix()).ok_or_else(incorrect)?;
        if !field.reference_to.contains(&target.name) {
            return Err(incorrect());
        }
        match self.row(id) {
            Some(row) if !row.is_deleted() => Ok(Value::Id(id)),
            _ => Err(RowError::on(StatusCode::InvalidCrossReferenceKey, &field.name, "invalid cross reference id")),
        }
    }
}

fn boolean(field: &Field, json: &Json) -> Result<Value, RowError> {
    match json {
        Json::Bool(value) => Ok(Value::Bool(*value)),
        Json::String(text) if text.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
        Json::String(text) if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
        _ => Err(wrong_type(field, json)),
    }
}

fn integer(field: &Field, json: &Json) -> Result<Value, RowError> {
    let text = number_text(json).ok_or_else(|| wrong_type(field, json))?;
    let number: i64 = text.parse().map_err(|_| wrong_type(field, json))?;
    if field.kind == FieldType::Int && i32::try_from(number).is_err() {
        return Err(out_of_range(field, &text));
    }
    Ok(Value::Int(number))
}

fn decimal(field: &Field, json: &Json) -> Result<Value, RowError> {
    let text = number_text(json).ok_or_else(|| wrong_type(field, json))?;
    let number = Decimal::parse(&text).ok_or_else(|| wrong_type(field, json))?;
    let whole = u32::from(field.precision.saturating_sub(field.scale));
    // Latitude and longitude are declared (18, 15): three digits before the point.
    if number.whole_digits() > whole {
        return Err(out_of_range(field, &text));
    }
    Ok(Value::Decimal(number))
}

fn number_text(json: &Json) -> Option<String> {
    match json {
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) => Some(text.trim().to_owned()),
        _ => None,
    }
}

fn typed(field: &Field, json: &Json, read: impl Fn(&str) -> Option<Value>) -> Result<Value, RowError> {
    json.as_str().and_then(read).ok_or_else(|| wrong_type(field, json))
}

/// A date alone means its midnight. Source: REST API guide, valid date and date-time formats.
fn date_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).or_else(|| Date::parse(text).map(Date::start))
}

/// Base64, also in lines, as MIME and many clients write it.
fn bytes(text: &str) -> Option<Value> {
    let text: String = text.split_ascii_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(text).ok().map(|bytes| Value::Bytes(bytes.into()))
}

fn any(json: &Json) -> Value {
    match json {
        Json::Bool(value) => Value::Bool(*value),
        Json::String(text) => Value::text(text.as_str()),
        Json::Number(number) => Decimal::parse(&number.to_string()).map_or(Value::Null, Value::Decimal),
        Json::Null | Json::Array(_) | Json::Object(_) => Value::Json(json.to_string().into()),
    }
}

fn text(field: &Field, json: &Json) -> Result<Value, RowError> {
    let text = match json {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        _ => return Err(wrong_type(field, json)),
    };
    if text.chars().count() > field.length as usize {
        let message = format!("{}: data value too large: {text} (max length={})", field.label, field.length);
        return Err(RowError::on(StatusCode::StringTooLong, &field.name, message));
    }
    if field.kind == FieldType::Email && !plausible_email(&text) {
        let message = format!("{}: invalid email address: {text}", field.label);
        return Err(RowError::on(StatusCode::InvalidEmailAddress, &field.name, message));
    }
    if field.restricted_picklist {
        check_picklist(field, &text)?;
    }
    Ok(Value::text(text))
}

fn plausible_email(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    parts
        .is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.') && !text.contains(char::is_whitespace))
}

fn check_picklist(field: &Field, text: &str) -> Result<(), RowError> {
    let known = |value: &str| field.picklist.iter().any(|entry| entry.active && equal_text(&entry.value, value));
    let chosen: Vec<&str> = match field.kind {
        FieldType::MultiPicklist => text.split(';').collect(),
        _ => vec![text],
    };
    match chosen.into_iter().find(|value| !known(value)) {
        None => Ok(()),
        Some(value) => {
            let message = format!("{}: bad value for restricted picklist field: {value}", field.label);
            Err(RowError::on(StatusCode::InvalidOrNullForRestrictedPicklist, &field.name, message))
        }
    }
}

fn wrong_type(field: &Field, json: &Json) -> RowError {
    let shown = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
    let message = format!("{}: value not of required type: {shown}", field.label);
    RowError::on(StatusCode::InvalidTypeOnFieldInRecord, &field.name, message)
}

fn out_of_range(field: &Field, text: &str) -> RowError {
    let message = format!("{}: value outside of valid range on numeric field: {text}", field.label);
    RowError::on(StatusCode::NumberOutsideValidRange, &field.name, message)
}
