//! Values as REST answers write them. Source: REST API guide, valid date formats and query results.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Cell, Decimal};

/// Writes one value as JSON; numbers have at least `scale` digits behind the point.
pub fn write_json_cell(cell: Cell<'_>, scale: u8, out: &mut Vec<u8>) {
    match cell {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Cell::Int(value) => Decimal::from(value).write_plain(out),
        Cell::Decimal(value) => value.with_scale(scale).write_plain(out),
        Cell::Text(text) => write_json_text(text, out),
        Cell::Json(json) => out.extend_from_slice(json.as_bytes()),
        Cell::Id(_) | Cell::Date(_) | Cell::DateTime(_) | Cell::Time(_) | Cell::Bytes(_) => {
            out.push(b'"');
            match cell {
                Cell::Id(id) => out.extend_from_slice(&id.to_bytes()),
                Cell::Date(date) => date.write(out),
                Cell::DateTime(time) => time.write_rest(out),
                Cell::Time(time) => time.write(out),
                Cell::Bytes(bytes) => out.extend_from_slice(STANDARD.encode(bytes).as_bytes()),
                _ => {}
            }
            out.push(b'"');
        }
    }
}

/// Writes a text as a JSON string.
pub fn write_json_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a text becomes JSON and a Vec takes it");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RecordId;
    use crate::value::{Timestamp, Value};

    fn written(value: &Value, scale: u8) -> String {
        let mut out = Vec::new();
        write_json_cell(value.as_cell(), scale, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_have_the_forms_of_rest_answers() {
        assert_eq!(written(&Value::Decimal(Decimal::new(50_000, 0)), 2), "50000.00");
        assert_eq!(written(&Value::Int(9_007_199_254_740_993), 0), "9007199254740993");
        assert_eq!(written(&Value::DateTime(Timestamp(1_727_148_367_000)), 0), "\"2024-09-24T03:26:07.000+0000\"");
        assert_eq!(written(&Value::text("a\u{0}\"\n😀"), 0), "\"a\\u0000\\\"\\n😀\"");
        assert_eq!(written(&Value::Id(RecordId::parse("0019000000B98de").unwrap()), 0), "\"0019000000B98deAAB\"");
    }
}
