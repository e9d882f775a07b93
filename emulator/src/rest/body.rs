//! Request bodies: JSON, XML, and multipart bodies that carry files beside a record.

use std::borrow::Cow;

use base64::Engine as _;
use http::{StatusCode, header};
use roxmltree::{Document, Node};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use crate::answer::ApiError;
use crate::call::Call;
use crate::database::Record;
use crate::multipart::{self, Part};
use crate::value::Decimal;

/// Digits that every double keeps.
const EXACT_DIGITS: usize = 15;
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// What a request body says. Files of a multipart body are in it as Base64.
///
/// Source: REST API guide v66, "Request Body", "Insert or Update Blob Data".
pub(crate) fn json_body(call: &Call) -> Result<Value, ApiError> {
    if call.has_media_type("application/json") {
        return parse_json(&call.body);
    }
    if call.has_media_type("application/xml") || call.has_media_type("text/xml") {
        return parse_xml(&call.body);
    }
    if call.has_media_type("multipart/form-data") {
        return parse_multipart(call);
    }
    let message = "The HTTP entity body is in a format that is not supported; send application/json";
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message))
}

/// The fields of a record in a request body.
pub(super) fn body_record(call: &Call) -> Result<Record, ApiError> {
    match json_body(call)? {
        Value::Object(record) => Ok(record),
        _ => Err(malformed("The HTTP entity body is not a JSON object")),
    }
}

/// A body of one shape.
pub(super) fn typed_body<T: serde::de::DeserializeOwned>(call: &Call) -> Result<T, ApiError> {
    serde_json::from_value(json_body(call)?).map_err(|error| malformed(error.to_string()))
}

/// What is not there, and what is `null`, is what its type begins with, as Jackson reads primitives.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::bad_request("JSON_PARSER_ERROR", message.into())
}

fn parse_json(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Err(malformed("The HTTP entity body is required, but this request has no entity body."));
    }
    let parsed = serde_json::from_slice(&with_exact_numbers(body));
    parsed.map_err(|_| match serde_json::from_slice::<Value>(body) {
        Err(error) => malformed(said_by_jackson(&error, body)),
        Ok(_) => malformed("Unexpected character"),
    })
}

/// The body with quotes around numbers of more digits than a double holds. A field takes a number as a text as well.
fn with_exact_numbers(body: &[u8]) -> Cow<'_, [u8]> {
    let mut quoted: Vec<u8> = Vec::new();
    let (mut copied, mut at, mut in_text) = (0, 0, false);
    while let Some(byte) = body.get(at) {
        match byte {
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            b'-' | b'0'..=b'9' if !in_text => {
                let number =
                    body[at..].iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
                let end = at + number.count();
                if is_long_decimal(&body[at..end]) {
                    quoted.extend_from_slice(&body[copied..at]);
                    quoted.push(b'"');
                    quoted.extend_from_slice(&body[at..end]);
                    quoted.push(b'"');
                    copied = end;
                }
                at = end - 1;
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(body);
    }
    quoted.extend_from_slice(&body[copied..]);
    Cow::Owned(quoted)
}

/// Whether a number without an exponent has more digits than survive in a double.
fn is_long_decimal(number: &[u8]) -> bool {
    let digits = number.iter().filter(|byte| byte.is_ascii_digit()).count();
    digits > EXACT_DIGITS && std::str::from_utf8(number).is_ok_and(|text| Decimal::parse(text).is_some())
}

/// The words of Salesforce's own parser. Source: field reports; which reason it gives is simplified.
fn said_by_jackson(error: &serde_json::Error, body: &[u8]) -> String {
    let (line, column) = (error.line(), error.column());
    let place = format!("at [line:{line}, column:{column}]");
    if error.is_eof() {
        return format!("Unexpected end-of-input: expected close marker {place}");
    }
    let text = String::from_utf8_lossy(body);
    let found = text.lines().nth(line.saturating_sub(1)).and_then(|line| line.get(column.saturating_sub(1)..));
    match found.and_then(|rest| rest.chars().next()) {
        Some(found) => format!(
            "Unexpected character ('{found}' (code {})): expected a valid value (number, String, array, object, 'true', \
             'false' or 'null') {place}",
            u32::from(found)
        ),
        None => format!("Unexpected character {place}"),
    }
}

fn parse_xml(body: &[u8]) -> Result<Value, ApiError> {
    let refusal = |message: String| ApiError::bad_request("XML_PARSER_ERROR", message);
    let text = std::str::from_utf8(body).map_err(|error| refusal(error.to_string()))?;
    let document = Document::parse(text).map_err(|error| refusal(error.to_string()))?;
    let children = document.root_element().children().filter(Node::is_element);
    Ok(Value::Object(members(children)))
}

fn members<'a, 'input: 'a>(elements: impl Iterator<Item = Node<'a, 'input>>) -> Map<String, Value> {
    let mut members = Map::new();
    for element in elements {
        let value = element_value(element);
        match members.get_mut(element.tag_name().name()) {
            None => {
                members.insert(element.tag_name().name().to_owned(), value);
            }
            Some(Value::Array(several)) => several.push(value),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    members
}

fn element_value(element: Node<'_, '_>) -> Value {
    if element.attribute((XSI, "nil")) == Some("true") {
        return Value::Null;
    }
    if element.children().any(|child| child.is_element()) {
        return Value::Object(members(element.children().filter(Node::is_element)));
    }
    Value::String(element.text().unwrap_or_default().to_owned())
}

/// The part that is JSON, with the other parts in it: under the name of their field, or where a record of a collection
/// names them by `binaryPartName`.
fn parse_multipart(call: &Call) -> Result<Value, ApiError> {
    let content_type = call.header(header::CONTENT_TYPE).unwrap_or_default();
    let parts = multipart::parts(content_type, &call.body);
    let is_entity = |part: &&Part<'_>| part.media.as_deref() == Some("application/json");
    let entity = parts.iter().find(is_entity).ok_or_else(|| {
        malformed("Multipart message must include a non-binary part with the content type application/json")
    })?;
    let mut body = parse_json(entity.bytes)?;
    for file in parts.iter().filter(|part| !is_entity(part)) {
        let bytes = base64::engine::general_purpose::STANDARD.encode(file.bytes);
        put_file(&mut body, &file.name, bytes);
    }
    Ok(body)
}

fn put_file(body: &mut Value, name: &str, bytes: String) {
    let records = body.get_mut("records").and_then(Value::as_array_mut);
    let Some(records) = records else {
        body[name] = json!(bytes);
        return;
    };
    let named = |record: &&mut Value| record["attributes"]["binaryPartName"].as_str() == Some(name);
    for record in records.iter_mut().filter(|record| named(record)) {
        if let Some(field) = record["attributes"]["binaryPartNameAlias"].as_str().map(str::to_owned) {
            record[&field] = json!(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_xml_record_is_read_with_nulls_nested_and_repeated_elements() {
        let xml = format!(
            "<Account xmlns:xsi=\"{XSI}\"><Name>A &amp; B</Name><Phone xsi:nil=\"true\"/><Parent><Name>P</Name></Parent>\
             <Tag>1</Tag><Tag>2</Tag></Account>"
        );
        let expected = json!({"Name": "A & B", "Phone": null, "Parent": {"Name": "P"}, "Tag": ["1", "2"]});
        assert_eq!(parse_xml(xml.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn long_numbers_keep_their_digits() {
        let body = br#"{"a": -99999999999999.9999, "b": 1.5, "c": "12345678901234567890", "d": [9007199254740993], "e": 1e300}"#;
        let expected = json!({
            "a": "-99999999999999.9999",
            "b": 1.5,
            "c": "12345678901234567890",
            "d": ["9007199254740993"],
            "e": 1e300,
        });
        assert_eq!(parse_json(body).unwrap(), expected);
        assert_eq!(parse_json(br#""\"12345678901234567890""#).unwrap(), json!("\"12345678901234567890"));
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_it_panic(body in "[-0-9.eE\"\\\\{}:,a]{0,40}") {
            let _ = parse_json(body.as_bytes());
        }
    }

    #[test]
    fn broken_json_is_refused_with_the_place() {
        let said = |text: &str| parse_json(text.as_bytes()).unwrap_err().message.into_owned();
        assert!(said("{\"a\": }").starts_with("Unexpected character ('}' (code 125))"), "{}", said("{\"a\": }"));
        assert!(said("{\"a\": }").ends_with("at [line:1, column:7]"));
        assert!(said("{").starts_with("Unexpected end-of-input"));
        assert!(said("").contains("has no entity body"));
    }
}
