//! Records and results of queries, from the JSON that REST answers with.
//!
//! Source: captured answers of the partner and the enterprise API. In partner form a record names its type, and its `Id` a
//! second time when it was asked for; null fields are nil. In enterprise form the type is an attribute, and null fields are
//! left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::json::Json;
use super::writer::Elements;
use crate::database::Snapshot;
use crate::ids::RecordId;
use crate::route::SoapApi;
use crate::schema::{Field, FieldType, Object};
use crate::value::{Cell, Decimal};

const AGGREGATE: &str = "AggregateResult";
/// `address` extends `location` (partner WSDL v66).
const ADDRESS: [&str; 10] = [
    "latitude",
    "longitude",
    "city",
    "country",
    "countryCode",
    "geocodeAccuracy",
    "postalCode",
    "state",
    "stateCode",
    "street",
];

/// Writes what queries find.
pub(super) struct Rows<'a> {
    pub(super) api: SoapApi,
    pub(super) data: &'a Snapshot,
}

impl Rows<'_> {
    /// A `QueryResult` in an element. `page` is the body of a REST query.
    pub(super) fn query_result(&self, tag: &str, page: &Json, out: &mut Elements) {
        let typed = self.api == SoapApi::Partner || tag.starts_with("sf:");
        if typed {
            out.open_typed(tag, "QueryResult")
        } else {
            out.open(tag)
        }
        out.flag("done", page.get("done") != Some(&Json::Bool(false)));
        let next = page.get("nextRecordsUrl").and_then(Json::as_text);
        out.maybe("queryLocator", next.and_then(|url| url.rsplit('/').next()));
        for record in page.get("records").map(Json::items).unwrap_or_default() {
            self.record("records", record, out);
        }
        out.put("size", page.get("totalSize").and_then(Json::as_text).unwrap_or("0"));
        out.close(tag);
    }

    /// A record in an element.
    pub(super) fn record(&self, tag: &str, record: &Json, out: &mut Elements) {
        let Json::Object(members) = record else { return out.nil(tag) };
        let kind = record.get("attributes").and_then(|attributes| attributes.get("type")).and_then(Json::as_text);
        let kind = kind.unwrap_or(AGGREGATE);
        let object = self.data.schema().find(kind).map(|(_, object)| object.as_ref());
        match self.api {
            SoapApi::Enterprise => out.open_typed(tag, &format!("sf:{kind}")),
            SoapApi::Partner | SoapApi::Metadata | SoapApi::Apex | SoapApi::Tooling => {
                out.open_typed(tag, "sf:sObject");
                out.put("sf:type", kind);
                out.maybe("sf:Id", record.get("Id").and_then(Json::as_text));
            }
        }
        for (name, value) in members.iter().filter(|(name, _)| name != "attributes") {
            self.member(object, (name.as_str(), value), record, out);
        }
        out.close(tag);
    }

    fn member(&self, object: Option<&Object>, (name, value): (&str, &Json), record: &Json, out: &mut Elements) {
        let tag = format!("sf:{name}");
        let field = object.and_then(|object| object.find(name)).map(|(_, field)| field);
        match value {
            Json::Null if self.api == SoapApi::Enterprise => {}
            Json::Null => out.nil(&tag),
            Json::Object(_) if value.get("records").is_some() => self.query_result(&tag, value, out),
            Json::Object(_) if value.get("attributes").is_some() => self.record(&tag, value, out),
            _ => match field {
                Some(field) if field.kind.is_compound() => compound(&tag, field, value, out),
                Some(field) if field.kind == FieldType::Base64 => {
                    out.maybe(&tag, self.bytes(field, record, value).as_deref());
                }
                Some(field) => out.put(&tag, &plain(field.kind, value)),
                None => aggregate(&tag, value, out),
            },
        }
    }

    /// The bytes behind the address of a base64 field: SOAP sends them in the record.
    fn bytes(&self, field: &Field, record: &Json, address: &Json) -> Option<String> {
        let id = record.get("Id").and_then(Json::as_text).or_else(|| address.as_text()?.rsplit('/').nth(1))?;
        let row = self.data.row(RecordId::parse(id).ok()?)?;
        let (position, _) = row.object().find(&field.name)?;
        match row.cell(position, &mut String::new()) {
            Cell::Bytes(bytes) => Some(STANDARD.encode(bytes)),
            _ => None,
        }
    }
}

/// A value in the form of its XML schema type: times end in `Z`, and a double is written as Java writes it.
fn plain(kind: FieldType, value: &Json) -> String {
    match (kind, value) {
        (FieldType::DateTime, Json::Text(text)) => zulu(text),
        (FieldType::Double | FieldType::Currency | FieldType::Percent, Json::Number(number)) => double(number),
        (_, Json::Text(text)) => text.clone(),
        (_, other) => other.written(),
    }
}

fn double(number: &str) -> String {
    let Some(decimal) = Decimal::parse(number) else { return number.to_owned() };
    let mut out = Vec::new();
    decimal.write_double(&mut out);
    String::from_utf8(out).expect("numbers are ASCII")
}

/// `…+0000` as `…Z`.
pub(super) fn zulu(text: &str) -> String {
    text.strip_suffix("+0000").map_or_else(|| text.to_owned(), |time| format!("{time}Z"))
}

fn compound(tag: &str, field: &Field, value: &Json, out: &mut Elements) {
    let parts: &[&str] = if field.kind == FieldType::Location { &ADDRESS[..2] } else { &ADDRESS };
    out.open_typed(tag, field.kind.as_str());
    for part in parts {
        match value.get(part) {
            None | Some(Json::Null) => out.nil(part),
            Some(Json::Number(number)) => out.put(part, &double(number)),
            Some(other) => out.put(part, other.as_text().unwrap_or_default()),
        }
    }
    out.close(tag);
}

/// What a query computes has its type beside it: the schema of a record has none for it (inferred from the WSDL, where
/// elements of an sObject are of any type).
fn aggregate(tag: &str, value: &Json, out: &mut Elements) {
    let (kind, text) = match value {
        Json::Number(number) if number.contains(['.', 'e', 'E']) => ("double", double(number)),
        Json::Number(number) if number.parse::<i32>().is_err() => ("double", double(number)),
        Json::Number(number) => ("int", number.clone()),
        Json::Bool(value) => ("boolean", value.to_string()),
        Json::Text(text) if text.ends_with("+0000") && text.contains('T') => ("dateTime", zulu(text)),
        Json::Text(text) => ("string", text.clone()),
        other => ("string", other.written()),
    };
    let declaration = "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"";
    out.0.push_str(&format!("<{tag} {declaration} xsi:type=\"xsd:{kind}\">{}</{tag}>", super::writer::escaped(&text)));
}
