//! JSON or XML: what a client wants, and answers written as XML.
//!
//! Source: REST API guide v66, "Response Formats" and its samples of records, query results and errors; the names of other
//! root elements are inferred.

use std::fmt;

use http::{Method, StatusCode, header};
use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::answer::Answer;
use crate::call::Call;
use crate::oauth::escape_xml;
use crate::payload::Payload;
use crate::route::DataRoute;

const XML: &str = "application/xml;charset=UTF-8";

/// The format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Xml,
}

impl Format {
    /// By the end of the path, else by `Accept`; `None` when the client takes neither.
    pub(super) fn wanted(call: &Call, route: &DataRoute) -> Option<Self> {
        let ending = call.path.rsplit_once('.').map(|(_, ending)| ending);
        match ending.filter(|_| !matches!(route, DataRoute::ExternalId { .. })) {
            Some("json") => return Some(Self::Json),
            Some("xml") => return Some(Self::Xml),
            _ => {}
        }
        let Some(accept) = call.header(header::ACCEPT).filter(|accept| !accept.trim().is_empty()) else {
            return Some(Self::Json);
        };
        accept.split(',').find_map(|range| {
            let media = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            match media.as_str() {
                "*/*" | "application/*" | "application/json" | "text/json" => Some(Self::Json),
                media if media.ends_with("+json") || media.ends_with("/javascript") => Some(Self::Json),
                "application/xml" | "text/xml" => Some(Self::Xml),
                _ => None,
            }
        })
    }
}

/// Whether a route answers with bytes or CSV, whatever `Accept` says.
pub(super) fn has_a_format_of_its_own(route: &DataRoute) -> bool {
    matches!(route.template().split('/').nth(4), Some("jobs"))
        || matches!(route, DataRoute::ExternalId { .. } | DataRoute::Unknown)
}

/// 406 without a body. Source: tap-salesforce, changelog of 2.1.1.
pub(super) fn unacceptable() -> Answer {
    Answer::empty(StatusCode::NOT_ACCEPTABLE)
}

/// The answer in a format.
pub(super) fn formatted(answer: Answer, format: Format, call: &Call, route: &'static str) -> Answer {
    let is_json =
        answer.headers.get(header::CONTENT_TYPE).is_some_and(|media| media.as_bytes().starts_with(b"application/json"));
    let body = answer.body.in_memory().filter(|body| !body.is_empty());
    let (Format::Xml, true, Some(body)) = (format, is_json, body) else { return answer };
    let Ok(parsed) = serde_json::from_slice::<Json>(body) else { return answer };
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    document(&parsed, root_name(&answer, call, route), &mut text);
    let xml = Payload::bytes(text);
    Answer { body: xml, ..answer }.with(header::CONTENT_TYPE, XML)
}

fn root_name(answer: &Answer, call: &Call, route: &str) -> &'static str {
    if answer.status.is_client_error() || answer.status.is_server_error() {
        return "Errors";
    }
    let tail: Vec<&str> = route.split('/').skip(4).collect();
    match tail.as_slice() {
        ["query" | "queryAll", ..] => "QueryResult",
        ["sobjects"] => "DescribeGlobal",
        ["sobjects", _, "describe"] => "DescribeSObject",
        ["sobjects", ..] if call.method == Method::POST || call.method == Method::PATCH => "Result",
        ["limits"] => "LimitsSnapshot",
        [] | [""] => "urls",
        _ => "Response",
    }
}

/// JSON with the order of its keys.
#[derive(Debug)]
enum Json {
    Null,
    Text(String),
    /// A number or a boolean, as it is written.
    Bare(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::read(raw.get()).map_err(serde::de::Error::custom)
    }
}

impl Json {
    fn read(text: &str) -> serde_json::Result<Self> {
        Ok(match text.as_bytes().first() {
            Some(b'{') | Some(b'[') => {
                let mut deserializer = serde_json::Deserializer::from_str(text);
                serde::Deserializer::deserialize_any(&mut deserializer, Composed)?
            }
            Some(b'"') => Self::Text(serde_json::from_str(text)?),
            Some(b'n') => Self::Null,
            _ => Self::Bare(text.to_owned()),
        })
    }
}

struct Composed;

impl<'de> Visitor<'de> for Composed {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }
}

/// A whole answer: a record is an element named after its object, an array has an element for each of its items.
fn document(json: &Json, root: &str, out: &mut String) {
    match json {
        Json::Object(members) => element(object_type(members).unwrap_or(root), json, out),
        Json::List(items) => {
            let each = root.strip_suffix('s').unwrap_or("item");
            out.push_str(&format!("<{root}>"));
            items.iter().for_each(|item| element(each, item, out));
            out.push_str(&format!("</{root}>"));
        }
        _ => element(root, json, out),
    }
}

fn element(name: &str, json: &Json, out: &mut String) {
    match json {
        Json::Null => {
            out.push_str(&format!("<{name} xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"/>"))
        }
        Json::Text(text) => out.push_str(&format!("<{name}>{}</{name}>", escape_xml(text))),
        Json::Bare(text) => out.push_str(&format!("<{name}>{text}</{name}>")),
        // As in query results: an element for each item, under the name of the array.
        Json::List(items) => items.iter().for_each(|item| element(name, item, out)),
        Json::Object(members) => {
            out.push_str(&format!("<{name}{}>", attributes(members)));
            for (key, value) in members.iter().filter(|(key, _)| key != "attributes") {
                element(&element_name(key), value, out);
            }
            out.push_str(&format!("</{name}>"));
        }
    }
}

/// Keys that are no names, such as those of some limits.
fn element_name(key: &str) -> String {
    let fits = |c: char| if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' };
    let name: String = key.chars().map(fits).collect();
    if name.starts_with(|c: char| c.is_alphabetic() || c == '_') { name } else { format!("_{name}") }
}

fn record_attributes(members: &[(String, Json)]) -> impl Iterator<Item = (&str, &str)> {
    let attributes = members.iter().find(|(key, _)| key == "attributes");
    let pairs: &[(String, Json)] = match attributes {
        Some((_, Json::Object(pairs))) => pairs,
        _ => &[],
    };
    pairs.iter().filter_map(|(key, value)| match value {
        Json::Text(text) => Some((key.as_str(), text.as_str())),
        _ => None,
    })
}

fn object_type(members: &[(String, Json)]) -> Option<&str> {
    record_attributes(members).find(|(key, _)| *key == "type").map(|(_, name)| name)
}

fn attributes(members: &[(String, Json)]) -> String {
    let quoted = |text: &str| escape_xml(text).replace('"', "&quot;");
    record_attributes(members).map(|(key, value)| format!(" {key}=\"{}\"", quoted(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(json: &str, root: &str) -> String {
        let mut out = String::new();
        document(&serde_json::from_str(json).unwrap(), root, &mut out);
        out
    }

    #[test]
    fn records_are_elements_named_after_their_object_with_their_keys_in_order() {
        let record = r#"{"attributes":{"type":"Account","url":"/u"},"Name":"A & B","Amount":50.00,"B":null}"#;
        let nil = "<B xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"/>";
        let expected =
            format!("<Account type=\"Account\" url=\"/u\"><Name>A &amp; B</Name><Amount>50.00</Amount>{nil}</Account>");
        assert_eq!(xml(record, "Response"), expected);
    }

    #[test]
    fn an_array_has_an_element_for_each_item() {
        assert_eq!(
            xml(r#"{"done":true,"records":[{"a":1},{"a":2}]}"#, "QueryResult"),
            "<QueryResult><done>true</done><records><a>1</a></records><records><a>2</a></records></QueryResult>"
        );
        assert_eq!(xml(r#"[{"errorCode":"X"}]"#, "Errors"), "<Errors><Error><errorCode>X</errorCode></Error></Errors>");
    }
}
