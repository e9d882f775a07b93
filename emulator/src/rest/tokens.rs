//! JSON values that a field cannot be made of. They do not get as far as the row: the parser refuses the request.
//!
//! Source: restforce issues 619 and 897, texei-sfdx-plugin issue 113 (an empty date), verbb/formie issue 2124 (an array). That
//! numbers are no texts, and that booleans may be texts, is inferred.

use serde_json::Value;

use crate::answer::ApiError;
use crate::call::Call;
use crate::database::Record;
use crate::schema::{Field, FieldType, Object};
use crate::value::{Date, Decimal, TimeOfDay, Timestamp};

/// Where in the body a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is the body.
    Whole,
    /// It is somewhere in it; the parser has forgotten where.
    Within,
}

/// Refuses a record with a value that its field cannot be made of.
pub(super) fn check(call: &Call, object: &Object, record: &Record, place: Place) -> Result<(), ApiError> {
    // In XML every value is a text.
    if call.has_media_type("application/xml") || call.has_media_type("text/xml") {
        return Ok(());
    }
    for (name, value) in record.iter().filter(|(_, value)| !value.is_null()) {
        if let Some((_, field)) = object.find(name)
            && !makes(field.kind, value)
        {
            return Err(undeserialized(field, value, &position(record, name, place)));
        }
    }
    Ok(())
}

/// Whether a value can be read as one of this type.
fn makes(kind: FieldType, value: &Value) -> bool {
    let text = value.as_str();
    let parses = |parse: &dyn Fn(&str) -> bool| text.is_some_and(parse);
    match kind {
        FieldType::Boolean => {
            value.is_boolean() || parses(&|text| ["true", "false"].iter().any(|known| known.eq_ignore_ascii_case(text)))
        }
        FieldType::Int | FieldType::Long => {
            value.is_i64() || value.is_u64() || parses(&|text| text.trim().parse::<i64>().is_ok())
        }
        FieldType::Double | FieldType::Currency | FieldType::Percent => {
            value.is_number() || parses(&|text| Decimal::parse(text.trim()).is_some())
        }
        FieldType::Date => parses(&|text| text.get(..10).and_then(Date::parse).is_some()),
        FieldType::DateTime => parses(&|text| Timestamp::parse(text).is_some() || Date::parse(text).is_some()),
        FieldType::Time => parses(&|text| TimeOfDay::parse(text).is_some()),
        FieldType::AnyType => true,
        kind if kind.is_raw_json() => true,
        _ => text.is_some(),
    }
}

fn undeserialized(field: &Field, value: &Value, position: &str) -> ApiError {
    let kind = field.kind.as_str();
    let message = match value {
        Value::Array(_) => format!("Cannot deserialize instance of {kind} from START_ARRAY value {position}"),
        Value::Object(_) => format!("Cannot deserialize instance of {kind} from START_OBJECT value {{ {position}"),
        value => {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!(
                "Cannot deserialize instance of {kind} from {} value {shown} or request may be missing a required field at \
                 {position}",
                token(value)
            )
        }
    };
    ApiError::bad_request("JSON_PARSER_ERROR", message)
}

/// The parser's name for a value.
fn token(value: &Value) -> &'static str {
    match value {
        Value::Number(number) if number.is_f64() => "VALUE_NUMBER_FLOAT",
        Value::Number(_) => "VALUE_NUMBER_INT",
        Value::Bool(true) => "VALUE_TRUE",
        Value::Bool(false) => "VALUE_FALSE",
        _ => "VALUE_STRING",
    }
}

/// Where the value would stand in a body without blanks, whose keys are in alphabetical order.
fn position(record: &Record, name: &str, place: Place) -> String {
    if place == Place::Within {
        return "[Source: N/A; line: -1, column: -1][line:-1, column:-1]".to_owned();
    }
    let before = record.iter().take_while(|(key, _)| *key != name);
    let characters = |key: &str| key.chars().count() + "\"\":".len();
    let passed: usize =
        before.map(|(key, value)| characters(key) + value.to_string().chars().count() + ",".len()).sum();
    format!("[line:1, column:{}]", "{".len() + passed + characters(name) + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_type_takes_the_values_that_it_can_be_made_of() {
        for (kind, right, wrong) in [
            (FieldType::String, vec![json!("x"), json!("")], vec![json!(1), json!(true), json!([]), json!({})]),
            (FieldType::Int, vec![json!(1), json!("1")], vec![json!(1.5), json!(""), json!("x")]),
            (FieldType::Currency, vec![json!(1.5), json!("1.5")], vec![json!(""), json!("lots"), json!(true)]),
            (FieldType::Boolean, vec![json!(true), json!("FALSE")], vec![json!(""), json!(1), json!("yes")]),
            (FieldType::Date, vec![json!("2026-02-28")], vec![json!(""), json!("2026-02-30"), json!(20_260_228)]),
            (FieldType::DateTime, vec![json!("2026-02-28T10:00:00Z")], vec![json!("2026-02-28 10:00:00")]),
            (FieldType::Reference, vec![json!("001")], vec![json!(1)]),
            (FieldType::Json, vec![json!({}), json!([1])], vec![]),
        ] {
            right.iter().for_each(|value| assert!(makes(kind, value), "{kind:?} {value}"));
            wrong.iter().for_each(|value| assert!(!makes(kind, value), "{kind:?} {value}"));
        }
    }
}
